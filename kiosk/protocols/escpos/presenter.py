"""Following one slip in a presenter's mouth (devices sheet §1.7): shown, taken, drawn back, jammed.

Only a presenter has a sensor that tells whether the slip was taken; a plain roll printer never can (§1.1).  The answer
to ``1D 65 06`` has no fixed bits, so it is asked alone and its byte is taken as it is.
"""

from __future__ import annotations

from kiosk.protocols.escpos.look import SILENCE

NEAR_END, PAPER_END, IN_MOUTH, ERROR, JAM = 0x01, 0x04, 0x08, 0x40, 0x80
_PAUSE = 1_000_000_000


class PresenterWatch:
    """Owns one slip from the moment it is shown until it is taken or drawn back."""

    def __init__(self, shown_at: int, retract_after: int) -> None:
        """Follow a slip shown at `shown_at`; `retract_after` in nanoseconds, 0 for never."""
        #: ``in_mouth``, ``taken``, ``retracted`` or ``jammed``.
        self.slip = "in_mouth"
        self.asked: int | None = None
        self._next = shown_at + _PAUSE
        self._retract_at = shown_at + retract_after if retract_after else None
        self._retracting = False

    @property
    def over(self) -> bool:
        """The life of this slip in the mouth has ended."""
        return self.slip in ("taken", "retracted")

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

    def told(self, byte: int, now: int) -> bool:
        """Take one presenter status; tell whether the slip should be drawn back now."""
        self.asked, self._next = None, now + _PAUSE
        if byte & (JAM | ERROR):
            self.slip = "jammed"
        elif not byte & IN_MOUTH:
            self.slip = "retracted" if self._retracting else "taken"
        else:
            self.slip = "in_mouth"
            if self._retract_at is not None and now >= self._retract_at and not self._retracting:
                self._retracting = True
                return True
        return False

    def deadline(self) -> int | None:
        """When it is wanted or overdue."""
        if self.over:
            return None
        return self._next if self.asked is None else self.asked + SILENCE
