"""The line thread, over a loopback: bytes in order, loss and return, nothing said after being abandoned."""

from __future__ import annotations

import os
import pty
import queue
import random
import threading
import time
import tty
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

from kiosk.core.line import LineWorker
from kiosk.errors import TransportError
from kiosk.model.commands import CheckHealth, DeviceCommand, EnableNotes, InhibitNotes, StackNote
from kiosk.model.device_events import CommandRefused, DeviceEvent, DeviceState, Scanned
from kiosk.model.ids import NoteId
from kiosk.plugins.devices import (
    Lost,
    Opened,
    OpenNote,
    Outbound,
    PortEvent,
    PortRequest,
    Reply,
    Sent,
    Write,
    WriteTimedOut,
)
from kiosk.transports import make_path
from kiosk.transports.loopback import Loopback
from tests.descriptors import no_more_than, open_descriptors

T = TypeVar("T")


class Clerk:
    """A driver that tells all it hears as scans and writes what it is handed in `say`."""

    def __init__(self) -> None:
        self.events: list[DeviceEvent] = []
        self.outbound: list[Outbound] = []
        self.wants: int | None = None
        self.hang = threading.Event()
        self.hanging = threading.Event()

    def tell(self, text: str) -> None:
        self.events.append(Scanned(text))

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        self.tell(f"remember {dict(marks)}")

    def port(self, event: PortEvent, now: int) -> None:
        match event:
            case Opened():
                self.tell("opened")
            case Sent(count):
                self.tell(f"sent {count}")
            case WriteTimedOut():
                self.tell("write timed out")
            case Lost():
                self.tell("lost")
            case Reply(number, ok):
                self.tell(f"reply {number} {ok}")

    def received(self, data: bytes, now: int) -> None:
        self.tell(f"got {data!r}")
        if data == b"raise":
            raise RuntimeError("broken on purpose")
        if data == b"hang":
            self.hanging.set()
            self.hang.wait(20)
            self.tell("too late")
        if data == b"many":
            self.outbound.append(Write(b"x" * 3_000_000))
        if data == b"ask":
            self.outbound += [Write(b"a"), PortRequest(7, "usb_class_in"), Write(b"b")]
        if data == b"alarm":
            self.wants = now + 1_000_000

    def tick(self, now: int) -> None:
        self.tell("tick")
        self.wants = None

    def command(self, cmd: DeviceCommand, now: int) -> None:
        self.tell(f"command {cmd.__struct_config__.tag}")
        if isinstance(cmd, CheckHealth):
            self.outbound.append(Write(b"status?"))

    def deadline(self) -> int | None:
        return self.wants

    def take_outbound(self) -> list[Outbound]:
        taken, self.outbound = self.outbound, []
        return taken

    def take_events(self) -> list[DeviceEvent]:
        taken, self.events = self.events, []
        return taken


class Rig:
    """One worker on one loopback."""

    def __init__(self, *, plugged: bool = True, write_timeout_ms: int = 5000) -> None:
        self.news: queue.SimpleQueue[DeviceEvent] = queue.SimpleQueue()
        self.wire = Loopback()
        if not plugged:
            self.wire.unplug()
        self.driver = Clerk()
        self.worker = LineWorker(
            "front", self.wire, lambda: self.driver, ({"note_serial": "4"}, None, bytes(32)), self.news.put,
            write_timeout_ms=write_timeout_ms, chance=random.Random(1),
        )  # fmt: skip
        self.worker.start()

    def hear(self) -> DeviceEvent:
        return self.news.get(timeout=10)

    def until(self, text: str) -> list[str]:
        """Take news until `text` is told; return all that was told."""
        told = []
        while not told or told[-1] != text:
            event = self.hear()
            told.append(event.label if isinstance(event, Scanned) else repr(event))
        return told


@pytest.fixture
def rig() -> Rig:
    made = Rig()
    yield made  # type: ignore[misc]
    made.driver.hang.set()
    made.worker.stop()


def wait_for(ask: Callable[[], T]) -> T:
    """Poll until `ask` is true; fails after ten seconds."""
    for _ in range(2000):
        answer = ask()
        if answer:
            return answer
        time.sleep(0.005)
    raise AssertionError("did not happen in ten seconds")


def test_a_worker_remembers_opens_and_passes_bytes_both_ways(rig: Rig) -> None:
    assert rig.until("opened") == ["remember {'note_serial': '4'}", "opened"]
    rig.wire.device_wrote(b"4711")
    rig.until("got b'4711'")
    rig.worker.post(CheckHealth())
    assert rig.until("sent 7") == ["command check_health", "sent 7"]
    assert rig.wire.device_reads(5000) == b"status?"


def test_the_driver_hears_its_deadline(rig: Rig) -> None:
    rig.until("opened")
    rig.wire.device_wrote(b"alarm")
    assert rig.until("tick")[-1] == "tick"


def test_requests_and_writes_keep_their_order_and_an_unknown_request_is_answered_with_no(rig: Rig) -> None:
    rig.until("opened")
    rig.wire.device_wrote(b"ask")
    assert rig.until("reply 7 False") == ["got b'ask'", "sent 1", "reply 7 False"]
    rig.until("sent 1")


def test_a_line_that_takes_nothing_ends_in_a_write_timeout_and_works_on_afterwards() -> None:
    rig = Rig(write_timeout_ms=50)
    try:
        rig.until("opened")
        rig.wire.device_wrote(b"many")
        told = rig.until("write timed out")
        sent = sum(int(line.split()[1]) for line in told if line.startswith("sent"))
        assert 0 < sent < 3_000_000
        got = 0
        while got < sent:
            got += len(rig.wire.device_reads(5000))
        rig.worker.post(CheckHealth())
        rig.until("sent 7")
        assert got == sent
        assert rig.worker.recorder.counters()["WriteTimeoutCount"] == 1
    finally:
        rig.worker.stop()


def test_a_lost_line_is_told_and_opened_again_when_it_returns(rig: Rig) -> None:
    rig.until("opened")
    for _ in range(3):
        rig.wire.unplug()
        rig.until("lost")
        rig.wire.plug()
        rig.until("opened")
    rig.wire.device_wrote(b"back")
    rig.until("got b'back'")


def test_an_absent_device_is_reported_and_orders_for_notes_wait_while_others_are_refused() -> None:
    rig = Rig(plugged=False)
    try:
        rig.hear()  # remember
        state = rig.hear()
        assert isinstance(state, DeviceState)
        assert (state.state, state.severity) == ("no_port", "fault")
        rig.worker.post(EnableNotes(()))
        rig.worker.post(InhibitNotes())
        rig.worker.post(StackNote(NoteId("front", 5)))
        refused = rig.hear()
        assert isinstance(refused, CommandRefused)
        assert refused.note == NoteId("front", 5)
        rig.wire.plug()
        rig.worker.look()
        assert rig.until("command inhibit_notes") == ["opened", "command inhibit_notes"]
    finally:
        rig.worker.stop()


def test_a_driver_that_raises_ends_its_thread_with_the_reason(rig: Rig) -> None:
    rig.until("opened")
    rig.wire.device_wrote(b"raise")
    assert "broken on purpose" in wait_for(lambda: rig.worker.dead)
    wait_for(lambda: not rig.worker.alive)
    assert not rig.worker.post(CheckHealth())


def test_an_abandoned_worker_says_nothing_more_and_frees_its_port(rig: Rig) -> None:
    rig.until("opened")
    rig.wire.device_wrote(b"hang")
    assert rig.driver.hanging.wait(10)
    rig.worker.abandon()
    rig.driver.hang.set()
    wait_for(lambda: not rig.worker.alive)
    assert rig.wire.fileno() == -1
    left = []
    while not rig.news.empty():
        left.append(rig.news.get())
    assert Scanned("too late") not in left


def test_a_device_that_is_back_before_its_permissions_is_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(plugged=False)
    refusals: list[int] = []
    really = rig.wire.open

    def not_yet() -> dict[str, str]:
        if rig.wire.present() and len(refusals) < 3:
            refusals.append(time.monotonic_ns())
            raise TransportError("permission denied", transient=False)
        return really()

    try:
        rig.hear()
        rig.hear()
        wait_for(lambda: rig.worker.recorder.counters().get("OpenFailureCount"))
        rig.worker._reopen_wait = 3600 * 10**9  # as after a long absence
        monkeypatch.setattr(rig.wire, "open", not_yet)
        rig.wire.plug()
        rig.worker.look()
        rig.until("opened")
        assert len(refusals) == 3
    finally:
        rig.worker.stop()


def test_a_hundred_replugs_of_a_real_pty_come_back_and_leak_no_descriptor(tmp_path: Path) -> None:
    link = tmp_path / "port"

    def plug() -> int:
        master, slave = pty.openpty()
        tty.setraw(slave)
        link.symlink_to(os.ttyname(slave))
        os.close(slave)
        return master

    master = plug()
    news: queue.SimpleQueue[DeviceEvent] = queue.SimpleQueue()
    path = make_path("serial", {"port": str(link), "parity": "E"})
    worker = LineWorker("front", path, Clerk, ({}, None, bytes(32)), news.put)
    worker.start()

    def until(text: str) -> None:
        while news.get(timeout=10) != Scanned(text):
            pass

    until("opened")
    before = open_descriptors()
    for _ in range(100):
        link.unlink()
        os.close(master)
        until("lost")
        master = plug()
        worker.look()
        until("opened")
        os.write(master, b"hello")
        until("got b'hello'")
    assert no_more_than(before)
    worker.stop()
    os.close(master)


def test_the_heart_beats_on_a_silent_line(rig: Rig) -> None:
    rig.until("opened")
    before = rig.worker.last_tick
    wait_for(lambda: rig.worker.last_tick > before)
