"""Balances: entries folded by account.  The same entries in any order give the same balances."""

from __future__ import annotations

from collections.abc import Iterable

from kiosk.errors import LedgerError
from kiosk.ledger.chart import Chart
from kiosk.ledger.entries import check
from kiosk.model.entry import Entry
from kiosk.model.facts import (
    Body,
    CountClosed,
    HopperEmptied,
    HopperFilled,
    NoteCredited,
    NoteDisputed,
    NoteSuspended,
    PayoutDisputed,
    PayoutEnded,
    PayoutResolved,
    Reversed,
    Settled,
)


class Balances:
    """The running balance of each account, by currency.  Owned by one thread; refuses an unbalanced entry."""

    def __init__(self, sums: Iterable[tuple[str, str, int]] = ()) -> None:
        self._sums: dict[tuple[str, str], int] = {(currency, account): minor for currency, account, minor in sums}
        self._check_whole()

    def apply(self, entry: Entry) -> None:
        """Add one entry.

        Raises:
            LedgerError: it does not balance; nothing is added then.
        """
        check(entry)
        for posting in entry.postings:
            key = (entry.currency, posting.account)
            self._sums[key] = self._sums.get(key, 0) + posting.minor

    def apply_fact(self, body: Body) -> bool:
        """Add what a fact posted; tell whether it posted anything."""
        entry = entry_of(body)
        if entry is not None:
            self.apply(entry)
        return entry is not None

    def of(self, account: str, currency: str) -> int:
        """Return a balance in minor units; debit positive."""
        return self._sums.get((currency, account), 0)

    def rows(self) -> tuple[tuple[str, str, int], ...]:
        """Return (currency, account, minor), sorted, without accounts at zero: what a closing's snapshot stores."""
        return tuple((*key, minor) for key, minor in sorted(self._sums.items()) if minor)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Balances) and other.rows() == self.rows()

    __hash__ = None  # type: ignore[assignment]

    def _check_whole(self) -> None:
        totals: dict[str, int] = {}
        for (currency, _), minor in self._sums.items():
            totals[currency] = totals.get(currency, 0) + minor
        for currency, minor in totals.items():
            if minor:
                raise LedgerError(
                    f"balances in {currency} sum to {minor}, not to zero", hint="the snapshot is not whole"
                )


_POSTING = (
    NoteCredited | NoteSuspended | NoteDisputed | Settled | Reversed | CountClosed | PayoutEnded | PayoutDisputed
    | PayoutResolved | HopperFilled | HopperEmptied
)  # fmt: skip


def entry_of(body: Body) -> Entry | None:
    """Return the entry that a fact posted, or None where it moved no money."""
    return body.entry if isinstance(body, _POSTING) else None


def fold(entries: Iterable[Entry]) -> Balances:
    """Return the balances of entries.

    Raises:
        LedgerError: one of them does not balance.
    """
    balances = Balances()
    for entry in entries:
        balances.apply(entry)
    return balances


def box_content(balances: Balances, chart: Chart, currency: str) -> int:
    """Return what the cash box must hold without disputed notes, minor units."""
    return balances.of(chart.roles.cash_in_box, currency)
