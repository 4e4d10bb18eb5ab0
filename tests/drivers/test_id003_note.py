"""The way of a note through the acceptor's driver: credit once, at the credit point, after the commit."""

from __future__ import annotations

import pytest

from kiosk.api import (
    CommandRefused,
    Confirm,
    EnableNotes,
    HoldNote,
    InhibitNotes,
    Lost,
    NoteAccepting,
    NoteDisputed,
    NoteEscrowed,
    NoteGone,
    NoteHeld,
    NoteId,
    NoteRejected,
    NoteReturned,
    NoteStacked,
    NoteStacking,
    ProtocolFault,
    ReturnNote,
    StackNote,
)
from tests.drivers.id003_unit import (
    ACCEPTING,
    ACK,
    CHEATED,
    DISABLE,
    ESCROW,
    FAILURE,
    FULL,
    HOLD,
    HOLDING,
    IDLING,
    IN_ACCEPTOR,
    IN_STACKER,
    INITIALIZE,
    JAM_A,
    JAM_S,
    MS,
    OPEN,
    PAUSE,
    POLL,
    POWER_UP,
    REJECTING,
    RESET,
    RETURN,
    RETURNING,
    STACK_2,
    STACKED,
    STACKING,
    VEND_VALID,
    Rig,
    eur,
    ready,
)

FIRST = NoteId("acceptor", 1)


def stacked(rig: Rig) -> list[tuple[NoteId | None, object, bool]]:
    return [(event.note, event.value, event.recovered) for event in rig.told(NoteStacked)]


def test_a_note_is_credited_once_and_only_at_vend_valid() -> None:
    rig = ready()
    note = rig.feed()
    assert (note.note, note.value) == (FIRST, eur(20))
    rig.order(StackNote(note.note))
    rig.show(STACKING)
    assert rig.told(NoteStacked) == [], "neither ESCROW nor the ACK of STACK nor STACKING is money"
    rig.show(VEND_VALID, VEND_VALID, STACKED, IDLING)
    assert stacked(rig) == [(FIRST, eur(20), False)]
    assert rig.told(NoteStacking) == [NoteStacking(FIRST)]
    assert rig.told(NoteGone) == [NoteGone(FIRST)]


def test_vend_valid_is_acknowledged_only_after_the_commit() -> None:
    rig = ready(auto=False)
    rig.order(StackNote(rig.feed().note))
    polls = [cmd for cmd, _ in rig.unit.heard].count(POLL)
    rig.show(STACKING, VEND_VALID, ms=2_000)
    assert ACK not in rig.unit.commands()
    assert [cmd for cmd, _ in rig.unit.heard].count(POLL) - polls > 15, "polling goes on while the commit is awaited"
    assert len(rig.told(NoteStacked)) == 1, "VEND VALID is a level"
    token = rig.told(NoteStacked)[0].token  # type: ignore[attr-defined]
    rig.order(Confirm(token))
    rig.run(20)
    assert rig.unit.commands()[-1] == ACK


def test_a_lost_ack_is_sent_again_without_a_second_credit() -> None:
    rig = ready()
    rig.order(StackNote(rig.feed().note))
    rig.show(VEND_VALID, ms=1_000)
    assert rig.unit.commands().count(ACK) >= 4
    assert len(rig.told(NoteStacked)) == 1


def test_stacked_without_a_seen_vend_valid_is_the_credit_point_of_our_own_note() -> None:
    rig = ready()
    rig.order(StackNote(rig.feed().note))
    rig.show(STACKING, STACKED, IDLING)
    assert stacked(rig) == [(FIRST, eur(20), False)]
    assert ACK not in rig.unit.commands()
    assert rig.told(NoteGone) == [NoteGone(FIRST)]


def test_a_note_that_goes_back_from_stacking_is_not_credited() -> None:
    rig = ready()
    rig.order(StackNote(rig.feed().note))
    rig.show(STACKING)
    rig.show(REJECTING, data=b"\x75")
    rig.show(IDLING)
    assert rig.told(NoteStacked) == []
    assert [(e.note, e.reason) for e in rig.told(NoteReturned)] == [(FIRST, "rejected:75")]  # type: ignore[attr-defined]


def test_idling_after_the_stack_command_without_a_credit_point_is_a_return() -> None:
    rig = ready()
    rig.order(StackNote(rig.feed().note))
    rig.show(STACKING, IDLING)
    assert [e.reason for e in rig.told(NoteReturned)] == ["idle_without_credit"]  # type: ignore[attr-defined]


def test_a_returned_note_is_never_credited() -> None:
    rig = ready()
    rig.order(StackNote(rig.feed().note))
    rig.show(STACKING, IDLING, VEND_VALID, STACKED, IDLING)
    assert stacked(rig) == [(None, eur(20), True)], "a late credit point is a note without a name, for suspense"


def test_return_on_command_ends_at_rest() -> None:
    rig = ready()
    rig.order(ReturnNote(rig.feed().note))
    rig.show(RETURNING)
    assert rig.told(NoteReturned) == []
    rig.show(IDLING)
    assert rig.told(NoteReturned) == [NoteReturned(FIRST, "commanded", raw="11")]
    assert rig.unit.commands() == [RETURN]


def test_a_vend_valid_after_the_return_command_is_credited_because_the_note_is_in_the_box() -> None:
    rig = ready()
    rig.order(ReturnNote(rig.feed().note))
    rig.show(VEND_VALID, STACKED, IDLING)
    assert stacked(rig) == [(FIRST, eur(20), False)]
    assert rig.told(NoteReturned) == []


@pytest.mark.parametrize("level", [FULL, OPEN, JAM_A, JAM_S, PAUSE, CHEATED, FAILURE, 0x77])
def test_a_note_inside_a_faulty_unit_is_followed_to_its_end(level: int) -> None:
    rig = ready()
    rig.order(StackNote(rig.feed().note))
    rig.show(STACKING)
    rig.show(level, ms=60_000)
    assert rig.told(NoteStacked, NoteReturned, NoteDisputed) == []
    assert RESET not in rig.unit.commands()
    rig.show(VEND_VALID, STACKED, IDLING)
    assert stacked(rig) == [(FIRST, eur(20), False)]


# --- STACK is never repeated blindly ---------------------------------------------------------------------------


def test_a_lost_answer_to_stack_is_followed_by_a_poll_and_stacking_means_taken() -> None:
    rig = ready()
    rig.unit.replies[STACK_2] = []
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.unit.status = (STACKING, b"")
    rig.run(2_000)
    after = [cmd for cmd, _ in rig.unit.heard]
    assert after.count(STACK_2) == 1
    assert after[after.index(STACK_2) + 1] == POLL


def test_a_lost_stack_is_sent_again_while_the_unit_still_shows_escrow() -> None:
    rig = ready()
    note = rig.feed()
    rig.unit.replies[STACK_2] = []
    rig.order(StackNote(note.note))
    rig.run(700)
    heard = [cmd for cmd, _ in rig.unit.heard]
    first = heard.index(STACK_2)
    assert heard[first + 1] == POLL
    assert STACK_2 in heard[first + 2 :]


@pytest.mark.parametrize("answer", [[], [(0x4B, b"")], [(0x4A, b"")], [(0x50, b"")]])
def test_a_stack_that_never_takes_effect_ends_in_a_return(answer: list[tuple[int, bytes]]) -> None:
    rig = ready()
    note = rig.feed()
    rig.unit.replies[STACK_2] = answer
    rig.order(StackNote(note.note))
    rig.run(8_000)
    assert rig.unit.commands().count(STACK_2) == 5
    assert RETURN in rig.unit.commands()
    rig.show(RETURNING, IDLING)
    assert [e.reason for e in rig.told(NoteReturned)] == ["stack_refused"]  # type: ignore[attr-defined]
    assert rig.told(NoteStacked) == []


def test_stack_goes_out_from_holding_too() -> None:
    rig = ready()
    note = rig.feed()
    rig.order(HoldNote(note.note))
    rig.show(HOLDING)
    rig.order(StackNote(note.note))
    rig.run(50)
    assert rig.unit.commands()[-1] == STACK_2


def test_the_stack_command_is_the_configured_one() -> None:
    rig = ready(stack_command=1)
    rig.order(StackNote(rig.feed().note))
    rig.run(50)
    assert rig.unit.commands() == [0x41]


# --- escrow ------------------------------------------------------------------------------------------------------


def test_a_note_in_escrow_gets_one_serial_however_often_it_is_shown() -> None:
    rig = Rig(serial=41)
    rig.run(1_000)
    rig.feed()
    rig.show(ESCROW, data=b"\x64", ms=3_000)
    assert [e.note.serial for e in rig.told(NoteEscrowed)] == [42]  # type: ignore[attr-defined]


def test_each_new_note_gets_the_next_serial() -> None:
    rig = ready()
    rig.order(ReturnNote(rig.feed().note))
    rig.show(RETURNING, IDLING)
    assert rig.feed(0x65).note == NoteId("acceptor", 2)


def test_escrow_again_with_the_same_code_after_stacking_is_the_same_note() -> None:
    rig = ready()
    rig.order(StackNote(rig.feed().note))
    rig.show(STACKING)
    rig.show(ESCROW, data=b"\x64")
    assert rig.unit.commands().count(STACK_2) == 2
    rig.show(STACKING, VEND_VALID, STACKED, IDLING)
    assert [e.note for e in rig.told(NoteEscrowed)] == [FIRST]  # type: ignore[attr-defined]
    assert stacked(rig) == [(FIRST, eur(20), False)]


def test_another_code_in_escrow_is_another_note_and_ends_the_first() -> None:
    rig = ready()
    rig.order(StackNote(rig.feed(0x64).note))
    rig.show(ESCROW, data=b"\x65")
    assert [e.note for e in rig.told(NoteReturned)] == [FIRST]  # type: ignore[attr-defined]
    assert [e.value for e in rig.told(NoteEscrowed)] == [eur(20), eur(50)]  # type: ignore[attr-defined]


def test_an_undecided_note_is_sent_back_before_the_unit_does_it() -> None:
    rig = ready()
    note = rig.feed()
    assert note.decide_by - rig.now < 8_500 * MS
    rig.run(7_500)
    assert rig.unit.commands() == []
    rig.run(1_000)
    assert rig.unit.commands()[:1] == [RETURN]
    rig.order(StackNote(note.note))
    assert [e.command for e in rig.told(CommandRefused)] == ["stack_note"]  # type: ignore[attr-defined]
    rig.show(RETURNING, IDLING)
    assert [e.reason for e in rig.told(NoteReturned)] == ["escrow_limit"]  # type: ignore[attr-defined]


def test_a_rejection_out_of_escrow_is_a_return_with_its_reason() -> None:
    rig = ready()
    rig.feed()
    rig.show(REJECTING, data=b"\x79")
    rig.show(IDLING)
    assert [e.reason for e in rig.told(NoteReturned)] == ["rejected:79"]  # type: ignore[attr-defined]
    assert rig.told(NoteRejected) == []


def test_hold_is_repeated_and_told_once() -> None:
    rig = ready()
    note = rig.feed()
    rig.order(HoldNote(note.note))
    rig.show(HOLDING, ms=20_000)
    assert 15 <= rig.unit.commands().count(HOLD) <= 25
    assert rig.told(NoteHeld) == [NoteHeld(FIRST)]
    assert RETURN not in rig.unit.commands()


def test_a_held_note_goes_back_when_even_the_hold_limit_is_over() -> None:
    rig = ready(hold_limit_ms=5_000)
    rig.order(HoldNote(rig.feed().note))
    rig.show(HOLDING, ms=6_000)
    assert RETURN in rig.unit.commands()


def test_a_unit_without_hold_is_told_and_the_escrow_limit_holds_again() -> None:
    rig = ready()
    rig.unit.replies[HOLD] = [(0x4B, b"")]
    rig.order(HoldNote(rig.feed().note))
    rig.run(9_000)
    refused = rig.told(CommandRefused)
    assert [(e.command, e.note) for e in refused] == [("hold_note", FIRST)]  # type: ignore[attr-defined]
    assert rig.unit.commands().count(HOLD) == 1
    assert RETURN in rig.unit.commands()


@pytest.mark.parametrize("data", [b"\x61", b"\x69", b"", b"\x6f12345"])
def test_a_note_without_a_known_value_goes_back_and_gets_no_name(data: bytes) -> None:
    rig = ready()
    rig.show(ACCEPTING)
    rig.show(ESCROW, data=data)
    assert rig.unit.commands()[:1] == [RETURN]
    rig.show(RETURNING, IDLING)
    assert [e.note for e in rig.told(NoteReturned)] == [None]  # type: ignore[attr-defined]
    assert rig.told(NoteEscrowed) == []


def test_a_note_in_escrow_while_nobody_polled_for_three_seconds_is_not_stacked_any_more() -> None:
    rig = ready()
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.unit.status = None
    rig.run(5_000)
    before = rig.unit.commands().count(STACK_2)
    rig.show(ESCROW, data=b"\x64", ms=2_000)
    assert rig.unit.commands().count(STACK_2) == before
    assert rig.unit.commands()[-1] == RETURN
    rig.show(RETURNING, IDLING)
    assert [e.reason for e in rig.told(NoteReturned)] == ["escrow_after_restart"]  # type: ignore[attr-defined]


# --- commands for a departed note -----------------------------------------------------------------------------


def test_orders_for_a_departed_note_are_refused_with_its_name() -> None:
    rig = ready()
    note = rig.feed().note
    rig.show(REJECTING, IDLING)
    for order in (StackNote(note), ReturnNote(note), HoldNote(note)):
        rig.order(order)
    refused = [(e.command, e.note) for e in rig.told(CommandRefused)]  # type: ignore[attr-defined]
    assert refused == [("stack_note", FIRST), ("return_note", FIRST), ("hold_note", FIRST)]
    assert rig.unit.commands() == []


def test_a_return_after_the_stack_order_is_refused() -> None:
    rig = ready()
    note = rig.feed().note
    rig.order(StackNote(note))
    rig.order(ReturnNote(note))
    rig.order(StackNote(note))
    rig.run(300)
    assert [e.command for e in rig.told(CommandRefused)] == ["return_note", "stack_note"]  # type: ignore[attr-defined]
    assert RETURN not in rig.unit.commands()


def test_a_token_that_nobody_waits_for_is_refused() -> None:
    rig = ready()
    rig.order(Confirm(7))
    assert [e.command for e in rig.told(CommandRefused)] == ["confirm"]  # type: ignore[attr-defined]


def test_a_confirm_of_another_token_does_not_release_the_ack() -> None:
    rig = ready(auto=False)
    rig.order(StackNote(rig.feed().note))
    rig.show(VEND_VALID)
    rig.order(Confirm(99))
    rig.run(500)
    assert ACK not in rig.unit.commands()


def test_a_stack_order_that_comes_too_late_ends_as_a_return_without_a_command() -> None:
    rig = ready()
    note = rig.feed().note
    rig.unit.status = (REJECTING, b"\x79")
    rig.driver.tick(rig.driver.deadline() or 0)
    rig.driver.command(StackNote(note), rig.now)  # while the poll that shows the departure is under way
    rig.drain()
    rig.run(300)
    rig.show(IDLING)
    assert STACK_2 not in rig.unit.commands()
    assert [e.note for e in rig.told(NoteReturned)] == [FIRST]  # type: ignore[attr-defined]


# --- notes that nobody announced ------------------------------------------------------------------------------


def test_a_vend_valid_without_a_note_is_told_without_a_value_and_acknowledged_after_the_commit() -> None:
    rig = ready(auto=False)
    rig.show(VEND_VALID, ms=1_000)
    assert stacked(rig) == [(None, None, True)]
    assert ACK not in rig.unit.commands()
    rig.order(Confirm(rig.told(NoteStacked)[0].token))  # type: ignore[attr-defined]
    rig.show(VEND_VALID, STACKED, IDLING)
    assert ACK in rig.unit.commands()
    assert len(rig.told(NoteStacked)) == 1


def test_vend_valid_with_a_data_byte_is_the_same_credit_point() -> None:
    rig = ready()
    rig.order(StackNote(rig.feed().note))
    rig.show(VEND_VALID, data=b"\x64")
    assert stacked(rig) == [(FIRST, eur(20), False)]


def test_a_note_stacked_without_a_command_is_credited_by_vend_valid_and_disputed_by_stacked_alone() -> None:
    told = ready()
    told.feed()
    told.show(STACKING, VEND_VALID, STACKED, IDLING)
    assert stacked(told) == [(FIRST, eur(20), False)]
    assert "unexpected" in [e.kind for e in told.told(ProtocolFault)]  # type: ignore[attr-defined]
    silent = ready()
    silent.feed()
    silent.show(STACKED, IDLING)
    assert [e.note for e in silent.told(NoteDisputed)] == [FIRST]  # type: ignore[attr-defined]


def test_an_acceptance_and_a_rejection_are_told_once_each() -> None:
    rig = ready()
    rig.show(IDLING, ACCEPTING)
    rig.show(REJECTING, data=b"\x7d", ms=2_000)
    rig.show(IDLING)
    assert rig.told(NoteAccepting) == [NoteAccepting()]
    assert rig.told(NoteRejected) == [NoteRejected("length", "177d")]


def test_a_commit_that_does_not_come_is_a_finding() -> None:
    rig = ready(auto=False)
    rig.order(StackNote(rig.feed().note))
    rig.show(VEND_VALID, ms=30_000)
    assert [e.kind for e in rig.told(ProtocolFault)] == ["unconfirmed"]  # type: ignore[attr-defined]
    assert ACK not in rig.unit.commands()


@pytest.mark.parametrize(
    ("status", "kind"), [(IN_STACKER, NoteStacked), (IN_ACCEPTOR, NoteReturned), (POWER_UP, NoteReturned)]
)
def test_a_power_up_decides_about_a_note_in_escrow_too(status: int, kind: type) -> None:
    rig = ready()
    rig.feed()
    rig.show(status, INITIALIZE, DISABLE)
    told = rig.told(NoteStacked, NoteReturned, NoteDisputed)
    assert [(type(e), e.note) for e in told] == [(kind, FIRST)]  # type: ignore[attr-defined]


# --- power-up and silence while running ---------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "kind"), [("returned", NoteReturned), ("disputed", NoteDisputed)])
def test_a_plain_power_up_after_the_stack_command_is_committed_before_reset(rule: str, kind: type) -> None:
    rig = ready(auto=False, forgotten_note=rule)
    rig.order(StackNote(rig.feed().note))
    rig.show(STACKING, POWER_UP, ms=2_000)
    told = rig.told(NoteDisputed, NoteReturned)
    assert [(type(e), e.note) for e in told] == [(kind, FIRST)]  # type: ignore[attr-defined]
    assert RESET not in rig.unit.commands()
    rig.order(Confirm(told[0].token))  # type: ignore[attr-defined]
    rig.run(500)
    assert RESET in rig.unit.commands()


def test_a_late_vend_valid_of_a_disputed_note_is_acknowledged_without_a_credit() -> None:
    rig = ready(forgotten_note="disputed")
    rig.order(StackNote(rig.feed().note))
    rig.show(STACKING, POWER_UP, VEND_VALID, STACKED, IDLING)
    assert rig.told(NoteStacked) == []
    assert ACK in rig.unit.commands()


def test_rest_after_an_initialize_nobody_asked_for_is_a_return() -> None:
    rig = ready()
    rig.order(StackNote(rig.feed().note))
    rig.show(STACKING, INITIALIZE, DISABLE)
    assert [e.note for e in rig.told(NoteReturned, NoteDisputed)] == [FIRST]  # type: ignore[attr-defined]
    assert rig.told(NoteDisputed) == []


def test_rest_after_such_an_initialize_is_a_dispute_where_that_is_configured() -> None:
    rig = ready(forgotten_note="disputed")
    rig.order(StackNote(rig.feed().note))
    rig.show(STACKING, INITIALIZE, DISABLE)
    assert [e.reason for e in rig.told(NoteDisputed)] == ["initialized_without_credit"]  # type: ignore[attr-defined]


def test_an_escrowed_note_lost_in_silence_is_returned_and_never_disputed() -> None:
    rig = ready()
    rig.feed()
    rig.unit.status = None
    rig.run(31_000)
    assert [e.note for e in rig.told(NoteReturned)] == [FIRST]  # type: ignore[attr-defined]
    assert rig.told(NoteDisputed) == []


def test_reset_waits_for_the_fate_of_the_note_however_silent_the_unit_is() -> None:
    rig = ready(auto=False)
    rig.order(StackNote(rig.feed().note))
    rig.show(STACKING)
    rig.unit.status = None
    rig.run(29_000)
    assert RESET not in rig.unit.commands()
    rig.run(3_000)
    assert [e.reason for e in rig.told(NoteDisputed)] == ["no answer"]  # type: ignore[attr-defined]
    rig.run(20_000)
    assert RESET not in rig.unit.commands()
    rig.order(Confirm(rig.told(NoteDisputed)[0].token))  # type: ignore[attr-defined]
    rig.run(1_000)
    assert RESET in rig.unit.commands()


def test_a_note_that_seemed_over_and_shows_again_is_not_gone_before_its_ack() -> None:
    rig = ready(auto=False)
    rig.order(StackNote(rig.feed().note))
    rig.show(VEND_VALID, IDLING, VEND_VALID)
    rig.order(Confirm(rig.told(NoteStacked)[0].token))  # type: ignore[attr-defined]
    assert rig.told(NoteGone) == []
    rig.run(300)
    assert rig.unit.commands()[-1] == ACK
    rig.show(STACKED)
    assert rig.told(NoteGone) == [NoteGone(FIRST)]
    assert len(rig.told(NoteStacked)) == 1


def test_a_refused_stack_followed_by_silence_is_a_dispute_because_it_may_have_moved() -> None:
    rig = ready()
    note = rig.feed()
    rig.unit.replies[STACK_2] = []
    rig.order(StackNote(note.note))
    rig.run(8_000)
    assert RETURN in rig.unit.commands()
    rig.unit.status = None
    rig.run(32_000)
    assert [e.note for e in rig.told(NoteDisputed)] == [FIRST]  # type: ignore[attr-defined]


def test_a_stack_order_that_never_left_before_the_port_was_lost_becomes_a_return() -> None:
    rig = ready()
    note = rig.feed().note
    rig.driver.tick(rig.driver.deadline() or 0)
    rig.driver.take_outbound()  # a poll is under way, so the order waits
    rig.driver.command(StackNote(note), rig.now)
    assert rig.driver.take_outbound() == []
    rig.driver.port(Lost("unplugged"), rig.now)
    rig.open()
    rig.run(500)
    assert STACK_2 not in rig.unit.commands()
    assert rig.unit.commands()[0] == RETURN
    rig.show(RETURNING, IDLING)
    assert [e.note for e in rig.told(NoteReturned)] == [FIRST]  # type: ignore[attr-defined]


def test_settings_wait_for_the_commit_of_a_note_that_is_already_over() -> None:
    rig = ready(auto=False)
    rig.order(EnableNotes((eur(20),)))
    rig.run(300)
    rig.order(StackNote(rig.feed().note))
    rig.show(VEND_VALID)
    rig.order(InhibitNotes())
    rig.show(IDLING)
    assert rig.unit.settings[0xC3] == b"\x00"
    rig.order(Confirm(rig.told(NoteStacked)[0].token))  # type: ignore[attr-defined]
    rig.run(500)
    assert rig.unit.settings[0xC3] == b"\x01"
