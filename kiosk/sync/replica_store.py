"""The writer's side of the replica: its schema, and how a batch of invoices becomes visible at once.

A writer holds the lock file beside the database, stages its rows in a temporary table outside the replica,
and then takes them over in one transaction: as an upsert (what is not in the batch stays), or as a full
snapshot (a shadow table takes the place of the old one).  A crash before the commit leaves the replica as it
was.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from kiosk.errors import ReplicaError
from kiosk.sync.replica import (
    APPLICATION_ID,
    COLUMNS,
    SCHEMA_VERSION,
    DataSetInfo,
    Row,
    check_version,
    data_set_of,
    table_of,
)

_BODY = """(
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
_ALL = ", ".join(("number", *COLUMNS))
_MARKS = ", ".join("?" * (len(COLUMNS) + 1))


_PLATES = """CREATE TABLE IF NOT EXISTS plates (
    service TEXT NOT NULL, state TEXT NOT NULL, key_id TEXT NOT NULL, PRIMARY KEY (service, state)
) WITHOUT ROWID"""


class Plates(msgspec.Struct, frozen=True):
    """Under what the plates of a batch were hashed: the key's name, and the states that were put before them."""

    key_id: str
    states: frozenset[str] = frozenset()


class Taken(msgspec.Struct, frozen=True):
    """What a batch changed."""

    added: int
    changed: int
    unchanged: int
    #: Rows that a full snapshot no longer holds.
    removed: int
    info: DataSetInfo


@contextmanager
def writer_lock(path: Path) -> Iterator[None]:
    """Hold the only right to write this replica.

    Raises:
        ReplicaError: another process has it.
    """
    handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ReplicaError(
                f"{path} is being written by another process",
                hint="wait until that import or sync ends",
                transient=True,
            ) from None
        yield
    finally:
        os.close(handle)


def open_store(path: Path) -> sqlite3.Connection:
    """Open the replica for writing, and make it where it is missing.

    Raises:
        ReplicaError: not a replica, damaged, too new, or the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made here and not by SQLite, which would follow the umask; its -wal and -shm take the mode of the file.
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.geteuid() == 0:  # an import by root must not leave a file that the kiosk cannot read
            owner = path.parent.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
        os.close(handle)
        connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    except (sqlite3.Error, OSError) as fault:
        raise ReplicaError(
            f"{path} cannot be opened for writing: {fault}", hint="check its directory and disk"
        ) from fault
    try:
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            _make(connection)
        if check_version(connection, path) < SCHEMA_VERSION:
            _upgrade(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA journal_size_limit=8388608")  # a big import must not keep its WAL on the card
    except sqlite3.Error as fault:
        connection.close()
        raise ReplicaError(
            f"{path} cannot be used: {fault}",
            hint="remove the file and import the reference data again; no money is in it",
        ) from fault
    except BaseException:
        connection.close()
        raise
    return connection


def _make(connection: sqlite3.Connection) -> None:
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
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring a file of version 1 forward: plates can be found."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_PLATES)
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'invoices\\_%' ESCAPE '\\'"
        for (table,) in connection.execute(tables).fetchall():
            _index(connection, table)
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _index(connection: sqlite3.Connection, table: str) -> None:
    connection.execute(
        f"CREATE INDEX IF NOT EXISTS main.plates_of_{table} ON {table} (plate_hash) WHERE plate_hash IS NOT NULL"
    )


class Batch:
    """Rows of one service on their way into the replica.  Staged outside it; duplicates are told, not taken."""

    def __init__(self, connection: sqlite3.Connection, service: str) -> None:
        self._connection = connection
        self.service = service
        self.table = table_of(service)
        connection.execute("PRAGMA temp.cache_size=-16384")
        connection.execute("DROP TABLE IF EXISTS temp.staging")
        connection.execute("CREATE TABLE temp.staging " + _BODY.format(more=",\n    line INTEGER NOT NULL"))
        connection.execute("BEGIN")
        self._insert = f"INSERT OR IGNORE INTO temp.staging ({_ALL}, line) VALUES ({_MARKS}, ?)"

    def add(self, row: Row, line: int) -> bool:
        """Stage one row; return False where its number is staged already."""
        return self._connection.execute(self._insert, (*row, line)).rowcount == 1

    def add_all(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Stage many rows at once, each with its line as the last value; duplicates are left out silently."""
        self._connection.executemany(self._insert, rows)

    def staged(self, number: str) -> tuple[Row, int] | None:
        """Return the staged row of a number and its line."""
        found = self._connection.execute(
            f"SELECT {_ALL}, line FROM temp.staging WHERE number = ?", (number,)
        ).fetchall()
        return (found[0][:-1], found[0][-1]) if found else None

    def drop(self, number: str) -> None:
        """Take a staged row out again."""
        self._connection.execute("DELETE FROM temp.staging WHERE number = ?", (number,))

    def count(self) -> int:
        """Return how many rows are staged."""
        return int(self._connection.execute("SELECT count(*) FROM temp.staging").fetchone()[0])

    def take_over(self, taken_at_ns: int, *, snapshot: bool = False, plates: Plates | None = None) -> Taken:
        """Make the staged rows visible, all at once, and return what changed.

        Raises:
            ReplicaError: rows that stay hold plates hashed under another key; nobody could find those any more.
        """
        run = self._connection.execute
        run("COMMIT")
        run("BEGIN IMMEDIATE")
        try:
            run(f"CREATE TABLE IF NOT EXISTS main.{self.table} {_BODY.format(more='')}")
            _index(self._connection, self.table)
            self._note_plates(plates, snapshot)
            before = run(f"SELECT count(*) FROM main.{self.table}").fetchone()[0]
            staged = self.count()
            same = " AND ".join(f"old.{column} IS new.{column}" for column in COLUMNS)
            met, unchanged = run(
                f"SELECT count(*), coalesce(sum({same}), 0) FROM temp.staging new "
                f"JOIN main.{self.table} old ON old.number = new.number"
            ).fetchone()
            changed, added = met - unchanged, staged - met
            removed = before - met if snapshot else 0
            if snapshot and (added or changed or removed):
                self._replace()
            elif added or changed:
                self._upsert()
            info = self._describe(taken_at_ns, snapshot, dirty=bool(added or changed or removed))
            run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise
        self.close()
        run("PRAGMA wal_checkpoint(PASSIVE)")
        return Taken(added, changed, unchanged, removed, info)

    def close(self) -> None:
        """Throw the staged rows away."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._connection.execute("DROP TABLE IF EXISTS temp.staging")

    def _upsert(self) -> None:
        sets = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS)
        differs = " OR ".join(f"{column} IS NOT excluded.{column}" for column in COLUMNS)
        self._connection.execute(
            f"INSERT INTO main.{self.table} ({_ALL}) SELECT {_ALL} FROM temp.staging WHERE true "
            f"ON CONFLICT (number) DO UPDATE SET {sets} WHERE {differs}"
        )

    def _replace(self) -> None:
        shadow = f"shadow_{self.table}"
        run = self._connection.execute
        run(f"DROP TABLE IF EXISTS main.{shadow}")
        run(f"CREATE TABLE main.{shadow} {_BODY.format(more='')}")
        run(f"INSERT INTO main.{shadow} ({_ALL}) SELECT {_ALL} FROM temp.staging ORDER BY number")
        run(f"DROP TABLE main.{self.table}")
        run(f"ALTER TABLE main.{shadow} RENAME TO {self.table}")
        _index(self._connection, self.table)

    def _note_plates(self, plates: Plates | None, snapshot: bool) -> None:
        """Write under which key and for which states plates can be found."""
        run = self._connection.execute
        if snapshot:
            run("DELETE FROM plates WHERE service = ?", (self.service,))
        if plates is None:
            return
        held = run("SELECT DISTINCT key_id FROM plates WHERE service = ?", (self.service,)).fetchall()
        if any(key_id != plates.key_id for (key_id,) in held):
            raise ReplicaError(
                "the plates of the data that are there were hashed with another plate.key",
                hint="put that key back, or remove sync.db and import everything again; no money is in it",
            )
        for state in sorted(plates.states):
            run("INSERT OR IGNORE INTO plates VALUES (?, ?, ?)", (self.service, state, plates.key_id))

    def _describe(self, taken_at_ns: int, snapshot: bool, *, dirty: bool) -> DataSetInfo:
        """Write the data set's row: a change moves the cursor, a changed snapshot starts a generation."""
        run = self._connection.execute
        name = data_set_of(self.service)
        found = run("SELECT generation, cursor, digest, rows FROM data_sets WHERE name = ?", (name,)).fetchall()
        generation, cursor, digest, rows = found[0] if found else (1, 0, "", 0)
        if dirty or not found:
            generation += 1 if snapshot and found else 0
            cursor = 1 if snapshot else cursor + 1
            digest, rows = self._digest()
        run(
            "INSERT INTO data_sets (name, generation, cursor, digest, rows, taken_at_ns) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET generation = excluded.generation, cursor = excluded.cursor, "
            "digest = excluded.digest, rows = excluded.rows, taken_at_ns = excluded.taken_at_ns",
            (name, generation, cursor, digest, rows, taken_at_ns),
        )
        return DataSetInfo(name, generation, cursor, digest, rows, taken_at_ns)

    def _digest(self) -> tuple[str, int]:
        """Return SHA-256 over all rows in key order, and their number."""
        joined = " || '|' || ".join(
            f"ifnull({column}, '')" for column in ("number", *COLUMNS) if column != "plate_hash"
        )
        cursor = self._connection.execute(
            f"SELECT {joined} || '|' || ifnull(hex(plate_hash), '') FROM main.{self.table} ORDER BY number"
        )
        told, count = hashlib.sha256(), 0
        while rows := cursor.fetchmany(4096):
            count += len(rows)
            told.update(("\n".join(row[0] for row in rows) + "\n").encode())
        return told.hexdigest(), count
