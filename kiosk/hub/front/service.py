"""The front: owns the two ROUTERs and the registry, hands messages on, and answers the small ones itself.

    ROUTER journal --+-- HELLO JOURNAL AHEAD --> the kiosk's worker   (ipc PAIR, `hub.bus`)
                     +-- PULL ----------------> librarian
                     +-- PING STATUS DONE         here
    ROUTER enrol  ------ ENROL                    here (`enrolling`)

One thread moves all messages and never waits: `Watch` reads the database, `Desk` writes it.  For *every* message the
authenticated key is looked up in the live registry; what follows is done in the name of the kiosk that it belongs to,
never of one that the message names.  Only heads are read of what is handed on.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import msgspec
import zmq

from kiosk.errors import HubError, KioskError
from kiosk.hub import bus
from kiosk.hub.front import zap
from kiosk.hub.front.connections import SWOLLEN, resident
from kiosk.hub.front.counter import Counter
from kiosk.hub.front.desk import Desk
from kiosk.hub.front.journal_port import JournalPort
from kiosk.hub.front.refusals import Refusals, strangers_in
from kiosk.hub.front.router import HANDSHAKE_MS, Router
from kiosk.hub.front.server_keys import ServerKey, bound_endpoint, load_signing_key, transport_path
from kiosk.hub.front.watch import STALE_NS, Watch
from kiosk.hub.setup import HubSetup
from kiosk.hub.store.stores import GROUPS
from kiosk.sync import wire
from kiosk.sync.keys import TransportKey

#: Milliseconds of one wait, and messages of one socket before the others have their turn.
WAIT_MS, TURN = 50, 32
#: Files that are open beside the connections, and strangers that come and go.
SPARE_FILES = 1024
#: Bytes of one frame of an enrolment.
LARGEST_ENROL = 4096


class Limits(msgspec.Struct, frozen=True):
    """What tests make smaller than the protocol says."""

    handshake_ms: int = HANDSHAKE_MS
    #: Seconds between two writes of contacts and findings.
    tell_s: float = 1.0
    largest: int = wire.LARGEST
    #: Bytes of this process from which connections are looked at.
    swollen: int = SWOLLEN


def run(setup: HubSetup, stop: Callable[[], bool]) -> None:
    """Work until `stop` says so.

    Raises:
        HubError: a port cannot be bound, a key is missing, or one of the two threads died.
    """
    if not make_room(setup.config.listen.most_peers):
        sys.stderr.write("front: fewer connections than listen.most_peers may be open: raise LimitNOFILE\n")
    front = Front(setup)
    try:
        while not stop():
            front.turn()
    finally:
        front.close()


def make_room(peers: int) -> bool:
    """Let this process open as many connections as it may; False where the system allows fewer than are asked for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = peers + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft == resource.RLIM_INFINITY or soft >= wanted


class Front:
    """All sockets of the front, and what it keeps in memory."""

    def __init__(self, setup: HubSetup, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self._setup = setup
        self._listen = setup.config.listen
        self._tell_s = limits.tell_s
        self._swollen = limits.swollen
        signing = load_signing_key(setup.config.state)
        stores = setup.stores()
        try:
            self._watch = Watch(lambda: setup.stores(readonly=tuple(GROUPS)))
            self._watch.look(stores)
            with stores.office.connect() as connection:
                self._refusals = Refusals(strangers_in(connection))
        finally:
            stores.close()
        if not self._watch.seen.registry.server:
            raise HubError("this hub has no key", hint="kiosk hub init")
        self._desk = Desk(setup.stores, limits.tell_s)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context.max_sockets = 65_535
        self._zap = zap.open_handler(self._context)
        self._journal = Router(self._context, zap.JOURNAL, limits.largest, limits.handshake_ms)
        self._enrol = Router(self._context, zap.ENROL, LARGEST_ENROL, limits.handshake_ms)
        self._parts = [
            self._part(bus.worker_address(setup.config.runtime, number)) for number in range(setup.config.hub.workers)
        ]
        self._parts.append(self._part(bus.librarian_address(setup.config.runtime)))
        self.port = JournalPort(setup.config, signing, self._journal, self._parts, self._desk, self._refusals)
        self.counter = Counter(setup.config, signing, self._enrol, self._desk, self._refusals)
        self._poller = zmq.Poller()
        for socket in (
            self._zap, self._journal.monitor, self._enrol.monitor, *self._parts, self._journal.socket,
            self._enrol.socket,
        ):  # fmt: skip
            self._poller.register(socket, zmq.POLLIN)
        self._told_at = self._acted_at = 0.0
        self._server: tuple[ServerKey, ...] = ()
        try:
            self._bind_all(at_start=True)
        except KioskError:
            self.close()
            raise
        self._watch.start()
        self._desk.start()

    def _part(self, address: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.PAIR)
        socket.linger = 0
        socket.sndhwm = socket.rcvhwm = bus.DEPTH
        socket.bind(address)
        return socket

    def turn(self) -> None:
        """Wait for messages once, and deal with them."""
        ready = dict(self._poller.poll(WAIT_MS))
        seen = self._watch.seen
        self.port.seen = self.counter.seen = seen
        fresh = time.monotonic_ns() - seen.read_ns < STALE_NS
        self.port.fresh = self.counter.fresh = fresh
        if self._zap in ready:
            self._admit()
        if self._journal.monitor in ready:
            self.port.note_endings(self._journal.ended())
        if self._enrol.monitor in ready:
            self.counter.note_endings(self._enrol.ended())
        for number, part in enumerate(self._parts):
            if part in ready:
                for frames in _messages(part):
                    self.port.down(number, frames)
        if self._journal.socket in ready:
            for frames in _messages(self._journal.socket):
                self.port.up(frames)
        if self._enrol.socket in ready:
            for frames in _messages(self._enrol.socket):
                self.counter.up(frames)
        while self._desk.answers:
            then, result = self._desk.answers.popleft()
            then(result)
        self._now_and_then()

    def _now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._acted_at >= 0.1:
            self._acted_at = now
            if self.port.seen.registry.server != self._server:
                self._bind_all()
            self.port.act()
            if resident() > self._swollen:
                self._cut_endless()
        if now - self._told_at >= self._tell_s:
            self._told_at = now
            self._journal.cut_silent()
            self._enrol.cut_silent()
            if not (self._watch.is_alive() and self._desk.is_alive()):
                raise HubError("a thread of the front died", hint="see the lines before this one", transient=True)
            self._desk.tell(self.port.take_news(), self._refusals.take(), self.port.seen.registry.revision)

    def _cut_endless(self) -> None:
        for router in (self._journal, self._enrol):
            for fd in router.cut_endless():
                kiosk = self.port.peers.kiosk_at(fd) if router is self._journal else ""
                self._refusals.note("endless_message", kiosk, "frames without an end: the connection was cut")

    def _admit(self) -> None:
        """Answer the handshakes that wait."""
        for _ in range(TURN):
            try:
                request = self._zap.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._zap.send_multipart(zap.answer(request, self.port.seen.registry, self._refusals))

    def _bind_all(self, *, at_start: bool = False) -> None:
        """Answer with the keys of the registry, and with no other."""
        server = self._watch.seen.registry.server
        wanted = {key.key: bound_endpoint(self._listen, key) for key in server}
        enrol = {server[0].key: self._listen.enrol} if server else {}
        done = True
        for router, endpoints in ((self._journal, wanted), (self._enrol, enrol)):
            for key in set(router.bound) - set(endpoints):
                router.unbind(key)
            for key, endpoint in endpoints.items():
                if key in router.bound:
                    continue
                try:
                    router.bind(endpoint, TransportKey.load(transport_path(self._setup.config.state, key)))
                except KioskError as error:
                    if at_start:
                        raise
                    done = False  # a port that was just let go is free a moment later
                    self._refusals.note("not_bound", detail=f"{endpoint}: {error.message}")
                    sys.stderr.write(f"front: {error}\n")
        self.counter.hub_key = next(iter(enrol), "")
        if done:
            self._server = server

    def close(self) -> None:
        """Write the rest and close everything."""
        if self._desk.is_alive():
            self._desk.tell(self.port.take_news(), self._refusals.take(), self.port.seen.registry.revision)
            self._desk.end()
        if self._watch.is_alive():
            self._watch.end()
        for socket in (*self._parts, self._zap):
            socket.close(0)
        self._journal.close()
        self._enrol.close()
        self._context.term()


def _messages(socket: zmq.Socket[bytes]) -> list[list[zmq.Frame]]:
    found = []
    for _ in range(TURN):
        try:
            found.append(socket.recv_multipart(zmq.NOBLOCK, copy=False))
        except zmq.Again:
            break
    return found
