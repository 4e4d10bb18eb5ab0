"""The business day: which date facts belong to, and the Z closing that comes by itself after the cut-off.

The date moves only here, at the beginning of an item, and never inside of one: so whatever a step commits has one
date, and the closing of the date before stands in front of it.  Days on which the power was off are closed with the
next start, in one closing through the day before.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from kiosk.checkout.closing import Day, closing, closing_slip
from kiosk.checkout.steps import job_name
from kiosk.core.books import Books
from kiosk.core.clock import Clock
from kiosk.model import facts

ONE_DAY = dt.timedelta(days=1)


def day_of(books: Books, date: dt.date, currency: str) -> Day:
    """Return the present period as a closing needs it."""
    return Day(
        date=date, last_z=books.last_z, grand_total_minor=books.grand_total_minor, closed_through=books.closed_through,
        box_session=books.box_session, box=books.box_number, through_epoch=books.epoch, through_seq=books.seq,
        through_hash=books.head, currency=currency, period=books.period.summed(currency),
    )  # fmt: skip


class BusinessDay:
    """Owns the date of the facts that are made now."""

    def __init__(self, books: Books, clock: Clock, currency: str) -> None:
        self._books = books
        self._clock = clock
        self._currency = currency
        self.date = clock.business_date()

    def late(self) -> facts.Late | None:
        """Return where facts of a date that is closed are posted; None while it is open."""
        closed = self._books.closed_through
        if closed is None or self.date > closed:
            return None
        return facts.Late(closed + ONE_DAY, self._books.closing_of(self.date))

    def look(
        self,
        append: Callable[[Sequence[facts.AnyBody], str, str], None],
        watch: Callable[[], None],
        language: str,
    ) -> None:
        """Move to the present date, and close what is past; `watch` looks at the clock before anything is closed.

        Raises:
            JournalError: the closing could not be committed; the next look tries again.
        """
        books = self._books
        if self._past(self._clock.business_date()):
            watch()
        today = self._clock.business_date()
        if self._past(today):
            day = day_of(books, today, self._currency)
            z = closing(day, "cut_off", today - ONE_DAY)
            slip = closing_slip(
                day, z, language, number=books.last_receipt + 1, of_kind=books.of_kind.get("z", 0) + 1,
                about_seq=books.seq + 1,
            )  # fmt: skip
            unseen = facts.PrintEnded(slip.number, job_name(slip.number, 0), 0, "dropped", "nobody asked for it")
            self.date = today
            append((z, slip, unseen), "", "kiosk")
        self.date = today

    def _past(self, today: dt.date) -> bool:
        first = self._books.first_open
        return first is not None and first < today
