"""The kernel with a real journal: what it does when the disk, the clock, the devices or the people misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.checkout import intents
from kiosk.core.inbox import IntentPosted
from kiosk.errors import JournalDamaged, JournalFull, JournalReadOnly
from kiosk.model import commands as c
from kiosk.model import device_events as d
from kiosk.model import facts
from kiosk.model.ids import NoteId
from tests.core.kernel_rig import NS, PARKING, WATER, Doing, Rig, usd

FULL = JournalFull("the disk is full", hint="make room", transient=True)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    assert whole.findings() == []
    whole.close()


def reasons(rig: Rig) -> list[str]:
    return [reason.id for reason in rig.model.out_of_service]


# --- the plain way ------------------------------------------------------------------------------------------------


def test_a_water_bill_paid_with_too_much_owes_the_rest(rig: Rig) -> None:
    rig.pay(WATER)
    rig.feed(5000)
    rig.feed(2000)
    rig.feed(1000)
    note = rig.escrow(500)
    assert rig.state == "note_held"
    rig.tap(intents.AgreeExcess())
    rig.stacked(note, 500)
    assert rig.state == "receipting"
    rig.printed()
    assert rig.state == "thanking"
    assert rig.sums() == {
        "credited": 8500, "suspended": 0, "disputed": 0, "tender": 8500, "applied": 8317, "over": 183,
    }  # fmt: skip
    kinds = [type(body).__name__ for body in rig.bodies()]
    assert kinds.index("ExcessAgreed") < kinds.index("Settled") < kinds.index("ReceiptIssued")


def test_every_confirmation_goes_to_the_life_of_the_driver_that_asked(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    assert {generation for _, command, generation in rig.devices.orders if isinstance(command, c.Confirm)} == {1}


def test_notes_lose_the_devices_name_on_the_way_out_and_get_it_on_the_way_in(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    assert rig.sent(c.StackNote) == [c.StackNote(NoteId("", 1))]
    assert [body.note for body in rig.bodies(facts.NoteCredited)] == [NoteId("notes", 1)]


# --- stale taps ---------------------------------------------------------------------------------------------------


def test_a_second_tap_of_the_same_picture_does_nothing(rig: Rig) -> None:
    rig.tap(intents.EnterNumber(WATER))
    first = IntentPosted(intents.Pay(), rig.model.session, rig.model.step)
    assert rig.kernel.handle_intent(first)
    assert not rig.kernel.handle_intent(first)
    assert rig.state == "consenting"


def test_a_tap_of_the_session_before_does_nothing(rig: Rig) -> None:
    rig.tap(intents.EnterNumber(WATER))
    old = rig.model.session
    rig.tap(intents.Cancel())
    rig.tap(intents.EnterNumber(WATER))
    assert not rig.kernel.handle_intent(IntentPosted(intents.Pay(), old, rig.model.step))
    assert rig.state == "reviewing"


def test_a_tap_without_a_row_changes_nothing_and_is_counted(rig: Rig) -> None:
    before = rig.model
    rig.tap(intents.AgreeExcess())
    assert rig.model == before
    assert rig.kernel.counts["refused.AgreeExcess"] == 1


# --- a journal that takes nothing -----------------------------------------------------------------------------------


def _agree(rig: Rig) -> None:
    rig.tap(intents.AgreeExcess())


def _credit(rig: Rig) -> None:
    rig.stacked(NoteId("", rig.serial), 5000)


def _dispute(rig: Rig) -> None:
    rig.news("notes", d.NoteDisputed(77, NoteId("", rig.serial), usd(5000), "silence"))


def _begin_stacking(rig: Rig) -> None:
    rig.pay(WATER)
    rig.escrow(5000)
    assert rig.state == "stacking"


def _hold(rig: Rig) -> None:
    rig.pay(PARKING)
    rig.feed(2000)
    while rig.state == "accepting" and rig.model.remaining_minor >= 2000:
        rig.feed(2000)
    rig.escrow(2000)


COMMITS: list[tuple[str, Doing, Doing, str]] = [
    ("freeze", lambda r: (r.tap(intents.EnterNumber(WATER)), r.tap(intents.Pay())),
     lambda r: r.tap(intents.AcceptConditions()), "TenderFrozen"),
    ("intent", lambda r: r.pay(WATER), lambda r: r.escrow(5000), "StackIntended"),
    ("credit", _begin_stacking, _credit, "NoteCredited"),
    ("dispute", _begin_stacking, _dispute, "NoteDisputed"),
    ("returned", _begin_stacking, lambda r: r.news("notes", d.NoteReturned(NoteId("", r.serial), "x", 78)),
     "NoteReturned"),
    ("suspense", lambda r: None, lambda r: r.stacked(NoteId("", 9), 2000), "NoteSuspended"),
    ("settle", lambda r: (r.pay(WATER), r.feed(5000)), lambda r: (r.tap(intents.Cancel()), r.tap(intents.Finish())),
     "Settled"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "prepare", "act", "fact"), COMMITS, ids=[row[0] for row in COMMITS])
def test_where_a_commit_fails_nothing_of_the_step_happens_and_afterwards_all_of_it(
    tmp_path: Path, name: str, prepare: Doing, act: Doing, fact: str
) -> None:
    rig = Rig(tmp_path)
    prepare(rig)
    was = [type(body).__name__ for body in rig.bodies()].count(fact)
    credited, seq = rig.model.credited, rig.kernel.books.seq
    rig.devices.orders.clear()
    rig.journal.error = FULL
    act(rig)
    assert rig.kernel.trouble is FULL
    assert "out.journal_full" in reasons(rig)
    assert rig.kernel.books.seq == seq
    assert rig.model.credited == credited
    forbidden = (c.Confirm, c.StackNote, c.Print, c.EnableNotes)
    assert [command for _, command, _ in rig.devices.orders if isinstance(command, forbidden)] == []
    assert rig.sent(c.InhibitNotes) or not rig.kernel.accepting
    rig.wait(10)
    assert rig.kernel.books.seq == seq
    rig.journal.error = None
    rig.wait(3)
    assert rig.kernel.trouble is None
    assert reasons(rig) == []
    if name != "freeze":
        assert [type(body).__name__ for body in rig.bodies()].count(fact) == was + 1
    if name in ("credit", "dispute", "suspense"):
        assert len(rig.sent(c.Confirm)) == 1
    rig.wait(600)
    if name == "intent":
        assert reasons(rig) == ["out.acceptor"], "the note's end is not known yet"
        rig.news("notes", d.NoteReturned(NoteId("", rig.serial), "idle"))
    assert rig.state == "idle"
    assert rig.findings() == []
    sums = rig.sums()
    assert sums["credited"] == sums["tender"] == sums["applied"] + sums["over"]
    rig.close()


@pytest.mark.parametrize(
    ("error", "reason"),
    [(JournalDamaged("a page is damaged"), "out.journal_damaged"),
     (JournalReadOnly("the disk is read-only"), "out.journal_readonly")],
)  # fmt: skip
def test_a_broken_journal_keeps_the_kiosk_out_of_service_until_a_restart(
    tmp_path: Path, error: Exception, reason: str
) -> None:
    rig = Rig(tmp_path)
    _begin_stacking(rig)
    rig.journal.error = error  # type: ignore[assignment]
    token = rig.stacked(NoteId("", 1), 5000)
    assert reason in reasons(rig)
    rig.journal.error = None
    rig.wait(60)
    assert reason in reasons(rig)
    assert not rig.confirmed(token)
    assert not rig.tap(intents.Finish())
    rig.restart()
    assert rig.state == "resuming"
    token = rig.stacked(NoteId("", 1), 5000, recovered=True)
    assert rig.confirmed(token)
    assert rig.sums()["credited"] == 5000
    rig.close()


def test_a_full_disk_mid_payment_tells_the_person_and_takes_notes_again_afterwards(rig: Rig) -> None:
    rig.pay(WATER)
    rig.journal.error = FULL
    rig.news("notes", d.NoteRejected("recognition"))
    assert rig.kernel.accepting == ()
    assert [message.id for message in rig.model.messages] == ["out.journal_full"]
    rig.journal.error = None
    rig.wait(3)
    assert rig.state == "accepting"
    assert rig.kernel.accepting != ()
    assert "out.journal_full" not in [message.id for message in rig.model.messages]


def test_a_journal_in_trouble_ends_what_was_not_yet_paid(rig: Rig) -> None:
    rig.tap(intents.EnterNumber(WATER))
    rig.journal.error = FULL
    rig.news("notes", d.DeviceState("jammed", "fault"))
    assert rig.state == "out_of_service"
    assert rig.model.session == ""
    assert rig.model.cart == ()
    rig.journal.error = None
    rig.wait(3)
    rig.news("notes", d.DeviceState("idling", "ok"))
    assert rig.state == "idle"


def test_the_order_of_device_events_is_kept_while_the_disk_is_full(rig: Rig) -> None:
    _begin_stacking(rig)
    rig.journal.error = FULL
    rig.stacked(NoteId("", 1), 5000)
    rig.news("notes", d.NoteGone(NoteId("", 1)))
    rig.journal.error = None
    rig.wait(3)
    kinds = [type(body).__name__ for body in rig.bodies()]
    assert kinds.index("NoteCredited") < kinds.index("NoteGone")


# --- clocks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [-365, 365, -1, 40])
def test_a_clock_that_jumps_changes_no_price_and_is_a_fact(rig: Rig, days: int) -> None:
    rig.tap(intents.EnterNumber(PARKING))
    due = rig.model.due_minor
    rig.tap(intents.Cancel())
    rig.time.offset += days * 86_400 * NS
    rig.wait(2)
    assert [body.detail for body in rig.bodies(facts.ClockJumped)] == ["while running"]
    assert rig.kernel.parts.clock.unsure
    rig.tap(intents.EnterNumber(PARKING))
    assert rig.model.due_minor == due


def test_a_clock_that_stands_before_the_last_fact_at_start_is_not_believed(rig: Rig) -> None:
    rig.tap(intents.EnterNumber(PARKING))
    due = rig.model.due_minor
    rig.time.offset -= 365 * 86_400 * NS
    rig.restart()
    assert [body.detail for body in rig.bodies(facts.ClockJumped)] == ["against the last fact"]
    assert rig.kernel.parts.clock.unsure
    rig.tap(intents.EnterNumber(PARKING))
    assert rig.model.due_minor == due


def test_a_clock_two_years_ahead_at_start_prices_as_of_the_last_fact(rig: Rig) -> None:
    rig.tap(intents.EnterNumber(PARKING))
    due = rig.model.due_minor
    rig.time.offset += 730 * 86_400 * NS
    rig.restart()
    assert rig.kernel.parts.clock.unsure
    rig.tap(intents.EnterNumber(PARKING))
    assert rig.model.due_minor == due


def test_deadlines_follow_the_monotonic_clock_alone(rig: Rig) -> None:
    rig.tap(intents.EnterNumber(WATER))
    rig.time.offset -= 3600 * NS
    rig.wait(59)
    assert rig.state == "reviewing"
    rig.wait(2)
    assert rig.state == "timed_out"


# --- devices ------------------------------------------------------------------------------------------------------


def test_a_kiosk_whose_devices_have_said_nothing_is_not_in_service(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.restart(healthy=False)
    assert rig.state == "out_of_service"
    assert reasons(rig) == ["out.starting", "out.printer"]
    rig.close()


BREAK = d.DeviceState("jammed", "fault", "47")
MEND = d.DeviceState("idling", "ok")


def _consent(rig: Rig) -> None:
    rig.tap(intents.EnterNumber(WATER))
    rig.tap(intents.Pay())


@pytest.mark.parametrize(
    "prepare",
    [
        lambda r: None,
        lambda r: r.tap(intents.Begin()),
        lambda r: r.tap(intents.EnterNumber("1")),
        lambda r: r.tap(intents.EnterNumber(WATER)),
        _consent,
        lambda r: (r.tap(intents.EnterNumber(WATER)), r.wait(61)),
    ],
    ids=["idle", "entering", "notice", "reviewing", "consenting", "asked"],
)
def test_service_lost_before_any_money_closes_at_once_and_opens_again(rig: Rig, prepare: Doing) -> None:
    prepare(rig)
    rig.news("notes", BREAK)
    assert (rig.state, rig.model.session) == ("out_of_service", "")
    rig.news("notes", MEND)
    assert rig.state == "idle"


@pytest.mark.parametrize(
    "prepare",
    [
        lambda r: r.pay(),
        lambda r: (r.pay(), r.feed(5000)),
        lambda r: (r.pay(), r.feed(5000), r.tap(intents.Cancel())),
        lambda r: (r.pay(), r.feed(5000), r.wait(91)),
        _begin_stacking,
        _hold,
        lambda r: (_hold(r), r.tap(intents.DeclineExcess())),
        lambda r: (r.pay(), r.feed(5000), r.tap(intents.Finish())),
    ],
    ids=["accepting", "credit", "stopping", "timed_out", "stacking", "held", "returning", "receipting"],
)
def test_service_lost_in_a_payment_finishes_it_and_then_closes(rig: Rig, prepare: Doing) -> None:
    prepare(rig)
    session = rig.model.session
    rig.news("notes", BREAK)
    assert rig.model.session == session
    rig.wait(900)
    assert rig.state == "out_of_service"
    sums = rig.sums()
    assert sums["credited"] == sums["tender"] == sums["applied"] + sums["over"]
    assert rig.kernel.books.open_session is None


def test_no_payment_can_begin_from_the_last_screen_of_a_kiosk_that_is_closing(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    rig.tap(intents.Finish())
    rig.printed()
    assert rig.state == "thanking"
    rig.kernel.close_counter("admin:0")
    rig.tap(intents.Begin())
    assert rig.state == "out_of_service"


def test_a_note_that_nobody_followed_to_its_end_keeps_new_payments_out(rig: Rig) -> None:
    _begin_stacking(rig)
    rig.wait(61)
    assert rig.state == "receipting"
    rig.wait(500)
    assert rig.state == "out_of_service"
    rig.stacked(NoteId("", 1), 5000)
    assert rig.sums()["suspended"] == 5000
    rig.printed()
    rig.wait(300)
    assert rig.state == "idle"


def test_a_driver_that_died_with_a_note_in_escrow_leaves_nobody_waiting(rig: Rig) -> None:
    _hold(rig)
    assert rig.state == "note_held"
    _, open_note, _ = rig.kernel.memory("notes")
    rig.news("notes", d.DeviceState("lost", "fault"))
    rig.news("notes", d.DeviceState("idling", "ok"))
    assert open_note is None or open_note.phase == "credited"
    rig.wait(1)
    assert rig.state == "accepting"
    rig.wait(700)
    assert rig.state in ("idle", "out_of_service")
    assert rig.kernel.books.open_session is None


def test_a_printer_without_paper_keeps_the_slip_on_the_screen_and_never_gives_it_to_the_next(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    rig.tap(intents.Finish())
    job = rig.model.jobs[-1].job
    rig.news("paper", d.PrintHeld(job, "paper_out"))
    rig.wait(31)
    assert (rig.state, [message.id for message in rig.model.messages]) == ("receipting", ["message.not_printed"])
    rig.wait(301)
    assert rig.sent(c.DropJob) == [c.DropJob(job)]
    assert [body.outcome for body in rig.bodies(facts.PrintEnded)] == ["dropped"]
    assert rig.sums()["applied"] == 5000


def test_a_printer_that_is_not_there_changes_nothing_about_the_money(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    rig.devices.there = False
    rig.tap(intents.Finish())
    assert rig.sums()["applied"] == 5000
    assert [body.outcome for body in rig.bodies(facts.PrintEnded)] == ["dropped"]


def test_printing_starts_in_the_journal_before_the_first_byte_may_leave(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    rig.tap(intents.Finish())
    rig.journal.error = FULL
    rig.news("paper", d.PrintReady(500, rig.model.jobs[-1].job))
    assert not rig.confirmed(500)
    rig.journal.error = None
    rig.wait(3)
    assert rig.confirmed(500)
    assert len(rig.bodies(facts.PrintStarted)) == 1


def test_a_flood_of_refused_events_does_not_fill_the_journal(rig: Rig) -> None:
    rig.pay()
    seq = rig.kernel.books.seq
    for _ in range(200):
        rig.news("notes", d.NoteRejected("recognition"))
        rig.news("notes", d.NoteGone(NoteId("", 400)))
    assert rig.kernel.books.seq - seq <= 25


def test_a_changed_data_set_is_a_fact_before_anything_is_priced_with_it(rig: Rig) -> None:
    rig.invoices.told = "data-2"
    rig.tap(intents.EnterNumber(WATER))
    changes = rig.bodies(facts.ConfigurationChanged)
    assert changes[-1].data == "data-2"
    assert rig.kernel.parts.digests.data == "data-2"
