"""One turn of the projector: give what waits its place, post the next run of segments, remember how far it is.

Each turn is one transaction of the books with the cursors in it, so that a crash anywhere leaves either all of a turn
or none, and the next start goes on with the same segments in the same order.
"""

from __future__ import annotations

import gc
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from kiosk.errors import HubError
from kiosk.hub.posting.evidence import order_after, segments_at
from kiosk.hub.posting.merging import MergeOrder
from kiosk.hub.posting.pen import Pen
from kiosk.hub.posting.projection import UNPOSTABLE, Projection, Segment
from kiosk.hub.posting.rules import Rules
from kiosk.hub.revisions import current
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores

#: Segments and facts of one transaction; the facts may be exceeded by one segment.
SEGMENTS_AT_ONCE, FACTS_AT_ONCE = 400, 10_000
#: Tables of the books that the publisher owns: a rebuild leaves what the kiosks were told as it is.
PUBLISHERS = frozenset({"publication", "published", "published_through"})
#: Subject of the revision by which a command line asks the running projector for a rebuild.
REBUILD = "rebuild"


class Projector:
    """Fills the books.  There is one for a database (see `sole`)."""

    def __init__(self, stores: Stores, rules: Rules, *, workers: int, digest: str) -> None:
        """Open the books; ones that were built with other rules are emptied and built anew.

        `digest` stands for everything but the segments that the books follow from.
        """
        self._stores = stores
        self._rules = rules
        self._workers = workers
        self._digest = f"{digest}-{rules.realm}"
        told = self.state()
        if told.get("rules") != self._digest:
            self.empty()
            told = self.state()
        self.place = int(told["place"])
        self._order = MergeOrder(stores, workers, self.place)

    @property
    def last_place(self) -> int:
        """Last place of the merge order."""
        return self._order.last_place

    @property
    def rebuilding(self) -> bool:
        """Whether the books are still short of where they were before."""
        return bool(self._goal)

    @property
    def _goal(self) -> int:
        goal = self.state().get("goal") or "0"
        return int(goal) if int(goal) > self.place else 0

    def state(self) -> dict[str, str]:
        """Return what the books say of themselves."""
        with self._stores.books.connect() as connection:
            return dict(connection.execute(sa.select(tables.state.c.name, tables.state.c.value)).all())

    def empty(self) -> None:
        """Empty the books; the turns that follow build them anew, in the stored order."""
        with self._stores.office.connect() as connection:
            goal = connection.execute(sa.select(sa.func.max(tables.merge.c.place))).scalar() or 0
            asked = current(connection, REBUILD)
        told = {"build": secrets.token_hex(8), "rules": self._digest, "place": "0", "position": "0"}
        told |= {"goal": str(goal), "asked": str(asked)}
        with self._stores.books.begin() as connection:
            for name in tables.books.tables:
                if name not in PUBLISHERS:
                    clear = "TRUNCATE" if connection.dialect.name == "postgresql" else "DELETE FROM"
                    connection.exec_driver_sql(f'{clear} "{name}"')
            Pen(connection).insert("state", list(told.items()))
        self.place = 0
        self._order = MergeOrder(self._stores, self._workers, 0)

    def asked_to_rebuild(self) -> bool:
        """Tell whether somebody asked for a rebuild since the last one began."""
        with self._stores.office.connect() as connection:
            return str(current(connection, REBUILD)) != self.state().get("asked", "0")

    def turn(self) -> bool:
        """Give what waits its place and post the next segments; tell whether there were any."""
        if self.place == self._order.last_place:
            self._order.extend()
        return self.replay(self._order.last_place)

    def replay(self, through: int) -> bool:
        """Post the next segments of the stored order, up to a place of it; tell whether there were any."""
        with self._stores.office.connect() as connection:
            places = order_after(connection, self.place, through, SEGMENTS_AT_ONCE)
        if not places:
            return False
        with self._stores.segments.connect() as connection:
            there = segments_at(connection, places)
        run: list[Segment] = []
        facts = 0
        for placed in places:
            evidence = there.get((placed.worker, placed.number))
            run.append((placed, evidence))
            facts += evidence.size if evidence is not None else 0
            if facts >= FACTS_AT_ONCE:
                break
        self._post(run)
        return True

    def _post(self, run: Sequence[Segment]) -> None:
        try:
            self._write(run)
        except UNPOSTABLE:
            for segment in run:
                self._post_alone(segment)

    def _post_alone(self, segment: Segment) -> None:
        """Post one segment without the rows that the database refuses."""
        poison: set[int] = set()
        count = segment[1].size if segment[1] is not None else 0
        while len(poison) <= count:
            try:
                return self._write([segment], poison)
            except UNPOSTABLE:
                if len(poison) == count:
                    raise
                poison.add(self._first_refused(segment, poison, count))
        raise HubError("a segment cannot be posted even without its rows", hint="run `kiosk hub verify`")

    def _first_refused(self, segment: Segment, poison: set[int], count: int) -> int:
        """Return the first row that the database refuses: the books take all rows before it and not it."""
        good, bad = 0, count
        while bad - good > 1:
            middle = (good + bad) // 2
            try:
                self._write([segment], poison, most=middle)
            except UNPOSTABLE:
                bad = middle
            else:
                good = middle
        return good

    def _write(self, run: Sequence[Segment], poison: Sequence[int] | set[int] = (), most: int | None = None) -> None:
        """Post a run in one transaction; with `most` only try it."""
        with _uncollected(), self._stores.books.connect() as connection, connection.begin() as transaction:
            projection = Projection(connection, self._rules)
            projection.post(run, poison, most)
            projection.flush()
            pen = Pen(connection)
            pen.replace("cursor", [(worker, number) for worker, number in _newest(run).items()])
            last, evidence = run[-1]
            position = last.position + (evidence.size - 1 if evidence is not None else -1)
            pen.replace("state", [("place", str(last.place)), ("position", str(position))])
            if most is not None:
                transaction.rollback()
                return
        self.place = last.place


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the cycle collector out of a turn: facts hold no cycles, and walking them all takes a fifth of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _newest(run: Sequence[Segment]) -> dict[int, int]:
    newest: dict[int, int] = {}
    for placed, _ in run:
        newest[placed.worker] = max(placed.number, newest.get(placed.worker, 0))
    return newest
