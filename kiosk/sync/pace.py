"""How fast a line takes rows, and how long its answers may take: learnt from every acknowledgement.

Batches begin small and grow while they are answered quickly, so that what waits in the line stays below a second and
a STATUS behind it as well (sync sheet §2, 16).  After a silence they shrink and the patience doubles, so that the
slowest line still gets one commit across.
"""

from __future__ import annotations

from collections.abc import Callable

from kiosk.sync.wire import MOST_BYTES

SECOND = 1_000_000_000
#: First size of a batch and the smallest, bytes.
FIRST_BYTES, LEAST_BYTES = 64 << 10, 2 << 10
#: An answer that takes no longer than the line and this lets batches grow; one after that makes them smaller.
QUICK_NS, SLOW_NS = 250_000_000, 750_000_000
#: Silence is never taken for a loss sooner, nor waited for longer.
LEAST_PATIENCE_NS, MOST_PATIENCE_NS = SECOND, 60 * SECOND
#: A hub looks a kiosk up and reads its marks before it answers HELLO.
GREETING_NS = 5 * SECOND
#: Waits between two connections.
LEAST_WAIT_NS, MOST_WAIT_NS = SECOND // 2, 60 * SECOND


def backoff_ns(attempt: int, draw: Callable[[int], int]) -> int:
    """Return how long to wait before another connection: 0.5 s and more, by chance up to 1, 2, 4 … 60 s.

    Chance spreads a thousand kiosks that lost the same hub in the same moment.
    """
    longest = min(MOST_WAIT_NS, SECOND << min(attempt, 6))
    return LEAST_WAIT_NS + draw(longest - LEAST_WAIT_NS + 1)


class Pace:
    """Size, window and patience of one line."""

    def __init__(self) -> None:
        #: Smoothed time from a batch or PING to its answer, nanoseconds; 0 before the first.
        self.round_trip_ns = 0
        self.size = FIRST_BYTES
        #: Batches under way at most, within the hub's credit.
        self.window = 64
        self._misses = 0
        #: What a PING took at its quickest lately: how long the line itself is.
        self._base_ns = 0

    @property
    def patience_ns(self) -> int:
        """How long an answer may take: the longer of 1 s and four round trips; doubled by each silence before."""
        return min(max(LEAST_PATIENCE_NS, 4 * self.round_trip_ns) << self._misses, MOST_PATIENCE_NS)

    @property
    def greeting_ns(self) -> int:
        """How long WELCOME may take."""
        return min(max(GREETING_NS, self.patience_ns) << self._misses, MOST_PATIENCE_NS)

    def measured(self, taken_ns: int) -> None:
        """An answer took so long."""
        old = self.round_trip_ns
        self.round_trip_ns = taken_ns if not old else (7 * old + taken_ns) // 8

    def pinged(self, taken_ns: int) -> None:
        """A PING was answered after so long."""
        self.measured(taken_ns)
        base = self._base_ns
        self._base_ns = min(taken_ns, base + base // 8 + 1) if base else taken_ns

    def acknowledged(self, taken_ns: int) -> None:
        """A batch was acknowledged after so long."""
        self.measured(taken_ns)
        self._misses = 0
        waited_ns = taken_ns - self._base_ns
        if waited_ns <= QUICK_NS:
            self.size, self.window = min(2 * self.size, MOST_BYTES), min(2 * self.window, 64)
        elif waited_ns >= SLOW_NS:
            self.size = max(self.size // 2, LEAST_BYTES)

    def missed(self) -> None:
        """No answer came in time, or the batch was too big."""
        self._misses = min(self._misses + 1, 6)
        self.size, self.window = max(self.size // 4, LEAST_BYTES), 1
