"""Days and months as the fee rules count them (domain sheet, Conventions).

The issue date is day 0 in the city's zone.  "After N days" is first true on day N+1, "at N days" on day N.
A due date lasts until midnight.
"""

from __future__ import annotations

import calendar
import datetime as dt


def add_months(day: dt.date, months: int) -> dt.date:
    """Return the same day of a later (or earlier) month, or that month's last day.

    >>> add_months(dt.date(2026, 1, 31), 1)
    datetime.date(2026, 2, 28)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def months_begun(due: dt.date, on: dt.date) -> int:
    """Return how many months have begun since the day after `due`.

    >>> months_begun(dt.date(2026, 1, 31), dt.date(2026, 3, 1))
    2
    """
    if on <= due:
        return 0
    months = (on.year - due.year) * 12 + on.month - due.month
    while add_months(due, months) >= on:
        months -= 1
    return months + 1


def next_day_of_year(since: dt.date, month: int, day: int) -> dt.date:
    """Return the first such calendar date on or after `since`; 29 February is 28 February in a common year."""
    for year in (since.year, since.year + 1):
        found = dt.date(year, month, min(day, calendar.monthrange(year, month)[1]))
        if found >= since:
            return found
    return found


def first_counting_day(issued: dt.date, *, days: int = 0, months: int = 0) -> dt.date:
    """Return the earliest issue date of a prior offence that counts towards an offence issued on `issued`."""
    return add_months(issued, -months) - dt.timedelta(days=days)


def offence_number(issued: dt.date, priors: tuple[dt.date, ...], *, days: int = 0, months: int = 0) -> int:
    """Return which offence of the rolling window an offence is, from 1.

    >>> offence_number(dt.date(2026, 3, 2), (dt.date(2025, 3, 2), dt.date(2025, 3, 1)), days=365)
    2
    """
    first = first_counting_day(issued, days=days, months=months)
    return 1 + sum(1 for prior in priors if first <= prior <= issued)
