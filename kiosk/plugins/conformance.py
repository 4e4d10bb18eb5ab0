"""A first conformance kit: holds any driver against the contract, whatever its device.

A plugin's own tests call `check_driver(SPEC, vectors)`.  Vectors are byte strings that the device sends in real
life.  The kit drives the driver with a virtual clock through openings, every split of every vector, garbage,
silence, every command in every situation, unplugging and replugging; it checks what holds for every driver:
no exception, answers of the right types, bounded output, a deadline that moves on, states that were declared,
a refusal for every order that names a note it does not know, and the same events (faults apart) however the
bytes were split.  What the device means is for the driver's own tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import get_args

import msgspec

from kiosk.model.commands import (
    CheckHealth,
    Confirm,
    DeviceCommand,
    DropJob,
    EnableNotes,
    HoldNote,
    InhibitNotes,
    Print,
    ReturnNote,
    StackNote,
)
from kiosk.model.device_events import CommandRefused, DeviceEvent, DeviceState, ProtocolFault
from kiosk.model.ids import NoteId
from kiosk.model.slip import Slip, Words
from kiosk.plugins.devices import (
    Driver,
    DriverSpec,
    DriverTools,
    Lost,
    Opened,
    Outbound,
    PortRequest,
    Reply,
    Sent,
    Write,
    WriteTimedOut,
)
from kiosk.plugins.validation import driver_trouble

MS = 1_000_000
#: Bytes that one call may queue: a long slip drawn as raster is far below it.
MOST_OUTBOUND = 4 * 1024 * 1024
#: Ticks that may pass at one and the same time.
MOST_TICKS = 1000

_STRANGE_NOTE = NoteId("conformance", 999_983)
COMMANDS: tuple[DeviceCommand, ...] = (
    CheckHealth(),
    InhibitNotes(),
    EnableNotes(()),
    Confirm(999_983),
    StackNote(_STRANGE_NOTE),
    ReturnNote(_STRANGE_NOTE),
    HoldNote(_STRANGE_NOTE),
    Print("conformance", Slip((Words("Conformance"),))),
    DropJob("no such job"),
)
_MUST_ANSWER = (StackNote, ReturnNote, HoldNote)
GARBAGE = (b"\x00", b"\xff" * 300, bytes(range(256)) * 20, b"\x02\x03\x02\x03", b"\xfc\x05\x11", b"<script>" * 600)


class Finding(msgspec.Struct, frozen=True):
    """One thing that does not hold."""

    #: Which part of the kit found it, e.g. ``split 3 of vector 1``.
    situation: str
    message: str


class _Bench:
    """One driver under a virtual clock, whose every answer is checked."""

    def __init__(self, spec: DriverSpec, tools: DriverTools, situation: str) -> None:
        self.spec = spec
        self.situation = situation
        self.now = 10**12
        self.findings: list[Finding] = []
        self.events: list[DeviceEvent] = []
        self.broken = False
        built = self._guard("build", lambda: spec.build(spec.options(), tools))
        self._driver: Driver | None = built if isinstance(built, Driver) else None
        self.broken = self.broken or self._driver is None
        self.do("remember", lambda driver: driver.remember({"note_serial": "17"}, None, bytes(range(32))))

    def open(self) -> None:
        opened = Opened({"path": "conformance", "kind": self.spec.transports[0]})
        self.do("port(Opened)", lambda driver: driver.port(opened, self.now))

    def feed(self, data: bytes) -> None:
        self.do("received", lambda driver: driver.received(data, self.now))

    def order(self, cmd: DeviceCommand) -> None:
        before = len(self.events)
        self.do(f"command({type(cmd).__name__})", lambda driver: driver.command(cmd, self.now))
        refused = any(isinstance(event, CommandRefused) for event in self.events[before:])
        if isinstance(cmd, _MUST_ANSWER) and not refused and not self.broken:
            self.found(f"{type(cmd).__name__} for a note that was never there is not refused")

    def pass_time(self, ms: int) -> None:
        """Let time pass, ticking whenever the driver asks for it."""
        until = self.now + ms * MS
        same = 0
        while not self.broken and self._driver is not None:
            deadline = self._driver.deadline()
            if deadline is None or deadline > until:
                break
            same = same + 1 if deadline <= self.now else 0
            if same > MOST_TICKS:
                self.found(f"the deadline did not move in {MOST_TICKS} ticks")
                self.broken = True
                return
            self.now = max(self.now, deadline)
            self.do("tick", lambda driver: driver.tick(self.now))
        self.now = until

    def do(self, what: str, call: Callable[[Driver], None]) -> None:
        """Make one call and drain the driver as the core does, until it wants nothing more of the port."""
        driver = self._driver
        if driver is None or self.broken:
            return
        self._guard(what, lambda: call(driver))
        for _ in range(MOST_TICKS):
            if self.broken or not self._drain(driver, what):
                return
        self.found(f"{what}: the port's answers make it write for ever")
        self.broken = True

    def found(self, message: str) -> None:
        self.findings.append(Finding(self.situation, message))

    def _drain(self, driver: Driver, what: str) -> bool:
        events = self._guard("take_events", driver.take_events)
        outbound = self._guard("take_outbound", driver.take_outbound)
        deadline = self._guard("deadline", driver.deadline)
        if self.broken:
            return False
        if not isinstance(events, list) or not isinstance(outbound, list):
            self.found(f"{what}: take_events and take_outbound must give lists")
            self.broken = True
            return False
        for event in events:
            self._check_event(event, what)
        self.events += events
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
            if event.severity not in ("ok", "warn", "fault", "unknown"):
                self.found(f"{what}: severity {event.severity!r} is not known")
            if self.spec.states and event.state not in self.spec.states:
                self.found(f"{what}: state {event.state!r} is not among the declared states")

    def _answer(self, driver: Driver, outbound: Iterable[Outbound], what: str) -> None:
        for item in outbound:
            if isinstance(item, PortRequest):
                self._guard("port(Reply)", lambda item=item: driver.port(Reply(item.id, False), self.now))  # type: ignore[misc]
            elif isinstance(item, Write):
                self._guard("port(Sent)", lambda item=item: driver.port(Sent(len(item.data)), self.now))  # type: ignore[misc]
            else:
                self.found(f"{what}: {type(item).__name__} is neither Write nor PortRequest")

    def _guard(self, what: str, call: Callable[[], object]) -> object:
        try:
            return call()
        except Exception as error:  # noqa: BLE001  whatever it raises is the finding
            self.found(f"{what} raised {type(error).__name__}: {str(error)[:200]}")
            self.broken = True
            return None


def check_driver(
    spec: DriverSpec, vectors: Sequence[bytes] = (), *, tools: DriverTools | None = None, most_splits: int = 200
) -> list[Finding]:
    """Hold a driver against the contract; an empty list means that nothing was found.

    Vectors longer than `most_splits` are split at every place of their first and last halves of that number.
    """
    trouble = driver_trouble(spec)
    if trouble:
        return [Finding("declaration", trouble)]
    lent = tools or DriverTools(currency="USD")
    findings: list[Finding] = []
    for situation in _situations(spec, lent, vectors, most_splits):
        findings += situation.findings
    return findings


def _situations(spec: DriverSpec, tools: DriverTools, vectors: Sequence[bytes], most_splits: int) -> Iterable[_Bench]:
    def bench(name: str) -> _Bench:
        made = _Bench(spec, tools, name)
        made.open()
        return made

    yield _silence(bench("silence"))
    for number, junk in enumerate(GARBAGE):
        yield _bytes_then_orders(bench(f"garbage {number}"), [junk])
        yield _bytes_then_orders(bench(f"garbage {number} byte by byte"), [junk[i : i + 1] for i in range(len(junk))])
    for number, vector in enumerate(vectors):
        whole = _bytes_then_orders(bench(f"vector {number}"), [vector])
        yield whole
        for at in _places(len(vector), most_splits):
            split = _bytes_then_orders(bench(f"vector {number} split at {at}"), [vector[:at], vector[at:]])
            if _without_faults(split.events) != _without_faults(whole.events):
                split.found("tells something else than with the bytes in one piece")
            yield split
            cut = bench(f"vector {number} cut off at {at}")
            cut.feed(vector[:at])
            cut.pass_time(3000)
            yield cut
    yield _plugs(bench("unplugged and replugged"), vectors)
    yield _plugs(bench("write time-outs"), vectors, stalled=True)
    for cmd in COMMANDS:
        alone = bench(f"order {type(cmd).__name__} first of all")
        alone.order(cmd)
        alone.pass_time(10_000)
        yield alone


def _without_faults(events: Iterable[DeviceEvent]) -> list[DeviceEvent]:
    # How many pieces of noise a driver counts may depend on how the noise came.
    return [event for event in events if not isinstance(event, ProtocolFault)]


def _places(length: int, most: int) -> Iterable[int]:
    if length <= most:
        return range(1, length)
    return [*range(1, most // 2), *range(length - most // 2, length)]


def _silence(bench: _Bench) -> _Bench:
    bench.pass_time(120_000)
    for cmd in COMMANDS:
        bench.order(cmd)
        bench.pass_time(1000)
    bench.pass_time(120_000)
    return bench


def _bytes_then_orders(bench: _Bench, pieces: Iterable[bytes]) -> _Bench:
    for piece in pieces:
        bench.feed(piece)
    bench.pass_time(3000)
    for cmd in COMMANDS:
        bench.order(cmd)
    bench.pass_time(3000)
    return bench


def _plugs(bench: _Bench, vectors: Sequence[bytes], *, stalled: bool = False) -> _Bench:
    for round_ in range(10):
        for vector in vectors or (b"\x00",):
            bench.feed(vector[: round_ + 1])
        if stalled:
            bench.do("port(WriteTimedOut)", lambda driver: driver.port(WriteTimedOut(), bench.now))
        bench.do("port(Lost)", lambda driver: driver.port(Lost("conformance"), bench.now))
        for cmd in COMMANDS:
            bench.order(cmd)
        bench.pass_time(2000)
        bench.open()
    bench.pass_time(3000)
    return bench
