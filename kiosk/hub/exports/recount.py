"""Checks stored exports against the books: every entry that was due is in exactly one, and the bytes are those stored.

All entries are read once, in the order of the table, and counted for each target by the rule of `entries.within`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from kiosk.hub.exports.apart import Apart
from kiosk.hub.findings import Finding
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import export, posting

#: Rows that are in memory at a time.
_A_PIECE = 10_000


class _Chain:
    """The exports of one target in their order, and how many entries of the books belong to each."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows
        self.dates = [row.business_date for row in rows]
        self.throughs = [row.through for row in rows]
        self._apart = [Apart.read(row.apart) for row in rows]
        self.counts = [0] * len(rows)
        #: Entries up to the last sealed date and the last position that belong to no export.
        self.left = 0
        self._at = {date: number for number, date in enumerate(self.dates)}

    def count(self, place: tuple[str, int, int], posts_on: str, position: int) -> None:
        """Count an entry where it belongs."""
        own = self._at.get(posts_on)
        if own is None or position > self.throughs[own]:
            own = bisect_left(self.throughs, position)
            if own < len(self.rows) and posts_on >= self.dates[own]:
                self.left += posts_on <= self.dates[-1]
                return
        while own < len(self.rows) and self._apart[own].holds(*place):
            own += 1  # it was no fact yet when that one ran
        if own < len(self.rows):
            self.counts[own] += 1


def recount(stores: Stores) -> Iterator[Finding]:
    """Yield what does not fit: a body that changed, a chain with a hole, other entries than when a date was sealed."""
    chains: dict[str, list[Any]] = {}
    with stores.office.connect() as office:
        columns = (column for column in export.c if column.name != "body")
        for row in office.execute(sa.select(*columns).order_by(export.c.target, export.c.number)):
            chains.setdefault(row.target, []).append(row)
        for row in office.execution_options(yield_per=16).execute(sa.select(export.c.body, export.c.digest, *_WHICH)):
            if sha256(bytes(row.body)).hexdigest() != row.digest:
                yield _finding("export_body", row, "the stored file is not what was written")
    counted = [_Chain(rows) for rows in chains.values()]
    if counted:
        _count(stores, counted)
    for chain in counted:
        after = number = 0
        for row, count in zip(chain.rows, chain.counts, strict=True):
            if (row.number, row.after) != (number + 1, after):
                yield _finding("export_gap", row, "it does not go on where the one before ended")
            after, number = row.through, row.number
            if count != row.entries:
                yield _finding("export_differs", row, f"it has {row.entries} entries, the books {count} of them")
        if chain.left:
            yield _finding("export_differs", chain.rows[-1], f"{chain.left} entries that were due are in no export")


_WHICH = (export.c.target, export.c.business_date, export.c.number)


def _finding(code: str, row: Any, told: str) -> Finding:
    return Finding(code, "error", "", 0, 0, f"export {row.number} to {row.target} of {row.business_date}: {told}")


def _count(stores: Stores, chains: list[_Chain]) -> None:
    place = (posting.c.kiosk, posting.c.epoch, posting.c.seq)
    asked = sa.select(*place, posting.c.currency, posting.c.posts_on, posting.c.position).order_by(
        *place, posting.c.line
    )
    at = ("", 0, 0)
    currencies: set[str] = set()
    with stores.books.connect() as books:
        for row in books.execution_options(yield_per=_A_PIECE).execute(asked):
            if row[:3] != at:
                at, currencies = (row.kiosk, row.epoch, row.seq), set()
            if row.currency in currencies:
                continue  # another line of the same entry
            currencies.add(row.currency)
            for chain in chains:
                chain.count(at, row.posts_on, row.position)
