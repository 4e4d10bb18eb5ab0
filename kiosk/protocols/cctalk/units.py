"""Simulated ccTalk units as data: who they say they are, their money, speeds and habits.

The speeds are plausible, not measured; where the ccTalk sheet leaves a behaviour open (``[?]``, ``[1]``), it is an
option here, so that a host can be tried against either answer.
"""

from __future__ import annotations

import msgspec

from kiosk.protocols.cctalk.headers import BILL_CATEGORIES, COIN_CATEGORY
from kiosk.protocols.cctalk.payloads import Scaling


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a unit answers to the identity headers (sheet §4)."""

    category: str
    manufacturer: str = "SIM"
    product: str = "CT-1"
    serial: int = 12_345_678
    revision: str = "1.04"
    build: str = "Standard"
    #: Release, major and minor of the protocol.
    comms: tuple[int, int, int] = (1, 4, 7)
    #: Answer to header 197.
    rom_checksum: int = 0x3A43045F


class NodeHabits(msgspec.Struct, frozen=True, kw_only=True):
    """How any unit behaves on the line."""

    #: The interface repeats every byte of the host (a single-wire line, sheet §1).
    echo: bool = False
    #: A silence inside a packet after which the receiver starts anew.
    gap_ms: int = 50
    #: From power or reset to the first answer.
    boot_ms: int = 200
    #: A reset that carries data is carried out too; noise can make one of a harmless frame (sheet §11).
    resets_with_data: bool = False
    #: Four digits that must be entered first; None for a unit without.
    pin: bytes | None = None
    #: The receiver is off for this long after an address poll (sheet §3).
    address_poll_off_ms: int = 1200


class CoinUnit(msgspec.Struct, frozen=True, kw_only=True):
    """One model of coin acceptor with one coin set."""

    #: ISO 4217 code and the two letters of the coin ids.
    currency: str
    country: str
    #: Minor value by position from 1, 0 for one that is not programmed.
    coins: tuple[int, ...]
    identity: Identity = Identity(category=COIN_CATEGORY, product="EMP-800")
    habits: NodeHabits = NodeHabits()
    #: From the slot to the credit sensor.
    coin_ms: int = 150
    #: Unpolled for this long it inhibits itself until it is polled again (sheet §7).
    watchdog_ms: int = 1000
    #: It turns counter 0 into 1 by itself on the first poll, with a dummy event (sheet §6); None where it does not.
    dummy_event: tuple[int, int] | None = None
    #: Bytes of the inhibit mask.
    mask_bytes: int = 2
    #: Sorter path told with each coin; 0 for none.
    sorter_path: int = 1
    #: A coin whose mask bit is off is told by its position (128 and up) or only as inhibited (2).
    tells_inhibited_type: bool = False
    #: Coins that fall through while nobody polls are written into the event book too.
    tells_unwatched: bool = False
    #: The masks survive power-off and reset (sheet §8: check per product).
    keeps_masks: bool = False


class BillSpeeds(msgspec.Struct, frozen=True, kw_only=True):
    """How long a bill validator takes for things, in milliseconds of whatever clock it is told."""

    accepting_ms: int = 600
    #: Escrow returns the note by itself after this (sheet §9: 30 s or longer); 154 with 255 starts it anew.
    escrow_ms: int = 30_000
    #: From the stack order to the lever past which the note cannot come back, and to the note in the box.
    lever_ms: int = 450
    stacking_ms: int = 900
    returning_ms: int = 500
    #: The manipulated path is guarded again after this.
    cheated_ms: int = 3000


class BillUnit(msgspec.Struct, frozen=True, kw_only=True):
    """One model of bill validator with one note set."""

    #: ISO 4217 code and the two letters of the bill ids.
    currency: str
    country: str
    #: Unscaled value by bill type from 1, 0 for one that is not programmed.
    bills: tuple[int, ...]
    scaling: Scaling = Scaling(100, 2)
    #: Decimals of the currency, for the minor value of a note.
    minor_digits: int = 2
    identity: Identity = Identity(category=BILL_CATEGORIES[0], product="Ardac6")
    habits: NodeHabits = NodeHabits()
    speeds: BillSpeeds = BillSpeeds()
    #: Unpolled for this long: master inhibit and event (0,0); the host must lift it (sheet §7).
    watchdog_ms: int = 5000
    mask_bytes: int = 2
    #: Operating mode after power-up, header 153: 3 is stacker and escrow.
    first_mode: int = 3
    #: The masks survive power-off and reset.
    keeps_masks: bool = False
    #: 154 is answered with error 254 where nothing is in escrow; some answer NAK.
    empty_escrow_error: bool = True
    #: It inhibits itself while the box is out, and says so with (0,0).
    inhibits_without_box: bool = True
    #: At power-up a note past the lever goes on into the box; it is told as credit, or not at all (no text says).
    credits_after_power_up: bool = True
    #: At power-up a note before the lever goes back; that is told as (0,1), or not at all (no text says).
    tells_return_after_power_up: bool = True

    def minor(self, bill: int) -> int:
        """Return the minor value of a bill type."""
        shift = self.minor_digits - self.scaling.decimals
        scaled = self.bills[bill - 1] * self.scaling.factor
        return scaled * int(10**shift) if shift >= 0 else scaled // int(10**-shift)

    def bill_of(self, minor: int) -> int | None:
        """Return the bill type of a value, or None where the unit does not know such a note."""
        types = (kind for kind in range(1, len(self.bills) + 1) if self.bills[kind - 1])
        return next((kind for kind in types if self.minor(kind) == minor), None)


EUR_COINS = CoinUnit(
    currency="EUR", country="EU", coins=(5, 10, 20, 50, 100, 200, *[0] * 10)
)  # fmt: skip
USD_COINS = CoinUnit(
    currency="USD", country="US", coins=(5, 10, 25, 50, 100, *[0] * 11)
)  # fmt: skip
EUR_BILLS = BillUnit(currency="EUR", country="EU", bills=(5, 10, 20, 50, 100, 200, 500, 0))
USD_BILLS = BillUnit(currency="USD", country="US", bills=(1, 2, 5, 10, 20, 50, 100, 0))
COIN_UNITS = {unit.currency: unit for unit in (EUR_COINS, USD_COINS)}
#: Note sets by currency; coin sets have their own list.
UNITS = {unit.currency: unit for unit in (EUR_BILLS, USD_BILLS)}
