"""Exports a business date for a target, which seals it; asked again, gives the stored bytes.

Rules that must stay true: dates of a target are exported in order, and a date with entries is never passed over; an
export is stored in the same transaction that seals its date; what was stored is never written anew.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Collection
from hashlib import sha256
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from kiosk.errors import HubError
from kiosk.hub.exports import agreement
from kiosk.hub.exports import entries as booked
from kiosk.hub.exports.apart import Apart
from kiosk.hub.exports.formats import Format
from kiosk.hub.exports.readiness import not_closed, not_counted, not_posted, rebuilding
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import export, posting
from kiosk.model.exported import ExportedDate
from kiosk.model.instant import business_date

_TARGET = re.compile(r"[a-z][a-z0-9_-]{0,30}")
#: Longest file; a date of a large city has a few MiB.
LARGEST = 256 * 1024 * 1024
#: Seconds to wait until what was acknowledged when the export began is in the books.
PATIENCE_S = 20


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be exported, by whom and when."""

    date: dt.date
    target: str
    format: Format
    by: str
    now_ns: int
    #: The business date that runs in the city; it and later ones are not over.
    running: dt.date
    #: Whether to go on though kiosks have not closed the date.
    even_so: bool = False


class City(msgspec.Struct, frozen=True):
    """What an export says of the city."""

    name: str
    #: ISO 4217.
    currency: str
    #: Chart of accounts: code -> name.
    accounts: dict[str, str]


class Exported(msgspec.Struct, frozen=True):
    """One export as it is stored."""

    target: str
    format: str
    date: dt.date
    #: From 1 without a gap within the target.
    number: int
    entries: int
    #: SHA-256 of the body, hexadecimal.
    digest: str
    body: bytes
    #: Whether it had been exported before, and these are the stored bytes.
    already: bool
    #: Approved kiosks that had not closed the date; boxes (kiosk, box session) that nobody had counted.
    not_closed: tuple[str, ...] = ()
    not_counted: tuple[tuple[str, int], ...] = ()
    #: First dates after the running one that have entries already: those wait for their date.
    ahead: tuple[str, ...] = ()


def running_date(now_ns: int, zone: str, cut_off: str) -> dt.date:
    """Return the business date that runs in a city."""
    local = dt.datetime.fromtimestamp(now_ns / 1_000_000_000, ZoneInfo(zone))
    return business_date(local, dt.time.fromisoformat(cut_off))


def stored(office: sa.Connection, target: str, date: dt.date) -> Exported | None:
    """Return an export that was made before."""
    row = office.execute(
        sa.select(export).where(export.c.target == target, export.c.business_date == date.isoformat())
    ).one_or_none()
    if row is None:
        return None
    return Exported(target, row.format, date, row.number, row.entries, row.digest, bytes(row.body), True)


def export_date(
    stores: Stores,
    asked: Asked,
    city: City,
    *,
    patience_s: int = PATIENCE_S,
    allowed: Callable[[Collection[tuple[str, int]]], str] = lambda _: "",
) -> Exported:
    """Export a date and seal it, or return what was stored when it was.

    `allowed` is told which boxes with cash of the date nobody has counted and says why not, or "".

    Raises:
        HubError: the date is not over, out of turn or open at a kiosk; an account is unknown; the format failed.
    """
    if not _TARGET.fullmatch(asked.target):
        raise HubError(f"{asked.target[:40]!r} cannot name a target", hint="small letters, digits, - and _")
    with stores.office.connect() as office:
        before = stored(office, asked.target, asked.date)
        last = office.execute(
            sa.select(export.c.business_date, export.c.number, export.c.through, export.c.format, export.c.apart)
            .where(export.c.target == asked.target).order_by(export.c.number.desc()).limit(1)
        ).one_or_none()  # fmt: skip
    if last is not None and last.format != asked.format.name:
        raise HubError(f"{asked.target} gets its exports as {last.format}",
                       hint=f"--format {last.format}, or another --target")  # fmt: skip
    if before is None and asked.date >= asked.running:
        raise HubError(f"{asked.date} is not over", hint=f"the newest date that can be exported is "
                       f"{asked.running - dt.timedelta(days=1)}")  # fmt: skip
    if before is None and last is not None and asked.date.isoformat() < last.business_date:
        raise HubError(f"{asked.date} had no entries and was sealed with {last.business_date}",
                       hint="what came for it later is in the exports after that")  # fmt: skip
    _await_books(stores, patience_s if before is None else 0)
    with stores.books.connect() as books:
        if stores.postgresql:  # one state of the books for all questions, as SQLite gives by itself
            books.execution_options(isolation_level="REPEATABLE READ")
        if rebuilding(books):  # looked at here, in the state that is exported: a rebuild may have begun meanwhile
            raise HubError("the books are being posted anew", hint="ask again when the projector is done",
                           transient=True)  # fmt: skip
        after, number = (last.through, last.number + 1) if last is not None else (0, 1)
        if before is not None:
            return _judged(before, books, _which(stores, before), allowed)
        through = max(after, books.execute(sa.select(sa.func.max(posting.c.position))).scalar() or 0)
        span = booked.Span(asked.date, after, through)
        agreement.in_turn(books, asked.date, asked.target, last.business_date if last is not None else "")
        with stores.office.connect() as office:
            open_at = not_closed(office, books, asked.date)
        if open_at and not asked.even_so:
            raise HubError(
                f"{asked.date} is still open at {_listed(open_at)}: what comes from there later posts on the next date",
                hint="wait for their Z closing, or give --even-so",
            )
        found = booked.entries(books, span, Apart.read(last.apart) if last is not None else booked.NONE)
        apart = Apart.of(books)
        agreement.adds_up(books, found, asked.date)
        uncounted = not_counted(books, found)
        if reason := allowed(uncounted):
            raise HubError(f"{asked.date} is not exported: {reason}", hint="count the boxes first, or ask an auditor")
        numbers = booked.receipts(books, found)
        ahead = agreement.ahead(books, asked.running)
    agreement.known(found, city.accounts)
    told = ExportedDate(
        business_date=asked.date, target=asked.target, number=number, city=city.name, currency=city.currency,
        accounts=city.accounts, blocks=tuple(booked.blocks(found, numbers, asked.date)), entries=len(found),
    )  # fmt: skip
    body = _written(asked.format, told)
    made = Exported(asked.target, asked.format.name, asked.date, number, len(found), sha256(body).hexdigest(), body,
                    False, tuple(open_at), tuple(uncounted), ahead)  # fmt: skip
    _seal(stores, made, span, asked, apart)
    return made


def _which(stores: Stores, made: Exported) -> tuple[booked.Span, Apart]:
    """Return over what a stored export reached."""
    with stores.office.connect() as office:
        ours = sa.select(export.c.after, export.c.through, export.c.apart).where(export.c.target == made.target)
        row = office.execute(ours.where(export.c.number == made.number)).one()
        last = office.execute(ours.where(export.c.number == made.number - 1)).one_or_none()
    return booked.Span(made.date, row.after, row.through), Apart.read(last.apart) if last is not None else booked.NONE


def _judged(
    made: Exported, books: sa.Connection, which: tuple[booked.Span, Apart],
    allowed: Callable[[Collection[tuple[str, int]]], str],
) -> Exported:  # fmt: skip
    uncounted = not_counted(books, booked.entries(books, *which))
    if reason := allowed(uncounted):
        raise HubError(f"{made.date} is not shown: {reason}", hint="count the boxes first, or ask an auditor")
    return msgspec.structs.replace(made, not_counted=tuple(uncounted))


def _await_books(stores: Stores, patience_s: int) -> None:
    """Wait until the books hold what kiosks had been told to be durable when this began."""
    until = time.monotonic() + patience_s
    while patience_s:
        with stores.segments.connect() as segments, stores.books.connect() as books:
            left = not_posted(segments, books)
        if not left:
            return
        if time.monotonic() > until:
            raise HubError(f"{left} segments are not in the books yet",
                           hint="wait until the hub has posted them; kiosk hub status tells")  # fmt: skip
        time.sleep(0.1)


def _written(format: Format, told: ExportedDate) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for piece in format.write(told):
        if not isinstance(piece, bytes):
            raise HubError(f"format {format.name} gave {type(piece).__name__} instead of bytes", hint="ask its author")
        size += len(piece)
        if size > LARGEST:
            raise HubError(f"format {format.name} wrote more than {LARGEST} bytes", hint="ask its author")
        pieces.append(piece)
    return b"".join(pieces)


def _seal(stores: Stores, made: Exported, span: booked.Span, asked: Asked, apart: Apart) -> None:
    with stores.office.begin() as office:
        newest = office.execute(sa.select(sa.func.max(export.c.number)).where(export.c.target == made.target)).scalar()
        if (newest or 0) + 1 != made.number:
            raise HubError(f"somebody else exported to {made.target} at the same time", hint="ask again")
        row = {
            "target": made.target, "business_date": made.date.isoformat(), "number": made.number, "after": span.after,
            "through": span.through, "digest": made.digest, "entries": made.entries, "at_ns": asked.now_ns,
            "by": asked.by, "body": made.body, "format": made.format, "apart": apart.write(),
        }  # fmt: skip
        office.execute(sa.insert(export).values(row))


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
