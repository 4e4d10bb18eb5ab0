"""What a start makes of the journal: open sessions, notes in motion, slips that were not printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.checkout import intents
from kiosk.model import commands as c
from kiosk.model import device_events as d
from kiosk.model import facts
from kiosk.model.ids import NoteId
from tests.core.kernel_rig import NS, PARKING, Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    assert whole.findings() == []
    whole.close()


def closings(rig: Rig) -> list[str]:
    return [body.reason for body in rig.bodies(facts.SessionClosed)]


def test_a_session_without_any_note_is_closed_and_nobody_is_bothered(rig: Rig) -> None:
    rig.pay()
    rig.restart()
    assert (rig.state, closings(rig)) == ("idle", ["interrupted"])


def test_a_session_before_the_freeze_leaves_no_trace(rig: Rig) -> None:
    rig.tap(intents.EnterNumber(PARKING))
    facts_before = len(rig.bodies())
    rig.restart()
    assert rig.state == "idle"
    assert [type(body).__name__ for body in rig.bodies()[facts_before:]] == ["Started"]


def test_a_session_with_credit_is_offered_again_with_its_frozen_price(rig: Rig) -> None:
    rig.pay(PARKING)
    due = rig.model.due_minor
    rig.feed(1000)
    rig.time.offset += 40 * 86_400 * NS
    rig.restart()
    assert (rig.state, rig.model.due_minor, rig.model.credited_minor) == ("resuming", due, 1000)
    rig.tap(intents.KeepPaying())
    assert rig.state == "accepting"
    rig.feed(1000)
    assert rig.model.credited_minor == 2000


def test_a_session_that_nobody_comes_back_to_is_settled_with_a_slip(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    rig.restart()
    rig.wait(181)
    assert [body.by for body in rig.bodies(facts.Settled)] == ["recovery"]
    assert len(rig.bodies(facts.ReceiptIssued)) == 1


def test_a_payment_that_was_complete_is_settled_at_once(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    rig.feed(2000)
    rig.feed(1000)
    note = rig.escrow(500)
    rig.tap(intents.AgreeExcess())
    rig.journal.good_for = 1
    rig.journal.error = OSError("power")  # type: ignore[assignment]
    with pytest.raises(OSError, match="power"):
        rig.stacked(note, 500)
    assert rig.bodies(facts.Settled) == []
    rig.restart()
    assert rig.state == "settling"
    rig.wait(1)
    assert rig.state == "receipting"
    assert rig.sums()["tender"] == 8500
    assert len(rig.sent(c.Print)) == 1


def _stacking(rig: Rig, *, credit: bool) -> NoteId:
    rig.pay()
    if credit:
        rig.feed(2000)
    return rig.escrow(5000)


@pytest.mark.parametrize("credit", [False, True])
def test_an_open_note_is_handed_to_the_driver_and_the_acceptor_takes_no_other(rig: Rig, credit: bool) -> None:
    note = _stacking(rig, credit=credit)
    rig.restart()
    marks, open_note, _ = rig.kernel.memory("notes")
    assert open_note is not None
    assert (open_note.note, open_note.phase) == (note, "stack_sent")
    assert marks["note_serial"] == str(note.serial)
    assert rig.state == "resuming"
    assert rig.kernel.accepting == ()


@pytest.mark.parametrize("credit", [False, True])
def test_an_open_note_that_was_stacked_is_credited_once(rig: Rig, credit: bool) -> None:
    note = _stacking(rig, credit=credit)
    rig.restart()
    rig.stacked(note, 5000, recovered=True)
    rig.restart()
    token = rig.stacked(note, 5000, recovered=True)
    assert rig.confirmed(token)
    assert rig.sums()["credited"] == 5000 + (2000 if credit else 0)
    assert [body.recovered for body in rig.bodies(facts.NoteCredited)][-1]


@pytest.mark.parametrize("credit", [False, True])
def test_an_open_note_that_went_back_is_never_credited(rig: Rig, credit: bool) -> None:
    note = _stacking(rig, credit=credit)
    rig.restart()
    rig.news("notes", d.NoteReturned(note, "idle_after_restart"))
    assert rig.sums()["credited"] == (2000 if credit else 0)
    assert rig.state == ("resuming" if credit else "idle")
    rig.stacked(note, 5000)
    assert rig.sums()["credited"] == (2000 if credit else 0)
    assert rig.sums()["suspended"] == 5000


@pytest.mark.parametrize("credit", [False, True])
def test_an_open_note_whose_end_nobody_can_tell_is_disputed_with_a_slip(rig: Rig, credit: bool) -> None:
    note = _stacking(rig, credit=credit)
    rig.restart()
    rig.news("notes", d.NoteDisputed(3, note, rig.bodies(facts.StackIntended)[-1].value, "silence"))
    assert rig.confirmed(3)
    assert rig.sums()["disputed"] == 5000
    assert [body.slip for body in rig.bodies(facts.ReceiptIssued)] == ["disputed"]
    rig.wait(600)
    assert rig.kernel.books.open_session is None


def test_a_dispute_that_the_wire_resolves_later_is_reversed_and_the_note_kept_in_suspense(rig: Rig) -> None:
    note = _stacking(rig, credit=False)
    rig.restart()
    rig.news("notes", d.NoteDisputed(3, note, rig.bodies(facts.StackIntended)[-1].value, "silence"))
    rig.wait(600)
    rig.stacked(note, 5000)
    assert rig.sums()["disputed"] == 0
    assert rig.sums()["suspended"] == 5000
    assert len(rig.bodies(facts.Reversed)) == 1
    assert sum(rig.kernel.books.balances["USD"].values()) == 0


def test_a_note_being_given_back_at_the_cut_is_followed_to_its_end(rig: Rig) -> None:
    note = _stacking(rig, credit=False)
    rig.news("notes", d.NoteReturned(note, "x"))
    rig.tap(intents.Cancel())
    stray = rig.escrow(2000)
    rig.restart()
    _, open_note, _ = rig.kernel.memory("notes")
    assert open_note is not None
    assert open_note.note == stray
    rig.stacked(stray, 2000)
    assert rig.sums()["suspended"] == 2000


def test_a_credited_note_is_only_acknowledged_again(rig: Rig) -> None:
    note = _stacking(rig, credit=False)
    rig.stacked(note, 5000)
    rig.restart()
    _, open_note, _ = rig.kernel.memory("notes")
    assert open_note is not None
    assert open_note.phase == "credited"
    assert rig.confirmed(rig.stacked(note, 5000))
    assert rig.sums()["credited"] == 5000


def _settled(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    rig.tap(intents.Finish())


def test_a_slip_of_which_no_byte_left_is_printed_when_the_printer_can_be_told(rig: Rig) -> None:
    _settled(rig)
    rig.restart(healthy=False)
    assert rig.sent(c.Print) == [], "no driver is there yet"
    rig.wait(1)
    assert [order.job for order in rig.sent(c.Print)] == ["slip-1-0"]
    rig.printed()
    assert [body.outcome for body in rig.bodies(facts.PrintEnded)] == ["printed"]


def test_a_slip_in_print_at_the_cut_is_unknown_and_never_sent_again_by_itself(rig: Rig) -> None:
    _settled(rig)
    rig.news("paper", d.PrintReady(9, "slip-1-0"))
    rig.restart()
    rig.wait(1)
    assert rig.sent(c.Print) == []
    assert [body.outcome for body in rig.bodies(facts.PrintEnded)] == ["unknown"]


def test_an_old_slip_is_not_printed_for_whoever_comes_next_morning(rig: Rig) -> None:
    _settled(rig)
    rig.time.mono += 3600 * NS
    rig.restart()
    rig.wait(1)
    assert rig.sent(c.Print) == []
    assert [body.outcome for body in rig.bodies(facts.PrintEnded)] == ["dropped"]


def test_a_slip_kept_back_from_a_strangers_hand_stays_kept_back_after_a_restart(rig: Rig) -> None:
    note = _stacking(rig, credit=False)
    rig.wait(61)
    rig.tap(intents.Dismiss())
    rig.tap(intents.Begin())
    rig.wait(400)
    rig.stacked(note, 5000)
    rig.restart()
    rig.wait(1)
    assert rig.sums()["suspended"] == 5000
    assert len(rig.sent(c.Print)) <= 1


def test_receipt_numbers_go_on_without_a_gap_after_restarts(rig: Rig) -> None:
    for _ in range(3):
        rig.pay()
        rig.feed(1000)
        rig.tap(intents.Finish())
        rig.wait(200)
        rig.restart()
    assert [body.number for body in rig.bodies(facts.ReceiptIssued)] == [1, 2, 3]


def test_an_orderly_stop_is_a_fact_and_the_next_start_is_not_called_unclean(rig: Rig) -> None:
    rig.kernel.stop("service stopped")
    rig.restart()
    assert [body.unclean for body in rig.bodies(facts.Started)] == [False, False]
    rig.restart()
    assert [body.unclean for body in rig.bodies(facts.Started)][-1]


def test_steps_never_repeat_across_a_restart(tmp_path: Path) -> None:
    """A tap made before a restart names a step that does not come again, though the session keeps its name."""
    rig = Rig(tmp_path)
    before = rig.kernel.model.step
    rig.restart()
    assert rig.kernel.model.step > before + 60_000


def test_what_the_unit_counted_with_the_note_in_escrow_is_on_disk_with_the_intent(rig: Rig) -> None:
    """A unit with an event counter then tells, after a kill, what became of this very note."""
    rig.pay()
    rig.escrow(2000, mark="4711:34")
    (intent,) = rig.bodies(facts.StackIntended)
    assert intent.device_mark == "4711:34"
    rig.restart()
    assert rig.kernel.books.device_marks["notes"] == "4711:34"
