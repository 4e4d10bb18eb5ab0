"""Which notes may be fed: the cash rules of the domain sheet §4."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import PolicyError
from kiosk.model.money import Money
from kiosk.tariff.cash import CashRules, check_cash, coins_allowed, judge_note, notes_allowed, smallest_excess
from tests.tariff.example_city import library

RULES = library().cash_rules_on("USD", dt.date(2026, 11, 22))
UNIT = tuple(Money(minor, "USD") for minor in (100, 200, 500, 1000, 2000, 5000, 10000))


def major(notes: tuple[Money, ...]) -> list[int]:
    """Whole dollars."""
    return [note.minor // 100 for note in notes]


@pytest.mark.parametrize(
    ("due", "inserted", "notes"),
    [
        (12817, 0, [1, 5, 10, 20, 50, 100]),
        (10000, 0, [1, 5, 10, 20, 50, 100]),
        (9999, 0, [1, 5, 10, 20, 50]),
        (4999, 0, [1, 5, 10, 20]),
        (12817, 10000, [1, 5, 10, 20]),
        (1999, 0, [1, 5, 10]),
        (99, 0, []),
        (2500, 2500, []),
        (2500, 2600, []),
    ],
)
def test_a_note_above_what_remains_due_is_not_enabled(due: int, inserted: int, notes: list[int]) -> None:
    assert major(notes_allowed(RULES, UNIT, due_minor=due, inserted_minor=inserted)) == notes


def test_an_agreed_excess_enables_the_notes_that_it_covers() -> None:
    allowed = notes_allowed(RULES, UNIT, due_minor=12817, inserted_minor=12000, excess_agreed_minor=1183)
    assert major(allowed) == [1, 5, 10, 20]
    assert major(notes_allowed(RULES, UNIT, due_minor=12817, inserted_minor=12000, excess_agreed_minor=1182)) == [
        1,
        5,
        10,
    ]


def test_a_large_note_is_never_taken_above_what_remains_due() -> None:
    generous = msgspec.structs.replace(RULES, excess_at_most_minor=100_000)
    assert (
        judge_note(generous, Money(5000, "USD"), due_minor=4900, inserted_minor=0, excess_agreed_minor=9999) == "refuse"
    )


def test_a_note_that_needs_consent_is_asked_about_and_one_beyond_the_limit_is_not() -> None:
    assert judge_note(RULES, Money(2000, "USD"), due_minor=500, inserted_minor=0) == "ask"
    strict = msgspec.structs.replace(RULES, excess_at_most_minor=1499)
    assert judge_note(strict, Money(2000, "USD"), due_minor=500, inserted_minor=0) == "refuse"
    assert major(notes_allowed(RULES, UNIT, due_minor=500, inserted_minor=0, with_question=True)) == [1, 5, 10, 20]


def test_the_cap_of_a_session_is_never_passed() -> None:
    assert major(notes_allowed(RULES, UNIT, due_minor=500_000, inserted_minor=98_000)) == [1, 5, 10, 20]
    assert major(notes_allowed(RULES, UNIT, due_minor=500_000, inserted_minor=100_000)) == []


def test_an_unknown_value_or_another_currency_is_never_enabled() -> None:
    assert notes_allowed(RULES, (Money(200, "USD"), Money(500, "CAD")), due_minor=9000, inserted_minor=0) == ()


def test_a_cart_is_as_strict_as_its_strictest_service() -> None:
    water = library().service("water_bill")
    strict = msgspec.structs.replace(
        water, over="refuse", cash=msgspec.structs.replace(water.cash, largest_note_minor=1000, session_cap_minor=5000)
    )
    rules = RULES.for_services([water, strict])
    assert (rules.largest_note_minor, rules.session_cap_minor, rules.excess_at_most_minor) == (1000, 5000, 0)
    assert major(notes_allowed(rules, UNIT, due_minor=9000, inserted_minor=0)) == [1, 5, 10]
    assert RULES.for_services([water]) == RULES


@pytest.mark.parametrize(("due", "inserted", "over"), [(12817, 12000, 83), (4500, 0, 0), (17, 0, 83), (4500, 4500, 0)])
def test_the_least_excess_is_what_the_smallest_note_leaves(due: int, inserted: int, over: int) -> None:
    assert smallest_excess(RULES, UNIT, due_minor=due, inserted_minor=inserted) == over


def test_without_a_fitting_note_there_is_no_least_excess() -> None:
    assert smallest_excess(RULES, (Money(5000, "USD"),), due_minor=100, inserted_minor=0) is None
    assert smallest_excess(RULES, (), due_minor=100, inserted_minor=0) is None


@pytest.mark.parametrize(
    "change",
    [
        {"accepted_minor": ()},
        {"accepted_minor": (0,)},
        {"large_minor": (7,)},
        {"session_cap_minor": 0},
        {"coins_minor": (25, 0)},
    ],
)
def test_cash_rules_that_contradict_themselves_do_not_load(change: dict[str, object]) -> None:
    with pytest.raises(PolicyError):
        check_cash(msgspec.structs.replace(RULES, **change), "policies/cash.toml")


def test_rules_must_be_in_force_exactly_once() -> None:
    with pytest.raises(PolicyError):
        library().cash_rules_on("CAD", dt.date(2026, 11, 22))
    with pytest.raises(PolicyError):
        library().cash_rules_on("USD", dt.date(2019, 12, 31))


@given(st.integers(0, 200_000), st.integers(0, 200_000), st.integers(0, 5000))
def test_no_enabled_note_breaks_cap_consent_or_amount_due(due: int, inserted: int, agreed: int) -> None:
    rules: CashRules = RULES
    for note in notes_allowed(rules, UNIT, due_minor=due, inserted_minor=inserted, excess_agreed_minor=agreed):
        assert inserted < due
        assert inserted + note.minor <= rules.session_cap_minor
        assert inserted + note.minor - due <= min(agreed, rules.excess_at_most_minor)


def test_a_coin_is_taken_only_where_it_is_named_fits_the_rest_and_the_cap() -> None:
    rules = msgspec.structs.replace(RULES, coins_minor=(25, 100), session_cap_minor=1000)
    known = [Money(minor, "USD") for minor in (5, 25, 100)] + [Money(25, "CAD")]
    taken = {
        (due, inserted): [coin.minor for coin in coins_allowed(rules, known, due_minor=due, inserted_minor=inserted)]
        for due, inserted in ((500, 0), (500, 450), (500, 480), (500, 600), (2000, 950))
    }
    assert taken == {(500, 0): [25, 100], (500, 450): [25], (500, 480): [], (500, 600): [], (2000, 950): [25]}
    assert coins_allowed(RULES, known, due_minor=500, inserted_minor=0) == ()
