"""Reads segments in the merge order, and takes their bytes for true only where they are what was acknowledged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from kiosk.errors import KioskError
from kiosk.hub.ingest.segments import rows_of
from kiosk.hub.store.tables import merge, segment


class Placed(NamedTuple):
    """A segment's place in the merge order."""

    place: int
    worker: int
    number: int
    #: Position of its first fact.
    position: int


class Evidence(NamedTuple):
    """A segment as it lies in the database."""

    worker: int
    number: int
    kiosk: str
    epoch: int
    first: int
    last: int
    previous: bytes
    hash: bytes
    signature: bytes
    received_ns: int
    codec: int
    body: bytes

    @property
    def size(self) -> int:
        """How many rows it holds."""
        return self.last - self.first + 1


_COLUMNS = [segment.c[name] for name in Evidence._fields]


def order_after(connection: sa.Connection, place: int, through: int, limit: int) -> list[Placed]:
    """Return the next places of the merge order, up to one of them."""
    columns = [merge.c[name] for name in Placed._fields]
    asked = sa.select(*columns).where(merge.c.place > place, merge.c.place <= through)
    return [Placed(*row) for row in connection.execute(asked.order_by(merge.c.place).limit(limit))]


def segments_at(connection: sa.Connection, places: Sequence[Placed]) -> dict[tuple[int, int], Evidence]:
    """Return the segments of these places by (worker, number); one that is gone is left out."""
    numbers: dict[int, list[int]] = {}
    for each in places:
        numbers.setdefault(each.worker, []).append(each.number)
    found: dict[tuple[int, int], Evidence] = {}
    for worker, listed in numbers.items():
        # A run of the merge order holds a run of each worker's numbers.
        where = (segment.c.worker == worker) & segment.c.number.between(min(listed), max(listed))
        for row in connection.execute(sa.select(*_COLUMNS).where(where)):
            found[row[0], row[1]] = Evidence(*row)
    return found


def journal_of(connection: sa.Connection, kiosk: str) -> Iterator[Evidence]:
    """Yield all segments of one kiosk's journal in its own order."""
    asked = sa.select(*_COLUMNS).where(segment.c.kiosk == kiosk)
    asked = asked.order_by(segment.c.epoch, segment.c.first, segment.c.worker, segment.c.number)
    for row in connection.execution_options(yield_per=50).execute(asked):
        yield Evidence(*row)


def true_rows(each: Evidence) -> list[tuple[bytes, bytes]] | None:
    """Return rows with their hashes; None where the bytes are not those whose hash was acknowledged."""
    try:
        rows = rows_of(each.codec, each.body)
    except (KioskError, msgspec.MsgspecError):
        return None
    if len(rows) != each.size:
        return None
    told, digest = [], each.previous
    for row in rows:
        digest = sha256(digest + row).digest()
        told.append((row, digest))
    return told if digest == each.hash else None
