"""`verify` holds what settlements hold for invoices, and later use up, against each other."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from kiosk.journal.books import Books
from kiosk.journal.findings import Finding
from kiosk.model.entry import Entry, Posting
from kiosk.model.facts import Allocation, AnyBody, Fact, Held, ReceiptIssued, ReceiptTotal, Settled, TenderFrozen
from tests.journal.conftest import stamp_at
from tests.journal.examples import credited, intended, reversal

TAX = ("property_tax", "20260007")


def held(minor: int) -> tuple[Held, ...]:
    return (Held(*TAX, minor),) if minor else ()


def settlement(tender: int, *, used: int = 0, kept: int = 0, applied: int = 0, over: int = 0) -> Settled:
    """A settlement of one tax bill whose entry balances whatever the sums say."""
    entry = Entry("USD", (Posting("unapplied", 5), Posting("other", -5)), "settlement")
    parts = (Allocation(*TAX, applied, 0, "full"),) if applied else ()
    outcome = "paid" if applied else "unapplied"
    return Settled(tender, "USD", parts, over, entry, outcome, "citizen", held(used), held(kept))


def slip(number: int, seq: int, about: Settled) -> ReceiptIssued:
    sums = {
        "tender": about.tender_minor,
        "used": sum(each.minor for each in about.used),
        "applied": sum(each.minor for each in about.allocations),
        "overpayment": about.overpayment_minor,
        "held": sum(each.minor for each in about.held),
    }
    totals = tuple(ReceiptTotal(name, minor) for name, minor in sums.items())
    return ReceiptIssued(number, "receipt" if sums["applied"] else "credit", 1, "en", (), totals, "USD", seq)


def findings(bodies: Sequence[AnyBody]) -> list[Finding]:
    found: list[Finding] = []
    books = Books(found.append, None)
    for seq, body in enumerate(bodies, 1):
        books.step(Fact(version=1, kiosk="K07", epoch=1, seq=seq, realm="demo", stamp=stamp_at(seq), body=body))
    books.end()
    return found


def codes(bodies: Sequence[AnyBody]) -> list[str]:
    return [finding.code for finding in findings(bodies)]


#: 60.00 fed for a tax bill of 100.00 that takes no part payment …
FIRST = [intended(1, 6000), credited(1, 6000), one := settlement(6000, kept=6000), slip(1, 3, one)]
#: … and the other 40.00 later.
SECOND = [intended(2, 4000), credited(2, 4000), two := settlement(4000, used=6000, applied=10000), slip(2, 7, two)]


def test_money_held_in_one_settlement_and_used_in_the_next_is_sound() -> None:
    assert codes([*FIRST, *SECOND]) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"kept": 5900},
        {"kept": 6100},
        {"kept": 6000, "over": 100},
        {"kept": 6000, "applied": 100},
        {"kept": -100, "over": 6100},
    ],
)
def test_a_settlement_whose_equation_is_off_is_found(wrong: dict[str, int]) -> None:
    off = settlement(6000, **wrong)
    assert "settlement_differs" in codes([*FIRST[:2], off, slip(1, 3, off)])


def test_money_held_for_an_invoice_that_took_some_in_the_same_settlement_is_found() -> None:
    both = settlement(6000, kept=1000, applied=5000)
    assert codes([*FIRST[:2], both, slip(1, 3, both)]) == ["settlement_differs"]


def test_using_more_than_was_held_is_found() -> None:
    much = settlement(4000, used=6001, applied=10001)
    assert codes([*FIRST, *SECOND[:2], much, slip(2, 7, much)]) == ["held_overdrawn"]


def test_held_money_can_be_used_once() -> None:
    again = settlement(0, used=6000, applied=6000)
    assert codes([*FIRST, *SECOND, again, slip(3, 9, again)]) == ["held_overdrawn"]


def test_an_amount_used_in_two_pieces_of_one_settlement_counts_whole() -> None:
    twice = msgspec.structs.replace(two, used=(*held(4000), *held(4000)), overpayment_minor=2000)
    assert "held_overdrawn" in codes([*FIRST, *SECOND[:2], twice, slip(2, 7, twice)])


def test_tender_that_counts_more_than_is_held_is_found() -> None:
    for minor, expected in ((6000, []), (6001, ["held_overdrawn"])):
        frozen = TenderFrozen((), 10000, "USD", "en", held(minor))
        assert codes([*FIRST, frozen]) == expected


def test_a_settlement_by_held_money_alone_needs_its_slip() -> None:
    alone = settlement(0, used=6000, applied=6000)
    assert codes([*FIRST, alone, slip(2, 5, alone)]) == []
    assert codes([*FIRST, alone]) == ["receipt_missing"]


def test_a_slip_that_tells_other_sums_than_were_held_or_used_is_found() -> None:
    for name in ("used", "held"):
        told = slip(1, 3, one)
        totals = tuple(ReceiptTotal(t.name, t.minor + 1 if t.name == name else t.minor) for t in told.totals)
        assert codes([*FIRST[:3], msgspec.structs.replace(told, totals=totals)]) == ["receipt_differs"]


def test_a_reversed_settlement_holds_nothing_any_more() -> None:
    undone = reversal(1, 3, one.entry)
    assert codes([*FIRST, undone, *SECOND[:2], two, slip(2, 8, two)]) == ["reversal_of_payment", "held_overdrawn"]
