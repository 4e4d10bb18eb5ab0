"""Which clock is believed, and for what."""

from __future__ import annotations

import datetime as dt

import pytest

from kiosk.core.clock import Clock
from kiosk.errors import ConfigError
from tests.core.kernel_rig import NS, Time

DAY = 86_400 * NS


def test_a_steady_clock_is_believed_and_follows_small_corrections() -> None:
    time = Time()
    clock = time.clock()
    for _ in range(10):
        time.mono += 60 * NS
        time.offset += NS  # chrony, a second a minute
        assert clock.watch() == 0
    assert not clock.unsure
    assert clock.trusted_local().timestamp() == (time.mono + time.offset) // NS


@pytest.mark.parametrize("jump", [2 * NS, -2 * NS, 365 * DAY, -365 * DAY])
def test_a_jump_is_told_once_and_prices_go_on_as_if_it_had_not_happened(jump: int) -> None:
    time = Time()
    clock = time.clock()
    today = clock.today()
    time.offset += jump
    assert clock.watch() == jump // 1_000_000
    assert clock.watch() == 0
    assert clock.unsure
    assert clock.today() == today
    time.mono += DAY
    assert clock.today() == today + dt.timedelta(days=1)


def test_a_clock_that_jumps_back_to_where_it_was_is_sure_again() -> None:
    time = Time()
    clock = time.clock()
    for jump in (DAY, -DAY):
        time.offset += jump
        clock.watch()
    assert not clock.unsure


def test_an_authorised_person_can_make_it_sure() -> None:
    time = Time()
    clock = time.clock()
    time.offset += DAY
    clock.watch()
    clock.trust()
    assert not clock.unsure
    assert clock.today() == clock.instant().local().date()


@pytest.mark.parametrize("off", [-1, 401 * DAY])
def test_a_start_before_or_far_after_the_last_fact_goes_on_from_that_fact(off: int) -> None:
    time = Time()
    clock = time.clock()
    last = time.mono + time.offset - off
    assert clock.held_against(last) == off // 1_000_000
    assert clock.unsure
    assert clock.trusted_local().timestamp() == last // NS


def test_an_ordinary_start_is_believed() -> None:
    time = Time()
    clock = time.clock()
    assert clock.held_against(time.mono + time.offset - 9 * DAY) == 0
    assert not clock.unsure


def test_an_instant_records_what_the_wall_clock_says_even_where_it_is_not_believed() -> None:
    time = Time()
    clock = time.clock()
    time.offset += DAY
    clock.watch()
    assert clock.instant().wall_ns == time.mono + time.offset


def test_an_unknown_zone_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="not known"):
        Clock("Mars/Olympus")
