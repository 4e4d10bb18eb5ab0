"""Holds two books against each other, row by row, and names each row that is not the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from kiosk.hub.findings import Finding
from kiosk.hub.posting.projector import PUBLISHERS
from kiosk.hub.store import tables

#: Rows of one table that are named; a thousand more would say nothing new.
MOST_NAMED = 50
#: What the books say of themselves and of the publisher is not derived from segments.
_DERIVED_STATE = ("place", "position")

Row = dict[str, Any]


def compared() -> list[sa.Table]:
    """Return the tables that follow from the segments alone."""
    return [table for table in tables.books.sorted_tables if table.name not in PUBLISHERS]


def rows_of(connection: sa.Connection, table: sa.Table) -> Iterator[tuple[tuple[Any, ...], Row]]:
    """Yield the rows of a table with their keys, in an order that is the same on every engine."""
    keys: list[Any] = list(table.primary_key.columns)
    order = keys
    if connection.dialect.name == "postgresql":
        order = [key.collate("C") if isinstance(key.type, sa.Text) else key for key in keys]
    asked = sa.select(table).order_by(*order)
    if table is tables.state:
        asked = asked.where(table.c.name.in_(_DERIVED_STATE))
    for row in connection.execution_options(yield_per=1000).execute(asked).mappings():
        yield tuple(row[key.name] for key in keys), dict(row)


def dump(connection: sa.Connection) -> dict[str, list[Row]]:
    """Return everything that follows from the segments, whole: two of these are equal or the books are not."""
    return {table.name: [row for _, row in rows_of(connection, table)] for table in compared()}


def differences(books: sa.Connection, clean: sa.Connection) -> Iterator[Finding]:
    """Yield a finding for each row of the books that is not what the clean ones have."""
    for table in compared():
        named = 0
        for key, have, want in _paired(rows_of(books, table), rows_of(clean, table)):
            if have == want:
                continue
            named += 1
            if named > MOST_NAMED:
                yield Finding("book_differs", "error", "", 0, 0, f"{table.name}: more rows differ")
                break
            told = f"{table.name} {'/'.join(map(str, key))}: {_difference(have, want)}"
            row = have or want or {}
            kiosk, epoch, seq = row.get("kiosk", ""), row.get("epoch", 0), row.get("seq", 0)
            yield Finding("book_differs", "error", kiosk, epoch, seq, told)


def _difference(have: Row | None, want: Row | None) -> str:
    if want is None:
        return "the row follows from no fact"
    if have is None:
        return "the row is missing"
    wrong = [name for name in want if have[name] != want[name]]
    return "; ".join(f"{name} is {_words(have[name])} and should be {_words(want[name])}" for name in wrong)


def _words(value: Any) -> str:
    return repr(value)[:60]


def _paired(
    first: Iterator[tuple[tuple[Any, ...], Row]], second: Iterator[tuple[tuple[Any, ...], Row]]
) -> Iterator[tuple[tuple[Any, ...], Row | None, Row | None]]:
    """Pair two runs of rows in the order of their keys; None where one has no such row."""
    left, right = next(first, None), next(second, None)
    while left is not None or right is not None:
        if right is None or (left is not None and _sortable(left[0]) < _sortable(right[0])):
            assert left is not None
            yield left[0], left[1], None
            left = next(first, None)
        elif left is None or _sortable(right[0]) < _sortable(left[0]):
            yield right[0], None, right[1]
            right = next(second, None)
        else:
            yield left[0], left[1], right[1]
            left, right = next(first, None), next(second, None)


def _sortable(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Order texts by their bytes, as both engines are told to."""
    return tuple(part.encode() if isinstance(part, str) else part for part in key)
