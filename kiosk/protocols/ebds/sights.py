"""What an EBDS reply shows of a note, in the words of `kiosk.protocols.note_life` (EBDS sheet §5, §6, §8).

One reply may show several things: an event together with idling, or the end of a power-up together with rest.  An
event stands alone, because the next reply tells the rest.  Bits that contradict each other tell nothing, and put a note
whose STACK is out in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from kiosk.model.money import Money, minor_digits
from kiosk.protocols.ebds.codes import (
    STATUS_BYTES,
    Classification,
    Condition,
    Facility,
    MessageType,
    Report,
    State,
    Subtype,
)
from kiosk.protocols.ebds.frames import Frame
from kiosk.protocols.ebds.payloads import RECORD_BYTES, NoteRecord, Status, is_blank, parse_record, parse_status
from kiosk.protocols.note_life import Seen, Sight

#: States a unit can be in only one at a time.
MOTION = State.ACCEPTING | State.ESCROWED | State.STACKING | State.RETURNING
EVENTS = State.STACKED | State.RETURNED
#: Classes of a note that may be taken; the others are returned (sheet §6).
_TAKEN = (Classification.NONE, Classification.GENUINE)


class Reading(msgspec.Struct, frozen=True):
    """One reply with a status, taken apart."""

    status: Status
    #: Status bytes and record, hexadecimal.
    raw: str
    #: Row of the note table, of subtype `Subtype.NOTE`, or the note of an event; None where none is told.
    record: NoteRecord | None = None
    #: A record came and it is all zero.
    blank: bool = False
    #: A record came that is none, or one whose bytes cannot be read.
    unreadable: bool = False
    #: A barcode ticket is told.
    ticket: bool = False
    #: Last byte of a note-retrieved message; None in all others.
    retrieved: int | None = None


def read(frame: Frame) -> Reading | None:
    """Take a reply apart; None for one without a status."""
    if frame.kind == MessageType.REPLY:
        status = parse_status(frame.data)
        return None if status is None else Reading(status, frame.data[:STATUS_BYTES].hex())
    if frame.kind != MessageType.EXTENDED or not frame.data:
        return None
    status, rest = parse_status(frame.data[1:]), frame.data[1 + STATUS_BYTES :]
    if status is None:
        return None
    kind = frame.data[0]
    if kind == Subtype.NOTE:
        raw, told = frame.data[1 : 1 + STATUS_BYTES + RECORD_BYTES].hex(), rest[:RECORD_BYTES]
        record, blank = parse_record(told), len(told) == RECORD_BYTES and is_blank(told)
        return Reading(status, raw, record, blank, record is None and not blank)
    retrieved = rest[0] if kind == Subtype.NOTE_RETRIEVED and rest else None
    return Reading(status, status.data.hex(), ticket=kind == Subtype.BARCODE, retrieved=retrieved)


def money(record: NoteRecord, currency: str) -> Money | None:
    """Return what a record is worth; None where it is no money of ours."""
    minor = record.minor(minor_digits(currency)) if record.currency == currency else None
    return None if minor is None else Money(minor, currency)


class Folder:
    """Turns readings into sights; owns the last status, because rejected and cheated count by their edges (§5)."""

    def __init__(self, currency: str, *, held: bool, doubted: bool = False) -> None:
        self._currency, self._held = currency, held
        #: A rejection is no proof that a note came back.
        self._doubted = doubted
        #: The status before; None before the first.
        self.before: Status | None = None
        #: A reply was lost since a note was last seen in escrow.  A unit that does not repeat itself (§9) told an event
        #: in it perhaps, so that rest proves no return of a note whose STACK is out.
        self.lossy = False

    def fold(self, reading: Reading, row: int, values: Mapping[int, Money], *, hopeless: bool) -> tuple[Sight, ...]:
        """Return what a fresh reply shows, in order.

        `row` is the row of the note table that the message asked for, 0 for none: its record is no note in the unit.
        `values` are the meanings of the note values 1 to 7, {} while unread; `hopeless`: they stay so.
        """
        status, before = reading.status, self.before
        self.before = status
        if contradiction(status):
            return (Sight(Seen.NOTHING, "contradiction", reading.raw, doubt=True),)
        note = None if row else reading.record
        key = note.key if note is not None else status.note_value
        value = money(note, self._currency) if note is not None else values.get(status.note_value)
        named = note is not None or bool(status.note_value) or reading.ticket or (reading.unreadable and not row)
        if State.STACKED in status.state:
            return (Sight(Seen.CREDIT_POINT, "stacked", reading.raw, key, value, blank=not named),)
        if State.RETURNED in status.state:
            return (Sight(Seen.RETURNED, "returned", reading.raw),)
        out: list[Sight] = []
        if Report.POWER_UP in status.report:
            out.append(Sight(Seen.INITIALIZING, "power up", reading.raw))
            if not status.state:
                return tuple(out)
        inside = State.ESCROWED in status.state or State.STACKING in status.state  # then it was a second note
        if _edge(Condition.REJECTED, status, before) and not inside:
            clear = Condition.CASSETTE_ATTACHED in status.condition and Condition.CHEATED not in status.condition
            doubt = self._doubted or self.lossy or faulty(status) or not clear
            out.append(Sight(Seen.GOING_BACK, "rejected", reading.raw, rejected="unknown", doubt=doubt))
        if _edge(Condition.CHEATED, status, before):
            out.append(Sight(Seen.NOTHING, "cheated", reading.raw, doubt=True))
        if State.ESCROWED in status.state and (not row or named):
            self.lossy = False
            taken = note is None or note.classification in _TAKEN
            unread = note is None and bool(status.note_value) and not values and not hopeless
            out.append(
                Sight(
                    Seen.IN_ESCROW, "escrowed", reading.raw, key, value if taken else None,
                    unread=unread, ticket=reading.ticket, held=self._held,
                )
            )  # fmt: skip
        else:
            out.append(_elsewhere(status, reading.raw, self.lossy))
        return tuple(out)


def contradiction(status: Status) -> bool:
    """Tell whether the state bits cannot be true together (sheet §5)."""
    motions, events = (status.state & MOTION).bit_count(), (status.state & EVENTS).bit_count()
    return motions > 1 or events > 1


def faulty(status: Status) -> bool:
    """Tell whether something is wrong that says nothing about where a note is."""
    broken = Report.FAILURE in status.report or Facility.STALLED in status.facility
    return broken or Condition.JAMMED in status.condition


def settled(status: Status) -> bool:
    """Tell whether the unit is idle enough to be set up (sheet §6)."""
    return not (status.state & ~State.IDLING or Report.POWER_UP in status.report or faulty(status))


def powered_up(frame: Frame) -> bool:
    """Tell whether a reply shows that the unit lost its memory."""
    reading = read(frame)
    return reading is not None and Report.POWER_UP in reading.status.report


def may_hold(status: Status) -> bool:
    """Tell whether the unit may be out of service because it holds a note since a power-up (sheet §8)."""
    box = Condition.CASSETTE_ATTACHED in status.condition and Condition.STACKER_FULL not in status.condition
    return settled(status) and not status.state and box


def _edge(condition: Condition, status: Status, before: Status | None) -> bool:
    return before is not None and condition in status.condition and condition not in before.condition


def _elsewhere(status: Status, raw: str, lossy: bool) -> Sight:
    """Return the sight of a status without an event and without a note in escrow."""
    state = status.state
    if State.ESCROWED in state:  # a reply to a query, which names no note: the next poll does
        return Sight(Seen.NOTHING, "escrowed unnamed", raw)
    if State.STACKING in state:
        return Sight(Seen.MOVING, "stacking", raw)
    if State.RETURNING in state:
        return Sight(Seen.GOING_BACK, "returning", raw)
    if State.ACCEPTING in state:
        return Sight(Seen.DRAWING_IN, "accepting", raw, doubt=lossy)
    if faulty(status):
        return Sight(Seen.NOTHING, "fault", raw, doubt=True)
    if Condition.CASSETTE_ATTACHED not in status.condition:
        return Sight(Seen.NOTHING, "cassette removed", raw, doubt=True)
    if State.IDLING in state:
        return Sight(Seen.AT_REST, "idling", raw, doubt=lossy)
    return Sight(Seen.NOTHING, "out of service", raw, doubt=True)
