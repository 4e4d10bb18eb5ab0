"""What is under way to the hub, within the credit that it gave."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from kiosk.sync.messages import Mark
from kiosk.sync.traffic import Batch, order


class Window:
    """Batches of the stream that wait for their acknowledgement, oldest first."""

    def __init__(self) -> None:
        #: Batches and bytes that the hub lets be under way.
        self.credit = (0, 0)
        self.bytes = 0
        self._batches: deque[tuple[Mark, int, int]] = deque()
        self._progress_ns = 0

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def waiting_since(self) -> int:
        """When the oldest batch was sent, or the one before it acknowledged; ask only where there is one."""
        return max(self._batches[0][2], self._progress_ns)

    def take(self, batch: Batch, now: int) -> None:
        """A batch goes."""
        self._batches.append((batch.last, batch.size, now))
        self.bytes += batch.size

    def acknowledged(self, durable: Mark, now: int) -> Iterator[int]:
        """Everything up to the mark has arrived; yields how long each batch took."""
        while self._batches and order(self._batches[0][0]) <= order(durable):
            _, size, sent = self._batches.popleft()
            self.bytes -= size
            self._progress_ns = now
            yield now - sent

    def clear(self) -> None:
        """Nothing is under way any more."""
        self._batches.clear()
        self.bytes = 0
