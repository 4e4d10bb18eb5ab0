"""From a label or a typed number to a priced invoice: tariff layouts, the local replica, this kiosk's own payments.

No network takes part.  Every problem has words for the citizen; the text of a refused scan goes nowhere.
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from kiosk.checkout.counter import CityCounter
from kiosk.checkout.effects import LookUp
from kiosk.checkout.events import CartItem, LookedUp
from kiosk.core.books import Books
from kiosk.errors import ReplicaError, TariffError
from kiosk.model.invoice import Invoice
from kiosk.model.texts import Text, text
from kiosk.tariff.labels import LabelProblem

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


class InvoiceSource(Protocol):
    """Where invoices are looked up: the local replica."""

    def find(self, service: str, number: str) -> Invoice | None:
        """Return one invoice."""
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

    @property
    def available(self) -> bool:
        """Whether there is anything to look up in."""
        ...


def look_up(
    effect: LookUp, counter: CityCounter, source: InvoiceSource | None, books: Books, today: dt.date
) -> tuple[LookedUp, str]:
    """Answer a `LookUp`; also tells, for the health page, what went wrong inside ("" for nothing)."""
    library = counter.library
    read = library.read_typed(effect.text) if effect.typed else library.read_label(effect.text, effect.symbology)
    if isinstance(read, LabelProblem):
        return _problem(text(PROBLEMS.get(read.reason, "notice.unreadable"))), ""
    if source is None:
        return _problem(text("notice.data_missing")), ""
    try:
        found = source.find(read.service, read.number)
    except ReplicaError as error:
        return _problem(text("notice.data_missing")), str(error)
    if found is None:
        return _problem(text("notice.not_found", as_of_date=source.as_of(read.service)[:10])), ""
    refusal = library.service(found.service).offline_refusal(source.age_s(found.service))
    if refusal is not None:
        return _problem(refusal), ""
    own = books.paid_since(found.service, found.number, found.posted_through)
    settled = books.settled_on(found.service, found.number, found.posted_through)
    try:
        quote = library.price(
            found, today, own_paid_minor=own, settled_on=dt.date.fromisoformat(settled) if settled else None
        )
    except TariffError as error:
        return _problem(text("notice.no_price")), str(error)
    if own:
        found = _with_paid(found, own)
    return LookedUp(CartItem(found, quote)), ""


def _with_paid(invoice: Invoice, own_minor: int) -> Invoice:
    """Count this kiosk's own later payments into the invoice that goes into the cart."""
    values = {name: getattr(invoice, name) for name in invoice.__struct_fields__}
    return Invoice(**{**values, "paid_minor": invoice.paid_minor + own_minor})


def _problem(told: Text) -> LookedUp:
    return LookedUp(None, told)
