"""The days of a journal: each Z closing is rebuilt from the facts before it, and a closed date takes no entry.

A period is everything after the last Z closing, up to the fact right before the next one; what follows a closing
within its own commit belongs to the next period.  A commit has one stamp, made before it: its facts are late by
the dates that were closed before the commit, not by those that it closes itself.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter

from kiosk.journal.chain import WALL_FALL_NS
from kiosk.journal.commits import Commit, Report, Told, found
from kiosk.model.facts import (
    DayClosed,
    EpochStarted,
    NoteCredited,
    NoteSuspended,
    Period,
    PrintStarted,
    ReceiptIssued,
    Settled,
    Stamp,
)

CAUSES = ("cut_off", "operator", "exchange", "removal")
_DAY = dt.timedelta(days=1)


class Sums:
    """What happened in the present period."""

    def __init__(self) -> None:
        #: How many notes went into the box, by currency and minor units.
        self.notes: Counter[tuple[str, int]] = Counter()
        self.unknown_notes = 0
        self.payments = 0
        self.accounts: Counter[tuple[str, str]] = Counter()
        #: First and last number of each kind of slip in the present epoch.
        self.slips: dict[str, tuple[int, int]] = {}
        self.reprints = 0
        #: Box sessions in which the notes were taken.
        self.sessions: set[int] = set()

    def add(self, told: Told) -> None:
        """Take a fact in."""
        body = told.body
        entry = getattr(body, "entry", None)
        if entry is not None:
            for posting in entry.postings:
                self.accounts[entry.currency, posting.account] += posting.minor
        match body:
            case NoteCredited() | NoteSuspended():
                self.sessions.add(told.fact.stamp.box_session)
                if body.value is None:
                    self.unknown_notes += 1
                else:
                    self.notes[body.value.currency, body.value.minor] += 1
            case Settled():
                self.payments += 1
            case ReceiptIssued() if body.of_kind:
                first = self.slips.get(body.slip, (body.of_kind, 0))[0]
                self.slips[body.slip] = (first, body.of_kind)
            case PrintStarted() if body.copy:
                self.reprints += 1
            case EpochStarted():
                self.slips = {}
            case _:
                pass

    def taken_minor(self, currency: str) -> int:
        """Return the notes of one currency, minor units."""
        return sum(value * count for (code, value), count in self.notes.items() if code == currency)

    def differences(self, period: Period, currency: str) -> list[str]:
        """Return the names of what a closing tells otherwise, with both values."""
        notes = Counter({(each.currency, each.value_minor): each.count for each in period.notes})
        accounts = {(each.currency, each.account): each.minor for each in period.accounts}
        slips = {each.slip: (each.first, each.last) for each in period.slips}
        pairs: list[tuple[str, object, object]] = [
            ("notes", dict(notes), dict(self.notes)),
            ("unknown notes", period.unknown_notes, self.unknown_notes),
            ("taken", period.taken_minor, self.taken_minor(currency)),
            ("payments", period.payments, self.payments),
            ("accounts", accounts, {place: minor for place, minor in self.accounts.items() if minor}),
            ("slips", slips, self.slips),
            ("reprints", period.reprints, self.reprints),
        ]
        off = [f"{name}: told {told}, rebuilt {rebuilt}" for name, told, rebuilt in pairs if told != rebuilt]
        twice = len(notes) < len(period.notes) or len(slips) < len(period.slips)
        return [*off, "a line stands twice"] if twice else off


class DayBook:
    """Holds every Z closing and every stamp against the closings before it."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._sums = Sums()
        self._number = 0
        self._grand_total = 0
        #: Closed dates: (through, Z number), ascending.
        self._closings: list[tuple[dt.date, int]] = []
        #: Wall clock at which the last date was closed.
        self._closed_ns = 0
        self._clock_named = False

    def take(self, commit: Commit) -> None:
        """Take the next commit."""
        closed = list(self._closings)
        for told in commit:
            self._stamp(told, told.fact.stamp, closed)
            if isinstance(told.body, DayClosed):
                self._close(told, told.body)
            self._sums.add(told)

    def end(self) -> None:
        """Nothing can be missing: the last period stays open."""

    # --- stamps --------------------------------------------------------------------------------------------

    def _stamp(self, told: Told, stamp: Stamp, closed: list[tuple[dt.date, int]]) -> None:
        self._clock(told, stamp)
        if isinstance(told.body, EpochStarted):
            return  # stamped by whoever restored, who knows of no closing
        closed_by = next((number for through, number in closed if through >= stamp.business_date), 0)
        late = stamp.late
        if late is None:
            if closed_by:
                detail = f"dated {stamp.business_date}, which Z {closed_by} had closed, and not marked as late"
                found(self._report, "date_closed", told, detail)
            return
        if not closed_by:
            found(self._report, "late_differs", told, f"marked as late, but {stamp.business_date} is open")
            return
        first_open = closed[-1][0] + _DAY
        if (late.posts_on, late.closed_by) != (first_open, closed_by):
            detail = (
                f"posts on {late.posts_on} for Z {late.closed_by}; the first open date is {first_open}, "
                f"{stamp.business_date} was closed by Z {closed_by}"
            )
            found(self._report, "late_differs", told, detail)

    def _clock(self, told: Told, stamp: Stamp) -> None:
        """Name once that the wall clock stands before a closing which had already been made."""
        fell = self._closed_ns - stamp.at.wall_ns
        if fell < WALL_FALL_NS:
            self._clock_named = False
        elif not self._clock_named:
            self._clock_named = True
            detail = f"the wall clock stands {fell // 1_000_000} ms before the closing of {self._closings[-1][0]}"
            found(self._report, "clock_before_closing", told, detail, "warning")

    # --- closings ------------------------------------------------------------------------------------------

    def _close(self, told: Told, body: DayClosed) -> None:
        if body.number != self._number + 1:
            detail = f"Z {body.number} where {self._number + 1} comes next"
            found(self._report, "z_number_gap", told, detail)
        self._number = body.number
        through = (body.through_epoch, body.through_seq)
        if (through, body.through_hash) != (told.before, told.before_hash):
            detail = f"says that it holds facts up to {through[0]}/{through[1]}, it stands after {told.before}"
            found(self._report, "z_misplaced", told, detail)
        for difference in self._sums.differences(body.period, body.currency):
            found(self._report, "z_differs", told, f"Z {body.number}, {difference}")
        self._grand_total += body.period.taken_minor
        if body.grand_total_minor != self._grand_total:
            detail = f"grand total {body.grand_total_minor}, the closings so far sum to {self._grand_total}"
            found(self._report, "grand_total_differs", told, detail)
        self._grand_total = body.grand_total_minor
        if self._sums.sessions - {body.box_session}:
            sessions = sorted(self._sums.sessions)
            detail = f"Z {body.number} lies in box session {body.box_session}, its notes were taken in {sessions}"
            found(self._report, "z_in_two_boxes", told, detail)
        self._dates(told, body)
        self._sums = Sums()

    def _dates(self, told: Told, body: DayClosed) -> None:
        through, today = body.closes_through, told.fact.stamp.business_date
        last = self._closings[-1][0] if self._closings else None
        wrong = ""
        if body.cause not in CAUSES:
            wrong = f"nobody knows the cause {body.cause[:20]!r}"
        elif (through is None) != (body.cause in ("exchange", "removal")):
            wrong = f"a closing by {body.cause} {'closes no date' if through is None else 'closes a date'}"
        elif through is not None and last is not None and through <= last:
            wrong = f"closes through {through}, which {last} had closed"
        elif through is not None and (through > today or (body.cause == "cut_off" and through == today)):
            wrong = f"closes through {through} on {today} already"
        if wrong:
            found(self._report, "z_dates_differ", told, wrong)
        if through is not None and (last is None or through > last):
            self._closings.append((through, body.number))
            self._closed_ns = told.fact.stamp.at.wall_ns
