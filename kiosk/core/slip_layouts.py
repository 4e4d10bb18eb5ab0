"""What each kind of slip says, by kind and version of its layout; `core.slips` sets it on paper.

Slips for staff (exchange of the box, X, Z, test) never carry a sum of money or a number of notes, because the count
of a box is blind: a fact of such a kind that holds one is refused, and so is a particular that its layout does not
name.  What they tell comes from `ReceiptIssued.particulars` alone.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from kiosk.errors import ReceiptError
from kiosk.model.facts import ReceiptIssued

#: Beginning of the particulars that tell which slips of a kind a period gave out, e.g. ``slips_receipt``.
SLIPS = "slips_"
#: Until when a claim can be made, ISO; recorded with the slip, so that a copy says the same.
CLAIM_BY = "claim_by"


class Layout(msgspec.Struct, frozen=True):
    """One kind of slip."""

    #: Versions of the layout that this software can set.
    versions: frozenset[int] = frozenset({1})
    #: Particulars that stand on it, besides ranges of slips; None where it tells of money and names them in its text.
    particulars: frozenset[str] | None = None
    #: Tells the numbers of the slips that a period gave out.
    ranges: bool = False
    #: Has letters, a ruler and sizes instead of a content.
    trial: bool = False


_PERIOD = frozenset({"business_date", "box_session", "box", "payments", "reprints", "head"})

LAYOUTS: dict[str, Layout] = {
    "receipt": Layout(),
    "credit": Layout(),
    "pending": Layout(),
    "disputed": Layout(),
    "suspense": Layout(),
    "box_exchange": Layout(
        particulars=frozenset({"old_box", "new_box", "seal", "first", "second", "ended_session", "z_number", "head"})
    ),
    "x": Layout(particulars=_PERIOD | {"last_z"}, ranges=True),
    "z": Layout(particulars=_PERIOD | {"z_number", "closes_through", "cause"}, ranges=True),
    "test": Layout(particulars=frozenset(), trial=True),
}
#: Kinds that carry no sum.
BLIND = frozenset(kind for kind, layout in LAYOUTS.items() if layout.particulars is not None)


#: Sums on a slip that can be claimed.
_CLAIMED = ("overpayment", "pending", "held", "change_pending", "change_disputed", "owed")


def layout_of(body: ReceiptIssued) -> Layout:
    """Return the layout that sets this slip.

    Raises:
        ReceiptError: this software has none for it, or it holds what its kind must not tell.
    """
    layout = LAYOUTS.get(body.slip)
    if layout is None or body.layout not in layout.versions:
        raise ReceiptError(
            f"slip layout {body.layout} of {body.slip[:40]!r} is newer than this software", hint="update the kiosk"
        )
    if layout.particulars is None:
        return layout
    if body.lines or body.totals:
        raise ReceiptError(f"a slip of kind {body.slip} must not carry sums", hint="the count of a box is blind")
    for each in body.particulars:
        kind = each.name.removeprefix(SLIPS) if layout.ranges and each.name.startswith(SLIPS) else ""
        if each.name not in layout.particulars and kind not in LAYOUTS:
            raise ReceiptError(
                f"a slip of kind {body.slip} does not tell {each.name[:40]!r}", hint="update the kiosk, or its layout"
            )
    return layout


def claims(body: ReceiptIssued) -> tuple[str, ...]:
    """Return the names of what can be claimed with a slip, each once: ``credit``, ``overpayment``, ``pending`` …

    An overpayment that is refunded by mail is told apart: ``overpayment_refund``.  Of one that was paid back in coins
    only the rest can be claimed.
    """
    named = [meaning(body)] if body.slip in ("credit", "pending", "disputed", "suspense") else []
    refund = any((each.name, each.value) == ("excess", "refund") for each in body.particulars)
    over = "overpayment_refund" if refund else "overpayment"
    names = {total.name for total in body.totals}
    told = [total.name for total in body.totals if total.name in _CLAIMED]
    if "change" in names:
        told = [name for name in told if name != "overpayment"]  # what coins did not pay of it is named by itself
    if "credit" in named and not refund:
        told = [name for name in told if name != "overpayment"]  # nothing was paid, so nobody paid too much
    return tuple(dict.fromkeys([*named, *(over if name == "overpayment" else name for name in told)]))


#: Sums of a slip that tell what became of an overpayment.
_CHANGE = {"change", "change_pending", "change_disputed", "owed"}


def sum_word(name: str, names: Collection[str]) -> str:
    """Return the message that names a sum beside the others: money of which coins were paid back is not owed whole."""
    if name == "overpayment" and not _CHANGE.isdisjoint(names):
        return "slip.total.above"
    if name == "tender" and any(each.startswith("coin:") for each in names):
        return "slip.total.inserted"
    return f"slip.total.{name}"


def meaning(body: ReceiptIssued) -> str:
    """Return what a slip explains: its kind, but ``held`` where money was taken and all of it waits for its bill."""
    names = {total.name for total in body.totals}
    return "held" if body.slip == "credit" and "held" in names and "overpayment" not in names else body.slip


def ruler(columns: int) -> tuple[str, str]:
    """Return two lines that number the columns of the paper: tens, then ones.

    >>> ruler(12)
    ('         1  ', '123456789012')
    """
    places = range(1, columns + 1)
    tens = "".join(str(place // 10 % 10) if place % 10 == 0 else " " for place in places)
    return tens, "".join(str(place % 10) for place in places)
