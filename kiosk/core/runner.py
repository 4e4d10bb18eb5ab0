"""A driver's seat: drives one driver step by step, with no thread and no clock of its own.

Every call hands one thing to the driver and then drains it: events go to the `news` callback, outbound items
into a bounded queue, the deadline is asked and checked.  A line thread drives a seat in real time; a crash
test drives the same seat with a virtual clock.  A driver that raises, floods, or answers with the wrong types
is dead from then on: the seat keeps the reason, ignores everything, and the supervisor makes another one.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import cast, get_args

from kiosk.core.runner_orphans import OpenJobs, refusal
from kiosk.model.commands import DeviceCommand
from kiosk.model.device_events import DeviceEvent
from kiosk.plugins.devices import Driver, Opened, OpenNote, Outbound, PortEvent, PortRequest, Write

#: Bounds of what one driver may hand over, so that a broken one cannot eat the machine.
MAX_EVENTS_A_CALL = 1024
MAX_OUTBOUND_BYTES = 8 * 1024 * 1024
MAX_OUTBOUND_ITEMS = 65_536
#: Ticks in a row that may leave the deadline in the past before the driver counts as spinning.
MAX_IDLE_TICKS = 10_000

_EVENTS: tuple[type, ...] = get_args(DeviceEvent)


class DriverSeat:
    """Owns one driver and what it has asked for; refuses to own the port, the thread and the clock."""

    def __init__(self, device: str, driver: Driver, news: Callable[[DeviceEvent], None]) -> None:
        self.device = device
        #: Why the driver is dead, "" while it lives.
        self.dead = ""
        #: True once the driver was told of an open port.
        self.met_port = False
        #: The print jobs that the driver has taken and not ended.
        self.jobs = OpenJobs()
        self._driver = driver
        self._news = news
        self._outbound: list[Outbound] = []
        self._outbound_bytes = 0
        self._deadline: int | None = None
        self._idle_ticks = 0

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Hand over what survived; the first call of all."""
        self._do("remember", lambda: self._driver.remember(marks, open_note, entropy))

    def port(self, event: PortEvent, now: int) -> None:
        """Tell of the byte path."""
        if isinstance(event, Opened):
            self.met_port = True
        self._do("port", lambda: self._driver.port(event, now))

    def received(self, data: bytes, now: int) -> None:
        """Hand over bytes from the line."""
        self._do("received", lambda: self._driver.received(data, now))

    def tick(self, now: int) -> None:
        """Tell the time, whether or not the deadline has passed."""
        self._do("tick", lambda: self._driver.tick(now))
        if self._deadline is not None and self._deadline <= now:
            self._idle_ticks += 1
            if self._idle_ticks > MAX_IDLE_TICKS:
                self._die(f"its deadline did not move in {MAX_IDLE_TICKS} ticks")
        else:
            self._idle_ticks = 0

    def due(self, now: int) -> bool:
        """Tell whether `tick` is wanted at `now`."""
        return not self.dead and self._deadline is not None and self._deadline <= now

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """Hand over an order.  Before the port was ever open nothing can be carried out: it is refused."""
        if not self.met_port:
            if not self.dead:
                self._news(refusal(cmd, "the port has not been opened yet"))
            return
        self.jobs.ordered(cmd)
        self._do("command", lambda: self._driver.command(cmd, now))

    def deadline(self) -> int | None:
        """Return when `tick` is wanted next, None for never."""
        return None if self.dead else self._deadline

    def take_outbound(self) -> list[Outbound]:
        """Hand over what the driver wants written or asked of the port, once, in order."""
        items, self._outbound, self._outbound_bytes = self._outbound, [], 0
        return items

    def _do(self, what: str, call: Callable[[], None]) -> None:
        if self.dead:
            return
        doing = what
        try:
            call()
            doing = "take_events"
            events = self._driver.take_events()
            doing = "take_outbound"
            outbound = self._driver.take_outbound()
            doing = "deadline"
            deadline = self._driver.deadline()
        except Exception as error:  # noqa: BLE001  a stranger's code: whatever it raises is its death, with a reason
            self._die(f"{doing} raised {_last_frame(error)}")
            return
        # Events before outbound: news of what happened must never be behind its consequence.
        reason = self._check_events(events) or self._take(outbound) or self._check_deadline(deadline)
        if reason:
            self._die(reason)

    def _check_events(self, events: object) -> str:
        if not isinstance(events, list):
            return f"take_events gave {type(events).__name__} instead of a list"
        for event in events[:MAX_EVENTS_A_CALL]:
            if not isinstance(event, _EVENTS):
                return f"take_events gave {type(event).__name__}, which is no device event"
            known = cast(DeviceEvent, event)
            self.jobs.told(known)
            self._news(known)
        return f"more than {MAX_EVENTS_A_CALL} events in one call" if len(events) > MAX_EVENTS_A_CALL else ""

    def _take(self, outbound: object) -> str:
        if not isinstance(outbound, list):
            return f"take_outbound gave {type(outbound).__name__} instead of a list"
        for item in outbound:
            if isinstance(item, Write):
                data: object = item.data
                if not isinstance(data, bytes):
                    return f"a Write carries {type(data).__name__} instead of bytes"
                self._outbound_bytes += len(data)
            elif not isinstance(item, PortRequest):
                return f"take_outbound gave {type(item).__name__}, which is neither Write nor PortRequest"
            self._outbound.append(item)
        if self._outbound_bytes > MAX_OUTBOUND_BYTES or len(self._outbound) > MAX_OUTBOUND_ITEMS:
            return f"queued more than {MAX_OUTBOUND_BYTES} bytes or {MAX_OUTBOUND_ITEMS} items"
        return ""

    def _check_deadline(self, deadline: object) -> str:
        if deadline is not None and (not isinstance(deadline, int) or isinstance(deadline, bool)):
            return f"deadline gave {type(deadline).__name__} instead of whole nanoseconds"
        self._deadline = deadline
        return ""

    def _die(self, reason: str) -> None:
        self.dead = reason
        self._outbound, self._outbound_bytes, self._deadline = [], 0, None


def _last_frame(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {str(error)[:200]}{place}"
