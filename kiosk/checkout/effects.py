"""What the table asks for.  The kernel carries effects out in order; a failed `Record` stops all that follow."""

from __future__ import annotations

import msgspec

from kiosk.model.commands import Command
from kiosk.model.facts import AnyBody
from kiosk.model.money import Money


class Effect(msgspec.Struct, frozen=True, tag_field="effect", tag=True):
    """Root of all effects."""


class Record(Effect, frozen=True, tag="record"):
    """Commit these facts together; what follows in the list happens only after the commit."""

    bodies: tuple[AnyBody, ...]
    #: Session the facts belong to, "" for none.
    session: str
    actor: str = "citizen"


class Order(Effect, frozen=True, tag="order"):
    """Send a command to one device."""

    device: str
    command: Command


class AcceptNotes(Effect, frozen=True, tag="accept_notes"):
    """Have the acceptors take exactly these notes and coins; empty means nothing at all."""

    values: tuple[Money, ...] = ()
    coins: tuple[Money, ...] = ()


class PrintReceipt(Effect, frozen=True, tag="print_receipt"):
    """Queue the slip of this committed receipt number on the printer."""

    number: int
    copy: int = 0


class DropPrint(Effect, frozen=True, tag="drop_print"):
    """Take back a job of which no byte has left."""

    job: str


class LookUp(Effect, frozen=True, tag="look_up"):
    """Read a label (or a typed number), find the invoice in the replica, price it; answered by `LookedUp`."""

    text: str
    symbology: str = ""
    typed: bool = False
    #: The text is a licence plate: all open invoices of its keyed hash are wanted.
    plate: bool = False
    #: The kind of bill that the citizen chose for a typed number, "" for any.
    service: str = ""


class CheckPin(Effect, frozen=True, tag="check_pin"):
    """Hold a PIN against a person's; answered by `PinChecked`."""

    person: str
    pin: str
    #: ``menu`` or ``second``.
    purpose: str


class Release(Effect, frozen=True, tag="release"):
    """Give a device that was taken out of service another chance."""

    device: str


class CloseShutter(Effect, frozen=True, tag="close_shutter"):
    """Close the counter to the public in somebody's name; "" opens it."""

    by: str


class Restart(Effect, frozen=True, tag="restart"):
    """End in order and start again on the journal of this realm."""

    realm: str


class Raise(Effect, frozen=True, tag="raise"):
    """Handle an internal event right after this step."""

    event: msgspec.Struct


AnyEffect = (
    Record
    | Order
    | AcceptNotes
    | PrintReceipt
    | DropPrint
    | LookUp
    | CheckPin
    | Release
    | CloseShutter
    | Restart
    | Raise
)
