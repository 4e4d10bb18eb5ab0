"""How tender fills what is owed.

Invoices are filled in the order in which they are handed over (`in_fill_order` puts a cart into the order that
the city declares); within an invoice the components in the order that its service declares.  What was paid
before has filled the first of them.  An invoice never gets more than its balance (domain sheet §9, invariant 9).

One whose service refuses partial payment gets all or nothing.  What is left after filling the others is *held*
for the first one that got nothing; it always lacks more than that, or it would have been filled.  Money held for an
invoice counts as tender for that invoice alone.  An overpayment, owed to the citizen, is left only where no such
invoice went without.  So

    used + tender = applied + overpayment + held

where *used* is what was held before for the invoices of the cart, and *held* what is held for them afterwards.

Declare the components that grow (late fees) after those that do not: then what an earlier part payment filled
is still filled by it today, and several part payments post exactly as one whole payment would.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from kiosk.errors import LedgerError
from kiosk.model.facts import Allocation, Held
from kiosk.model.invoice import Invoice, Quote, QuoteLine
from kiosk.tariff.services import Service


class LineShare(msgspec.Struct, frozen=True, array_like=True):
    """What one line of a quote gets."""

    line: QuoteLine
    #: Minor units, above zero.
    minor: int


class Share(msgspec.Struct, frozen=True):
    """What one invoice gets."""

    service: str
    number: str
    lines: tuple[LineShare, ...]
    #: Sum of the lines.
    minor: int
    #: What is still open afterwards.
    remaining_minor: int
    #: ``full``, ``partial`` or ``none``.
    outcome: str


class Split(msgspec.Struct, frozen=True):
    """A tender, fully explained: used + tender = applied + overpayment + held."""

    currency: str
    tender_minor: int
    shares: tuple[Share, ...]
    overpayment_minor: int
    #: What was held for invoices of this cart before …
    used: tuple[Held, ...] = ()
    #: … and what is held for them from now on.
    held: tuple[Held, ...] = ()

    @property
    def used_minor(self) -> int:
        """What was held before and is explained by this split."""
        return sum(each.minor for each in self.used)

    @property
    def held_minor(self) -> int:
        """What is held from now on."""
        return sum(each.minor for each in self.held)

    @property
    def applied_minor(self) -> int:
        """What went to invoices."""
        return sum(share.minor for share in self.shares)

    @property
    def outcome(self) -> str:
        """``paid`` (every invoice in full), ``partial`` or ``unapplied`` (no invoice took anything)."""
        if all(share.outcome == "full" for share in self.shares):
            return "paid"
        return "partial" if self.applied_minor else "unapplied"

    def allocations(self) -> tuple[Allocation, ...]:
        """Return the shares as the `Settled` fact holds them; invoices that got nothing are left out."""
        return tuple(
            Allocation(share.service, share.number, share.minor, share.remaining_minor, share.outcome)
            for share in self.shares
            if share.minor
        )


def allocate(
    tender_minor: int,
    quotes: Sequence[Quote],
    services: Mapping[str, Service],
    held: Mapping[tuple[str, str], int] | None = None,
) -> Split:
    """Divide a tender among the quotes of a cart; `held` is what is held for some of them, by (service, number).

    Raises:
        LedgerError: a negative tender, an empty cart, two currencies, an invoice twice, or a negative line.
    """
    before = {name: minor for name, minor in (held or {}).items() if minor}
    _check(tender_minor, quotes, before)
    left, surplus = tender_minor, 0
    shares: list[Share] = []
    waiting: list[tuple[str, str]] = []
    for quote in quotes:
        service = services.get(quote.service)
        if service is None:
            raise LedgerError(f"service {quote.service!r} is not loaded", hint="add its file to config/services")
        name = (quote.service, quote.number)
        kept = before.get(name, 0)
        own = min(kept, quote.due_minor)
        lacking = quote.due_minor - own
        if left >= lacking or service.partial == "allowed":
            fresh = min(left, lacking)
            shares.append(_share(quote, service, own + fresh))
            left -= fresh
            surplus += kept - own
        else:
            shares.append(_share(quote, service, 0))
            waiting.append(name)
    afterwards = {name: before.get(name, 0) for name in waiting}
    if waiting:
        afterwards[waiting[0]] += left
        left = 0
    return Split(quotes[0].currency, tender_minor, tuple(shares), left + surplus, _listed(before), _listed(afterwards))


def _listed(held: Mapping[tuple[str, str], int]) -> tuple[Held, ...]:
    return tuple(Held(service, number, minor) for (service, number), minor in held.items() if minor)


def in_fill_order(invoices: Sequence[Invoice], services: Mapping[str, Service], fill_order: str) -> list[int]:
    """Return the places of a cart's invoices in the order in which money fills them.

    A lower `rank` of the service goes first; within a rank the cart's own order (``scanned``) or the issue date
    (``oldest_first``, the cart's order on one day).
    """

    def key(place: int) -> tuple[int, dt.date]:
        invoice = invoices[place]
        service = services.get(invoice.service)
        return (service.rank if service else 0, invoice.issued if fill_order == "oldest_first" else dt.date.min)

    return sorted(range(len(invoices)), key=key)


def _check(tender_minor: int, quotes: Sequence[Quote], held: Mapping[tuple[str, str], int]) -> None:
    if tender_minor < 0:
        raise LedgerError(
            f"a tender of {tender_minor} minor units is below zero", hint="tender is what was handed over"
        )
    if not quotes:
        raise LedgerError("a tender without invoices cannot be divided", hint="settle a cart of at least one invoice")
    if len({quote.currency for quote in quotes}) > 1:
        raise LedgerError("a cart holds two currencies", hint="one session takes one currency")
    if len({(quote.service, quote.number) for quote in quotes}) < len(quotes):
        raise LedgerError("a cart holds one invoice twice", hint="an invoice can be in a cart once")
    strangers = held.keys() - {(quote.service, quote.number) for quote in quotes}
    if strangers or any(minor < 0 for minor in held.values()):
        raise LedgerError(
            f"money below zero, or held for an invoice that is not in the cart: {sorted(strangers)}",
            hint="held tender serves the invoice that it is held for",
        )
    if any(line.minor < 0 for quote in quotes for line in quote.lines):
        raise LedgerError("a line of a quote is below zero", hint="an adjustment changes the invoice, not its price")


def _share(quote: Quote, service: Service, given: int) -> Share:
    lines = []
    skip, left = min(quote.paid_minor, quote.total_minor), given
    for line in in_order(quote.lines, service):
        covered = min(skip, line.minor)
        skip -= covered
        minor = min(left, line.minor - covered)
        left -= minor
        if minor:
            lines.append(LineShare(line, minor))
    remaining = quote.due_minor - given
    outcome = "full" if not remaining else ("partial" if given else "none")
    return Share(quote.service, quote.number, tuple(lines), given, remaining, outcome)


def in_order(lines: Iterable[QuoteLine], service: Service) -> list[QuoteLine]:
    """Return quote lines in the order in which money fills them.

    Raises:
        LedgerError: a line has a component that the service does not order.
    """
    places = {component: place for place, component in enumerate(service.order)}
    listed = list(lines)
    for line in listed:
        if line.component not in places:
            raise LedgerError(
                f"service {service.id} has no place for component {line.component!r}",
                hint="add it to order and [accounts]",
            )
    return sorted(listed, key=lambda line: places[line.component])
