"""Prices that tell a stranger nothing keep every amount."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from kiosk.model.invoice import Quote, QuoteLine
from kiosk.model.texts import text
from kiosk.tariff.discretion import discreet, is_discreet, masked, shown_number

LINES = st.builds(
    QuoteLine, st.sampled_from(["fine", "late_fee"]), st.integers(0, 10**9),
    st.just(text("fee.late.step", since_date="2026-03-10", days=7)), st.just("rule@1"), st.just("City Code § 12"),
)  # fmt: skip
QUOTES = st.builds(
    Quote, st.just("s"), st.text("0123456789", min_size=1, max_size=64), st.just("USD"),
    st.lists(LINES, min_size=1, max_size=5).map(tuple), st.just(dt.date(2026, 4, 1)), st.integers(0, 10**9),
)  # fmt: skip


@given(QUOTES)
def test_what_is_owed_and_where_it_is_posted_stay_and_the_reasons_go(quote: Quote) -> None:
    quiet = discreet(quote)
    assert (quiet.total_minor, quiet.due_minor, quiet.number) == (quote.total_minor, quote.due_minor, quote.number)
    assert [(line.component, line.minor, line.rule) for line in quiet.lines] == [
        (line.component, line.minor, line.rule) for line in quote.lines
    ]
    assert "2026-03-10" not in repr(quiet.lines)
    assert "City Code" not in repr(quiet.lines)
    assert (is_discreet(quote), is_discreet(quiet)) == (False, True)


@given(QUOTES)
def test_a_masked_number_shows_its_end_and_never_the_whole(quote: Quote) -> None:
    shown = shown_number(discreet(quote))
    assert shown == masked(quote.number)
    assert len(shown) - 1 == min(3, len(quote.number) // 2)
    assert quote.number.endswith(shown[1:])
    assert shown_number(quote) == quote.number
