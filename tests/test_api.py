"""The public door: complete, and nothing but declarations."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

from kiosk import api
from kiosk.model.commands import DeviceCommand
from kiosk.model.device_events import DeviceEvent


def test_every_name_of_the_door_exists_and_is_named_once() -> None:
    assert len(set(api.__all__)) == len(api.__all__)
    assert [name for name in api.__all__ if not hasattr(api, name)] == []


def test_every_event_and_every_command_passes_through_the_door() -> None:
    nouns = {noun.__name__ for noun in (*get_args(DeviceEvent), *get_args(DeviceCommand))}
    assert nouns - set(api.__all__) == set()


def test_the_door_pulls_in_no_thread_port_or_database() -> None:
    heavy = ("sqlite3", "serial", "usb", "evdev", "zmq", "asyncio", "kiosk.core", "kiosk.journal", "kiosk.transports")
    code = f"import sys, kiosk.api; print(sorted(m for m in sys.modules if m in {heavy!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
