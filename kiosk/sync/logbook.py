"""What people are told of the line: the file for `kiosk sync status`, one line in the log for each change, STATUS."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from kiosk.sync import standing
from kiosk.sync.marks import Marks
from kiosk.sync.messages import Mark, Status
from kiosk.sync.parts import Core
from kiosk.sync.session import Session
from kiosk.sync.standing import Standing, Trouble
from kiosk.sync.traffic import SECOND

#: How often the core is asked, and STATUS is sent though nothing changed (also on a line that is paid by volume).
ASK_NS, STATUS_NS, METERED_STATUS_NS = SECOND, 5 * SECOND, 30 * SECOND
#: How often the file is written at the most, and although nothing changed; how often marks are put on the disk.
FILE_NS, OLD_NS, FLUSH_NS = SECOND // 5, 5 * SECOND, 2 * SECOND
#: Codes that are events and no trouble.
_NEWS = ("opened", "hub_restored", *standing.OURS)


class Logbook:
    """Owns the file, the last trouble, and when STATUS was sent."""

    def __init__(
        self, runtime: Path, core: Core, marks: Marks, say: Callable[[str], None], *, metered: bool, start: int,
        software: str,
    ) -> None:  # fmt: skip
        self._runtime, self._core, self._marks, self._say = runtime, core, marks, say
        self._start, self._software = start, software
        self._status_ns = METERED_STATUS_NS if metered else STATUS_NS
        #: What the core told last; None while it does not answer.
        self.core: standing.CoreView | None = None
        self.last_ack_ns = 0
        self.last: Trouble | None = None
        #: Why there is no connection, "" while one stands.
        self.trouble: Trouble | None = None
        self._said = ""
        self._asked_ns = self._sent_ns = self._written_ns = self._flushed_ns = -OLD_NS
        self._news: object = None
        self._written: object = None

    def note(self, code: str, detail: str, wall_ns: int) -> None:
        """Something happened: keep it, and say it once."""
        trouble = standing.trouble(code, detail, wall_ns)
        if code not in _NEWS:
            self.last = trouble
        if (line := f"{trouble.words}{f': {trouble.detail}' if trouble.detail else ''}") != self._said:
            self._said = line
            self._say(line + (f" ({trouble.cure})" if trouble.cure else ""))

    def ask_core(self, now: int) -> bool:
        """Ask the core how it is, where it is time to; True where it was asked."""
        if now < self._asked_ns + ASK_NS:
            return False
        self._asked_ns = now
        self.core = self._core.state()
        return True

    def status(
        self, now: int, wall_ns: int, unsynced: tuple[int, int], alarms: tuple[str, ...], *, anew: bool
    ) -> Status | None:
        """Return STATUS where it is time for one or something changed; `anew` for the first on a connection."""
        told = standing.status_of(
            self.core, at_ns=wall_ns, unsynced=unsynced[0], oldest_ns=unsynced[1], alarms=alarms,
            software=self._software,
        )  # fmt: skip
        news = standing.news_of(told)
        if not anew and news == self._news and now < self._sent_ns + self._status_ns:
            return None
        self._news, self._sent_ns = news, now
        return told

    def write(
        self, now: int, wall_ns: int, session: Session | None, endpoint: str, since_ns: int, head: Mark,
        unsynced: tuple[int, int],
    ) -> None:  # fmt: skip
        """Write the file where something changed, and the marks where it is time."""
        if now >= self._flushed_ns + FLUSH_NS:
            self._flushed_ns = now
            self._marks.flush()
        if now < self._written_ns + FILE_NS:
            return
        trouble = self.trouble
        if session is not None and session.trouble and (trouble is None or session.connected):
            trouble = standing.trouble(session.trouble, "", wall_ns if trouble is None else trouble.at_ns)
        offset = session.offset_ns if session else None
        told = Standing(
            pid=os.getpid(), at_ns=0, state=session.state.value if session else "waiting",
            hub=session.hub if session else "", endpoint=endpoint, since_ns=since_ns, head=head,
            acked=session.acked if session else Mark(), unsynced=unsynced[0], oldest_unsynced_ns=unsynced[1],
            last_ack_ns=self.last_ack_ns, offset_ms=None if offset is None else offset // 1_000_000,
            round_trip_ms=(session.pace.round_trip_ns if session else 0) // 1_000_000,
            trouble=trouble, last=self.last, core=self.core.state if self.core else "down", start=self._start,
        )  # fmt: skip
        content = (told.state, told.hub, told.head, told.acked, told.trouble and told.trouble.code, told.core)
        if content == self._written and now < self._written_ns + OLD_NS:
            return
        self._written, self._written_ns = content, now
        told = Standing(**{**{name: getattr(told, name) for name in Standing.__struct_fields__}, "at_ns": wall_ns})
        try:
            standing.write(self._runtime, told)
        except OSError as error:
            self.note("disk", str(error), wall_ns)

    def deadline(self, *, connected: bool) -> int:
        """Return when to look again, monotonic nanoseconds; without a connection no STATUS is ever due."""
        asks = self._asked_ns + ASK_NS
        return min(asks, self._sent_ns + self._status_ns) if connected else asks
