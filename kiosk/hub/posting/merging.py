"""Fixes the order of all facts: in which order the segments of the workers are posted, written down before they are.

Each worker has its own numbers without a gap, so within a worker the order is given.  Between workers it is decided
once, here, by the time of receipt of what is waiting, and stored in `merge`: it decides which of two tenders came
second, and every rebuild replays it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import sqlalchemy as sa

from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import cursor, merge, segment

#: Segments of one worker that one turn gives a place.
AT_ONCE = 2_000

Waiting = tuple[int, int, int, int]


class MergeOrder:
    """Gives waiting segments their places.  One projector owns it."""

    def __init__(self, stores: Stores, workers: int, place: int) -> None:
        """Go on after `place` of the merge order, which the books have posted."""
        self._stores = stores
        #: Newest number of each worker that has a place.
        self.newest: dict[int, int] = {}
        with stores.books.connect() as connection:
            self.newest.update(connection.execute(sa.select(cursor.c.worker, cursor.c.number)).all())
        with stores.office.connect() as connection:
            waiting = sa.select(merge.c.worker, sa.func.max(merge.c.number)).where(merge.c.place > place)
            for worker, number in connection.execute(waiting.group_by(merge.c.worker)):
                self.newest[worker] = max(number, self.newest.get(worker, 0))
            last = connection.execute(sa.select(merge).order_by(merge.c.place.desc()).limit(1)).mappings().first()
        with stores.segments.connect() as connection:
            self._workers = sorted({*range(workers), *self.newest, *_workers(connection)})
            self.last_place, self._position = 0, 1
            if last is not None:
                self.last_place, self._position = last["place"], last["position"]
                rows = segment.c.last - segment.c.first + 1
                where = (segment.c.worker == last["worker"]) & (segment.c.number == last["number"])
                self._position += connection.execute(sa.select(rows).where(where)).scalar() or 0

    def extend(self) -> bool:
        """Give the waiting segments their places; tell whether there were any."""
        with self._stores.segments.connect() as connection:
            waiting = [list(self._waiting(connection, worker)) for worker in self._workers]
        rows, place, position = [], self.last_place, self._position
        for _, worker, number, count in heapq.merge(*waiting):
            place += 1
            rows.append({"place": place, "worker": worker, "number": number, "position": position})
            position += count
        if not rows:
            return False
        with self._stores.office.begin() as connection:
            connection.execute(merge.insert(), rows)
        self.last_place, self._position = place, position
        self.newest.update((row["worker"], row["number"]) for row in rows)
        return True

    def _waiting(self, connection: sa.Connection, worker: int) -> Iterator[Waiting]:
        rows = segment.c.last - segment.c.first + 1
        asked = sa.select(segment.c.received_ns, segment.c.number, rows)
        asked = asked.where(segment.c.worker == worker, segment.c.number > self.newest.get(worker, 0))
        latest = 0
        for received_ns, number, count in connection.execute(asked.order_by(segment.c.number).limit(AT_ONCE)):
            latest = max(latest, received_ns)  # a clock that was set back must not turn a worker's own order round
            yield latest, worker, number, count


def _workers(connection: sa.Connection) -> Iterator[int]:
    """Yield the workers that ever wrote a segment, one look at the index for each."""
    worker = -1
    while True:
        higher = sa.select(sa.func.min(segment.c.worker)).where(segment.c.worker > worker)
        found = connection.execute(higher).scalar()
        if found is None:
            return
        yield found
        worker = found
