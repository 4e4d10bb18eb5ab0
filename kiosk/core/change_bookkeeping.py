"""What the facts of change do to the books: payouts, floats, and the slip that waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kiosk.checkout.model import PayoutPage
from kiosk.core.pages import DeferredPage
from kiosk.model import facts

if TYPE_CHECKING:
    from kiosk.core.books import Books


def _payout_intended(books: Books, fact: facts.Fact, body: facts.PayoutIntended) -> None:
    page = PayoutPage(body.payout, body.device, body.value, body.coins, fact.epoch, body.settled_seq)
    books.take_payout(page)


def _deferred(books: Books, fact: facts.Fact, body: facts.ReceiptDeferred) -> None:
    books.deferred = DeferredPage(fact.stamp.session, body, fact.stamp.at.wall_ns)


def _payout_started(books: Books, fact: facts.Fact, body: facts.PayoutStarted) -> None:
    page = books.payouts.get(body.payout)
    if page is not None:
        again = {"phase": "started", "mark": body.device_mark, "starts": page.starts + 1}
        books.payouts[body.payout] = msgspec.structs.replace(page, **again)


def _payout_ended(books: Books, fact: facts.Fact, body: facts.PayoutEnded) -> None:
    books.post(body.entry)
    _left(books, body.payout, "ended", body.paid, 0)


def _payout_disputed(books: Books, fact: facts.Fact, body: facts.PayoutDisputed) -> None:
    books.post(body.entry)
    _left(books, body.payout, "disputed", body.at_least, body.at_most - body.at_least)


def _left(books: Books, payout: str, phase: str, paid: int, disputed: int) -> None:
    """Coins left a hopper for certain, and perhaps others."""
    page = books.payouts.get(payout)
    if page is not None:
        books.payouts[payout] = msgspec.structs.replace(page, phase=phase, paid=paid, disputed=disputed)
        books.into_hopper(page.device, page.value, -paid)


def _payout_resolved(books: Books, fact: facts.Fact, body: facts.PayoutResolved) -> None:
    books.post(body.entry)
    page = books.payouts.get(body.payout)
    if page is not None:
        paid = page.paid + body.paid
        books.payouts[body.payout] = msgspec.structs.replace(page, phase="ended", paid=paid, disputed=0)
        books.into_hopper(page.device, page.value, -body.paid)


def _hopper_filled(books: Books, fact: facts.Fact, body: facts.HopperFilled) -> None:
    books.post(body.entry)
    books.into_hopper(body.device, body.value, body.coins)


def _hopper_emptied(books: Books, fact: facts.Fact, body: facts.HopperEmptied) -> None:
    books.post(body.entry)
    books.into_hopper(body.device, body.value, -body.expected)


CHANGE: dict[type, Any] = {
    facts.PayoutIntended: _payout_intended, facts.ReceiptDeferred: _deferred, facts.PayoutStarted: _payout_started,
    facts.PayoutEnded: _payout_ended, facts.PayoutDisputed: _payout_disputed, facts.PayoutResolved: _payout_resolved,
    facts.HopperFilled: _hopper_filled, facts.HopperEmptied: _hopper_emptied,
}  # fmt: skip
