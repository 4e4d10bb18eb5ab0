"""The process of one ingest worker: a PAIR to the front on one side, the segments on the other."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import sqlalchemy as sa

from kiosk.errors import HubError, StoreError
from kiosk.hub.bus import worker_address
from kiosk.hub.front.server_keys import load_signing_key
from kiosk.hub.ingest.answering import Answering
from kiosk.hub.ingest.intake import Intake
from kiosk.hub.ingest.registered import Registrations
from kiosk.hub.ingest.segments import SegmentStore
from kiosk.hub.meeting import Meeting
from kiosk.hub.setup import HubSetup
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import identity

#: Milliseconds of a wait for messages, after which the order to stop is looked for.
POLL_MS = 200
#: What one commit takes at most: more would keep the first in it waiting.
MOST_MESSAGES, MOST_BYTES = 256, 16 << 20


def run(setup: HubSetup, number: int, stop: Callable[[], bool]) -> None:
    """Take journals in until `stop` says so; what was taken by then is committed and answered.

    Raises:
        KioskError: the store, its identity or the hub's key cannot be used.
    """
    stores = setup.stores(readonly=("office", "books"))
    # Answers of one commit may all wait; more than that is a front that is gone.
    meeting = Meeting(worker_address(setup.config.runtime, number), answers=4 * MOST_MESSAGES)
    try:
        intake = make_intake(setup, number, stores)
        while not stop():
            if meeting.wait(POLL_MS):
                for answer in intake.take(_waiting(meeting), time.time_ns()):
                    meeting.give(answer)  # one that is lost: its kiosk will greet and send again
    finally:
        meeting.close()
        stores.close()


def make_intake(setup: HubSetup, number: int, stores: Stores) -> Intake:
    """Put one worker together.

    Raises:
        KioskError: the store belongs to another hub or to none, or the hub has no key.
    """
    hub = setup.config.hub.id
    signing = load_signing_key(setup.config.state)
    registrations = Registrations(stores.office, hub, signing)
    answering = Answering(hub, incarnation_of(stores, hub), signing, registrations)
    return Intake(number, SegmentStore(stores.segments), registrations, answering, lambda line: _say(number, line))


def incarnation_of(stores: Stores, hub: str) -> str:
    """Return which incarnation of its hub this store is.

    Raises:
        StoreError: it cannot be read.
        HubError: it belongs to another hub, or to none.
    """
    try:
        with stores.segments.connect() as connection:
            found = connection.execute(sa.select(identity)).all()
    except sa.exc.SQLAlchemyError as error:
        raise StoreError(f"the store cannot be read: {str(error)[:200]}", hint="kiosk hub init makes it") from error
    if [row.hub for row in found] != [hub]:
        belongs = ", ".join(row.hub for row in found) or "no hub"
        raise HubError(f"the store belongs to {belongs}, not {hub}", hint="check hub.id; kiosk hub init makes a store")
    return str(found[0].incarnation)


def _waiting(meeting: Meeting) -> list[list[bytes]]:
    """Return what has come, up to what one commit takes."""
    messages: list[list[bytes]] = []
    size = 0
    while len(messages) < MOST_MESSAGES and size < MOST_BYTES and (message := meeting.take()) is not None:
        messages.append(message)
        size += sum(map(len, message))
    return messages


def _say(number: int, line: str) -> None:
    print(f"worker {number}: {line}", file=sys.stderr, flush=True)  # noqa: T201  the service manager's log
