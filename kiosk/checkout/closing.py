"""Z closings: the fact that ends a period, and its slip.  Pure: everything comes in with `Day`."""

from __future__ import annotations

import datetime as dt

import msgspec

from kiosk.model import facts

#: Version of the slips' layout.
LAYOUT = 1


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """The present period, summed up, with what came before it."""

    #: Business date now.
    date: dt.date
    last_z: int
    grand_total_minor: int
    closed_through: dt.date | None
    box_session: int
    #: Number of the box in the kiosk, "" where nobody told it.
    box: str
    #: The last committed fact.
    through_epoch: int
    through_seq: int
    through_hash: str
    currency: str
    period: facts.Period


def closing(day: Day, cause: str, closes_through: dt.date | None) -> facts.DayClosed:
    """Return the closing of the present period; the first fact of its commit."""
    return facts.DayClosed(
        number=day.last_z + 1, cause=cause, closes_through=closes_through, box_session=day.box_session,
        through_epoch=day.through_epoch, through_seq=day.through_seq, through_hash=day.through_hash,
        currency=day.currency, period=day.period, grand_total_minor=day.grand_total_minor + day.period.taken_minor,
    )  # fmt: skip


def closing_slip(
    day: Day, z: facts.DayClosed, language: str, *, number: int, of_kind: int, about_seq: int
) -> facts.ReceiptIssued:
    """Return the slip of a closing: everything but sums, because the count of the box is blind."""
    return facts.ReceiptIssued(
        number, "z", LAYOUT, language, (), (), day.currency, about_seq, of_kind, closing_particulars(day, z)
    )


def closing_particulars(day: Day, z: facts.DayClosed) -> tuple[facts.Particular, ...]:
    """Return what a Z slip tells: numbers and the journal's head, by which a cut-off tail is found out."""
    told = [("z_number", str(z.number)), ("business_date", day.date.isoformat()), ("cause", z.cause)]
    if z.closes_through is not None:
        told.append(("closes_through", z.closes_through.isoformat()))
    return (*(facts.Particular(*pair) for pair in told), *period_particulars(day))


def report_particulars(day: Day) -> tuple[facts.Particular, ...]:
    """Return what an X report tells."""
    told = [("business_date", day.date.isoformat()), ("last_z", str(day.last_z))]
    return (*(facts.Particular(*pair) for pair in told), *period_particulars(day))


def period_particulars(day: Day) -> tuple[facts.Particular, ...]:
    """Return what both kinds tell of a period: never a sum, never a number of notes."""
    told = [("box_session", str(day.box_session))]
    if day.box:
        told.append(("box", day.box))
    told += [("payments", str(day.period.payments)), ("reprints", str(day.period.reprints))]
    told += [(f"slips_{span.slip}", f"{span.first}-{span.last}") for span in day.period.slips]
    told.append(("head", f"{day.through_epoch}/{day.through_seq} {day.through_hash[:16]}"))
    return tuple(facts.Particular(*pair) for pair in told)
