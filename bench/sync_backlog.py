"""A kiosk's backlog: a journal of real payments, and the same rows as any sender would hand them over."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench import measure_history
from bench.sync_store import Fact
from kiosk.journal.keys import SigningKey
from kiosk.journal.reader import Reader


class Backlog(msgspec.Struct, frozen=True):
    """A journal that no hub has seen, and what is in it."""

    path: Path
    key: SigningKey
    kiosk: str
    #: Rows, commits (each signed at its end) and bytes of the rows.
    facts: int
    commits: int
    size: int

    def rows(self, limit: int | None = None) -> list[Fact]:
        """Return the rows in memory, ready to be sent: more than any kiosk would have."""
        with Reader(self.path) as reader:
            return [(self.kiosk, row.epoch, row.seq, row.row) for row in reader.rows(limit=limit)]


def write(room: Path, count: int, kiosk: str = "K07", *, realm: str = "demo") -> Backlog:
    """Make a journal of about `count` facts, one commit a citizen, as the core writes them."""
    room.mkdir(parents=True)
    path, key = room / "journal.db", SigningKey.create(room / "journal.key")
    measure_history.write(path, key, room / "pattern", count, kiosk=kiosk, realm=realm)
    facts = commits = size = 0
    with Reader(path) as reader:
        for row in reader.rows():
            facts, size, commits = facts + 1, size + len(row.row), commits + (row.signature is not None)
    return Backlog(path, key, kiosk, facts, commits, size)
