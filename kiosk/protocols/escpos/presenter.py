"""Following one slip in a presenter's mouth (devices sheet §1.7): shown, taken, drawn back or let fall, jammed.

Only a presenter has a sensor that tells whether the slip was taken; a plain roll printer never can (§1.1).  The answer
to ``1D 65 06`` has no fixed bits, so it is asked alone and its byte is taken as it is.  A printer that tells the mouth
in its full status is not asked a second time.

A slip that nobody took goes after its time, or soon after the next job came: it must not end in the next hand.
"""

from __future__ import annotations

from kiosk.protocols.escpos.look import SILENCE

NEAR_END, PAPER_END, IN_MOUTH, ERROR, JAM = 0x01, 0x04, 0x08, 0x40, 0x80
_SECOND = 1_000_000_000
_PAUSE = _SECOND
#: How long a slip still waits for its owner when another job has come.
HURRY = 10 * _SECOND


class PresenterWatch:
    """Owns one slip from the moment it is shown until it is taken or has been removed."""

    def __init__(self, job: str, shown_at: int, remove_after: int, removal: str) -> None:
        """Follow the slip of `job`; `remove_after` nanoseconds, 0 for never; `removal`: ``retract`` or ``eject``."""
        self.job = job
        #: ``in_mouth``, ``taken``, ``retracted``, ``ejected`` or ``jammed``.
        self.slip = "in_mouth"
        self.asked: int | None = None
        self._next = shown_at + _PAUSE
        self._remove_at = shown_at + remove_after if remove_after else None
        self._removed = removal + "ed"
        self._removing = False
        self._told = False

    @property
    def over(self) -> bool:
        """The life of this slip in the mouth has ended."""
        return self.slip in ("taken", "retracted", "ejected")

    @property
    def in_the_way(self) -> bool:
        """The next slip has to wait: this one will go by itself."""
        return not self.over and (self._remove_at is not None or self.slip == "jammed")

    def hurry(self, now: int) -> None:
        """Another job has come."""
        if self._remove_at is not None:
            self._remove_at = min(self._remove_at, now + HURRY)

    def wanted(self, now: int) -> bool:
        """Tell whether the presenter should be asked now."""
        return not self.over and self.asked is None and now >= self._next

    def ask(self, now: int) -> None:
        """The question goes out now."""
        self.asked = now

    def overdue(self, now: int) -> bool:
        """Tell whether the presenter did not answer; it is asked again after a pause."""
        if self.asked is None or now < self.asked + SILENCE:
            return False
        self.asked, self._next = None, now + _PAUSE
        return True

    def told(self, in_mouth: bool, jammed: bool, now: int) -> bool:
        """Take what the sensors tell; tell whether the slip is to be removed now."""
        self.asked, self._next = None, now + _PAUSE
        if jammed:
            self.slip = "jammed"
        elif not in_mouth:
            self.slip = self._removed if self._removing else "taken"
        else:
            self.slip = "in_mouth"
            if self._remove_at is not None and now >= self._remove_at and not self._removing:
                self._removing = True
                return True
        return False

    def outcome(self) -> str:
        """Return how it ended, once, and "" before and after; what comes after a jam is nobody's doing."""
        if self._told or self.slip == "in_mouth":
            return ""
        self._told = True
        return self.slip

    def give_up(self, outcome: str) -> str:
        """Return `outcome` unless one was told: nobody follows this slip any longer."""
        told, self._told = self._told, True
        return "" if told else outcome

    def deadline(self) -> int | None:
        """When it is wanted or overdue."""
        if self.over:
            return None
        return self._next if self.asked is None else self.asked + SILENCE
