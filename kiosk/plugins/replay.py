"""Plays a recording of a line to a fresh driver on a virtual clock, and tells what the driver says.

The driver hears exactly what came from the device, when it came; what it writes goes nowhere.  The kernel's orders are
given when they were given, with the names of *this* run: tokens and note serials begin anew, so an order to confirm
means the oldest event that waits, and an order about a note means the note that was told last.  The same recording
gives the same events for ever, which is what makes a test of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from kiosk.errors import PluginError
from kiosk.model.commands import Confirm, DeviceCommand, Dispense, HoldNote, ReturnNote, StackNote
from kiosk.model.device_events import DeviceEvent, NoteEscrowed
from kiosk.plugins.devices import (
    Driver,
    DriverSpec,
    DriverTools,
    Lost,
    Opened,
    PortRequest,
    Reply,
    Sent,
    Write,
    WriteTimedOut,
)
from kiosk.plugins.recording import Recording

#: Ticks between two pieces of traffic; a driver that wants more is broken.
MOST_TICKS = 100_000
#: The replay's own clock begins here, so that no driver meets a time of 0.
_BEGIN_NS = 1_000_000_000


class Told(msgspec.Struct, frozen=True):
    """One event of the driver."""

    #: Milliseconds since the recording began.
    at_ms: int
    event: DeviceEvent


class Player:
    """Owns the driver and the virtual clock of one replay."""

    def __init__(self, spec: DriverSpec, recording: Recording) -> None:
        self._recording = recording
        self.told: list[Told] = []
        #: Orders of the recording that had nothing to refer to in this run.
        self.skipped = 0
        options = msgspec.convert(recording.about.options, spec.options, strict=True)
        self._driver: Driver = spec.build(options, DriverTools(currency=recording.about.currency))
        self._now = _BEGIN_NS
        self._tokens: deque[int] = deque()
        self._note: Any = None
        self._open = False

    def play(self) -> list[Told]:
        """Play it all.

        Raises:
            PluginError: the driver asks for time without end, or an order cannot be read.
        """
        passed = self._recording.passed
        begin = passed[0].at_ns if passed else 0
        self._driver.remember({}, None, bytes(32))
        if not self._recording.whole:
            self._do(lambda: self._opened())
        for piece in passed:
            self._until(_BEGIN_NS + piece.at_ns - begin)
            if piece.way == "<":
                self._do(lambda piece=piece: self._driver.received(piece.data, self._now))  # type: ignore[misc]
            elif piece.way == "!":
                self._port(piece.data.decode("utf-8", "replace"))
            elif piece.way == "=":
                self._order(piece.data)
        return self.told

    def _opened(self) -> None:
        self._open = True
        self._driver.port(Opened({}), self._now)

    def _port(self, words: str) -> None:
        if words == "opened":
            self._do(self._opened)
        elif words.startswith("lost") and self._open:
            self._open = False
            self._do(lambda: self._driver.port(Lost(words[6:]), self._now))
        elif words == "write timed out":
            self._do(lambda: self._driver.port(WriteTimedOut(), self._now))

    def _order(self, data: bytes) -> None:
        try:
            order = msgspec.json.decode(data, type=DeviceCommand)
        except msgspec.DecodeError as error:
            raise PluginError(f"an order of the recording cannot be read: {error}", hint="record it again") from None
        mapped = self._mapped(order)
        if mapped is None:
            self.skipped += 1
        else:
            self._do(lambda: self._driver.command(mapped, self._now))

    def _mapped(self, order: DeviceCommand) -> DeviceCommand | None:
        if isinstance(order, Confirm):
            return Confirm(self._tokens.popleft()) if self._tokens else None
        if isinstance(order, StackNote | ReturnNote | HoldNote):
            return None if self._note is None else type(order)(self._note)
        return order if not isinstance(order, Dispense) or order.coins > 0 else None

    def _until(self, moment: int) -> None:
        for _ in range(MOST_TICKS):
            deadline = self._driver.deadline()
            if deadline is None or deadline > moment:
                break
            self._now = max(self._now, deadline)
            self._do(lambda: self._driver.tick(self._now))
        else:
            raise PluginError("the driver asks for ticks without end", hint="hold it against the conformance kit")
        self._now = max(self._now, moment)

    def _do(self, act: Callable[[], object]) -> None:
        act()
        for _ in range(MOST_TICKS):
            for event in self._driver.take_events():
                self._hear(event)
            outbound = self._driver.take_outbound()
            if not outbound:
                return
            for item in outbound:
                if isinstance(item, Write):
                    self._driver.port(Sent(len(item.data)), self._now)
                elif isinstance(item, PortRequest):
                    self._driver.port(Reply(item.id, False), self._now)
        raise PluginError("the driver writes without end", hint="hold it against the conformance kit")

    def _hear(self, event: DeviceEvent) -> None:
        self.told.append(Told((self._now - _BEGIN_NS) // 1_000_000, event))
        token = getattr(event, "token", 0)
        if token:
            self._tokens.append(token)
        if isinstance(event, NoteEscrowed):
            self._note = event.note


def replay(recording: Recording, drivers: Mapping[str, DriverSpec]) -> list[Told]:
    """Play a recording to the driver it names.

    Raises:
        PluginError: there is no such driver here, or its options are not what they were.
    """
    name = recording.about.driver
    if name not in drivers:
        raise PluginError(f"no driver is called {name[:40]!r}", hint=f"there are: {', '.join(sorted(drivers))}")
    try:
        return Player(drivers[name], recording).play()
    except msgspec.ValidationError as error:
        raise PluginError(f"the options of {name} in the recording: {error}", hint="mend its first line") from None


def in_words(told: Told) -> str:
    """Return one event as one line of JSON: what a test compares.

    >>> from kiosk.model.device_events import NoteAccepting
    >>> in_words(Told(120, NoteAccepting()))
    '{"at_ms":120,"event":"note_accepting"}'
    """
    return msgspec.json.encode({"at_ms": told.at_ms, **msgspec.to_builtins(told.event)}).decode()
