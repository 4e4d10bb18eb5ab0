"""Opens the hub's database: three SQLite files in the state directory, or one PostgreSQL database.

Rules that must stay true: what a kiosk is told to be durable was committed with ``synchronous = FULL`` (SQLite) or
``synchronous_commit = on`` (PostgreSQL's default); a short transaction of `office` begins IMMEDIATE, so that two
processes wait for each other instead of failing half way.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kiosk.errors import StoreError
from kiosk.hub.store import tables

GROUPS: Mapping[str, sa.MetaData] = {"segments": tables.segments, "office": tables.office, "books": tables.books}
#: Bytes of a page of segments.db: batches of 400 KiB go in a quarter faster than with 4 KiB, single rows 4 % slower.
SEGMENT_PAGE = 16_384
#: Milliseconds that a transaction waits for another process.
PATIENCE_MS = 10_000


class Stores:
    """One engine for each group of tables.  Every process, and every thread that writes, opens its own."""

    def __init__(self, segments: sa.Engine, office: sa.Engine, books: sa.Engine) -> None:
        self.segments = segments
        self.office = office
        self.books = books

    @property
    def postgresql(self) -> bool:
        """Whether the three groups are one PostgreSQL database."""
        return self.segments.dialect.name == "postgresql"

    def engine(self, group: str) -> sa.Engine:
        """Return the engine of a group by name."""
        found: sa.Engine = getattr(self, group)
        return found

    def close(self) -> None:
        """Let go of all connections."""
        for group in GROUPS:
            self.engine(group).dispose()


def open_stores(
    state: Path, database: str = "", *, readonly_books: bool = False, readonly: Collection[str] = ()
) -> Stores:
    """Return the stores of a hub; nothing is made or migrated here (see `migrating`).

    `readonly` names groups that are only read: such a transaction takes no lock of SQLite's one writer, so a look never
    keeps a worker waiting.  On PostgreSQL the database refuses every write where all groups are named.

    Raises:
        StoreError: the state directory cannot be used.
    """
    if database:
        limits = {"options": "-c default_transaction_read_only=on"} if set(GROUPS) <= set(readonly) else {}
        engine = sa.create_engine(database, pool_pre_ping=True, connect_args=limits)
        return Stores(engine, engine, engine)
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{state} cannot be made: {error.strerror}", hint="give a directory the hub owns") from error
    return Stores(
        _sqlite(state / "segments.db", "FULL", readonly="segments" in readonly, page=SEGMENT_PAGE),
        _sqlite(state / "office.db", "FULL", readonly="office" in readonly),
        _sqlite(state / "books.db", "NORMAL", readonly=readonly_books or "books" in readonly),
    )


def _to_wal(connection: Any) -> None:
    """Change to WAL; of several that make one file at once SQLite lets none wait for the other here."""
    until = time.monotonic() + PATIENCE_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _sqlite(path: Path, synchronous: str, *, readonly: bool = False, page: int = 4096) -> sa.Engine:
    mode = "?mode=ro&uri=true" if readonly else "?uri=true"
    engine = sa.create_engine(f"sqlite:///file:{path}{mode}", connect_args={"timeout": PATIENCE_MS / 1000})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        run = connection.execute
        if not readonly:
            run(f"PRAGMA page_size = {page}")  # counts for a file that is made now only
            _to_wal(connection)
            run(f"PRAGMA synchronous = {synchronous}")
        run("PRAGMA foreign_keys = ON")
        run("PRAGMA trusted_schema = OFF")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")

    return engine
