"""Simulated SSP units as data: their channels, speeds and habits.

The speeds are plausible, not measured.  Where the SSP sheet leaves a behaviour open (its [?], [1] and `?` marks), it is
a habit here, so that a host can be tried against either answer.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from kiosk.model.money import minor_digits
from kiosk.protocols.ssp.payloads import Channel


class Speeds(msgspec.Struct, frozen=True):
    """How long the unit takes for things, in milliseconds of whatever clock it is told."""

    #: From power or Reset to the first answer; the unit is silent meanwhile.
    boot_ms: int = 500
    #: From the first answer until a note found on the path is out or in, and Initialising is over.
    initialize_ms: int = 1_500
    #: Scanning a note.
    accepting_ms: int = 700
    #: Without a command for this long a note in escrow goes back (sheet §9).
    escrow_ms: int = 10_000
    #: From the accepting Poll to the point past which the note cannot come back: Credit.
    lever_ms: int = 500
    #: From the accepting Poll to the note in the box: Stacked.
    stacking_ms: int = 1_000
    #: Rejecting, until the note is out.
    rejecting_ms: int = 600


class SspUnit(msgspec.Struct, frozen=True, kw_only=True):
    """One model of validator with one dataset."""

    #: ISO 4217 code of the dataset.
    currency: str
    #: Values in whole major units, ascending; channels are numbered from 1.
    majors: tuple[int, ...]
    #: Value multiplier of the set-up reply; 0 where only the expanded values count (sheet §7).
    multiplier: int = 1
    unit_type: int = 0
    firmware: str = "0110"
    dataset: str = "EUR01604"
    serial: int = 0x00_12_D6_87
    address: int = 0
    speeds: Speeds = Speeds()
    #: Protocol versions it takes, and the one in force after power-up.
    versions: tuple[int, ...] = (4, 5, 6, 7, 8)
    default_version: int = 6
    #: What an unsupported version is answered with: ``fail`` (F8) by the manual, ``out_of_range`` (F4) by a real NV9.
    unsupported_version: Literal["fail", "out_of_range"] = "fail"
    #: ``off``: no key exchange; ``optional``: clear or encrypted; ``required``: FA before a key is there (sheet §13).
    essp: Literal["off", "optional", "required"] = "optional"
    #: Fixed half of the key.
    fixed_key: int = 0x0123456701234567
    #: A block of another key: ``dead`` until Reset (single source), or it is passed over in ``silence``.
    wrong_key: Literal["dead", "silence"] = "dead"
    #: A sealed frame where no key exists: FA in clear, or no answer (no text says).
    sealed_without_key: Literal["key_not_set", "silence"] = "key_not_set"
    #: Poll With Ack and Event Ack work in an encrypted session only (marked so by the manual, single source).
    ack_needs_key: bool = False
    #: The unit knows Poll With Ack at all.
    poll_with_ack: bool = True
    #: Replies with a credit are encrypted once a key exists, also to a Poll in clear (single source).
    seals_credits: bool = False
    #: Disabled stands in every poll while it lasts (the manual says no, drivers see it).
    repeats_disabled: bool = True
    #: A safe jam stands in every poll while it lasts (not stated).
    repeats_safe_jam: bool = True
    #: Cashbox Removed stands in every poll while it lasts (not stated).
    repeats_cashbox_removed: bool = False
    #: Note Cleared From Front waits for an Event Ack (not stated).
    acks_cleared_from_front: bool = False
    #: Notes found at power-up are told with their channel, where the unit had read it; else with 0.
    remembers_channel: bool = True
    #: A credit that was never acknowledged is told again after a power cut (not stated; False loses it on the wire).
    keeps_credit: bool = False
    #: The unit disables itself on fraud, box out, stacker full and an open path, and must be enabled anew; where it
    #: does not, it takes notes again as soon as the trouble is over.
    disables_itself: bool = True
    #: Jam Recovery is told when a jam is cleared.
    tells_jam_recovery: bool = True

    @property
    def values(self) -> tuple[int, ...]:
        """Return the minor value of each channel, channel 1 first."""
        return tuple(major * 10 ** minor_digits(self.currency) for major in self.majors)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Return the dataset as the set-up reply tells it."""
        return tuple(Channel(at + 1, major, self.currency) for at, major in enumerate(self.majors))

    def channel_of(self, minor: int) -> int:
        """Return the channel of a value, 0 where the unit does not know such a note.

        >>> EUR_UNIT.channel_of(2000), EUR_UNIT.channel_of(300)
        (3, 0)
        """
        return self.values.index(minor) + 1 if minor in self.values else 0


#: Values fit a byte as multiples of five euros.
EUR_UNIT = SspUnit(currency="EUR", majors=(5, 10, 20, 50, 100, 200, 500), multiplier=5)
USD_UNIT = SspUnit(currency="USD", majors=(1, 2, 5, 10, 20, 50, 100), dataset="USD01604")
#: A dataset whose value bytes are 0: only the expanded values count, from protocol 6 on.
EXPANDED_EUR_UNIT = SspUnit(
    currency="EUR", majors=(5, 10, 20, 50, 100, 200, 500), multiplier=0, versions=(6, 7, 8), unit_type=0
)
UNITS = {unit.currency: unit for unit in (EUR_UNIT, USD_UNIT)}
