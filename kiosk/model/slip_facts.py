"""Facts of numbered slips: each came into being in the same commit as what it tells, and was printed or not."""

from __future__ import annotations

import msgspec

from kiosk.model.body import Body
from kiosk.model.texts import Text

__all__ = [
    "Particular",
    "PrintEnded",
    "PrintStarted",
    "ReceiptIssued",
    "ReceiptLine",
    "ReceiptTotal",
    "SlipPresented",
]


class ReceiptLine(msgspec.Struct, frozen=True):
    """One paid line with its reason."""

    service: str
    number: str
    component: str
    minor: int
    reason: Text
    citation: str = ""


class ReceiptTotal(msgspec.Struct, frozen=True, array_like=True):
    """A named sum on the slip: ``due``, ``tender``, ``applied``, ``overpayment``, ``remaining``, ``note:2000``.

    With change also ``change``, ``change_pending``, ``change_disputed`` and ``owed``: together the overpayment.
    """

    name: str
    #: Minor units; how many notes or coins where the name is ``note:VALUE`` or ``coin:VALUE``.
    minor: int


class Particular(msgspec.Struct, frozen=True, array_like=True):
    """A named word on a slip that is no sum of money, e.g. ``seal`` or ``z_number``."""

    name: str
    value: str


class ReceiptIssued(Body, frozen=True, tag="receipt_issued"):
    """A slip with a number came into being, in the same commit as what it tells."""

    #: Contiguous from 1 within kiosk and epoch, one sequence over all slip kinds.
    number: int
    #: ``receipt``, ``credit``, ``pending``, ``disputed``, ``suspense``, ``box_exchange``, ``x``, ``z``, ``test``.
    slip: str
    layout: int
    language: str
    #: Everything the layout says, as data: printed again and verified from here alone.
    lines: tuple[ReceiptLine, ...]
    totals: tuple[ReceiptTotal, ...]
    currency: str
    #: Seq of the settlement, dispute, suspense, exchange or closing fact this slip tells of.
    about_seq: int
    #: Contiguous from 1 within kiosk, epoch and slip kind; 0 in facts from before kinds had numbers of their own.
    of_kind: int = 0
    particulars: tuple[Particular, ...] = ()


class PrintStarted(Body, frozen=True, tag="print_started"):
    """The first byte of this job may leave from now on; every end but `printed` is *unknown*."""

    number: int
    job: str
    #: 0 for the original, n for the n-th reprint (printed as COPY n).
    copy: int
    device: str


class PrintEnded(Body, frozen=True, tag="print_ended"):
    """How a print job ended: ``printed``, ``unknown`` or ``dropped`` (no byte left)."""

    number: int
    job: str
    copy: int
    outcome: str
    detail: str = ""


class SlipPresented(Body, frozen=True, tag="slip_presented"):
    """What became of a slip that a presenter held out: its owner has it only where it was taken."""

    number: int
    job: str
    copy: int
    #: ``taken``, ``retracted`` or ``ejected`` (nobody took it in time), ``jammed``, ``unknown`` (the line was lost).
    outcome: str
    raw: str = ""
