"""The price of one invoice at one day, line by line, each with its reason.

A fee depends only on the invoice, the rule version, the day of the tender and the days on which the clock
stood still (domain sheet §9, invariant 12).  What no rule prices raises `TariffError`; nothing is guessed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from kiosk.errors import PolicyError, TariffError
from kiosk.model.invoice import Invoice, Quote, QuoteLine
from kiosk.model.money import Money, percent
from kiosk.model.texts import Text, text
from kiosk.tariff.calendar import months_begun, next_day_of_year
from kiosk.tariff.policies import (
    AddedSteps,
    Face,
    Flat,
    Ladder,
    Late,
    PercentByDate,
    PercentMonthly,
    PercentOnce,
    Policy,
    Prorated,
    Surcharge,
    Table,
    TotalSteps,
    Vector,
    month_and_day,
)
from kiosk.tariff.services import Service


def price(
    invoice: Invoice,
    policies: Iterable[Policy],
    service: Service,
    on: dt.date,
    *,
    own_paid_minor: int = 0,
    settled_on: dt.date | None = None,
) -> Quote:
    """Tell what an invoice costs on a local day.

    `own_paid_minor` is what this kiosk has applied to it since the invoice's `posted_through`.  Where that paid
    it in full, `settled_on` is the local day: its fee clock stopped then, however late the data learn of it.

    Raises:
        TariffError: no rule, or more than one, prices it; its data are not what the rule needs; or `on` lies
            before the issue date.
    """
    if invoice.service != service.id or invoice.currency != service.currency:
        raise TariffError(
            f"{invoice.service} {invoice.number} ({invoice.currency}) is not of {service.id} ({service.currency})",
            hint="the data set and the service file must name the same service and currency",
        )
    policy = _rule_for(invoice, policies, service)
    lines = _lines(invoice, policy, min(on, settled_on) if settled_on else on)
    missing = [line.component for line in lines if line.component not in service.accounts]
    if missing:
        raise TariffError(
            f"{policy.version} names component {missing[0]!r}, which service {service.id} has no account for",
            hint=f"add it to [accounts] and order of services/{service.id}.toml",
        )
    return Quote(
        service=invoice.service,
        number=invoice.number,
        currency=invoice.currency,
        lines=lines,
        priced_on=on,
        paid_minor=invoice.paid_minor + own_paid_minor,
        issued=invoice.issued if service.account else None,
    )


def run_vectors(policy: Policy, file: str) -> None:
    """Price every worked example of a policy.

    Raises:
        PolicyError: an example comes out otherwise than it says.
    """
    for number, vector in enumerate(policy.vector, 1):
        try:
            lines = _lines(_example(policy, vector), policy, vector.on)
        except TariffError as fault:
            raise PolicyError(f"{file}: {policy.version}: vector {number}: {fault.message}", hint=fault.hint) from None
        total = sum(line.minor for line in lines)
        by_component = {name: sum(line.minor for line in lines if line.component == name) for name in vector.components}
        if total != vector.total_minor or by_component != vector.components:
            raise PolicyError(
                f"{file}: {policy.version}: vector {number} on {vector.on} comes to {total} {by_component},"
                f" not {vector.total_minor} {vector.components}",
                hint="either the rule or the worked example is wrong; the pack is not used until they agree",
            )


def _example(policy: Policy, vector: Vector) -> Invoice:
    if not policy.in_force(vector.issued):
        raise TariffError(f"issued {vector.issued} is not in force", hint="date the example within the version")
    return Invoice(
        service="example",
        number="example",
        currency=policy.currency,
        amount_minor=vector.amount_minor,
        issued=vector.issued,
        due=vector.due,
        code=vector.code,
        offence=vector.offence,
        held_days=vector.held_days,
    )


def _rule_for(invoice: Invoice, policies: Iterable[Policy], service: Service) -> Policy:
    """Return the one version that prices this invoice."""
    ours = [policy for policy in policies if policy.id in service.policies]
    dated = [policy for policy in ours if policy.in_force(invoice.issued)]
    fitting = [policy for policy in dated if not policy.known_codes or invoice.code in policy.known_codes]
    if len(fitting) == 1 and fitting[0].currency == invoice.currency:
        return fitting[0]
    what = f"{service.id} {invoice.number}"
    if len(fitting) > 1:
        both = ", ".join(sorted(policy.version for policy in fitting))
        raise TariffError(f"{what} is priced by more than one rule: {both}", hint="let one policy name each code")
    if fitting:
        raise TariffError(f"{what} is in {invoice.currency}, {fitting[0].version} is not", hint="mend the policy")
    if not dated:
        raise TariffError(
            f"no policy of {service.id} is in force for the issue date {invoice.issued}",
            hint="load the version of that time, or send the citizen to the counter",
        )
    raise TariffError(f"{what} has a code that no policy prices", hint="add the code to a policy; nothing is guessed")


def _lines(invoice: Invoice, policy: Policy, on: dt.date) -> tuple[QuoteLine, ...]:
    """Return base, surcharges and late fees of one invoice."""
    if on < invoice.issued:
        raise TariffError(
            f"{invoice.number} is dated {invoice.issued}, after {on}",
            hint="check the clock of this machine and the data",
        )
    clock = max(invoice.issued, on - dt.timedelta(days=max(0, invoice.held_days)))
    minor, why = _base(invoice, policy)
    lines = [_line(policy, policy.base.component, minor, why)]
    lines += [
        _line(policy, each.component, each.minor, text(each.reason or "fee.surcharge", code=invoice.code), each)
        for each in policy.surcharge
        if not each.codes or invoice.code in each.codes
    ]
    for late in policy.late:
        lines += [_line(policy, late.component, added, why) for added, why in _late(late, minor, invoice, clock)]
    return tuple(line for line in lines if line.minor or line is lines[0])


def _line(policy: Policy, component: str, minor: int, why: Text, surcharge: Surcharge | None = None) -> QuoteLine:
    citation = surcharge.citation if surcharge and surcharge.citation else policy.citation
    return QuoteLine(component=component, minor=minor, reason=why, rule=policy.version, citation=citation)


def _base(invoice: Invoice, policy: Policy) -> tuple[int, Text]:
    base = policy.base
    if isinstance(base, Face):
        if invoice.amount_minor is None or invoice.amount_minor < 0:
            raise TariffError(f"{invoice.number} names no amount", hint="its policy takes the amount from the data")
        return invoice.amount_minor, text(base.reason or "fee.base.face")
    if isinstance(base, Flat):
        return base.amount_minor, text(base.reason or "fee.base.flat")
    if isinstance(base, Prorated):
        share = base.percents[(invoice.issued.month - 1) // 3]
        return percent(base.amount_minor, share), text(base.reason or "fee.base.prorated", percent=share)
    ladder, reason = _ladder(base, invoice)
    if invoice.offence < 1:
        raise TariffError(f"{invoice.number} does not say which offence it is", hint="count offences before the import")
    minor = ladder[min(invoice.offence, len(ladder)) - 1]
    return minor, text(reason, code=invoice.code, offence=invoice.offence)


def _ladder(base: Ladder | Table, invoice: Invoice) -> tuple[tuple[int, ...], str]:
    if isinstance(base, Ladder):
        return base.amounts_minor, base.reason or "fee.base.offence"
    if invoice.code in base.not_supplied:
        raise TariffError(
            f"the city has not supplied an amount for code {invoice.code}",
            hint="add it to the policy; nothing is guessed",
        )
    if invoice.code not in base.amounts_minor:
        raise TariffError(f"{invoice.number} has a code that its policy does not price", hint="nothing is guessed")
    return base.amounts_minor[invoice.code], base.reasons.get(invoice.code) or base.reason or "fee.base.code"


def _late(late: Late, base: int, invoice: Invoice, clock: dt.date) -> list[tuple[int, Text]]:
    """Return what one late rule has added by the day of the clock, oldest first."""
    if late.since == "due" and invoice.due is None:
        raise TariffError(f"{invoice.number} has no due date", hint="its late fee counts from the due date")
    start = invoice.due if late.since == "due" and invoice.due else invoice.issued
    days = (clock - start).days
    if isinstance(late, AddedSteps | TotalSteps):
        reached = [step for step in late.steps if days >= step.first_day]
        if isinstance(late, TotalSteps):
            # A step that names less than the base takes nothing off it.
            return [
                (
                    max(0, step.minor - base),
                    _since(late, "fee.late.total", start, step.first_day, total=Money(step.minor, invoice.currency)),
                )
                for step in reached[-1:]
            ]
        return [(step.minor, _since(late, "fee.late.step", start, step.first_day)) for step in reached]
    if isinstance(late, PercentOnce):
        if days <= late.after_days:
            return []
        return [
            (
                percent(base, late.percent),
                _since(late, "fee.late.percent", start, late.after_days + 1, percent=late.percent),
            )
        ]
    if isinstance(late, PercentMonthly):
        months = months_begun(start, clock)
        months = min(months, late.most_months) if late.most_months else months
        if not months:
            return []
        return [(percent(base, late.percent * months),
                 _since(late, "fee.late.monthly", start, 1, percent=late.percent, months=months))]  # fmt: skip
    assert isinstance(late, PercentByDate)
    month, day = month_and_day(late.after) or (1, 1)
    last = next_day_of_year(invoice.issued, month, day)
    if clock <= last:
        return []
    return [(percent(base, late.percent), _since(late, "fee.late.by_date", last, 1, percent=late.percent))]


def _since(late: Late, reason: str, start: dt.date, first_day: int, **params: int | Money) -> Text:
    """Build the reason of a late line: from which date, and on which day of the clock it began."""
    since = start + dt.timedelta(days=first_day)
    return text(late.reason or reason, since_date=since.isoformat(), days=first_day - 1, **params)
