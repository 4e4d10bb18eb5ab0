"""The unit's own counter of stacked notes against our credits (SSP sheet §10).

A host that died between a reply and its commit has lost that reply, and Sync makes the unit forget it; the counter,
which outlives power and wraps at 2^32, still tells.  The mark stored with each credit is the unit's serial number and
the counter that must stand after it; a counter beyond the mark means one more note in the box.  The counter may move a
little after the credit, so it is compared at rest only.
"""

from __future__ import annotations

import re

_WRAP = 1 << 32
_MARK = re.compile(r"(\d{1,10}):(\d{1,10})")


class CounterAudit:
    """Owns the figure that the unit's counter should have; the caller reads the counter and judges notes."""

    def __init__(self) -> None:
        #: (serial, counter) from an earlier run, until the unit is known.
        self._remembered: tuple[int, int] | None = None
        self._serial: int | None = None
        self._expected: int | None = None
        #: Notes that may or may not have been counted.
        self._doubtful = 0

    def remember(self, mark: str) -> None:
        """Take the mark of the last committed credit; a mark of another make is none."""
        match = _MARK.fullmatch(mark)
        self._remembered = (int(match[1]), int(match[2]) % _WRAP) if match else None

    def unit(self, serial: int) -> bool:
        """The unit told its serial number.  Return True where it is another one than before."""
        before = self._serial if self._serial is not None else (self._remembered or (serial,))[0]
        if self._serial is None and self._remembered is not None and self._remembered[0] == serial:
            self._expected = self._remembered[1]
        if before != serial:
            self._expected = None
        self._serial = serial
        return before != serial

    @property
    def comparable(self) -> bool:
        """True where a reading can be compared with what was before."""
        return self._expected is not None

    def surplus(self, count: int) -> int | None:
        """Return how many notes the counter shows beyond the credits; None where there is nothing to compare.

        >>> audit = CounterAudit(); audit.remember("7:4294967295"); audit.unit(7)
        False
        >>> audit.surplus(1)
        2
        """
        if self._expected is None:
            return None
        difference = (count - self._expected) % _WRAP
        if difference >= _WRAP // 2:
            return difference - _WRAP
        return max(difference - self._doubtful, 0)

    def settle(self, count: int) -> None:
        """The books and the counter are even now."""
        self._expected, self._doubtful = count, 0

    def credited(self) -> None:
        """A note was credited; its mark was `mark(1)`."""
        if self._expected is not None:
            self._expected = (self._expected + 1) % _WRAP

    def doubted(self) -> None:
        """A note ended in a dispute: the counter may have moved."""
        self._doubtful += 1

    def mark(self, further: int = 0) -> str:
        """Return the mark that stands after `further` more notes; "" where the unit does not tell enough."""
        if self._expected is None or self._serial is None:
            return ""
        return f"{self._serial}:{(self._expected + further) % _WRAP}"
