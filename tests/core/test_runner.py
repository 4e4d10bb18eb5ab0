"""The seat: drives one driver step by step and survives whatever it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from kiosk.core.runner import MAX_EVENTS_A_CALL, MAX_IDLE_TICKS, MAX_OUTBOUND_BYTES, DriverSeat
from kiosk.model.commands import DeviceCommand, Print, StackNote
from kiosk.model.device_events import CommandRefused, DeviceEvent, Scanned
from kiosk.model.ids import NoteId
from kiosk.model.slip import Slip
from kiosk.plugins.devices import Opened, OpenNote, Outbound, PortEvent, PortRequest, Write


class Parrot:
    """A driver that says every byte back and tells it as a scan."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.events: Any = []
        self.outbound: Any = []
        self.wants: Any = None

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        self.calls.append("remember")

    def port(self, event: PortEvent, now: int) -> None:
        self.calls.append(type(event).__name__)

    def received(self, data: bytes, now: int) -> None:
        self.events.append(Scanned(data.decode("latin-1")))
        self.outbound.append(Write(data))

    def tick(self, now: int) -> None:
        self.calls.append("tick")

    def command(self, cmd: DeviceCommand, now: int) -> None:
        self.calls.append(str(cmd.__struct_config__.tag))

    def deadline(self) -> int | None:
        return self.wants  # type: ignore[no-any-return]

    def take_outbound(self) -> list[Outbound]:
        taken, self.outbound = self.outbound, []
        return taken  # type: ignore[no-any-return]

    def take_events(self) -> list[DeviceEvent]:
        taken, self.events = self.events, []
        return taken  # type: ignore[no-any-return]


def seated() -> tuple[Parrot, DriverSeat, list[DeviceEvent]]:
    news: list[DeviceEvent] = []
    driver = Parrot()
    seat = DriverSeat("front", driver, news.append)
    seat.remember({}, None, bytes(32))
    seat.port(Opened(), 0)
    return driver, seat, news


def test_a_seat_drains_events_and_outbound_after_each_call() -> None:
    _, seat, news = seated()
    seat.received(b"4711", 5)
    assert news == [Scanned("4711")]
    assert seat.take_outbound() == [Write(b"4711")]
    assert seat.take_outbound() == []


def test_a_command_before_the_port_was_open_is_refused_with_its_note_and_never_reaches_the_driver() -> None:
    news: list[DeviceEvent] = []
    driver = Parrot()
    seat = DriverSeat("front", driver, news.append)
    seat.remember({}, None, bytes(32))
    seat.command(StackNote(NoteId("front", 7)), 0)
    seat.command(Print("r1", Slip(())), 0)
    assert driver.calls == ["remember"]
    assert [(e.command, e.note, e.job) for e in news if isinstance(e, CommandRefused)] == [
        ("stack_note", NoteId("front", 7), ""),
        ("print", None, "r1"),
    ]


@pytest.mark.parametrize("name", ["remember", "port", "received", "tick", "command", "deadline", "take_events"])
def test_a_driver_that_raises_is_dead_with_the_place_in_the_reason_and_is_not_called_again(name: str) -> None:
    driver = Parrot()
    seat = DriverSeat("front", driver, lambda event: None)

    def boom(*args: object) -> None:
        raise ZeroDivisionError("it broke")

    setattr(driver, name, boom)
    seat.remember({}, None, bytes(32))
    seat.port(Opened(), 0)
    seat.received(b"x", 1)
    seat.tick(2)
    seat.command(StackNote(NoteId("front", 1)), 3)
    assert "it broke" in seat.dead
    assert "test_runner.py" in seat.dead
    seat.received(b"y", 3)
    assert seat.take_outbound() == []
    assert seat.deadline() is None
    assert not seat.due(10**18)


@pytest.mark.parametrize(
    ("attribute", "value", "word"),
    [
        ("events", ["a scan"], "str"),
        ("events", (Scanned("x"),), "tuple"),
        ("events", [Scanned("x")] * (MAX_EVENTS_A_CALL + 1), "events in one call"),
        ("outbound", [b"raw"], "bytes"),
        ("outbound", None, "NoneType"),
        ("outbound", [Write("text")], "str"),  # type: ignore[arg-type]
        ("outbound", [Write(bytes(MAX_OUTBOUND_BYTES + 1))], "queued more than"),
        ("wants", 1.5, "float"),
        ("wants", True, "bool"),
    ],
)
def test_a_driver_that_answers_nonsense_is_dead_with_a_reason(attribute: str, value: Any, word: str) -> None:
    driver, seat, _ = seated()
    setattr(driver, attribute, value)
    seat.tick(1)
    assert word in seat.dead


def test_a_deadline_that_never_moves_kills_the_driver_instead_of_the_processor() -> None:
    driver, seat, _ = seated()
    driver.wants = 5
    seat.tick(1)
    ticks = 0
    while not seat.dead and ticks <= MAX_IDLE_TICKS + 1:
        assert seat.due(10)
        seat.tick(10)
        ticks += 1
    assert "deadline did not move" in seat.dead


def test_a_port_request_passes_through_in_order_with_the_writes() -> None:
    driver, seat, _ = seated()
    driver.outbound = [Write(b"a"), PortRequest(1, "flush_input"), Write(b"b")]
    seat.tick(1)
    assert seat.take_outbound() == [Write(b"a"), PortRequest(1, "flush_input"), Write(b"b")]
