"""Held tender: what an invoice without part payment leaves over waits for it, and no cent is lost or made."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kiosk.errors import LedgerError
from kiosk.ledger.allocation import Split, allocate, in_fill_order
from kiosk.ledger.balances import fold
from kiosk.ledger.entries import check, note_credited, settlement
from kiosk.model.entry import Entry
from kiosk.model.facts import Held
from kiosk.model.invoice import Invoice, Quote
from kiosk.model.money import Money
from tests.ledger.test_entries import CHART, SERVICES, quote

Name = tuple[str, str]
FINE = {"fine": 4500, "late_fee": 500}
TAX = quote("tax", "T1", {"sheet": 10000})
SECOND_TAX = quote("tax", "T2", {"sheet": 3000})
CITATION = quote("parking_citation", "260004175", FINE)


def settle(tender: int, *quotes: Quote, held: dict[Name, int] | None = None) -> tuple[Split, Entry]:
    split = allocate(tender, quotes, SERVICES, held)
    return split, check(settlement(CHART, SERVICES, split), CHART)


def postings(entry: Entry) -> dict[str, int]:
    return {posting.account: posting.minor for posting in entry.postings}


def test_what_is_left_is_held_for_the_first_invoice_that_takes_no_part_payment() -> None:
    split, entry = settle(6000, TAX, CITATION)
    assert [(share.number, share.minor) for share in split.shares] == [("T1", 0), ("260004175", 5000)]
    assert (split.held, split.overpayment_minor) == ((Held("tax", "T1", 1000),), 0)
    assert postings(entry) == {"A698": 6000, "A2610": -5000, "A699": -1000}


def test_of_two_invoices_that_lack_money_the_first_one_holds_it() -> None:
    split, _ = settle(2999, TAX, SECOND_TAX, held={("tax", "T2"): 0})
    assert split.held == (Held("tax", "T1", 2999),)
    split, _ = settle(3000, TAX, SECOND_TAX)
    assert [(share.number, share.minor) for share in split.shares] == [("T1", 0), ("T2", 3000)]


def test_held_money_and_the_rest_pay_the_invoice() -> None:
    split, entry = settle(4000, TAX, held={("tax", "T1"): 6000})
    assert (split.outcome, split.used, split.held) == ("paid", (Held("tax", "T1", 6000),), ())
    assert postings(entry) == {"A698": 4000, "A699": 6000, "A2130": -10000}


def test_held_money_that_covers_everything_pays_without_a_note() -> None:
    split, entry = settle(0, TAX, held={("tax", "T1"): 10000})
    assert (split.outcome, split.tender_minor, split.used_minor) == ("paid", 0, 10000)
    assert postings(entry) == {"A699": 10000, "A2130": -10000}


def test_more_money_for_an_invoice_that_still_lacks_some_is_added_to_what_is_held() -> None:
    split, entry = settle(1000, TAX, held={("tax", "T1"): 6000})
    assert (split.used, split.held) == ((Held("tax", "T1", 6000),), (Held("tax", "T1", 7000),))
    assert postings(entry) == {"A698": 1000, "A699": -1000}, "what was held and still is moves nothing"


def test_money_held_for_one_invoice_never_pays_another() -> None:
    split, entry = settle(2000, TAX, CITATION, held={("tax", "T1"): 6000})
    assert [(share.number, share.minor) for share in split.shares] == [("T1", 0), ("260004175", 2000)]
    assert (split.used, split.held) == ((Held("tax", "T1", 6000),), (Held("tax", "T1", 6000),))
    assert "A699" not in postings(entry), "no posting of nothing"


def test_held_money_that_an_invoice_needs_no_more_is_owed_to_the_citizen() -> None:
    """The bill shrank after the money was put by: it was adjusted, or partly paid elsewhere."""
    shrunk = quote("tax", "T1", {"sheet": 10000}, paid=7000)
    split, entry = settle(0, shrunk, held={("tax", "T1"): 6000})
    assert (split.applied_minor, split.overpayment_minor, split.held) == (3000, 3000, ())
    assert postings(entry) == {"A699": 6000, "A2130": -3000, "A690": -3000}


def test_an_invoice_that_takes_part_payment_by_now_uses_what_is_held() -> None:
    split, _ = settle(0, CITATION, held={("parking_citation", "260004175"): 2000})
    assert (split.outcome, split.applied_minor, split.held) == ("partial", 2000, ())


def test_nothing_fed_and_nothing_paid_by_what_is_held_posts_nothing() -> None:
    with pytest.raises(LedgerError):
        settle(0, TAX, held={("tax", "T1"): 6000})


@pytest.mark.parametrize("held", [{("tax", "T9"): 5}, {("tax", "T1"): -5}])
def test_money_held_for_a_stranger_or_below_zero_is_refused(held: dict[Name, int]) -> None:
    with pytest.raises(LedgerError):
        allocate(100, (TAX,), SERVICES, held)


def test_the_fill_order_is_rank_then_the_declared_order() -> None:
    def invoice(service: str, number: str, day: int) -> Invoice:
        issued = dt.date(2026, 3, day)
        return Invoice(service=service, number=number, currency="USD", amount_minor=100, issued=issued)

    cart = [invoice("trash_tags", "1", 9), invoice("tax", "2", 3), invoice("trash_tags", "3", 1)]
    services = dict(SERVICES)
    assert in_fill_order(cart, services, "scanned") == [0, 1, 2]
    assert in_fill_order(cart, services, "oldest_first") == [2, 1, 0]
    services["tax"] = msgspec.structs.replace(services["tax"], rank=-1)
    assert in_fill_order(cart, services, "scanned") == [1, 0, 2]
    assert in_fill_order(cart, services, "oldest_first") == [1, 2, 0]
    assert in_fill_order([invoice("gone", "4", 1), *cart], services, "scanned") == [2, 0, 1, 3]


# --- properties -----------------------------------------------------------------------------------------------

AMOUNT = st.integers(1, 12000)
KINDS = st.sampled_from(["tax", "tax", "trash_tags", "water_bill", "parking_citation"])
COMPONENT = {"tax": "sheet", "trash_tags": "sheet", "water_bill": "usage", "parking_citation": "fine"}


@st.composite
def carts(draw: st.DrawFn) -> tuple[tuple[Quote, ...], dict[Name, int]]:
    """One to four invoices, some with money held; more than they cost now and then."""
    kinds = draw(st.lists(KINDS, min_size=1, max_size=4))
    quotes = []
    for place, kind in enumerate(kinds):
        amount = draw(AMOUNT)
        paid = draw(st.integers(0, amount)) if draw(st.booleans()) else 0
        quotes.append(quote(kind, str(place), {COMPONENT[kind]: amount}, paid))
    held = {
        (each.service, each.number): draw(st.integers(0, each.total_minor))
        for each in quotes
        if SERVICES[each.service].partial == "refused" and draw(st.booleans())
    }
    return tuple(quotes), held


@given(carts(), st.integers(0, 40000))
def test_used_and_tender_are_applied_overpaid_or_held(
    cart: tuple[tuple[Quote, ...], dict[Name, int]], tender: int
) -> None:
    quotes, held = cart
    split = allocate(tender, quotes, SERVICES, held)
    assert split.used_minor + tender == split.applied_minor + split.overpayment_minor + split.held_minor
    assert split.used_minor == sum(held.values())
    assert split.overpayment_minor >= 0
    afterwards = {(each.service, each.number): each.minor for each in split.held}
    for share, asked in zip(split.shares, quotes, strict=True):
        name = (share.service, share.number)
        assert 0 <= share.minor <= asked.due_minor, "no invoice gets more than its balance"
        if name in afterwards:
            assert (SERVICES[share.service].partial, share.outcome) == ("refused", "none")
            assert max(1, held.get(name, 0)) <= afterwards[name] < asked.due_minor
    if any(SERVICES[s.service].partial == "refused" and s.outcome == "none" for s in split.shares):
        surplus = sum(max(0, minor - _due(quotes, name)) for name, minor in held.items())
        assert split.overpayment_minor <= surplus, "nothing fresh is owed while an invoice waits for it"
    if not tender and not (split.used_minor and split.applied_minor):
        return
    entry = check(settlement(CHART, SERVICES, split), CHART)
    moved = postings(entry)
    assert moved.get("A699", 0) == split.used_minor - split.held_minor
    assert moved.get("A690", 0) == -split.overpayment_minor
    assert moved.get("A698", 0) == tender


def _due(quotes: tuple[Quote, ...], name: Name) -> int:
    return next(each.due_minor for each in quotes if (each.service, each.number) == name)


@given(st.lists(AMOUNT, min_size=1, max_size=4), st.lists(st.integers(1, 9000), min_size=1, max_size=5))
@example([10000], [6000, 4000])
@example([10000, 3000], [2999, 9000, 9000])
def test_paying_in_several_visits_ends_as_paying_at_once(bills: list[int], visits: list[int]) -> None:
    """Each visit scans what is still open; what the last one lacks is fed then."""
    quotes = {("tax", str(place)): quote("tax", str(place), {"sheet": minor}) for place, minor in enumerate(bills)}
    entries: list[Entry] = []
    held: dict[Name, int] = {}
    fed = 0
    left = dict(quotes)
    for tender in [*visits, 0]:
        if not left:
            break
        lacking = sum(each.due_minor for each in left.values()) - sum(held.values())
        tender = min(tender, lacking) if tender else lacking
        if tender:
            entries.append(note_credited(CHART, Money(tender, "USD")))
        split, entry = settle(tender, *left.values(), held=held)
        entries.append(entry)
        fed += tender
        held = {(each.service, each.number): each.minor for each in split.held}
        for share in split.shares:
            if share.outcome == "full":
                del left[share.service, share.number]
    assert (left, held) == ({}, {})
    assert fed == sum(bills)
    once = [note_credited(CHART, Money(fed, "USD")), settle(fed, *quotes.values())[1]]
    assert fold(entries) == fold(once)
