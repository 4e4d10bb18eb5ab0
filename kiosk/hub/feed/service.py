"""The librarian's process: a PAIR to the front on one side, what is published on the other."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from kiosk.errors import KioskError, WireError
from kiosk.hub import bus
from kiosk.hub.feed.answers import Librarian
from kiosk.hub.front.server_keys import load_signing_key
from kiosk.hub.meeting import Meeting
from kiosk.hub.setup import HubSetup
from kiosk.hub.store.tables import kiosk_data
from kiosk.sync import wire
from kiosk.sync.messages import DataCursor, Nack, Pull

#: Milliseconds of a wait for messages, after which the order to stop is looked for.
POLL_MS = 200
#: Seconds between two notes of how far the kiosks are.
NOTE_S = 1.0
#: Messages that wait for the front; one answer has less.
_QUEUE = 256


def run(setup: HubSetup, stop: Callable[[], bool]) -> None:
    """Answer PULLs until `stop` says so.

    Raises:
        KioskError: the hub's key or its database cannot be used.
    """
    signing = load_signing_key(setup.config.state)
    stores, desk = setup.stores(readonly=("segments", "office", "books")), setup.stores(readonly=("books",))
    notes = Notes(desk.office)
    librarian = Librarian(stores, setup.config.hub.id, signing)
    meeting = Meeting(bus.librarian_address(setup.config.runtime), answers=_QUEUE)
    try:
        while not stop():
            if meeting.wait(POLL_MS) and (frames := meeting.take()) is not None:
                for answer in answered(librarian, notes, frames):
                    if not meeting.give(answer):
                        break  # the front is gone: its kiosks will ask again
            notes.write()
    finally:
        meeting.close()
        stores.close()
        desk.close()


def answered(librarian: Librarian, notes: Notes, frames: list[bytes]) -> list[list[bytes]]:
    """Return the frames that answer one forwarded message; trouble with the database is told, and asked again."""
    envelope = bus.unpack(frames[0])
    try:
        head, message = wire.decode(frames[1:], wire.UP)
    except WireError as error:
        return [[frames[0], *wire.encode(Nack(error.code, detail=error.message[:200]), session=0, number=1)]]
    if not isinstance(message, Pull):
        return []
    notes.told(envelope.kiosk, message.data)
    try:
        answers = librarian.answer(message, envelope.kiosk)
    except (sa.exc.SQLAlchemyError, KioskError) as error:
        sys.stderr.write(f"librarian: {message.data.name[:64]!r} for {envelope.kiosk}: {str(error)[:300]}\n")
        return []
    return [[frames[0], *wire.encode(each, session=head.session, number=1, pack=True)] for each in answers]


class Notes:
    """How far each kiosk says its data sets are, written once a second for the pages."""

    def __init__(self, office: sa.Engine) -> None:
        self._office = office
        self._written: dict[tuple[str, str], DataCursor] = {}
        self._waiting: dict[tuple[str, str], DataCursor] = {}
        self._next = 0.0

    def told(self, kiosk: str, data: DataCursor) -> None:
        """Take what a PULL says of the set it asks for."""
        if data.name and data.generation and self._written.get((kiosk, data.name)) != data:
            self._waiting[kiosk, data.name] = data

    def write(self, *, at_once: bool = False) -> None:
        """Write what is new, if it is time."""
        if not self._waiting or (not at_once and time.monotonic() < self._next):
            return
        now = time.time_ns()
        rows = [
            {"kiosk": kiosk, "data_set": name, "generation": data.generation, "cursor": data.cursor,
             "digest": data.digest, "at_ns": now}
            for (kiosk, name), data in self._waiting.items()
        ]  # fmt: skip
        try:
            with self._office.begin() as office:
                insert = (postgresql if office.dialect.name == "postgresql" else sqlite).insert(kiosk_data)
                changes = {name: insert.excluded[name] for name in ("generation", "cursor", "digest", "at_ns")}
                office.execute(insert.on_conflict_do_update(index_elements=["kiosk", "data_set"], set_=changes), rows)
        except sa.exc.OperationalError as error:
            sys.stderr.write(f"librarian: how far the kiosks are could not be noted: {str(error.orig)[:200]}\n")
        else:
            self._written.update(self._waiting)
            self._waiting.clear()
        self._next = time.monotonic() + NOTE_S
