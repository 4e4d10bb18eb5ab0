"""Read-only access to a journal, for verify, show, export, backup and sync.

The file is opened ``mode=ro``: no mistake here can change it.  A live journal can be read while its core writes;
reading needs the core's ``-shm`` file or a directory in which it can be made, so a failed open of a live journal
means that the core is just starting or stopping: wait and try again (the error is then `transient`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from kiosk.errors import JournalError, JournalReadOnly
from kiosk.journal import schema
from kiosk.journal.encoding import ROOT_HASH, Row, decode
from kiosk.journal.faults import translate
from kiosk.journal.queries import facts_of, first_row, last_row, rows_after, rows_before
from kiosk.journal.realm import check_name, realm_of_name
from kiosk.model.facts import Committed, EpochStarted, Genesis

#: Schema versions that this reader understands: today's and the one before.
READABLE = (schema.SCHEMA_VERSION, schema.SCHEMA_VERSION - 1)


class Reader:
    """A read-only view of one journal file.  It holds no transaction open between two calls."""

    def __init__(self, path: Path) -> None:
        """Open the file for reading.

        Raises:
            JournalError: missing, not readable now, of a version this software does not know, or named after another
                realm than its facts are of.
            JournalDamaged: not a journal.
        """
        self.path = path
        if not path.exists():
            raise JournalError(f"journal {path} does not exist", hint="check the path")
        try:
            self._connection = _connect(path)
        except sqlite3.Error as error:
            told = translate(error, path, "opening the journal for reading")
            if isinstance(told, JournalReadOnly):
                told = JournalError(
                    told.message, hint="copy journal and -wal file to a writable directory and read there"
                )
            raise told from error
        try:
            self.schema_version = schema.version_of(self._connection, path)
            if self.schema_version not in READABLE:
                raise JournalError(
                    f"{path} has schema version {self.schema_version}, this software reads {sorted(READABLE)}",
                    hint="let the core open it once, which migrates it",
                )
            check_name(path, self._realm())
        except sqlite3.Error as error:
            self._connection.close()
            raise translate(error, path, "opening the journal for reading") from error
        except JournalError:
            self._connection.close()
            raise

    def _realm(self) -> str:
        """The realm of the genesis; the one that the name says where it cannot be read: `verify` tells of that."""
        try:
            first = first_row(self._connection, 1)
            return decode(first.row).realm if first else realm_of_name(self.path)
        except (JournalError, sqlite3.Error):
            return realm_of_name(self.path)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def rows(self, after_seq: int = 0, epoch: int = 0, limit: int | None = None) -> Iterator[Row]:
        """Yield the stored rows after (epoch, after_seq), byte for byte, later epochs included."""
        try:
            yield from rows_after(self._connection, epoch, after_seq, limit)
        except sqlite3.Error as error:
            raise translate(error, self.path, "reading facts") from error

    def read(
        self, after_seq: int = 0, epoch: int = 0, limit: int | None = None, *, checked: bool = True
    ) -> Iterator[Committed]:
        """Yield the facts after (epoch, after_seq); `checked` holds each row against the chain.

        Raises:
            JournalDamaged: a row, a page or the chain is not what was written.
        """
        previous = self._hash_at(after_seq, epoch) if checked else None
        yield from facts_of(self.rows(after_seq, epoch, limit), previous, self.path)

    def last(self) -> Row | None:
        """Return the newest row, or None in a journal without facts."""
        try:
            return last_row(self._connection)
        except sqlite3.Error as error:
            raise translate(error, self.path, "reading the last fact") from error

    def one(self, seq: int, epoch: int) -> Committed | None:
        """Return one fact, held against the chain, or None where there is none."""
        for found in self.read(seq - 1, epoch, 1):
            if (found.fact.epoch, found.fact.seq) == (epoch, seq):
                return found
        return None

    def public_keys(self) -> dict[int, str]:
        """Return the public key that each epoch announced, as the journal tells it (not to be trusted by itself)."""
        keys: dict[int, str] = {}
        newest = self.last()
        for epoch in range(1, newest.epoch + 1 if newest else 1):
            first = first_row(self._connection, epoch)
            body = decode(first.row).body if first else None
            if isinstance(body, Genesis | EpochStarted):
                keys[epoch] = body.public_key
        return keys

    def page_faults(self) -> list[str]:
        """Let SQLite walk every page and return what it finds wrong; nothing for a sound file."""
        try:
            found = [str(row[0]) for row in self._connection.execute("PRAGMA integrity_check(20)")]
        except sqlite3.Error as error:
            return [str(error)]
        return [] if found == ["ok"] else found

    def missing_guards(self) -> list[str]:
        """Return the names of the append-only triggers that are gone or were rewritten."""
        wanted = schema.triggers()
        try:
            have = dict(self._connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"))
        except sqlite3.Error as error:
            raise translate(error, self.path, "reading the schema") from error
        return sorted(name for name, sql in wanted.items() if have.get(name) != sql)

    def copy_into(self, target: Path) -> None:
        """Write a consistent, compact copy of the whole database as one file; the core may go on writing.

        Raises:
            JournalFull, JournalDamaged, JournalError: the copy could not be made.
        """
        try:
            self._connection.execute("VACUUM INTO ?", (str(target),))
        except sqlite3.Error as error:
            raise translate(error, target, "copying the journal") from error

    def _hash_at(self, after_seq: int, epoch: int) -> bytes:
        try:
            found = rows_before(self._connection, epoch, after_seq, 1)
        except sqlite3.Error as error:
            raise translate(error, self.path, "reading facts") from error
        return found[0].hash if found else ROOT_HASH


def _connect(path: Path) -> sqlite3.Connection:
    """Open read-only; a file in a directory without write-ahead log and without write permission is taken as it is."""
    address = path.resolve().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA busy_timeout = 2000")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CANTOPEN or path.with_name(path.name + "-wal").exists():
            raise
        connection = sqlite3.connect(
            f"{address}?mode=ro&immutable=1", uri=True, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error:
        connection.close()
        raise
    return connection
