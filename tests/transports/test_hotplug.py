"""udev wakes the lost lines; without udev nothing breaks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kiosk.transports.hotplug import SUBSYSTEMS, HotPlugWatch


class Observer:
    """pyudev's observer, without its thread."""

    made: Observer

    def __init__(self, monitor: Any, callback: Callable[[Any], None], name: str) -> None:
        self.callback, self.running = callback, False
        Observer.made = self

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False


@pytest.fixture
def filters(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    heard: list[str] = []
    monitor = SimpleNamespace(filter_by=heard.append)
    fake = SimpleNamespace(
        Context=object, Monitor=SimpleNamespace(from_netlink=lambda context: monitor), MonitorObserver=Observer
    )
    monkeypatch.setitem(sys.modules, "pyudev", fake)  # type: ignore[arg-type]
    return heard


def test_a_new_device_is_told_and_a_removed_one_is_not(filters: list[str]) -> None:
    told: list[str] = []
    watch = HotPlugWatch(lambda: told.append("plugged"))
    watch.start()
    assert filters == list(SUBSYSTEMS)
    for action in ("add", "remove", "change"):
        Observer.made.callback(SimpleNamespace(action=action))
    assert told == ["plugged", "plugged"]
    watch.stop()
    assert not Observer.made.running


def test_a_machine_without_udev_is_noted_and_works_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(context: object) -> None:
        raise OSError("no netlink here")

    fake = SimpleNamespace(Context=object, Monitor=SimpleNamespace(from_netlink=refuse))
    monkeypatch.setitem(sys.modules, "pyudev", fake)  # type: ignore[arg-type]
    watch = HotPlugWatch(lambda: None)
    watch.start()
    assert "no netlink here" in watch.missing
    watch.stop()
