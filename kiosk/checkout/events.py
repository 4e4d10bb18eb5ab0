"""Events of the checkout that come neither from a person (`intents`) nor from a device (`model.device_events`)."""

from __future__ import annotations

import msgspec

from kiosk.model.invoice import Invoice, Quote
from kiosk.model.texts import Text


class KernelEvent(msgspec.Struct, frozen=True):
    """Root of the kernel's own events."""


class CartItem(msgspec.Struct, frozen=True):
    """An invoice with its price.  `invoice.paid_minor` counts this kiosk's own later payments in."""

    invoice: Invoice
    quote: Quote
    #: Found by its plate: the person in front may be a stranger, so neither places nor times are shown or printed.
    by_plate: bool = False
    #: Held for this invoice from an earlier payment, minor units; counts as tender.
    held_minor: int = 0


class LookedUp(KernelEvent, frozen=True):
    """Answer to `LookUp`: an item, or why there is none."""

    item: CartItem | None
    problem: Text | None = None
    #: Further invoices of the same plate.
    more: tuple[CartItem, ...] = ()
    #: Services that all read the typed number, of which the citizen has to choose one; and that number.
    choosing: tuple[str, ...] = ()
    typed: str = ""


class PinChecked(KernelEvent, frozen=True):
    """Answer to `CheckPin`.  Without a problem the person is who they say and has these roles."""

    person: str
    roles: tuple[str, ...]
    purpose: str
    #: "", ``pin``, ``unknown``, ``locked``.
    problem: str = ""


class DeadlinePassed(KernelEvent, frozen=True):
    """The present state's period is over."""


class Settle(KernelEvent, frozen=True):
    """Apply the session's tender now.  `by`: ``citizen``, ``timeout``, ``recovery``, ``fault``."""

    by: str


class ChangeResumed(KernelEvent, frozen=True):
    """A start found change that was owed and not known to be paid, and the slip that waits for it."""


class AcceptorChanged(KernelEvent, frozen=True):
    """The acceptor became able or unable to take notes; what it may take has to be told again."""


class ServiceLost(KernelEvent, frozen=True):
    """New payments cannot be taken; reasons as texts."""

    reasons: tuple[Text, ...]


class ServiceRestored(KernelEvent, frozen=True):
    """New payments can be taken again."""


class ReprintAsked(KernelEvent, frozen=True):
    """Somebody authorised asks for another copy of a numbered slip."""

    number: int
    copy: int
