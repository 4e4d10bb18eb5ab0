"""A short grace before a lost port is called a lost device.

Hubs reset, plugs are pushed home, adapters enumerate again: most ports that go are back within a second or two
(devices sheet §3, 18).  Whatever the driver says of money goes on at once; only its news that the device is gone
waits.  Meanwhile the device is ``reconnecting``: no fault, but seen to have changed, so that whoever gives orders
gives them again when it is back.  The grace is no doubt in the device's favour: when it is over, what the driver
said is told, unless the driver has said something newer.
"""

from __future__ import annotations

from kiosk.model.device_events import DeviceEvent, DeviceState
from kiosk.model.instant import NS

#: How long a port may be gone, and how long a driver may take to say something newer once it is back.
GRACE_NS = 2 * NS
RECONNECTING = "reconnecting"
_GOOD = ("ok", "warn")


class Grace:
    """Owns the one state that is kept back."""

    def __init__(self) -> None:
        self._well = False
        self._kept: DeviceState | None = None
        self._until = 0
        self._running = False

    def lost(self, now: int) -> None:
        """The port is gone: what the driver says of it next may wait."""
        self._until, self._running = now + GRACE_NS, True

    def back(self, now: int) -> None:
        """The port is open again: the driver has a little time to say how the device is."""
        self._running = False
        if self._kept is not None:
            self._until = now + GRACE_NS

    def sift(self, event: DeviceEvent) -> DeviceEvent:
        """Return what is to be told now in the place of an event of the driver."""
        if not isinstance(event, DeviceState):
            return event
        if event.severity in _GOOD or not self._running or not (self._well or self._kept is not None):
            self._well, self._kept = event.severity in _GOOD, None
            return event
        self._kept = event
        return DeviceState(RECONNECTING, "warn", detail=event.detail)

    def over(self, now: int) -> DeviceState | None:
        """Return what was kept back, once, when its time has come."""
        if self._kept is None or now < self._until:
            return None
        kept, self._kept = self._kept, None
        self._well = self._running = False
        return kept

    def deadline(self) -> int | None:
        """Return when `over` is wanted, None for never."""
        return None if self._kept is None else self._until
