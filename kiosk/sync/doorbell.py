"""Tells at once that the core wrote to its journal: the kernel's inotify on the directory, nothing polled.

The write-ahead log is written and fsynced before a reader sees the commit, so a ring is a little early: whoever hears
it looks again in short steps until there is something new (`LOOKS_NS`).  Where inotify is not to be had, and for the
ring that is lost, the journal is looked at every `SLOW_NS`.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_IN_MODIFY, _IN_NONBLOCK, _IN_CLOEXEC = 0x2, 0o4000, 0o2000000
#: When to look after a ring, nanoseconds from it: an fsync takes from a fraction of a millisecond to tens of them.
LOOKS_NS = tuple(ms * 1_000_000 for ms in (0, 1, 2, 4, 7, 11, 16, 23, 32, 45, 65, 100, 150))
#: When to look without a ring.
SLOW_NS = 250_000_000


class Doorbell:
    """An inotify watch on the directory of a journal; `fileno` becomes readable when its log was written."""

    def __init__(self, journal: Path) -> None:
        self._name = os.fsencode(journal.name + "-wal")
        self._handle = -1
        self._looks: list[int] = []
        self._slow_ns = 0
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "inotify_init1"):
            return
        handle = libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if handle >= 0 and libc.inotify_add_watch(handle, os.fsencode(journal.parent), _IN_MODIFY) < 0:
            os.close(handle)
            handle = -1
        self._handle = handle

    def fileno(self) -> int:
        """Return what to poll for reading; -1 where there is no inotify."""
        return self._handle

    def listen(self, now: int) -> None:
        """Take the rings that came."""
        try:
            told = os.read(self._handle, 65536) if self._handle >= 0 else b""
        except BlockingIOError:
            return
        if self._name in told:
            self._looks = [now + after for after in LOOKS_NS]

    def due(self, now: int) -> bool:
        """Tell whether to look at the journal now."""
        if now >= self._slow_ns:
            self._slow_ns = now + SLOW_NS
            return True
        came = bool(self._looks) and now >= self._looks[0]
        while self._looks and now >= self._looks[0]:
            self._looks.pop(0)
        return came

    def found(self) -> None:
        """Something new was there: no more looks for that ring."""
        self._looks = []

    def deadline(self) -> int:
        """Return when to look next, monotonic nanoseconds."""
        return min(self._looks[0], self._slow_ns) if self._looks else self._slow_ns

    def close(self) -> None:
        """Give the watch back."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
