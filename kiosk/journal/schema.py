"""The journal's tables, and the way from an older version of them to today's.

`PRAGMA user_version` holds the schema version and `PRAGMA application_id` says that the file is a journal at
all.  A step in `MIGRATIONS` leads from version n-1 to n, runs in one transaction and is never edited after a
release; `tests/databases/vN.db` are frozen files that today's code must open.  A file of a newer version is
refused.  The rows themselves never change in a migration: their bytes are hashed.

The primary key is (epoch, seq) folded into one integer, epoch * 2**32 + seq: SQLite then adds a row by writing
one page at the right edge of the tree, where a key of two columns rewrites four to six pages at every split.

Readers accept this version and the one before it (N and N-1), because a reader (sync, verify) may be updated
before the core has migrated the file.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from kiosk.errors import JournalDamaged, JournalError

#: "kios" as a big-endian number, so that `file` and other tools tell a journal from any other database.
APPLICATION_ID = 0x6B696F73

_V1 = """
CREATE TABLE facts (
    place     INTEGER PRIMARY KEY CHECK (place = (epoch << 32) + seq),
    epoch     INTEGER NOT NULL CHECK (epoch >= 1),
    seq       INTEGER NOT NULL CHECK (seq BETWEEN 1 AND 4294967295),
    kind      TEXT    NOT NULL,
    row       BLOB    NOT NULL,
    hash      BLOB    NOT NULL CHECK (length(hash) = 32),
    signature BLOB    CHECK (signature IS NULL OR length(signature) = 64)
) STRICT;
CREATE TRIGGER facts_are_not_changed BEFORE UPDATE ON facts
BEGIN SELECT RAISE(ABORT, 'facts are append-only: a correction is a reversal'); END;
CREATE TRIGGER facts_are_not_removed BEFORE DELETE ON facts
BEGIN SELECT RAISE(ABORT, 'facts are append-only: nothing is removed'); END;
CREATE TRIGGER facts_are_not_replaced BEFORE INSERT ON facts
WHEN EXISTS (SELECT 1 FROM facts WHERE place = NEW.place)
BEGIN SELECT RAISE(ABORT, 'facts are append-only: nothing is replaced'); END;
-- A cache of the state at one fact; never evidence.
CREATE TABLE checkpoint (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    seq   INTEGER NOT NULL,
    hash  BLOB    NOT NULL,
    blob  BLOB    NOT NULL
) STRICT;
"""

#: Script that leads from version n-1 to n, by n.
MIGRATIONS: dict[int, str] = {1: _V1}

SCHEMA_VERSION = max(MIGRATIONS)


def triggers() -> dict[str, str]:
    """Return name and text of the triggers that keep the table append-only, as today's schema defines them."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript("".join(MIGRATIONS[step] for step in sorted(MIGRATIONS)))
        return dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"))
    finally:
        connection.close()


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema version of an open file.

    Raises:
        JournalDamaged: the file is no journal.
        JournalError: it was made by newer software.
    """
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if application != APPLICATION_ID or version < 1:
        raise JournalDamaged(
            f"{path} is not a journal", hint="check the path; restore a backup if the file was replaced"
        )
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{path} has schema version {version}, this software knows {SCHEMA_VERSION}",
            hint="install the software version that wrote it, or a later one; an older one never opens it",
        )
    return version


def migrate(connection: sqlite3.Connection, version: int = 0) -> None:
    """Lead a file from `version` (0: empty) to today's schema; all steps or none."""
    if version == SCHEMA_VERSION:
        return
    from sqlite_utils import Database  # 11 MB and a tenth of the start-up time, which only a new file needs

    database = Database(connection, execute_plugins=False)
    steps = "".join(MIGRATIONS[step] for step in range(version + 1, SCHEMA_VERSION + 1))
    pragmas = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
    try:
        database.executescript(f"BEGIN IMMEDIATE; {steps} {pragmas} COMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
