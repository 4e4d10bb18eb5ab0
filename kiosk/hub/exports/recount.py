"""Checks stored exports against the books: what was exported is still there, once, and the bytes are those stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from hashlib import sha256

import sqlalchemy as sa

from kiosk.hub.exports.entries import Span, within
from kiosk.hub.findings import Finding
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import export, posting


def recount(stores: Stores) -> Iterator[Finding]:
    """Yield what does not fit: a stored body that changed, a date whose entries are others than when it was sealed."""
    with stores.office.connect() as office:
        made = office.execute(sa.select(export).order_by(export.c.target, export.c.number)).all()
    reached: dict[str, int] = {}
    numbers: dict[str, int] = {}
    for row in made:
        where = f"export {row.number} to {row.target} of {row.business_date}"
        if sha256(bytes(row.body)).hexdigest() != row.digest:
            yield Finding("export_body", "error", "", 0, 0, f"{where}: the stored file is not what was written")
        if (row.number, row.after) != (numbers.get(row.target, 0) + 1, reached.get(row.target, 0)):
            yield Finding("export_gap", "error", "", 0, 0, f"{where}: it does not go on where the one before ended")
        numbers[row.target], reached[row.target] = row.number, row.through
        span = Span(dt.date.fromisoformat(row.business_date), row.after, row.through)
        place = sa.select(posting.c.kiosk, posting.c.epoch, posting.c.seq, posting.c.currency)
        with stores.books.connect() as books:
            counted = books.execute(
                sa.select(sa.func.count()).select_from(place.where(within(span)).distinct().subquery())
            ).scalar()
        if counted != row.entries:
            yield Finding("export_differs", "error", "", 0, 0,
                          f"{where}: it has {row.entries} entries, the books {counted} of them")  # fmt: skip
