"""The one place that reads clocks, and the judge of whether the wall clock can be believed.

The wall clock is evidence.  When it moves against the monotonic clock by more than two seconds, or stands before
the last committed fact at start, it is *unsure*: facts keep recording what it says, but prices and business
dates follow the last trusted moment plus monotonic time, so that no penalty changes because a battery died
(screens sheet, OP6).
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
#: A kiosk that slept longer than this between two facts is asked to have its clock checked: longer than a season,
#: and less than a year, the mistake of a clock chip that was set by hand.
LONGEST_SLEEP_NS = 180 * 86_400 * NS


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
    ) -> None:
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
                self._trusted_offset = offset
            return 0
        self.unsure = abs(offset - self._trusted_offset) >= JUMP_NS
        return jump // 1_000_000

    def held_against(self, last_wall_ns: int) -> int:
        """Hold the wall clock against the last fact at start; return how far it is off in milliseconds, 0 if fine.

        Behind the last fact, or further ahead of it than a kiosk sleeps: time goes on from that fact, until a person
        has looked at the clock (`trust`); a kiosk that really slept so long has other things to be checked too.
        """
        ahead = self._wall() - last_wall_ns
        if 0 <= ahead <= LONGEST_SLEEP_NS:
            return 0
        self.unsure = True
        self._trusted_offset = last_wall_ns - self._mono()
        return ahead // 1_000_000

    def trust(self) -> None:
        """Believe the wall clock from now on (an authorised person has set it right)."""
        self._trusted_offset = self._last_offset = self._wall() - self._mono()
        self.unsure = False
