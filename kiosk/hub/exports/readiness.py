"""What is still open when a date is to be exported: kiosks that have not closed it, boxes that nobody counted."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Collection, Iterable

import sqlalchemy as sa

from kiosk.hub.exports.entries import BookedEntry
from kiosk.hub.store.tables import box, closing, cursor, kiosk, segment, state


def not_closed(office: sa.Connection, books: sa.Connection, day: dt.date) -> list[str]:
    """Return the approved kiosks without a Z closing over this date: more of its facts may come from them."""
    enrolled = set(office.execute(sa.select(kiosk.c.id).where(kiosk.c.state == "approved")).scalars())
    closed = books.execute(
        sa.select(closing.c.kiosk).where(closing.c.closes_through >= day.isoformat()).distinct()
    ).scalars()
    return sorted(enrolled - set(closed))


def not_posted(segments: sa.Connection, books: sa.Connection) -> int:
    """Return how many segments that kiosks were told to be durable are not in the books yet."""
    last = segments.execute(sa.select(segment.c.worker, sa.func.max(segment.c.number)).group_by(segment.c.worker))
    reached = {row.worker: row.number for row in books.execute(sa.select(cursor.c.worker, cursor.c.number))}
    return sum(max(0, number - reached.get(worker, 0)) for worker, number in last)


def rebuilding(books: sa.Connection) -> bool:
    """Tell whether the books are being posted anew and have not come as far as they were: half a date is no date."""
    told = dict(books.execute(sa.select(state.c.name, state.c.value).where(state.c.name.in_(("place", "goal")))).all())
    return int(told.get("goal") or 0) > int(told.get("place") or 0)


def not_counted(books: sa.Connection, entries: Iterable[BookedEntry]) -> list[tuple[str, int]]:
    """Return the boxes (kiosk, box session) that hold cash of these entries and were not counted.

    A box session ends with a Z closing that names it: an entry's box is that of the first closing after it, and what
    comes after the last closing is in the newest box.
    """
    reach: dict[str, list[tuple[int, int]]] = {}
    for entry in entries:
        reach.setdefault(entry.kiosk, []).append((entry.epoch, entry.seq))
    opened: list[tuple[str, int]] = []
    for name, places in sorted(reach.items()):
        ends = books.execute(
            sa.select(closing.c.epoch, closing.c.seq, closing.c.box_session).where(closing.c.kiosk == name)
            .order_by(closing.c.epoch, closing.c.seq)
        ).all()  # fmt: skip
        boxes = books.execute(sa.select(box.c.box_session, box.c.state).where(box.c.kiosk == name)).all()
        newest = max([each.box_session for each in (*ends, *boxes)], default=0)
        marks = [(end.epoch, end.seq) for end in ends]
        after = {bisect_right(marks, place) for place in places}
        held = {ends[at].box_session if at < len(ends) else newest for at in after}
        counted = {each.box_session for each in boxes if each.state == "counted"}
        opened += [(name, session) for session in sorted(held - counted)]
    return opened


def refusal(roles: Collection[str], uncounted: Collection[tuple[str, int]]) -> str:
    """Say why a person may not have an export, "" where they may: its sums tell what uncounted boxes hold."""
    if "export" not in roles:
        return "an export takes the role export"
    if "count" in roles and uncounted:
        return "who may count must not see sums of boxes that nobody has counted"
    return ""
