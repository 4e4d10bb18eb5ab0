"""Entries of change: coins leave the float for what was owed, and of a doubt nobody is paid twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import LedgerError, PolicyError
from kiosk.ledger import entries
from kiosk.ledger.balances import fold
from kiosk.ledger.chart import check_change, load_chart
from kiosk.model.entry import Posting
from kiosk.model.money import Money
from tests.tariff.example_city import CONFIG, chart

CHART = chart()
ROLES = CHART.roles
QUARTER = Money(25, "USD")
TEXT = (CONFIG / "chart.toml").read_text(encoding="utf-8")
BARE = "\n".join(line for line in TEXT.splitlines() if not line.startswith(("hopper_float", "change_fund")))


def test_paid_coins_take_their_value_from_the_debt_and_from_the_float() -> None:
    entry = entries.change_paid(CHART, QUARTER, 3)
    assert entry is not None
    assert entry.postings == (Posting(ROLES.overpayment, 75), Posting(ROLES.hopper_float, -75))
    assert entries.change_paid(CHART, QUARTER, 0) is None


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200))
def test_a_doubt_that_is_cleared_leaves_what_certainty_would_have_left(certain: int, paid: int, unpaid: int) -> None:
    told = [entries.change_disputed(CHART, QUARTER, certain, paid + unpaid)]
    if paid + unpaid:
        told.append(entries.change_resolved(CHART, QUARTER, paid, unpaid))
    at_once = entries.change_paid(CHART, QUARTER, certain + paid)
    assert fold(each for each in told if each is not None) == fold([at_once] if at_once is not None else [])


def test_coins_in_doubt_are_a_claim_and_neither_paid_nor_owed() -> None:
    entry = entries.change_disputed(CHART, QUARTER, 1, 2)
    assert entry is not None
    assert {posting.account: posting.minor for posting in entry.postings} == {
        ROLES.overpayment: 75, ROLES.hopper_float: -25, ROLES.disputed_claims: -50,
    }  # fmt: skip


def test_a_hopper_is_filled_from_the_change_fund_and_counted_back_into_it() -> None:
    filled, emptied = entries.hopper_filled(CHART, QUARTER, 40), entries.hopper_emptied(CHART, QUARTER, 40, 38)
    assert emptied is not None
    sums = fold([filled, emptied])
    assert (sums.of(ROLES.hopper_float, "USD"), sums.of(ROLES.change_fund, "USD")) == (0, -50)
    assert sums.of(ROLES.over_short, "USD") == 50
    assert entries.hopper_emptied(CHART, QUARTER, 0, 0) is None


def test_a_chart_without_accounts_for_change_loads_and_pays_none() -> None:
    bare = load_chart(BARE)
    assert not bare.gives_change
    assert CHART.gives_change
    with pytest.raises(LedgerError, match="no accounts for change"):
        entries.change_paid(bare, QUARTER, 1)


@pytest.mark.parametrize("call", [
    lambda: entries.hopper_filled(CHART, QUARTER, 0), lambda: entries.hopper_emptied(CHART, QUARTER, -1, 0),
    lambda: entries.change_resolved(CHART, QUARTER, 0, 0), lambda: entries.change_paid(CHART, Money(0, "USD"), 1),
])  # fmt: skip
def test_nothing_and_less_than_nothing_is_no_entry(call: object) -> None:
    assert callable(call)
    with pytest.raises(LedgerError):
        call()


def test_the_roles_of_change_are_assets_with_accounts_of_their_own() -> None:
    with pytest.raises(PolicyError, match="hopper_float"):
        load_chart(TEXT.replace('hopper_float = "A206"', 'hopper_float = "A690"'))
    with pytest.raises(PolicyError, match="share an account"):
        load_chart(TEXT.replace('change_fund = "A210"', 'change_fund = "A206"'))


def test_a_configured_hopper_needs_the_accounts_for_change() -> None:
    check_change(CHART, ["quarters"])
    check_change(load_chart(BARE), [])
    with pytest.raises(PolicyError, match=r"roles\.hopper_float and roles\.change_fund are missing.*quarters"):
        check_change(load_chart(BARE), ["quarters"])
