"""What became of an order to pay, judged from the counters before and after it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.protocols.cctalk.hopper_figures import HopperMark, judge
from kiosk.protocols.cctalk.payloads import HopperStatus

BEFORE = HopperMark(1, 7, 2, 0, 100)
BLIND = HopperMark(1, 7, 2, 0, None)


def verdict(
    before: HopperMark, status: tuple[int, int, int, int], count: int | None, coins: int = 3, **known: bool
) -> tuple[int, int, bool]:
    found = judge(before, HopperStatus(*status), count, coins, **known)
    return found.at_least, found.at_most, found.certain


@pytest.mark.parametrize(
    ("before", "status", "count", "says"),
    [
        (BEFORE, (8, 0, 3, 0), 103, (3, 3, True)),  # paid
        (BEFORE, (8, 0, 1, 2), 101, (1, 1, True)),  # partly
        (BEFORE, (8, 0, 1, 0), 101, (1, 1, True)),  # some units clear unpaid
        (BEFORE, (7, 0, 2, 0), 100, (0, 0, True)),  # never heard
        (BEFORE, (8, 0, 2, 0), 100, (0, 0, True)),  # refused, and counted all the same
        (BEFORE, (0, 0, 1, 2), 101, (1, 1, True)),  # power cut during it
        (BEFORE, (0, 0, 2, 0), 100, (0, 0, True)),  # power cut before it
        (BEFORE, (8, 0, 3, 0), 101, (1, 3, False)),  # two figures, two stories
        (BEFORE, (9, 0, 3, 0), 103, (0, 3, False)),  # somebody else paid
        (BEFORE, (8, 0, 5, 0), 105, (3, 3, False)),  # more than was ordered
        (BEFORE, (8, 2, 1, 0), 101, (0, 3, False)),  # still running
        (BLIND, (8, 0, 3, 0), None, (3, 3, True)),
        (BLIND, (7, 0, 2, 0), None, (0, 0, True)),
        (BLIND, (0, 0, 2, 0), None, (0, 3, False)),
        (BLIND, (9, 0, 3, 0), None, (0, 3, False)),
    ],
)  # fmt: skip
def test_figures_that_agree_are_certain_and_others_a_dispute(
    before: HopperMark, status: tuple[int, int, int, int], count: int | None, says: tuple[int, int, bool]
) -> None:
    assert verdict(before, status, count) == says


def test_without_a_lifetime_count_an_unchanged_figure_proves_a_payment_only_where_refusals_do_not_count() -> None:
    again = HopperMark(1, 7, 3, 0, None)
    assert verdict(again, (8, 0, 3, 0), None) == (0, 3, False)
    assert verdict(again, (8, 0, 3, 0), None, refusals_count=False) == (3, 3, True)
    assert verdict(again, (8, 0, 3, 0), None, refused=True) == (0, 0, True)


def test_a_unit_that_forgets_its_figures_with_the_power_proves_nothing_after_a_reset() -> None:
    assert verdict(BEFORE, (0, 0, 0, 0), 100, keeps_figures=False) == (0, 3, False)


def test_the_lifetime_count_wraps() -> None:
    before = HopperMark(1, 7, 2, 0, (1 << 24) - 1)
    assert verdict(before, (8, 0, 3, 0), 2) == (3, 3, True)


@given(
    st.integers(0, 255), st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(0, 9),
    st.sampled_from(["heard", "missed", "refused"]), st.booleans(), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
@settings(max_examples=100)
def test_what_is_certain_is_what_left(
    counter: int, paid: int, unpaid: int, coins: int, falls: int, heard: str,
    refusals: bool, counts: bool, clears: bool, cut: bool,
) -> None:  # fmt: skip
    """A unit in five lines, with every habit the sheet names."""
    before = HopperMark(1, counter, paid, unpaid, 50 if counts else None)
    left, status = 0, (counter, 0, paid, unpaid)
    if heard == "heard":
        left = min(falls, coins)
        status = (counter % 255 + 1, 0, left, 0 if clears and not cut else coins - left)
    elif heard == "refused" and refusals:
        status = (counter % 255 + 1, 0, paid, unpaid)
    if cut:
        status = (0, *status[1:])
    found = judge(before, HopperStatus(*status), 50 + left if counts else None, coins)
    assert found.at_least <= left <= found.at_most
    if counts:
        assert found.certain


@pytest.mark.parametrize("text", ["", "1:2", "1:256:0:0:0:0", "x:1:2:3:4:5", "1:2:3:4:5:6:7", "1:1:1:1:1:-1"])
def test_a_mark_that_is_none_is_not_read(text: str) -> None:
    assert HopperMark.parse(text) is None


@given(
    st.one_of(st.none(), st.integers(0, 2**32 - 1)), st.integers(0, 255), st.integers(0, 255), st.integers(0, 255),
    st.one_of(st.none(), st.integers(0, 2**24 - 1)), st.integers(0, 10_000),
)  # fmt: skip
@settings(max_examples=50)
def test_a_mark_comes_back_as_it_was(
    serial: int | None, counter: int, paid: int, unpaid: int, count: int | None, done: int
) -> None:
    mark = HopperMark(serial, counter, paid, unpaid, count, done)
    assert HopperMark.parse(str(mark)) == mark
