"""What a feed writes into the replica: shadows of snapshots under way, and how they or changes become visible at once.

A snapshot is staged part by part in a table of its own (``incoming_…``), with its place and the sum of its rows in
`runs`, in one transaction each: whatever is cut, and wherever, goes on after the last whole part.  It becomes visible
in one transaction that changes names only, so that it takes as long for a million rows as for one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from kiosk.errors import SyncError
from kiosk.sync.feed import (
    LARGEST_DOCUMENT,
    PIECE_BYTES,
    digest_of,
    document_body,
    read_row,
    row_bytes,
    service_of,
    total_of,
    weight,
)
from kiosk.sync.messages import DataCursor, End
from kiosk.sync.replica import Row, table_of
from kiosk.sync.replica_schema import BODY
from kiosk.sync.staging import ALL, MARKS

#: Numbers in one question.
_AT_ONCE = 500


class Run(msgspec.Struct, frozen=True):
    """A snapshot under way."""

    name: str
    hub: str
    generation: int
    #: Cursor at which it began.
    base: int
    #: Cursor up to which everything came.
    after: int = 0
    chunks: int = 0
    rows: int = 0
    #: Digest of the rows so far.
    digest: str = digest_of(0)

    @property
    def begun(self) -> DataCursor:
        """How the hub is told which run it is."""
        return DataCursor(self.name, self.generation, self.base)


#: What one `Delta` changes: rows to put in, keys to take out.
Changes = tuple[tuple[Row, ...], tuple[str, ...]]


class RunStore:
    """Owns runs, shadows and data sets that come from a hub.  Never leaves a transaction open."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    # --- asking -------------------------------------------------------------------------------------------

    def held(self, name: str, hub: str) -> DataCursor | None:
        """Return how far a data set of this hub's is here; None where nothing of it is."""
        if service_of(name):
            wanted = "SELECT generation, cursor, digest FROM data_sets WHERE name = ? AND source = ?"
        else:
            wanted = "SELECT 1, version, digest FROM documents WHERE name = ? AND source = ?"
        found = self._connection.execute(wanted, (name, hub)).fetchall()
        return DataCursor(name, *found[0]) if found else None

    def everything(self, hub: str) -> tuple[DataCursor, ...]:
        """Return how far all data sets of this hub's are here, by name."""
        names = self._connection.execute(
            "SELECT name FROM data_sets WHERE source = ? UNION SELECT name FROM documents WHERE source = ? ORDER BY 1",
            (hub, hub),
        ).fetchall()
        return tuple(found for (name,) in names if (found := self.held(name, hub)) is not None)

    def run(self, name: str) -> Run | None:
        """Return the snapshot of a data set that is under way."""
        columns = ", ".join(Run.__struct_fields__)
        found = self._connection.execute(f"SELECT {columns} FROM runs WHERE name = ?", (name,)).fetchall()
        return Run(*found[0]) if found else None

    def rows_after(self, name: str, number: str, limit: int) -> list[Row]:
        """Return the next rows of a data set in the order of their numbers."""
        table = table_of(service_of(name))
        wanted = f"SELECT {ALL} FROM {table} WHERE number > ? ORDER BY number LIMIT ?"
        return self._connection.execute(wanted, (number, limit)).fetchall()

    # --- a snapshot ---------------------------------------------------------------------------------------

    def begin(self, run: Run) -> None:
        """Begin a snapshot; what there was of an older one is thrown away."""
        with self._transaction():
            self._forget(run.name)
            if service_of(run.name):
                shadow = _shadow(run.name)
                self._connection.execute(f"CREATE TABLE {shadow} {BODY.format(more='')}")
                self._connection.execute(
                    f"CREATE INDEX {self._free_name(run.name)} ON {shadow} (plate_hash) WHERE plate_hash IS NOT NULL"
                )
            self._note(run)

    def stage(self, run: Run, rows: Sequence[bytes], through: int) -> Run:
        """Stage one part of a snapshot.

        Raises:
            SyncError: a row is none, or came already.
        """
        total = total_of(run.digest) + sum(weight(row) for row in rows)
        with self._transaction():
            if service_of(run.name):
                self._insert(_shadow(run.name), [read_row(row) for row in rows])
            else:
                if (run.rows + len(rows) - 1) * PIECE_BYTES > LARGEST_DOCUMENT:
                    raise SyncError(f"{run.name} is larger than {LARGEST_DOCUMENT} bytes")
                pieces = [(run.name, run.rows + at, row) for at, row in enumerate(rows)]
                self._connection.executemany("INSERT INTO pieces VALUES (?, ?, ?)", pieces)
            after = msgspec.structs.replace(
                run, after=through, chunks=run.chunks + 1, rows=run.rows + len(rows), digest=digest_of(total)
            )
            self._note(after)
        return after

    def stage_changes(self, run: Run, changes: Changes, through: int) -> Run:
        """Stage what changed since a snapshot began.

        Raises:
            SyncError: a row came twice.
        """
        with self._transaction():
            rows, digest = self._change(_shadow(run.name), run.rows, run.digest, changes)
            after = msgspec.structs.replace(run, after=through, rows=rows, digest=digest)
            self._note(after)
        return after

    def complete(self, run: Run, end: End, now_ns: int) -> None:
        """Make a whole snapshot visible.

        Raises:
            SyncError: it is not what the hub has.
        """
        _check(run.rows, run.digest, end)
        with self._transaction():
            if service := service_of(run.name):
                self._connection.execute(f"DROP TABLE IF EXISTS {table_of(service)}")
                self._connection.execute(f"ALTER TABLE {_shadow(run.name)} RENAME TO {table_of(service)}")
                self._describe(run.hub, end)
            else:
                wanted = "SELECT body FROM pieces WHERE name = ? ORDER BY chunk"
                body = document_body(row for (row,) in self._connection.execute(wanted, (run.name,)))
                self._connection.execute(
                    "INSERT OR REPLACE INTO documents (name, version, digest, source, body, received_ns) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (run.name, end.data.cursor, end.data.digest, run.hub, body, now_ns),
                )
                if run.name == "plates":
                    self._take_plates(body)
            self._forget(run.name)

    def abandon(self, name: str) -> None:
        """Throw away what came of a snapshot."""
        with self._transaction():
            self._forget(name)

    # --- changes ------------------------------------------------------------------------------------------

    def apply(self, hub: str, changes: Sequence[Changes], end: End) -> None:
        """Make changes visible, all at once.

        Raises:
            SyncError: what comes out is not what the hub has; nothing was changed.
        """
        table = table_of(service_of(end.data.name))
        with self._transaction():
            wanted = "SELECT rows, digest FROM data_sets WHERE name = ? AND source = ?"
            rows, digest = self._connection.execute(wanted, (end.data.name, hub)).fetchone()
            for each in changes:
                rows, digest = self._change(table, rows, digest, each)
            _check(rows, digest, end)
            self._describe(hub, end)

    def adopt(self, hub: str, end: End) -> None:
        """Take over the hub's name for a state that is here already, and what it counted."""
        with self._transaction():
            if service_of(end.data.name):
                self._describe(hub, end)
            else:
                renamed = (end.data.cursor, end.data.name, hub)
                self._connection.execute("UPDATE documents SET version = ? WHERE name = ? AND source = ?", renamed)

    # --- within a transaction -----------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _insert(self, table: str, rows: Sequence[Row]) -> None:
        try:
            self._connection.executemany(f"INSERT INTO {table} ({ALL}) VALUES ({MARKS})", rows)
        except sqlite3.IntegrityError as fault:
            raise SyncError("the hub sent an invoice twice") from fault

    def _change(self, table: str, count: int, digest: str, changes: Changes) -> tuple[int, str]:
        """Change a table; return what rows it has then, and their digest."""
        rows, gone = changes
        total = total_of(digest) + sum(weight(row_bytes(row)) for row in rows)
        keys = [*(row[0] for row in rows), *gone]
        for at in range(0, len(keys), _AT_ONCE):
            some = keys[at : at + _AT_ONCE]
            wanted = f"SELECT {ALL} FROM {table} WHERE number IN ({', '.join('?' * len(some))})"
            for old in self._connection.execute(wanted, some):
                total -= weight(row_bytes(old))
                count -= 1
        self._connection.executemany(f"DELETE FROM {table} WHERE number = ?", [(key,) for key in keys])
        self._insert(table, rows)
        return count + len(rows), digest_of(total)

    def _describe(self, hub: str, end: End) -> None:
        data, counted = end.data, end.counted
        self._connection.execute(
            "INSERT OR REPLACE INTO data_sets (name, generation, cursor, digest, rows, taken_at_ns, source, "
            "posted_epoch, posted_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (data.name, data.generation, data.cursor, data.digest, end.rows, end.taken_at_ns, hub, counted.epoch,
             counted.seq),
        )  # fmt: skip

    def _take_plates(self, body: bytes) -> None:
        told = read_plates(body)
        for service, (key_id, states) in told.items():
            self._connection.execute("DELETE FROM plates WHERE service = ?", (service,))
            rows = [(service, state, key_id) for state in states]
            self._connection.executemany("INSERT OR IGNORE INTO plates VALUES (?, ?, ?)", rows)

    def _note(self, run: Run) -> None:
        values = msgspec.structs.astuple(run)
        self._connection.execute(f"INSERT OR REPLACE INTO runs VALUES ({', '.join('?' * len(values))})", values)

    def _forget(self, name: str) -> None:
        self._connection.execute("DELETE FROM runs WHERE name = ?", (name,))
        if service_of(name):
            self._connection.execute(f"DROP TABLE IF EXISTS {_shadow(name)}")
        else:
            self._connection.execute("DELETE FROM pieces WHERE name = ?", (name,))

    def _free_name(self, name: str) -> str:
        """Return a name for the shadow's index: the table's own keeps the other one until it goes."""
        table = table_of(service_of(name))
        taken = {row[0] for row in self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
        return next(each for each in (f"plates_of_{table}", f"other_plates_of_{table}") if each not in taken)


def read_plates(body: bytes) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Read the document that tells under which key the plates of each service are hashed, and for which states.

    Raises:
        SyncError: it is another document.
    """
    try:
        return msgspec.json.decode(body, type=dict[str, tuple[str, tuple[str, ...]]])
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise SyncError(f"the states of plates cannot be read: {str(fault)[:120]}") from fault


def _shadow(name: str) -> str:
    return f"incoming_{table_of(service_of(name))}"


def _check(rows: int, digest: str, end: End) -> None:
    if (rows, digest) != (end.rows, end.data.digest):
        raise SyncError(
            f"{end.data.name} came out with {rows} rows and digest {digest[:16]}, "
            f"not {end.rows} and {end.data.digest[:16]} as at the hub"
        )
