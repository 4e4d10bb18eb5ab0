"""Making a journal's file, whole or not at all, and opening it for writing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from kiosk.errors import JournalError
from kiosk.journal import schema
from kiosk.journal.encoding import Row, chain, encode, head_message, kind_of
from kiosk.journal.faults import translate, translate_os
from kiosk.journal.keys import SigningKey, sync_directory
from kiosk.journal.queries import place
from kiosk.model.facts import Fact

#: Adds one `Row`.
_INSERT = "INSERT INTO facts (place, epoch, seq, kind, row, hash, signature) VALUES (?, ?, ?, ?, ?, ?, ?)"

#: How long a writer waits for a stranger's lock, milliseconds.
_BUSY_MS = 2_000
#: Size that the WAL is given at the start, bytes: overwriting costs half of what growing costs in an fsync.
_WAL_ROOM = 1 << 20


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Add rows within the caller's transaction."""
    for row in rows:
        connection.execute(_INSERT, (place(row.epoch, row.seq), *row))


def signed_row(fact: Fact, previous: bytes, key: SigningKey) -> Row:
    """Return the row of a fact that is a commit of its own."""
    text = encode(fact)
    digest = chain(previous, text)
    signature = key.sign(head_message(fact.kiosk, fact.epoch, fact.seq, digest))
    return Row(fact.epoch, fact.seq, kind_of(fact), text, digest, signature)


def build(path: Path, rows: Sequence[Row], source: Path | None = None) -> None:
    """Make the file `path` out of nothing, or out of a copy of `source`, plus `rows`; it appears whole or not at all.

    Raises:
        JournalError: it exists.
        JournalFull, JournalReadOnly, JournalDamaged: the disk does not take it.
    """
    if path.exists():
        raise JournalError(
            f"{path} exists already", hint="a journal is never overwritten: move it away, keep it as evidence"
        )
    part = path.with_name(path.name + ".new")
    connection: sqlite3.Connection | None = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_parts(part)
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            if source is not None:
                with source.open("rb") as old:
                    while block := old.read(1 << 20):
                        file.write(block)
            file.flush()
            os.fsync(file.fileno())
        connection = connect(part)
        schema.migrate(connection, schema.version_of(connection, part) if source is not None else 0)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        insert(connection, rows)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.close()
        part.rename(path)
        sync_directory(path.parent)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        _remove_parts(part)
        raise translate(error, path, "making the journal") from error
    except OSError as error:
        _remove_parts(part)
        raise translate_os(error, path) from error


def connect(path: Path) -> sqlite3.Connection:
    """Open a database file for writing, with everything that durability and distrust ask for."""
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=16,
    )
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def stretch_wal(path: Path) -> None:
    """Fill the WAL file up with zeros; SQLite takes bytes without a valid checksum for the end of the log."""
    try:
        with path.with_name(path.name + "-wal").open("r+b") as file:
            missing = _WAL_ROOM - file.seek(0, os.SEEK_END)
            if missing > 0:
                file.write(bytes(missing))
                file.flush()
                os.fsync(file.fileno())
    except OSError:
        pass  # only speed is lost: SQLite makes and grows the file as it needs


def _remove_parts(part: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        try:
            part.with_name(part.name + suffix).unlink(missing_ok=True)
        except OSError:
            pass  # the disk takes no write at all: the caller's error says so
