"""Money is whole minor units of one currency."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import MoneyError
from kiosk.model.money import MINOR_DIGITS, Money, parse, percent, plain

currencies = st.sampled_from(sorted(MINOR_DIGITS))
minors = st.integers(-(10**12) + 1, 10**12 - 1)


@given(minors, currencies)
def test_what_is_written_is_read_back(minor: int, currency: str) -> None:
    assert parse(plain(minor, currency), currency) == Money(minor, currency)


@given(minors, minors)
def test_money_adds_like_its_minor_units(one: int, two: int) -> None:
    assert Money(one, "USD") + Money(two, "USD") - Money(two, "USD") == Money(one, "USD")
    assert (Money(one, "USD") < Money(two, "USD")) == (one < two)
    assert (Money(one, "USD") >= Money(two, "USD")) == (one >= two)


@pytest.mark.parametrize("operate", [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a < b, lambda a, b: a >= b])
def test_two_currencies_never_mix(operate: object) -> None:
    assert callable(operate)
    with pytest.raises(MoneyError):
        operate(Money(1, "USD"), Money(1, "CAD"))
    with pytest.raises(MoneyError):
        operate(Money(1, "USD"), 1)


@pytest.mark.parametrize("minor", [1.0, "1", True, None])
def test_what_is_no_whole_number_is_no_money(minor: object) -> None:
    with pytest.raises(MoneyError):
        Money(minor, "USD")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "-", "1.234", "1,00", "1e3", "٤٥", "0x1", "1.", ".", "--1", "9" * 13, "NaN"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        parse(text, "USD")


@pytest.mark.parametrize(
    ("minor", "rate", "want"), [(8317, 10, 832), (8315, 10, 832), (8314, 10, 831), (-8315, 10, -832), (5, 10, 1)]
)
def test_a_percentage_is_rounded_half_up_away_from_zero(minor: int, rate: int, want: int) -> None:
    assert percent(minor, rate) == want


def test_a_currency_without_minor_digits_has_no_point() -> None:
    assert plain(700, "JPY") == "700"
    with pytest.raises(MoneyError):
        parse("7.0", "JPY")
    with pytest.raises(MoneyError):
        parse("7", "XXX")
