"""The writer's side of the journal: open, append, read, and stop when the disk cannot be trusted.

Theory of operation: one connection in WAL mode with ``synchronous=FULL``, one transaction and so one fsync for
each `append`.  The rows of an append are chained and the last one is signed, so that every commit ends on a
signed row.  SQLite's own checkpoints are off, because they would stall a note by their fsyncs; `tidy` moves the
WAL into the database at idle.  `open` moves it too, before anything is read: what `open` shows has been written
anew and fsynced in this process, even if an fsync of the process before failed and its pages were only cached.

Rules that must stay true: nothing returns from `append` before its commit is on the disk; a fault other than a
full disk stops the object for good; readers are other processes with `journal.reader`, opened read-only.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from kiosk.errors import JournalDamaged, JournalError, JournalFull, JournalLocked
from kiosk.journal import checkpoint, schema
from kiosk.journal.ballast import BALLAST_BYTES, RESERVE_BYTES, Ballast
from kiosk.journal.encoding import ROOT_HASH, Row, chain, encode, head_message, kind_of
from kiosk.journal.faults import primary, translate
from kiosk.journal.files import build, connect, insert, signed_row, stretch_wal
from kiosk.journal.keys import SigningKey
from kiosk.journal.lock import WriterLock
from kiosk.journal.queries import facts_of, rows_after, rows_before
from kiosk.journal.tail import check_tail
from kiosk.model.facts import FACT_VERSION, REALMS, AnyBody, Committed, Fact, Genesis, Stamp
from kiosk.model.ids import is_kiosk_id

#: Transactions in the WAL from which `tidy` finds work; one takes two or three pages of 4 KiB.
_TIDY_COMMITS = 64
#: Transactions at which an append moves the WAL itself, so that a kiosk that is never idle stays bounded.
_FORCED_COMMITS = 8_000


class Journal:
    """The one writer of a journal file.  Owns the connection, the lock, the chain's head and the ballast.

    It refuses to own meaning: it neither reads a clock nor checks an entry, and it never repairs a file.
    """

    def __init__(
        self,
        path: Path,
        key: SigningKey,
        lock: WriterLock,
        connection: sqlite3.Connection,
        *,
        ballast: int,
        reserve: int,
    ) -> None:
        """Use `open` or `create` instead."""
        self.path = path
        self._key = key
        self._lock = lock
        self._connection = connection
        self._ballast = Ballast(path.with_name(path.name + ".ballast"), ballast)
        self._reserve = reserve
        self._low_space = False
        self._stopped: JournalError | None = None
        self._turn = threading.Lock()
        self._in_wal = 0  # transactions since the WAL was last moved whole
        self.kiosk = ""
        self.realm = ""
        self.epoch = 0
        self.seq = 0
        self.head = ROOT_HASH

    def __repr__(self) -> str:
        return f"Journal({str(self.path)!r}, {self.kiosk} {self.epoch}/{self.seq})"

    # --- making and opening --------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        kiosk: str,
        realm: str,
        key: SigningKey,
        stamp: Stamp,
        ballast_bytes: int = BALLAST_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> Journal:
        """Make a new journal with its genesis, and open it.

        The file is built under another name and renamed when it is whole, so that a power cut leaves either no
        journal or one with its genesis.

        Raises:
            JournalError: the file exists, or kiosk id or realm cannot be used.
            JournalFull, JournalReadOnly: the disk does not take it.
        """
        if not is_kiosk_id(kiosk):
            raise JournalError(
                f"{kiosk[:40]!r} cannot name a kiosk", hint="a capital letter, then 1 to 11 capitals or digits"
            )
        if realm not in REALMS:
            raise JournalError(f"{realm[:40]!r} is not a realm", hint=f"one of {', '.join(REALMS)}")
        body = Genesis(public_key=key.public_hex)
        fact = Fact(version=FACT_VERSION, kiosk=kiosk, epoch=1, seq=1, realm=realm, stamp=stamp, body=body)
        build(path, [signed_row(fact, ROOT_HASH, key)])
        return cls.open(path, key=key, ballast_bytes=ballast_bytes, reserve_bytes=reserve_bytes)

    @classmethod
    def open(
        cls, path: Path, *, key: SigningKey, ballast_bytes: int = BALLAST_BYTES, reserve_bytes: int = RESERVE_BYTES
    ) -> Journal:
        """Open an existing journal for writing: lock, schema, WAL, tail of the chain, key.

        Raises:
            JournalLocked: another process has it open.
            JournalDamaged: file, page, row, chain or signature at the tail is not what was written.
            JournalReadOnly: the disk does not take writes.
            JournalError: missing, made by newer software, or the key is another one.
        """
        if not path.exists():
            raise JournalError(f"journal {path} does not exist", hint="create it at first start, or restore a backup")
        lock = WriterLock(path)
        connection: sqlite3.Connection | None = None
        try:
            connection = connect(path)
            journal = cls(path, key, lock, connection, ballast=ballast_bytes, reserve=reserve_bytes)
            schema.migrate(connection, schema.version_of(connection, path))
            journal._settle_wal()
            journal._take_place()
        except sqlite3.Error as error:
            _let_go(connection, lock)
            raise translate(error, path, "opening the journal") from error
        except BaseException:
            _let_go(connection, lock)
            raise
        journal.restore_ballast()
        if not journal.low_space:
            stretch_wal(path)
        return journal

    def _settle_wal(self) -> None:
        """Write everything that the WAL holds into the database and fsync it (see the module's theory)."""
        busy, frames, moved = self._connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
        if busy or frames != moved:
            raise JournalLocked(
                f"{self.path}: a reader keeps the start waiting", hint="it ends by itself; try again", transient=True
            )

    def _take_place(self) -> None:
        """Check the tail and stand behind its last fact."""
        newest, fact = check_tail(self._connection, self.path, self._key)
        self.kiosk, self.realm = fact.kiosk, fact.realm
        self.epoch, self.seq, self.head = newest.epoch, newest.seq, newest.hash

    # --- appending -----------------------------------------------------------------------------------------

    def append(self, bodies: Sequence[AnyBody], stamp: Stamp) -> list[Committed]:
        """Commit facts together: one transaction, one fsync, the last one signed.  Returns them with their places.

        When the disk is full the ballast is given up and the commit runs once more; `low_space` tells.

        Raises:
            JournalFull: no space even so; nothing was committed and the journal can be used again later.
            JournalLocked: a stranger's lock, or two threads at once; nothing was committed.
            JournalReadOnly, JournalDamaged, JournalError: the journal refuses everything from now on.
        """
        if not self._turn.acquire(blocking=False):
            raise JournalLocked("two threads append to one journal", hint="only the kernel thread owns it")
        try:
            self._require_usable()
            rows: list[Row] = []
            committed: list[Committed] = []
            seq, head = self.seq, self.head
            for body in bodies:
                seq += 1
                fact = Fact(
                    version=FACT_VERSION,
                    kiosk=self.kiosk,
                    epoch=self.epoch,
                    seq=seq,
                    realm=self.realm,
                    stamp=stamp,
                    body=body,
                )
                text = encode(fact)
                head = chain(head, text)
                signature = None
                if len(rows) + 1 == len(bodies):
                    signature = self._key.sign(head_message(self.kiosk, self.epoch, seq, head))
                rows.append(Row(self.epoch, seq, kind_of(fact), text, head, signature))
                committed.append(Committed(fact, head, signature))
            if rows:
                self._commit(rows)
                self.seq, self.head = seq, head
                self._in_wal += 1
                if self._in_wal >= _FORCED_COMMITS:
                    self._move_wal()
            return committed
        finally:
            self._turn.release()

    def _commit(self, rows: list[Row]) -> None:
        try:
            self._write(rows)
        except JournalFull:
            self._low_space = True
            if not self._ballast.free():
                raise
            self._write(rows)

    def _move_wal(self) -> None:
        """Move the WAL after a commit that is already good: a fault here must not make that commit look failed."""
        try:
            self.tidy()
        except JournalFull:
            self._low_space = True
        except JournalError:
            pass  # kept in `stopped`; the next call is refused with it

    def _write(self, rows: list[Row]) -> None:
        """Run one transaction; after any fault it is rolled back, and all but full and busy stop the journal."""
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            insert(self._connection, rows)
            execute("COMMIT")
        except sqlite3.Error as error:
            told = translate(error, self.path, "committing facts")
            try:
                if self._connection.in_transaction:
                    execute("ROLLBACK")
            except sqlite3.Error as again:
                raise self._stop(translate(again, self.path, "rolling back")) from again
            if primary(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY):
                raise told from error
            raise self._stop(told) from error
        except BaseException:
            # An interrupt between two statements: whether the commit went through is for the next start to read.
            self._stop(JournalError("a commit was interrupted", hint="restart the kiosk"))
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def _stop(self, error: JournalError) -> JournalError:
        if self._stopped is None:
            self._stopped = error
        return error

    def _require_usable(self) -> None:
        if self._stopped is not None:
            first = self._stopped
            raise type(first)(f"the journal stopped after: {first.message}", hint=first.hint)

    @property
    def stopped(self) -> JournalError | None:
        """The fault after which the journal refuses all work, or None."""
        return self._stopped

    # --- reading -------------------------------------------------------------------------------------------

    def read(self, after_seq: int = 0, epoch: int | None = None, *, checked: bool = True) -> Iterator[Committed]:
        """Yield every fact after (epoch, after_seq), in order and to the end, later epochs included.

        Without an `epoch`, `after_seq` counts in the present epoch, except that 0 means the whole journal.
        `checked` holds each row against the chain.

        Raises:
            JournalDamaged: a row, a page or the chain is not what was written.
        """
        try:
            yield from facts_of(
                self.rows(after_seq, epoch), self._hash_at(after_seq, epoch) if checked else None, self.path
            )
        except sqlite3.Error as error:
            raise self._stop(translate(error, self.path, "reading facts")) from error
        except JournalDamaged as error:
            self._stop(error)
            raise

    def rows(self, after_seq: int = 0, epoch: int | None = None) -> Iterator[Row]:
        """Yield the stored rows, byte for byte; the place is told as in `read`."""
        self._require_usable()
        yield from rows_after(self._connection, *self._place(after_seq, epoch))

    def _place(self, after_seq: int, epoch: int | None) -> tuple[int, int]:
        if epoch is None:
            epoch = self.epoch if after_seq else 0
        return epoch, after_seq

    def _hash_at(self, after_seq: int, epoch: int | None) -> bytes:
        """Return the hash of the last fact at or before a place."""
        found = rows_before(self._connection, *self._place(after_seq, epoch), 1)
        return found[0].hash if found else ROOT_HASH

    # --- a cache of the state ------------------------------------------------------------------------------

    def save_checkpoint(self, seq: int, blob: bytes) -> None:
        """Keep `blob` as the state right after fact `seq` of this epoch.  A cache: never evidence.

        Raises:
            JournalFull, JournalReadOnly, JournalDamaged: as `append`; a full disk leaves the old one.
        """
        self._require_usable()
        found = rows_before(self._connection, self.epoch, seq, 1)
        if not found or (found[0].epoch, found[0].seq) != (self.epoch, seq):
            raise JournalError(f"there is no fact {self.epoch}/{seq} to keep a checkpoint of", hint="commit first")
        try:
            checkpoint.save(self._connection, found[0], blob)
        except sqlite3.Error as error:
            told = translate(error, self.path, "saving a checkpoint")
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise told if primary(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY) else self._stop(told) from error

    def load_checkpoint(self) -> tuple[int, bytes] | None:
        """Return the newest checkpoint of this epoch, or None where there is none or its hash is not the chain's."""
        self._require_usable()
        try:
            return checkpoint.load(self._connection, self.epoch)
        except sqlite3.Error as error:
            raise self._stop(translate(error, self.path, "loading the checkpoint")) from error

    # --- space and idle time -------------------------------------------------------------------------------

    @property
    def low_space(self) -> bool:
        """True from the moment the ballast was needed or could not be laid, until `restore_ballast` succeeds."""
        return self._low_space

    def free_bytes(self) -> int:
        """Return what an unprivileged process may still write to the journal's partition, bytes."""
        try:
            told = os.statvfs(self.path.parent)
        except OSError as error:
            raise JournalError(f"{self.path.parent}: {error.strerror}", hint="is the partition mounted?") from error
        return told.f_bavail * told.f_frsize

    @property
    def below_reserve(self) -> bool:
        """True where the kiosk must stop accepting cash, though it can still record.  Unknown space is none."""
        try:
            return self._low_space or self.free_bytes() < self._reserve
        except JournalError:
            return True

    def restore_ballast(self) -> bool:
        """Lay the ballast again where there is room for it and the reserve; return whether it lies there."""
        if self._ballast.present:
            self._low_space = False
        else:
            self._low_space = self.free_bytes() < self._ballast.size + self._reserve or not self._ballast.put()
        return not self._low_space

    def tidy(self) -> bool:
        """Move the WAL into the database.  Call at idle: it costs two fsyncs.  Returns whether there was work.

        Raises:
            JournalFull: the database file could not grow; nothing is lost, the WAL keeps what it has.
            JournalReadOnly, JournalDamaged: the journal refuses everything from now on.
        """
        self._require_usable()
        try:
            if self._in_wal < _TIDY_COMMITS:
                return False
            _, frames, moved = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if frames == moved:
                self._in_wal = 0
            return True
        except sqlite3.Error as error:
            told = translate(error, self.path, "moving the write-ahead log")
            raise told if primary(error) == sqlite3.SQLITE_FULL else self._stop(told) from error

    def close(self) -> None:
        """Close the file and give up the lock.  Safe to call twice."""
        if self._lock.held:
            try:
                self._connection.close()
            finally:
                self._lock.release()
                self._stop(JournalError("the journal is closed", hint="open it again"))

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _let_go(connection: sqlite3.Connection | None, lock: WriterLock) -> None:
    if connection is not None:
        connection.close()
    lock.release()
