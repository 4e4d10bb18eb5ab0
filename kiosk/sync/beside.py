"""Fresh rows that go beside the stream: while a long backlog is under way, or where the journal is damaged before them.

The hub keeps them apart and compares them when the stream reaches them, so they count once.  One AHEAD is under way at
a time; what was not answered goes again.
"""

from __future__ import annotations

from kiosk.sync.messages import Ahead, Mark, Seen
from kiosk.sync.traffic import Batch, order


class Beside:
    """How far the fresh rows are."""

    def __init__(self) -> None:
        #: Fresh rows up to here are on the hub's disk.
        self.seen = Mark()
        #: Whether rows of the stream cannot be read, and the row after which they can again (None: not known).
        self.damaged = False
        self._beyond: Mark | None = None
        self._mark: Mark | None = None
        #: Under way: the row before, the last one, bytes, and when they were sent.
        self._out: tuple[Mark, Mark, int, int] | None = None

    @property
    def is_stuck(self) -> bool:
        """Whether rows are damaged and nobody knows yet after which they can be read again."""
        return self.damaged and self._beyond is None

    @property
    def under_way(self) -> tuple[int, int]:
        """Messages and bytes that wait for SEEN."""
        return (1, self._out[2]) if self._out else (0, 0)

    def deadline(self, patience_ns: int) -> int:
        """Return when what is under way counts as lost; 0 for nothing."""
        return self._out[3] + patience_ns if self._out else 0

    def place(self, head: Mark, behind: int, threshold: int) -> Mark | None:
        """Return the row after which fresh ones may go now, or None."""
        if self.damaged:
            self._mark = self._mark or self._beyond
        elif behind > threshold:
            self._mark = self._mark or head
        elif behind <= threshold // 2:
            self._mark = None
        if self._mark is None or self._out or order(head) <= order(self._mark):
            return None
        return self._mark

    def sent(self, batch: Batch, now: int) -> Ahead:
        """Take fresh rows under way and return the message that carries them."""
        self._out = (self._mark or Mark(), batch.last, batch.size, now)
        self._mark = batch.last
        return Ahead(batch.last.epoch, batch.first, batch.previous, batch.rows, batch.signature)

    def answered(self, message: Seen) -> int:
        """Take SEEN; return when the rows had been sent, 0 where it is for others."""
        if self._out is None or (message.epoch, message.seq) < order(self._out[1]):
            return 0
        (_, self.seen, _, sent), self._out = self._out, None
        return sent

    def damage(self, beyond: Mark | None) -> None:
        """The stream cannot be read on; what follows `beyond` can."""
        self.damaged, self._beyond = True, beyond
        if beyond is not None and (self._mark is None or order(beyond) > order(self._mark)):
            self._mark = beyond

    def forget(self) -> None:
        """Nothing is under way any more: another connection, another place, or no answer."""
        if self._out:
            self._mark = self._out[0]  # SEEN may have been lost: they go again, and the hub knows them
        self._out = None

    def mended(self) -> None:
        """The stream begins again, so whether it can be read shows itself."""
        self.damaged, self._beyond = False, None
