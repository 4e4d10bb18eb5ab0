"""A simulated acceptor on a real pty, under the supervisor: a note counts once, whatever line and driver do."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.core.supervisor import DeviceConfig, DeviceNews, RestartPolicy, Supervisor
from kiosk.core.supervisor_setup import PreparedDevice
from kiosk.model.commands import Confirm, EnableNotes, StackNote
from kiosk.model.device_events import (
    DeviceEvent,
    DeviceState,
    NoteEscrowed,
    NoteGone,
    NoteReturned,
    NotesKnown,
    NoteStacked,
)
from kiosk.model.money import Money
from kiosk.plugins.devices import DriverTools, OpenNote
from kiosk.plugins.manager import built_in_plugins, load_plugins
from kiosk.protocols.id003.device import Id003Device
from kiosk.protocols.id003.units import USD_UNIT, Speeds
from kiosk.simulators.pty_port import PtyPort
from kiosk.transports import BytePath, make_path
from kiosk.transports.faulty import Faults, FaultyPath

TWENTY = Money(2000, "USD")


class Counter:
    """Plays the kernel for one acceptor: enables notes, stacks what is escrowed, commits and confirms credits."""

    def __init__(self, port: PtyPort[Id003Device], faults: Faults | None = None) -> None:
        self.port = port
        self.faults = faults
        self.news: queue.SimpleQueue[DeviceNews] = queue.SimpleQueue()
        self.credited: dict[str, Money] = {}
        self.open_note: OpenNote | None = None
        self.serial = 0
        self.stack = self.confirm = True
        self.waiting: Confirm | None = None
        self.boss = Supervisor(
            [DeviceConfig(name="notes", driver="id003_acceptor", line={"port": str(port.path)})],
            load_plugins(candidates=built_in_plugins()).drivers, DriverTools(currency="USD"), self.news.put,
            self.recall, policy=RestartPolicy(first_ns=1_000_000, most_ns=2_000_000), paths=self.path, hotplug=False,
        )  # fmt: skip
        self.boss.start()

    def path(self, device: PreparedDevice) -> BytePath:
        path = make_path(device.transport, device.line)
        return FaultyPath(path, self.faults) if self.faults else path

    def recall(self, device: str) -> tuple[dict[str, str], OpenNote | None, bytes]:
        return {"note_serial": str(self.serial)}, self.open_note, bytes(32)

    def until(self, wanted: Callable[[DeviceEvent], bool]) -> DeviceEvent:
        """Work until an event comes that is wanted; fails after a while."""
        for _ in range(6000):
            self.boss.tend()
            try:
                news = self.news.get(timeout=0.005)
            except queue.Empty:
                continue
            if self.boss.is_current(news):
                self.work(news)
                if wanted(news.event):
                    return news.event
        raise AssertionError(f"not told in 30 seconds; {self.boss.status()}")

    def work(self, news: DeviceNews) -> None:
        match news.event:
            case NotesKnown(values=values):
                self.boss.post("notes", EnableNotes(values))
            case NoteEscrowed(note=note, value=value) if self.stack:
                self.serial = note.serial
                self.open_note = OpenNote(note, value, "stack_sent")
                self.boss.post("notes", StackNote(note))
            case NoteStacked(token=token, note=note, value=value):
                assert value is not None
                assert self.credited.setdefault(str(note), value) == value
                if note is not None:
                    self.open_note = OpenNote(note, value, "credited")
                self.waiting = Confirm(token)
                if self.confirm:
                    self.boss.post("notes", self.waiting, news.generation)
            case NoteReturned(token=token) if token:
                self.open_note = None
                self.boss.post("notes", Confirm(token), news.generation)
            case NoteGone():
                self.open_note = None

    def feed(self) -> None:
        """Push a twenty in; a person tries again while the unit is not ready."""
        for _ in range(2000):
            with self.port.hands() as unit:
                if unit.insert(TWENTY.minor):
                    return
            self.boss.tend()
            try:
                news = self.news.get(timeout=0.005)
            except queue.Empty:
                continue
            if self.boss.is_current(news):
                self.work(news)
        raise AssertionError("the unit never took a note")

    def box(self) -> list[int]:
        with self.port.hands() as unit:
            return list(unit.cashbox)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[PtyPort[Id003Device]]:
    # A unit that is quick about everything: what is tried here is order, not time.
    quick = Speeds(
        boot_ms=10, initialize_ms=20, accepting_ms=20, stacking_ms=20, lever_ms=10, stacked_ms=10, returning_ms=20
    )
    unit = msgspec.structs.replace(USD_UNIT, speeds=quick)
    with PtyPort(Id003Device(unit), tmp_path / "acceptor") as made:
        yield made


def held(counter: Counter) -> None:
    """Cents in the box are cents credited."""
    assert sum(counter.box()) == sum(money.minor for money in counter.credited.values())


def is_gone(event: DeviceEvent) -> bool:
    return isinstance(event, NoteGone)


def test_two_notes_are_credited_once_each(port: PtyPort[Id003Device]) -> None:
    counter = Counter(port)
    try:
        for number in (1, 2):
            counter.feed()
            counter.until(is_gone)
            assert len(counter.credited) == number
        held(counter)
        assert counter.boss.status()[0].state == "in_service"
    finally:
        assert counter.boss.stop() == []


@pytest.mark.parametrize("seed", [1])
def test_a_bad_line_changes_no_sum(port: PtyPort[Id003Device], seed: int) -> None:
    counter = Counter(port, Faults(seed=seed, split=300, garble=5, drop=5, duplicate=5))
    try:
        counter.feed()
        counter.until(lambda event: isinstance(event, NoteGone | NoteReturned))
        held(counter)
    finally:
        counter.boss.stop()


def test_an_unplugged_line_between_stacking_and_credit_still_credits_once(port: PtyPort[Id003Device]) -> None:
    counter = Counter(port)
    try:
        counter.confirm = False
        counter.feed()
        counter.until(lambda event: isinstance(event, NoteStacked))
        port.unplug()
        counter.until(lambda event: isinstance(event, DeviceState) and event.severity != "ok")
        port.replug()
        counter.boss.plugged()
        assert counter.waiting is not None
        counter.boss.post("notes", counter.waiting)
        counter.until(is_gone)
        assert list(counter.credited.values()) == [TWENTY]
        held(counter)
    finally:
        counter.boss.stop()


def test_a_driver_that_dies_before_the_confirmation_is_replaced_and_the_note_credited_once(
    port: PtyPort[Id003Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kiosk.drivers import id003_acceptor

    counter = Counter(port)
    driver = type(id003_acceptor.SPEC.build(id003_acceptor.SPEC.options(), DriverTools(currency="USD")))
    really, deaths = driver.command, []

    def dies_once(self: object, cmd: object, now: int) -> None:
        if isinstance(cmd, Confirm) and not deaths:
            deaths.append(cmd)
            raise RuntimeError("on purpose")
        really(self, cmd, now)  # type: ignore[arg-type]

    monkeypatch.setattr(driver, "command", dies_once)
    try:
        counter.feed()
        counter.until(is_gone)
        assert len(deaths) == 1
        assert counter.boss.status()[0].restarts == 1
        assert list(counter.credited.values()) == [TWENTY]
        held(counter)
    finally:
        counter.boss.stop()
