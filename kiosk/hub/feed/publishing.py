"""Publishes what is owed: imported rows with what the hub has posted to them, ready to send.

Runs in the projector's process and in its transaction, because it writes the books.  Every changed row gets the next
cursor of its data set; the set's digest is kept by sums (`sync.feed`).  A row that is gone stays as a tombstone until
there are too many of those; the newest one thrown away moves the horizon, and who is behind it takes a snapshot.

Rule that must stay true, because kiosks subtract their own payments by it: when a transaction of `refresh` ends, every
published row holds exactly the balance that the books have, and `published_through` is how far those books have counted
each kiosk.  So all changed balances are published at every call; only imports wait for the next one.

What the source of an import had counted itself (`invoice.counted`, an export's position) is in its own paid amount
and is not added again.  An invoice that kiosks paid in full is published as paid: its fee clock stopped at the tender
instant, however long the source takes to learn of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from kiosk.hub.posting.pen import Pen, quoted
from kiosk.hub.revisions import current
from kiosk.hub.store.tables import (
    data_import,
    invoice,
    invoice_balance,
    payment,
    posted_through,
    publication,
    published,
    published_through,
    state,
)
from kiosk.model.invoice import STATES
from kiosk.sync.feed import digest_of, row_bytes, total_of, weight
from kiosk.sync.replica import data_set_of

#: Rows of imports that one call publishes, about.
MOST_ROWS = 20_000
#: Tombstones of a data set that are kept.
TOMBSTONES = 100_000
_AT_ONCE = 1_000
_STATE = {name: place for place, name in enumerate(STATES)}
_IMPORTED = (
    "service", "number", "currency", "amount_minor", "paid_minor", "state", "issued", "due", "code", "offence",
    "held_days", "plate_hash", "gone", "counted", "changed",
)  # fmt: skip


#: An imported row, in the order of `_IMPORTED`.
Imported = Any


def refresh(books: sa.Connection, office: sa.Engine, now_ns: int, *, most: int = MOST_ROWS) -> bool:
    """Publish what changed, within the running transaction of the books; return whether more is waiting.

    A large import is published in several calls, so that posting goes on between them.

    Called by the projector alone, once it has posted everything that was there when it began: what is published
    while old facts are posted again would take payments back.
    """
    marks = _Marks(books)
    balances, imports = marks.get("published:balances"), marks.get("published:invoices")
    work = _Publisher(books, now_ns)
    newest = books.execute(sa.select(sa.func.max(invoice_balance.c.changed))).scalar() or 0
    if newest > balances:
        wanted = sa.select(invoice_balance.c.service, invoice_balance.c.number)
        changed = [(row[0], row[1]) for row in books.execute(wanted.where(invoice_balance.c.changed > balances))]
        for service, numbers in _by_service(changed):
            with office.begin() as reading:
                rows = reading.execute(
                    _imported().where(invoice.c.service == service, invoice.c.number.in_(numbers))
                ).all()
            work.publish(service, rows)
        marks.put("published:balances", newest)
    # Books that were posted anew begin without marks while rows of the old ones are still published.  Until every row
    # was looked at, one may hold a payment that these books do not know: that is one step, however long.
    at_once = not imports and books.execute(sa.select(published.c.cursor).limit(1)).first() is not None
    more = True
    while more:
        with office.begin() as reading:
            page, seen, more = _page(reading, imports, most)
            ages = _ages(reading, now_ns) if seen != imports and not more else {}
        for service, rows in _rows_by_service(page):
            work.publish(service, rows)
        for service, at_ns in ages.items():
            work.taken(service, at_ns)
        if seen != imports:
            marks.put("published:invoices", seen)
        imports = seen
        if not at_once:
            break
    if work.end() or newest > balances:
        _count_kiosks(books)
    return more


class _Publisher:
    """One call's work: knows the publications it touches."""

    def __init__(self, books: sa.Connection, now_ns: int) -> None:
        self._books, self._now_ns, self._pen = books, now_ns, Pen(books)
        self._sets: dict[str, _Set] = {}

    def publish(self, service: str, rows: Sequence[Imported]) -> None:
        """Publish these imported rows with their balances, as far as they differ from what is published."""
        found = self._set(service)
        for at in range(0, len(rows), _AT_ONCE):
            self._publish(found, service, rows[at : at + _AT_ONCE])

    def taken(self, service: str, at_ns: int) -> None:
        """Tell when a set was taken at its source; that alone is a change, because kiosks judge data by their age."""
        found = self._set(service)
        if found.taken_at_ns != at_ns:
            found.taken_at_ns, found.cursor, found.dirty = at_ns, found.cursor + 1, True

    def end(self) -> bool:
        """Write the publications; return whether anything changed."""
        dirty = [each for each in self._sets.values() if each.dirty]
        for each in dirty:
            self._bury(each)
            self._books.execute(
                sa.update(publication).where(publication.c.data_set == each.name).values(
                    cursor=each.cursor, horizon=each.horizon, digest=digest_of(each.total), rows=each.rows,
                    taken_at_ns=each.taken_at_ns,
                )
            )  # fmt: skip
        return bool(dirty)

    def _set(self, service: str) -> _Set:
        name = data_set_of(service)
        if name not in self._sets:
            row = self._books.execute(sa.select(publication).where(publication.c.data_set == name)).first()
            if row is None:
                # Books that were built anew begin another generation: kiosks with the same digest only take its name.
                # It counts from 1, so that it is told also while it is empty: kiosks may hold rows of the one before.
                values = {"data_set": name, "generation": self._now_ns // 1_000_000, "cursor": 1, "horizon": 0,
                          "digest": digest_of(0), "rows": 0, "taken_at_ns": 0}  # fmt: skip
                self._books.execute(sa.insert(publication), values)
                row = self._books.execute(sa.select(publication).where(publication.c.data_set == name)).one()
            self._sets[name] = _Set(row)
        return self._sets[name]

    def _publish(self, found: _Set, service: str, rows: Sequence[Imported]) -> None:
        numbers = tuple(row[1] for row in rows)
        balances = self._balances(service, rows, numbers)
        wanted = f"SELECT {quoted('key')}, {quoted('row')} FROM published"
        asked = f"{wanted} WHERE data_set = ? AND {_among('key', numbers)}"
        before = {row[0]: row[1] for row in self._pen.ask(asked, (found.name, *numbers))}
        changes = []
        for row in rows:
            number, old = row[1], before.get(row[1])
            new = None if row[12] else _row(row, *balances.get(number, (0, False)))
            if new == old:
                continue
            if old is not None:
                found.total -= weight(old)
                found.rows -= 1
            if new is not None:
                found.total += weight(new)
                found.rows += 1
            found.cursor, found.dirty = found.cursor + 1, True
            changes.append((found.name, number, found.cursor, new))
        self._pen.replace("published", changes)

    def _balances(
        self, service: str, rows: Sequence[Imported], numbers: tuple[str, ...]
    ) -> dict[str, tuple[int, bool]]:
        """Return by number what the hub adds to the imported paid amount, and whether it is settled."""
        columns = "number, paid_minor, owed_minor, changed, bill, currency"
        asked = f"SELECT {columns} FROM invoice_balance WHERE service = ? AND "
        currencies = {row[1]: row[2] for row in rows}  # of two currencies nothing is added up
        balances = self._pen.ask(asked + _among("number", numbers), (service, *numbers))
        posted = [row[:5] for row in balances if row[5] == currencies[row[0]]]
        if not posted:
            return {}
        there = {row[0] for row in posted}
        counted = {row[1]: row[13] for row in rows if row[13] and row[1] in there}
        known = self._known_to_the_source(service, counted)
        issued = {row[1]: row[6] for row in rows}
        told = {}
        for number, paid, owed, changed, bill in posted:
            if bill and bill != issued[number]:
                # What is posted is about another bill of the account: an older one leaves this one as it is, and a
                # later one has taken its place.
                told[number] = (0, bill > issued[number])
                continue
            settled = owed is not None and paid >= owed and changed > counted.get(number, 0)
            told[number] = (paid - known.get(number, 0), settled)
        return told

    def _known_to_the_source(self, service: str, counted: dict[str, int]) -> dict[str, int]:
        found: dict[str, int] = {}
        if counted:
            columns = (payment.c.number, payment.c.position, payment.c.minor - payment.c.excess_minor)
            ours = (payment.c.service == service) & payment.c.number.in_(list(counted))
            ours &= sa.exists().where(
                invoice_balance.c.service == service, invoice_balance.c.number == payment.c.number,
                invoice_balance.c.currency == payment.c.currency,
                invoice_balance.c.bill == payment.c.bill,
            )  # fmt: skip
            for number, position, minor in self._books.execute(sa.select(*columns).where(ours)):
                if position <= counted[number]:
                    found[number] = found.get(number, 0) + minor
        return found

    def _bury(self, found: _Set) -> None:
        """Throw away the oldest tombstones where there are too many."""
        ours = (published.c.data_set == found.name) & published.c.row.is_(None)
        cursors = sa.select(published.c.cursor).where(ours).order_by(published.c.cursor.desc())
        last = self._books.execute(cursors.offset(TOMBSTONES).limit(1)).scalar()
        if last is not None:
            self._books.execute(sa.delete(published).where(ours, published.c.cursor <= last))
            found.horizon = last


class _Set:
    """A publication while it is worked on."""

    def __init__(self, row: Any) -> None:
        self.name: str = row.data_set
        self.cursor: int = row.cursor
        self.horizon: int = row.horizon
        self.total = total_of(row.digest)
        self.rows: int = row.rows
        self.taken_at_ns: int = row.taken_at_ns
        self.dirty = False


class _Marks:
    """How far the publisher has read, kept in the books: books that are built anew are published anew."""

    def __init__(self, books: sa.Connection) -> None:
        self._books = books

    def get(self, name: str) -> int:
        found = self._books.execute(sa.select(state.c.value).where(state.c.name == name)).scalar()
        return int(found or 0)

    def put(self, name: str, value: int) -> None:
        insert = _insert(self._books)(state).values(name=name, value=str(value))
        self._books.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"value": str(value)}))


def _row(row: Imported, posted_minor: int, settled: bool) -> bytes:
    told = _STATE["paid"] if settled and row[5] == "open" else _STATE[row[5]]
    return row_bytes((
        row[1], row[2], row[3], max(0, row[4] + posted_minor), told, _ordinal(row[6]),
        None if row[7] is None else _ordinal(row[7]), row[8], row[9], row[10],
        bytes.fromhex(row[11]) if row[11] else None, 0, 0,
    ))  # fmt: skip


@lru_cache(maxsize=8192)
def _ordinal(day: str) -> int:
    return dt.date.fromisoformat(day).toordinal()


def _among(column: str, values: Sequence[str]) -> str:
    return f"{quoted(column)} IN ({', '.join('?' * len(values))})"


def _insert(books: sa.Connection) -> Any:
    return (postgresql if books.dialect.name == "postgresql" else sqlite).insert


def _imported() -> sa.Select[Any]:
    return sa.select(*(invoice.c[name] for name in _IMPORTED))


def _page(office: sa.Connection, seen: int, most: int) -> tuple[Sequence[Imported], int, bool]:
    """Return imported rows that changed after a number, up to which number they are whole, and whether more wait."""
    now = current(office, "invoices")  # before the rows: a change that comes between is seen the next time
    while True:
        wanted = _imported().where(invoice.c.changed > seen).order_by(invoice.c.changed).limit(most + 1)
        rows = office.execute(wanted).all()
        if len(rows) <= most:
            return rows, max([now, *(row.changed for row in rows[-1:])]), False
        whole = [row for row in rows if row.changed < rows[-1].changed]
        if whole:
            return whole, whole[-1].changed, True
        most *= 2  # one change is larger than a page


def _ages(office: sa.Connection, now_ns: int) -> dict[str, int]:
    """Return when each service was imported last; a time to come, of a clock that was wrong then, is no younger."""
    at_ns = sa.case((data_import.c.at_ns <= now_ns, data_import.c.at_ns), else_=0)
    wanted = sa.select(data_import.c.service, sa.func.max(at_ns)).group_by(data_import.c.service)
    return {row[0]: row[1] or now_ns for row in office.execute(wanted)}


def _count_kiosks(books: sa.Connection) -> None:
    """Keep how far these balances have counted each kiosk."""
    wanted = sa.select(posted_through.c.kiosk, posted_through.c.epoch, posted_through.c.seq).where(sa.true())
    insert = _insert(books)(published_through).from_select(["kiosk", "epoch", "seq"], wanted)
    excluded = {"epoch": insert.excluded.epoch, "seq": insert.excluded.seq}
    books.execute(insert.on_conflict_do_update(index_elements=["kiosk"], set_=excluded))


def _by_service(names: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for service, number in names:
        found.setdefault(service, []).append(number)
    for service, numbers in sorted(found.items()):
        for at in range(0, len(numbers), _AT_ONCE):
            yield service, numbers[at : at + _AT_ONCE]


def _rows_by_service(rows: Iterable[Imported]) -> Iterator[tuple[str, list[Imported]]]:
    found: dict[str, list[Imported]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    yield from sorted(found.items())
