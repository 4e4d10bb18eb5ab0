"""Simulated ID003 units as data: their note tables, speeds and habits.

The speeds are plausible, not measured; where the ID003 sheet leaves a behaviour open (its "?" marks and §10), it
is an option here, so that a host can be tried against either answer.
"""

from __future__ import annotations

import msgspec

from kiosk.model.money import minor_digits
from kiosk.protocols.id003.codes import FIRST_NOTE_CODE, HostCommand
from kiosk.protocols.id003.payloads import NoteSlot


class Speeds(msgspec.Struct, frozen=True):
    """How long the unit takes for things, in milliseconds of whatever clock it is told."""

    #: From power to the first answer; the unit is silent meanwhile.
    boot_ms: int = 300
    #: INITIALIZE after RESET (sheet §7: 2 to 10 s on real units).
    initialize_ms: int = 1500
    accepting_ms: int = 600
    #: Escrow decision limit (sheet §7: about 10 s); HOLD starts it anew.
    escrow_ms: int = 10_000
    #: From the stack command to the note fully in the box.
    stacking_ms: int = 900
    #: From the stack command to the stacker lever, past which the note cannot come back.
    lever_ms: int = 450
    stacked_ms: int = 300
    returning_ms: int = 600
    #: Until a rejected note lies at the mouth and can be taken.
    rejecting_ms: int = 400
    #: A note in the unit goes back when nothing was heard from the host for this long (sheet §3).
    unpolled_ms: int = 3000
    #: CHEATED lasts this long, then the unit initialises.
    cheated_ms: int = 5000
    #: A frame that stands still for this long is given up.
    inter_byte_ms: int = 100


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """One model of acceptor with one note set."""

    #: ISO 4217 code of the note set.
    currency: str
    slots: tuple[NoteSlot, ...]
    version: str
    boot_version: str = "B001"
    speeds: Speeds = Speeds()
    #: After RESET at 0x42 a VEND VALID follows (sheet §10, open point); False as far as the sources show.
    vend_valid_after_0x42: bool = False
    #: VEND VALID carries the note code (one source saw it).
    vend_valid_with_code: bool = False
    #: With VEND VALID left without ACK for this long the unit falls silent until RESET (sheet §7); None for never.
    vend_valid_patience_ms: int | None = None
    #: Commands this unit lacks; answered with INVALID COMMAND.
    lacks: frozenset[int] = frozenset(
        {HostCommand.STACK_3, HostCommand.SET_ESCROW_LIMIT, HostCommand.PROGRAM_SIGNATURE, HostCommand.EXTENSION}
    )

    def minor(self, slot: NoteSlot) -> int:
        """Return the value of a slot in minor units."""
        return slot.minor(minor_digits(self.currency))

    def code_of(self, minor: int) -> int | None:
        """Return the note code of a value, or None where the unit does not know such a note."""
        return next((slot.code for slot in self.slots if slot.used and self.minor(slot) == minor), None)


def note_set(country: int, *values: tuple[int, int]) -> tuple[NoteSlot, ...]:
    """Build a table from (base, exponent) pairs, one a slot from 0x61 up; (0, 0) is an unused slot.

    >>> note_set(0x01, (1, 0))[0]
    NoteSlot(code=97, country=1, base=1, exponent=0)
    """
    return tuple(
        NoteSlot(FIRST_NOTE_CODE + at, country if base else 0, base, exponent)
        for at, (base, exponent) in enumerate(values)
    )


#: The reply of a real EUR unit, worked frame of the sheet's §11.
EUR_UNIT = Unit(
    currency="EUR",
    slots=note_set(0xE0, (0, 0), (5, 0), (10, 0), (20, 0), (50, 0), (10, 1), (20, 1), (50, 1)),
    version="i(EUR)100-SS ID003-05V280-42 01AUG17 964D",
)
USD_UNIT = Unit(
    currency="USD",
    slots=note_set(0x01, (1, 0), (2, 0), (5, 0), (10, 0), (20, 0), (50, 0), (10, 1), (0, 0)),
    version="i(USA)100-SS ID003-05V280-42 01AUG17 964D",
)
UNITS = {unit.currency: unit for unit in (EUR_UNIT, USD_UNIT)}
