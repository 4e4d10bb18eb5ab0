"""How a doubt about the wall clock begins, outlives restarts, and ends, with a person or by a time service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.checkout import intents
from kiosk.errors import JournalFull
from kiosk.model import facts
from tests.core.kernel_rig import DAY_NS, NS, PARKING, Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    assert [each for each in whole.findings() if str(each.severity) == "error"] == []
    whole.close()


def due(rig: Rig) -> int:
    rig.tap(intents.EnterNumber(PARKING))
    found: int = rig.model.due_minor
    rig.tap(intents.Cancel())
    return found


def unsure(rig: Rig) -> bool:
    return bool(rig.kernel.parts.clock.unsure)


def today(rig: Rig) -> str:
    return rig.kernel.parts.clock.today().isoformat()


@pytest.mark.parametrize("days", [-365, -1, 1, 100, 365, 3650])
@pytest.mark.parametrize("reboot", [False, True])
def test_restarting_does_not_make_a_wrong_clock_right(rig: Rig, days: int, reboot: bool) -> None:
    right, day = due(rig), today(rig)
    rig.time.offset += days * DAY_NS
    rig.wait(2)
    assert unsure(rig)
    for number in range(3):
        if reboot:
            rig.time.boot = f"boot-{number}"
        rig.restart()
        assert unsure(rig)
        assert (due(rig), today(rig)) == (right, day)


def test_a_start_with_a_wrong_clock_is_not_laundered_by_the_next_start(rig: Rig) -> None:
    right, day = due(rig), today(rig)
    rig.time.offset += 365 * DAY_NS
    for _ in range(3):
        rig.restart()
        assert unsure(rig)
        assert (due(rig), today(rig)) == (right, day)


def test_a_restart_while_in_doubt_does_not_set_the_date_back(rig: Rig) -> None:
    rig.time.offset += 365 * DAY_NS
    rig.wait(2)
    rig.time.mono += 3 * DAY_NS  # a weekend without a fact
    day = today(rig)
    rig.restart()
    assert unsure(rig)
    assert today(rig) == day


def test_a_wrong_clock_that_was_set_right_again_is_believed_after_a_restart(rig: Rig) -> None:
    rig.time.offset += 365 * DAY_NS
    rig.wait(2)
    rig.time.offset -= 365 * DAY_NS
    rig.restart()
    assert not unsure(rig)


def test_a_person_who_believes_the_clock_leaves_a_fact_and_restarts_believe_it_too(rig: Rig) -> None:
    rig.time.offset += 10 * DAY_NS
    rig.wait(2)
    rig.kernel.believe_clock("admin:1000")
    (body,) = rig.bodies(facts.ClockTrusted)
    assert (body.off_ms, body.by) == (10 * 86_400_000, "admin:1000")
    assert not unsure(rig)
    rig.restart()
    assert not unsure(rig)
    assert len(rig.bodies(facts.ClockJumped)) == 1


def test_a_belief_that_cannot_be_committed_is_refused(rig: Rig) -> None:
    rig.time.offset += 10 * DAY_NS
    rig.wait(2)
    rig.journal.error = JournalFull("full", hint="")
    with pytest.raises(JournalFull):
        rig.kernel.believe_clock("admin:1000")
    assert unsure(rig)
    rig.journal.error = None


@pytest.mark.parametrize("days", [60, 365])
def test_a_machine_without_a_clock_chip_is_right_again_when_the_time_service_has_set_it(rig: Rig, days: int) -> None:
    # It starts where it was switched off, months ago, and chrony or timesyncd steps it minutes later.
    rig.wait(300)
    rig.time.offset += days * DAY_NS
    rig.time.synchronised()
    rig.wait(2)
    assert not unsure(rig)
    assert today(rig) == rig.kernel.parts.clock.instant().local().date().isoformat()
    assert [body.by for body in rig.bodies(facts.ClockTrusted)] == ["time service"]


def test_a_start_before_the_last_fact_is_right_again_when_the_time_service_has_set_it(rig: Rig) -> None:
    rig.time.offset -= 3 * DAY_NS
    rig.restart()
    assert unsure(rig)
    rig.time.offset += 40 * DAY_NS
    rig.wait(60)
    assert unsure(rig), "nobody has vouched for it yet"
    rig.time.synchronised()
    rig.wait(2)
    assert not unsure(rig)


def test_a_long_sleep_is_believed_when_the_time_service_agrees(rig: Rig) -> None:
    rig.time.offset += 250 * DAY_NS
    rig.restart()
    assert unsure(rig)
    rig.time.synchronised()
    rig.wait(2)
    assert not unsure(rig)


def test_a_time_service_never_takes_the_clock_behind_a_committed_fact(rig: Rig) -> None:
    rig.time.offset -= 30 * DAY_NS
    rig.wait(2)
    rig.time.synchronised()
    rig.wait(10)
    assert unsure(rig)


def test_an_old_word_of_the_time_service_does_not_vouch_for_a_later_jump(rig: Rig) -> None:
    rig.time.synchronised()
    rig.wait(30)
    rig.time.offset += DAY_NS  # a hand on the clock
    rig.wait(3600)
    assert unsure(rig)
    rig.restart()
    rig.wait(60)
    assert unsure(rig)


def test_a_clock_that_slews_back_is_sure_again(rig: Rig) -> None:
    rig.time.offset += 10 * NS
    rig.wait(2)
    assert unsure(rig)
    for _ in range(20):
        rig.time.offset -= NS // 2
        rig.wait(1)
    assert not unsure(rig)
    rig.restart()
    assert not unsure(rig)


def test_a_jump_while_the_disk_is_full_is_told_afterwards(rig: Rig) -> None:
    rig.journal.error = JournalFull("full", hint="")
    rig.kernel.record(facts.ServiceChanged(()))
    rig.time.offset += 365 * DAY_NS
    rig.wait(10)
    rig.journal.error = None
    rig.wait(10)
    (jump,) = rig.bodies(facts.ClockJumped)
    assert jump.jump_ms == 365 * 86_400_000
    rig.restart()
    assert unsure(rig)
