"""All findings of a hub in one list: of its workers, of its front, of posting; and who has seen which."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from kiosk.hub.findings import SEVERITIES
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores


class Listed(msgspec.Struct, frozen=True):
    """One finding as people see it."""

    id: str
    code: str
    severity: str
    kiosk: str
    epoch: int
    seq: int
    detail: str
    first_ns: int
    last_ns: int
    times: int
    #: Who found it: ``ingest``, ``front`` or ``posting``.
    part: str
    #: Who acknowledged it and what came of it; "" where nobody did.
    by: str = ""
    note: str = ""


def list_findings(stores: Stores, *, acknowledged: bool = False, limit: int = 10_000) -> list[Listed]:
    """Return the findings, the worst first and the newest of those; with `acknowledged` also those people have seen."""
    with stores.office.connect() as connection:
        asked = sa.select(tables.acknowledged.c.finding, tables.acknowledged.c.by, tables.acknowledged.c.note)
        seen = {row[0]: (row[1], row[2]) for row in connection.execute(asked)}
    found: list[Listed] = []
    sources = (("ingest", stores.segments, tables.ingest_finding), ("front", stores.office, tables.peer_finding),
               ("posting", stores.books, tables.finding))  # fmt: skip
    for part, engine, table in sources:
        with engine.connect() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.last_ns.desc()).limit(limit))
            for row in rows:
                by, note = seen.get(row.id, ("", ""))
                found.append(Listed(**row._mapping, part=part, by=by, note=note))
    if not acknowledged:
        found = [each for each in found if not each.by]
    rank = {name: place for place, name in enumerate(SEVERITIES)}
    return sorted(found, key=lambda each: (rank.get(each.severity, 0), -each.last_ns, each.id))
