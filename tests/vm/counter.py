"""In the guest: a counter's real supervisor with real drivers on real ports, and the eyes and hands of a scene."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from kiosk.core.supervisor import DeviceConfig, DeviceNews, Supervisor
from kiosk.plugins.devices import DriverTools

#: Seconds that anything may take in a guest whose processor is emulated.
PATIENCE_S = 30.0
#: Devices sheet §6, PR5.
BACK_S = 3.0


class SceneError(AssertionError):
    """What a scene found wrong."""


class Counter:
    """One device at work."""

    def __init__(self, driver: str, transport: str, port: str, **options: Any) -> None:
        spec = import_module(f"kiosk.drivers.{driver}").SPEC
        config = DeviceConfig(name="device", driver=driver, transport=transport, line={"port": port}, options=options)
        self.news: queue.Queue[DeviceNews] = queue.Queue()
        self.supervisor = Supervisor(
            [config], {driver: spec}, DriverTools("USD"), self.news.put, lambda device: ({}, None, bytes(32))
        )

    def events(self, kind: type) -> list[Any]:
        """Everything of a kind that was told so far."""
        return [each.event for each in list(self.news.queue) if isinstance(each.event, kind)]

    def wait_event(self, kind: type, count: int = 1) -> Any:
        """Wait for the event of a kind; `count` says which one."""
        wait(lambda: len(self.events(kind)) >= count, f"{kind.__name__} number {count}", self.last_words)
        return self.events(kind)[count - 1]

    def wait_state(self, state: str) -> None:
        """Wait for a life of the driver: ``in_service``, ``no_port``."""
        wait(lambda: self.supervisor.status()[0].state == state, f"driver {state}", self.last_words)

    def last_words(self) -> str:
        """What the device told last, and its last trouble."""
        told = [str(each.event) for each in list(self.news.queue)[-3:]]
        return f"{self.supervisor.status()[0].last_error}; {'; '.join(told)}"

    def post(self, command: Any) -> None:
        """Give an order."""
        if not self.supervisor.post("device", command):
            raise SceneError(f"nobody took {command}")

    def replugged(self, unplug: Callable[[], None], plug: Callable[[], None]) -> float:
        """Pull the plug and put it back; return seconds from then to the open port, the kernel's own part included."""
        opens = self.supervisor.status()[0].counters["OpenCount"]
        unplug()
        self.wait_state("no_port")
        plug()
        since = time.monotonic()
        wait(lambda: self.supervisor.status()[0].counters["OpenCount"] > opens, "the port open again", self.last_words)
        took = time.monotonic() - since
        if took > BACK_S:
            raise SceneError(f"back after {took:.1f} s, not within {BACK_S:.0f} s")
        return round(took, 2)


@contextmanager
def working(driver: str, transport: str, port: str, **options: Any) -> Iterator[Counter]:
    """A device at work, ended at the end; nothing of it may be left."""
    descriptors = len(os.listdir("/proc/self/fd"))
    counter = Counter(driver, transport, port, **options)
    counter.supervisor.start()
    try:
        counter.wait_state("in_service")
        yield counter
    finally:
        stuck = counter.supervisor.stop()
    if stuck:
        raise SceneError("the line thread did not end")
    wait(lambda: len(os.listdir("/proc/self/fd")) <= descriptors + SPARE, "its descriptors closed")


#: libusb keeps its own event descriptors for the life of the process.
SPARE = 8


def wait(true: Callable[[], bool], what: str, why: Callable[[], str] = str) -> None:
    """Wait for something; what never comes is told by name."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > end:
            raise SceneError(f"not within {PATIENCE_S:.0f} s: {what}; {why()}")
        time.sleep(0.01)


def check(true: bool, what: str) -> None:
    """Hold something to be true."""
    if not true:
        raise SceneError(what)
