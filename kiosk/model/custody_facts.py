"""Facts of the cash box, the business day and the count: where the notes lie, and who vouches for them.

A *box session* is the time one box spends in the kiosk; every note is in exactly one.  A *Z closing* ends a
period; a period never reaches over the end of a box session, so a box holds whole periods.  A count is blind:
its attempts are facts before the expected content is told.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from kiosk.model.body import Body
from kiosk.model.entry import Entry

__all__ = [
    "AccountSum",
    "AlarmAcknowledged",
    "AlarmRaised",
    "BoxCounted",
    "BoxExchanged",
    "BoxReceived",
    "CashboxChanged",
    "CountClosed",
    "DayClosed",
    "ExchangeAbandoned",
    "ExchangeAuthorised",
    "NoteCount",
    "Period",
    "SlipRange",
]


class NoteCount(msgspec.Struct, frozen=True, array_like=True):
    """So many notes of one value."""

    currency: str
    #: Minor units.
    value_minor: int
    count: int


class AccountSum(msgspec.Struct, frozen=True, array_like=True):
    """What a period posted to one account, signed minor units, debit positive."""

    currency: str
    account: str
    minor: int


class SlipRange(msgspec.Struct, frozen=True, array_like=True):
    """The numbers of one kind of slip that a period gave out, both included; within the kind and the epoch."""

    slip: str
    first: int
    last: int


class Period(msgspec.Struct, frozen=True):
    """All that happened between two Z closings, summed up.  Rebuilt and compared by `journal verify`."""

    #: Notes that went into the box, whoever they belong to.
    notes: tuple[NoteCount, ...] = ()
    #: Notes whose value the wire did not tell.
    unknown_notes: int = 0
    #: The notes above in the kiosk's currency, minor units: what the grand total grows by.
    taken_minor: int = 0
    #: Settlements.
    payments: int = 0
    accounts: tuple[AccountSum, ...] = ()
    slips: tuple[SlipRange, ...] = ()
    #: Copies started.
    reprints: int = 0


class CashboxChanged(Body, frozen=True, tag="cashbox_changed"):
    """The cash box was taken out or put in.

    `box_session` is the number from this fact on.  A removal within an authorised exchange leaves it (the exchange
    ends the session); any other removal ends the session there and then.
    """

    device: str
    removed: bool
    box_session: int
    #: ``exchange``: within an authorised one; ``none``: nobody was authorised; "": written before this was known.
    authority: str = ""
    #: The unit's event counter with this event, "" where it has none.
    device_mark: str = ""


class ExchangeAuthorised(Body, frozen=True, tag="exchange_authorised"):
    """Two people signed for taking the box out.  From here on the kiosk takes no note until the exchange ends."""

    device: str
    box_session: int
    old_box: str
    new_box: str
    #: Number of the seal on the new box.
    seal: str
    first: str
    second: str


class BoxExchanged(Body, frozen=True, tag="box_exchanged"):
    """An exchange ended: the old box left with its session, the new one begins the next."""

    device: str
    #: Session that ended, and the one that begins with this fact's commit.
    ended_session: int
    box_session: int
    old_box: str
    new_box: str
    seal: str
    first: str
    second: str
    #: True where the device told both removal and insertion; False where only the people did (power was off).
    seen: bool = True


class ExchangeAbandoned(Body, frozen=True, tag="exchange_abandoned"):
    """An authorised exchange did not happen.  Where the box had been out, its session ends all the same."""

    box_session: int
    was_removed: bool
    reason: str


class AlarmRaised(Body, frozen=True, tag="alarm_raised"):
    """Something happened that a person has to look into."""

    #: ``cashbox_removed``, ``cashbox_unattended``, ``cashbox_unwatched``, ``exchange_abandoned``, ``payout_disputed``.
    alarm: str
    device: str
    box_session: int


class AlarmAcknowledged(Body, frozen=True, tag="alarm_acknowledged"):
    """A person has seen the alarms that stood."""

    alarms: tuple[str, ...]


class DayClosed(Body, frozen=True, tag="day_closed"):
    """A Z closing: ends a period and, where `closes_through` is set, all business dates up to it.

    A closed date takes no more entries: a later one keeps its tender date and posts on the next open date
    (`Stamp.late`).
    """

    #: From 1 without a gap over the whole life of the journal.
    number: int
    #: ``cut_off``, ``operator``, ``exchange`` or ``removal``.
    cause: str
    closes_through: dt.date | None
    #: The box that holds this period's notes.
    box_session: int
    #: Last fact that the period holds (this fact is the first of the next one): epoch, seq and its hash, hexadecimal.
    through_epoch: int
    through_seq: int
    through_hash: str
    currency: str
    period: Period
    #: Sum of `taken_minor` over all closings, this one included; never reset.
    grand_total_minor: int


class BoxReceived(Body, frozen=True, tag="box_received"):
    """A box that left the kiosk arrived where it is counted."""

    box_session: int
    box: str
    #: The seal's number as read, and whether it was whole.
    seal: str
    seal_whole: bool
    by: str


class BoxCounted(Body, frozen=True, tag="box_counted"):
    """One attempt at a blind count.  Every attempt is kept; the one marked `final` is compared."""

    box_session: int
    #: From 1 within the box session.
    attempt: int
    notes: tuple[NoteCount, ...]
    total_minor: int
    currency: str
    by: str
    final: bool = False


class CountClosed(Body, frozen=True, tag="count_closed"):
    """The final count was compared with the journal and the difference booked."""

    box_session: int
    attempt: int
    expected_minor: int
    counted_minor: int
    #: Counted less expected, signed minor units.
    over_short_minor: int
    currency: str
    reason: str
    by: str
    #: Who signed a difference above the limit, "" where none was needed.
    second: str
    #: Duties that one person held together: ``collector_counted``, ``counter_signed``; empty where they were apart.
    separation: tuple[str, ...]
    #: Moves the counted cash out of the box's account and books the difference; None where the box held nothing.
    entry: Entry | None
