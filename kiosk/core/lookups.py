"""From a label, a typed number or a plate to priced invoices: tariff layouts, the local replica, own payments.

No network takes part.  Every problem has words for the citizen; the text of a refused scan goes nowhere, and that of
a plate no further than its keyed hash.  Whoever types a plate may be a stranger: what it finds is told without
place, time or reason, and what cannot be paid here only as a number (domain sheet §11).
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol

import msgspec

from kiosk.checkout.counter import CityCounter
from kiosk.checkout.effects import LookUp
from kiosk.checkout.events import CartItem, LookedUp
from kiosk.core.books import Books
from kiosk.errors import PolicyError, ReplicaError, TariffError
from kiosk.model.invoice import Invoice
from kiosk.model.texts import Text, text
from kiosk.sync.plates import LONGEST, SHORTEST, normal_form
from kiosk.tariff.discretion import discreet
from kiosk.tariff.labels import LabelProblem
from kiosk.tariff.services import DEFAULT_COUNTER

#: Reasons of `LabelProblem` and the messages that tell them.
PROBLEMS = {
    "empty": "notice.unreadable",
    "too_long": "notice.too_long",
    "unreadable": "notice.unreadable",
    "driving_licence": "notice.driving_licence",
    "not_ours": "notice.not_ours",
    "wrong_check_digit": "notice.wrong_check_digit",
    "unknown_prefix": "notice.not_ours",
    "wrong_symbology": "notice.not_ours",
    "ambiguous": "notice.ambiguous",
}


#: States in which nothing is owed: a plate's invoices of these are as good as not there.
_NOTHING_OPEN = ("paid", "void")


class InvoiceSource(Protocol):
    """Where invoices are looked up: the local replica."""

    def find(self, service: str, number: str) -> Invoice | None:
        """Return one invoice."""
        ...

    def find_by_plate(self, plate: str) -> tuple[Invoice, ...] | None:
        """Return the invoices of a plate over all services; None where nothing is known of any plate."""
        ...

    def as_of(self, service: str) -> str:
        """Return the local ISO time of the data set, "" where nothing is known."""
        ...

    def age_s(self, service: str) -> int | None:
        """Return the age of the service's data in seconds; None where there are none."""
        ...

    def digest(self) -> str:
        """Return the digest of all data sets, 16 hexadecimal digits."""
        ...

    def held(self) -> tuple[str, tuple[str, ...]]:
        """Return that digest and a line for each data set, of one moment."""
        ...

    @property
    def available(self) -> bool:
        """Whether there is anything to look up in."""
        ...


def look_up(
    effect: LookUp, counter: CityCounter, source: InvoiceSource | None, books: Books, today: dt.date
) -> tuple[LookedUp, str]:
    """Answer a `LookUp`; also tells, for the health page, what went wrong inside ("" for nothing)."""
    if effect.plate:
        return _look_up_plate(effect.text, counter, source, books, today)
    library = counter.library
    if effect.typed:
        read = library.read_typed(effect.text, service=effect.service)
    else:
        read = library.read_label(effect.text, effect.symbology)
    if isinstance(read, LabelProblem) and read.reason == "ambiguous" and effect.typed:
        return LookedUp(None, text("notice.which_service"), choosing=read.services, typed=effect.text), ""
    if isinstance(read, LabelProblem):
        return _problem(text(PROBLEMS.get(read.reason, "notice.unreadable"))), ""
    if source is None:
        return _problem(text("notice.data_missing")), ""
    try:
        found = source.find(read.service, read.number)
    except ReplicaError as error:
        return _problem(text("notice.data_missing")), str(error)
    if found is None:
        return _problem(_not_found(source, (read.service,))), ""
    item, fault = _item(found, counter, source, books, today)
    return (_problem(item) if isinstance(item, Text) else LookedUp(item)), fault


def _item(
    found: Invoice, counter: CityCounter, source: InvoiceSource, books: Books, today: dt.date
) -> tuple[CartItem | Text, str]:
    """Return an invoice with its price of today, or why it has none, and what went wrong inside."""
    library = counter.library
    refusal = library.service(found.service).offline_refusal(source.age_s(found.service))
    if refusal is not None:
        return refusal, ""
    bill = found.issued.isoformat() if library.service(found.service).account else ""
    own = books.paid_since(found.service, found.number, found.posted_through, bill)
    settled = books.settled_on(found.service, found.number, found.posted_through, bill)
    try:
        quote = library.price(
            found, today, own_paid_minor=own, settled_on=dt.date.fromisoformat(settled) if settled else None
        )
    except TariffError as error:
        return text("notice.no_price"), str(error)
    held = books.held.get(f"{found.service}/{found.number}", 0)
    return CartItem(_with_paid(found, own) if own else found, quote, held_minor=held), ""


def _look_up_plate(
    typed: str, counter: CityCounter, source: InvoiceSource | None, books: Books, today: dt.date
) -> tuple[LookedUp, str]:
    """Find everything that is open for a plate; what cannot be paid here is counted and not named."""
    plate = normal_form(typed)
    if not SHORTEST <= len(plate) <= LONGEST:
        return _problem(text("notice.plate_form", shortest=SHORTEST, longest=LONGEST)), ""
    if source is None:
        return _problem(text("notice.data_missing")), ""
    try:
        found = source.find_by_plate(plate)
    except ReplicaError as error:
        return _problem(text("notice.data_missing")), str(error)
    if found is None:
        return _problem(text("notice.plate_unknown_here", counter=DEFAULT_COUNTER)), ""
    items: list[CartItem] = []
    refused, faults = 0, []
    for invoice in sorted(found, key=lambda each: (each.issued, each.service, each.number)):
        if invoice.state in _NOTHING_OPEN or invoice.service not in counter.library.services:
            continue
        item, fault = _item(invoice, counter, source, books, today)
        faults += [fault] if fault else []
        if isinstance(item, CartItem) and item.quote.due_minor == 0:
            continue
        try:
            payable = isinstance(item, CartItem) and counter.payable(item, 0) is None
        except PolicyError as error:
            payable = False
            faults.append(str(error))
        if isinstance(item, CartItem) and payable:
            items.append(msgspec.structs.replace(item, quote=discreet(item.quote), by_plate=True))
        else:
            refused += 1
    told = text("notice.plate_refused", count=refused, counter=DEFAULT_COUNTER) if refused else None
    if items:
        return LookedUp(items[0], told, tuple(items[1:])), "; ".join(faults[:3])
    return _problem(told or _not_found(source, tuple(counter.library.services))), "; ".join(faults[:3])


def too_many_plates() -> LookedUp:
    """Say that plates are closed for a while; a number that is on a paper can be typed as ever."""
    return _problem(text("notice.plate_closed", counter=DEFAULT_COUNTER))


def _not_found(source: InvoiceSource, services: tuple[str, ...]) -> Text:
    """Say that there is nothing, how old the data are that say so, and where a person can be asked."""
    ages = [(age, service) for service in services if (age := source.age_s(service)) is not None]
    if not ages:
        return text("notice.data_missing")
    age, oldest = max(ages)
    return text("notice.not_found", as_of_date=source.as_of(oldest)[:10], count=age // 3600, counter=DEFAULT_COUNTER)


def _with_paid(invoice: Invoice, own_minor: int) -> Invoice:
    """Count this kiosk's own later payments into the invoice that goes into the cart."""
    values = {name: getattr(invoice, name) for name in invoice.__struct_fields__}
    return Invoice(**{**values, "paid_minor": invoice.paid_minor + own_minor})


def _problem(told: Text) -> LookedUp:
    return LookedUp(None, told)
