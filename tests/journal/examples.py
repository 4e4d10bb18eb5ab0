"""Example facts: one payment, and a strategy that makes any body."""

from __future__ import annotations

from hypothesis import strategies as st

from kiosk.model.entry import Entry, Posting
from kiosk.model.facts import (
    Allocation,
    AnyBody,
    NoteCredited,
    NoteDisputed,
    NoteReturned,
    NoteSuspended,
    ReceiptIssued,
    ReceiptTotal,
    Reversed,
    Settled,
    StackIntended,
    Started,
)
from kiosk.model.ids import NoteId
from kiosk.model.money import Money

STARTED = Started(unclean=False)


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def moved(debit: str, credit: str, minor: int, reason: str = "note") -> Entry:
    return Entry("USD", (Posting(debit, minor), Posting(credit, -minor)), reason)


def intended(serial: int, minor: int) -> StackIntended:
    return StackIntended(NoteId("acceptor", serial), usd(minor))


def credited(serial: int, minor: int, *, recovered: bool = False) -> NoteCredited:
    return NoteCredited(NoteId("acceptor", serial), usd(minor), moved("cash_box", "unapplied", minor), recovered)


def returned(serial: int) -> NoteReturned:
    return NoteReturned(NoteId("acceptor", serial), "acceptor", "commanded")


def disputed(serial: int, minor: int) -> NoteDisputed:
    return NoteDisputed(NoteId("acceptor", serial), usd(minor), "silence", moved("cash_in_dispute", "disputed", minor))


def suspended(serial: int | None, minor: int | None) -> NoteSuspended:
    note = NoteId("acceptor", serial) if serial else None
    entry = moved("cash_box", "suspense", minor) if minor else None
    return NoteSuspended("acceptor", note, usd(minor) if minor else None, "outside a session", entry)


def settled(tender: int, applied: int) -> Settled:
    over = tender - applied
    postings = [Posting("unapplied", tender), Posting("fines", -applied)]
    if over:
        postings.append(Posting("overpayments", -over))
    allocation = Allocation("parking_citation", "PC1", applied, 0, "full")
    return Settled(tender, "USD", (allocation,), over, Entry("USD", tuple(postings), "settlement"), "paid", "citizen")


def receipt(number: int, about_seq: int, tender: int, applied: int, slip: str = "receipt") -> ReceiptIssued:
    totals = (
        ReceiptTotal("tender", tender),
        ReceiptTotal("applied", applied),
        ReceiptTotal("overpayment", tender - applied),
    )
    return ReceiptIssued(number, slip, 1, "en", (), totals, "USD", about_seq)


def payment(seq: int, serial: int = 1, number: int = 1) -> list[AnyBody]:
    """A whole example payment whose first fact will be `seq`: 50.00 in two notes for 45.00."""
    return [
        intended(serial, 2000),
        credited(serial, 2000),
        intended(serial + 1, 3000),
        credited(serial + 1, 3000),
        settled(5000, 4500),
        receipt(number, seq + 4, 5000, 4500),
    ]


def reversal(epoch: int, seq: int, entry: Entry) -> Reversed:
    undone = Entry(entry.currency, tuple(Posting(p.account, -p.minor) for p in entry.postings), "reversal")
    return Reversed(epoch, seq, "example", undone)


#: Any body whatsoever, sensible or not: the journal stores meaning, it does not judge it.
any_body = st.from_type(AnyBody)
