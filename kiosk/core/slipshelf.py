"""Finds committed slips by their number: the last ones at hand, older ones in the journal."""

from __future__ import annotations

from kiosk.core.books import Books
from kiosk.errors import ReceiptError
from kiosk.journal.store import Journal
from kiosk.model import facts

#: Slips kept at hand.
KEPT = 16


class SlipShelf:
    """Owns copies of the last slips; the journal stays the truth."""

    def __init__(self, journal: Journal, books: Books) -> None:
        self._journal = journal
        self._books = books
        self._slips: dict[int, facts.Committed] = {}

    def remember(self, committed: facts.Committed) -> None:
        """Keep a fact at hand if it is a slip."""
        if isinstance(committed.fact.body, facts.ReceiptIssued):
            self._slips[committed.fact.body.number] = committed
            while len(self._slips) > KEPT:
                del self._slips[min(self._slips)]

    def find(self, number: int) -> facts.Committed:
        """Return a committed slip of the present epoch.

        Raises:
            ReceiptError: there is none of this number.
        """
        if number in self._slips:
            return self._slips[number]
        epoch, page = self._books.epoch, self._books.slips.get(number)
        for committed in self._journal.read(page.seq - 1 if page is not None else 0, epoch, checked=False):
            body = committed.fact.body
            if isinstance(body, facts.ReceiptIssued) and body.number == number:
                self.remember(committed)
                return committed
            if page is not None:
                break
        raise ReceiptError(f"slip {number} of epoch {epoch} does not exist", hint="check the number")
