"""The journal as an outbox: cuts batches from it and knows how much is behind.  It owns a read-only view, nothing else.

A batch ends on a signed row, and since every commit ends on one, it holds whole commits; it never spans two epochs.
Each row is held against the chain while it is cut: a row that is not what was written is told here, at the kiosk, and
nothing beyond it goes as if it followed.

A journal that cannot be opened means that the core is starting, stopping or down: the caller tries again.  A file that
was replaced (restored) is noticed by its inode and opened anew.
"""

from __future__ import annotations

import itertools
from pathlib import Path

from kiosk.errors import JournalDamaged, JournalError
from kiosk.journal.encoding import ROOT_HASH, Row, chain, decode
from kiosk.journal.reader import Reader
from kiosk.sync.messages import Mark
from kiosk.sync.traffic import Batch, Room
from kiosk.sync.wire import MOST_ROWS

#: Rows read at once beyond what one batch takes; they are kept for the next.
_READ = 2 * MOST_ROWS


class Outbox:
    """The rows of one journal, for one hub or several."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader: Reader | None = None
        self._inode = 0
        #: Last sequence number of each epoch that the journal has left behind.
        self._ends: dict[int, int] = {}
        self._head = Mark()
        #: Rows read ahead, and the place that they follow.
        self._rows: list[Row] = []
        self._after: tuple[int, int] = (-1, 0)

    def close(self) -> None:
        """Let the journal go."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None
        self._ends, self._head, self._rows, self._after = {}, Mark(), [], (-1, 0)

    def head(self) -> Mark:
        """Return the newest row's place and hash; opens the journal where it is not open.

        Raises:
            JournalError: it cannot be read now; try again.
            JournalDamaged: it is no journal, or its end cannot be read.
        """
        last = self._open().last()
        if last is None:
            return Mark()
        if last.epoch != self._head.epoch:
            self._find_ends(last.epoch)
        self._head = Mark(last.epoch, last.seq, last.hash)
        return self._head

    def still_there(self) -> bool:
        """Tell whether the open file is the one that the path names; closes it otherwise."""
        try:
            same = self._reader is None or self.path.stat().st_ino == self._inode
        except OSError:
            same = False
        if not same:
            self.close()
        return same

    def hash_at(self, mark: Mark) -> bytes | None:
        """Return the hash of the row where the mark stands, or None where this journal has none.

        Raises:
            JournalError: it cannot be read now.
        """
        if not mark.seq or not mark.epoch:
            return None
        for row in self._open().rows(mark.seq - 1, mark.epoch, 1):
            return row.hash if (row.epoch, row.seq) == (mark.epoch, mark.seq) else None
        return None

    def count_after(self, mark: Mark) -> int:
        """Return how many rows follow a mark, up to the head that was seen last."""
        head = self._head
        if (mark.epoch, mark.seq) >= (head.epoch, head.seq):
            return 0
        if mark.epoch == head.epoch:
            return head.seq - mark.seq
        older = sum(
            max(0, end - mark.seq) if epoch == mark.epoch else end
            for epoch, end in self._ends.items()
            if epoch >= mark.epoch
        )
        return older + head.seq

    def oldest(self) -> Mark:
        """Return the oldest row that is still here.

        Raises:
            JournalError: it cannot be read now.
        """
        return next((Mark(row.epoch, row.seq, row.hash) for row in self._open().rows(0, 0, 1)), Mark())

    def written_ns(self, after: Mark) -> int:
        """Return the wall clock of the first row after a mark, nanoseconds; 0 where there is none or nobody can tell.

        Raises:
            JournalError: the journal cannot be read now.
        """
        try:
            return next((decode(row.row).stamp.at.wall_ns for row in self._open().rows(after.seq, after.epoch, 1)), 0)
        except JournalError as error:
            if error.transient:
                raise
            return 0  # a row that is no fact has no time; that it cannot be read is told where it is cut

    def end_room(self, room: Room) -> Room:
        """Return the room for the journal's last rows: what a hub is shown whose journal says something else."""
        first = max(0, self._head.seq - room.most_rows)
        for row in self._open().rows(first, self._head.epoch, room.most_rows):
            if row.signature is not None and (row.epoch, row.seq) != (self._head.epoch, self._head.seq):
                return Room(Mark(row.epoch, row.seq, row.hash), room.most_rows, room.most_bytes, room.most_bytes)
        return Room(self._before_epoch(self._head.epoch), room.most_rows, room.most_bytes, room.most_bytes)

    def cut(self, room: Room) -> Batch | None:
        """Return the next whole commits that fit, or None where there are none, or the next one does not fit now.

        Raises:
            JournalDamaged: the rows that follow are not what was written.
            JournalError: the journal cannot be read now.
        """
        rows = self._rows_after(room.after, room.most_rows)
        if not rows:
            return None
        previous = self._hash_before(rows[0], room.after)
        rows = _within_epoch(rows)
        end, size, digest, total = 0, 0, previous, 0
        for at, row in enumerate(itertools.islice(rows, room.most_rows), 1):
            total += len(row.row)
            if total > room.most_bytes or (end and total > room.good_bytes):
                break
            digest = chain(digest, row.row)
            if digest != row.hash:
                if end:
                    break
                raise _damaged(self.path, row)
            if row.signature is not None:
                end, size = at, total
        if not end:
            if len(rows) < room.most_rows and rows[-1].signature is None:
                raise _damaged(self.path, rows[-1])
            return None
        cut, self._rows = rows[:end], self._rows[end:]
        last = cut[-1]
        self._after = (last.epoch, last.seq)
        assert last.signature is not None
        mark = Mark(last.epoch, last.seq, last.hash)
        return Batch(previous, tuple(row.row for row in cut), last.signature, mark, size)

    def beyond_damage(self, after: Mark) -> Mark | None:
        """Return the first signed row after the damaged one behind a mark: from there on rows chain again.

        None where nothing beyond can be read.
        """
        try:
            found, previous = False, None
            for row in self._open().rows(after.seq, after.epoch):
                before = self._hash_before(row, after) if previous is None else previous
                found = found or chain(before, row.row) != row.hash
                if found and row.signature is not None:
                    return Mark(row.epoch, row.seq, row.hash)
                previous = row.hash
        except JournalError:
            return None  # the page itself is gone: only a restore brings back what follows
        return None

    # --- reading -------------------------------------------------------------------------------------------

    def _open(self) -> Reader:
        if self._reader is None:
            # Asked for first: a file that is replaced in between is then noticed, and opened anew.
            self._inode = self.path.stat().st_ino if self.path.exists() else 0
            self._reader = Reader(self.path)
        return self._reader

    def _rows_after(self, after: Mark, most: int) -> list[Row]:
        place = (after.epoch, after.seq)
        # Without so many rows a batch would end at the end of what was read ahead, though more have come since.
        if place != self._after or len(self._rows) < most:
            self._rows = list(self._open().rows(after.seq, after.epoch, max(_READ, most)))
            self._after = place
        return self._rows

    def _hash_before(self, row: Row, after: Mark) -> bytes:
        if (row.epoch, row.seq) == (after.epoch, after.seq + 1) and after.seq:
            return after.hash
        if row.seq == 1:
            return self._before_epoch(row.epoch).hash
        return self.hash_at(Mark(row.epoch, row.seq - 1)) or ROOT_HASH

    def _before_epoch(self, epoch: int) -> Mark:
        """Return the last row of the epochs before one: what its first row chains on."""
        older = [each for each in self._ends if each < epoch]
        if not older:
            return Mark(0, 0, ROOT_HASH)
        mark = Mark(max(older), self._ends[max(older)])
        return Mark(mark.epoch, mark.seq, self.hash_at(mark) or ROOT_HASH)

    def _find_ends(self, newest: int) -> None:
        """Find where each older epoch ends: the row before the next one's first."""
        self._ends = {}
        reader = self._open()
        epoch = 0
        while (row := next(reader.rows(0, epoch, 1), None)) is not None and row.epoch < newest:
            self._ends[row.epoch] = _last_of(reader, row.epoch)
            epoch = row.epoch + 1


def _last_of(reader: Reader, epoch: int) -> int:
    """Return the last number of an epoch; numbers have no gaps, so halving finds it in 32 looks."""
    low, high = 1, 2**32 - 1
    while low < high:
        middle = (low + high + 1) // 2
        row = next(reader.rows(middle - 1, epoch, 1), None)
        if row is not None and row.epoch == epoch:
            low = middle
        else:
            high = middle - 1
    return low


def _within_epoch(rows: list[Row]) -> list[Row]:
    epoch = rows[0].epoch
    if rows[-1].epoch == epoch:
        return rows
    return [row for row in rows if row.epoch == epoch]


def _damaged(path: Path, row: Row) -> JournalDamaged:
    return JournalDamaged(
        f"{path}: fact {row.epoch}/{row.seq} is not what was written",
        hint="run `kiosk journal verify`; keep the file as evidence and restore the last backup",
    )
