"""A clock that is a year wrong, or jumps: no price changes, the screen says that the time is unsure (OP6)."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest

from kiosk.app import compose
from kiosk.core.clock import Clock
from kiosk.core.control import call
from kiosk.model import facts
from kiosk.workbench.screen_hand import amount
from tests.app.live_kiosk import LiveKiosk, live_kiosk, until

#: A citation with two late fees: its price depends on the day.
LATE = "260004223"
DAY_NS = 86_400 * 10**9


class WrongClock:
    """The machine's wall clock, set wrong by hand."""

    def __init__(self) -> None:
        self.off_ns = 0

    def wall(self) -> int:
        return time.time_ns() + self.off_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WrongClock:
    wrong = WrongClock()
    monkeypatch.setattr(
        compose, "make_clock",
        lambda setup: Clock(setup.city.zone, setup.city.cut_off, wall=wrong.wall, boot="test"),
    )  # fmt: skip
    return wrong


def due(kiosk: LiveKiosk, label: str = LATE) -> int:
    """Type a citation, note what is asked, and leave."""
    kiosk.wait("idle")
    kiosk.stage.touch("begin", ())
    kiosk.wait("entering")  # a number typed at the attract screen's step would be stale
    kiosk.stage.touch("type", (label,))
    found = amount(kiosk.wait("reviewing")["due"]).minor
    kiosk.stage.touch("cancel", ())
    kiosk.wait("idle")
    return found


def html(kiosk: LiveKiosk) -> str:
    return str(kiosk.screen._ask("GET", "/fragment")[2])


@pytest.mark.parametrize("days", [-365, 365, -3650, 3650])
def test_a_clock_years_wrong_at_the_start_changes_no_price_and_is_told(clock: WrongClock, days: int) -> None:
    with live_kiosk() as kiosk:
        right = due(kiosk)
        assert kiosk.shot()["time_unsure"] is False
        kiosk.stop()
        clock.off_ns = days * DAY_NS
        kiosk.start()
        assert due(kiosk) == right
        # The age of the reference data is told by the trusted time too, so they do not become too old to use.
        assert abs(kiosk.kernel.parts.source._wall() - time.time_ns()) < 60 * 10**9
        assert kiosk.shot()["time_unsure"] is True
        assert "clock.unsure" in kiosk.health()["reasons"]
        kiosk.stage.scan("260004329")
        kiosk.wait("reviewing")
        assert "note-this" in html(kiosk)
        (jump,) = kiosk.bodies(facts.ClockJumped)
        assert abs(abs(jump.jump_ms) - abs(days) * 86_400_000) < 120_000
        today = dt.datetime.now().date()
        dates = {dt.date.fromisoformat(str(each.fact.stamp.business_date)) for each in kiosk.facts()}
        assert all(abs((each - today).days) <= 1 for each in dates)


def test_a_clock_that_jumps_while_running_changes_no_price_and_is_a_fact(clock: WrongClock) -> None:
    with live_kiosk() as kiosk:
        right = due(kiosk)
        for days in (-365, 365):
            clock.off_ns = days * DAY_NS
            until(lambda: kiosk.shot()["time_unsure"], "the jump was noticed")
            assert due(kiosk) == right
            clock.off_ns = 0
            until(lambda: not kiosk.shot()["time_unsure"], "the time is right again")
        jumps: list[Any] = kiosk.bodies(facts.ClockJumped)
        assert [each.jump_ms > 0 for each in jumps] == [False, True, True, False]
        assert {each.detail for each in jumps} == {"while running"}


def test_a_jump_back_in_the_middle_of_a_payment_changes_neither_sum_nor_order(clock: WrongClock) -> None:
    with live_kiosk() as kiosk:
        shot = kiosk.to_accepting()
        kiosk.insert(10)
        kiosk.wait_inserted(1000)
        clock.off_ns = -3600 * 10**9
        until(lambda: kiosk.shot()["time_unsure"], "the jump was noticed")
        assert amount(kiosk.shot()["due"]) == amount(shot["due"])
        kiosk.insert(5)
        kiosk.stage.expect_receipt(True)
        assert kiosk.in_box == kiosk.booked() == 1500
        # The order of facts is that of the journal and of monotonic time; the wall clock is only noted.
        mono = [each.fact.stamp.at.mono_ns for each in kiosk.facts()]
        assert mono == sorted(mono)


def test_only_a_person_clears_the_doubt_after_a_start_with_a_wrong_clock(clock: WrongClock) -> None:
    with live_kiosk() as kiosk:
        kiosk.wait("idle")
        kiosk.stop()
        clock.off_ns = -365 * DAY_NS
        kiosk.start()
        assert kiosk.wait("idle")["time_unsure"] is True
        clock.off_ns = 0
        until(lambda: len(kiosk.bodies(facts.ClockJumped)) == 2, "set right while running")
        call(kiosk.socket, "trust-clock")
        until(lambda: not kiosk.shot()["time_unsure"], "a person has looked")
