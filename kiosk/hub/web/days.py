"""Days, closings and boxes: what was paid by date, kiosk and service, and where the notes are.

Sums come from `day_sum`, by the date an entry posts on.  *Applied* is what settlements credited to anything but the
counter's own accounts and the links between funds: revenue, and what is owed to others out of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.responses import Response

from kiosk.hub.store.tables import box, closing, day_sum, fact
from kiosk.hub.web.chart import Bar, bars
from kiosk.hub.web.desk import Look
from kiosk.hub.web.fence import Fence
from kiosk.hub.web.receipts import read_date
from kiosk.ledger.chart import Chart
from kiosk.model.instant import NS, business_date

#: Dates that one page tells, and those it shows unasked.
MOST_DAYS, USUAL_DAYS = 92, 14
MOST_ROWS = 200


class Day(msgspec.Struct, kw_only=True):
    """One date at one kiosk; all sums are minor units of one currency."""

    date: str
    kiosk: str
    currency: str
    #: What was applied, by service.
    applied: dict[str, int]
    overpaid_minor: int
    #: Nothing of it may be told: a box that holds notes of this date was not counted.
    sealed: bool

    @property
    def total_minor(self) -> int:
        """All that was applied."""
        return sum(self.applied.values())


def page(look: Look) -> Response:
    """Draw the days between two dates, their closings and boxes."""
    today = business_date(look.words.local(look.now_ns), dt.time.fromisoformat(look.desk.setup.cut_off))
    last = read_date(look.asked("to"), today)
    first = read_date(look.asked("from"), last - dt.timedelta(days=USUAL_DAYS - 1))
    first = min(max(first, last - dt.timedelta(days=MOST_DAYS - 1)), last)
    name = look.asked("kiosk").upper()
    with look.desk.reader.books.connect() as connection:
        fence = look.fence(connection)
        sealed = fence.sealed_days(connection, first.isoformat(), last.isoformat())
        days = sums(connection, look.desk.setup.chart, sealed, first.isoformat(), last.isoformat(), name)
        kiosks = sorted(connection.execute(sa.select(day_sum.c.kiosk).distinct()).scalars())
        closings = _closings(connection, fence, look, first, last, name)
        boxes = _boxes(connection, fence, name)
    currency = look.desk.setup.config.hub.currency
    shown = [day for day in days if day.currency == currency]
    services = sorted({service for day in shown for service in day.applied}, key=lambda one: (one == "", one))
    names = {service: look.words.service(service) for service in services}
    return look.draw(
        "days.html", days=days, closings=closings, boxes=boxes, services=services, names=names, kiosks=kiosks,
        asked={"from": first.isoformat(), "to": last.isoformat(), "kiosk": name}, most=MOST_ROWS,
        drawing=bars(by_date(shown), services, names, lambda minor: look.words.money(minor, currency)),
        any_sealed=any(day.sealed for day in days),
    )  # fmt: skip


def sums(
    connection: sa.Connection, chart: Chart, sealed: Iterable[tuple[str, str]], first: str, last: str, kiosk: str = ""
) -> list[Day]:
    """Return the sums by date and kiosk, the latest date first; of a sealed one only that it is there."""
    chosen = sa.select(day_sum).where(day_sum.c.posts_on.between(first, last))
    if kiosk:
        chosen = chosen.where(day_sum.c.kiosk == kiosk)
    counter = set(msgspec.structs.astuple(chart.roles))
    counter |= {account for link in chart.funds.values() for account in (link.due_from, link.due_to)}
    hidden = set(sealed)
    days: dict[tuple[str, str, str], Day] = {}
    for row in connection.execute(chosen):
        closed = (row.kiosk, row.posts_on) in hidden
        key = (row.posts_on, row.kiosk, "" if closed else row.currency)
        if key not in days:
            days[key] = Day(
                date=row.posts_on, kiosk=row.kiosk, currency=row.currency, applied={}, overpaid_minor=0, sealed=closed
            )
        if closed:
            continue
        if row.account == chart.roles.overpayment:
            days[key].overpaid_minor -= row.minor
        elif row.account not in counter:
            days[key].applied[row.service] = days[key].applied.get(row.service, 0) - row.minor
    return sorted(days.values(), key=lambda day: (_falling(day.date), day.kiosk, day.currency))


def by_date(days: Iterable[Day]) -> list[Bar]:
    """Return a bar for each date over all kiosks, the earliest first."""
    found: dict[str, Bar] = {}
    for day in sorted(days, key=lambda one: one.date):
        bar = found.setdefault(day.date, Bar(day.date, {}, False))
        # A sum over kiosks is sealed where one of them is: half a sum would pass for the whole.
        bar.sealed = bar.sealed or day.sealed
        for service, minor in day.applied.items():
            bar.parts[service] = bar.parts.get(service, 0) + minor
    for bar in found.values():
        if bar.sealed:
            bar.parts = {}
    return list(found.values())


def _closings(
    connection: sa.Connection, fence: Fence, look: Look, first: dt.date, last: dt.date, name: str
) -> list[tuple[Any, bool]]:
    zone = look.words.local(look.now_ns).tzinfo
    since = int(dt.datetime.combine(first, dt.time(), zone).timestamp()) * NS
    until = int(dt.datetime.combine(last + dt.timedelta(days=2), dt.time(), zone).timestamp()) * NS
    here = (fact.c.kiosk == closing.c.kiosk) & (fact.c.epoch == closing.c.epoch) & (fact.c.seq == closing.c.seq)
    chosen = (
        sa.select(closing, fact.c.position)
        .select_from(closing.outerjoin(fact, here))
        .where(closing.c.at_ns.between(since, until))
        .order_by(closing.c.at_ns.desc(), closing.c.kiosk)
        .limit(MOST_ROWS)
    )
    if name:
        chosen = chosen.where(closing.c.kiosk == name)
    return [(row, fence.seals(row.kiosk, row.position)) for row in connection.execute(chosen)]


def _boxes(connection: sa.Connection, fence: Fence, name: str) -> list[tuple[Any, bool]]:
    chosen = sa.select(box).order_by(box.c.state == "counted", box.c.kiosk, box.c.box_session.desc()).limit(MOST_ROWS)
    if name:
        chosen = chosen.where(box.c.kiosk == name)
    return [(row, not fence.open and row.state != "counted") for row in connection.execute(chosen)]


def _falling(date: str) -> int:
    """Order ISO dates from the latest on.

    >>> sorted(["2026-11-21", "2026-11-22"], key=_falling)
    ['2026-11-22', '2026-11-21']
    """
    return -int(date.replace("-", "") or "0")
