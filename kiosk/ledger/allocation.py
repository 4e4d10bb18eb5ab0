"""How tender fills what is owed.

Invoices are filled in cart order; within an invoice the components in the order that its service declares.
What was paid before has filled the first of them.  An invoice never gets more than its balance (domain sheet
§9, invariant 9); one whose service refuses partial payment gets all or nothing.  What no invoice takes is
owed to the citizen.

Declare the components that grow (late fees) after those that do not: then what an earlier part payment filled
is still filled by it today, and several part payments post exactly as one whole payment would.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from kiosk.errors import LedgerError
from kiosk.model.facts import Allocation
from kiosk.model.invoice import Quote, QuoteLine
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
    """A tender, fully explained: applied + overpayment = tender."""

    currency: str
    tender_minor: int
    shares: tuple[Share, ...]
    overpayment_minor: int

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


def allocate(tender_minor: int, quotes: Sequence[Quote], services: Mapping[str, Service]) -> Split:
    """Divide a tender among the quotes of a cart.

    Raises:
        LedgerError: a negative tender, an empty cart, two currencies, an invoice twice, or a negative line.
    """
    _check(tender_minor, quotes)
    left = tender_minor
    shares = []
    for quote in quotes:
        service = services.get(quote.service)
        if service is None:
            raise LedgerError(f"service {quote.service!r} is not loaded", hint="add its file to config/services")
        enough = left >= quote.due_minor
        given = min(left, quote.due_minor) if enough or service.partial == "allowed" else 0
        shares.append(_share(quote, service, given))
        left -= given
    return Split(quotes[0].currency, tender_minor, tuple(shares), left)


def _check(tender_minor: int, quotes: Sequence[Quote]) -> None:
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
