"""Bronze: what holds for every driver, whatever its device.  Without it a kiosk is not safe from the driver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kiosk.model.commands import DeviceCommand
from kiosk.model.device_events import CommandRefused, DeviceEvent, DeviceState, ProtocolFault, ScanRefused
from kiosk.plugins.conformance.bench import Bench, Finding
from kiosk.plugins.conformance.orders import COMMANDS, GARBAGE
from kiosk.plugins.conformance.subject import Subject
from kiosk.plugins.devices import WriteTimedOut
from kiosk.plugins.validation import driver_trouble

#: Places at which one vector is split: all of a short one, the first and the last of a long one.
MOST_SPLITS = 120
#: Most ticks a second on a silent line: far above any poll, far below a busy loop.
MOST_TICKS_A_SECOND = 200
#: Bytes fed before and after the memory is measured, and how much it may have grown meanwhile.
WARM_UP, FLOOD, GROWTH = 12_288, 49_152, 12_288
#: What an order of a class is about.
_OBJECTS = {"BillAcceptor": "note", "POSPrinter": "job", "CoinDispenser": "payout"}


def declaration(subject: Subject) -> Iterable[Finding]:
    """Check what the kiosk checks when it loads the driver."""
    trouble = driver_trouble(subject.spec)
    return [Finding("declaration", trouble)] if trouble else []


def split_points(subject: Subject) -> Iterable[Finding]:
    """Feed every vector in two pieces, at every place; a port of whole messages only ever cuts one off."""
    for number, vector in enumerate(subject.vectors()):
        whole = _fed(subject.bench(f"vector {number}"), [vector])
        yield from whole.findings
        for at in _places(len(vector)):
            if subject.rehearsal.whole_messages:
                cut = _fed(subject.bench(f"vector {number} cut off at {at}"), [vector[:at]])
                told = [each for each in cut.events if not isinstance(each, ProtocolFault | ScanRefused | DeviceState)]
                if told:
                    cut.found(f"half a message tells {type(told[0]).__name__}")
                yield from cut.findings
                continue
            split = _fed(subject.bench(f"vector {number} split at {at}"), [vector[:at], vector[at:]])
            if _without_faults(split.events) != _without_faults(whole.events):
                split.found("tells something else than with the bytes in one piece")
            yield from split.findings


def garbage(subject: Subject) -> Iterable[Finding]:
    """Feed garbage alone, byte by byte, and between messages, and give all orders afterwards."""
    frames = subject.rehearsal.vectors or (b"",)
    for number, junk in enumerate(GARBAGE):
        frame = frames[number % len(frames)]
        for name, pieces in (
            (f"garbage {number}", [junk]),
            (f"garbage {number} byte by byte", [junk[at : at + 1] for at in range(min(len(junk), 128))]),
            (f"garbage {number} between messages", [frame, junk, frame]),
            (f"garbage {number} inside a message", [frame[: len(frame) // 2], junk, frame[len(frame) // 2 :]]),
        ):
            bench = _fed(subject.bench(name), pieces)
            for cmd in COMMANDS:
                bench.order(cmd)
            bench.pass_time(2000)
            yield from bench.findings


def silence(subject: Subject) -> Iterable[Finding]:
    """Keep the line silent for two minutes: a driver that polls must not call that health."""
    bench = subject.bench("two minutes of silence")
    bench.pass_time(10_000)
    polls = len(bench.written) > 3
    bench.pass_time(110_000)
    states = [event for event in bench.events if isinstance(event, DeviceState)]
    if polls and (not states or states[-1].severity == "ok"):
        bench.found("it asks, nobody answers for two minutes, and it does not say that its state is unknown")
    for cmd in COMMANDS:
        bench.order(cmd)
        bench.pass_time(200)
    bench.pass_time(20_000)
    return bench.findings


def unplugging(subject: Subject) -> Iterable[Finding]:
    """Unplug at every stage, give all orders while the port is lost, and plug in again."""
    frames = subject.rehearsal.vectors or (b"\x00\x01\x02\x03",)
    bench = subject.bench("unplugged and plugged in again")
    for stage in range(12):
        for frame in frames:
            bench.feed(frame[: stage + 1])
        bench.pass_time(40 * stage)
        bench.lose()
        for cmd in COMMANDS:
            bench.order(cmd)
        bench.pass_time(2000)
        bench.open()
    bench.pass_time(3000)
    if not any(isinstance(event, DeviceState) for event in bench.events):
        bench.found("it lost its port twelve times and never told a state")
    return bench.findings


def orders(subject: Subject) -> Iterator[Finding]:
    """Give each order first of all, before the port is open, and after each vector."""
    stages = [("with the port closed", False, b""), ("first of all", True, b"")]
    stages += [(f"after vector {number}", True, vector) for number, vector in enumerate(subject.rehearsal.vectors)]
    for name, opened, vector in stages:
        for cmd in COMMANDS:
            bench = subject.bench(f"order {type(cmd).__name__} {name}", opened=opened)
            if vector:
                bench.feed(vector)
            before = len(bench.events)
            bench.order(cmd)
            _names_its_object(bench, cmd, bench.events[before:])
            bench.pass_time(1000)
            yield from bench.findings


def _names_its_object(bench: Bench, cmd: DeviceCommand, events: Iterable[DeviceEvent]) -> None:
    # A refusal closes the kiosk's intent by the note, job or payout that it names.
    field = _OBJECTS.get(bench.spec.device_class, "")
    wanted = getattr(cmd, field, None) if field else None
    for event in events:
        if wanted is not None and isinstance(event, CommandRefused) and getattr(event, field) != wanted:
            bench.found(f"{type(cmd).__name__} is refused without its {field}: the intent stays open")


def deadlines(subject: Subject) -> Iterable[Finding]:
    """Let a minute pass with nobody at the other end: the driver may poll, and must not spin."""
    bench = subject.bench("a minute alone")
    for cmd in COMMANDS:
        bench.order(cmd)
    before = bench.ticks
    bench.pass_time(60_000)
    if (many := bench.ticks - before) > 60 * MOST_TICKS_A_SECOND:
        bench.found(f"wants {many // 60} ticks a second on a silent line")
    return bench.findings


def bounded(subject: Subject) -> Iterable[Finding]:
    """Feed much that never becomes a message, and look at how much memory the driver holds."""
    frame = max(subject.rehearsal.vectors or (b"A",), key=len)
    for name, pattern in (("letters without an end", b"A" * 256), ("beginnings of messages", frame[:-1] * 8 or b"A")):
        bench = subject.bench(name)
        sizes = []
        for amount in (WARM_UP, FLOOD):
            fed = 0
            while fed < amount and not bench.broken:
                bench.feed(pattern[:512])
                bench.events.clear()
                bench.written.clear()
                bench.pass_time(1)
                fed += len(pattern[:512])
            sizes.append(bench.kept_bytes())
        if sizes[1] > sizes[0] + GROWTH:
            bench.found(f"holds {sizes[1] - sizes[0]} bytes more after {FLOOD} bytes without an end")
        yield from bench.findings


def stalled_writes(subject: Subject) -> Iterable[Finding]:
    """Tell the driver that the line takes no more bytes, at every stage; it goes on and is polite."""
    frames = subject.rehearsal.vectors or (b"\x00",)
    bench = subject.bench("write time-outs")
    for stage, cmd in enumerate(COMMANDS):
        bench.feed(frames[stage % len(frames)])
        bench.order(cmd)
        bench.do("port(WriteTimedOut)", lambda driver: driver.port(WriteTimedOut(), bench.now))
        bench.pass_time(700)
    bench.lose()
    bench.open()
    bench.pass_time(3000)
    return bench.findings


def health(subject: Subject) -> Iterable[Finding]:
    """Ask for the state when nothing changed: it is told again."""
    bench = subject.bench("CheckHealth")
    bench.pass_time(5000)
    bench.events.clear()
    bench.order(COMMANDS[0])
    bench.pass_time(5000)
    if not any(isinstance(event, DeviceState) for event in bench.events):
        bench.found("CheckHealth is not answered with a state")
    return bench.findings


def _fed(bench: Bench, pieces: Iterable[bytes]) -> Bench:
    for piece in pieces:
        bench.feed(piece)
    bench.pass_time(3000)
    return bench


def _without_faults(events: Iterable[DeviceEvent]) -> list[DeviceEvent]:
    # How many pieces of noise a driver counts may depend on how the noise came.
    return [event for event in events if not isinstance(event, ProtocolFault)]


def _places(length: int) -> Iterable[int]:
    if length <= MOST_SPLITS:
        return range(1, length)
    return [*range(1, MOST_SPLITS // 2), *range(length - MOST_SPLITS // 2, length)]
