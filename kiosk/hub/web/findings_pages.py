"""What does not add up: the findings of ingest, front and posting as one list, and a page for each.

Acknowledging says that a person has seen a finding and what came of it; the finding stays, and whoever looks later
sees both.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.responses import RedirectResponse, Response

from kiosk.hub.findings import SEVERITIES
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import acknowledged, finding, ingest_finding, kept_apart, peer_finding
from kiosk.hub.web.desk import Look, Refused
from kiosk.hub.web.fence import Fence
from kiosk.hub.web.meanings import meaning

#: Table -> who found it.
SOURCES = {"ingest": "the ingest workers", "front": "the front", "books": "posting"}
_TABLES = {"ingest": ("segments", ingest_finding), "front": ("office", peer_finding), "books": ("books", finding)}
#: Findings that one page lists of each source.
MOST = 300
SHORTEST_NOTE, LONGEST_NOTE = 4, 400


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One finding of whichever table."""

    id: str
    source: str
    code: str
    severity: str
    kiosk: str
    epoch: int
    seq: int
    detail: str
    first_ns: int
    last_ns: int
    times: int
    #: When, by whom and with which words it was acknowledged; 0 where it was not.
    seen_ns: int = 0
    seen_by: str = ""
    note: str = ""


def gather(stores: Stores, fence: Fence, *conditions: Any, only: str = "") -> list[Listed]:
    """Return findings of the three tables, what nobody acknowledged first, then by severity and the latest first."""
    with stores.office.connect() as connection:
        notes = {row.finding: row for row in connection.execute(sa.select(acknowledged))}
    found = []
    for source, (group, table) in _TABLES.items():
        chosen = sa.select(table).order_by(table.c.last_ns.desc()).limit(MOST)
        if only:
            chosen = chosen.where(table.c.id == only)
        for name, value in conditions:
            chosen = chosen.where(table.c[name] == value)
        with stores.engine(group).connect() as connection:
            for row in connection.execute(chosen):
                note = notes.get(row.id)
                detail = fence.words(row.detail) if source == "books" else row.detail
                found.append(
                    Listed(
                        source=source, **{**row._asdict(), "detail": detail},
                        seen_ns=note.at_ns if note else 0, seen_by=note.by if note else "",
                        note=note.note if note else "",
                    )
                )  # fmt: skip
    return sorted(found, key=lambda one: (one.seen_ns > 0, _rank(one.severity), -one.last_ns, one.id))


def page(look: Look) -> Response:
    """Draw the list, filtered by what was asked."""
    asked = {name: look.asked(name) for name in ("severity", "kiosk", "code", "state")}
    conditions = [(name, asked[name]) for name in ("severity", "kiosk", "code") if asked[name]]
    stores = look.desk.reader
    with stores.books.connect() as connection:
        fence = look.fence(connection)
    found = gather(stores, fence, *conditions)
    if asked["state"] == "open":
        found = [one for one in found if not one.seen_ns]
    elif asked["state"] == "seen":
        found = [one for one in found if one.seen_ns]
    return look.draw("findings.html", found=found, asked=asked, all_severities=SEVERITIES, most=MOST)


def one(look: Look) -> Response:
    """Draw one finding: what it means, what to do, and the facts behind it."""
    found = _one(look)
    apart: list[Any] = []
    if found.kiosk:
        about = (kept_apart.c.kiosk == found.kiosk) & (kept_apart.c.epoch == found.epoch)
        columns: list[Any] = [each for each in kept_apart.c if each.name != "body"]
        columns.append(sa.func.length(kept_apart.c.body).label("size"))
        with look.desk.reader.segments.connect() as connection:
            apart = list(connection.execute(sa.select(*columns).where(about).order_by(kept_apart.c.received_ns)))
    return look.draw(
        "finding.html", one=found, apart=apart, sources=SOURCES, meaning=meaning(found.source, found.code),
        may_note=look.person.may("audit", "admin"), shortest=SHORTEST_NOTE, longest=LONGEST_NOTE,
    )  # fmt: skip


def acknowledge(look: Look) -> Response:
    """Take the words of a person who has seen a finding; earlier words stay in the access log."""
    found = _one(look)
    note = look.given("note", LONGEST_NOTE)
    if len(note) < SHORTEST_NOTE:
        raise Refused(400, "Say what came of it, in a few words.", hint="the note stays with the finding")
    look.record("acknowledged", f"finding {found.id}: {note[:200]}")
    with look.desk.writer.office.begin() as connection:
        connection.execute(sa.delete(acknowledged).where(acknowledged.c.finding == found.id))
        connection.execute(
            acknowledged.insert().values(finding=found.id, at_ns=look.now_ns, by=look.person.id, note=note)
        )
    return RedirectResponse(f"/findings/{found.id}", 303)


def _one(look: Look) -> Listed:
    wanted = str(look.request.path_params["finding"])[:12]
    stores = look.desk.reader
    with stores.books.connect() as connection:
        fence = look.fence(connection)
    found = gather(stores, fence, only=wanted)
    if not found:
        raise Refused(404, "There is no such finding.", hint="it may be gone since the books were built anew")
    return found[0]


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1
