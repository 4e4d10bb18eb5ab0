"""The process of one ingest worker: a PAIR to the front on one side, the segments on the other."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import sqlalchemy as sa
import zmq

from kiosk.errors import HubError, StoreError
from kiosk.hub.bus import DEPTH, worker_address
from kiosk.hub.front.server_keys import load_signing_key
from kiosk.hub.ingest.answering import Answering
from kiosk.hub.ingest.intake import Intake
from kiosk.hub.ingest.registered import Registrations
from kiosk.hub.ingest.segments import SegmentStore
from kiosk.hub.setup import HubSetup
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import identity

#: Milliseconds of a wait for messages, after which the order to stop is looked for.
POLL_MS = 200
#: Seconds without any message after which the worker meets the front anew, and the front's time to let the old go.
QUIET_S, REST_S = 15.0, 0.5
#: What one commit takes at most: more would keep the first in it waiting.
MOST_MESSAGES, MOST_BYTES = 256, 16 << 20


def run(setup: HubSetup, number: int, stop: Callable[[], bool]) -> None:
    """Take journals in until `stop` says so; what was taken by then is committed and answered.

    Raises:
        KioskError: the store, its identity or the hub's key cannot be used.
    """
    stores = setup.stores(readonly=("office", "books"))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    address = worker_address(setup.config.runtime, number)
    socket: zmq.Socket[bytes] | None = None
    try:
        intake = make_intake(setup, number, stores)
        socket = _connect(context, address)
        heard = time.monotonic()
        while not stop():
            if not socket.poll(POLL_MS):
                if time.monotonic() - heard > QUIET_S:
                    # A PAIR that came while the front still held the one of a worker that died is never served, and
                    # never told.  So a long quiet is taken for that; what is lost at this moment is sent again.
                    socket.close()
                    time.sleep(REST_S)
                    socket = _connect(context, address)
                    heard = time.monotonic()
                continue
            heard = time.monotonic()
            for answer in intake.take(_waiting(socket), time.time_ns()):
                try:
                    socket.send_multipart(answer, zmq.NOBLOCK)
                except zmq.Again:
                    continue  # the front is gone: its kiosks will greet and send again
    finally:
        if socket is not None:
            socket.close()
        context.term()
        stores.close()


def _connect(context: zmq.Context[zmq.Socket[bytes]], address: str) -> zmq.Socket[bytes]:
    socket = context.socket(zmq.PAIR)
    socket.linger = 0
    # A full queue towards the front loses an answer, which costs a repetition; a wait for it would stop the worker.
    socket.rcvhwm, socket.sndhwm = DEPTH, 4 * MOST_MESSAGES
    socket.connect(address)
    return socket


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


def _waiting(socket: zmq.Socket[bytes]) -> list[list[bytes]]:
    """Return what has come, up to what one commit takes."""
    messages: list[list[bytes]] = []
    size = 0
    while len(messages) < MOST_MESSAGES and size < MOST_BYTES:
        try:
            messages.append(socket.recv_multipart(zmq.NOBLOCK))
        except zmq.Again:
            break
        size += sum(map(len, messages[-1]))
    return messages


def _say(number: int, line: str) -> None:
    print(f"worker {number}: {line}", file=sys.stderr, flush=True)  # noqa: T201  the service manager's log
