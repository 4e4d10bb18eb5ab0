"""Whatever the order of arrival: every posting is in exactly one export of a target, and its sums are the ledger's."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.errors import HubError
from kiosk.hub.exports import entries as booked
from kiosk.hub.exports.formats import Format
from kiosk.hub.exports.recount import recount
from kiosk.hub.exports.sealing import export_date
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores
from kiosk.model.exported import ExportedDate
from tests.hub.exports.factory import CITY, DAY, NOTES, ONE, SETTLED, Books, asked

_SHAPES = (
    NOTES,
    SETTLED,
    (("reversal", (("A200", -700), ("A698", 700))),),
    (("suspense", (("A200", 1), ("A691", -1))),),
)

#: An arrival: kiosk, day it posts on, shape, session.
ARRIVAL = st.tuples(
    st.sampled_from(("K07", "K08", "K10")), st.integers(0, 4), st.integers(0, 3), st.sampled_from(("", "s1", "s2"))
)
#: What happens in turn: facts arrive, or the next dates are exported (how many at once).
STEP = st.one_of(ARRIVAL, st.integers(1, 2))


def emptied(stores: Stores) -> Books:
    """The books of a hub that has seen nothing."""
    for group, names in (("books", ("posting", "fact", "receipt", "day_sum")), ("office", ("export",))):
        with stores.engine(group).begin() as connection:
            for name in names:
                connection.execute(sa.delete(getattr(tables, name)))
    return Books(stores)


def places(stores: Stores, target: str) -> Counter[tuple[object, ...]]:
    """Every posting's place, as often as an export of the target holds it."""
    found: Counter[tuple[object, ...]] = Counter()
    with stores.office.connect() as office, stores.books.connect() as books:
        for row in office.execute(sa.select(tables.export).where(tables.export.c.target == target)):
            span = booked.Span(dt.date.fromisoformat(row.business_date), row.after, row.through)
            for each in booked.entries(books, span):
                found.update((each.kiosk, each.epoch, each.seq, number) for number in range(len(each.postings)))
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=12))
def test_every_posting_is_in_exactly_one_export_whatever_the_order_of_arrival(
    stores: Stores, steps: list[tuple[str, int, int, str] | int]
) -> None:
    books = emptied(stores)
    bodies: list[bytes] = []
    day = DAY
    for step in [*steps, 7]:  # in the end every date is exported
        if isinstance(step, int):
            for _ in range(step):
                made = export_date(stores, asked(day), CITY)
                assert export_date(stores, asked(day), CITY).body == made.body
                bodies.append(made.body)
                day += ONE
        else:
            kiosk, after, shape, session = step
            books.post(kiosk, _SHAPES[shape], day=DAY + after * ONE, session=session)
    if day <= DAY + 4 * ONE:
        bodies += [export_date(stores, asked(DAY + n * ONE), CITY).body for n in range((day - DAY).days, 5)]
    with stores.books.connect() as connection:
        place = (tables.posting.c.kiosk, tables.posting.c.epoch, tables.posting.c.seq, tables.posting.c.line)
        every = {tuple(row) for row in connection.execute(sa.select(*place))}
    assert places(stores, "csv") == Counter(dict.fromkeys(every, 1))
    assert list(recount(stores)) == []
    net: Counter[str] = Counter()
    for body in bodies:
        debit = credit = Decimal(0)
        for row in csv.DictReader(io.StringIO(body.decode(), newline="")):
            taken, given_ = Decimal(row["debit"] or 0), Decimal(row["credit"] or 0)
            debit, credit = debit + taken, credit + given_
            net[row["account"]] += int((taken - given_) * 100)
        assert debit == credit
    assert {account: minor for account, minor in net.items() if minor} == books.net()


def test_of_two_exports_at_the_same_time_one_seals_the_date(both_stores: Stores) -> None:
    Books(both_stores).pay("K07", "s1")
    wish = asked()

    def overtaken(told: ExportedDate) -> Iterable[bytes]:
        export_date(both_stores, wish, CITY)
        return wish.format.write(told)

    slow = Format("csv", "csv", "", overtaken)
    with pytest.raises(HubError, match="somebody else exported to csv"):
        export_date(both_stores, asked(form=slow), CITY)
    with both_stores.office.connect() as office:
        assert office.execute(sa.select(sa.func.count()).select_from(tables.export)).scalar() == 1


def test_bytes_that_were_stored_are_given_again_though_the_books_have_changed(stores: Stores) -> None:
    books = Books(stores)
    books.pay("K07", "s1")
    body = export_date(stores, asked(), CITY).body
    with stores.books.begin() as connection:
        connection.execute(sa.delete(tables.posting))
    assert export_date(stores, asked(), CITY).body == body
