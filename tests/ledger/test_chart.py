"""The chart: roles, kinds and funds are checked at load."""

from __future__ import annotations

import pytest

from kiosk.errors import LedgerError, PolicyError
from kiosk.ledger.chart import check_services, load_chart
from tests.tariff.example_city import CONFIG, chart, library

TEXT = (CONFIG / "chart.toml").read_text(encoding="utf-8")


def test_the_example_chart_serves_the_example_services() -> None:
    check_services(chart(), library().services.values())
    assert chart().find(chart().roles.cash_in_box).kind == "asset"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("cash_in_box = ", "cash_in_bxo = ", "chart.toml.*cash_in_bxo.*did you mean `cash_in_box`"),
        ('cash_in_box = "A200"', 'cash_in_box = "A201"', "roles.cash_in_box.*'A201' is not in the chart"),
        ('cash_in_box = "A200"', 'cash_in_box = "A690"', "not of kind asset"),
        ('suspense = "A691"', 'suspense = "A690"', "share an account"),
        ('code = "A691"', 'code = "A690"', "listed twice"),
        ('due_from = "F391"', 'due_from = "A380"', "wrong funds"),
        ("[funds.F]", "[funds.G]", "'F' has no link"),
        ('kind = "asset"', 'kind = "cash"', "Invalid enum value"),
    ],
)
def test_a_chart_that_contradicts_itself_does_not_load(old: str, new: str, told: str) -> None:
    assert old in TEXT
    with pytest.raises(PolicyError, match=told):
        load_chart(TEXT.replace(old, new, 1))


def test_a_role_outside_the_fund_of_the_cash_box_is_refused() -> None:
    place = TEXT.index('code = "A690"')
    with pytest.raises(PolicyError, match="not in fund"):
        load_chart(TEXT[:place] + TEXT[place:].replace('fund = "A"', 'fund = "F"', 1))


def test_a_service_that_posts_to_an_unknown_account_or_to_an_asset_is_refused() -> None:
    water = library().service("water_bill")
    for account in ("F9999", "A200"):
        water.accounts["usage"], kept = account, water.accounts["usage"]
        try:
            with pytest.raises(PolicyError, match=r"accounts\.usage"):
                check_services(chart(), [water])
        finally:
            water.accounts["usage"] = kept


def test_an_unknown_account_is_told_by_its_code() -> None:
    with pytest.raises(LedgerError, match="A999"):
        chart().find("A999")
    assert chart().knows("A690")


def test_the_digest_of_a_chart_changes_with_its_content_only() -> None:
    assert load_chart("# a comment\n" + TEXT).digest == chart().digest
    assert load_chart(TEXT.replace("account.cash", "account.notes")).digest != chart().digest
