"""Writes many rows at once into the books, the same way on both engines.

Statements are made once from the declared tables.  On PostgreSQL the two long tables go in by COPY.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from kiosk.hub.store import tables

Row = tuple[Any, ...]
#: Tables that COPY fills on PostgreSQL: many rows, no conflicts.
_LONG = ("fact", "posting")


@lru_cache(maxsize=256)
def _names(table: str) -> tuple[list[str], list[str]]:
    declared = tables.books.tables[table]
    return [column.name for column in declared.columns], [column.name for column in declared.primary_key]


def quoted(name: str) -> str:
    """Return a column or table name as both engines take it, whatever words they reserve."""
    return f'"{name}"'


@lru_cache(maxsize=256)
def _statement(table: str, mark: str, conflict: str, summed: tuple[str, ...]) -> str:
    columns, key = _names(table)
    listed = ", ".join(map(quoted, columns))
    insert = f"INSERT INTO {quoted(table)} ({listed}) VALUES ({', '.join([mark] * len(columns))})"
    if conflict == "":
        return insert
    if conflict == "ignore":
        return f"{insert} ON CONFLICT DO NOTHING"
    changes = ", ".join(
        f"{quoted(name)} = {quoted(table)}.{quoted(name)} + excluded.{quoted(name)}"
        if name in summed
        else f"{quoted(name)} = excluded.{quoted(name)}"
        for name in columns
        if name not in key and (conflict == "replace" or name in summed)
    )
    return f"{insert} ON CONFLICT ({', '.join(map(quoted, key))}) DO UPDATE SET {changes}"


class Pen:
    """Writes into the books within the transaction of one connection.  Rows have the columns in declared order."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._postgresql = connection.dialect.name == "postgresql"
        self.mark = "%s" if self._postgresql else "?"

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Put new rows in; none of them is there."""
        if not rows:
            return
        if self._postgresql and table in _LONG:
            self._copy(table, rows)
        else:
            self._run(_statement(table, self.mark, "", ()), rows)

    def insert_new(self, table: str, rows: Sequence[Row]) -> int:
        """Put in the rows whose key is not there yet; return how many."""
        return self._run(_statement(table, self.mark, "ignore", ()), rows) if rows else 0

    def replace(self, table: str, rows: Sequence[Row]) -> None:
        """Put rows in, in place of those with the same key."""
        if rows:
            self._run(_statement(table, self.mark, "replace", ()), rows)

    def add(self, table: str, rows: Sequence[Row], summed: Collection[str], *, replace: bool = False) -> None:
        """Put rows in; where the key is there, add up these columns (and replace the others)."""
        if rows:
            self._run(_statement(table, self.mark, "replace" if replace else "add", tuple(summed)), rows)

    def ask(self, statement: str, values: Row = ()) -> list[Any]:
        """Run a SELECT with ``?`` for its values; return the rows."""
        return list(self.connection.exec_driver_sql(statement.replace("?", self.mark), values))

    def change(self, statement: str, values: Row = ()) -> int:
        """Run an UPDATE or DELETE with ``?`` for its values; return how many rows it met."""
        return self.connection.exec_driver_sql(statement.replace("?", self.mark), values).rowcount

    def _run(self, statement: str, rows: Sequence[Row]) -> int:
        return self.connection.exec_driver_sql(statement, list(rows)).rowcount

    def _copy(self, table: str, rows: Sequence[Row]) -> None:
        columns, _ = _names(table)
        driver: Any = self.connection.connection.driver_connection
        faults: Any = self.connection.dialect.loaded_dbapi
        statement = f"COPY {quoted(table)} ({', '.join(map(quoted, columns))}) FROM STDIN"
        try:
            with driver.cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except (faults.DataError, faults.IntegrityError) as error:  # SQLAlchemy does not see this statement
            raise sa.exc.DataError(statement, None, error) from error
