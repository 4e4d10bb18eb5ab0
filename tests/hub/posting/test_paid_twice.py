"""Whatever kiosks take for one invoice, and in whatever order it comes in, no cent is kept twice and none is lost."""

from __future__ import annotations

import doctest

from hypothesis import given
from hypothesis import strategies as st

from kiosk.hub.posting import paid_twice
from kiosk.hub.posting.paid_twice import Standing, undo, weigh

#: (applied, remaining, knew): any three numbers that a settlement may tell, sensible or not.
told = st.tuples(st.integers(0, 9_000), st.integers(0, 9_000), st.none() | st.integers(0, 20_000))


def test_the_worked_examples_are_right() -> None:
    assert doctest.testmod(paid_twice).failed == 0


@given(st.lists(told, min_size=1, max_size=8))
def test_what_counts_as_paid_never_exceeds_what_is_owed(settlements: list[tuple[int, int, int | None]]) -> None:
    standing: Standing | None = None
    taken = above = 0
    for applied, remaining, knew in settlements:
        standing, excess = weigh(standing, applied, remaining, knew)
        taken, above = taken + applied, above + excess
        assert 0 <= excess <= applied
        assert taken - above == standing.paid <= standing.owed


@given(
    owed=st.integers(1, 10_000),
    elsewhere=st.integers(0, 3_000),
    parts=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 10_000), st.booleans()), min_size=1, max_size=10),
)
def test_kiosks_that_hear_of_one_another_late_take_what_is_owed_and_the_rest_is_told(
    owed: int, elsewhere: int, parts: list[tuple[int, int, bool]]
) -> None:
    """Four kiosks, a price that does not grow: each knows its own payments and what it heard when it was online."""
    standing: Standing | None = None
    heard = [0, 0, 0, 0]
    taken = above = 0
    for kiosk, tender, online in parts:
        if online and standing is not None:
            heard[kiosk] = standing.paid
        due = max(0, owed - heard[kiosk])
        applied = min(tender, due)
        if not applied:
            continue
        standing, excess = weigh(standing, applied, due - applied, elsewhere + heard[kiosk])
        heard[kiosk] += applied
        taken, above = taken + applied, above + excess
        assert standing.paid <= owed
    if standing is not None:
        assert above == max(0, taken - owed)
        assert standing.base == elsewhere


@given(st.lists(told, min_size=1, max_size=5), told)
def test_undoing_the_last_settlement_leaves_what_counted_before(
    before: list[tuple[int, int, int | None]], last: tuple[int, int, int | None]
) -> None:
    standing: Standing | None = None
    for each in before:
        standing, _ = weigh(standing, *each)
    assert standing is not None
    after, excess = weigh(standing, *last)
    assert undo(after, last[0], excess).paid == standing.paid
