"""Settling a printer's queue: making sure that no answer to an older question is still on its way.

Queued answers carry no number.  If a job ended unknown, its barrier may be answered minutes later, after the paper
was changed, and would pass for the barrier of the next job.  So before a job may begin, the printer is asked a queued
question and must answer it and then stay quiet: everything older has then been answered or was cleared.  A command
that was cut off in its middle would eat the question; from the second try on it is preceded by NULs, which complete
such a command and which a printer between commands ignores.
"""

from __future__ import annotations

from kiosk.protocols.escpos import commands

_MS = 1_000_000
#: How long the first answer may take, the quiet after the last one, the pause before another try, in nanoseconds.
LIMIT = 3_000 * _MS
QUIET = 300 * _MS
PAUSE = 5_000 * _MS
_PADDING = bytes(4096)
_PADDED_TRIES = range(1, 4)
_MAX_TEXTS = 8


class Settling:
    """Owns the question whether the queue is settled; hands out what to ask."""

    def __init__(self) -> None:
        self.settled = False
        #: The last try was not answered: the printer takes no queued commands, whatever its status says.
        self.mute = False
        #: Texts that the printer told of itself, in the order in which it was asked.
        self.texts: list[bytes] = []
        self._limit: int | None = None
        self._quiet_at: int | None = None
        self._again = 0
        self._tries = 0

    @property
    def running(self) -> bool:
        """A question is out."""
        return self._limit is not None

    def wanted(self, now: int) -> bool:
        """Tell whether a try should begin now."""
        return not self.settled and not self.running and now >= self._again

    def begin(self, now: int, *, identify: bool) -> bytes:
        """Begin a try; return what to write.  `identify` also asks firmware, maker and model."""
        padding = _PADDING if self._tries in _PADDED_TRIES else b""
        self._tries += 1
        self._limit, self._quiet_at = now + LIMIT, None
        self.texts.clear()
        questions = (commands.IDENTIFY_FIRMWARE, commands.IDENTIFY_MAKER, commands.IDENTIFY_MODEL)
        asked = b"".join(map(commands.identify, questions)) if identify else b""
        return padding + commands.automatic_status(0) + asked + commands.ASK_QUEUED_PAPER

    def queued(self, now: int) -> bool:
        """Take a queued answer; False where none was wanted."""
        if not self.running:
            return False
        self._quiet_at = now + QUIET
        return True

    def text(self, body: bytes) -> bool:
        """Take an identity; False where none was wanted."""
        if not self.running or len(self.texts) >= _MAX_TEXTS:
            return False
        self.texts.append(body)
        return True

    def tick(self, now: int) -> bool:
        """Tell whether a try has ended just now, well (`settled`) or not (`mute`)."""
        if self._quiet_at is not None and now >= self._quiet_at:
            self.settled, self.mute, self._tries = True, False, 0
        elif self._quiet_at is None and self._limit is not None and now >= self._limit:
            self.mute, self._again = True, now + PAUSE
        else:
            return False
        self._limit = self._quiet_at = None
        return True

    def excuse(self) -> None:
        """The printer is visibly not ready: its silence in the queue says nothing, ask again when it is."""
        self.mute, self._again, self._tries = False, 0, 0
        self._limit = self._quiet_at = None

    def deadline(self) -> int | None:
        """When `tick` is wanted."""
        return self._limit if self._quiet_at is None else self._quiet_at
