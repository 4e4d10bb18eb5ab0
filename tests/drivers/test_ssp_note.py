"""A note in an SSP unit: held without a poll, taken by a poll, credited once and before anything else is sent."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.api import (
    CashboxInserted,
    CashboxRemoved,
    CommandRefused,
    Confirm,
    DeviceState,
    EnableNotes,
    HoldNote,
    NoteAccepting,
    NoteDisputed,
    NoteGone,
    NoteHeld,
    NoteRejected,
    NoteReturned,
    NoteStacked,
    ProtocolFault,
    ReturnNote,
    StackNote,
)
from tests.drivers.ssp_unit import (
    CREDIT3,
    DISABLED,
    READ0,
    READ3,
    REJECTED,
    REJECTING,
    STACKED,
    STACKING,
    Rig,
    Unit,
    eur,
    ready,
)

ANYTHING = [
    READ0, READ3, CREDIT3, STACKING, STACKED, REJECTING, REJECTED, DISABLED, b"\xe2\x03", b"\xe1\x03", b"\xf1", b"\xe9",
    b"\xea", b"\xe6\x01", b"\xe3", b"\xe4", b"\xe5", b"\xd1", b"\xf8", b"\xb6",
]  # fmt: skip
POLL, REJECT, HOLD, POLL_WITH_ACK, EVENT_ACK = 0x07, 0x08, 0x18, 0x56, 0x57
MODES = ({"encryption": "never"}, {"encryption": "prefer"})
moded = pytest.mark.parametrize("mode", MODES, ids=("plain", "encrypted"))


def stacked(rig: Rig) -> list[NoteStacked]:
    return [event for event in rig.events if isinstance(event, NoteStacked)]


@moded
def test_a_note_in_escrow_is_never_polled_until_it_is_ordered_in(mode: dict[str, object]) -> None:
    """The Poll after a Read takes the note (sheet §9), so the driver holds it instead."""
    rig = ready(**mode)
    note = rig.feed()
    rig.unit.heard.clear()
    rig.run(5_000)
    assert rig.unit.sent(POLL, POLL_WITH_ACK) == []
    assert 4 <= len(rig.unit.sent(HOLD)) <= 6
    rig.unit.heard.clear()
    rig.order(StackNote(note.note))
    rig.run(300)
    assert rig.unit.heard[0][0] in (POLL, POLL_WITH_ACK)
    assert rig.told(NoteAccepting)


@moded
def test_a_stacked_note_is_credited_once_and_with_the_counter_that_follows(mode: dict[str, object]) -> None:
    rig = ready(**mode)
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.unit.stacked += 1
    rig.play(STACKING, STACKING, CREDIT3, STACKED)
    rig.run(5_000)
    assert [(event.note, event.value, event.device_mark) for event in stacked(rig)] == [
        (note.note, eur(20), "1234567:18")
    ]
    assert rig.told(NoteGone)
    assert not rig.told(ProtocolFault, NoteDisputed, NoteReturned)


@moded
def test_nothing_is_sent_before_the_credit_is_committed(mode: dict[str, object]) -> None:
    """The next Poll, or Event Ack, is what makes the unit forget the credit (house §1.5)."""
    rig = ready(auto=False, **mode)
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.unit.stacked += 1
    rig.play(STACKING, CREDIT3 + STACKED)
    (credit,) = stacked(rig)
    rig.unit.heard.clear()
    frames = len(rig.unit.frames)
    rig.run(10_000)
    assert len(rig.unit.frames) == frames
    assert not rig.told(NoteGone)
    rig.order(Confirm(credit.token))
    rig.run(1_000)
    assert rig.unit.heard[0][0] == (POLL if mode["encryption"] == "never" else EVENT_ACK)
    assert rig.told(NoteGone)


def test_what_follows_a_credit_is_taken_only_when_the_ack_was_answered() -> None:
    """Otherwise a crash before the Ack would find the note gone in the books and the credit told again."""
    rig = ready(encryption="prefer")
    note = rig.feed()
    rig.unit.replies[EVENT_ACK] = b""
    rig.order(StackNote(note.note))
    rig.unit.stacked += 1
    rig.play(STACKING, CREDIT3 + STACKED, ms=3_000)
    assert len(stacked(rig)) == 1
    assert not rig.told(NoteGone)
    del rig.unit.replies[EVENT_ACK]
    rig.run(3_000)
    assert rig.told(NoteGone)
    assert len(stacked(rig)) == 1


@moded
def test_a_lost_reply_is_asked_for_again_with_the_same_bytes_and_credited_once(mode: dict[str, object]) -> None:
    rig = ready(**mode)
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.unit.stacked += 1
    rig.unit.script = [STACKING, CREDIT3, STACKED]
    rig.run(260)
    rig.unit.lose = 3
    rig.run(8_000)
    assert [event.note for event in stacked(rig)] == [note.note]
    assert not rig.told(NoteDisputed, NoteReturned)
    assert [event.kind for event in rig.told(ProtocolFault)] == ["timeout"]  # type: ignore[attr-defined]


def test_a_note_is_sent_back_on_order_and_its_return_is_told_once() -> None:
    rig = ready()
    note = rig.feed()
    rig.unit.replies[0x17] = b"\xf0\x08"
    rig.order(ReturnNote(note.note))
    rig.play(REJECTING, REJECTED)
    assert rig.unit.sent(REJECT)[-1:] == [REJECT]
    assert [event.reason for event in rig.told(NoteReturned)] == ["commanded"]  # type: ignore[attr-defined]
    rig.order(StackNote(note.note))
    assert [event.reason for event in rig.told(CommandRefused)] == ["the note has departed"]  # type: ignore[attr-defined]
    assert not stacked(rig)


def test_an_undecided_note_is_sent_back_before_the_unit_would_do_it() -> None:
    rig = ready()
    rig.feed()
    rig.run(8_000)
    assert REJECT not in rig.unit.sent(REJECT)[1:]
    rig.run(2_000)
    assert rig.unit.sent(REJECT)[1:] == [REJECT]


def test_a_held_note_stays_longer_and_is_told_as_held() -> None:
    rig = ready()
    note = rig.feed()
    rig.order(HoldNote(note.note))
    rig.run(30_000)
    assert rig.told(NoteHeld)
    assert rig.unit.sent(REJECT)[1:] == []
    rig.order(StackNote(note.note))
    rig.unit.stacked += 1
    rig.play(STACKING, CREDIT3, STACKED)
    assert len(stacked(rig)) == 1


@moded
def test_after_a_refused_hold_the_note_is_rejected_before_anything_polls(mode: dict[str, object]) -> None:
    """F5 to Hold says that nothing is there; a Poll would take it, were that wrong."""
    rig = ready(**mode)
    note = rig.feed()
    rig.unit.replies[HOLD] = b"\xf5"
    rig.unit.heard.clear()
    rig.order(HoldNote(note.note))
    rig.run(1_500)
    assert rig.unit.sent(HOLD, REJECT, POLL, POLL_WITH_ACK)[:2] == [HOLD, REJECT]
    assert [event.command for event in rig.told(CommandRefused)] == ["hold_note"]  # type: ignore[attr-defined]


def test_a_unit_without_hold_is_kept_by_another_command() -> None:
    rig = ready()
    rig.unit.replies[HOLD] = b"\xf2"
    note = rig.feed()
    rig.unit.heard.clear()
    rig.run(4_000)
    assert rig.unit.sent(POLL) == []
    assert len(rig.unit.sent(0x0C)) >= 3
    rig.order(StackNote(note.note))
    rig.unit.stacked += 1
    rig.play(STACKING, CREDIT3, STACKED)
    assert len(stacked(rig)) == 1


def test_a_unit_that_refuses_reject_is_left_alone_until_the_note_is_back() -> None:
    rig = ready()
    note = rig.feed()
    rig.unit.replies[REJECT] = b"\xf6"
    rig.order(ReturnNote(note.note))
    rig.unit.heard.clear()
    rig.run(6_000)
    assert rig.unit.sent(POLL) == []
    assert rig.unit.heard[-1][0] == REJECT
    rig.run(8_000)
    assert rig.unit.sent(POLL)


def test_a_ticket_in_escrow_goes_back() -> None:
    rig = ready()
    rig.unit.heard.clear()
    rig.play(b"\xe5")
    assert rig.unit.sent(POLL, REJECT)[:3] == [POLL, REJECT, POLL]
    assert not stacked(rig)


def test_a_ticket_that_is_taken_all_the_same_is_a_finding_and_no_money() -> None:
    rig = ready()
    rig.unit.replies[REJECT] = b"\xf5"
    rig.play(b"\xe5", STACKED)
    assert not stacked(rig)
    assert "a barcode ticket was taken" in rig.told(ProtocolFault)[-1].detail  # type: ignore[attr-defined]


def test_a_note_that_the_unit_refuses_is_told_with_its_reason() -> None:
    rig = ready()
    rig.play(READ0, REJECTING, REJECTED)
    assert [(event.reason, event.raw) for event in rig.told(NoteRejected)] == [  # type: ignore[attr-defined]
        ("denomination_inhibited", "0c")
    ]


def test_the_unit_gives_up_a_note_by_itself() -> None:
    rig = ready()
    rig.unit.replies[0x17] = b"\xf0\x13"
    note = rig.feed()
    rig.unit.escrow = False
    rig.play(REJECTING, REJECTED, ms=3_000)
    (returned,) = rig.told(NoteReturned)
    assert (returned.note, returned.reason) == (note.note, "rejected:13")  # type: ignore[attr-defined]


def test_two_notes_of_one_value_in_one_reply_are_two_credits() -> None:
    """Plain Poll hands an event out once, so a second Credit is a second note (sheet §10)."""
    rig = ready()
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.unit.stacked += 2
    rig.play(STACKING, CREDIT3 + CREDIT3 + STACKED)
    rig.run(4_000)
    assert [(event.note, event.value) for event in stacked(rig)] == [(note.note, eur(20)), (None, eur(20))]


def test_events_behind_a_credit_wait_for_its_commit_in_their_order() -> None:
    rig = ready(auto=False)
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.unit.stacked += 2
    rig.play(CREDIT3 + STACKED + READ0 + b"\xee\x04" + STACKED)
    (first,) = stacked(rig)
    rig.order(Confirm(first.token))
    rig.run(1_000)
    second = stacked(rig)[1]
    assert (second.note, second.value) == (None, eur(50))


def test_a_credit_of_another_channel_than_in_escrow_is_disputed() -> None:
    rig = ready()
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.play(STACKING, b"\xee\x02", STACKED)
    assert [event.note for event in rig.told(NoteDisputed)] == [note.note]  # type: ignore[attr-defined]
    assert not stacked(rig)


def test_an_unknown_event_stops_the_reading_and_is_told() -> None:
    """What came before it counts; what comes behind it cannot be sized (sheet §8)."""
    rig = ready()
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.unit.stacked += 1
    rig.play(CREDIT3 + b"\xf8\xee\x04")
    assert [event.value for event in stacked(rig)] == [eur(20)]
    assert ("unknown_event", "f8ee04") in [(event.kind, event.raw) for event in rig.told(ProtocolFault)]  # type: ignore[attr-defined]


def test_a_reply_that_cannot_be_read_to_its_end_is_followed_by_reject_and_no_poll() -> None:
    """What was not read may be a Read, and the next Poll would take that note."""
    rig = ready()
    rig.unit.heard.clear()
    rig.play(b"\xc0\xef\x03")
    assert rig.unit.sent(POLL, REJECT)[:3] == [POLL, REJECT, POLL]
    assert not stacked(rig)


def test_a_counter_that_grew_without_a_credit_is_a_finding() -> None:
    rig = ready()
    rig.unit.stacked += 2
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.unit.stacked += 1
    rig.play(STACKING, CREDIT3, STACKED)
    rig.run(4_000)
    assert len(stacked(rig)) == 1
    assert [event.detail for event in rig.told(ProtocolFault)] == [  # type: ignore[attr-defined]
        "the unit's counter shows 2 notes stacked that were not credited"
    ]


@pytest.mark.parametrize("grew", [0, 1])
def test_a_note_that_vanishes_after_its_poll_is_judged_by_the_counter(grew: int) -> None:
    rig = ready()
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.run(300)
    rig.unit.stacked += grew
    rig.run(4_000)
    if grew:
        assert [event.note for event in stacked(rig)] == [note.note]
    else:
        assert [event.note for event in rig.told(NoteReturned)] == [note.note]  # type: ignore[attr-defined]
    assert not rig.told(NoteDisputed)


def test_a_note_that_vanishes_in_a_unit_without_counters_is_disputed() -> None:
    unit = Unit()
    unit.replies[0x58] = b"\xf2"
    rig = ready(unit=unit)
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.run(5_000)
    assert [event.note for event in rig.told(NoteDisputed)] == [note.note]  # type: ignore[attr-defined]
    assert not stacked(rig)


def test_a_note_that_met_a_jam_and_was_not_counted_is_disputed_and_not_returned() -> None:
    rig = ready()
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.play(STACKING, b"\xe9", b"\xe9")
    rig.run(5_000)
    assert [event.note for event in rig.told(NoteDisputed)] == [note.note]  # type: ignore[attr-defined]
    assert not rig.told(NoteReturned)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        (b"\xe9", ("acceptor_jammed", "fault")),
        (b"\xea", ("stacker_jammed", "fault")),
        (b"\xe7", ("stacker_full", "fault")),
        (b"\xe3", ("cassette_removed", "fault")),
        (b"\xe6\x02", ("cheated", "warn")),
        (b"\xe0", ("failure", "fault")),
        (b"\xb5", ("inhibited", "ok")),
        (b"\xb0", ("paused", "warn")),
        (b"\xb6", ("initializing", "warn")),
        (b"\x83\x02", ("failure", "fault")),
    ],
)
def test_conditions_are_told_in_the_words_of_the_house(events: bytes, state: tuple[str, str]) -> None:
    rig = ready()
    rig.events.clear()
    rig.play(events)
    told = rig.told(DeviceState)
    assert (told[0].state, told[0].severity) == state  # type: ignore[attr-defined]


def test_what_is_told_once_stays_and_what_is_repeated_ends_with_its_absence() -> None:
    """The manual does not say which of them repeat (sheet §8): both kinds of unit must work."""
    rig = ready()
    rig.play(b"\xe7")
    rig.run(3_000)
    assert rig.told(DeviceState)[-1].state == "stacker_full"  # type: ignore[attr-defined]
    rig.play(b"\xe4")
    assert rig.told(DeviceState)[-1].state == "idling"  # type: ignore[attr-defined]
    rig.play(b"\xea", b"\xea", b"\xea")
    rig.run(1_000)
    assert rig.told(DeviceState)[-1].state == "idling"  # type: ignore[attr-defined]


def test_the_cash_box_is_missed_once_and_found_again() -> None:
    rig = ready()
    rig.play(b"\xe3", b"\xe3", b"\xe4")
    assert len(rig.told(CashboxRemoved)) == 1
    assert len(rig.told(CashboxInserted)) == 1


def test_a_unit_that_disables_itself_is_enabled_again() -> None:
    rig = ready()
    rig.unit.heard.clear()
    rig.unit.always = DISABLED
    rig.run(2_500)
    assert 0x0A in rig.unit.sent(0x0A)


def test_settings_wait_until_no_note_is_inside() -> None:
    rig = ready()
    note = rig.feed()
    rig.unit.heard.clear()
    rig.order(EnableNotes((eur(5),)))
    rig.run(2_000)
    assert rig.unit.sent(0x02, 0x09, 0x0A) == []
    rig.order(StackNote(note.note))
    rig.unit.stacked += 1
    rig.play(STACKING, CREDIT3, STACKED)
    rig.run(2_000)
    assert rig.unit.inhibits == b"\x01\x00"


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.sampled_from(ANYTHING),
        max_size=14,
    ),
    st.integers(0, 3),
    st.sampled_from(["never", "prefer"]),
)
def test_impossible_sequences_never_raise_and_never_credit_more_than_was_told(
    script: list[bytes], lose: int, encryption: str
) -> None:
    rig = ready(encryption=encryption)
    told = sum(event in (CREDIT3, b"\xe2\x03") for event in script)
    rig.unit.script = list(script)
    rig.unit.lose = lose
    rig.run(8_000)
    assert sum(credit.value is not None for credit in stacked(rig)) <= told


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=60))
def test_rubbish_on_the_line_never_raises(data: bytes) -> None:
    rig = ready()
    rig.driver.received(data, rig.now)
    rig.drain()
    assert not stacked(rig)
