"""The one place that reads clocks, and the judge of whether the wall clock can be believed.

The wall clock is evidence.  When it moves against the monotonic clock by more than two seconds, or stands before
the last committed fact at start, it is *unsure*: facts keep recording what it says, but prices and business
dates follow the last trusted moment plus monotonic time, so that no penalty changes because a battery died
(screens sheet, OP6).

A doubt ends when the clock comes back, when a person believes it, or when a time service vouches for it: its mark
(a file that it touches whenever it has set or checked the clock) was touched after the doubt began, at the time that
the wall clock shows, and the wall clock stands at or after the last fact.  A restart ends no doubt.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kiosk.errors import ConfigError
from kiosk.model.instant import NS, Instant, business_date

#: A step of chrony is below this; a dead clock chip is far above.
JUMP_NS = 2 * NS
#: A kiosk that slept longer than this between two facts is asked to have its clock checked before it believes it: a
#: start closes all dates before it, and a closed date stays closed.
LONGEST_SLEEP_NS = 10 * 86_400 * NS

#: How long after its touch a time service's mark vouches for the wall clock; it is looked at every second.
FRESH_NS = 120 * NS
#: The mark of systemd-timesyncd, touched after every synchronisation (systemd-timesyncd.service(8)).
MARK = Path("/run/systemd/timesync/synchronized")


def touched(mark: Path) -> int | None:
    """Return the wall time at which a time service last touched its mark, None where there is no mark."""
    try:
        return mark.stat().st_mtime_ns
    except OSError:
        return None


def boot_id() -> str:
    """Return the id of this boot: from the service manager, else from the kernel, else "unknown"."""
    told = os.environ.get("KIOSK_BOOT_ID", "").replace("-", "")
    if told:
        return told[:32]
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")
    except OSError:
        return "unknown"


class Clock:
    """Reads wall and monotonic time; owns the judgement about the wall clock."""

    def __init__(
        self,
        zone: str,
        cut_off: dt.time = dt.time(0),
        *,
        wall: Callable[[], int] = time.time_ns,
        mono: Callable[[], int] = time.monotonic_ns,
        boot: str | None = None,
        synchronised: Callable[[], int | None] = lambda: None,
    ) -> None:
        """`synchronised` returns the wall time at which a time service last vouched for the clock."""
        try:
            self._zone = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ConfigError(f"time zone {zone!r} is not known", hint="use a name like America/Chicago") from error
        self._cut_off = cut_off
        self._wall = wall
        self._mono = mono
        self._boot = boot_id() if boot is None else boot
        #: Wall minus monotonic at the last trusted moment.
        self._trusted_offset = wall() - mono()
        self._last_offset = self._trusted_offset
        self._synchronised = synchronised
        #: The time service's mark when the clock was last sure.
        self._mark = synchronised()
        self.unsure = False

    def now_ns(self) -> int:
        """Return monotonic nanoseconds."""
        return self._mono()

    def instant(self) -> Instant:
        """Return the present moment as the machine believes it."""
        wall = self._wall()
        return Instant(wall, self._offset_s(wall), self._mono(), self._boot)

    def _offset_s(self, wall_ns: int) -> int:
        moment = dt.datetime.fromtimestamp(wall_ns // NS, self._zone)
        offset = moment.utcoffset()
        return int(offset.total_seconds()) if offset is not None else 0

    def trusted_wall_ns(self) -> int:
        """Return the wall time to judge by: the last trusted moment carried on by the monotonic clock."""
        return self._mono() + self._trusted_offset

    def trusted_local(self) -> dt.datetime:
        """Return `trusted_wall_ns` as the city's local time, to price by."""
        return dt.datetime.fromtimestamp(self.trusted_wall_ns() // NS, self._zone)

    def today(self) -> dt.date:
        """Return the local calendar date to price by."""
        return self.trusted_local().date()

    def business_date(self) -> dt.date:
        """Return the business date that facts made now belong to."""
        return business_date(self.trusted_local(), self._cut_off)

    def watch(self) -> int:
        """Compare wall and monotonic time; return the jump since the last call in milliseconds, 0 for none."""
        offset = self._wall() - self._mono()
        jump = offset - self._last_offset
        self._last_offset = offset
        if abs(jump) < JUMP_NS:
            if not self.unsure:
                self._trusted_offset, self._mark = offset, self._synchronised()
            return 0
        self.unsure = abs(offset - self._trusted_offset) >= JUMP_NS
        return jump // 1_000_000

    def held_against(self, last_wall_ns: int, *, gone_ns: int = 0, doubted: bool = False) -> int:
        """Hold the wall clock against the last fact at start; return how far it is off in milliseconds, 0 if fine.

        `last_wall_ns` is the trusted time of that fact, `gone_ns` the monotonic time since, 0 where it was in another
        boot.  Behind the last fact, or further ahead of it than a kiosk sleeps, or `doubted` then and not where it
        should be by now: time goes on from that fact until the doubt ends.
        """
        ahead = self._wall() - last_wall_ns
        there = abs(ahead - gone_ns) < JUMP_NS
        if there if doubted else 0 <= ahead <= LONGEST_SLEEP_NS:
            return 0
        self.unsure = True
        self._trusted_offset = last_wall_ns + gone_ns - self._mono()
        return ahead // 1_000_000 or (1 if ahead > 0 else -1)

    def off_ms(self) -> int:
        """Return how far the wall clock is from the trusted time, milliseconds."""
        return (self._wall() - self._mono() - self._trusted_offset) // 1_000_000

    def came_back(self) -> bool:
        """Tell whether a doubted wall clock stands where it should again."""
        return abs(self._wall() - self._mono() - self._trusted_offset) < JUMP_NS

    def vouched_for(self, last_wall_ns: int) -> bool:
        """Tell whether a time service has touched its mark since the doubt began, at the time the wall clock shows.

        Never where the wall clock stands before the last fact (at `last_wall_ns`): that needs a person.
        """
        told, wall = self._synchronised(), self._wall()
        if told is None or told == self._mark:
            return False
        return wall >= last_wall_ns and -JUMP_NS < wall - told <= FRESH_NS

    def trust(self) -> None:
        """Believe the wall clock from now on."""
        self._trusted_offset = self._last_offset = self._wall() - self._mono()
        self._mark = self._synchronised()
        self.unsure = False
