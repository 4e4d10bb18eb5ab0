"""What kiosk-sync keeps of its hubs in sync.db: how far each has the journal, its receipts, the last connections.

The hub's own marks are the truth; these are what HELLO tells and what people see while there is no line.  So they are
written when they were quiet for a moment, not with every acknowledgement.  The number of this start is kept in a file
of its own: sync.db may be removed and its data imported again, and a start must still say a number that no hub has
seen (a cloned card says one that passed).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kiosk.errors import SyncError
from kiosk.journal.keys import sync_directory
from kiosk.sync.messages import Mark
from kiosk.sync.replica_store import open_store

#: Name of the file with the number of starts, in the state directory.
STARTS = "sync.starts"
#: Receipts that are kept of each hub: the first ones, and so many of the newest.
KEPT_RECEIPTS = 500
#: Connections that are kept.
KEPT_SESSIONS = 200
_TABLES = """
CREATE TABLE IF NOT EXISTS hub_marks (
    hub TEXT PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL,
    incarnation TEXT NOT NULL, updated_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS hub_receipts (
    hub TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL,
    signature BLOB NOT NULL, received_ns INTEGER NOT NULL, PRIMARY KEY (hub, epoch, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hub_sessions (
    number INTEGER PRIMARY KEY, hub TEXT NOT NULL, began_ns INTEGER NOT NULL, ended_ns INTEGER NOT NULL,
    code TEXT NOT NULL, detail TEXT NOT NULL
) STRICT;
"""


class HubReceipt(msgspec.Struct, frozen=True):
    """A hub's signature over a mark."""

    hub: str
    mark: Mark
    signature: bytes
    received_ns: int


def next_start(state: Path) -> int:
    """Count this start of kiosk-sync, on the disk for certain, and return its number, from 1.

    Raises:
        SyncError: the number cannot be read or written.
    """
    path, part = state / STARTS, state / (STARTS + ".new")
    try:
        text = path.read_text(encoding="ascii").strip() if path.exists() else "0"
        if not text.isdecimal() or len(text) > 18:
            raise SyncError(f"{path} holds no number", hint="write the last number that the hub shows for this kiosk")
        number = int(text) + 1
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(f"{number}\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_directory(state)
    except (OSError, UnicodeDecodeError) as error:
        raise SyncError(f"{path}: {error}", hint="check disk and owner of the state directory") from error
    return number


class Marks:
    """The tables; one connection, used by the one thread of kiosk-sync, which holds the writer's lock."""

    def __init__(self, path: Path | None) -> None:
        """Open sync.db and make the tables where they are missing; without a file they last as long as the process.

        Raises:
            ReplicaError: it cannot be used.
        """
        self.path = path
        self._store = open_store(path) if path else sqlite3.connect(":memory:", isolation_level=None)
        self._inode = path.stat().st_ino if path else 0
        self._store.executescript(_TABLES)
        self._waiting: dict[str, tuple[Mark, str, int]] = {}

    def close(self) -> None:
        """Write what waits and close the file."""
        self.flush()
        self._store.close()

    def still_there(self) -> bool:
        """Tell whether the open file is the one that the path names: nobody else sees what goes into another one."""
        try:
            return self.path is None or self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def acked(self, hub: str) -> Mark:
        """Return how far a hub has the journal, as far as is known here.

        Raises:
            SyncError: the file cannot be read.
        """
        if hub in self._waiting:
            return self._waiting[hub][0]
        try:
            found = self._store.execute("SELECT epoch, seq, hash FROM hub_marks WHERE hub = ?", (hub,)).fetchone()
        except sqlite3.Error as error:
            raise _unreadable(self.path, error) from error
        return Mark(*found) if found else Mark()

    def incarnation(self, hub: str) -> str:
        """Return the incarnation of the hub's store at the last connection, "" before the first."""
        if hub in self._waiting:
            return self._waiting[hub][1]
        found = self._store.execute("SELECT incarnation FROM hub_marks WHERE hub = ?", (hub,)).fetchone()
        return str(found[0]) if found else ""

    def acknowledged(self, hub: str, mark: Mark, incarnation: str, now_ns: int) -> None:
        """Remember how far a hub is; it is written with `flush`."""
        self._waiting[hub] = (mark, incarnation, now_ns)

    def flush(self) -> None:
        """Write the marks that changed."""
        if not self._waiting:
            return
        rows = [(hub, *_columns(mark), incarnation, at) for hub, (mark, incarnation, at) in self._waiting.items()]
        self._write(
            "INSERT INTO hub_marks VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (hub) DO UPDATE SET epoch = excluded.epoch, "
            "seq = excluded.seq, hash = excluded.hash, incarnation = excluded.incarnation, "
            "updated_ns = excluded.updated_ns",
            rows,
        )
        self._waiting = {}

    def keep_receipt(self, receipt: HubReceipt) -> None:
        """Keep a hub's signed receipt; the caller has checked the signature."""
        row = (receipt.hub, *_columns(receipt.mark), receipt.signature, receipt.received_ns)
        self._write("INSERT OR IGNORE INTO hub_receipts VALUES (?, ?, ?, ?, ?, ?)", [row])
        self._write(
            "DELETE FROM hub_receipts WHERE hub = ?1 AND (epoch << 32) + seq <= (SELECT (epoch << 32) + seq FROM "
            f"hub_receipts WHERE hub = ?1 ORDER BY epoch DESC, seq DESC LIMIT 1 OFFSET {KEPT_RECEIPTS})",
            [(receipt.hub,)],
        )

    def receipts(self, hub: str, limit: int = 10) -> list[HubReceipt]:
        """Return the newest receipts of a hub, newest first."""
        rows = self._store.execute(
            "SELECT epoch, seq, hash, signature, received_ns FROM hub_receipts WHERE hub = ? "
            "ORDER BY epoch DESC, seq DESC LIMIT ?",
            (hub, limit),
        ).fetchall()
        return [HubReceipt(hub, Mark(*row[:3]), row[3], row[4]) for row in rows]

    def began(self, hub: str, now_ns: int) -> int:
        """Write down that a connection stands; return its number.

        Raises:
            SyncError: the file takes nothing, or cannot be read.
        """
        number = self._newest() + 1
        row = (number, hub, now_ns)
        self._write("INSERT INTO hub_sessions VALUES (?, ?, ?, 0, '', '')", [row])
        self._write("DELETE FROM hub_sessions WHERE number <= ?", [(number - KEPT_SESSIONS,)])
        return number

    def _newest(self) -> int:
        try:
            found = self._store.execute("SELECT max(number) FROM hub_sessions").fetchone()
        except sqlite3.Error as error:
            raise _unreadable(self.path, error) from error
        return int(found[0] or 0)

    def ended(self, number: int, now_ns: int, code: str, detail: str) -> None:
        """Write down how a connection ended."""
        self._write(
            "UPDATE hub_sessions SET ended_ns = ?, code = ?, detail = ? WHERE number = ?",
            [(now_ns, code, detail[:400], number)],
        )

    def sessions(self, limit: int = 10) -> list[tuple[str, int, int, str, str]]:
        """Return the last connections, newest first: hub, when it began and ended, why, with which words."""
        rows: list[tuple[str, int, int, str, str]] = self._store.execute(
            "SELECT hub, began_ns, ended_ns, code, detail FROM hub_sessions ORDER BY number DESC LIMIT ?", (limit,)
        ).fetchall()
        return rows

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        try:
            self._store.execute("BEGIN IMMEDIATE")
            self._store.executemany(statement, rows)
            self._store.execute("COMMIT")
        except sqlite3.Error as error:
            if self._store.in_transaction:
                self._store.execute("ROLLBACK")
            raise SyncError(
                f"{self.path} does not take what kiosk-sync remembers: {error}",
                hint="make room on the disk; nothing is lost, the hub's marks are the truth",
                transient=True,
            ) from error


def _unreadable(path: Path | None, error: sqlite3.Error) -> SyncError:
    return SyncError(
        f"{path} cannot be read: {error}", hint="remove it; the hub sends its data again, and no money is in it"
    )


def _columns(mark: Mark) -> tuple[int, int, bytes]:
    return mark.epoch, mark.seq, mark.hash
