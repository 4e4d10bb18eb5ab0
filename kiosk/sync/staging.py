"""Rows of an import while they are judged: in a temporary table, outside whatever they will go into."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from kiosk.sync.replica import COLUMNS, Row
from kiosk.sync.replica_schema import BODY

ALL = ", ".join(("number", *COLUMNS))
MARKS = ", ".join("?" * (len(COLUMNS) + 1))


class Staging:
    """Rows of one service by their number.  Duplicates are told, not taken."""

    def __init__(self, connection: sqlite3.Connection, service: str) -> None:
        self._connection = connection
        self.service = service
        connection.execute("PRAGMA temp.cache_size=-16384")
        connection.execute("DROP TABLE IF EXISTS temp.staging")
        connection.execute("CREATE TABLE temp.staging " + BODY.format(more=",\n    line INTEGER NOT NULL"))
        connection.execute("BEGIN")
        self._insert = f"INSERT OR IGNORE INTO temp.staging ({ALL}, line) VALUES ({MARKS}, ?)"

    def add(self, row: Row, line: int) -> bool:
        """Stage one row; return False where its number is staged already."""
        return self._connection.execute(self._insert, (*row, line)).rowcount == 1

    def add_all(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Stage many rows at once, each with its line as the last value; duplicates are left out silently."""
        self._connection.executemany(self._insert, rows)

    def staged(self, number: str) -> tuple[Row, int] | None:
        """Return the staged row of a number and its line."""
        found = self._connection.execute(f"SELECT {ALL}, line FROM temp.staging WHERE number = ?", (number,)).fetchall()
        return (found[0][:-1], found[0][-1]) if found else None

    def drop(self, number: str) -> None:
        """Take a staged row out again."""
        self._connection.execute("DELETE FROM temp.staging WHERE number = ?", (number,))

    def count(self) -> int:
        """Return how many rows are staged."""
        return int(self._connection.execute("SELECT count(*) FROM temp.staging").fetchone()[0])

    def pages(self, size: int) -> Iterator[list[Row]]:
        """Yield the staged rows in the order of their numbers."""
        cursor = self._connection.execute(f"SELECT {ALL} FROM temp.staging ORDER BY number")
        while page := cursor.fetchmany(size):
            yield page

    def close(self) -> None:
        """Throw the staged rows away."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._connection.execute("DROP TABLE IF EXISTS temp.staging")
