"""A slip that a presenter held out: taken it is its owner's, untaken it is open for staff, who print a copy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.checkout import intents
from kiosk.checkout.events import ReprintAsked
from kiosk.core.view import health
from kiosk.model import commands as c
from kiosk.model import device_events as d
from kiosk.model import facts
from tests.core.kernel_rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    assert whole.findings() == []
    assert whole.bodies(facts.EventRefused) == []
    whole.close()


def paid(rig: Rig) -> str:
    """Pay a part, stop, and have the slip printed; return its job."""
    rig.pay()
    rig.feed(5000)
    rig.tap(intents.Finish())
    job = str(rig.model.jobs[-1].job)
    rig.printed()
    return job


def told(rig: Rig) -> list[tuple[int, int, str]]:
    return [(body.number, body.copy, body.outcome) for body in rig.bodies(facts.SlipPresented)]


def test_a_taken_slip_is_a_fact_and_nobody_waits_for_it(rig: Rig) -> None:
    job = paid(rig)
    rig.news("paper", d.SlipPresented(job, "taken"))
    assert told(rig) == [(1, 0, "taken")]
    assert rig.kernel.books.slips_open() == []


@pytest.mark.parametrize("outcome", ["retracted", "ejected", "jammed", "unknown"])
def test_an_untaken_slip_is_open_for_staff_also_after_a_restart(rig: Rig, outcome: str) -> None:
    job = paid(rig)
    rig.wait(60)
    assert rig.state == "idle", "its owner has left long ago"
    rig.news("paper", d.SlipPresented(job, outcome))
    assert told(rig) == [(1, 0, outcome)]
    assert rig.kernel.books.slips_open() == [1]
    assert rig.kernel.books.slips[1].outcome == outcome
    rig.restart()
    assert rig.kernel.books.slips_open() == [1]


def test_health_names_a_slip_that_nobody_took_until_staff_have_dealt_with_it(rig: Rig) -> None:
    def reasons() -> tuple[str, ...]:
        return health(rig.kernel, lines=[], plugins=(), started="").reasons

    job = paid(rig)
    assert reasons() == ()
    rig.news("paper", d.SlipPresented(job, "retracted"))
    assert reasons() == ("slip.untaken",)
    rig.kernel.handle_event(ReprintAsked(1, 1))
    rig.printed()
    assert reasons() == ()


def test_a_copy_of_an_untaken_slip_closes_it_unless_it_is_drawn_back_too(rig: Rig) -> None:
    rig.news("paper", d.SlipPresented(paid(rig), "retracted"))
    rig.kernel.handle_event(ReprintAsked(1, 1))
    copy = rig.sent(c.Print)[-1].job
    rig.printed()
    assert copy == "slip-1-1"
    assert rig.kernel.books.slips_open() == []
    rig.news("paper", d.SlipPresented(copy, "retracted"))
    assert rig.kernel.books.slips_open() == [1], "nobody has it still"
    assert told(rig) == [(1, 0, "retracted"), (1, 1, "retracted")]


def test_a_copy_that_nobody_takes_opens_no_slip_whose_owner_has_it(rig: Rig) -> None:
    rig.news("paper", d.SlipPresented(paid(rig), "taken"))
    rig.kernel.handle_event(ReprintAsked(1, 1))
    rig.printed()
    rig.news("paper", d.SlipPresented("slip-1-1", "retracted"))
    assert rig.kernel.books.slips_open() == []


def test_each_piece_of_paper_is_told_of_once_and_a_word_nobody_knows_is_unknown(rig: Rig) -> None:
    job = paid(rig)
    rig.news("paper", d.SlipPresented(job, "eaten", raw="7" * 900))
    rig.news("paper", d.SlipPresented(job, "taken"))
    assert told(rig) == [(1, 0, "unknown")]
    assert len(rig.bodies(facts.SlipPresented)[0].raw) == 200


@pytest.mark.parametrize("job", ["slip-1-1", "slip-2-0", "slip-0-0", "slip-1-0 ", "slip-99999999999999-0", "", "J1"])
def test_a_presenter_that_tells_of_no_such_slip_changes_nothing(rig: Rig, job: str) -> None:
    paid(rig)
    rig.news("paper", d.SlipPresented(job, "retracted"))
    assert told(rig) == []
    assert rig.kernel.books.slips_open() == []


def test_nothing_is_told_of_a_slip_that_is_still_in_print(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    rig.tap(intents.Finish())
    job = rig.model.jobs[-1].job
    rig.news("paper", d.SlipPresented(job, "taken"))
    assert told(rig) == []
    rig.news("paper", d.PrintReady(9, job))
    rig.news("paper", d.SlipPresented(job, "taken"))
    assert told(rig) == []
