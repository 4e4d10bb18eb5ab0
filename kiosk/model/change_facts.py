"""Facts of change: coins that a hopper was asked for, what became of them, and what people put in and took out.

A payout is intended in the same commit as the settlement whose overpayment it pays back, started before the hopper
may move a coin, and ends once: with certain figures, or in dispute.  Its id is never used again.  Whatever is not
known to have been paid stays what it was, money owed to the citizen; what may have been paid is a claim that nobody
refunds by itself until the hopper has been counted.
"""

from __future__ import annotations

from kiosk.model.body import Body
from kiosk.model.entry import Entry
from kiosk.model.money import Money
from kiosk.model.slip_facts import Particular, ReceiptLine, ReceiptTotal

__all__ = [
    "HopperEmptied",
    "HopperFilled",
    "PayoutDisputed",
    "PayoutEnded",
    "PayoutIntended",
    "PayoutResolved",
    "PayoutStarted",
    "ReceiptDeferred",
]


class PayoutIntended(Body, frozen=True, tag="payout_intended"):
    """A hopper will be asked for coins.  In the commit of the settlement that owes them."""

    #: Names the payout for ever: epoch, number of the settlement, place.
    payout: str
    device: str
    #: Of one coin.
    value: Money
    coins: int
    #: Seq of the `Settled` fact, within the same epoch.
    settled_seq: int


class PayoutStarted(Body, frozen=True, tag="payout_started"):
    """Coins may move from here on.  Committed before the order goes out."""

    payout: str
    device: str
    #: The hopper's counters before the order, as its driver wants them back after a restart.
    device_mark: str


class PayoutEnded(Body, frozen=True, tag="payout_ended"):
    """A payout is over, with certain figures: paid + unpaid is what was intended."""

    payout: str
    device: str
    #: Coins.
    paid: int
    unpaid: int
    #: ``done``, ``empty``, ``jammed``, ``not_started``, ``overdue``, ``refused`` …
    reason: str
    #: Overpayment against the hopper's float, for what was paid; None where nothing was.
    entry: Entry | None
    #: Found by the counters after an interruption.
    recovered: bool = False
    device_mark: str = ""


class PayoutDisputed(Body, frozen=True, tag="payout_disputed"):
    """Nobody can tell how many coins left: some for certain, others perhaps, and the rest not."""

    payout: str
    device: str
    #: Coins that left for certain, and that left at most.
    at_least: int
    at_most: int
    reason: str
    #: What is certain leaves the float; what is not moves from overpayments to disputed claims.
    entry: Entry | None


class PayoutResolved(Body, frozen=True, tag="payout_resolved"):
    """The count of the hopper told how many of the disputed coins left: those are paid, the others owed again."""

    payout: str
    device: str
    #: Of the coins that were in dispute.
    paid: int
    unpaid: int
    by: str
    entry: Entry


class HopperFilled(Body, frozen=True, tag="hopper_filled"):
    """A person put coins of the change fund into a hopper."""

    device: str
    value: Money
    coins: int
    by: str
    entry: Entry


class HopperEmptied(Body, frozen=True, tag="hopper_emptied"):
    """A person took all coins out of a hopper, counted them, and gave them back to the change fund."""

    device: str
    value: Money
    #: Coins that should have been in it, and that were.
    expected: int
    counted: int
    by: str
    #: None where there was nothing and should have been nothing.
    entry: Entry | None


class ReceiptDeferred(Body, frozen=True, tag="receipt_deferred"):
    """The slip of a settlement that waits for its change: all that it says but what was paid out in coins.

    In the settlement's commit, so that it says the same whenever the payouts end and whatever rules hold by then.
    """

    slip: str
    language: str
    lines: tuple[ReceiptLine, ...]
    totals: tuple[ReceiptTotal, ...]
    currency: str
    #: Seq of the `Settled` fact, within the same epoch.
    settled_seq: int
    particulars: tuple[Particular, ...] = ()
