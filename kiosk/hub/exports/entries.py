"""Which entries belong to an export, read from the books, and how they become blocks.

For one target the exports form a chain: each knows the position up to which the books were posted when it ran
(`through`) and that of the one before (`after`).  An entry belongs to the export of the date it posts on, where it
was there by then; else to the first later export whose `through` reaches it.  Positions only grow, so that every entry
belongs to exactly one export, whatever the order in which facts arrived.  One that was in quarantine when an export
ran that it would have belonged to is in the first later one that ran when it was not (`apart`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from kiosk.hub.exports.apart import Apart, Run
from kiosk.hub.store.tables import fact, posting, receipt
from kiosk.model.entry import Posting
from kiosk.model.exported import ExportedBlock

NONE = Apart(())
#: Sessions of one question for receipts.
_A_QUESTION = 500


class Span(msgspec.Struct, frozen=True):
    """What an export reaches over: its date and two positions in the order of all facts."""

    date: dt.date
    #: `through` of the target's export before; 0 where there is none.
    after: int
    #: Last position that it sees.
    through: int


class BookedEntry(msgspec.Struct, frozen=True):
    """The postings of one fact in one currency, as the books hold them."""

    kiosk: str
    epoch: int
    seq: int
    session: str
    #: The date it posts on at the kiosk, and the tender's own.
    posts_on: dt.date
    business_date: dt.date
    reason: str
    currency: str
    postings: tuple[Posting, ...]


def within(span: Span) -> sa.ColumnElement[bool]:
    """Return the condition on `posting` that tells whether it belongs to an export."""
    day = span.date.isoformat()
    return sa.and_(
        posting.c.position <= span.through,
        sa.or_(
            posting.c.posts_on == day,
            sa.and_(posting.c.posts_on < day, posting.c.position > span.after),
        ),
    )


def entries(books: sa.Connection, span: Span, before: Apart = NONE) -> list[BookedEntry]:
    """Return the entries of an export by kiosk, epoch and seq; `before`: what was set apart when the last one ran."""
    place = (posting.c.kiosk, posting.c.epoch, posting.c.seq)
    joined = sa.outerjoin(posting, fact, sa.and_(*(column == fact.c[column.name] for column in place)))
    chosen = sa.select(
        *place, fact.c.session, posting.c.posts_on, posting.c.business_date, posting.c.reason, posting.c.currency,
        posting.c.account, posting.c.minor,
    ).select_from(joined).order_by(*place, posting.c.line)  # fmt: skip
    missed = (posting.c.position <= span.after) & (posting.c.posts_on < span.date.isoformat())
    found: dict[tuple[str, int, int, str], tuple[Any, list[Posting]]] = {}
    for which in (within(span), *(missed & _run(run) for run in before.runs)):
        for row in books.execute(chosen.where(which)):
            key = (row.kiosk, row.epoch, row.seq, row.currency)
            found.setdefault(key, (row, []))[1].append(Posting(row.account, row.minor))
    found = dict(sorted(found.items()))
    return [
        BookedEntry(row.kiosk, row.epoch, row.seq, row.session or "", dt.date.fromisoformat(row.posts_on),
                    dt.date.fromisoformat(row.business_date), row.reason, row.currency, tuple(postings))
        for row, postings in found.values()
    ]  # fmt: skip


def _run(run: Run) -> sa.ColumnElement[bool]:
    kiosk, epoch, first, last = run
    return (posting.c.kiosk == kiosk) & (posting.c.epoch == epoch) & posting.c.seq.between(first, last)


def receipts(books: sa.Connection, found: Iterable[BookedEntry]) -> dict[tuple[str, str], str]:
    """Return the receipt of each session: (kiosk, session) -> number; a payment's own before others."""
    sessions = sorted({each.session for each in found if each.session})
    numbers: dict[tuple[str, str], str] = {}
    for begin in range(0, len(sessions), _A_QUESTION):
        rows = books.execute(
            sa.select(receipt.c.kiosk, receipt.c.session, receipt.c.id)
            .where(receipt.c.session.in_(sessions[begin : begin + _A_QUESTION]))
            .order_by(sa.case((receipt.c.slip == "receipt", 0), else_=1), receipt.c.epoch, receipt.c.seq)
        )
        for row in rows:
            numbers.setdefault((row.kiosk, row.session), row.id)
    return numbers


def blocks(booked: Iterable[BookedEntry], numbers: Mapping[tuple[str, str], str], day: dt.date) -> list[ExportedBlock]:
    """Net entries that belong to one receipt, of one tender date and currency, into one block each.

    What nets to nothing, such as a note that came and was given back, is left out.
    """
    together: dict[tuple[object, ...], list[BookedEntry]] = {}
    for each in booked:
        whose: object = each.session or each.seq
        together.setdefault((each.kiosk, each.epoch, whose, each.currency, _tendered(each, day)), []).append(each)
    made = [_block(group, numbers, day) for group in together.values()]
    return sorted((each for each in made if each.lines), key=lambda each: (each.kiosk, each.epoch, each.seq))


def _tendered(each: BookedEntry, day: dt.date) -> dt.date | None:
    """Return the tender's own date where it is another than the one that is exported."""
    return None if each.business_date == each.posts_on == day else each.business_date


def _block(group: list[BookedEntry], numbers: Mapping[tuple[str, str], str], day: dt.date) -> ExportedBlock:
    first = group[0]
    sums: dict[str, int] = {}
    for entry in group:
        for line in entry.postings:
            sums[line.account] = sums.get(line.account, 0) + line.minor
    lines = sorted((minor < 0, account, minor) for account, minor in sums.items() if minor)
    return ExportedBlock(
        receipt=numbers.get((first.kiosk, first.session), ""), kiosk=first.kiosk, epoch=first.epoch, seq=first.seq,
        reasons=tuple(dict.fromkeys(entry.reason for entry in group)), currency=first.currency,
        lines=tuple(Posting(account, minor) for _, account, minor in lines), tendered=_tendered(first, day),
    )  # fmt: skip
