"""Policies as dated data: what a violation or an account costs, how it grows, and by which ordinance.

A policy file holds `[[policy]]` tables.  Each is one version of one rule, with the dates it is in force, the
ordinance text, the shape of its base amount, of its late fees and surcharges, caps, and vectors: worked
examples that are run whenever the file is loaded.  A pack whose ladder exceeds its cap, whose versions
overlap or whose vectors come out otherwise does not load.  The version in force on an invoice's issue date
prices it; an expired version loads, but prices nothing dated later.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from kiosk.errors import PolicyError


class _Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Strict data of a policy file."""


# --- the base amount ------------------------------------------------------------------------------------------


class Base(_Data, frozen=True, kw_only=True, tag_field="shape"):
    """Root of the shapes of a base amount."""

    #: Component of the service's account map.
    component: str
    #: Message id of the reason; "" for the shape's own.
    reason: str = ""


class Ladder(Base, frozen=True, kw_only=True, tag="ladder"):
    """By offence number: the n-th value for the n-th offence, the last one for all later."""

    amounts_minor: tuple[int, ...]


class Table(Base, frozen=True, kw_only=True, tag="table"):
    """By violation code, each with a ladder of its own."""

    amounts_minor: dict[str, tuple[int, ...]]
    #: Codes that the ordinance knows and for which the city has not supplied an amount: never priced by a guess.
    not_supplied: tuple[str, ...] = ()
    #: Message id of the reason by code.
    reasons: dict[str, str] = {}


class Face(Base, frozen=True, kw_only=True, tag="face"):
    """The amount that the invoice itself names."""


class Flat(Base, frozen=True, kw_only=True, tag="flat"):
    """One amount for everybody."""

    amount_minor: int


class Prorated(Base, frozen=True, kw_only=True, tag="prorated"):
    """A yearly amount by the quarter of the calendar year in which it begins (the invoice's issue date)."""

    amount_minor: int
    #: Percent by quarter, four of them.
    percents: tuple[int, int, int, int]


# --- what grows -----------------------------------------------------------------------------------------------


class Step(_Data, frozen=True, kw_only=True):
    """A fixed late amount from a day on.  Exactly one of the two days is given."""

    minor: int
    #: First true on day N+1.
    after_days: int | None = None
    #: First true on day N.
    at_days: int | None = None

    @property
    def first_day(self) -> int:
        """Day number (the issue or due date is day 0) on which the step first counts."""
        return self.at_days if self.at_days is not None else (self.after_days or 0) + 1


class Late(_Data, frozen=True, kw_only=True, tag_field="shape"):
    """Root of the shapes of a late fee."""

    component: str
    #: Day 0 of the clock.
    since: str = "issued"
    reason: str = ""


class AddedSteps(Late, frozen=True, kw_only=True, tag="added_steps"):
    """Each step adds its amount, on a line of its own."""

    steps: tuple[Step, ...]


class TotalSteps(Late, frozen=True, kw_only=True, tag="total_steps"):
    """The latest step names the new total; the line is what it adds to the base."""

    steps: tuple[Step, ...]


class PercentOnce(Late, frozen=True, kw_only=True, tag="percent_once"):
    """A percentage of the base, once."""

    percent: int
    #: First true on day N+1 of the clock.
    after_days: int = 0


class PercentMonthly(Late, frozen=True, kw_only=True, tag="percent_monthly"):
    """A percentage of the base for each month begun; simple, never on what it added before."""

    percent: int
    #: Months beyond this add nothing; 0 for no end.
    most_months: int = 0


class PercentByDate(Late, frozen=True, kw_only=True, tag="percent_by_date"):
    """A percentage of the base after a calendar date: the first such date on or after the issue date."""

    percent: int
    #: ``MM-DD``; first true on the day after.
    after: str


class Surcharge(_Data, frozen=True, kw_only=True):
    """A mandatory amount on top, kept apart from the fine; e.g. a county's share, which is never revenue."""

    component: str
    minor: int
    #: Empty: every code of the policy.
    codes: tuple[str, ...] = ()
    reason: str = ""
    citation: str = ""


class Cap(_Data, frozen=True, kw_only=True):
    """The most that base and fixed late fees may come to, by law."""

    minor: int
    #: Empty: every code.
    codes: tuple[str, ...] = ()
    citation: str = ""


class Vector(_Data, frozen=True, kw_only=True):
    """A worked example: run at each load."""

    on: dt.date
    issued: dt.date
    total_minor: int
    code: str = ""
    offence: int = 0
    amount_minor: int | None = None
    due: dt.date | None = None
    held_days: int = 0
    #: Sum by component, where the split matters.
    components: dict[str, int] = {}


class Policy(_Data, frozen=True, kw_only=True):
    """One version of one rule."""

    id: str
    jurisdiction: str
    currency: str
    #: First issue date that it prices.
    effective_from: dt.date
    #: Last issue date that it prices; None while in force.
    effective_to: dt.date | None = None
    #: The ordinance text, as the citizen may read it.
    citation: str
    #: Violation codes that it prices; empty: any code, and none.
    codes: tuple[str, ...] = ()
    base: Ladder | Table | Face | Flat | Prorated
    #: Late fees; an empty list says that there are none, a missing key does not.
    late: tuple[AddedSteps | TotalSteps | PercentOnce | PercentMonthly | PercentByDate, ...]
    surcharge: tuple[Surcharge, ...] = ()
    cap: tuple[Cap, ...] = ()
    vector: tuple[Vector, ...] = ()

    @property
    def version(self) -> str:
        """Rule id and version as quotes and facts name them, e.g. ``expired-meter@2026-01-01``."""
        return f"{self.id}@{self.effective_from.isoformat()}"

    def in_force(self, issued: dt.date) -> bool:
        """Tell whether this version prices invoices of that issue date."""
        return self.effective_from <= issued and (self.effective_to is None or issued <= self.effective_to)

    @property
    def known_codes(self) -> tuple[str, ...]:
        """Every code that it prices or knows; empty for any."""
        if isinstance(self.base, Table):
            return (*self.base.amounts_minor, *self.base.not_supplied)
        return self.codes

    def ladders(self) -> dict[str, tuple[int, ...]]:
        """Return the fixed base amounts by code ("" for any); empty where the base is not fixed."""
        if isinstance(self.base, Table):
            return dict(self.base.amounts_minor)
        if isinstance(self.base, Ladder):
            return dict.fromkeys(self.codes or ("",), self.base.amounts_minor)
        if isinstance(self.base, Flat):
            return dict.fromkeys(self.codes or ("",), (self.base.amount_minor,))
        return {}


def check_policy(policy: Policy, file: str) -> None:
    """Refuse a policy that contradicts itself or its cap.

    Raises:
        PolicyError: names file, rule and what is wrong.
    """
    for fault in _faults(policy):
        raise PolicyError(f"{file}: {policy.version}: {fault}", hint="a policy that contradicts itself is not used")


def check_versions(policies: tuple[Policy, ...]) -> None:
    """Refuse two versions of one rule that are in force on the same day.

    Raises:
        PolicyError: names both versions.
    """
    newest: dict[str, Policy] = {}
    for policy in sorted(policies, key=lambda each: (each.id, each.effective_from)):
        before = newest.get(policy.id)
        if before and before.in_force(policy.effective_from):
            raise PolicyError(
                f"{before.version} and {policy.version} are in force at once",
                hint="end the older version with effective_to on the day before the newer begins",
            )
        newest[policy.id] = policy


def _faults(policy: Policy) -> list[str]:
    faults = []
    if policy.effective_to is not None and policy.effective_to < policy.effective_from:
        faults.append("effective_to lies before effective_from")
    if not policy.citation.strip():
        faults.append("citation is empty; every fee names its ordinance")
    if isinstance(policy.base, Table):
        if policy.codes:
            faults.append("codes: a table names its codes itself")
        faults += [f"base: code {code!r} has and lacks an amount" for code in policy.base.not_supplied
                   if code in policy.base.amounts_minor]  # fmt: skip
    ladders = policy.ladders()
    faults += [f"base: code {code!r} has no amount" for code, ladder in ladders.items() if not ladder]
    faults += [f"base: code {code!r} is below zero" for code, ladder in ladders.items() if min(ladder, default=0) < 0]
    for late in policy.late:
        faults += [f"late: {fault}" for fault in _late_faults(late)]
    known = policy.known_codes
    apart = [code for each in policy.surcharge for code in each.codes] + [c for each in policy.cap for c in each.codes]
    faults += [f"code {code!r} is not one of this policy" for code in apart if known and code not in known]
    faults += [f"surcharge {each.component!r} is not above zero" for each in policy.surcharge if each.minor <= 0]
    return faults or _over_cap(policy, ladders)


def _late_faults(late: Late) -> list[str]:
    faults = []
    if late.since not in ("issued", "due"):
        faults.append(f"since {late.since!r} is neither `issued` nor `due`")
    if isinstance(late, AddedSteps | TotalSteps):
        if any((step.after_days is None) == (step.at_days is None) for step in late.steps):
            faults.append("each step needs exactly one of after_days and at_days")
        days = [step.first_day for step in late.steps]
        if not days or days != sorted(set(days)) or days[0] < 1:
            faults.append("steps must come in the order of their days, from day 1")
        if any(step.minor < 0 for step in late.steps):
            faults.append("a step is never negative")
    elif isinstance(late, PercentOnce | PercentMonthly | PercentByDate) and not 0 < late.percent <= 1000:
        faults.append("percent must be 1 to 1000")
    if isinstance(late, PercentByDate) and month_and_day(late.after) is None:
        faults.append(f"after {late.after!r} is not a date of the year like 01-31")
    return faults


def _over_cap(policy: Policy, ladders: dict[str, tuple[int, ...]]) -> list[str]:
    """Return the codes whose highest fixed amount is above the cap; a cap for the code stands before a general one."""
    faults = []
    for code, ladder in ladders.items():
        caps = [cap for cap in policy.cap if code in cap.codes] or [cap for cap in policy.cap if not cap.codes]
        highest = _highest(policy, max(ladder))
        faults += [f"code {code!r} can come to {highest} minor units, above its cap of {cap.minor}" for cap in caps
                   if highest > cap.minor]  # fmt: skip
    return faults


def _highest(policy: Policy, base: int) -> int:
    """Return the base with every fixed late fee at its highest."""
    total = base
    for late in policy.late:
        if isinstance(late, AddedSteps):
            total += sum(step.minor for step in late.steps)
        elif isinstance(late, TotalSteps):
            total += max(0, max(step.minor for step in late.steps) - base)
    return total


def month_and_day(text: str) -> tuple[int, int] | None:
    """Read ``MM-DD``; return None for anything else."""
    month, dash, day = text.partition("-")
    if not dash or len(text) != 5 or not (month + day).isascii() or not (month + day).isdigit():
        return None
    try:
        dt.date(2024, int(month), int(day))
    except ValueError:
        return None
    return int(month), int(day)
