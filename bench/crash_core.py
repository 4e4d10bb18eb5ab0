"""The process under test of `make crash`: the real kernel, drivers and journal on a virtual clock, killed for real.

It is forked by the campaign, talks to it over a socket in lockstep, and never sees real time: the campaign tells
the time, hands over the bytes of each line and asks what the process wants next.  Where its plan says so, it sends
itself SIGKILL: before the n-th effect, or in the middle of the bytes of the acceptor's line.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections import deque
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from kiosk.app import Setup, slip_printer
from kiosk.checkout.counter import CityCounter
from kiosk.checkout.intents import AnyIntent
from kiosk.core.books import Books
from kiosk.core.clock import Clock
from kiosk.core.deviceboard import DeviceBoard
from kiosk.core.drawing import draw_line, draw_qr
from kiosk.core.inbox import ControlPosted, IntentPosted
from kiosk.core.kernel import Kernel
from kiosk.core.parts import KernelParts
from kiosk.core.people import People, Person, hash_of
from kiosk.core.reference import ReferenceData
from kiosk.core.replay import replay
from kiosk.core.runner import DriverSeat
from kiosk.core.supervisor import DeviceNews
from kiosk.core.supervisor_setup import prepare
from kiosk.core.verbs import answer
from kiosk.journal.keys import SigningKey
from kiosk.journal.store import Journal
from kiosk.model import facts
from kiosk.model.device_events import Scanned
from kiosk.model.instant import NS
from kiosk.plugins.devices import DriverTools, Opened, PortRequest, Reply, Sent, Write

#: Wall clock of virtual second 0: a fixed Tuesday, so that every campaign prices the same.
EPOCH_NS = 1_795_500_000 * 1_000_000_000
DIGESTS = facts.Digests("campaign", "campaign", "campaign")
BALLAST = 64 * 1024
#: PIN and roles of each person.
PINS = {
    "p01": ("2580", ("operate", "collect", "close")), "p02": ("4711", ("operate", "collect")),
    "p03": ("8642", ("count",)),
}  # fmt: skip


class Plan(msgspec.Struct, frozen=True):
    """Where a process dies: before its n-th effect, or when the n-th byte of the acceptor's line has passed; from 1."""

    effect: int = 0
    byte: int = 0


class Setting(msgspec.Struct, frozen=True):
    """What a scenario wants of its core."""

    #: Seconds that the wall clock is ahead of the campaign's own.
    shift_s: int = 0
    #: Die after commits, too: what the control socket asks for has no effects.
    dies_after_commits: bool = False


@cache
def people() -> People:
    """Return the people of the campaign: two who exchange boxes and close days, one who counts."""
    return People(Person(name, roles, hash_of(pin)) for name, (pin, roles) in PINS.items())


class Word(msgspec.Struct, frozen=True):
    """One message between campaign and process."""

    #: ``bytes``, ``tick``, ``intent``, ``scan``, ``fill``, ``verb``, ``stop``; back: ``out``, ``idle``.
    kind: str
    now: int = 0
    device: str = ""
    data: bytes = b""
    body: Any = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Word).decode
_intent = msgspec.json.Decoder(AnyIntent)


def send(line: socket.socket, word: Word) -> None:
    """Send one message."""
    held = _encode(word)
    line.sendall(struct.pack(">I", len(held)) + held)


def receive(line: socket.socket) -> Word | None:
    """Receive one message; None at the end of the other process."""
    head = _exactly(line, 4)
    if head is None:
        return None
    body = _exactly(line, struct.unpack(">I", head)[0])
    return _decode(body) if body is not None else None


def _exactly(line: socket.socket, size: int) -> bytes | None:
    held = b""
    while len(held) < size:
        try:
            more = line.recv(size - len(held))
        except ConnectionResetError:
            return None
        if not more:
            return None
        held += more
    return held


class CoreUnderTest:
    """Kernel, seats and journal of one life; `serve` runs it until it is told to stop or dies."""

    def __init__(
        self, line: socket.socket, setup: Setup, state: Path, replica: Path, plan: Plan, now: int, setting: Setting
    ) -> None:
        self._line = line
        self._answer: dict[str, Any] = {}
        self._plan = plan
        self._effects = 0
        self._bytes = 0
        self._now = now
        self._orders: deque[tuple[str, Any]] = deque()
        self._news: deque[DeviceNews] = deque()
        self._sessions = 0
        self._opened = False
        clock = Clock(
            setup.city.zone, setup.city.cut_off,
            wall=lambda: EPOCH_NS + setting.shift_s * NS + self._now, mono=lambda: self._now, boot="virtual",
        )  # fmt: skip
        key = SigningKey.from_seed(b"k" * 32)
        path = state / "journal.db"
        if path.exists():
            self._journal = Journal.open(path, key=key, ballast_bytes=BALLAST)
        else:
            stamp = facts.Stamp(clock.instant(), clock.business_date(), "kiosk", "", 1, DIGESTS)
            self._journal = Journal.create(
                path, kiosk=setup.config.kiosk.id, realm="demo", key=key, stamp=stamp, ballast_bytes=BALLAST
            )
        books: Books = replay(self._journal)
        specs = setup.plugins.drivers
        prepared = prepare(setup.devices, specs)
        tools = DriverTools(setup.config.kiosk.currency, draw_line, draw_qr)
        self._seats: dict[str, DriverSeat] = {}
        for device in prepared:
            if device.spec.device_class == "Scanner":
                continue
            name = device.config.name
            driver = device.spec.build(device.options, tools)
            self._seats[name] = DriverSeat(name, driver, self._told(name))
        self._born = f"{books.seq:x}"
        self.kernel = Kernel(
            KernelParts(
                journal=self._journal, key=key, books=books, clock=clock,
                counter=CityCounter(setup.library, setup.chart, setup.config.kiosk.currency),
                settings=setup.config.checkout, devices=self,
                board=DeviceBoard(
                    tuple((d.config.name, d.spec.device_class, d.spec.name) for d in prepared)
                ),
                slips=slip_printer(setup),
                source=ReferenceData(replica, wall=lambda: EPOCH_NS + setting.shift_s * NS + self._now),
                digests=DIGESTS, languages=setup.config.kiosk.languages, fresh_session=self._fresh,
                entropy=lambda: bytes(32), effect_taken=self._effect, people=people(),
                committed=self._effect if setting.dies_after_commits else lambda fact: None,
            )
        )  # fmt: skip

    def _fresh(self) -> str:
        self._sessions += 1
        return f"{self._born}-{self._sessions}"

    def _told(self, device: str) -> Any:
        return lambda event: self._news.append(DeviceNews(device, event, self._now, 1))

    def post(self, device: str, command: Any, generation: int | None = None) -> bool:
        """Carry an order out at once, down to the wire: a line thread may be that quick, and a kill come after it."""
        self._orders.append((device, command))
        if self._opened:
            self._carry_orders_out()
            self._put_out()
        return True

    def _carry_orders_out(self) -> None:
        while self._orders:
            device, command = self._orders.popleft()
            if device in self._seats:
                self._seats[device].command(command, self._now)

    def _die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def _effect(self, effect: object) -> None:
        self._effects += 1
        if self._effects == self._plan.effect:
            self._let_lines_run_on()
            self._die()

    def _let_lines_run_on(self) -> None:
        """Line threads go on while the kernel thread is about to die: let them put out what they already have."""
        for _ in range(4):
            self._now += 10_000_000
            for seat in self._seats.values():
                if seat.due(self._now):
                    seat.tick(self._now)
            self._put_out()

    # --- life ---------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Start, then do as the campaign says."""
        for name, seat in self._seats.items():
            seat.remember(*self.kernel.memory(name))
        self.kernel.start()
        self._opened = True
        for seat in self._seats.values():
            seat.port(Opened({"path": "campaign", "kind": "loopback"}), self._now)
        self._pump()
        self._idle()
        while (word := receive(self._line)) is not None:
            self._now = max(self._now, word.now)
            if word.kind == "stop":
                self.kernel.stop("campaign over")
                self._journal.close()
                return
            self._do(word)
            self._tick()
            self._pump()
            self._idle()

    def _do(self, word: Word) -> None:
        if word.kind == "bytes":
            self._receive(word.device, word.data)
        elif word.kind == "intent":
            body = word.body
            self.kernel.handle_intent(IntentPosted(_intent.decode(body["intent"]), body["session"], body["step"]))
        elif word.kind == "scan":
            self.kernel.handle_news(DeviceNews("scanner", Scanned(word.body, "]C0"), self._now, 1))
        elif word.kind == "fill":
            self._fill(bool(word.body))
        elif word.kind == "verb":
            core: Any = SimpleNamespace(running_kernel=self.kernel, publish=lambda force=False: None)
            self._answer = answer(core, ControlPosted(word.body["verb"], word.body["arguments"], 0, lambda told: None))

    def _fill(self, full: bool) -> None:
        """Let the database take no further page (SQLite's own "disk full"), or lift that limit."""
        connection = self._journal._connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0] if full else 1 << 30
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def _receive(self, device: str, data: bytes) -> None:
        seat = self._seats[device]
        if device == "notes" and self._plan.byte:
            left = self._plan.byte - self._bytes
            if 0 < left <= len(data):
                seat.received(data[:left], self._now)
                self._pump()
                self._die()
        if device == "notes":
            self._bytes += len(data)
        seat.received(data, self._now)

    def _tick(self) -> None:
        for seat in self._seats.values():
            if seat.due(self._now):
                seat.tick(self._now)
        if self._now >= self.kernel.due():
            self.kernel.tick()

    def _pump(self) -> None:
        """Let news reach the kernel and orders the drivers until nothing moves, then put bytes on the lines."""
        while True:
            while self._news:
                self.kernel.handle_news(self._news.popleft())
            self._carry_orders_out()
            if not self._put_out():
                return

    def _put_out(self) -> bool:
        moved = False
        for name, seat in self._seats.items():
            if seat.dead:
                raise RuntimeError(f"driver {name} died: {seat.dead}")
            for item in seat.take_outbound():
                moved = True
                if isinstance(item, Write):
                    self._write(name, item.data)
                    seat.port(Sent(len(item.data)), self._now)
                elif isinstance(item, PortRequest):
                    seat.port(Reply(item.id, False), self._now)
        return moved

    def _write(self, device: str, data: bytes) -> None:
        if device == "notes":
            left = self._plan.byte - self._bytes
            if self._plan.byte and 0 < left <= len(data):
                send(self._line, Word("out", self._now, device, data[:left]))
                self._die()
            self._bytes += len(data)
        send(self._line, Word("out", self._now, device, data))

    def _idle(self) -> None:
        wanted = [self.kernel.next_deadline(), *(seat._deadline for seat in self._seats.values())]
        model = self.kernel.model
        body = {
            "screen": str(model.state), "session": model.session, "step": model.step,
            "remaining": model.remaining_minor, "credited": model.credited_minor, "flight": model.flight is not None,
            "jobs": [job.state for job in model.jobs], "due": min((each for each in wanted if each), default=0),
            "effects": self._effects, "bytes": self._bytes, "trouble": str(self.kernel.trouble or ""),
            "stage": model.exchange.stage if model.exchange is not None else "", "answer": self._answer,
            "exchange": self.kernel.books.exchange is not None, "box_session": self.kernel.books.box_session,
            "last_z": self.kernel.books.last_z,
        }  # fmt: skip
        send(self._line, Word("idle", self._now, body=body))
