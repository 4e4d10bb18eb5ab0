"""What the service manager hears: READY after the replay, WATCHDOG while everything ticks, STATUS in words (OP2)."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.app import compose
from kiosk.core import service
from kiosk.model import facts
from tests.app.live_kiosk import FIFTEEN, LiveKiosk, live_kiosk, until

MS = 1_000_000


class Manager:
    """The end of the service manager: a datagram socket."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.heard: list[str] = []

    def listen(self) -> list[str]:
        """Everything heard so far, each datagram as one text."""
        while True:
            try:
                self.heard.append(self.socket.recv(65536).decode())
            except BlockingIOError:
                return self.heard

    def count(self, word: str) -> int:
        return sum(word in each.splitlines() for each in self.listen())


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    with tempfile.TemporaryDirectory() as where:
        found = Manager(Path(where) / "notify")
        monkeypatch.setenv("NOTIFY_SOCKET", f"{where}/notify")
        monkeypatch.setattr(service, "FEED_NS", 50 * MS)
        # A worker's heart beats once a second while nothing happens on its line.
        monkeypatch.setattr(service, "WORKER_NS", 1500 * MS)
        yield found
        found.socket.close()


def test_ready_is_the_first_word_and_comes_after_the_replay_and_the_recovery(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real = compose.replay

    def slow(journal: Any) -> Any:
        time.sleep(0.3)
        books = real(journal)
        order.append(f"replayed with {len(manager.listen())} words said")
        return books

    monkeypatch.setattr(compose, "replay", slow)
    with live_kiosk(screen=False) as kiosk:
        first = until(manager.listen, "a word")[0]
        assert order == ["replayed with 0 words said"]
        assert first.startswith("READY=1\nSTATUS=K07 demo: ")
        assert any(isinstance(each.fact.body, facts.Started) for each in kiosk.facts())
        assert manager.count("READY=1") == 1


def test_no_ready_is_said_when_the_start_fails(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "replay", lambda journal: 1 // 0)
    kiosk = LiveKiosk(screen=False)
    with pytest.raises(ZeroDivisionError):
        kiosk.start()
    assert manager.count("READY=1") == 0


def test_the_watchdog_is_not_fed_while_a_device_worker_stalls(manager: Manager) -> None:
    release = threading.Event()
    with live_kiosk() as kiosk:
        kiosk.wait("idle")
        until(lambda: manager.count("WATCHDOG=1") > 3, "the watchdog is fed")
        worker = kiosk.core.supervisor._posts["scanner"].worker
        worker._seat._driver.received = lambda data, now: release.wait(60)
        kiosk.stage.scan("anything")
        time.sleep(1.7)
        fed = manager.count("WATCHDOG=1")
        time.sleep(0.5)
        assert manager.count("WATCHDOG=1") == fed
        assert kiosk.health()["severity"]  # the kernel itself is well and answers
        release.set()
        until(lambda: manager.count("WATCHDOG=1") > fed, "fed again when the worker ticks")


def test_the_watchdog_is_not_fed_while_the_kernel_stalls(manager: Manager) -> None:
    release, stalled = threading.Event(), threading.Event()
    with live_kiosk(screen=False) as kiosk:
        until(lambda: manager.count("WATCHDOG=1") > 3, "the watchdog is fed")

        def stall() -> None:
            stalled.set()
            release.wait(60)

        kiosk.kernel.tick = stall  # type: ignore[method-assign]
        assert stalled.wait(10)
        fed = manager.count("WATCHDOG=1")
        time.sleep(0.5)
        assert manager.count("WATCHDOG=1") == fed
        del kiosk.kernel.tick
        release.set()
        until(lambda: manager.count("WATCHDOG=1") > fed, "fed again")


def test_the_status_line_says_in_words_how_the_kiosk_is(manager: Manager) -> None:
    def told() -> list[str]:
        return [line[7:] for each in manager.listen() for line in each.splitlines() if line.startswith("STATUS=")]

    with live_kiosk() as kiosk:
        kiosk.wait("idle")
        until(lambda: [each for each in told() if "in service, idle; journal 1/" in each], "in service")
        kiosk.stage.acceptor_speech(False)
        kiosk.wait("out_of_service")
        known = len(told())
        line = until(lambda: [each for each in told()[known - 1 :] if "out of service" in each], "out of service")[-1]
        assert "out.acceptor" not in line
        assert "note" in line.lower() or "cash" in line.lower()
        kiosk.stage.acceptor_speech(True)
        kiosk.to_accepting(FIFTEEN)
        until(lambda: "in service, accepting" in told()[-1], "a session")
        kiosk.stop()
        assert manager.count("STOPPING=1") == 1
        assert os.environ["NOTIFY_SOCKET"]
