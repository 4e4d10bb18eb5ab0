"""The kiosk's side of the feed: asks the hub for what is new and makes it visible when it is whole.

Says what to send and takes what came; the line belongs to `kiosk-sync`.  One data set is under way at a time, small
ones first.  The hub tells by NUDGE how far everything is; the feed asks for that by a PULL without a name, on every
new connection and then from time to time, so a lost NUDGE costs minutes.  What differs in generation, cursor or digest
is pulled; a digest that differs at the same cursor leads to a snapshot by itself.

Rules that must stay true: nothing is visible before `End` came with a signature that fits and rows and digest agree;
then all of it is, with the mark up to which the hub counted this kiosk's facts.  No answer is trusted to be the one
that was asked for: a part that does not continue what is here is left alone, and asked for again when time is up.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from kiosk.errors import KioskError, SyncError
from kiosk.journal.keys import verify
from kiosk.sync.feed import DOCUMENTS, PART_BYTES, digest_of, manifest, read_row, row_bytes, service_of, weight
from kiosk.sync.messages import DataCursor, Delta, End, Message, Nack, Nudge, Pull, Snap
from kiosk.sync.replica_runs import Changes, Run, RunStore
from kiosk.sync.replica_store import open_store, writer_lock

_S = 1_000_000_000
#: How long an answer may take before it is asked for again.
PATIENCE_NS = 30 * _S
#: How often the hub is asked how far everything is.
ASK_EVERY_NS = 600 * _S
#: Between two runs of one data set; a line that is paid by volume takes more.
PACE_NS = 1 * _S
#: How long a data set rests after it failed.
REST_NS = 60 * _S
#: How often a data set is counted through, and how many rows at a time.
RECOUNT_EVERY_NS, RECOUNT_ROWS = 86_400 * _S, 2_000
#: Parts that may be under way.
CREDIT = 4
#: Free disk that a snapshot leaves to the journal.
RESERVE_BYTES = 128 << 20
#: What a row takes on the disk, about.
_ROW_BYTES = 160
#: What a key that goes, or a part without anything, takes in memory, about.
_KEY_BYTES = 64
_MOST_SETS = 64
_MOST_CHANGES_BYTES = 64 * PART_BYTES


class _Pending(msgspec.Struct):
    """Changes that came and wait for their `End`."""

    generation: int
    after: int
    changes: list[Changes] = []
    bytes: int = 0


class _Recount(msgspec.Struct):
    """A data set that is counted through, a piece at a time."""

    state: DataCursor
    number: str = ""
    total: int = 0


class ReplicaFeed:
    """Owns the replica of one kiosk while `kiosk-sync` runs, and nobody else writes it."""

    def __init__(
        self, path: Path, kiosk: str, *, pace_ns: int = PACE_NS, reserve_bytes: int = RESERVE_BYTES,
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:  # fmt: skip
        """Open the replica and take its lock; `pace_ns` lies between two runs of a data set: news wait together.

        Raises:
            ReplicaError: an import is writing it, or it cannot be used.
        """
        self.path, self._kiosk = path, kiosk
        self._pace = pace_ns
        self._reserve, self._free = reserve_bytes, free_bytes
        self._held = ExitStack()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held.enter_context(writer_lock(path))
        try:
            self._connection = open_store(path)
        except BaseException:
            self._held.close()
            raise
        self._store = RunStore(self._connection)
        self._hub = self._signing_key = ""
        self._latest: dict[str, DataCursor] = {}
        self._pending: dict[str, _Pending] = {}
        self._distrusted: set[str] = set()
        self._rest_until: dict[str, int] = {}
        self._recounts: dict[str, tuple[int, _Recount | None]] = {}
        self._asked: tuple[str, int] | None = None
        self._credit = 0
        self._next_question = self._now_ns = 0
        #: What is wrong, by data set; for the health page and the alarms.
        self.troubles: dict[str, str] = {}

    def connected(self, hub: str, signing_key: str) -> None:
        """Begin a new connection to a hub whose key for signatures is known (hexadecimal)."""
        if hub != self._hub:
            self._latest.clear()
            self._distrusted.clear()
            self.troubles.clear()
        self._hub, self._signing_key = hub, signing_key
        self._pending.clear()
        self._rest_until.clear()
        self._asked, self._next_question = None, 0

    def close(self) -> None:
        """Let go of the replica."""
        self._connection.close()
        self._held.close()

    def cursors(self, hub: str = "") -> tuple[DataCursor, ...]:
        """Return how far everything of a hub's is here: what HELLO tells; nothing of a file that cannot be read."""
        try:
            return self._store.everything(hub or self._hub)
        except sqlite3.Error as fault:
            self.troubles[self.path.name] = str(fault)[:200]
            return ()

    # --- asking -------------------------------------------------------------------------------------------

    def wants(self, now_ns: int) -> list[Message]:
        """Return what to ask for now; called often.  A damaged file is told and keeps no journal waiting."""
        if now_ns < self._now_ns:  # the wall clock went back: nothing waits until it has come as far again
            self._asked, self._next_question = None, 0
            self._rest_until.clear()
            self._recounts.clear()
        self._now_ns = now_ns
        if not self._hub or (self._asked is not None and now_ns - self._asked[1] < PATIENCE_NS):
            return []
        self._asked = None
        try:
            return self._next_pull(now_ns)
        except sqlite3.Error as fault:
            self.troubles[self.path.name] = str(fault)[:200]
            self._next_question = now_ns + REST_NS
            self._latest.clear()
            return []

    def _next_pull(self, now_ns: int) -> list[Message]:
        if now_ns >= self._next_question:
            self._next_question, self._asked = now_ns + ASK_EVERY_NS, ("", now_ns)
            return [Pull(DataCursor(""))]
        for name in self._known():
            own = self._own(name)
            if now_ns >= self._rest_until.get(name, 0) and own != self._latest[name]:
                return [self._pull(name, now_ns)]
        self._recount(now_ns)
        return []

    def _known(self) -> list[str]:
        """Return the names that the hub told, small sets first."""
        return sorted(self._latest, key=lambda name: (bool(service_of(name)), (*DOCUMENTS, name).index(name), name))

    def _own(self, name: str) -> DataCursor:
        found = None if name in self._distrusted else self._store.held(name, self._hub)
        return found or DataCursor(name)

    def _run(self, name: str) -> Run | None:
        run = self._store.run(name)
        return run if run is not None and run.hub == self._hub else None

    def _pull(self, name: str, now_ns: int) -> Pull:
        self._asked, self._credit = (name, now_ns), CREDIT
        own, run, pending = self._own(name), self._run(name), self._pending.get(name)
        if run is not None:
            return Pull(own, chunks=run.chunks, snapshot=run.begun, credit=CREDIT, after=run.after)
        return Pull(own, credit=CREDIT, after=pending.after if pending else 0)

    # --- taking -------------------------------------------------------------------------------------------

    def received(self, message: Message, now_ns: int) -> list[Message]:
        """Take NUDGE, SNAP, DELTA, END or a NACK about data; return what to send next."""
        if isinstance(message, Nudge):
            return self._nudged(message, now_ns)
        name = message.detail if isinstance(message, Nack) else getattr(getattr(message, "data", None), "name", "")
        if self._asked is None or self._asked[0] != name or not name:
            return []  # late, or never asked for
        try:
            match message:
                case Snap():
                    taken = self._snap(message)
                case Delta():
                    taken = self._delta(message)
                case End():
                    return self._end(message, now_ns)
                case Nack(code="unknown_data"):
                    del self._latest[name]
                    self._asked = None
                    return []
                case _:
                    return []
            if not taken:
                return []
            self._credit -= 1
            self._asked = (name, now_ns)
            return [self._pull(name, now_ns)] if self._credit <= 0 else []
        except (KioskError, sqlite3.Error) as fault:
            self._failed(name, str(fault), now_ns, again=isinstance(fault, SyncError))
            return []

    def _nudged(self, message: Nudge, now_ns: int) -> list[Message]:
        for data in message.data[:_MOST_SETS]:
            known = data.name in self._latest or data.name in DOCUMENTS
            if known or (service_of(data.name) and len(self._latest) < _MOST_SETS):
                self._latest[data.name] = data
        if self._asked is not None and not self._asked[0]:
            self._asked = None
        return self.wants(now_ns)

    def _snap(self, message: Snap) -> bool:
        data, run = message.data, self._run(message.data.name)
        begins = Run(data.name, self._hub, data.generation, data.cursor)
        if message.chunk == 0 and (run is None or run.chunks == 0 or run.begun != begins.begun):
            self._check_room(message.whole * _ROW_BYTES)
            self._store.begin(begins)
            run = begins
        if run is None or run.begun != begins.begun or message.chunk != run.chunks or message.through < run.after:
            return False
        self._check_room(4 * sum(len(row) for row in message.rows))
        self._pending.pop(data.name, None)
        self._store.stage(run, message.rows, message.through)
        return True

    def _delta(self, message: Delta) -> bool:
        data, since, run = message.data, message.since, self._run(message.data.name)
        if not service_of(data.name) or data.cursor < since.cursor:
            raise SyncError(f"{data.name[:40]} has no changes like that")
        changes = (tuple(read_row(row) for row in message.rows), message.gone)
        size = sum(len(row) for row in message.rows) + sum(_KEY_BYTES + len(key) for key in message.gone)
        if run is not None and (run.generation, run.after) == (data.generation, since.cursor):
            self._check_room(4 * size)
            self._store.stage_changes(run, changes, data.cursor)
            return True
        own, pending = self._own(data.name), self._pending.get(data.name)
        pending = pending or _Pending(own.generation, own.cursor)
        if (pending.generation, pending.after) != (data.generation, since.cursor) or not own.generation:
            return False
        if run is not None:  # the hub no longer goes on with it
            self._store.abandon(data.name)
        pending.bytes += size + _KEY_BYTES
        if pending.bytes > _MOST_CHANGES_BYTES:
            raise SyncError(f"the changes of {data.name} are larger than a snapshot may wait for")
        pending.changes.append(changes)
        pending.after = data.cursor
        self._pending[data.name] = pending
        return True

    def _end(self, end: End, now_ns: int) -> list[Message]:
        data, run, pending = end.data, self._run(end.data.name), self._pending.get(end.data.name)
        told = manifest(self._hub, data, end.rows, end.taken_at_ns, kiosk=self._kiosk, counted=end.counted)
        if not verify(self._signing_key, told, end.signature):
            raise SyncError(f"the hub's signature over {data.name} does not fit")
        place = (data.generation, data.cursor)
        if run is not None and (run.generation, run.after) == place:
            self._store.complete(run, end, now_ns)
        elif pending is not None and (pending.generation, pending.after) == place:
            self._store.apply(self._hub, pending.changes, end)
        elif self._own(data.name).digest == data.digest:
            self._store.adopt(self._hub, end)
        else:
            raise SyncError(f"{data.name} ended at {data.cursor} where it had not come to")
        self._pending.pop(data.name, None)
        self._distrusted.discard(data.name)
        self.troubles.pop(data.name, None)
        self._latest[data.name] = data
        self._rest_until[data.name] = now_ns + self._pace
        self._asked = None
        return [Pull(data, credit=0), *self.wants(now_ns)]

    def _failed(self, name: str, fault: str, now_ns: int, *, again: bool) -> None:
        """Throw away what came, rest, and where the data are at fault begin with a snapshot."""
        self.troubles[name] = fault[:200]
        self._pending.pop(name, None)
        self._rest_until[name] = now_ns + REST_NS
        self._asked = None
        if again:
            self._distrusted.add(name)
            with suppress(sqlite3.Error):  # what is wrong is told already, and this comes with the next run
                self._store.abandon(name)

    def _check_room(self, needed: int) -> None:
        free = self._free(self.path.parent)
        if free < needed + self._reserve:
            raise KioskError(
                f"{free >> 20} MiB are free, reference data need {needed >> 20} and leave {self._reserve >> 20}",
                hint="make room on the disk",
                transient=True,
            )

    # --- looking after it ---------------------------------------------------------------------------------

    def _recount(self, now_ns: int) -> None:
        """Count a data set through, a piece at a time: what a disk lost is sent again."""
        for name in self._known():
            due, recount = self._recounts.get(name, (now_ns, None))
            state = self._own(name)
            if not service_of(name) or not state.generation or now_ns < due:
                continue
            if recount is None or recount.state != state:
                recount = _Recount(state)
            try:
                rows = self._store.rows_after(name, recount.number, RECOUNT_ROWS)
            except sqlite3.Error as fault:
                self._recounts[name] = (now_ns + RECOUNT_EVERY_NS, None)
                self._failed(name, f"{name} cannot be read: {fault}", now_ns, again=True)
                return
            recount.total += sum(weight(row_bytes(row)) for row in rows)
            if rows:
                recount.number = rows[-1][0]
                self._recounts[name] = (now_ns, recount)
                return
            self._recounts[name] = (now_ns + RECOUNT_EVERY_NS, None)
            if digest_of(recount.total) != state.digest:
                self._failed(name, f"{name} is not what it was: taken anew", now_ns, again=True)
            return
