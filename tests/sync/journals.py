"""Journals to send from: made by the journal's own writer, small, with a key that tests know."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

from kiosk.journal.keys import SigningKey
from kiosk.journal.store import Journal
from kiosk.model.facts import Digests, Stamp, Started
from kiosk.model.instant import Instant

KEY = SigningKey.from_seed(bytes(range(32)))
WALL_NS = 1_773_000_000_000_000_000


def stamp(second: int = 0) -> Stamp:
    """A stamp so many seconds after an example start."""
    ns = second * 1_000_000_000
    return Stamp(
        at=Instant(WALL_NS + ns, -18_000, 7_000_000_000 + ns, "boot-1"), business_date=dt.date(2026, 3, 9),
        actor="citizen", session="s-1", box_session=1,
        digests=Digests("0123456789abcdef", "1123456789abcdef", "2123456789abcdef"),
    )  # fmt: skip


def new_journal(path: Path, kiosk: str = "K07", realm: str = "live") -> Journal:
    """Make a journal with its genesis."""
    return Journal.create(
        path, kiosk=kiosk, realm=realm, key=KEY, stamp=stamp(), ballast_bytes=64 << 10, reserve_bytes=64 << 10
    )


def commit(journal: Journal, commits: int = 1, rows: int = 1) -> None:
    """Append commits of some rows each."""
    for _ in range(commits):
        journal.append([Started(unclean=False)] * rows, stamp(journal.seq))


def spoil(path: Path, seq: int, epoch: int = 1) -> None:
    """Change the bytes of a stored row behind the journal's back, as a bad card would."""
    store = sqlite3.connect(path)
    store.execute("DROP TRIGGER facts_are_not_changed")
    place = (epoch << 32) + seq
    (row,) = store.execute("SELECT row FROM facts WHERE place = ?", (place,)).fetchone()
    store.execute("UPDATE facts SET row = ? WHERE place = ?", (row.replace(b"started", b"starred"), place))
    store.commit()
    store.close()
