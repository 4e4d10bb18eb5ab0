"""Entries: the receipt of the domain sheet §6 to the cent, and what must hold for every entry."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import LedgerError, MoneyError
from kiosk.ledger.allocation import Split, allocate
from kiosk.ledger.balances import Balances, box_content, entry_of, fold
from kiosk.ledger.entries import check, net, note_credited, note_disputed, note_suspended, reversal, settlement
from kiosk.model.entry import Entry, Posting
from kiosk.model.facts import Held, NoteCredited, Started
from kiosk.model.ids import NoteId
from kiosk.model.invoice import Invoice, Quote, QuoteLine
from kiosk.model.money import Money
from kiosk.model.texts import text
from kiosk.tariff.services import NumberRule, Service
from tests.tariff.example_city import chart, library

CHART = chart()
TAGS = Service(id="trash_tags", kind="goods", name="service.trash_tags", currency="USD", policies=("tags",), layouts=(),
               number=NumberRule(length=4), accounts={"sheet": "A2130"}, order=("sheet",))  # fmt: skip
TAX = msgspec.structs.replace(TAGS, id="tax", partial="refused")
SERVICES = {**library().services, "trash_tags": TAGS, "tax": TAX}
NOTES = st.lists(st.sampled_from([100, 500, 1000, 2000, 5000, 10000]), max_size=12)


def quote(service: str, number: str, parts: dict[str, int], paid: int = 0) -> Quote:
    """A quote with plain reasons."""
    lines = tuple(
        QuoteLine(name, minor, text("fee.base.flat"), "r@2026-01-01", "example") for name, minor in parts.items()
    )
    return Quote(service, number, "USD", lines, dt.date(2026, 3, 10), paid)


CITATION = quote("parking_citation", "260004175", {"fine": 10000, "surcharge_county": 1500, "surcharge_city": 1500})
SHEET = quote("trash_tags", "0001", {"sheet": 2700})


def settle(tender: int, *quotes: Quote) -> tuple[Split, Entry]:
    """Divide and post."""
    split = allocate(tender, quotes, SERVICES)
    return split, settlement(CHART, SERVICES, split)


def test_the_receipt_of_the_sheet_posts_to_the_cent() -> None:
    """K07-1-000412: citation 130.00, tag sheet 27.00, 160.00 in notes, 3.00 over."""
    credited = [note_credited(CHART, Money(minor, "USD")) for minor in (10000, 2000, 2000, 2000)]
    split, settled = settle(16000, CITATION, SHEET)
    assert {account: minor for (_, account), minor in net([*credited, settled]).items()} == {
        "A200": 16000, "A2610": -11500, "A631": -1500, "A2130": -2700, "A690": -300,
    }  # fmt: skip
    assert (split.applied_minor, split.overpayment_minor, split.outcome) == (15700, 300, "paid")


def test_a_citation_and_a_water_bill_balance_in_every_fund() -> None:
    water = quote("water_bill", "0212345678", {"usage": 8317})
    fine = quote("parking_citation", "260004175", {"fine": 4500})
    split, entry = settle(14000, fine, water)
    assert split.overpayment_minor == 1183
    sums = {posting.account: posting.minor for posting in entry.postings}
    assert sums == {"A698": 14000, "A2610": -4500, "F2140": -8317, "A690": -1183, "A630": -8317, "F391": 8317}
    assert check(entry, CHART) is entry


def test_an_entry_over_two_funds_without_a_link_is_refused() -> None:
    entry = Entry("USD", (Posting("A200", 100), Posting("F2140", -100)), "settlement")
    assert check(entry) is entry
    with pytest.raises(LedgerError, match="fund"):
        check(entry, CHART)


@pytest.mark.parametrize(
    "postings",
    [
        (),
        (Posting("A200", 100),),
        (Posting("A200", 100), Posting("A690", -99)),
        (Posting("A200", 0), Posting("A690", 0)),
        (Posting("", 1), Posting("A690", -1)),
    ],
)
def test_what_does_not_balance_is_refused(postings: tuple[Posting, ...]) -> None:
    with pytest.raises(LedgerError):
        check(Entry("USD", postings, "note"))


def test_an_account_that_the_chart_does_not_know_is_refused() -> None:
    with pytest.raises(LedgerError, match="A999"):
        check(Entry("USD", (Posting("A200", 1), Posting("A999", -1)), "note"), CHART)


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(MoneyError):
        check(Entry("XXX", (Posting("A200", 1), Posting("A690", -1)), "note"))


def test_a_disputed_note_is_a_claim_and_never_cash_in_the_box() -> None:
    balances = fold([note_disputed(CHART, Money(2000, "USD")), note_suspended(CHART, Money(500, "USD"))])
    assert box_content(balances, CHART, "USD") == 500
    assert balances.of(CHART.roles.disputed_notes, "USD") == 2000
    assert balances.of(CHART.roles.disputed_claims, "USD") == -2000
    assert balances.of(CHART.roles.suspense, "USD") == -500


@pytest.mark.parametrize("minor", [0, -100])
def test_a_note_without_value_is_never_posted(minor: int) -> None:
    for build in (note_credited, note_suspended, note_disputed):
        with pytest.raises(LedgerError):
            build(CHART, Money(minor, "USD"))


def test_a_session_without_tender_posts_no_settlement() -> None:
    with pytest.raises(LedgerError):
        settle(0, CITATION)


def test_partial_payment_fills_the_declared_order_and_leaves_the_rest_open() -> None:
    split, entry = settle(2000, CITATION)
    assert [(part.line.component, part.minor) for part in split.shares[0].lines] == [
        ("surcharge_county", 1500),
        ("surcharge_city", 500),
    ]
    assert (split.shares[0].remaining_minor, split.outcome, split.overpayment_minor) == (11000, "partial", 0)
    assert {posting.account: posting.minor for posting in entry.postings} == {
        "A698": 2000,
        "A631": -1500,
        "A2610": -500,
    }


def test_what_was_paid_before_is_not_paid_again() -> None:
    split, _ = settle(20000, msgspec.structs.replace(CITATION, paid_minor=2000))
    assert [(part.line.component, part.minor) for part in split.shares[0].lines] == [
        ("surcharge_city", 1000),
        ("fine", 10000),
    ]
    assert (split.applied_minor, split.overpayment_minor) == (11000, 9000)


def test_a_service_that_refuses_part_payment_gets_all_or_nothing() -> None:
    tax = quote("tax", "0002", {"sheet": 5000})
    split, entry = settle(4900, tax)
    assert (split.outcome, split.held_minor, split.overpayment_minor, split.allocations()) == ("unapplied", 4900, 0, ())
    assert {posting.account: posting.minor for posting in entry.postings} == {"A698": 4900, "A699": -4900}
    split, _ = settle(4900, tax, SHEET)
    assert [(share.outcome, share.minor) for share in split.shares] == [("none", 0), ("full", 2700)]
    assert (split.outcome, split.held, split.overpayment_minor) == ("partial", (Held("tax", "0002", 2200),), 0)


def test_invoices_are_filled_in_cart_order() -> None:
    split, _ = settle(13500, CITATION, SHEET)
    assert [(each.number, each.minor, each.remaining_minor, each.outcome) for each in split.allocations()] == [
        ("260004175", 13000, 0, "full"),
        ("0001", 500, 2200, "partial"),
    ]


def test_a_cart_that_makes_no_sense_is_refused() -> None:
    for quotes in ((), (SHEET, SHEET), (SHEET, msgspec.structs.replace(CITATION, currency="CAD")),
                   (quote("trash_tags", "1", {"sheet": -5}),), (quote("nobody", "1", {"sheet": 5}),),
                   (quote("trash_tags", "1", {"other": 5}),)):  # fmt: skip
        with pytest.raises(LedgerError):
            allocate(100, quotes, SERVICES)
    with pytest.raises(LedgerError):
        allocate(-1, (SHEET,), SERVICES)


def test_several_part_payments_post_as_one_whole_payment_although_a_late_fee_came_between() -> None:
    lib = library()
    invoice = Invoice(service="parking_citation", number="260004175", currency="USD", amount_minor=None,
                      issued=dt.date(2026, 3, 2), code="21", offence=1)  # fmt: skip
    first, one = settle(11000, lib.price(invoice, dt.date(2026, 3, 3)))
    later = lib.price(invoice, dt.date(2026, 4, 3), own_paid_minor=first.applied_minor)
    _, two = settle(later.due_minor, later)
    _, whole = settle(14500, lib.price(invoice, dt.date(2026, 4, 3)))
    assert net([one, two]) == net([whole])


def test_a_reversal_undoes_its_original_exactly() -> None:
    _, entry = settle(16000, CITATION, SHEET)
    assert net([entry, reversal(entry)]) == {}
    assert reversal(entry).reason == "reversal"


@given(NOTES, st.integers(0, 30000), st.integers(0, 30000), st.integers(0, 12000), st.booleans())
def test_every_settlement_balances_and_no_invoice_gets_more_than_its_balance(
    notes: list[int], fine: int, usage: int, paid: int, refused: bool
) -> None:
    quotes = (
        quote("parking_citation", "260004175", {"fine": fine, "late_fee": 500, "surcharge_county": 1500}, paid),
        quote("tax" if refused else "trash_tags", "0001", {"sheet": 2700}),
        quote("water_bill", "0212345678", {"usage": usage, "late_fee": usage // 10}),
    )
    tender = sum(notes)
    split = allocate(tender, quotes, SERVICES)
    assert split.applied_minor + split.overpayment_minor + split.held_minor == tender
    for share, asked in zip(split.shares, quotes, strict=True):
        assert 0 <= share.minor <= asked.due_minor
        assert share.remaining_minor == asked.due_minor - share.minor
        assert sum(part.minor for part in share.lines) == share.minor
        assert all(0 < part.minor <= part.line.minor for part in share.lines)
    if not tender:
        return
    entries = [note_credited(CHART, Money(minor, "USD")) for minor in notes]
    entries.append(check(settlement(CHART, SERVICES, split), CHART))
    balances = fold(entries)
    assert box_content(balances, CHART, "USD") == tender
    assert balances.of(CHART.roles.unapplied_tender, "USD") == 0
    assert balances.of(CHART.roles.overpayment, "USD") == -split.overpayment_minor
    assert balances.of(CHART.roles.held_tender, "USD") == -split.held_minor
    assert sum(minor for *_, minor in balances.rows()) == 0


@given(st.lists(st.sampled_from([100, 500, 2000]), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_entries_does_not_change_the_balances(notes: list[int], order: object) -> None:
    entries = [build(CHART, Money(minor, "USD")) for minor in notes for build in (note_credited, note_suspended)]
    shuffled = list(entries)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fold(entries) == fold(shuffled)


def test_balances_take_only_facts_that_posted_and_survive_a_snapshot() -> None:
    balances = Balances()
    entry = note_credited(CHART, Money(2000, "USD"))
    fact = NoteCredited(NoteId("acceptor", 1), Money(2000, "USD"), entry)
    assert [balances.apply_fact(fact), balances.apply_fact(Started(False))] == [True, False]
    assert entry_of(fact) is entry
    assert Balances(balances.rows()) == balances
    with pytest.raises(LedgerError):
        Balances([("USD", "A200", 5)])
    with pytest.raises(LedgerError):
        balances.apply(Entry("USD", (Posting("A200", 5),), "note"))
    assert balances.of("A200", "USD") == 2000
