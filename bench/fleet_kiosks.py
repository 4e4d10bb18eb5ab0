"""Many kiosks in one process: real keys, real connections, real signed journals, no machine around them.

One ROUTER socket makes a connection of its own for each kiosk: libzmq takes the CURVE keys and the name of the peer as
they are set when `connect` is called, so two thousand kiosks are two thousand TCP connections with two thousand keys,
and cost one poll.  Each kiosk keeps its journal in memory, chained and signed as a real one, and speaks the protocol
of the sync sheet (§3) by itself: it does not use `kiosk.sync.session`.
"""

from __future__ import annotations

import datetime as dt
import random
import time
from collections import deque
from collections.abc import Callable

import zmq

from kiosk.journal.encoding import ROOT_HASH, chain, encode, head_message
from kiosk.journal.keys import SigningKey
from kiosk.model import facts
from kiosk.model.entry import Entry, Posting
from kiosk.model.ids import NoteId
from kiosk.model.instant import Instant
from kiosk.model.money import Money
from kiosk.sync import wire
from kiosk.sync.messages import (
    Ack,
    Clock,
    Hello,
    Journal,
    Mark,
    Message,
    Nack,
    Ping,
    Pong,
    Status,
    Welcome,
)

#: Seconds between two signs of life, two reports of state and two sales.
HEARTBEAT_S, STATUS_S, SALE_S = 10.0, 30.0, 30.0
#: Seconds without an answer after which a kiosk makes a new connection, and the shortest and longest wait before it.
PATIENCE_S, SHORTEST_S, LONGEST_S = 15.0, 0.5, 60.0
#: Rows that may be under way: a window of four batches.
WINDOW_ROWS = 4 * wire.MOST_ROWS
_VALUE = Money(2000, "USD")
_DIGESTS = facts.Digests("0" * 16, "1" * 16, "2" * 16)


class FleetKiosk:
    """One simulated kiosk: its keys, its journal and where its conversation stands."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.id = f"F{number:05d}"
        self.peer = self.id.encode()
        public, secret = zmq.curve_keypair()
        self.public, self.secret = public, secret
        self.key = SigningKey.from_seed(chance.randbytes(32))
        self._chance = chance
        #: Rows that are not acknowledged yet: (seq, row, hash, signature or None).
        self.waiting: deque[tuple[int, bytes, bytes, bytes | None]] = deque()
        self.seq, self.head, self.acked = 0, ROOT_HASH, Mark(1, 0, ROOT_HASH)
        self._sent = 0  # highest seq under way
        self.session = 0
        self._number = 0
        self.connected = False
        self.welcomes = 0
        self._greeted_s = 0.0
        self._heard_s = 0.0
        #: When each sale was journalled, by the seq of its last fact.
        self.sold: dict[int, float] = {}
        self.lags_ms: list[float] = []
        self.nacks: list[str] = []
        #: Connections in a row that came to nothing.
        self.failures = 0
        self._next_ping = self._next_status = self._next_sale = 0.0
        self._append(facts.Genesis(public_key=self.key.public_hex))

    # --- the journal ---------------------------------------------------------------------------------------------

    def _append(self, *bodies: facts.AnyBody) -> None:
        at = Instant(time.time_ns(), 0, time.monotonic_ns(), "fleet")
        stamp = facts.Stamp(at, dt.date(2026, 1, 5), "citizen", f"s{self.seq}", 1, _DIGESTS)
        for place, body in enumerate(bodies, 1):
            self.seq += 1
            fact = facts.Fact(version=1, kiosk=self.id, epoch=1, seq=self.seq, realm="live", stamp=stamp, body=body)
            row = encode(fact)
            self.head = chain(self.head, row)
            last = place == len(bodies)
            signature = self.key.sign(head_message(self.id, 1, self.seq, self.head)) if last else None
            self.waiting.append((self.seq, row, self.head, signature))

    def sell(self, now: float) -> None:
        """Journal one sale: nine facts in eight commits."""
        note, entry = NoteId("notes", self.seq), Entry("USD", (Posting("A200", 2000), Posting("L100", -2000)), "note")
        self._append(facts.StackIntended(note, _VALUE))
        self._append(facts.NoteCredited(note, _VALUE, entry))
        self._append(facts.NoteGone(note))
        for _ in range(5):
            self._append(facts.PrintStarted(1, f"j{self.seq}", 0, "receipt"))
        self._append(facts.SessionClosed("done"))
        self.sold[self.seq] = now

    # --- the conversation ----------------------------------------------------------------------------------------

    def frames(self, message: Message) -> list[bytes]:
        """Return the frames of a message for the client's ROUTER."""
        self._number += 1
        return [self.peer, *wire.encode(message, session=self.session, number=self._number)]

    def greet(self, now: float) -> list[bytes]:
        """Begin a conversation on a fresh connection."""
        self.session = self._number = 0
        self.connected, self._greeted_s, self._heard_s = False, now, now
        clock = Clock(time.time_ns(), time.monotonic_ns(), "fleet", True)
        return self.frames(
            Hello(1, 1, self.id, "live", self.welcomes + 1, Mark(1, self.seq, self.head), self.acked, Mark(1, 1, b""),
                  clock, (), 1, "fleet", 1 << 30)
        )  # fmt: skip

    def received(self, frames: list[bytes], now: float) -> None:
        """Take an answer of the hub."""
        _, message = wire.decode(frames, wire.DOWN)
        self._heard_s = now
        if isinstance(message, Welcome):
            self.session, self.connected, self.failures = message.session, True, 0
            self.welcomes += 1
            self._take(message.durable, now)
            self._sent = self.acked.seq
            self._next_ping = now + self._chance.uniform(0, HEARTBEAT_S)
            self._next_status = now + self._chance.uniform(0, STATUS_S)
            self._next_sale = self._next_sale or now + self._chance.uniform(0, SALE_S)
        elif isinstance(message, Ack):
            self._take(message.durable, now)
        elif isinstance(message, Nack):
            self.nacks.append(message.code)
            if message.code == "gap":
                self._sent = message.mark.seq
        elif not isinstance(message, Pong):
            pass  # reference data and commands are none of this fleet's business

    def _take(self, durable: Mark, now: float) -> None:
        while self.waiting and self.waiting[0][0] <= durable.seq:
            seq, _, digest, _ = self.waiting.popleft()
            self.acked = Mark(1, seq, digest)
            if (sold := self.sold.pop(seq, None)) is not None:
                self.lags_ms.append((now - sold) * 1000)

    def due(self, now: float) -> list[list[bytes]]:
        """Return what this kiosk has to say now."""
        if not self.connected:
            return []
        told: list[list[bytes]] = []
        if now >= self._next_sale:
            self.sell(now)
            self._next_sale = now + SALE_S
        if now >= self._next_ping:
            told.append(self.frames(Ping(time.time_ns())))
            self._next_ping = now + HEARTBEAT_S
        if now >= self._next_status:
            clock = Clock(time.time_ns(), time.monotonic_ns(), "fleet", True)
            told.append(self.frames(Status(time.time_ns(), "open", (), (), "plenty", 100, len(self.waiting), 0, clock,
                                           "fleet")))  # fmt: skip
            self._next_status = now + STATUS_S
        while self.waiting and self.waiting[-1][0] > self._sent < self.acked.seq + WINDOW_ROWS:
            told.append(self.frames(self._batch()))
        return told

    def _batch(self) -> Journal:
        rows, signature, previous = [], b"", self.acked.hash
        first = 0
        for seq, row, digest, signed in self.waiting:
            if seq <= self._sent:
                previous = digest
                continue
            first = first or seq
            rows.append(row)
            signature = signed or b""
            if signature and len(rows) > wire.MOST_ROWS - 9:
                break
        self._sent = first + len(rows) - 1
        return Journal(1, first, previous, tuple(rows), signature)

    def silent(self, now: float) -> bool:
        """Tell whether the hub has said nothing for too long."""
        return now - self._heard_s > PATIENCE_S


class Fleet:
    """Owns the one socket and all kiosks; runs in one thread."""

    def __init__(self, kiosks: list[FleetKiosk], address: str, server_key: bytes, seed: int) -> None:
        self.kiosks = {kiosk.peer: kiosk for kiosk in kiosks}
        self._chance = random.Random(seed)
        self._address = address
        self._context = zmq.Context(io_threads=1)
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDHWM, 64)
        self._socket.setsockopt(zmq.RECONNECT_IVL, -1)
        self._socket.setsockopt(zmq.CURVE_SERVERKEY, server_key)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        #: When a kiosk without a connection makes one.
        self._again: dict[bytes, float] = {}
        self._generation: dict[bytes, int] = {}
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)

    def connect_all(self, over_s: float = 0.0) -> None:
        """Let every kiosk connect within so many seconds."""
        now = time.monotonic()
        for peer in self.kiosks:
            self._again[peer] = now + self._chance.uniform(0, over_s)

    def _connect(self, kiosk: FleetKiosk) -> None:
        # A name of its own for each connection: the old one may still be dying.
        generation = self._generation.get(kiosk.id.encode(), 0) + 1
        self._generation[kiosk.id.encode()] = generation
        old = kiosk.peer
        kiosk.peer = f"{kiosk.id}.{generation}".encode()
        self.kiosks.pop(old, None)
        self.kiosks[kiosk.peer] = kiosk
        self._socket.setsockopt(zmq.CURVE_PUBLICKEY, kiosk.public)
        self._socket.setsockopt(zmq.CURVE_SECRETKEY, kiosk.secret)
        self._socket.setsockopt(zmq.CONNECT_ROUTING_ID, kiosk.peer)
        self._socket.connect(self._address)

    def run(self, until: Callable[[float], bool]) -> None:
        """Let the fleet live until it is told to end."""
        while not until(now := time.monotonic()):
            for peer, when in list(self._again.items()):
                if when <= now:
                    del self._again[peer]
                    kiosk = self.kiosks[peer]
                    self._connect(kiosk)
                    self._send(kiosk, kiosk.greet(now))
            for kiosk in list(self.kiosks.values()):
                for frames in kiosk.due(now):
                    self._send(kiosk, frames)
                if kiosk.peer not in self._again and kiosk.silent(now):
                    self._retry(kiosk, now)
            if not self._poller.poll(20):
                continue
            while True:
                try:
                    peer, *frames = self._socket.recv_multipart(zmq.DONTWAIT)
                except zmq.Again:
                    break
                if found := self.kiosks.get(peer):
                    found.received(frames, time.monotonic())

    def _retry(self, kiosk: FleetKiosk, now: float) -> None:
        kiosk.connected = False
        wait = min(LONGEST_S, SHORTEST_S * 2**kiosk.failures) * self._chance.uniform(0.5, 1.5)
        self._again[kiosk.peer] = now + wait
        kiosk.failures += 1

    def _send(self, kiosk: FleetKiosk, frames: list[bytes]) -> None:
        try:
            self._socket.send_multipart(frames, zmq.DONTWAIT)
        except zmq.ZMQError:
            pass  # not connected (yet): the silence that follows makes a new connection

    def close(self) -> None:
        """End every connection."""
        self._socket.close()
        self._context.term()
