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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from kiosk.errors import ReplicaError
from kiosk.sync.replica import COLUMNS, SCHEMA_VERSION, DataSetInfo, check_version, data_set_of, table_of
from kiosk.sync.replica_schema import BODY, index, make, upgrade
from kiosk.sync.staging import ALL, Staging


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
                hint="wait until that import ends; where kiosk-sync runs, data come from the hub (kiosk hub import)",
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
            make(connection)
        version = check_version(connection, path)
        if version < SCHEMA_VERSION:
            upgrade(connection, version)
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


class Batch(Staging):
    """Rows of one service on their way into the replica."""

    def __init__(self, connection: sqlite3.Connection, service: str) -> None:
        self.table = table_of(service)
        super().__init__(connection, service)

    def take_over(self, taken_at_ns: int, *, snapshot: bool = False, plates: Plates | None = None) -> Taken:
        """Make the staged rows visible, all at once, and return what changed.

        Raises:
            ReplicaError: the data come from a hub; or rows that stay hold plates hashed under another key, which
                nobody could find any more.
        """
        run = self._connection.execute
        run("COMMIT")
        run("BEGIN IMMEDIATE")
        try:
            self._refuse_a_hubs()
            run(f"CREATE TABLE IF NOT EXISTS main.{self.table} {BODY.format(more='')}")
            index(self._connection, self.table)
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

    def _refuse_a_hubs(self) -> None:
        """A file beside the hub's feed would mix rows that counted this kiosk's payments with rows that did not."""
        name = data_set_of(self.service)
        found = self._connection.execute("SELECT source FROM data_sets WHERE name = ?", (name,)).fetchall()
        if found and found[0][0]:
            raise ReplicaError(
                f"{name} comes from hub {found[0][0]}",
                hint="import it there (kiosk hub import); a kiosk that leaves its hub begins without sync.db",
            )

    def _upsert(self) -> None:
        sets = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS)
        differs = " OR ".join(f"{column} IS NOT excluded.{column}" for column in COLUMNS)
        self._connection.execute(
            f"INSERT INTO main.{self.table} ({ALL}) SELECT {ALL} FROM temp.staging WHERE true "
            f"ON CONFLICT (number) DO UPDATE SET {sets} WHERE {differs}"
        )

    def _replace(self) -> None:
        shadow = f"shadow_{self.table}"
        run = self._connection.execute
        run(f"DROP TABLE IF EXISTS main.{shadow}")
        run(f"CREATE TABLE main.{shadow} {BODY.format(more='')}")
        run(f"INSERT INTO main.{shadow} ({ALL}) SELECT {ALL} FROM temp.staging ORDER BY number")
        run(f"DROP TABLE main.{self.table}")
        run(f"ALTER TABLE main.{shadow} RENAME TO {self.table}")
        index(self._connection, self.table)

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
