"""The questions that writer and readers ask of the table of facts.

Rows are fetched in chunks by their key, so that no read transaction stays open between two of them: a long
reader would keep the write-ahead log from being moved.  The table only grows, so chunks agree with each other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from kiosk.errors import JournalDamaged
from kiosk.journal.encoding import Row, chain, decode
from kiosk.model.facts import Committed

_COLUMNS = "SELECT epoch, seq, kind, row, hash, signature FROM facts"
_CHUNK = 2_000


def place(epoch: int, seq: int) -> int:
    """Return the primary key of a fact (see `schema`)."""
    return (epoch << 32) + seq


def rows_after(connection: sqlite3.Connection, epoch: int, seq: int, limit: int | None = None) -> Iterator[Row]:
    """Yield rows after (epoch, seq) in order, at most `limit`."""
    left = limit
    while left is None or left > 0:
        count = _CHUNK if left is None else min(left, _CHUNK)
        found = connection.execute(
            f"{_COLUMNS} WHERE place > ? ORDER BY place LIMIT ?", (place(epoch, seq), count)
        ).fetchall()
        yield from map(Row._make, found)
        if len(found) < count:
            return
        epoch, seq = found[-1][0], found[-1][1]
        left = None if left is None else left - count


def rows_before(connection: sqlite3.Connection, epoch: int, seq: int, limit: int) -> list[Row]:
    """Return the last `limit` rows at or before (epoch, seq), oldest first."""
    found = connection.execute(
        f"{_COLUMNS} WHERE place <= ? ORDER BY place DESC LIMIT ?", (place(epoch, seq), limit)
    ).fetchall()
    return [Row._make(row) for row in reversed(found)]


def last_row(connection: sqlite3.Connection) -> Row | None:
    """Return the newest row, or None in an empty table."""
    found = connection.execute(f"{_COLUMNS} ORDER BY place DESC LIMIT 1").fetchone()
    return Row._make(found) if found else None


def first_row(connection: sqlite3.Connection, epoch: int) -> Row | None:
    """Return the row that began an epoch."""
    found = connection.execute(f"{_COLUMNS} WHERE place = ?", (place(epoch, 1),)).fetchone()
    return Row._make(found) if found else None


def facts_of(rows: Iterable[Row], previous: bytes | None, path: Path) -> Iterator[Committed]:
    """Decode rows; where `previous` is given, hold each against the chain that begins there.

    Raises:
        JournalDamaged: a row is not a fact, or its hash is not the chain's.
    """
    for row in rows:
        if previous is not None:
            previous = chain(previous, row.row)
            if previous != row.hash:
                raise JournalDamaged(
                    f"{path}: the chain is broken at fact {row.epoch}/{row.seq}",
                    hint="run `kiosk journal verify`; keep the file as evidence and restore the last backup",
                )
        yield Committed(decode(row.row), row.hash, row.signature)
