"""Tells plugins of committed facts, each on its own thread, from a queue of its own.

Nobody waits for a listener: a full queue loses news and counts them.  A listener that raises again and again,
or that loses a whole queue's worth, is set aside with its reason; money never notices.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from kiosk.model.facts import Committed

#: Facts that wait for one listener.
QUEUE_SIZE = 1000
#: Failures in a row after which a listener is set aside.
PATIENCE = 3


class ListenerReport(msgspec.Struct, frozen=True):
    """How one listener is doing."""

    plugin: str
    told: int
    lost: int
    #: Why it is no longer told; "" while it is.
    quarantined: str
    #: The last thing it raised.
    last_error: str


class _Listener:
    def __init__(self, plugin: str, hook: Callable[..., Any], size: int) -> None:
        self.plugin = plugin
        self.hook = hook
        self.queue: queue.Queue[Committed | None] = queue.Queue(size)
        self.told = self.lost = self.failures = 0
        self.quarantined = self.last_error = ""
        self.thread = threading.Thread(target=self.run, name=f"listener {plugin}"[:60], daemon=True)

    def run(self) -> None:
        """Tell until stopped or out of patience."""
        while not self.quarantined:
            committed = self.queue.get()
            if committed is None:
                return
            try:
                self.hook(committed=committed)
            except BaseException as error:  # noqa: BLE001  a stranger's code; its failure is counted, never spread
                self.failures += 1
                self.last_error = f"{type(error).__name__}: {str(error)[:200]}"
                if self.failures >= PATIENCE:
                    self.quarantined = f"raised {self.failures} times in a row: {self.last_error}"
            else:
                self.told += 1
                self.failures = 0


class FactListeners:
    """Owns the threads of all listeners."""

    def __init__(self, hooks: Mapping[str, Callable[..., Any]], *, queue_size: int = QUEUE_SIZE) -> None:
        self._size = queue_size
        self._listeners = [_Listener(name, hook, queue_size) for name, hook in hooks.items()]
        self._known_bad: set[str] = set()

    def start(self) -> None:
        """Start the threads."""
        for listener in self._listeners:
            listener.thread.start()

    def tell(self, committed: Committed) -> None:
        """Hand a fact to every listener; returns at once."""
        for listener in self._listeners:
            if listener.quarantined:
                continue
            try:
                listener.queue.put_nowait(committed)
            except queue.Full:
                listener.lost += 1
                if listener.lost >= self._size:
                    listener.quarantined = f"too slow: {listener.lost} facts were lost to it"

    def take_quarantined(self) -> list[ListenerReport]:
        """Return the listeners set aside since the last call."""
        fresh = [each for each in self.reports() if each.quarantined and each.plugin not in self._known_bad]
        self._known_bad.update(each.plugin for each in fresh)
        return fresh

    def reports(self) -> list[ListenerReport]:
        """Tell how every listener is doing."""
        return [
            ListenerReport(each.plugin, each.told, each.lost, each.quarantined, each.last_error)
            for each in self._listeners
        ]

    def stop(self, timeout_ms: int = 1000) -> None:
        """Let listeners finish what waits, within the time; a slow one is left behind."""
        for listener in self._listeners:
            try:
                listener.queue.put_nowait(None)
            except queue.Full:
                listener.quarantined = listener.quarantined or "stopped with a full queue"
        for listener in self._listeners:
            if listener.thread.ident is not None:
                listener.thread.join(timeout_ms / 1000)
