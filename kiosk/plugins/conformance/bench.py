"""One driver under a virtual clock, whose every answer is checked: no exception, right types, bounded output."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, get_args

import msgspec

from kiosk.model.commands import DeviceCommand
from kiosk.model.device_events import CommandRefused, DeviceEvent, DeviceState
from kiosk.plugins.conformance.orders import MUST_ANSWER, STRANGE_NOTE
from kiosk.plugins.devices import (
    Driver,
    DriverSpec,
    DriverTools,
    Lost,
    Opened,
    OpenNote,
    Outbound,
    PortRequest,
    Reply,
    Sent,
    Write,
)
from kiosk.protocols.rehearsal import Rehearsal

MS = 1_000_000
#: Bytes that one call may queue: a long slip drawn as raster is far below it.
MOST_OUTBOUND = 4 * 1024 * 1024
#: Ticks that may pass at one and the same time, and calls that may follow from one.
MOST_TICKS = 1000
SEVERITIES = ("ok", "warn", "fault", "unknown")


class Finding(msgspec.Struct, frozen=True):
    """One thing that does not hold."""

    #: Which part of the kit found it, e.g. ``vector 1 split at 3``.
    situation: str
    message: str


class Bench:
    """Owns one driver and the time; what a driver says goes nowhere."""

    def __init__(self, spec: DriverSpec, rehearsal: Rehearsal, tools: DriverTools, situation: str) -> None:
        self.spec = spec
        self.rehearsal = rehearsal
        self.situation = situation
        self.now = 10**12
        self.findings: list[Finding] = []
        self.events: list[DeviceEvent] = []
        self.written: list[bytes] = []
        #: Calls of `tick`.
        self.ticks = 0
        self.broken = False
        self._tools = tools
        self.driver: Driver | None = None
        self.build()

    def build(self) -> None:
        """Put a fresh driver in its place."""
        spec, wanted = self.spec, dict(self.rehearsal.options)
        built = self.guard("build", lambda: spec.build(msgspec.convert(wanted, spec.options), self._tools))
        self.driver = built if isinstance(built, Driver) else None
        self.broken = self.broken or self.driver is None

    def remember(self, marks: dict[str, str] | None = None, open_note: OpenNote | None = None) -> None:
        """Tell what survived."""
        kept = {"note_serial": "17"} if marks is None else marks
        self.do("remember", lambda driver: driver.remember(kept, open_note, bytes(range(32))))

    def open(self) -> None:
        """Open the port."""
        opened = Opened({"path": "conformance", "kind": self.spec.transports[0], **self.rehearsal.facts})
        self.do("port(Opened)", lambda driver: driver.port(opened, self.now))

    def lose(self) -> None:
        """Pull the cable."""
        self.do("port(Lost)", lambda driver: driver.port(Lost("conformance"), self.now))

    def feed(self, data: bytes) -> None:
        """Bytes come from the device."""
        self.do("received", lambda driver: driver.received(data, self.now))

    def order(self, cmd: DeviceCommand) -> None:
        """Give an order; one about a strange note must be refused."""
        before = len(self.events)
        self.do(f"command({type(cmd).__name__})", lambda driver: driver.command(cmd, self.now))
        refused = any(isinstance(event, CommandRefused) for event in self.events[before:])
        strange = isinstance(cmd, MUST_ANSWER) and cmd.note == STRANGE_NOTE
        if strange and not refused and not self.broken:
            self.found(f"{type(cmd).__name__} for a note that was never there is not refused")

    def pass_time(self, ms: int) -> None:
        """Let time pass, ticking whenever the driver asks for it."""
        until = self.now + ms * MS
        same = 0
        while not self.broken and self.driver is not None:
            deadline = self.driver.deadline()
            if deadline is None or deadline > until:
                break
            same = same + 1 if deadline <= self.now else 0
            if same > MOST_TICKS:
                self.found(f"the deadline did not move in {MOST_TICKS} ticks")
                self.broken = True
                return
            self.now = max(self.now, deadline)
            self.ticks += 1
            self.do("tick", lambda driver: driver.tick(self.now))
        self.now = until

    def do(self, what: str, call: Callable[[Driver], None]) -> None:
        """Make one call and drain the driver as the core does, until it wants nothing more of the port."""
        driver = self.driver
        if driver is None or self.broken:
            return
        self.guard(what, lambda: call(driver))
        for _ in range(MOST_TICKS):
            if self.broken or not self._drain(driver, what):
                return
        self.found(f"{what}: the port's answers make it write for ever")
        self.broken = True

    def found(self, message: str) -> None:
        """Note what does not hold."""
        self.findings.append(Finding(self.situation, message))

    def heard(self, event: DeviceEvent) -> None:
        """The driver told something; the bench only listens."""

    def answered(self, request: PortRequest) -> Reply:
        """The driver asked the port for something: a port of a bench can do nothing."""
        return Reply(request.id, False)

    def wrote(self, data: bytes) -> None:
        """The driver wrote something; on the bench it goes nowhere."""

    def kept_bytes(self) -> int:
        """Return how much memory the driver holds, roughly: all values that can be reached from it."""
        return _size(self.driver)

    def _drain(self, driver: Driver, what: str) -> bool:
        events = self.guard("take_events", driver.take_events)
        outbound = self.guard("take_outbound", driver.take_outbound)
        deadline = self.guard("deadline", driver.deadline)
        if self.broken:
            return False
        if not isinstance(events, list) or not isinstance(outbound, list):
            self.found(f"{what}: take_events and take_outbound must give lists")
            self.broken = True
            return False
        self.events += events
        for event in events:
            self._check_event(event, what)
            self.heard(event)
        if deadline is not None and type(deadline) is not int:
            self.found(f"{what}: the deadline is a {type(deadline).__name__}, not whole nanoseconds")
        if sum(len(item.data) for item in outbound if isinstance(item, Write)) > MOST_OUTBOUND:
            self.found(f"{what}: queues more than {MOST_OUTBOUND} bytes")
        self._answer(driver, outbound, what)
        return bool(outbound)

    def _check_event(self, event: object, what: str) -> None:
        if not isinstance(event, get_args(DeviceEvent)):
            self.found(f"{what}: {type(event).__name__} is no device event")
        elif isinstance(event, DeviceState):
            if event.severity not in SEVERITIES:
                self.found(f"{what}: severity {event.severity!r} is not known")
            if self.spec.states and event.state not in self.spec.states:
                self.found(f"{what}: state {event.state!r} is not among the declared states")

    def _answer(self, driver: Driver, outbound: Iterable[Outbound], what: str) -> None:
        for item in outbound:
            if isinstance(item, PortRequest):
                reply = self.answered(item)
                self.guard("port(Reply)", lambda reply=reply: driver.port(reply, self.now))  # type: ignore[misc]
            elif isinstance(item, Write):
                self.written.append(item.data)
                self.wrote(item.data)
                self.guard("port(Sent)", lambda item=item: driver.port(Sent(len(item.data)), self.now))  # type: ignore[misc]
            else:
                self.found(f"{what}: {type(item).__name__} is neither Write nor PortRequest")

    def guard(self, what: str, call: Callable[[], object]) -> object:
        """Return what `call` returns; whatever it raises is a finding."""
        try:
            return call()
        except Exception as error:  # noqa: BLE001  whatever it raises is the finding
            self.found(f"{what} raised {type(error).__name__}: {str(error)[:200]}")
            self.broken = True
            return None


_NOT_ITS_OWN = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)


def _size(thing: Any) -> int:
    total, seen, waiting = 0, set(), deque([thing])
    while waiting:
        each = waiting.popleft()
        if id(each) in seen or isinstance(each, _NOT_ITS_OWN):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        if isinstance(each, dict):
            waiting.extend(each.keys())
            waiting.extend(each.values())
        elif isinstance(each, list | tuple | set | frozenset | deque):
            waiting.extend(each)
        if isinstance(each, msgspec.Struct):
            waiting.extend(getattr(each, name) for name in each.__struct_fields__)
        for kind in type(each).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if name not in ("__dict__", "__weakref__") and not isinstance(each, msgspec.Struct):
                    waiting.append(getattr(each, name, None))
        waiting.append(getattr(each, "__dict__", None))
    return total
