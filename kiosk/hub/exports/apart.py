"""Rows that were set apart when a date was sealed, kept beside the export: the next has those that can be posted then.

A row of a kiosk that runs newer software is in quarantine until the hub's software knows it.  Then the books are posted
anew, and it becomes a fact at its old place in the order of all facts: before what exports had reached.  By its place
alone it would belong to a date that is sealed without it, and never come to accounting.
"""

from __future__ import annotations

from bisect import bisect_right

import msgspec
import sqlalchemy as sa

from kiosk.hub.store.tables import quarantine

#: Kiosk, epoch, and the first and last number of rows without a gap.
Run = tuple[str, int, int, int]
_runs = msgspec.json.Decoder(tuple[Run, ...])


class Apart:
    """Places that were set apart at one moment."""

    def __init__(self, runs: tuple[Run, ...]) -> None:
        """`runs` are in the order of their places."""
        self.runs = runs
        self._begins = [run[:3] for run in runs]

    @classmethod
    def of(cls, books: sa.Connection) -> Apart:
        """Return what is set apart in these books."""
        columns = (quarantine.c.kiosk, quarantine.c.epoch, quarantine.c.seq)
        runs: list[Run] = []
        for kiosk, epoch, seq in sorted(tuple(row) for row in books.execute(sa.select(*columns))):
            if runs and runs[-1][:2] == (kiosk, epoch) and runs[-1][3] == seq - 1:
                runs[-1] = (*runs[-1][:3], seq)
            else:
                runs.append((kiosk, epoch, seq, seq))
        return cls(tuple(runs))

    @classmethod
    def read(cls, written: str) -> Apart:
        """Read what `write` gave; "" is none."""
        return cls(_runs.decode(written) if written else ())

    def write(self) -> str:
        """Return it as text."""
        return msgspec.json.encode(self.runs).decode() if self.runs else ""

    def holds(self, kiosk: str, epoch: int, seq: int) -> bool:
        """Tell whether a place was set apart."""
        at = bisect_right(self._begins, (kiosk, epoch, seq)) - 1
        return at >= 0 and self.runs[at][:2] == (kiosk, epoch) and seq <= self.runs[at][3]
