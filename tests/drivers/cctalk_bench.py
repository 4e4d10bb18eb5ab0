"""A scripted ccTalk unit and a bench for the drivers: virtual time, a line with or without echo, no port.

It is not the simulator: a test says what the unit answers to a header, also what no unit would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from kiosk.api import Confirm, DeviceCommand, DeviceEvent, Lost, Money, Opened, PortRequest, Reply, Sent, Write
from kiosk.plugins.devices import Driver
from kiosk.protocols.cctalk.event_buffer import Pair, encode_events, next_counter
from kiosk.protocols.cctalk.frames import Decoder, Frame, Framing
from kiosk.protocols.cctalk.headers import Header as H
from kiosk.protocols.cctalk.payloads import number_bytes
from kiosk.simulators.role_port import DeviceRole

MS = 1_000_000
SECOND = 1_000 * MS
ACK = b""
#: Answer that is none.
SILENT = None
NAK = "nak"
BUSY = "busy"

Handler = Callable[[bytes], bytes | str | None]
E = TypeVar("E", bound=DeviceEvent)


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


class Unit:
    """Answers each header by its handler; a header without one is met with silence, as the standard wants."""

    def __init__(self, address: int, category: str, framing: Framing | None = None) -> None:
        self.address, self.framing = address, framing or Framing()
        self.serial = 12345678
        self.counter = 0
        self.pairs: list[Pair] = []
        self.handlers: dict[int, Handler] = {
            H.SIMPLE_POLL: lambda data: ACK,
            H.REQUEST_EQUIPMENT_CATEGORY: lambda data: category.encode(),
            H.REQUEST_SERIAL_NUMBER: lambda data: number_bytes(self.serial),
            H.REQUEST_MANUFACTURER: lambda data: b"MCI",
            H.REQUEST_PRODUCT_CODE: lambda data: b"SR5",
            H.REQUEST_SOFTWARE_REVISION: lambda data: b"1.2",
            H.REQUEST_BUILD_CODE: lambda data: b"Standard",
            H.REQUEST_COMMS_REVISION: lambda data: b"\x01\x04\x04",
            H.PERFORM_SELF_CHECK: lambda data: bytes((self.fault,)),
            H.MODIFY_INHIBIT: self._masked,
            H.MODIFY_MASTER_INHIBIT: self._master,
        }
        self.fault = 0
        self.mask, self.master = b"\x00\x00", False
        self.heard: list[tuple[int, bytes]] = []
        #: Replies to this many requests of a header are lost; the request is carried out.
        self.lose: dict[int, int] = {}
        self.deaf = False
        self._decoder = Decoder(self.framing, (0, address))

    def _masked(self, data: bytes) -> bytes:
        self.mask = data
        return ACK

    def _master(self, data: bytes) -> bytes:
        self.master = bool(data[0] & 1)
        return ACK

    def happen(self, *pairs: Pair) -> None:
        """Let events happen, oldest first."""
        for pair in pairs:
            self.pairs.insert(0, pair)
            self.counter = next_counter(self.counter)

    def events(self, data: bytes) -> bytes:
        return encode_events(self.counter, self.pairs)

    def reset(self) -> None:
        self.counter, self.pairs = 0, []
        self.mask, self.master = b"\x00\x00", False

    def hear(self, data: bytes, now: int) -> bytes:
        if self.deaf:
            return b""
        out = b""
        for item in self._decoder.feed(data):
            if isinstance(item, Frame):
                out += self._answer(item)
        return out

    def _answer(self, frame: Frame) -> bytes:
        self.heard.append((frame.header, frame.data))
        handler = self.handlers.get(frame.header)
        told = handler(frame.data) if handler else SILENT
        if told is SILENT:
            return b""
        if self.lose.get(frame.header, 0) > 0:
            self.lose[frame.header] -= 1
            return b""
        if isinstance(told, str):
            return self.framing.encode(1, H.NAK if told == NAK else H.BUSY, source=self.address)
        return self.framing.encode(1, 0, told, source=self.address)

    def count(self, header: int) -> int:
        return sum(1 for heard, _ in self.heard if heard == header)

    def last(self, header: int) -> bytes | None:
        return next((data for heard, data in reversed(self.heard) if heard == header), None)

    def deadline(self) -> int | None:
        return None

    def pass_time(self, now: int) -> bytes:
        return b""


class Role:
    """A simulated unit (a device role) as a bench wants it."""

    def __init__(self, device: DeviceRole) -> None:
        self.device = device

    def hear(self, data: bytes, now: int) -> bytes:
        self.device.received(data, now)
        return b"".join(self.device.take_outbound())

    def deadline(self) -> int | None:
        return self.device.deadline()

    def pass_time(self, now: int) -> bytes:
        self.device.tick(now)
        return b"".join(self.device.take_outbound())


class Bench:
    """A driver and its unit on a line, in virtual time."""

    def __init__(self, driver: Driver, unit: Unit | Role, *, echo: bool = False, shared: bool = False) -> None:
        self.driver, self.unit, self.echo, self.shared = driver, unit, echo, shared
        self.now = 10 * SECOND
        self.events: list[DeviceEvent] = []
        self.turns: list[str] = []
        #: The line belongs to somebody else as long as this is True.
        self.taken = False
        #: Confirm every money event as soon as it is told.
        self.confirming = True
        self.marks: list[Any] = []

    def open(self, **marks: str) -> Bench:
        self.driver.remember(marks, None, bytes(32))
        return self.plug()

    def plug(self) -> Bench:
        self.driver.port(Opened(), self.now)
        self._drain()
        return self

    def unplug(self) -> None:
        self.driver.port(Lost("pulled"), self.now)
        self._drain()

    def order(self, cmd: DeviceCommand) -> None:
        self.driver.command(cmd, self.now)
        self._drain()

    def run(self, ms: int = 1000) -> None:
        """Let time pass."""
        until = self.now + ms * MS
        for _ in range(200_000):
            due, unit_due = self.driver.deadline(), self.unit.deadline()
            when = min((at for at in (due, unit_due) if at is not None), default=until + 1)
            if when > until:
                self.now = until
                return
            self.now = max(self.now + 1, when)
            said = self.unit.pass_time(self.now)
            if said:
                self.driver.received(said, self.now)
            if due is not None and due <= self.now:
                self.driver.tick(self.now)
            self._drain()
        raise AssertionError("the driver never rests")

    def _drain(self) -> None:
        for _ in range(2000):
            told = self.driver.take_events()
            self.events += told
            out = self.driver.take_outbound()
            if not out and not told:
                return
            for item in out:
                if isinstance(item, PortRequest):
                    self._turn(item)
                elif isinstance(item, Write):
                    self.driver.port(Sent(len(item.data)), self.now)
                    answer = (item.data if self.echo else b"") + self.unit.hear(item.data, self.now)
                    self.now += 2 * MS
                    if answer:
                        self.driver.received(answer, self.now)
            for event in told:
                token = getattr(event, "token", 0)
                if token and self.confirming:
                    self.driver.command(Confirm(token), self.now)
        raise AssertionError("the driver writes for ever")

    def _turn(self, item: PortRequest) -> None:
        self.turns.append(item.kind)
        if item.kind == "turn" and self.taken:
            self.driver.port(Reply(item.id, False, b"busy"), self.now)
        else:
            self.driver.port(Reply(item.id, self.shared), self.now)

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def forget(self) -> None:
        self.events.clear()
        if isinstance(self.unit, Unit):
            self.unit.heard.clear()
