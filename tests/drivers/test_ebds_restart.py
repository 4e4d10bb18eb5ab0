"""What becomes of a note over a restart of the host: the first reply may be a repeat, the toggle is not known."""

from __future__ import annotations

import pytest

from kiosk.api import NoteDisputed, NoteEscrowed, NoteId, NoteReturned, NoteStacked, OpenNote, StackNote
from tests.drivers.ebds_unit import (
    ESCROWED,
    IDLING,
    RETURN,
    RETURNED,
    STACK,
    STACKED,
    STACKING,
    TWENTY,
    Rig,
    Unit,
    ready,
    usd,
)

OPEN = OpenNote(NoteId("acceptor", 7), usd(20), "stack_sent")
BOOKED = OpenNote(NoteId("acceptor", 7), usd(20), "credited")
FATES = (NoteStacked, NoteReturned, NoteDisputed)


def stopped(state: int, *, toggle: int, note: object = TWENTY) -> Unit:
    """A unit whose last reply, with this toggle, showed a state; it rests by now."""
    unit = Unit()
    unit.status, unit.note = bytes((state, 0x10, 0, 0, 0x54, 0x10)), note  # type: ignore[assignment]
    unit.last = (toggle, unit.report(toggle))
    unit.status, unit.note = bytes((IDLING, 0x10, 0, 0, 0x54, 0x10)), None
    return unit


@pytest.mark.parametrize("start", [0, 1])
def test_a_stacked_event_that_nobody_read_is_credited_or_disputed_and_never_lost(start: int) -> None:
    rig = Rig(stopped(STACKED | IDLING, toggle=0), OPEN, start_toggle=start)
    rig.run(2_000)
    (fate,) = rig.told(*FATES)
    if start == 0:  # the unit takes it for a repeat and tells the event again
        assert isinstance(fate, NoteStacked)
        assert (fate.note, fate.value, fate.recovered) == (OPEN.note, usd(20), True)
    else:  # the unit takes it for the acknowledgement of an event that we never saw
        assert isinstance(fate, NoteDisputed)
        assert fate.note == OPEN.note


def test_where_it_is_so_configured_a_unit_at_rest_means_returned() -> None:
    rig = Rig(stopped(STACKED | IDLING, toggle=0), OPEN, start_toggle=1, restarted_note="returned")
    rig.run(2_000)
    assert [type(event) for event in rig.told(*FATES)] == [NoteReturned]


def test_a_repeated_event_of_a_note_that_is_booked_is_not_credited_again() -> None:
    rig = Rig(stopped(STACKED | IDLING, toggle=0), BOOKED)
    rig.run(2_000)
    assert not rig.told(*FATES)
    rig.run(2_000)
    assert rig.unit.commands() == []


def test_a_repeated_rest_from_before_the_stack_command_proves_nothing() -> None:
    unit = stopped(IDLING, toggle=0)
    unit.status, unit.note = bytes((ESCROWED, 0x10, 0, 0, 0x54, 0x10)), TWENTY
    rig = Rig(unit, OPEN)
    rig.run(900)
    assert not rig.told(*FATES)
    assert rig.unit.commands()[:1] == [RETURN]  # and what lies in escrow after a restart goes back, never in
    rig.event(RETURNED | IDLING)
    rig.run(500)
    assert [type(event) for event in rig.told(*FATES)] == [NoteReturned]
    assert STACK not in rig.unit.commands()


def test_a_repeated_escrow_is_no_new_note() -> None:
    rig = Rig(stopped(ESCROWED, toggle=0))
    rig.run(2_000)
    assert not rig.told(NoteEscrowed)


def test_a_note_found_in_escrow_is_offered_to_the_kernel() -> None:
    unit = Unit()
    unit.status, unit.note = bytes((ESCROWED, 0x10, 0, 0, 0x54, 0x10)), TWENTY
    rig = Rig(unit, serial=41)
    rig.run(1_000)
    (note,) = rig.told(NoteEscrowed)
    assert isinstance(note, NoteEscrowed)
    assert (note.note, note.value) == (NoteId("acceptor", 42), usd(20))
    rig.order(StackNote(note.note))
    assert rig.unit.commands() == [STACK]


def test_a_note_that_goes_on_moving_after_the_restart_is_credited_when_it_arrives() -> None:
    unit = Unit()
    unit.status = bytes((STACKING, 0x10, 0, 0, 0x54, 0x10))
    rig = Rig(unit, OPEN)
    rig.run(1_000)
    assert not rig.told(*FATES)
    rig.event(STACKED | IDLING, note=TWENTY)
    rig.run(500)
    assert [event.note for event in rig.told(NoteStacked) if isinstance(event, NoteStacked)] == [OPEN.note]


def test_a_silent_unit_leaves_the_open_note_a_dispute_and_is_heard_again_without_a_second_outcome() -> None:
    unit = Unit()
    unit.silent = True
    rig = Rig(unit, OPEN)
    rig.run(31_000)
    assert [type(event) for event in rig.told(*FATES)] == [NoteDisputed]
    unit.silent = False
    rig.event(STACKED | IDLING, note=TWENTY)
    rig.run(1_000)
    assert len(rig.told(*FATES)) == 1


def test_nothing_is_asked_of_the_unit_while_an_open_note_is_not_resolved() -> None:
    unit = Unit()
    unit.status = bytes((STACKING, 0x10, 0, 0, 0x54, 0x10))
    rig = Rig(unit, OPEN)
    rig.run(2_000)
    assert {frame.kind for frame in unit.heard} == {1}


def test_the_first_message_carries_the_power_up_policy() -> None:
    for policy, bits in (("A", 0x00), ("B", 0x04), ("C", 0x08)):
        rig = Rig(power_up_policy=policy)
        rig.run(100)
        assert rig.unit.heard[0].data[2] & 0x0C == bits
    assert all(frame.data[2] & 0x0C == 0x04 for frame in ready().unit.heard if frame.kind == 1)
