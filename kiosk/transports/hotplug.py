"""Hears from udev that something was plugged in, so that a lost line is opened again at once.

udev, not libusb, says when a device is usable: its event comes after the permissions are set (devices sheet
§3, 19).  Where pyudev or udev itself is missing nothing is lost but time: line threads look for their ports
by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Kernel subsystems in which our devices appear.
SUBSYSTEMS = ("tty", "input", "hidraw", "usb")


class HotPlugWatch:
    """Owns the subscription to udev; calls `plugged` from a thread of its own."""

    def __init__(self, plugged: Callable[[], None]) -> None:
        self._plugged = plugged
        self._observer: Any = None
        #: Why udev cannot be heard, "" while it is (or before the start).
        self.missing = ""

    def start(self) -> None:
        """Subscribe; a machine without udev is noted in `missing`, not an error."""
        try:
            import pyudev  # here: it needs libudev, which a container may lack

            monitor = pyudev.Monitor.from_netlink(pyudev.Context())
            for subsystem in SUBSYSTEMS:
                monitor.filter_by(subsystem)
            observer = pyudev.MonitorObserver(monitor, callback=self._heard, name="hot-plug")
            observer.start()
        except (ImportError, OSError) as error:
            self.missing = f"udev cannot be heard: {error}"
            return
        self._observer = observer

    def stop(self) -> None:
        """End the subscription."""
        if self._observer is not None:
            self._observer.stop()
            self._observer = None

    def _heard(self, device: Any) -> None:
        if device.action in ("add", "change", "bind"):
            self._plugged()
