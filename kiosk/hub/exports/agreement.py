"""What a date must agree with before it is exported: the order of dates, the ledger's own sums, the chart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Iterable

import sqlalchemy as sa

from kiosk.errors import HubError
from kiosk.hub.exports.entries import BookedEntry
from kiosk.hub.store.tables import day_sum

#: Dates to come that are told.
_TOLD = 8


def in_turn(books: sa.Connection, date: dt.date, target: str, last: str) -> None:
    """Refuse a date while an earlier one with entries waits; `last` was exported last, "" where none was.

    Raises:
        HubError: names the date that comes first.
    """
    day = date.isoformat()
    first = books.execute(
        sa.select(sa.func.min(day_sum.c.posts_on)).where(day_sum.c.posts_on > last, day_sum.c.posts_on < day)
    ).scalar()
    if first is not None:
        raise HubError(f"{first} has entries and was not exported to {target} yet",
                       hint=f"dates are exported in order: {first} first")  # fmt: skip


def ahead(books: sa.Connection, running: dt.date) -> tuple[str, ...]:
    """Return the first dates after the running one that have entries."""
    later = sa.select(day_sum.c.posts_on).where(day_sum.c.posts_on > running.isoformat()).distinct()
    return tuple(books.execute(later.order_by(day_sum.c.posts_on).limit(_TOLD)).scalars())


def adds_up(books: sa.Connection, found: Iterable[BookedEntry], date: dt.date) -> None:
    """Hold a date's entries against the ledger's own sums of that date.

    Raises:
        HubError: an account differs.
    """
    net: dict[tuple[str, str], int] = {}
    for entry in found:
        for line in entry.postings if entry.posts_on == date else ():
            net[entry.currency, line.account] = net.get((entry.currency, line.account), 0) + line.minor
    sums = books.execute(
        sa.select(day_sum.c.currency, day_sum.c.account, sa.func.sum(day_sum.c.minor).label("minor"))
        .where(day_sum.c.posts_on == date.isoformat()).group_by(day_sum.c.currency, day_sum.c.account)
    )  # fmt: skip
    ledger = {(row.currency, row.account): int(row.minor) for row in sums}
    for key in sorted(net.keys() | ledger.keys()):
        if net.get(key, 0) != ledger.get(key, 0):
            raise HubError(
                f"{date}: entries on {key[1][:40]} sum to {net.get(key, 0)} minor units, the ledger says "
                f"{ledger.get(key, 0)}",
                hint="kiosk hub verify, then kiosk hub rebuild; nothing was exported",
            )


def known(found: Iterable[BookedEntry], accounts: Container[str]) -> None:
    """Refuse entries on accounts that the chart does not know: accounting would not either.

    Raises:
        HubError: names the account and the entry.
    """
    for entry in found:
        for line in entry.postings:
            if line.account not in accounts:
                raise HubError(
                    f"account {line.account[:40]!r} of {entry.kiosk}-{entry.epoch}-f{entry.seq} is not in the chart",
                    hint="add it to chart.toml of the hub's pack: an export can not be taken back",
                )
