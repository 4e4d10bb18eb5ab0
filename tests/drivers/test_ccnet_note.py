"""The way of a note through the CCNET driver: credit once, at BILL STACKED, acknowledged after the commit."""

from __future__ import annotations

import pytest

from kiosk.api import (
    CashboxInserted,
    CashboxRemoved,
    CommandRefused,
    Confirm,
    DeviceState,
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
    OpenNote,
    ProtocolFault,
    ReturnNote,
    StackNote,
)
from tests.drivers.ccnet_unit import (
    ACCEPTING,
    ACK,
    CHEATED,
    DISABLED,
    ENABLE,
    ESCROW,
    HOLD,
    HOLDING,
    IDLING,
    ILLEGAL,
    IN_STACKER,
    IN_VALIDATOR,
    INITIALIZE,
    JAM_S,
    JAM_V,
    MS,
    OUT,
    PAUSE,
    POLL,
    POWER_UP,
    REJECTING,
    RESET,
    RETURN,
    RETURNED,
    RETURNING,
    STACK,
    STACKED,
    STACKING,
    Rig,
    Unit,
    eur,
    ready,
)

FIRST = NoteId("acceptor", 1)
TWENTY = b"\x02"


def stacked(rig: Rig) -> list[tuple[NoteId | None, object, bool]]:
    return [(event.note, event.value, event.recovered) for event in rig.told(NoteStacked)]  # type: ignore[attr-defined]


def reasons(rig: Rig, kind: type) -> list[str]:
    return [event.reason for event in rig.told(kind)]  # type: ignore[attr-defined]


def moving(rig: Rig) -> NoteEscrowed:
    """Bring a note to the moment behind STACK."""
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.show(STACKING)
    return note


def test_a_note_is_credited_once_and_only_at_bill_stacked() -> None:
    rig = ready()
    note = moving(rig)
    assert (note.note, note.value) == (FIRST, eur(20))
    assert rig.told(NoteStacked) == [], "neither ESCROW nor the ACK of STACK nor STACKING is money"
    rig.show(STACKED, data=TWENTY)
    rig.show(IDLING)
    assert stacked(rig) == [(FIRST, eur(20), False)]
    assert rig.told(NoteStacking) == [NoteStacking(FIRST)]
    assert rig.told(NoteGone) == [NoteGone(FIRST)]
    assert rig.told(NoteAccepting) == [NoteAccepting()]


def test_bill_stacked_is_not_acknowledged_before_its_commit_and_its_repeat_is() -> None:
    rig = ready(auto=False)
    moving(rig)
    rig.unit.heard.clear()
    rig.show(STACKED, data=TWENTY, ms=1_000)
    assert len(rig.unit.heard) >= 4
    assert set(rig.unit.heard) == {bytes((POLL,))}, "nothing but POLL: no ACK, no NAK"
    token = rig.told(NoteStacked)[0].token  # type: ignore[attr-defined]
    rig.unit.heard.clear()
    rig.order(Confirm(token))
    rig.run(60)
    assert rig.unit.heard == [bytes((POLL,)), ACK], "the repeat is asked for at once, and acknowledged"
    rig.show(IDLING)
    assert len(stacked(rig)) == 1


def test_every_other_data_reply_is_acknowledged_at_once() -> None:
    rig = ready()
    for state in (IDLING, ACCEPTING, REJECTING, RETURNING, PAUSE, JAM_V, DISABLED):
        rig.show(state, data=b"\x60" if state == REJECTING else b"", ms=100)
        rig.unit.heard.clear()
        rig.run(1_000)
        polls = [at for at, data in enumerate(rig.unit.heard) if data == bytes((POLL,))]
        assert len(polls) >= 4
        assert all(rig.unit.heard[at + 1] == ACK for at in polls if at + 1 < len(rig.unit.heard))


def test_two_stacked_reports_without_anything_between_are_one_note() -> None:
    rig = ready()
    moving(rig)
    rig.show(STACKED, STACKED, STACKED, data=TWENTY)
    assert len(stacked(rig)) == 1


def test_the_next_note_of_the_same_type_is_a_note_of_its_own() -> None:
    rig = ready()
    for _ in range(2):
        moving(rig)
        rig.show(STACKED, data=TWENTY)
    rig.show(IDLING)
    assert stacked(rig) == [(FIRST, eur(20), False), (NoteId("acceptor", 2), eur(20), False)]


def test_stacked_without_an_escrow_is_credited_by_its_type_and_names_no_note() -> None:
    rig = ready()
    rig.show(ACCEPTING)
    rig.show(STACKED, data=b"\x03")
    rig.show(IDLING)
    assert stacked(rig) == [(None, eur(50), True)]


def test_escrow_is_seen_without_accepting_before_it() -> None:
    rig = ready()
    rig.show(ESCROW, data=b"\x00")
    (note,) = rig.told(NoteEscrowed)
    assert note.value == eur(5)  # type: ignore[attr-defined]


def test_a_returned_note_is_never_credited() -> None:
    rig = ready()
    note = rig.feed()
    rig.order(ReturnNote(note.note))
    rig.show(RETURNING)
    rig.show(RETURNED, data=TWENTY)
    rig.show(IDLING)
    assert rig.unit.commands() == [RETURN]
    assert reasons(rig, NoteReturned) == ["commanded"]
    assert not stacked(rig)
    rig.order(StackNote(note.note))
    assert rig.told(CommandRefused)[-1].reason == "the note has departed"  # type: ignore[attr-defined]


def test_a_note_that_nobody_decides_on_goes_back_before_the_unit_gives_it_back() -> None:
    rig = ready()
    rig.feed()
    rig.show(ESCROW, data=TWENTY, ms=8_500)
    assert rig.unit.commands()[0] == RETURN
    rig.show(RETURNED, data=TWENTY)
    assert reasons(rig, NoteReturned) == ["escrow_limit"]


def test_a_held_note_is_held_by_repeated_orders_and_can_still_be_stacked() -> None:
    rig = ready()
    note = rig.feed()
    rig.order(HoldNote(note.note))
    rig.run(300)
    rig.show(HOLDING, ms=10_000)
    assert rig.told(NoteHeld) == [NoteHeld(FIRST)]
    assert set(rig.unit.commands()) == {HOLD}
    assert 3 <= len(rig.unit.commands()) <= 5
    rig.order(StackNote(note.note))
    rig.run(300)
    assert rig.unit.commands()[-1] == STACK


def test_a_unit_that_cannot_hold_says_so() -> None:
    rig = ready()
    note = rig.feed()
    rig.unit.replies[HOLD] = ILLEGAL
    rig.order(HoldNote(note.note))
    rig.run(500)
    assert [event.command for event in rig.told(CommandRefused)] == ["hold_note"]  # type: ignore[attr-defined]
    assert rig.unit.commands().count(HOLD) == 1


@pytest.mark.parametrize("answer", [ILLEGAL, b"", b"\xff"], ids=["illegal", "silence", "nak"])
def test_a_stack_command_that_failed_is_repeated_only_after_a_state_that_shows_the_note(answer: bytes) -> None:
    rig = ready()
    note = rig.feed()
    rig.unit.replies[STACK] = [answer]
    rig.unit.heard.clear()
    rig.order(StackNote(note.note))
    rig.run(1_000)
    heard = [data[0] for data in rig.unit.heard if data != ACK]
    first = heard.index(STACK)
    assert heard[first + 1] == POLL
    assert heard.count(STACK) == 2


def test_a_stack_command_that_is_always_refused_ends_as_a_return() -> None:
    rig = ready()
    note = rig.feed()
    rig.unit.replies[STACK] = ILLEGAL
    rig.order(StackNote(note.note))
    rig.run(3_000)
    assert rig.unit.commands().count(STACK) == 5
    assert rig.unit.commands()[-1] == RETURN


@pytest.mark.parametrize("bill_type", [9, 23], ids=["unknown type", "coupon"])
def test_what_is_no_note_of_ours_goes_back(bill_type: int) -> None:
    rig = ready()
    rig.show(ACCEPTING)
    rig.show(ESCROW, data=bytes((bill_type,)))
    assert rig.unit.commands()[0] == RETURN
    rig.show(RETURNED, data=bytes((bill_type,)))
    assert not rig.told(NoteEscrowed)
    assert reasons(rig, NoteReturned) == ["ticket" if bill_type == 23 else "value_unknown:8009"]


def test_a_type_that_was_not_enabled_goes_back_although_it_is_known() -> None:
    rig = ready(enable=False)
    rig.show(IDLING, ACCEPTING)
    rig.show(ESCROW, data=TWENTY)
    assert rig.unit.commands()[0] == RETURN
    assert not rig.told(NoteEscrowed)


def test_an_inhibit_ordered_while_a_note_is_inside_waits_for_its_end() -> None:
    rig = ready()
    moving(rig)
    rig.order(InhibitNotes())
    rig.show(STACKING, ms=1_000)
    assert not [data for data in rig.unit.heard if data[0] == ENABLE]
    rig.show(STACKED, data=TWENTY)
    rig.show(IDLING, ms=1_000)
    assert rig.unit.mask == bytes(6)
    assert len(stacked(rig)) == 1


def test_a_note_that_never_came_to_escrow_is_told_as_rejected_once() -> None:
    rig = ready()
    rig.show(ACCEPTING)
    rig.show(REJECTING, data=b"\x68", ms=1_000)
    assert reasons(rig, NoteRejected) == ["denomination_inhibited"]


@pytest.mark.parametrize("trouble", [JAM_V, JAM_S, CHEATED, REJECTING])
def test_trouble_behind_the_stack_command_is_no_credit_and_stays_open_for_an_operator(trouble: int) -> None:
    rig = ready()
    moving(rig)
    rig.show(trouble, data=b"\x64" if trouble == REJECTING else b"")
    rig.show(IDLING)
    assert not stacked(rig)
    assert not rig.told(NoteReturned)
    assert reasons(rig, NoteDisputed) == ["ended_in_doubt"]


def test_a_jam_that_stands_disputes_its_note_and_only_then_resets() -> None:
    rig = ready()
    moving(rig)
    rig.show(JAM_S, ms=50_000)
    assert RESET not in rig.unit.commands(), "the note is open"
    rig.run(20_000)
    assert reasons(rig, NoteDisputed) == ["only drop_cassette_jammed"]
    rig.run(35_000)
    assert rig.unit.commands().count(RESET) >= 1


def test_a_jam_without_a_note_is_reset_now_and_then_unless_that_is_switched_off() -> None:
    rig, never = ready(), ready(fault_reset_ms=0)
    for each in (rig, never):
        each.show(JAM_V, ms=70_000)
    assert rig.unit.commands() == [RESET, RESET]
    assert never.unit.commands() == []


def test_rejecting_for_minutes_is_told_as_a_jam() -> None:
    rig = ready()
    rig.show(REJECTING, data=b"\x64", ms=121_000)
    assert rig.told(DeviceState)[-1] == DeviceState("acceptor_jammed", "fault", "1c64", "a note is stuck in the mouth")


def test_the_cash_box_is_told_out_and_in_and_the_settings_are_sent_again() -> None:
    rig = ready()
    rig.show(OUT, ms=2_000)
    assert rig.told(CashboxRemoved, CashboxInserted) == [CashboxRemoved("42")]
    rig.show(INITIALIZE, ms=1_000)
    assert rig.told(CashboxInserted) == [], "a unit that initialises does not say that a box is in"
    rig.unit.mask = None
    rig.show(DISABLED, ms=2_000)
    assert rig.told(CashboxInserted) == [CashboxInserted()]
    assert rig.unit.mask == bytes.fromhex("00007f00007f"), "the notes that were wanted are enabled again"


def test_a_box_that_comes_back_without_an_initialisation_gets_its_settings_again_all_the_same() -> None:
    rig = ready()
    rig.show(OUT, ms=1_000)
    rig.unit.heard.clear()
    rig.show(IDLING, ms=2_000)
    assert rig.told(CashboxInserted)
    assert [data for data in rig.unit.heard if data[0] == ENABLE] == [
        bytes((ENABLE,)) + bytes(6),
        bytes((ENABLE,)) + bytes.fromhex("00007f00007f"),
    ]


# --- power-up and restart ---------------------------------------------------------------------------------------------


def opened_on(state: int, open_note: OpenNote | None, data: bytes = b"", **options: object) -> Rig:
    unit = Unit()
    unit.state = bytes((state,)) + data
    return Rig(unit, open_note, serial=1, **options)  # type: ignore[arg-type]


SENT = OpenNote(FIRST, eur(20), "stack_sent")
CREDITED = OpenNote(FIRST, eur(20), "credited")


def test_a_note_in_the_stacker_at_power_up_is_credited_before_reset_and_a_later_report_is_swallowed() -> None:
    rig = opened_on(IN_STACKER, SENT, auto=False)
    rig.run(1_000)
    assert stacked(rig) == [(FIRST, eur(20), True)]
    assert rig.unit.commands() == [], "RESET waits for the commit"
    rig.order(Confirm(rig.told(NoteStacked)[0].token))  # type: ignore[attr-defined]
    rig.run(300)
    assert rig.unit.commands() == [RESET]
    rig.show(INITIALIZE)
    rig.show(STACKED, data=TWENTY)
    rig.show(DISABLED)
    assert len(stacked(rig)) == 1
    assert rig.told(NoteGone) == [NoteGone(FIRST)]


def test_a_credited_note_in_the_stacker_at_power_up_is_not_credited_again() -> None:
    rig = opened_on(IN_STACKER, CREDITED)
    rig.run(500)
    assert rig.unit.commands() == [RESET]
    rig.show(STACKED, data=TWENTY)
    rig.show(DISABLED)
    assert not stacked(rig)


def test_a_strange_note_in_the_stacker_at_power_up_is_told_without_a_value() -> None:
    rig = opened_on(IN_STACKER, None)
    rig.run(500)
    assert stacked(rig) == [(None, None, True)]


@pytest.mark.parametrize("open_note", [SENT, None])
def test_a_note_in_the_validator_at_power_up_goes_back(open_note: OpenNote | None) -> None:
    rig = opened_on(IN_VALIDATOR, open_note)
    rig.run(500)
    assert rig.unit.commands() == [RESET]
    rig.show(INITIALIZE, RETURNING, DISABLED)
    assert not stacked(rig)
    assert reasons(rig, NoteReturned) == (["power_up_in_acceptor"] if open_note else [])


@pytest.mark.parametrize("word", ["disputed", "returned"])
def test_a_plain_power_up_behind_the_stack_command_ends_as_configured(word: str) -> None:
    rig = opened_on(POWER_UP, SENT, forgotten_note=word)
    rig.run(500)
    assert (len(rig.told(NoteDisputed)), len(rig.told(NoteReturned))) == ((1, 0) if word == "disputed" else (0, 1))
    assert rig.unit.commands() == [RESET], "after the commit"


def test_a_pending_report_is_only_acknowledged_where_the_note_is_credited_already() -> None:
    rig = opened_on(STACKED, CREDITED, TWENTY)
    assert rig.unit.heard[:2] == [bytes((POLL,)), ACK]
    rig.show(IDLING)
    assert not stacked(rig)


def test_a_pending_report_of_a_note_with_its_stack_command_out_is_credited_once() -> None:
    rig = opened_on(STACKED, SENT, TWENTY)
    rig.show(STACKED, data=TWENTY)
    rig.show(IDLING)
    assert stacked(rig) == [(FIRST, eur(20), True)]


def test_a_note_found_in_escrow_at_start_goes_back() -> None:
    for open_note in (SENT, None):
        rig = opened_on(ESCROW, open_note, TWENTY)
        rig.run(1_000)
        assert rig.unit.commands()[0] == RETURN
        rig.show(RETURNED, data=TWENTY)
        assert not stacked(rig)
        assert len(rig.told(NoteReturned)) == 1


def test_power_lost_while_stacking_is_resolved_by_the_state_that_follows() -> None:
    for state, credits in ((IN_STACKER, 1), (IN_VALIDATOR, 0)):
        rig = ready()
        moving(rig)
        rig.unit.state = None
        rig.run(5_000)
        rig.show(state, ms=1_500)
        assert len(stacked(rig)) == credits
        assert rig.unit.commands()[-1] == RESET


def test_silence_behind_the_stack_command_ends_as_a_dispute() -> None:
    rig = ready()
    moving(rig)
    rig.unit.state = None
    rig.run(61_000)
    assert reasons(rig, NoteDisputed) == ["no answer"]


def test_a_note_in_escrow_over_a_gap_is_not_stacked_but_sent_back() -> None:
    rig = ready()
    note = rig.feed()
    rig.driver.port(Lost("unplugged"), rig.now)
    rig.now += 4_000 * MS
    rig.open()
    rig.order(StackNote(note.note))
    rig.run(1_000)
    assert STACK not in rig.unit.commands()
    assert rig.unit.commands()[-1] == RETURN
    assert rig.told(CommandRefused)


def test_a_credit_of_another_type_than_in_escrow_is_disputed() -> None:
    rig = ready()
    moving(rig)
    rig.show(STACKED, data=b"\x05")
    rig.show(IDLING)
    assert not stacked(rig)
    assert len(rig.told(NoteDisputed)) == 1


def test_a_stack_that_nobody_ordered_is_credited_and_told_as_a_finding() -> None:
    rig = ready()
    rig.feed()
    rig.show(STACKING)
    rig.show(STACKED, data=TWENTY)
    assert stacked(rig) == [(FIRST, eur(20), False)]
    assert "unexpected" in [event.kind for event in rig.told(ProtocolFault)]  # type: ignore[attr-defined]
