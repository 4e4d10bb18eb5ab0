"""What was written to the line and has not left yet, in order, and whose it is."""

from __future__ import annotations

from collections import deque


class Written:
    """Owns the order of writes; kinds are ``job``, ``barrier`` and ``aside`` (questions, clearing)."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, int]] = deque()

    def add(self, kind: str, count: int) -> None:
        """`count` bytes of a kind follow."""
        self._waiting.append((kind, count))

    def sent(self, count: int) -> tuple[list[tuple[str, int, bool]], int]:
        """Share out `count` bytes that have left: (kind, bytes, write complete) each, and the bytes that are nobody's.

        >>> written = Written()
        >>> written.add("job", 3)
        >>> written.sent(2), written.sent(2)
        (([('job', 2, False)], 0), ([('job', 1, True)], 1))
        """
        shares: list[tuple[str, int, bool]] = []
        while count > 0 and self._waiting:
            kind, left = self._waiting.popleft()
            taken = min(left, count)
            count -= taken
            shares.append((kind, taken, taken == left))
            if taken < left:
                self._waiting.appendleft((kind, left - taken))
        return shares, count

    def waits(self, kind: str) -> bool:
        """Tell whether bytes of a kind have not left yet."""
        return any(waiting == kind for waiting, _ in self._waiting)

    def release(self) -> None:
        """What is still on its way belongs to no job any longer."""
        self._waiting = deque(("aside", left) for _, left in self._waiting)

    def clear(self) -> None:
        """The port has dropped everything that had not left."""
        self._waiting.clear()
