"""Simulated EBDS units as data: their note tables, speeds and habits.

The speeds are plausible, not measured; where the EBDS sheet leaves a behaviour open (its "?" marks and §9), it is an
option here, so that a host can be tried against either answer.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from kiosk.model.money import minor_digits
from kiosk.protocols.ebds.codes import LONG_MASK, RETRIEVED, SHORT_MASK, Query, Subtype
from kiosk.protocols.ebds.payloads import NoteRecord


class Speeds(msgspec.Struct, frozen=True):
    """How long the unit takes for things, in milliseconds of whatever clock it is told."""

    #: From power, or SOFT RESET, to the first answer; the unit is silent meanwhile.
    boot_ms: int = 300
    #: Power up shown after that (sheet §8: 2 s, and up to 19 s without a box).
    initialize_ms: int = 2000
    #: The same while the box is missing.
    initialize_without_box_ms: int = 19_000
    accepting_ms: int = 600
    #: From the stack command to the note fully in the box.
    stacking_ms: int = 900
    #: From the stack command to where the note cannot come back.
    lever_ms: int = 450
    returning_ms: int = 600
    #: Until a rejected note lies at the mouth and can be taken.
    rejecting_ms: int = 400
    #: A frame that stands still for this long is given up.
    inter_byte_ms: int = 50


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """One model of acceptor with one note set."""

    #: ISO 4217 code of the note set.
    currency: str
    #: The table of the extended mode, in its order.
    rows: tuple[NoteRecord, ...]
    #: Which row the values 1 to 7 of the plain mode mean; 0 for none.
    plain: tuple[int, ...]
    #: Fifth and sixth status byte (§5).
    model: int = 0x54
    revision: int = 0x0A
    #: Bytes of the enable mask it takes: 8 (CashFlow SC) or 19 (SC Advanced, SCR) (§6).
    mask_bytes: int = SHORT_MASK
    speeds: Speeds = Speeds()

    #: What it answers to auxiliary queries with text; those it lacks are answered with the software CRC (§7).
    texts: dict[int, str] = {}
    #: Four digits, sent as low nibbles.
    software_crc: int = 0x1A2B
    #: Extended messages it lacks, answered with "invalid command"; 0x06 is deprecated (§6).
    lacks: frozenset[int] = frozenset()

    #: A repeated toggle is answered with the last reply (§3); False: it is carried out again (§9, open point).
    repeats_on_equal_toggle: bool = True
    #: Stacked and returned are told together with idling (0x11, 0x41); False: alone (§5).
    idling_with_event: bool = True
    #: Polls over which rejected and cheated stay set (§5).
    edge_polls: int = 3
    #: A note at escrow under policy A (§8, text silent).
    policy_a_escrow: Literal["hold", "return", "stack"] = "return"
    #: A note held at escrow after power-up shows as escrowed, instead of out of order (§8, B and C).
    held_shows_escrow: bool = False
    #: Policy B tells the value of a note that it finished stacking (§8, inferred).
    value_after_power_up: bool = True
    #: A stacked event that names no note: after each power-up, and when the box is put back (§8, field use).
    blank_at_power_up: bool = False
    blank_at_cassette: bool = False
    #: Putting the box back shows power up, and forgets as a power cut does (§8).
    power_up_at_cassette: bool = False
    #: Enable mask and escrow time limits survive power-off (§9, open point).
    keeps_settings: bool = False
    #: The enable mask is answered by a message of subtype 3 instead of a plain reply (§6).
    mask_reply: bool = False
    #: Stays in power up while polls are further apart than this (§3, one SC66 at 500 ms); None for never.
    power_up_poll_ms: int | None = None
    #: Last byte of the note-retrieved event: 0x7F, or 0x7E, whose meaning is not established (§6, §9).
    retrieved_code: int = RETRIEVED
    #: Shows "disabled" in the fourth status byte while nothing is enabled, as SCR units do (§5).
    shows_disabled: bool = False
    #: Cheated is set together with stacked: nearly full on some units (§8).
    cheated_with_stacked: bool = False

    def minor(self, row: NoteRecord) -> int:
        """Return the value of a row in minor units."""
        return row.minor(minor_digits(self.currency)) or 0

    def row_of(self, minor: int) -> NoteRecord | None:
        """Return the row of a value, or None where the unit does not know such a note."""
        return next((row for row in self.rows if self.minor(row) == minor), None)

    def value_of(self, row: NoteRecord) -> int:
        """Return the plain value of a row, 0 where it has none."""
        return self.plain.index(row.index) + 1 if row.index in self.plain else 0


def note_set(currency: str, *values: tuple[int, int]) -> tuple[NoteRecord, ...]:
    """Build a table from (base, exponent) pairs, one a row from 1 up.

    >>> note_set("USD", (5, 1))[0].minor(2)
    5000
    """
    return tuple(NoteRecord(at, currency, base, exponent) for at, (base, exponent) in enumerate(values, 1))


_TEXTS: dict[int, str] = {
    Query.ACCEPTOR_TYPE: "SCNL6601",
    Query.SERIAL_NUMBER: "21003455066",
    Query.BOOT_PART_NUMBER: "280000121",
    Query.APPLICATION_PART_NUMBER: "280000123",
    Query.VARIANT_NAME: "USD USA",
    Query.VARIANT_PART_NUMBER: "490001105",
    Query.APPLICATION_ID: "286000120",
    Query.VARIANT_ID: "490001105",
}

#: 1, 2, 5, 10, 20, 50, 100: the order of the sheet's value table (§6, §10).
USD_UNIT = Unit(
    currency="USD",
    rows=note_set("USD", (1, 0), (2, 0), (5, 0), (1, 1), (2, 1), (5, 1), (1, 2)),
    plain=(1, 2, 3, 4, 5, 6, 7),
    texts=_TEXTS,
)
#: An SC Advanced with the long mask; value 1 of its plain mode is a 5, which is why values are never guessed (§6).
EUR_UNIT = Unit(
    currency="EUR",
    rows=note_set("EUR", (5, 0), (1, 1), (2, 1), (5, 1), (1, 2), (2, 2), (5, 2)),
    plain=(1, 2, 3, 4, 5, 6, 7),
    mask_bytes=LONG_MASK,
    model=0x55,
    revision=0x23,
    texts={**_TEXTS, Query.VARIANT_NAME: "EUR EUROPE"},
    lacks=frozenset({Subtype.VALUE_TABLE}),
    mask_reply=True,
)
UNITS = {unit.currency: unit for unit in (USD_UNIT, EUR_UNIT)}
