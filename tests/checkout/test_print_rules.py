"""A slip that did not print: on the screen until it is dismissed, then acknowledged; else open for staff.

And across restarts: what never left may print while its owner is in front, what is unknown never does by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.checkout import intents
from kiosk.checkout.settings import CheckoutSettings, Periods
from kiosk.model import commands as c
from kiosk.model import device_events as d
from kiosk.model import facts
from tests.core.kernel_rig import NS, Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    assert whole.findings() == []
    whole.close()


def settled(rig: Rig, minor: int = 5000) -> str:
    """Pay a part and stop: one slip waits for the printer; return its job."""
    rig.pay()
    rig.feed(minor)
    rig.tap(intents.Finish())
    assert rig.state == "receipting"
    return str(rig.model.jobs[-1].job)


def acknowledged(rig: Rig) -> list[tuple[int, str]]:
    return [(body.number, body.by) for body in rig.bodies(facts.SlipAcknowledged)]


def copies(rig: Rig) -> list[str]:
    return [order.job for order in rig.sent(c.Print)]


def test_a_dismissed_slip_that_is_not_on_paper_is_acknowledged_by_the_citizen(rig: Rig) -> None:
    job = settled(rig)
    rig.news("paper", d.PrintReady(9, job))
    rig.news("paper", d.PrintUnknown(job, "cut"))
    assert rig.kernel.books.slips_open() == [1]
    assert rig.state == "receipting", "it stays on the screen"
    rig.tap(intents.Dismiss())
    assert acknowledged(rig) == [(1, "citizen")]
    assert rig.kernel.books.slips_open() == []


def test_a_waiting_slip_that_is_dismissed_is_dropped_and_acknowledged_in_one_commit(rig: Rig) -> None:
    job = settled(rig)
    rig.news("paper", d.PrintHeld(job, "paper_out"))
    rig.tap(intents.Dismiss())
    assert [body.outcome for body in rig.bodies(facts.PrintEnded)] == ["dropped"]
    assert acknowledged(rig) == [(1, "citizen")]
    assert [order.job for order in rig.sent(c.DropJob)] == [job]
    signed = [each for each in rig.journal.read() if isinstance(each.fact.body, facts.PrintEnded)]
    assert [each.signature for each in signed] == [None], "the commit goes on: only its last fact is signed"


def test_a_printed_slip_needs_no_acknowledgement(rig: Rig) -> None:
    settled(rig)
    rig.printed()
    rig.tap(intents.Dismiss())
    assert acknowledged(rig) == []
    assert rig.kernel.books.slips_open() == []


def test_a_slip_dismissed_while_it_prints_is_open_only_if_it_ends_unknown(rig: Rig) -> None:
    job = settled(rig)
    rig.news("paper", d.PrintReady(9, job))
    rig.tap(intents.Dismiss())
    assert acknowledged(rig) == [], "nobody knew yet that it would fail"
    rig.news("paper", d.PrintUnknown(job, "cut"))
    assert rig.kernel.books.slips_open() == [1]


def test_a_slip_that_nobody_dismisses_stays_five_minutes_and_is_then_open_for_staff(rig: Rig) -> None:
    job = settled(rig)
    rig.news("paper", d.PrintReady(9, job))
    rig.news("paper", d.PrintUnknown(job, "cut"))
    rig.wait(299)
    assert rig.state == "receipting"
    rig.wait(2)
    assert rig.state == "thanking"
    rig.wait(11)
    assert rig.state == "idle"
    assert acknowledged(rig) == []
    assert rig.kernel.books.slips_open() == [1]
    rig.restart()
    assert rig.kernel.books.slips_open() == [1], "open ends are facts"


def test_how_long_it_stays_is_configuration(tmp_path: Path) -> None:
    rig = Rig(tmp_path, CheckoutSettings(periods=Periods(unprinted=40)))
    job = settled(rig)
    rig.news("paper", d.PrintReady(9, job))
    rig.news("paper", d.PrintUnknown(job, "cut"))
    rig.wait(41)
    assert rig.state == "thanking"
    rig.close()


def test_a_job_whose_bytes_never_left_prints_after_a_restart_while_its_payer_may_be_in_front(rig: Rig) -> None:
    job = settled(rig)
    rig.restart()
    rig.wait(1)
    assert copies(rig) == [job]
    rig.printed()
    assert rig.kernel.books.slips_open() == []


def test_a_job_whose_bytes_never_left_prints_while_the_same_payers_payment_is_offered_again(rig: Rig) -> None:
    """A stray note's slip was waiting when the power went; the payment goes on, and so does the slip."""
    rig.pay()
    rig.feed(2000)
    rig.news("notes", d.NoteStacked(77, None, None))
    assert [body.slip for body in rig.bodies(facts.ReceiptIssued)] == ["suspense"]
    rig.restart()
    assert rig.state == "resuming"
    rig.wait(1)
    assert copies(rig) == ["slip-1-0"]
    assert rig.state == "resuming", "a slip in print ends no payment"


def test_a_job_is_dropped_once_nobody_is_offered_the_payment_any_more(rig: Rig) -> None:
    job = settled(rig)
    rig.time.mono += rig.settings.periods.resuming * NS
    rig.restart()
    rig.wait(1)
    assert copies(rig) == []
    assert [(body.job, body.outcome) for body in rig.bodies(facts.PrintEnded)] == [(job, "dropped")]
    assert rig.kernel.books.slips_open() == [1]


@pytest.mark.parametrize("restarts", [1, 3])
def test_a_job_in_unknown_state_never_prints_again_by_itself(rig: Rig, restarts: int) -> None:
    job = settled(rig)
    rig.news("paper", d.PrintReady(9, job))
    for _ in range(restarts):
        rig.restart()
        rig.wait(400)
        rig.news("paper", d.DeviceState("paper_out", "fault"))
        rig.news("paper", d.DeviceState("ready", "ok"))
        assert copies(rig) == []
    assert [body.outcome for body in rig.bodies(facts.PrintEnded)] == ["unknown"]
    assert rig.kernel.books.slips_open() == [1]


def test_each_kind_is_numbered_by_itself_and_all_of_them_together(rig: Rig) -> None:
    for _ in range(2):
        rig.pay()
        rig.feed(1000)
        rig.news("notes", d.NoteStacked(70 + rig.token, None, None))
        rig.tap(intents.Finish())
        rig.printed()
        rig.wait(400)
    told = [(body.number, body.slip, body.of_kind) for body in rig.bodies(facts.ReceiptIssued)]
    assert told == [(1, "suspense", 1), (2, "receipt", 1), (3, "suspense", 2), (4, "receipt", 2)]


def test_what_is_owed_names_the_last_day_of_its_claim(rig: Rig) -> None:
    rig.pay()
    rig.news("notes", d.NoteStacked(70, None, None))
    rig.feed(1000)
    rig.tap(intents.Finish())
    by = {body.slip: {each.name: each.value for each in body.particulars} for body in rig.bodies(facts.ReceiptIssued)}
    assert by["suspense"] == {"claim_by": "2027-11-22"}
    assert by["receipt"] == {}, "a part payment leaves nothing to claim"


@pytest.mark.parametrize("kind", ["x", "z", "box_exchange", "test"])
def test_a_slip_for_staff_that_waited_at_a_cut_prints_without_being_shown_to_whoever_is_in_front(
    tmp_path: Path, kind: str
) -> None:
    rig = Rig(tmp_path)
    rig.kernel.record(facts.ReceiptIssued(1, kind, 1, "en", (), (), "USD", 1, 1))
    rig.restart()
    rig.wait(1)
    assert copies(rig) == ["slip-1-0"]
    assert (rig.state, rig.model.slips) == ("idle", ())
    rig.close()
