"""So many of something at once, and one more after each while: what a hub may make a kiosk do.

A hub that is broken or in wrong hands may sign command after command and document after document.  Each costs the
core a commit and the journal a fact for ever; within an allowance they are what a hub needs, beyond it they wait.
"""

from __future__ import annotations


class Allowance:
    """Counts down, and up again with the time."""

    def __init__(self, most: int, every_ns: int) -> None:
        self._most, self._every_ns = most, every_ns
        self._left = most
        self._since_ns: int | None = None

    def take(self, now: int) -> bool:
        """Use one up, if there is one; `now` is monotonic."""
        if self._since_ns is None:
            self._since_ns = now
        back = (now - self._since_ns) // self._every_ns
        self._since_ns += back * self._every_ns
        self._left = min(self._most, self._left + back)
        if not self._left:
            return False
        self._left -= 1
        return True
