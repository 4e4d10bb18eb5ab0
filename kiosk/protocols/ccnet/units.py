"""Simulated CCNET units as data: their bill tables, speeds and habits.

The speeds are plausible, not measured; where the CCNET sheet leaves a behaviour open (its "?" marks and single
sources), it is an option here, so that a host can be tried against either answer.
"""

from __future__ import annotations

import msgspec

from kiosk.model.money import minor_digits
from kiosk.protocols.ccnet.codes import HostCommand
from kiosk.protocols.ccnet.frames import BILL_VALIDATOR
from kiosk.protocols.ccnet.payloads import BillSlot, Identification


class Speeds(msgspec.Struct, frozen=True):
    """How long the unit takes for things, in milliseconds of whatever clock it is told."""

    #: From power to the first answer; the unit is silent meanwhile.
    boot_ms: int = 300
    #: INITIALIZE after RESET and after a fault; up to 40 s on slow models (sheet §4).
    initialize_ms: int = 1500
    accepting_ms: int = 600
    #: An undecided note goes back after this; HOLD starts it anew (sheet §7: about 10 s).
    escrow_ms: int = 10_000
    #: From the stack command to the note fully in the box; 0 lets BILL STACKED follow directly (sheet §7).
    stacking_ms: int = 900
    #: From the stack command to where the note cannot come back.
    lever_ms: int = 450
    returning_ms: int = 600
    #: Until a rejected note lies at the mouth and can be taken.
    rejecting_ms: int = 400
    #: CHEATED lasts this long (sheet §7: transient).
    cheated_ms: int = 2000
    #: A frame that stands still for this long is given up.
    inter_byte_ms: int = 50


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """One model of bill validator with one note set."""

    #: ISO 4217 code of the note set.
    currency: str
    slots: tuple[BillSlot, ...]
    who: Identification
    speeds: Speeds = Speeds()
    address: int = BILL_VALIDATOR
    #: Four bytes each (sheet §5).
    crc32: bytes = bytes.fromhex("1A2B3C4D")
    options: bytes = bytes(4)

    #: BILL STACKED is told after RESET at 0x12 (sheet §7 ``?``, shown by no source).
    stacked_after_0x12: bool = False
    #: RETURNING and BILL RETURNED are shown after RESET at 0x11; otherwise the note is out when INITIALIZE ends.
    returned_after_0x11: bool = False
    #: A host's NAK brings the last data reply again (sheet §3 ``?``); otherwise it is passed over.
    resends_on_nak: bool = True
    #: A damaged command is answered with NAK (sheet §3, two sources); otherwise with silence.
    naks_damaged: bool = True
    #: SET SECURITY, ENABLE BILL TYPES and the like are taken in the power-up states, though RESET loses them again.
    settings_in_power_up: bool = False
    #: A jam that hands have cleared is shown until RESET (sheet §7); otherwise the unit initialises by itself.
    jam_needs_reset: bool = True
    #: Putting the box back brings POWER UP instead of INITIALIZE (sheet §7, some models).
    power_up_at_cassette: bool = False
    #: DEVICE BUSY is shown instead of INITIALIZE (sheet §6).
    busy_for_initialize: bool = False
    #: GET STATUS answers nine bytes instead of six (sheet §5, single source).
    long_status: bool = False
    #: Commands this unit lacks beside the unknown ones, answered with ILLEGAL COMMAND.
    lacks: frozenset[int] = frozenset()

    def minor(self, slot: BillSlot) -> int:
        """Return the value of a slot in minor units."""
        return slot.minor(minor_digits(self.currency))

    def type_of(self, minor: int) -> int | None:
        """Return the bill type of a value, or None where the unit does not know such a note."""
        return next((slot.bill_type for slot in self.slots if self.minor(slot) == minor), None)


def note_set(country: str, *values: tuple[int, int]) -> tuple[BillSlot, ...]:
    """Build a table from (digit, exponent) pairs, one a type from 0 up; a digit of 0 leaves a type unused.

    >>> note_set("EUR", (0, 0), (5, 0))
    (BillSlot(bill_type=1, digit=5, country='EUR', exponent=0),)
    """
    return tuple(BillSlot(at, digit, country, exponent) for at, (digit, exponent) in enumerate(values) if digit)


#: A euro unit names its currency (sheet §8); who it is, is the worked frame of §9.
EUR_UNIT = Unit(
    currency="EUR",
    slots=note_set("EUR", (5, 0), (1, 1), (2, 1), (5, 1), (1, 2), (2, 2), (5, 2)),
    who=Identification("FLS-EU10-693639", "07KI41AS7482", "75ed8dc8033f7b"),
)
#: Others name a country (sheet §8); type 1 is unused, as gaps occur.
USD_UNIT = Unit(
    currency="USD",
    slots=note_set("USA", (1, 0), (0, 0), (2, 0), (5, 0), (1, 1), (2, 1), (5, 1), (1, 2)),
    who=Identification("SM-US1513", "07SM15US0042", "00112233445566"),
    lacks=frozenset({HostCommand.SET_ESCROW_TIMEOUTS}),
)
UNITS = {unit.currency: unit for unit in (EUR_UNIT, USD_UNIT)}
