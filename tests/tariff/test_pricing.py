"""The worked ladders of the domain sheet §3, as tables."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import TariffError
from kiosk.model.invoice import Invoice, Quote
from kiosk.model.money import Money
from kiosk.tariff.calendar import add_months, first_counting_day, months_begun, offence_number
from kiosk.tariff.decoding import decode
from kiosk.tariff.library import PolicyFile
from kiosk.tariff.policies import Policy, check_policy
from kiosk.tariff.pricing import price
from kiosk.tariff.services import NumberRule, Service
from tests.tariff.example_city import library

D = dt.date.fromisoformat
LIB = library()


def citation(**fields: Any) -> Invoice:
    """An example citation of 2 March 2026."""
    whole = {"service": "parking_citation", "number": "260004175", "currency": "USD", "amount_minor": None,
             "issued": D("2026-03-02"), "code": "01", "offence": 3, **fields}  # fmt: skip
    return Invoice(**whole)


def licence(policy: str) -> tuple[Policy, Service]:
    """A service with one policy written here."""
    found = decode(
        f"""
        [[policy]]
        id = "p"
        jurisdiction = "Example City"
        currency = "USD"
        effective_from = 2020-01-01
        citation = "example"
        {policy}
        """,
        "policies/test.toml",
        PolicyFile,
    ).policy[0]
    check_policy(found, "policies/test.toml")
    number, accounts = NumberRule(length=3), {"fee": "A1", "late": "A2"}
    service = Service(id="s", kind="licence", name="service.s", currency="USD", policies=("p",), layouts=(),
                      number=number, accounts=accounts, order=("fee", "late"))  # fmt: skip
    return found, service


def total(policy: str, on: str, **fields: Any) -> int:
    """The price of one invoice by one policy."""
    found, service = licence(policy)
    whole = {
        "service": "s",
        "number": "123",
        "currency": "USD",
        "amount_minor": None,
        "issued": D("2026-03-02"),
        **fields,
    }
    return price(Invoice(**whole), [found], service, D(on)).total_minor


def by_component(quote: Quote) -> dict[str, int]:
    """Sums by component."""
    return {line.component: sum(x.minor for x in quote.lines if x.component == line.component) for line in quote.lines}


@pytest.mark.parametrize(
    ("on", "minor"),
    [("2026-03-02", 2500), ("2026-03-09", 2500), ("2026-03-10", 3000), ("2026-04-01", 3000), ("2026-04-02", 4000)],
)
def test_the_third_offence_grows_after_seven_and_after_thirty_days(on: str, minor: int) -> None:
    assert LIB.price(citation(), D(on)).total_minor == minor


@pytest.mark.parametrize(("offence", "minor"), [(1, 0), (2, 1500), (3, 2500), (4, 2500), (5, 3500), (12, 3500)])
def test_the_ladder_climbs_by_offence_and_stays_on_its_last_rung(offence: int, minor: int) -> None:
    assert LIB.price(citation(offence=offence), D("2026-03-02")).total_minor == minor


@pytest.mark.parametrize(("code", "amounts"), [("06", (30, 45, 60)), ("17", (30, 45, 60)), ("21", (130, 180, 230)),
                                               ("22", (20, 30, 50)), ("25", (15, 30, 45))])  # fmt: skip
def test_the_table_prices_each_code_by_offence(code: str, amounts: tuple[int, ...]) -> None:
    for offence, major in enumerate(amounts, 1):
        assert LIB.price(citation(code=code, offence=offence), D("2026-03-02")).total_minor == major * 100


def test_the_county_share_of_a_surcharge_is_a_component_of_its_own() -> None:
    quote = LIB.price(citation(code="21", offence=1), D("2026-03-02"))
    assert by_component(quote) == {"fine": 10000, "surcharge_county": 1500, "surcharge_city": 1500}


@pytest.mark.parametrize(("on", "late"), [("2026-03-22", False), ("2026-03-23", True)])
def test_a_window_of_twenty_days_ends_with_its_last_day(on: str, late: bool) -> None:
    quote = LIB.price(citation(code="06", offence=1), D(on))
    assert ("late_fee" in by_component(quote)) is late


@pytest.mark.parametrize("code", ["02", "12", "99", ""])
def test_a_code_without_an_amount_is_never_guessed(code: str) -> None:
    with pytest.raises(TariffError):
        LIB.price(citation(code=code), D("2026-03-02"))


def test_an_unknown_offence_number_is_never_guessed() -> None:
    with pytest.raises(TariffError, match="which offence"):
        LIB.price(citation(offence=0), D("2026-03-02"))


def test_a_clock_before_the_issue_date_gets_no_price() -> None:
    with pytest.raises(TariffError, match="2026-03-02"):
        LIB.price(citation(), D("2026-03-01"))


def test_days_on_which_the_clock_stood_still_do_not_count() -> None:
    assert LIB.price(citation(held_days=1), D("2026-03-10")).total_minor == 2500
    assert LIB.price(citation(held_days=1), D("2026-03-11")).total_minor == 3000
    assert LIB.price(citation(held_days=400), D("2026-03-11")).total_minor == 2500


STEP_TABLE = """
        base = { shape = "flat", component = "fee", amount_minor = 1000 }
        late = [{ shape = "total_steps", component = "late", steps = [{ at_days = 30, minor = 2500 },
                 { at_days = 60, minor = 5000 }, { at_days = 90, minor = 10000 }] }]
"""


@pytest.mark.parametrize(
    ("on", "major"),
    [
        ("2026-03-31", 10),
        ("2026-04-01", 25),
        ("2026-04-30", 25),
        ("2026-05-01", 50),
        ("2026-05-30", 50),
        ("2026-05-31", 100),
    ],
)
def test_a_step_table_replaces_the_amount_at_its_days(on: str, major: int) -> None:
    assert total(STEP_TABLE, on) == major * 100


@pytest.mark.parametrize(("on", "minor"), [("2026-04-30", 8317), ("2026-05-01", 9149)])
def test_ten_percent_once_is_rounded_half_up_the_day_after_the_due_date(on: str, minor: int) -> None:
    bill = Invoice(service="water_bill", number="0212345678", currency="USD", amount_minor=8317,
                   issued=D("2026-04-01"), due=D("2026-04-30"))  # fmt: skip
    assert LIB.price(bill, D(on)).total_minor == minor


@pytest.mark.parametrize(
    ("on", "minor"), [("2026-01-31", 100000), ("2026-02-01", 101000), ("2026-03-01", 102000), ("2026-02-28", 101000)]
)
def test_one_percent_a_month_is_simple_and_begins_the_day_after(on: str, minor: int) -> None:
    policy = """
        base = { shape = "face", component = "fee" }
        late = [{ shape = "percent_monthly", component = "late", since = "due", percent = 1 }]
    """
    assert total(policy, on, amount_minor=100000, issued=D("2026-01-02"), due=D("2026-01-31")) == minor


@pytest.mark.parametrize(
    ("percent", "after", "issued", "on", "minor"),
    [
        (50, "01-31", "2025-12-01", "2026-01-31", 6000),
        (50, "01-31", "2025-12-01", "2026-02-01", 9000),
        (100, "11-01", "2026-01-02", "2026-11-01", 6000),
        (100, "11-01", "2026-01-02", "2026-11-02", 12000),
    ],
)
def test_a_percentage_of_the_fee_begins_after_its_calendar_date(
    percent: int, after: str, issued: str, on: str, minor: int
) -> None:
    policy = f"""
        base = {{ shape = "flat", component = "fee", amount_minor = 6000 }}
        late = [{{ shape = "percent_by_date", component = "late", percent = {percent}, after = "{after}" }}]
    """
    assert total(policy, on, issued=D(issued)) == minor


@pytest.mark.parametrize(
    ("begins", "minor"), [("2026-01-01", 6000), ("2026-04-01", 4500), ("2026-09-30", 3000), ("2026-12-31", 1500)]
)
def test_a_yearly_fee_is_prorated_by_the_quarter_in_which_it_begins(begins: str, minor: int) -> None:
    policy = """
        base = { shape = "prorated", component = "fee", amount_minor = 6000, percents = [100, 75, 50, 25] }
        late = []
    """
    assert total(policy, "2026-12-31", issued=D(begins)) == minor


def test_the_version_of_the_issue_date_prices_whatever_the_day_of_payment() -> None:
    quote = LIB.price(citation(issued=D("2025-12-31"), offence=2), D("2026-11-30"))
    assert quote.total_minor == 1500
    assert {line.rule for line in quote.lines} == {"expired-meter@2020-01-01"}


def test_an_expired_version_prices_nothing_dated_later() -> None:
    old = [policy for policy in LIB.policies if policy.version == "expired-meter@2020-01-01"]
    with pytest.raises(TariffError, match="in force"):
        price(citation(), old, LIB.service("parking_citation"), D("2026-03-02"))


def test_every_line_says_why_and_by_which_ordinance() -> None:
    quote = LIB.price(citation(), D("2026-04-02"))
    assert [(line.reason.id, dict(line.reason.params)) for line in quote.lines] == [
        ("fee.base.expired_meter", {"code": "01", "offence": 3}),
        ("fee.late.step", {"days": 7, "since_date": "2026-03-10"}),
        ("fee.late.step", {"days": 30, "since_date": "2026-04-02"}),
    ]
    assert all(line.citation and line.rule == "expired-meter@2026-01-01" for line in quote.lines)


def test_a_total_step_tells_the_new_total() -> None:
    found, service = licence(STEP_TABLE)
    invoice = Invoice(service="s", number="1", currency="USD", amount_minor=None, issued=D("2026-03-02"))
    late = price(invoice, [found], service, D("2026-05-01")).lines[1]
    assert dict(late.reason.params)["total"] == Money(5000, "USD")


def test_what_was_paid_before_and_here_lowers_what_is_due() -> None:
    quote = LIB.price(citation(paid_minor=1000), D("2026-03-02"), own_paid_minor=500)
    assert (quote.total_minor, quote.paid_minor, quote.due_minor) == (2500, 1500, 1000)


def test_what_was_paid_in_full_here_never_grows_again_although_the_data_do_not_know_it_yet() -> None:
    unpaid = LIB.price(citation(), D("2026-03-09"))
    late = D("2026-05-01")
    stale = LIB.price(citation(), late, own_paid_minor=unpaid.due_minor, settled_on=D("2026-03-09"))
    assert (stale.due_minor, stale.priced_on) == (0, late)
    partial = LIB.price(citation(), late, own_paid_minor=unpaid.due_minor - 100)
    assert partial.due_minor == 100 + 1500


def test_an_invoice_of_another_currency_or_service_is_not_priced() -> None:
    with pytest.raises(TariffError):
        LIB.price(citation(currency="CAD"), D("2026-03-02"))
    with pytest.raises(TariffError):
        LIB.price(citation(service="dog_licence"), D("2026-03-02"))


def test_a_face_amount_must_be_named_by_the_invoice() -> None:
    bill = Invoice(service="water_bill", number="0212345678", currency="USD", amount_minor=None,
                   issued=D("2026-04-01"), due=D("2026-04-30"))  # fmt: skip
    with pytest.raises(TariffError, match="amount"):
        LIB.price(bill, D("2026-04-02"))


def test_prior_offences_count_within_365_days_and_within_18_months() -> None:
    issued = D("2026-03-02")
    assert offence_number(issued, (D("2025-03-02"),), days=365) == 2
    assert offence_number(issued, (D("2025-03-01"),), days=365) == 1
    assert first_counting_day(issued, months=18) == D("2024-09-02")
    assert offence_number(issued, (D("2024-09-01"), D("2024-09-02")), months=18) == 2


@given(st.dates(D("2000-01-01"), D("2090-01-01")), st.integers(0, 1500))
def test_months_begun_never_shrink_and_a_month_begins_the_day_after_its_anniversary(due: dt.date, days: int) -> None:
    on = due + dt.timedelta(days=days)
    begun = months_begun(due, on)
    assert begun <= months_begun(due, on + dt.timedelta(days=1)) <= begun + 1
    assert begun == 0 or add_months(due, begun - 1) < on <= add_months(due, begun)


@given(st.integers(0, 800), st.integers(0, 60), st.sampled_from(["01", "06", "21", "25"]), st.integers(1, 9))
def test_a_price_never_shrinks_with_time_and_never_grows_by_holding_the_clock(
    days: int, held: int, code: str, offence: int
) -> None:
    on = D("2026-03-02") + dt.timedelta(days=days)
    now = LIB.price(citation(code=code, offence=offence), on)
    later = LIB.price(citation(code=code, offence=offence), on + dt.timedelta(days=1))
    kept = LIB.price(citation(code=code, offence=offence, held_days=held), on)
    assert kept.total_minor <= now.total_minor <= later.total_minor
    assert now == LIB.price(citation(code=code, offence=offence), on)
