"""One look at a printer's state at a time: its real-time questions together, answered in their order.

The answers do not name their question, so only one round is out at a time and an answer between two rounds belongs to
none.  Silence for 2 s ends a round as unknown (a house rule, devices sheet §1.4); late answers then fall between
rounds, because the next one begins a whole pause later.
"""

from __future__ import annotations

_MS = 1_000_000
#: A printer that has not answered everything after this time is unknown, in nanoseconds.
SILENCE = 2_000 * _MS


class Look:
    """Owns the present round and what the last one told."""

    def __init__(self, now: int, pause: int) -> None:
        """Begin with a round wanted at `now`; `pause` in nanoseconds between two rounds."""
        self.state = "unknown"
        #: When the present round was asked; None between two rounds.
        self.asked: int | None = None
        #: When the questions were asked whose answers made `state`.
        self.looked_at: int | None = None
        self.answers = bytearray()
        #: The full status of the present round, where the printer has one.
        self.full = b""
        self._next = now
        self._pause = pause
        #: Wanted soon after the present round, because somebody needs a state that is newer than its questions.
        self._again: int | None = None

    def wanted(self, now: int) -> bool:
        """Tell whether a round should begin now."""
        return self.asked is None and now >= self._next

    def hasten(self, when: int) -> None:
        """Let the next round begin at `when` if it would begin later; the present one is older and does not count."""
        if self.asked is None:
            self._next = min(self._next, when)
        else:
            self._again = when if self._again is None else min(self._again, when)

    def begin(self, now: int) -> None:
        """The questions go out now."""
        self.asked = now
        self.answers.clear()
        self.full = b""

    @property
    def answered(self) -> bool:
        """The four one-byte answers are there."""
        return len(self.answers) == 4

    def finish(self, state: str, now: int) -> int | None:
        """End the round with what it told; return when it was asked, None where none was."""
        asked, self.asked = self.asked, None
        self.state, self.looked_at = state, asked
        again, self._again = self._again, None
        self._next = now + self._pause
        if again is not None and state != "unknown":  # after a silence late answers are given their time
            self._next = min(self._next, max(again, now))
        return asked

    def overdue(self, now: int) -> bool:
        """Tell whether the printer has been silent for too long."""
        return self.asked is not None and now >= self.asked + SILENCE

    def deadline(self) -> int:
        """When the round is overdue, or the next one wanted."""
        return self._next if self.asked is None else self.asked + SILENCE
