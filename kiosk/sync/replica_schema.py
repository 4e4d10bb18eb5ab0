"""The tables of the replica, how they are made, and how an older file is brought forward.

Version 2 added the states of plates; version 3 what comes from a hub: where a data set is from, up to where its
balances counted this kiosk's own facts, documents, and runs that are under way.
"""

from __future__ import annotations

import sqlite3

from kiosk.sync.replica import APPLICATION_ID, SCHEMA_VERSION

BODY = """(
    number TEXT NOT NULL PRIMARY KEY,
    currency TEXT NOT NULL,
    amount_minor INTEGER,
    paid_minor INTEGER NOT NULL,
    state INTEGER NOT NULL,
    issued INTEGER NOT NULL,
    due INTEGER,
    code TEXT NOT NULL,
    offence INTEGER NOT NULL,
    held_days INTEGER NOT NULL,
    plate_hash BLOB,
    posted_epoch INTEGER NOT NULL,
    posted_seq INTEGER NOT NULL{more}
) WITHOUT ROWID"""
_PLATES = """CREATE TABLE IF NOT EXISTS plates (
    service TEXT NOT NULL, state TEXT NOT NULL, key_id TEXT NOT NULL, PRIMARY KEY (service, state)
) WITHOUT ROWID"""
_DOCUMENTS = """CREATE TABLE IF NOT EXISTS documents (
    name TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, digest TEXT NOT NULL, source TEXT NOT NULL,
    body BLOB NOT NULL, received_ns INTEGER NOT NULL
)"""
#: A run under way: which hub's, of which generation; the cursor at which it began and the last that came whole;
#: parts that came; and what the rows of the shadow are and weigh so far.
_RUNS = """CREATE TABLE IF NOT EXISTS runs (
    name TEXT NOT NULL PRIMARY KEY, hub TEXT NOT NULL, generation INTEGER NOT NULL, base INTEGER NOT NULL,
    after INTEGER NOT NULL, chunks INTEGER NOT NULL, rows INTEGER NOT NULL, digest TEXT NOT NULL
)"""
_PIECES = """CREATE TABLE IF NOT EXISTS pieces (
    name TEXT NOT NULL, chunk INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (name, chunk)
)"""
#: Columns of `data_sets` since version 3.
_FROM_A_HUB = (
    "source TEXT NOT NULL DEFAULT ''",
    "posted_epoch INTEGER NOT NULL DEFAULT 0",
    "posted_seq INTEGER NOT NULL DEFAULT 0",
)


def make(connection: sqlite3.Connection) -> None:
    """Make the tables of an empty file."""
    from sqlite_utils import Database

    store = Database(connection)
    store.enable_wal()
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    store["data_sets"].create(  # type: ignore[union-attr]
        {"name": str, "generation": int, "cursor": int, "digest": str, "rows": int, "taken_at_ns": int},
        pk="name",
        not_null={"generation", "cursor", "digest", "rows", "taken_at_ns"},
        if_not_exists=True,
    )
    connection.execute(_PLATES)
    _add_what_comes_from_a_hub(connection)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Bring a file of an older version forward, whole or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version < 2:
            connection.execute(_PLATES)
            tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'invoices\\_%' ESCAPE '\\'"
            for (table,) in connection.execute(tables).fetchall():
                index(connection, table)
        _add_what_comes_from_a_hub(connection)
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def index(connection: sqlite3.Connection, table: str) -> None:
    """Make the invoices of a table findable by plate."""
    connection.execute(
        f"CREATE INDEX IF NOT EXISTS main.plates_of_{table} ON {table} (plate_hash) WHERE plate_hash IS NOT NULL"
    )


def _add_what_comes_from_a_hub(connection: sqlite3.Connection) -> None:
    held = {row[1] for row in connection.execute("PRAGMA table_info(data_sets)")}
    for column in _FROM_A_HUB:
        if column.split()[0] not in held:
            connection.execute(f"ALTER TABLE data_sets ADD COLUMN {column}")
    for table in (_DOCUMENTS, _RUNS, _PIECES):
        connection.execute(table)
