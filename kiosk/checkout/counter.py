"""Tariff and ledger as the checkout asks for them: the one implementation of `model.Counter`.

It owns the city's rules for one start of the kiosk and no state.  Whatever it answers depends only on its
arguments and those rules, so kiosk, hub and verifier agree.
"""

from __future__ import annotations

import datetime as dt

from kiosk.checkout.events import CartItem
from kiosk.errors import PolicyError
from kiosk.ledger.allocation import Split, allocate
from kiosk.ledger.chart import Chart
from kiosk.ledger.entries import note_credited, note_disputed, note_suspended, settlement
from kiosk.model.entry import Entry
from kiosk.model.facts import Allocation, ReceiptLine
from kiosk.model.invoice import Invoice, Quote
from kiosk.model.money import Money
from kiosk.model.texts import Text, text
from kiosk.tariff.cash import CashRules, notes_allowed
from kiosk.tariff.library import TariffLibrary


class CityCounter:
    """The rules of one city for one currency."""

    def __init__(self, library: TariffLibrary, chart: Chart, currency: str) -> None:
        self.library = library
        self.chart = chart
        self.currency = currency

    def price(self, invoice: Invoice, on: dt.date) -> Quote:
        """Price an invoice on a local date.

        Raises:
            TariffError: no price can be told.
        """
        return self.library.price(invoice, on)

    def payable(self, item: CartItem, without_cart: int) -> Text | None:
        """None where this item can be paid here and now, else why not."""
        service = self.library.service(item.invoice.service)
        if item.quote.total_minor == 0 and item.invoice.state == "open":
            return text("notice.nothing_due", number=item.invoice.number)
        if item.quote.due_minor == 0 and item.invoice.state in ("open", "paid"):
            return text("notice.already_paid", number=item.invoice.number)
        refusal = service.refusal(item.invoice)
        if refusal is not None:
            return refusal
        cap = self._rules((item,), item.quote.priced_on).session_cap_minor
        if without_cart + item.quote.due_minor > cap and service.partial == "refused":
            return text("notice.above_cash_cap", cap=Money(cap, self.currency))
        return None

    def _rules(self, items: tuple[CartItem, ...], on: dt.date) -> CashRules:
        services = [
            self.library.services[i.invoice.service] for i in items if i.invoice.service in self.library.services
        ]
        return self.library.cash_rules_on(self.currency, on).for_services(services)

    def notes_allowed(
        self, items: tuple[CartItem, ...], known: tuple[Money, ...], inserted_minor: int, due_minor: int
    ) -> tuple[Money, ...]:
        """Which values may be accepted now, the ones that would need the citizen's agreement included."""
        if not items:
            return ()
        rules = self._rules(items, items[0].quote.priced_on)
        return notes_allowed(rules, known, due_minor=due_minor, inserted_minor=inserted_minor, with_question=True)

    def notes_ever(self, known: tuple[Money, ...], on: dt.date) -> tuple[Money, ...]:
        """Which values this counter takes at all, for the attract screen."""
        try:
            rules = self.library.cash_rules_on(self.currency, on)
        except PolicyError:
            return ()  # none in force: nothing is promised, and each look-up says that there is no price
        cap = rules.session_cap_minor
        return notes_allowed(rules, known, due_minor=cap, inserted_minor=0)

    def excess_possible(self, items: tuple[CartItem, ...]) -> bool:
        """Tell whether a note above what remains due can be kept at all."""
        return bool(items) and self._rules(items, items[0].quote.priced_on).excess_at_most_minor > 0

    def credit_entry(self, value: Money) -> Entry:
        """Cash in the box against the session's unapplied tender."""
        return note_credited(self.chart, value)

    def suspense_entry(self, value: Money) -> Entry:
        """Cash in the box against suspense."""
        return note_suspended(self.chart, value)

    def dispute_entry(self, value: Money) -> Entry:
        """A claim that is neither cash nor nothing."""
        return note_disputed(self.chart, value)

    def settle(
        self, items: tuple[CartItem, ...], tender: Money
    ) -> tuple[tuple[Allocation, ...], int, Entry, tuple[ReceiptLine, ...]]:
        """Spread the tender over the cart.

        An invoice whose service is no longer described (the configuration changed while a payment was open) takes
        nothing: nobody knows its accounts any more, and the money stays the citizen's.
        """
        quotes = [item.quote for item in items if item.quote.service in self.library.services]
        if quotes:
            split = allocate(tender.minor, quotes, self.library.services)
        else:
            split = Split(tender.currency, tender.minor, (), tender.minor)
        entry = settlement(self.chart, self.library.services, split)
        lines = tuple(
            ReceiptLine(
                share.service, share.number, part.line.component, part.minor, part.line.reason, part.line.citation
            )
            for share in split.shares
            for part in share.lines
        )
        return split.allocations(), split.overpayment_minor, entry, lines

    def conditions(self, items: tuple[CartItem, ...]) -> tuple[Text, ...]:
        """What has to be read before the first note: excess, shortage, appeal, the frozen price."""
        services = [self.library.service(item.invoice.service) for item in items]
        texts = [text("condition.no_change")]
        texts.append(text("condition.excess_credit" if self.excess_possible(items) else "condition.excess_refused"))
        whole = any(service.partial == "refused" for service in services)
        texts.append(text("condition.shortage_owed" if whole else "condition.shortage_partial"))
        for service in services:
            texts += [condition for condition in service.conditions if condition not in texts]
        texts.append(text("condition.frozen"))
        return tuple(texts)
