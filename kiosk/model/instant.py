"""Instants: what the wall clock said, what the monotonic clock said, and in which boot.

A clock is evidence, not order: facts are ordered by sequence number, and an instant only tells what the
machine believed.  Nothing here reads a clock; instants are made by the one clock of the core.
"""

from __future__ import annotations

import datetime as dt

import msgspec

NS = 1_000_000_000


class Instant(msgspec.Struct, frozen=True, array_like=True):
    """One moment as this machine saw it."""

    #: Wall clock, nanoseconds since 1970-01-01 UTC.
    wall_ns: int
    #: Offset of the city's zone from UTC at that moment, seconds.
    utc_offset_s: int
    #: Monotonic clock, nanoseconds since an unknown start; comparable within one boot only.
    mono_ns: int
    #: Identifies the boot the monotonic clock belongs to.
    boot_id: str

    def local(self) -> dt.datetime:
        """Return the wall time in the city's zone, with its offset, to the microsecond."""
        zone = dt.timezone(dt.timedelta(seconds=self.utc_offset_s))
        seconds, ns = divmod(self.wall_ns, NS)
        return dt.datetime.fromtimestamp(seconds, zone).replace(microsecond=ns // 1000)

    def iso(self) -> str:
        """Return the local wall time as ISO 8601 to the second, with the offset."""
        return self.local().isoformat(timespec="seconds")


def business_date(local: dt.datetime, cut_off: dt.time) -> dt.date:
    """Return the business date of a local time: a day runs from cut-off to cut-off.

    With a cut-off of 17:00, 16:59 belongs to today and 17:00 to tomorrow; with one of 03:00, 02:59 belongs to yesterday
    and 03:00 to today: noon always has the date of its calendar day.  A cut-off of 00:00 is the calendar day.
    """
    ended = local.timetz().replace(tzinfo=None) >= cut_off
    if cut_off < dt.time(12):
        return local.date() if ended else local.date() - dt.timedelta(days=1)
    return local.date() + dt.timedelta(days=1) if ended else local.date()
