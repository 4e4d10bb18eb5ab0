"""What is told before the first note: notes, excess, shortage, order, appeal, the frozen price."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from kiosk.checkout.counter import CityCounter
from kiosk.checkout.events import CartItem
from kiosk.model.invoice import Invoice
from kiosk.model.money import Money
from kiosk.model.texts import Text
from kiosk.tariff.library import TariffLibrary
from kiosk.texts import Catalogue
from tests.tariff.example_city import CONFIG, chart, library

DAY = dt.date(2026, 11, 22)
CATALOGUE = Catalogue.load([CONFIG / "texts"])
NOTES = tuple(Money(minor, "USD") for minor in (100, 500, 2000))


def counter(fill_order: str = "scanned", **services: dict[str, Any]) -> CityCounter:
    """The example city with some keys of its services changed."""
    known = library()
    changed = {
        name: msgspec.structs.replace(service, **services.get(name, {})) for name, service in known.services.items()
    }
    rules = tuple(msgspec.structs.replace(each, fill_order=fill_order) for each in known.cash_rules)
    return CityCounter(TariffLibrary(changed, known.policies, rules, known.digest), chart(), "USD")


def item(service: str, number: str, issued: dt.date = dt.date(2026, 11, 5), held: int = 0) -> CartItem:
    more: dict[str, Any] = (
        {"code": "06", "offence": 1} if service == "parking_citation" else {"due": dt.date(2027, 1, 31)}
    )
    amount = None if service == "parking_citation" else 12000
    invoice = Invoice(service=service, number=number, currency="USD", amount_minor=amount, issued=issued, **more)
    return CartItem(invoice, library().price(invoice, DAY), held_minor=held)


CITATION, WATER, TAX = (
    item(name, str(at)) for at, name in enumerate(("parking_citation", "water_bill", "property_tax"))
)


def ids(texts: tuple[Text, ...]) -> list[str]:
    return [each.id.removeprefix("condition.") for each in texts]


def words(texts: tuple[Text, ...], language: str) -> str:
    return " ".join(CATALOGUE.say(each, language) for each in texts)


def test_the_notes_that_are_taken_are_listed_in_the_readers_manner() -> None:
    told = counter().conditions((WATER,), NOTES)
    assert "Notes taken: $1, $5, $20." in words(told, "en")
    assert "Billetes aceptados: $1, $5, $20." in words(told, "es")
    assert "notes" not in ids(counter().conditions((WATER,)))


def test_everything_that_must_be_told_is_told_in_order() -> None:
    assert ids(counter().conditions((CITATION,), NOTES)) == [
        "notes", "no_change", "excess_credit", "shortage_partial", "pay_blocks_appeal", "frozen",
    ]  # fmt: skip
    assert "even past midnight" in words(counter().conditions((CITATION,)), "en")


@pytest.mark.parametrize(
    ("services", "becomes"),
    [
        ((CITATION, WATER), "credit"),
        ((CITATION, TAX), "refund"),
        ((TAX, CITATION, WATER), "refund"),
    ],
)
def test_a_cart_follows_the_strictest_rule_for_an_excess(services: tuple[CartItem, ...], becomes: str) -> None:
    city = counter()
    assert city.excess(services) == becomes
    assert f"excess_{becomes}" in ids(city.conditions(services))
    strict = counter(water_bill={"over": "refuse"})
    if WATER in services:
        assert strict.excess(services) == "refuse"
        assert "excess_refuse" in ids(strict.conditions(services))


def test_cash_rules_without_any_excess_refuse_it_whatever_a_service_says() -> None:
    city = counter()
    rules = tuple(msgspec.structs.replace(each, excess_at_most_minor=0) for each in city.library.cash_rules)
    city.library = msgspec.structs.replace(city.library, cash_rules=rules)
    assert city.excess((CITATION,)) == "refuse"


@pytest.mark.parametrize(
    ("cart", "shortage"),
    [((CITATION,), "partial"), ((TAX,), "held"), ((TAX, CITATION), "mixed"), ((WATER, CITATION), "partial")],
)
def test_what_happens_if_the_cash_runs_out_follows_the_cart(cart: tuple[CartItem, ...], shortage: str) -> None:
    assert [name for name in ids(counter().conditions(cart)) if name.startswith("shortage")] == [f"shortage_{shortage}"]


@pytest.mark.parametrize(
    ("appeal", "told"),
    [
        ("pay_blocks_appeal", "A citation that is paid can no longer be appealed."),
        ("appeal_requires_payment", "An appeal is possible only after payment."),
        ("independent", "You can pay and still appeal."),
        ("none", ""),
    ],
)
def test_whether_paying_gives_up_an_appeal_is_told_before_the_first_note(appeal: str, told: str) -> None:
    texts = counter(parking_citation={"appeal": appeal}).conditions((CITATION, WATER))
    known = {"pay_blocks_appeal", "appeal_requires_payment", "independent"}
    assert [name for name in ids(texts) if name in known] == ([appeal] if told else [])
    assert told in words(texts, "en")


def test_two_services_with_different_appeals_tell_both_and_the_same_one_once() -> None:
    city = counter(water_bill={"appeal": "independent"}, property_tax={"appeal": "independent"})
    texts = ids(city.conditions((CITATION, WATER, TAX)))
    assert [texts.count(name) for name in ("pay_blocks_appeal", "independent")] == [1, 1]


def test_money_held_from_before_is_told_up_to_what_the_bill_costs() -> None:
    for held, told in ((5000, "$50.00 is held"), (13000, "$120.00 is held")):
        cart = (msgspec.structs.replace(TAX, held_minor=held),)
        assert told in words(counter().conditions(cart), "en")
    assert "held_before" not in ids(counter().conditions((TAX,)))


def test_several_bills_are_filled_in_the_declared_order_and_the_screen_says_so() -> None:
    old = item("water_bill", "77", dt.date(2026, 10, 1))
    cart = (CITATION, old)
    for order, first, told in (
        ("scanned", CITATION, f"in the order in which you added them, first {CITATION.quote.number}."),
        ("oldest_first", old, "the oldest bill first: 77."),
    ):
        city = counter(order)
        assert city.fill_order(cart)[0] is first
        assert told in words(city.conditions(cart), "en")
    ranked = counter("oldest_first", parking_citation={"rank": -1})
    assert ranked.fill_order(cart)[0] is CITATION
    assert "that the city has set, first 0." in words(ranked.conditions(cart), "en")
    assert not [name for name in ids(counter().conditions((old,))) if name.startswith("fill")]


def test_money_fills_the_cart_in_the_order_it_has() -> None:
    split = counter().settle((WATER, CITATION), Money(12100, "USD"))
    assert [(part.number, part.minor) for part in split.allocations] == [("1", 12000), ("0", 100)]
    split = counter().settle((CITATION, WATER), Money(3100, "USD"))
    assert [(part.number, part.minor) for part in split.allocations] == [("0", 3000), ("1", 100)]


@pytest.mark.parametrize(("over", "excess"), [("credit", "credit"), ("refund", "refund"), ("refuse", "refund")])
def test_a_settlement_says_what_becomes_of_its_excess(over: str, excess: str) -> None:
    city = counter(water_bill={"over": over})
    assert city.settle((WATER,), Money(12500, "USD")).excess == excess
    assert city.settle((WATER,), Money(12000, "USD")).excess == ""


def test_a_bill_above_the_cash_cap_is_taken_once_enough_is_held_for_it() -> None:
    large = Invoice(service="property_tax", number="9", currency="USD", amount_minor=145000,
                    issued=dt.date(2026, 11, 2), due=dt.date(2027, 1, 31))  # fmt: skip
    bill = CartItem(large, library().price(large, DAY))
    refused = counter().payable(bill, 0)
    assert refused is not None
    assert refused.id == "notice.above_cash_cap"
    assert counter().payable(msgspec.structs.replace(bill, held_minor=45000), 0) is None


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_condition_has_words_in_every_language(language: str) -> None:
    for over in ("credit", "refund", "refuse"):
        for order in ("scanned", "oldest_first"):
            for cart in ((CITATION,), (TAX,), (msgspec.structs.replace(TAX, held_minor=5), CITATION)):
                told = counter(order, parking_citation={"over": over}).conditions(cart, NOTES)
                assert "[" not in words(told, language)
                assert "…" not in words(told, language)
    assert not {pair for pair in CATALOGUE.missing if pair[1].startswith("condition")}
