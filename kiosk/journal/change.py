"""The change of a journal: every payout intended with the debt it pays, let go once, ended once, and each float told.

A hopper's float is what people put in less what left, and never below zero.  Coins in dispute stay in the float until
the count of the hopper says how many of them left.
"""

from __future__ import annotations

from collections import Counter

from kiosk.journal.commits import Commit, Report, Told, found
from kiosk.journal.findings import Finding
from kiosk.model.entry import Entry
from kiosk.model.facts import (
    EpochStarted,
    HopperEmptied,
    HopperFilled,
    PayoutDisputed,
    PayoutEnded,
    PayoutIntended,
    PayoutResolved,
    PayoutStarted,
    ReceiptDeferred,
    ReceiptIssued,
    Settled,
    TenderFrozen,
)
from kiosk.model.money import Money

Place = tuple[int, int]


class Payout:
    """One payout as its facts tell it."""

    def __init__(self, body: PayoutIntended, settled: Place) -> None:
        self.body = body
        self.settled = settled
        #: ``intended``, ``started``, ``ended`` or ``disputed``.
        self.phase = "intended"
        self.paid = self.disputed = 0
        #: How often its hopper was let go: once for each order.
        self.starts = 0

    def minor(self, coins: int) -> int:
        """Return what so many of its coins are worth."""
        return coins * self.body.value.minor


class ChangeBook:
    """Follows payouts, floats and the slips that wait for change."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._payouts: dict[str, Payout] = {}
        self._of: dict[Place, list[Payout]] = {}
        #: Coins of open payouts by hopper.
        self._asked: Counter[str] = Counter()
        #: Coins by hopper, and of which value they are.
        self._floats: dict[str, int] = {}
        self._values: dict[str, Money] = {}
        #: Overpayments of settlements whose slip waits.
        self._waiting: dict[Place, Settled] = {}

    def take(self, commit: Commit) -> None:
        """Take the next commit."""
        settled = {
            (told.fact.epoch, told.fact.seq): told.body for told in commit if isinstance(told.body, Settled)
        }  # fmt: skip
        for told in commit:
            self._step(told, settled)
        for place, body in settled.items():
            planned = sum(each.minor(each.body.coins) for each in self._of.get(place, ()))
            if planned and planned > body.overpayment_minor:
                detail = f"{planned} of change intended, the overpayment is {body.overpayment_minor}"
                found(self._report, "payout_differs", commit[0], detail)

    def end(self) -> None:
        """Report slips that nothing is left to wait for; a payout may be open: its hopper has not told yet."""
        for place in self._waiting:
            if not any(each.phase in ("intended", "started") for each in self._of.get(place, ())):
                told = "all change has ended, and its settlement has no receipt"
                self._report(Finding("receipt_missing", "error", *place, told))

    def _step(self, told: Told, settled: dict[Place, Settled]) -> None:
        body = told.body
        match body:
            case PayoutIntended():
                self._intend(told, body, settled)
            case PayoutStarted():
                self._start(told, body)
            case PayoutEnded():
                self._end(told, body, body.paid, 0, body.unpaid)
            case PayoutDisputed():
                unpaid = self._coins(body.payout) - body.at_most
                self._end(told, body, body.at_least, body.at_most - body.at_least, unpaid)
            case PayoutResolved():
                self._resolve(told, body)
            case HopperFilled():
                self._fill(told, body)
            case HopperEmptied():
                self._empty(told, body)
            case ReceiptDeferred():
                self._defer(told, body, settled)
            case ReceiptIssued():
                self._receipt(told, body)
            case TenderFrozen():
                self._missing(told)
            case EpochStarted():
                self._waiting.clear()  # a slip tells of a fact of its own epoch
            case _:
                pass

    # --- payouts -------------------------------------------------------------------------------------------

    def _intend(self, told: Told, body: PayoutIntended, settled: dict[Place, Settled]) -> None:
        place = (told.fact.epoch, body.settled_seq)
        if body.payout in self._payouts:
            found(self._report, "payout_twice", told, f"payout {body.payout[:40]} was intended before")
            return
        if place not in settled:
            found(self._report, "payout_unintended", told, f"payout {body.payout[:40]} stands without its settlement")
        there = self._floats.get(body.device, 0) - self._asked[body.device]
        if not 0 < body.coins <= there or self._values.get(body.device) != body.value:
            detail = f"{body.coins} coins of {_plain(body.value)} intended of {there} in {body.device}"
            found(self._report, "hopper_overdrawn", told, detail)
        payout = self._payouts[body.payout] = Payout(body, place)
        self._of.setdefault(place, []).append(payout)
        self._asked[body.device] += body.coins

    def _start(self, told: Told, body: PayoutStarted) -> None:
        payout = self._known(told, body.payout, body.device)
        if payout is None:
            return
        payout.starts += 1
        if payout.phase not in ("intended", "started") or payout.starts > payout.body.coins:
            found(
                self._report, "payout_twice", told, f"payout {body.payout[:40]} was let go when it was {payout.phase}"
            )
            return
        payout.phase = "started"

    def _end(self, told: Told, body: PayoutEnded | PayoutDisputed, paid: int, disputed: int, unpaid: int) -> None:
        payout = self._known(told, body.payout, body.device)
        if payout is None:
            return
        if payout.phase not in ("intended", "started"):
            found(self._report, "payout_twice", told, f"payout {body.payout[:40]} ended twice")
            return
        if min(paid, disputed, unpaid) < 0 or paid + disputed + unpaid != payout.body.coins:
            detail = f"{paid} paid, {disputed} in doubt, {unpaid} not, of {payout.body.coins} coins"
            found(self._report, "payout_differs", told, detail)
        if payout.phase == "intended" and paid:
            found(self._report, "payout_unstarted", told, f"{paid} coins of payout {body.payout[:40]} left before that")
        self._moves(told, body.entry, payout.minor(paid + disputed), payout.body.value.currency)
        self._asked[body.device] -= payout.body.coins
        payout.phase = "disputed" if disputed else "ended"
        payout.paid, payout.disputed = paid, disputed
        self._leave(told, body.device, paid)

    def _resolve(self, told: Told, body: PayoutResolved) -> None:
        payout = self._known(told, body.payout, body.device)
        if payout is None:
            return
        if payout.phase != "disputed" or body.paid + body.unpaid != payout.disputed or min(body.paid, body.unpaid) < 0:
            detail = f"{body.paid} paid and {body.unpaid} not, of {payout.disputed} in doubt"
            found(self._report, "payout_differs", told, detail)
            return
        self._moves(told, body.entry, payout.minor(payout.disputed), payout.body.value.currency)
        payout.phase, payout.disputed = "ended", 0
        payout.paid += body.paid
        self._leave(told, body.device, body.paid)

    def _known(self, told: Told, payout: str, device: str) -> Payout | None:
        found_one = self._payouts.get(payout)
        if found_one is None or found_one.body.device != device:
            found(self._report, "payout_unintended", told, f"payout {payout[:40]} of {device[:40]} was never intended")
            return None
        return found_one

    def _coins(self, payout: str) -> int:
        known = self._payouts.get(payout)
        return known.body.coins if known is not None else 0

    def _moves(self, told: Told, entry: Entry | None, minor: int, currency: str) -> None:
        """An entry moves what its fact tells, whole and once."""
        moved = sum(posting.minor for posting in entry.postings if posting.minor > 0) if entry is not None else 0
        if moved != minor or (entry is not None and entry.currency != currency):
            found(
                self._report, "entry_differs", told, f"the fact tells {minor} {currency[:12]}, the entry moves {moved}"
            )

    # --- hoppers -------------------------------------------------------------------------------------------

    def _leave(self, told: Told, device: str, coins: int) -> None:
        self._floats[device] = self._floats.get(device, 0) - coins
        if self._floats[device] < 0:
            found(self._report, "hopper_overdrawn", told, f"{device} holds {self._floats[device]} coins")
            self._floats[device] = 0

    def _fill(self, told: Told, body: HopperFilled) -> None:
        there = self._floats.get(body.device, 0)
        if body.coins <= 0 or (there and self._values.get(body.device) != body.value):
            detail = f"{body.coins} coins of {_plain(body.value)} into a hopper with {there} others"
            found(self._report, "hopper_differs", told, detail)
        self._moves(told, body.entry, body.coins * body.value.minor, body.value.currency)
        self._floats[body.device] = there + body.coins
        self._values[body.device] = body.value

    def _empty(self, told: Told, body: HopperEmptied) -> None:
        there = self._floats.get(body.device, 0)
        if body.expected != there or body.counted < 0 or (there and self._values.get(body.device) != body.value):
            detail = f"{body.expected} coins of {_plain(body.value)} were expected in {body.device}, {there} are in it"
            found(self._report, "hopper_differs", told, detail)
        self._moves(told, body.entry, max(body.expected, body.counted) * body.value.minor, body.value.currency)
        self._floats[body.device] = 0

    # --- slips ---------------------------------------------------------------------------------------------

    def _defer(self, told: Told, body: ReceiptDeferred, settled: dict[Place, Settled]) -> None:
        place = (told.fact.epoch, body.settled_seq)
        if place not in settled:
            found(self._report, "payout_unintended", told, "a slip waits for the change of no settlement")
            return
        self._waiting[place] = settled[place]

    def _receipt(self, told: Told, body: ReceiptIssued) -> None:
        place = (told.fact.epoch, body.about_seq)
        settled = self._waiting.pop(place, None)
        if settled is None:
            return
        payouts = self._of.get(place, [])
        paid, doubt = sum(each.minor(each.paid) for each in payouts), sum(each.minor(each.disputed) for each in payouts)
        pending = sum(each.minor(each.body.coins) for each in payouts if each.phase in ("intended", "started"))
        owed = settled.overpayment_minor - paid - doubt - pending
        want = {"change": paid, "change_disputed": doubt, "change_pending": pending, "owed": owed}
        printed = {total.name: total.minor for total in body.totals}
        for name, minor in want.items():
            if printed.get(name, 0) != minor:
                detail = f"{name} {printed.get(name, 0)} on the slip, {minor} by the payouts"
                found(self._report, "receipt_differs", told, detail)

    def _missing(self, told: Told) -> None:
        for epoch, seq in list(self._waiting):
            found(self._report, "receipt_missing", told, f"another payment began before the slip of {epoch}/{seq}")
        self._waiting.clear()


def _plain(value: Money) -> str:
    return f"{value.minor} {value.currency[:12]}"
