"""`make thirty-days`: a month of one kiosk, played fast through the real kernel, drivers and journal.

    python -m bench.thirty_days [--days N] [--payments N] [--seed N] [--keep DIRECTORY]

Citizens pay invoices of three services in every way there is, come back for what is held, walk off, cancel; the
acceptor jams, the power goes, the core is killed in the middle of a note and at every step of an exchange; the box
is exchanged at odd hours and once simply taken; there is a weekend without power, a summer-time change, a week
without paper and an hour of training; boxes are counted each morning, some over, some short.  In the end the notes that
the hardware holds, box by box, the journal, and two verifiers that share no code must agree.  The last line is one JSON
object; `differences` is how many things did not fit.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bench.thirty_days_acts import Acts
from bench.thirty_days_city import City
from bench.thirty_days_count import compare, met
from bench.thirty_days_kiosk import Kiosk, S
from bench.thirty_days_people import Citizen, Staff, Visit
from bench.thirty_days_plan import CALENDAR, SHORT_CALENDAR, visit_of

#: A Monday; the city's clocks go forward on the 21st day.
BEGINS = dt.date(2026, 2, 16)
OPENS, CLOSES = dt.time(7, 0), dt.time(23, 0)


class Month(Acts):
    """Plays the days one after the other; owns what happened and what did not fit."""

    def __init__(self, room: Path, *, days: int, payments: int, seed: int, quiet: bool = True) -> None:
        self.chance = random.Random(seed)
        self.days, self.wanted, self._quiet = days, payments, quiet
        self.city = City(room / "city", BEGINS, max(100, payments), self.chance)
        zone = Kiosk(self.city.setup, room, self.city.replica, dt.datetime.now(dt.UTC)).zone
        begins = dt.datetime.combine(BEGINS, dt.time(6, 0), zone)
        self.kiosk = Kiosk(self.city.setup, room, self.city.replica, begins)
        self.staff = Staff(self.kiosk)
        self.journal = room / "journal-live.db"
        self.calendar = CALENDAR if days > 7 else SHORT_CALENDAR
        #: Sessions whose box was counted, and what the count was made over or short by.
        self.counted: set[int] = set()
        self.planned: dict[int, int] = {}
        #: Box and seal of each session that ended.
        self.left: list[tuple[str, str]] = []
        #: Labels to come back for: (day, label).
        self.returning: list[tuple[int, str]] = []
        self.paid = 0
        self.day = 0
        self.visits = 0
        #: Payments before each day.
        self._begun: dict[int, int] = {}
        self.faults: list[str] = []

    # --- the days -----------------------------------------------------------------------------------------

    def play(self) -> None:
        """Play all days."""
        kiosk = self.kiosk
        kiosk.start()
        kiosk.run(5 * S)
        self.commission()
        for day in range(self.days):
            self.day, told = day, len(self.faults)
            agenda = sorted([*self._fixed(), *self._visits()], key=lambda each: each[0])
            for moment, what in agenda:
                kiosk.skip(self._ns_until(moment))
                if kiosk.kernel is None and kiosk.acceptor.powered:
                    self.faults.append(f"day {day + 1}: the core was dead at {moment}")
                    self.staff.awake()
                what()
                self._note_progress()
            share = self._share()
            last = day == self.days - 1
            while share and kiosk.kernel is not None and self.paid < self._goal(share):
                if not last and kiosk.local.hour != 23:
                    break
                kiosk.skip(45 * S)
                self.visit(share)
                self._note_progress()
            if not self._quiet:
                print(
                    f"day {day + 1}: {self.paid} payments", *self.faults[told:], sep="\n  ", file=sys.stderr, flush=True
                )
        kiosk.skip(self._ns_until(dt.time(23, 30)))
        self.staff.awake()
        self.count()
        kiosk.stop("the month is over")

    def _note_progress(self) -> None:
        if self.kiosk.kernel is not None and self.kiosk.realm == "live":
            self.paid = max(self.paid, self.kiosk.kernel.books.payments)
        self.kiosk.keep_checkpoint()

    def _ns_until(self, moment: dt.time) -> int:
        date = BEGINS + dt.timedelta(days=self.day)
        local = dt.datetime.combine(date, moment, self.kiosk.zone)
        return int(local.timestamp()) * S - self.kiosk.wall_ns

    def _fixed(self) -> list[tuple[dt.time, Callable[[], object]]]:
        told = [(dt.time(5, 0), self.deliver), (dt.time(6, 45), self.staff_morning), (dt.time(8, 30), self.count)]
        for clock, name, *arguments in self.calendar.get(self.day, ()):
            moment, act = dt.time.fromisoformat(clock), getattr(self, name)
            told.append((moment, lambda act=act, arguments=tuple(arguments): act(*arguments)))
        return told

    def _visits(self) -> list[tuple[dt.time, Callable[[], object]]]:
        """Spread today's share of the payments that are still wanted over the hours; some more for those who cancel."""
        share = self._share()
        if not share:
            return []
        first, last = (each.hour * 3600 + each.minute * 60 for each in (OPENS, CLOSES))
        seconds = sorted(self.chance.randrange(first, last) for _ in range(share * 4 // 3 + 1))
        return [(dt.time(at // 3600, at // 60 % 60, at % 60), lambda: self.visit(share)) for at in seconds]

    def _share(self) -> int:
        """Return how many payments today should see; 0 where nothing can come."""
        left = [day for day in range(self.day, self.days) if not self._closed(day)]
        missing = self.wanted - self._begun.setdefault(self.day, self.paid)
        return max(0, -(-missing // len(left))) if self.day in left else 0

    def _closed(self, day: int) -> bool:
        return any(name == "closed_all_day" for _, name, *_ in self.calendar.get(day, ()))

    # --- citizens -----------------------------------------------------------------------------------------

    def visit(self, share: int = 1_000_000, chosen: Visit | None = None) -> None:
        """Let one citizen come, unless today has seen its share."""
        kernel = self.kiosk.kernel
        if kernel is None or (chosen is None and self.paid >= min(self.wanted, self._goal(share))):
            return
        self.visits += 1
        visit = chosen or visit_of(self)
        if not Citizen(self.kiosk, visit, self.chance).play():
            self.faults.append(f"day {self.day + 1}: a visit did not come to rest: {self.kiosk.state}, {visit}")
        self.kiosk.dies_in_effects = self.kiosk.dies_in_bytes = 0
        if self.kiosk.printer.roll_mm < 2_000 and not self.without_paper:
            self.kiosk.printer.load_paper()
        self.kiosk.printer.tear_off()

    def _goal(self, share: int) -> int:
        return self._begun.setdefault(self.day, self.paid) + share

    @property
    def without_paper(self) -> bool:
        """Tell whether this is the time in which nobody brings paper."""
        return self.kiosk.settings.without_paper == "ask"

    def at_midnight(self) -> None:
        """Somebody pays while the date changes."""
        self.visit(chosen=msgspec.structs.replace(visit_of(self, plain=True), style="exact"))

    # --- the end ------------------------------------------------------------------------------------------

    def told(self) -> dict[str, Any]:
        """Compare everything and return what the JSON line says."""
        staff, acceptor = self.staff, self.kiosk.acceptor
        found = compare(self.journal, staff.notes, staff.taken_out, self.planned, self.city.setup.chart)
        differences = [*self.faults, *found["differences"]]
        training = self.journal.with_name("journal-training.db")
        if training.exists():
            differences += compare(training, [], [], {}, self.city.setup.chart)["differences"]
        return {
            "campaign": "thirty-days", "payments": found["payments"], "boxes": len(staff.taken_out) + 1,
            "closings": len(found["closings"]), "differences": len(differences), "differing": differences[:20],
            "days": self.days, "visits": self.visits, "notes": len(staff.notes), "returned": len(acceptor.returned),
            "grand_total_minor": found["grand_total_minor"], "runs": self.kiosk.runs, "kills": self.kiosk.kills,
            "power_cuts": self.kiosk.cuts, "counts": len(self.counted),
            "over_short_minor": sum(self.planned.values()), "met": met(self.journal), "facts": found["facts"],
        }  # fmt: skip


def campaign(
    *, days: int = 30, payments: int = 2_000, seed: int = 1, room: Path | None = None, quiet: bool = True,
    before: Callable[[Month], object] = lambda month: None,
) -> dict[str, Any]:  # fmt: skip
    """Play a month in a directory in memory (or in `room`, which stays) and return what the JSON line says."""
    began = time.monotonic()
    memory = Path("/dev/shm")
    place = room or Path(tempfile.mkdtemp(prefix="kiosk-days-", dir=memory if memory.is_dir() else None))
    try:
        month = Month(place, days=days, payments=payments, seed=seed, quiet=quiet)
        before(month)
        month.play()
        return month.told() | {"seed": seed, "seconds": round(time.monotonic() - began, 1)}
    finally:
        if room is None:
            shutil.rmtree(place, ignore_errors=True)


def main() -> int:
    """Read the arguments, play, print; 1 where anything does not fit."""
    parser = argparse.ArgumentParser(prog="bench.thirty_days", description="A month of one kiosk.")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--payments", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep the journals in this new directory")
    asked = parser.parse_args()
    told = campaign(days=asked.days, payments=asked.payments, seed=asked.seed, room=asked.keep, quiet=False)
    print(json.dumps(told))
    return 1 if told["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
