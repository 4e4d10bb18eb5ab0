"""What passed on a line: counters always, the bytes themselves only when recording is switched on.

The ring is bounded in bytes and forgets the oldest first.  It is off by default and never stored by itself.  Of a
device whose bytes are a person's own, a scanner, only the lengths are kept: a driving licence under the reader must not
stay in the memory of a public machine, and to tell it from a ticket one would have to keep it first.  Counter names
follow UnifiedPOS statistics where it has one.
"""

from __future__ import annotations

import threading
from collections import Counter, deque

import msgspec

from kiosk.model.commands import DeviceCommand

#: Bytes of traffic kept for each line by default.
DEFAULT_CAPACITY = 256 * 1024
#: What one entry costs beside its bytes, so that many empty ones stay bounded too.
_ENTRY_COST = 32


class Traffic(msgspec.Struct, frozen=True, array_like=True):
    """One piece of traffic."""

    #: Monotonic nanoseconds.
    at_ns: int
    #: ``>`` to the device, ``<`` from it, ``!`` an event of the port in words, ``=`` an order of the kernel as JSON.
    way: str
    data: bytes
    #: Bytes that passed and are not kept.
    withheld: int = 0


class LineRecorder:
    """Owns counters and ring of one line; written by its thread, read by anybody."""

    def __init__(self, *, recording: bool = False, capacity: int = DEFAULT_CAPACITY, discreet: bool = False) -> None:
        #: What the device sends is not kept, only how much it was.
        self.discreet = discreet
        self._lock = threading.Lock()
        self._recording = recording
        self._capacity = capacity
        self._ring: deque[Traffic] = deque()
        self._size = 0
        self._counters: Counter[str] = Counter()

    def record(self, on: bool) -> None:
        """Switch recording on or off; off forgets what was recorded."""
        with self._lock:
            self._recording = on
            if not on:
                self._ring.clear()
                self._size = 0

    def sent(self, data: bytes, now: int) -> None:
        """Note bytes that left."""
        self._note(">", data, now, "BytesSentCount")

    def received(self, data: bytes, now: int) -> None:
        """Note bytes that came."""
        self._note("<", data, now, "BytesReceivedCount", discreet=self.discreet)

    def port(self, words: str, now: int, counter: str = "") -> None:
        """Note something that happened to the port, and count it under `counter`."""
        with self._lock:
            if counter:
                self._counters[counter] += 1
            self._keep(Traffic(now, "!", words[:200].encode()))

    def ordered(self, command: DeviceCommand, now: int) -> None:
        """Note an order of the kernel, so that a recording can be played again."""
        with self._lock:
            if self._recording:
                self._keep(Traffic(now, "=", msgspec.json.encode(command)))

    @property
    def recording(self) -> bool:
        """Tell whether bytes are kept."""
        return self._recording

    def count(self, counter: str, by: int = 1) -> None:
        """Count."""
        with self._lock:
            self._counters[counter] += by

    def counters(self) -> dict[str, int]:
        """Return all counters so far, by name."""
        with self._lock:
            return dict(sorted(self._counters.items()))

    def traffic(self) -> list[Traffic]:
        """Return what the ring holds, oldest first."""
        with self._lock:
            return list(self._ring)

    def _note(self, way: str, data: bytes, now: int, counter: str, *, discreet: bool = False) -> None:
        with self._lock:
            self._counters[counter] += len(data)
            self._keep(Traffic(now, way, b"", len(data)) if discreet else Traffic(now, way, bytes(data)))

    def _keep(self, entry: Traffic) -> None:
        if not self._recording:
            return
        self._ring.append(entry)
        self._size += len(entry.data) + _ENTRY_COST
        while self._size > self._capacity and self._ring:
            self._size -= len(self._ring.popleft().data) + _ENTRY_COST
