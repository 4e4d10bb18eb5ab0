"""Reads what the front goes by: registry, commands that wait, data that are new.  A thread of its own.

The loop that moves messages never waits for the database: it takes whole values from here.  Twenty times a second one
row a subject is read; only a subject that changed is read whole.  A registry that cannot be read for a while may hold
a key that is revoked by now, so the loop stops admitting anything until it can (`STALE_NS`).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping

import msgspec
import sqlalchemy as sa

from kiosk.hub.front.registry import Registry, load
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import command, document, publication, revision
from kiosk.sync.messages import Command, DataCursor

#: Seconds between two looks at the revisions, and between two at the publications.
PERIOD_S, PUBLICATIONS_S = 0.05, 1.0
#: Nanoseconds after which a registry that could not be read again is trusted no more.
STALE_NS = 5_000_000_000
#: Commands that are held ready.
MOST_COMMANDS = 10_000


class Seen(msgspec.Struct, frozen=True):
    """What was read last; a value."""

    registry: Registry = Registry()
    #: Kiosk -> its commands that wait for an answer, oldest first, unsigned.
    commands: Mapping[str, tuple[Command, ...]] = {}
    #: Data sets and documents as they are published.
    data: Mapping[str, DataCursor] = {}
    #: Monotonic clock of the last successful look.
    read_ns: int = 0


class Watch(threading.Thread):
    """The reader."""

    def __init__(self, open_stores: Callable[[], Stores]) -> None:
        super().__init__(name="front-watch", daemon=True)
        self._open = open_stores
        self._ending = threading.Event()
        self._numbers: dict[str, int] = {}
        self._looked_at_data = 0.0
        #: The newest value; replaced whole.
        self.seen = Seen()
        self.trouble = ""

    def run(self) -> None:
        """Read until told to end; a fault of the database is told once and tried again."""
        stores = self._open()
        try:
            while not self._ending.is_set():
                self.look(stores)
                self._ending.wait(PERIOD_S)
        finally:
            stores.close()

    def end(self) -> None:
        """Tell the thread to end, and wait for it."""
        self._ending.set()
        self.join(5)

    def look(self, stores: Stores) -> None:
        """Read what changed.  Books that are just being rebuilt keep nobody from seeing a revocation."""
        trouble = ""
        for read in (self._read_office, self._read_books):
            try:
                read(stores)
            except sa.exc.SQLAlchemyError as error:
                trouble = f"the database cannot be read: {str(error)[:200]}"
        if trouble and not self.trouble:
            sys.stderr.write(f"front: {trouble}\n")
        self.trouble = trouble

    def _read_office(self, stores: Stores) -> None:
        seen = self.seen
        with stores.office.connect() as connection:
            numbers = {row.subject: row.number for row in connection.execute(sa.select(revision))}
            known = self._numbers
            if not seen.read_ns or numbers.get("registry", 0) != known.get("registry", 0):
                seen = msgspec.structs.replace(seen, registry=load(connection))
            if not seen.read_ns or numbers.get("commands", 0) != known.get("commands", 0):
                seen = msgspec.structs.replace(seen, commands=_waiting(connection))
            documents = None
            if not seen.read_ns or numbers.get("documents", 0) != known.get("documents", 0):
                documents = _documents(connection)
        if documents is not None:
            seen = msgspec.structs.replace(seen, data={**seen.data, **documents})
        self._numbers = numbers
        self.seen = msgspec.structs.replace(seen, read_ns=time.monotonic_ns())

    def _read_books(self, stores: Stores) -> None:
        if time.monotonic() - self._looked_at_data < PUBLICATIONS_S:
            return
        self._looked_at_data = time.monotonic()
        with stores.books.connect() as connection:
            published = {
                row.data_set: DataCursor(row.data_set, row.generation, row.cursor, row.digest)
                for row in connection.execute(sa.select(publication))
            }
        if any(self.seen.data.get(name) != each for name, each in published.items()):
            self.seen = msgspec.structs.replace(self.seen, data={**self.seen.data, **published})


def _waiting(connection: sa.Connection) -> dict[str, tuple[Command, ...]]:
    rows = connection.execute(
        sa.select(command)
        .where(command.c.state.in_(("waiting", "sent")))
        .order_by(command.c.asked_ns, command.c.id)
        .limit(MOST_COMMANDS)
    )
    found: dict[str, tuple[Command, ...]] = {}
    for row in rows:
        told = Command(row.id, row.command, row.argument, row.reason, row.asked_by)
        found[row.kiosk] = (*found.get(row.kiosk, ()), told)
    return found


def _documents(connection: sa.Connection) -> dict[str, DataCursor]:
    newest = (
        sa.select(document.c.name, sa.func.max(document.c.version).label("version"))
        .group_by(document.c.name)
        .subquery()
    )
    rows = connection.execute(
        sa.select(document.c.name, document.c.version, document.c.digest).join(
            newest, sa.and_(document.c.name == newest.c.name, document.c.version == newest.c.version)
        )
    )
    return {row.name: DataCursor(row.name, 1, row.version, row.digest) for row in rows}
