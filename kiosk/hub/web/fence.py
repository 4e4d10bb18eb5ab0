"""What may be told to whoever counts boxes: nothing from which the content of an uncounted box follows.

A count is blind (domain sheet §9, invariant 18).  For a person with the role `count`, everything that a kiosk posted
after the last closing of its *counted* boxes is sealed.  Boxes count from the first one on without a gap: behind an
uncounted box a counted one opens nothing, because a sum over both less the known one is the unknown one.  So one
position for each kiosk decides, in the order of all facts: up to it everything is told, beyond it no amount, no number
of entries and no content of a fact.  A sum over several things is sealed where one of them is; so are running totals.

The position is read before what it judges: a count that is closed in between only makes the answer too strict.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import sqlalchemy as sa

from kiosk.hub.store.tables import box, closing, day_sum, fact, posting
from kiosk.hub.web.people import Person

#: Stands where an amount is.
SEALED = "sealed"


class Fence:
    """Judges what one person may be told.  Holds positions, no amounts."""

    def __init__(self, horizons: Mapping[str, int] | None) -> None:
        #: Kiosk -> last position that may be told; None: everything may.
        self._horizons = horizons

    @property
    def open(self) -> bool:
        """Whether nothing is sealed."""
        return self._horizons is None

    def seals(self, kiosk: str, position: int | None) -> bool:
        """Tell whether what a kiosk did at this position is sealed; what has no position yet always is."""
        if self._horizons is None:
            return False
        return position is None or position > self._horizons.get(kiosk, -1)

    def sealed_days(self, connection: sa.Connection, first: str, last: str) -> frozenset[tuple[str, str]]:
        """Return the (kiosk, date) pairs between two dates on which something sealed was posted."""
        if self._horizons is None:
            return frozenset()
        chosen = sa.select(day_sum.c.kiosk, day_sum.c.posts_on).where(day_sum.c.posts_on.between(first, last))
        found = {(row.kiosk, row.posts_on) for row in connection.execute(chosen.distinct())}
        for kiosk, horizon in self._horizons.items():
            if horizon < 0:
                continue  # no box of it was counted: all its days are sealed
            beyond = (posting.c.position > horizon) & (posting.c.kiosk == kiosk)
            days = set(connection.execute(sa.select(posting.c.posts_on).where(beyond).distinct()).scalars())
            found = {pair for pair in found if pair[0] != kiosk or pair[1] in days}
        return frozenset(found)

    def words(self, detail: str) -> str:
        """Return words of posting without their numbers, which may be amounts."""
        return detail if self.open else re.sub(r"\d+", "…", detail)


def fence_for(person: Person, connection: sa.Connection) -> Fence:
    """Return what holds for a person now."""
    if not person.may("count"):
        return Fence(None)
    counted: dict[str, set[int]] = {}
    for row in connection.execute(sa.select(box.c.kiosk, box.c.box_session).where(box.c.state == "counted")):
        counted.setdefault(row.kiosk, set()).add(row.box_session)
    return Fence({kiosk: _horizon(connection, kiosk, sessions) for kiosk, sessions in counted.items()})


def _horizon(connection: sa.Connection, kiosk: str, sessions: Collection[int]) -> int:
    last = 0
    while last + 1 in sessions:
        last += 1
    place = connection.execute(
        sa.select(closing.c.epoch, closing.c.seq)
        .where(closing.c.kiosk == kiosk, closing.c.box_session.between(1, last))
        .order_by(closing.c.epoch.desc(), closing.c.seq.desc())
        .limit(1)
    ).first()
    if place is None:
        return -1
    position = connection.execute(
        sa.select(fact.c.position).where(
            fact.c.kiosk == kiosk, fact.c.epoch == place.epoch, fact.c.seq == place.seq
        )
    ).scalar()
    return -1 if position is None else int(position)
