"""A signal ends a running kiosk at whatever moment it comes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from kiosk.app import running


class WatchedEvent(threading.Event):
    """An event whose waiter is hit by SIGTERM while it holds the event's own lock; setting it there would hang."""

    def wait(self, timeout: float | None = None) -> bool:
        with self._cond:
            signal.raise_signal(signal.SIGTERM)
        return super().wait(0)

    def set(self) -> None:
        assert not self._cond._lock.locked(), "set from within its own wait: this would wait for ever"  # type: ignore[attr-defined]
        super().set()


class Core:
    def __init__(self) -> None:
        self.ended = WatchedEvent()
        self.fault = None


class Started:
    """What `run` needs of a running kiosk."""

    stopped: list[str] = []  # noqa: RUF012

    def __init__(self, setup: object, *, screen: bool) -> None:
        self.core = Core()
        self.address = ""
        self.screen_died = False

    def start(self) -> None:
        """Nothing to start."""

    def stop(self, reason: str) -> bool:
        self.stopped.append(reason)
        return True


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    kept = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    yield
    for number, handler in kept:
        signal.signal(number, handler)


def test_a_signal_that_comes_while_a_lock_is_held_still_ends_the_kiosk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "Running", Started)
    monkeypatch.setattr(threading, "Event", WatchedEvent)
    Started.stopped.clear()
    assert running.run(cast("Any", None), lambda text: None, screen=False) == 0
    assert Started.stopped == ["signal"]
