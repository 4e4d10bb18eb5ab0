"""Tariff and ledger as the checkout asks for them: the one implementation of `model.Counter`.

It owns the city's rules for one start of the kiosk and no state.  Whatever it answers depends only on its
arguments and those rules, so kiosk, hub and verifier agree.
"""

from __future__ import annotations

import datetime as dt

from kiosk.checkout.events import CartItem
from kiosk.checkout.model import Settlement
from kiosk.errors import PolicyError
from kiosk.ledger import entries
from kiosk.ledger.allocation import Split, allocate, in_fill_order
from kiosk.ledger.chart import Chart
from kiosk.ledger.entries import note_credited, note_disputed, note_suspended, settlement
from kiosk.model.entry import Entry
from kiosk.model.facts import ReceiptLine
from kiosk.model.invoice import Invoice, Quote
from kiosk.model.money import Money
from kiosk.model.texts import Text, note_list, text
from kiosk.tariff.cash import CashRules, coins_allowed, notes_allowed, strictest_excess
from kiosk.tariff.discretion import shown_number
from kiosk.tariff.library import TariffLibrary
from kiosk.tariff.services import Service


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
        if without_cart + max(0, item.quote.due_minor - item.held_minor) > cap and service.partial == "refused":
            return text("notice.above_cash_cap", cap=Money(cap, self.currency))
        return None

    def _rules(self, items: tuple[CartItem, ...], on: dt.date) -> CashRules:
        return self.library.cash_rules_on(self.currency, on).for_services(self._services(items))

    def _services(self, items: tuple[CartItem, ...]) -> list[Service]:
        """The services of a cart, each once; one whose file is gone is left out."""
        names = dict.fromkeys(item.invoice.service for item in items)
        return [self.library.services[name] for name in names if name in self.library.services]

    def notes_allowed(
        self, items: tuple[CartItem, ...], known: tuple[Money, ...], inserted_minor: int, due_minor: int
    ) -> tuple[Money, ...]:
        """Which values may be accepted now, the ones that would need the citizen's agreement included."""
        if not items:
            return ()
        rules = self._rules(items, items[0].quote.priced_on)
        return notes_allowed(rules, known, due_minor=due_minor, inserted_minor=inserted_minor, with_question=True)

    def coins_allowed(
        self, items: tuple[CartItem, ...], known: tuple[Money, ...], inserted_minor: int, due_minor: int
    ) -> tuple[Money, ...]:
        """Which coins may be taken now: none above what remains due, for a coin cannot be given back."""
        if not items or not known:
            return ()
        rules = self._rules(items, items[0].quote.priced_on)
        return coins_allowed(rules, known, due_minor=due_minor, inserted_minor=inserted_minor)

    def notes_ever(self, known: tuple[Money, ...], on: dt.date) -> tuple[Money, ...]:
        """Which values this counter takes at all, for the attract screen."""
        try:
            rules = self.library.cash_rules_on(self.currency, on)
        except PolicyError:
            return ()  # none in force: nothing is promised, and each look-up says that there is no price
        cap = rules.session_cap_minor
        return notes_allowed(rules, known, due_minor=cap, inserted_minor=0)

    def excess(self, items: tuple[CartItem, ...]) -> str:
        """Tell what becomes of an excess by the cart's strictest rule: ``change``, ``credit``, ``refund``, ``refuse``.

        Without accounts for change none is given: the excess is credited.
        """
        if not items or not self._rules(items, items[0].quote.priced_on).excess_at_most_minor:
            return "refuse"
        rule = strictest_excess(self._services(items))
        return "credit" if rule == "change" and not self.chart.gives_change else rule

    def fill_order(self, items: tuple[CartItem, ...]) -> tuple[CartItem, ...]:
        """Return the cart in the order in which money fills it: by rank of service, then as the cash rules say."""
        if not items:
            return ()
        order = self._rules(items, items[0].quote.priced_on).fill_order
        return tuple(items[i] for i in in_fill_order([i.invoice for i in items], self.library.services, order))

    def credit_entry(self, value: Money) -> Entry:
        """Cash in the box against the session's unapplied tender."""
        return note_credited(self.chart, value)

    def suspense_entry(self, value: Money) -> Entry:
        """Cash in the box against suspense."""
        return note_suspended(self.chart, value)

    def dispute_entry(self, value: Money) -> Entry:
        """A claim that is neither cash nor nothing."""
        return note_disputed(self.chart, value)

    def change_entry(self, value: Money, paid: int, uncertain: int = 0) -> Entry | None:
        """Coins of this value that left a hopper, and ones of which nobody can tell; None for no coin."""
        if not uncertain:
            return entries.change_paid(self.chart, value, paid)
        return entries.change_disputed(self.chart, value, paid, uncertain)

    def change_resolved_entry(self, value: Money, paid: int, unpaid: int) -> Entry:
        """The end of a claim over coins."""
        return entries.change_resolved(self.chart, value, paid, unpaid)

    def hopper_filled_entry(self, value: Money, coins: int) -> Entry:
        """Coins of the change fund went into a hopper."""
        return entries.hopper_filled(self.chart, value, coins)

    def hopper_emptied_entry(self, value: Money, expected: int, counted: int) -> Entry | None:
        """What was found in a hopper went back to the change fund."""
        return entries.hopper_emptied(self.chart, value, expected, counted)

    def can_post(self, items: tuple[CartItem, ...]) -> bool:
        """Tell whether the service of at least one of these invoices is still described."""
        return any(item.quote.service in self.library.services for item in items)

    def settle(self, items: tuple[CartItem, ...], tender: Money) -> Settlement:
        """Spread the tender over the cart.

        An invoice whose service is no longer described (the configuration changed while a payment was open) takes
        nothing: nobody knows its accounts any more, and the money stays the citizen's, what is held for it held.

        An excess that a cart refuses and that came about all the same (a unit stacked a note that it was told to
        return) is owed for a refund.
        """
        known = [item for item in items if item.quote.service in self.library.services]
        if known:
            held = {(item.quote.service, item.quote.number): item.held_minor for item in known}
            split = allocate(tender.minor, [item.quote for item in known], self.library.services, held)
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
        excess = "credit" if strictest_excess(self._services(items)) in ("change", "credit") else "refund"
        return Settlement(
            allocations=split.allocations(), overpayment_minor=split.overpayment_minor, entry=entry, lines=lines,
            used=split.used, held=split.held, excess=excess if split.overpayment_minor else "",
        )  # fmt: skip

    def conditions(
        self,
        items: tuple[CartItem, ...],
        notes: tuple[Money, ...] = (),
        *,
        coins: tuple[Money, ...] = (),
        change: bool = False,
    ) -> tuple[Text, ...]:
        """What has to be read before the first note: notes, excess, shortage, order, appeal, the frozen price.

        `change` tells whether a hopper has coins now.
        """
        services = self._services(items)
        texts = [text("condition.notes", accepted_notes=note_list(notes))] if notes else []
        if coins:
            texts.append(text("condition.coins", coin_notes=note_list(coins)))
        held = sum(min(item.held_minor, item.quote.due_minor) for item in items)
        if held:
            texts.append(text("condition.held_before", held=Money(held, self.currency)))
        becomes = self.excess(items)
        if becomes == "change" and change:
            texts.append(text("condition.change"))
        else:
            becomes = "credit" if becomes == "change" else becomes
            texts += [text("condition.no_change"), text(f"condition.excess_{becomes}")]
        texts.append(text(f"condition.shortage_{_shortage(services)}"))
        if len(items) > 1:
            texts.append(self._order_condition(items, services))
        for service in services:
            texts += [condition for condition in service.conditions if condition not in texts]
        texts.append(text("condition.frozen"))
        return tuple(texts)

    def _order_condition(self, items: tuple[CartItem, ...], services: list[Service]) -> Text:
        """Tell in which order money fills several invoices, and with which it begins."""
        ranked = len({service.rank for service in services}) > 1
        order = "ranked" if ranked else self._rules(items, items[0].quote.priced_on).fill_order
        return text(f"condition.fill_{order}", first=shown_number(self.fill_order(items)[0].quote))


def _shortage(services: list[Service]) -> str:
    """What becomes of the money of somebody who stops early: counted, held, or the one or the other by invoice."""
    rules = {service.partial for service in services}
    if len(rules) > 1:
        return "mixed"
    return "held" if "refused" in rules else "partial"
