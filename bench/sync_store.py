"""The same durable, queryable end for every way of sending facts: a table in SQLite, committed with FULL.

A fact counts as arrived when its commit has returned; a fact that comes twice changes nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

#: A fact as it is sent: kiosk, epoch, seq, its exact bytes.
Fact = tuple[str, int, int, bytes]

TABLE = (
    "CREATE TABLE fact (kiosk TEXT NOT NULL, epoch {number} NOT NULL, seq {number} NOT NULL, row {bytes} NOT NULL, "
    "PRIMARY KEY (kiosk, epoch, seq))"
)
_INSERT = "INSERT OR IGNORE INTO fact VALUES (?, ?, ?, ?)"


class FactStore:
    """Writes facts, each batch one durable transaction."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        if not self._connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'fact'").fetchone():
            self._connection.execute(TABLE.format(number="INTEGER", bytes="BLOB") + " WITHOUT ROWID")

    def add(self, facts: Iterable[Sequence[object]]) -> None:
        """Commit facts."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(_INSERT, facts)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def stored(path: Path) -> tuple[int, int]:
    """Return how many facts a store holds and how many bytes they have."""
    with closing(sqlite3.connect(path)) as store:
        count, size = store.execute("SELECT count(*), coalesce(sum(length(row)), 0) FROM fact").fetchone()
        return count, size


def batches(facts: Sequence[Fact], size: int) -> Iterable[Sequence[Fact]]:
    """Yield facts in batches."""
    for begin in range(0, len(facts), size):
        yield facts[begin : begin + size]
