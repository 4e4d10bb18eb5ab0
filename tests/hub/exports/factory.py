"""Writes rows of the books as the projector would: entries, facts, receipts, closings and boxes of made-up kiosks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from kiosk.hub.exports.formats import BUILT_IN, Format
from kiosk.hub.exports.sealing import Asked, City
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores

DAY = dt.date(2026, 3, 10)
ONE = dt.timedelta(days=1)
CITY = City(
    "Example City",
    "USD",
    {"A200": "Cash", "A631": "Due to other governments", "A690": "Overpayments", "A691": "Suspense",
     "A698": "Unapplied tender", "A2130": "Refuse", "A2610": "Fines; parking"},
)  # fmt: skip
#: The payment of the domain sheet: a citation of 130.00 and tags of 27.00, paid with 160.00 in notes.
NOTES = (("note", (("A200", 10_000), ("A698", -10_000))), ("note", (("A200", 6_000), ("A698", -6_000))))
SETTLED = (("settlement", (("A698", 16_000), ("A2610", -11_500), ("A631", -1_500), ("A2130", -2_700), ("A690", -300))),)


class Books:
    """A hub's books that grow fact by fact, in the order of arrival."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.position = 0
        self.seqs: dict[str, int] = {}

    def enrol(self, *kiosks: str) -> None:
        """Approve kiosks."""
        with self.stores.office.begin() as office:
            office.execute(
                sa.insert(tables.kiosk),
                [{"id": each, "state": "approved", "realm": "live", "name": each, "place": "", "changed_ns": 1,
                  "changed_by": "p01", "worker": 0} for each in kiosks],
            )  # fmt: skip

    def post(
        self, kiosk: str, entries: Sequence[Any], *, day: dt.date = DAY, tendered: dt.date | None = None,
        session: str = "", currency: str = "USD",
    ) -> int:  # fmt: skip
        """Post entries of one kiosk, a fact each; return the seq of the last."""
        with self.stores.books.begin() as books:
            for reason, lines in entries:
                self.position += 1
                seq = self.seqs[kiosk] = self.seqs.get(kiosk, 0) + 1
                place = {"kiosk": kiosk, "epoch": 1, "seq": seq, "position": self.position,
                         "business_date": (tendered or day).isoformat()}  # fmt: skip
                books.execute(sa.insert(tables.fact).values(
                    place | {"kind": reason, "at_ns": self.position, "session": session, "worker": 0, "segment": 1,
                             "row": seq}))  # fmt: skip
                books.execute(
                    sa.insert(tables.posting),
                    [place | {"line": line, "posts_on": day.isoformat(), "reason": reason, "currency": currency,
                              "account": account, "minor": minor, "service": ""}
                     for line, (account, minor) in enumerate(lines)],
                )  # fmt: skip
                self._sum(books, kiosk, day.isoformat(), currency, lines)
        return self.seqs[kiosk]

    def _sum(self, books: sa.Connection, kiosk: str, day: str, currency: str, lines: Sequence[tuple[str, int]]) -> None:
        """Add an entry to the sums by day."""
        for account, minor in lines:
            key = {"posts_on": day, "kiosk": kiosk, "service": "", "currency": currency, "account": account}
            its = sa.and_(*(tables.day_sum.c[name] == value for name, value in key.items()))
            old = books.execute(sa.select(tables.day_sum.c.minor, tables.day_sum.c.entries).where(its)).one_or_none()
            books.execute(sa.delete(tables.day_sum).where(its))
            before, count = (old.minor, old.entries) if old is not None else (0, 0)
            books.execute(sa.insert(tables.day_sum).values(key | {"minor": before + minor, "entries": count + 1}))

    def pay(self, kiosk: str, session: str, **more: Any) -> str:
        """Post a whole payment with its receipt; return the receipt's number."""
        seq = self.post(kiosk, (*NOTES, *SETTLED), session=session, **more)
        number = f"{kiosk}-1-{seq:06d}-9f3c"
        self.position += 1
        self.seqs[kiosk] = seq + 1
        with self.stores.books.begin() as books:
            for slip, name in (("credit", f"{kiosk}-1-{seq - 1:06d}-0000"), ("receipt", number)):
                books.execute(sa.insert(tables.receipt).values(
                    id=name, kiosk=kiosk, epoch=1, seq=seq + 1, slip=slip, number=seq, session=session,
                    business_date=DAY.isoformat(), at_ns=1, language="en", position=self.position))  # fmt: skip
        return number

    def close(self, kiosk: str, day: dt.date, box_session: int = 1) -> None:
        """Close a business date of a kiosk with a Z."""
        seq = self.seqs[kiosk] = self.seqs.get(kiosk, 0) + 1
        with self.stores.books.begin() as books:
            books.execute(sa.insert(tables.closing).values(
                kiosk=kiosk, number=seq, epoch=1, seq=seq, cause="cut_off", closes_through=day.isoformat(),
                box_session=box_session, currency="USD", taken_minor=0, grand_total_minor=0, at_ns=1))  # fmt: skip

    def box(self, kiosk: str, session: int, state: str) -> None:
        """Tell what became of a box."""
        with self.stores.books.begin() as books:
            books.execute(sa.delete(tables.box).where(tables.box.c.kiosk == kiosk, tables.box.c.box_session == session))
            books.execute(sa.insert(tables.box).values(
                kiosk=kiosk, box_session=session, state=state, box="B1", left_ns=0, unknown_notes=0, currency="USD",
                collector="", counter="", second=""))  # fmt: skip

    def net(self) -> dict[str, int]:
        """Return what the ledger says, by account, without zeros."""
        with self.stores.books.connect() as books:
            rows = books.execute(
                sa.select(tables.posting.c.account, sa.func.sum(tables.posting.c.minor))
                .group_by(tables.posting.c.account)
            )  # fmt: skip
            return {account: int(minor) for account, minor in rows if minor}


def asked(day: dt.date = DAY, name: str = "csv", form: Format | None = None, **more: Any) -> Asked:
    """Return a wish for an export, on the day after."""
    whole = {"target": name, "by": "p07", "now_ns": 1, "running": day + ONE} | more
    return Asked(date=day, format=form or BUILT_IN[name], **whole)
