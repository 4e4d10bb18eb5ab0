"""The hoppers of all kiosks as the facts tell them: payouts, floats, and the debts that coins paid.

A settlement's excess is a case.  What its payouts paid is taken off it; what is in doubt becomes a case of its own, so
that nobody refunds coins which a citizen may hold in their hand.  A kiosk that was restored from an older backup asks
in a new epoch and gives other ids; its floats go on from what the newer facts had said, and the next count tells.
"""

from __future__ import annotations

from kiosk.hub.posting.batch import Batch
from kiosk.hub.posting.rules import Rules
from kiosk.ledger import entries
from kiosk.model import facts
from kiosk.model.entry import Entry
from kiosk.model.facts import Fact
from kiosk.model.money import Money

Place = tuple[str, int, int]
_OPEN = ("intended", "started")


class Payout:
    """A row of `payout`."""

    __slots__ = ("coins", "device", "disputed", "paid", "settled", "state", "value")

    def __init__(self, row: tuple[str, str, int, int, str, int, int, int, int]) -> None:
        self.device, currency, minor, self.coins, self.state, self.paid, self.disputed, *settled = row
        self.value = Money(minor, currency)
        #: Epoch and seq of the settlement.
        self.settled: tuple[int, int] = (settled[0], settled[1])


class HopperPages:
    """Follows payouts and floats.  Facts are guarded and their entries posted before they come here."""

    def __init__(self, batch: Batch, rules: Rules) -> None:
        self._batch = batch
        self._rules = rules

    def take(self, place: Place, fact: Fact, position: int) -> None:
        """Take a fact of a hopper in; every row that it changes was written before."""
        match fact.body:
            case facts.PayoutIntended() as body:
                self._intend(place, body)
            case facts.PayoutStarted() as body:
                self._start(place, body)
            case facts.PayoutEnded() as body:
                self._end(place, fact, position, (body.paid, 0, body.unpaid))
            case facts.PayoutDisputed() as body:
                payout = self._payout(place, body.payout)
                rest = payout.coins - body.at_most if payout is not None else 0
                self._end(place, fact, position, (body.at_least, body.at_most - body.at_least, rest))
            case facts.PayoutResolved() as body:
                self._resolve(place, fact, body)
            case facts.HopperFilled() as body:
                self._fill(place, fact, body)
            case facts.HopperEmptied() as body:
                self._empty(place, fact, body)
            case _:
                pass

    # --- payouts -------------------------------------------------------------------------------------------

    def _intend(self, place: Place, body: facts.PayoutIntended) -> None:
        kiosk, epoch, seq = place
        if self._payout(place, body.payout) is not None:
            self._found("payout_twice", place, f"payout {body.payout[:40]} was intended before")
            return
        case = f"excess-{kiosk}-{epoch}-{body.settled_seq}"
        owed = self._batch.pen.ask("SELECT minor FROM money_case WHERE id = ?", (case,))
        asked = "SELECT coins, value_minor FROM payout WHERE kiosk = ? AND epoch = ? AND settled_seq = ?"
        planned = sum(coins * minor for coins, minor in self._batch.pen.ask(asked, (kiosk, epoch, body.settled_seq)))
        planned += body.coins * body.value.minor
        if not owed or planned > owed[0][0]:
            told = f"{planned} of change for the settlement {epoch}/{body.settled_seq}, which owes "
            self._found("payout_differs", place, told + (str(owed[0][0]) if owed else "nothing"))
        coins, value = self._float(kiosk, body.device)
        if not 0 < body.coins <= coins or value != body.value:
            self._found("hopper_overdrawn", place, f"{body.coins} coins intended of {coins} in {body.device[:40]}")
        coin = (body.device, body.value.currency, body.value.minor, body.coins)
        row = (kiosk, body.payout, epoch, seq, *coin, "intended", 0, 0, body.settled_seq)
        self._batch.pen.insert("payout", [row])

    def _start(self, place: Place, body: facts.PayoutStarted) -> None:
        payout = self._known(place, body.payout, body.device)
        if payout is None:
            return
        if payout.state not in _OPEN:  # a hopper that pays in several orders is let go for each
            self._found("payout_twice", place, f"payout {body.payout[:40]} was let go as {payout.state}")
            return
        self._put(place, body.payout, "started", 0, 0)

    def _end(self, place: Place, fact: Fact, position: int, coins: tuple[int, int, int]) -> None:
        body = fact.body
        assert isinstance(body, facts.PayoutEnded | facts.PayoutDisputed)
        paid, doubt, rest = coins
        payout = self._known(place, body.payout, body.device)
        if payout is None:
            return
        if payout.state not in _OPEN:
            self._found("payout_twice", place, f"payout {body.payout[:40]} ended twice")
            return
        if min(coins) < 0 or sum(coins) != payout.coins or (paid and payout.state == "intended"):
            told = f"{paid} paid, {doubt} in doubt, {rest} not, of {payout.coins} coins that were {payout.state}"
            self._found("payout_differs", place, told)
            return
        make = entries.change_disputed(self._rules.chart, payout.value, paid, doubt) if self._gives else None
        self._compare(place, fact, body.entry, make)
        self._put(place, body.payout, "disputed" if doubt else "ended", paid, doubt)
        self._leave(place, body.device, paid)
        self._owe(place, payout, -(paid + doubt) * payout.value.minor)
        if doubt:
            minor = doubt * payout.value.minor
            told = f"{doubt} coins of {body.device} may have left: its count tells"
            row = (f"change-{place[0]}-{body.payout}", "change", *place, "", "", payout.value.currency, minor, "open",
                   told[:400], position)  # fmt: skip
            self._batch.pen.replace("money_case", [row])

    def _resolve(self, place: Place, fact: Fact, body: facts.PayoutResolved) -> None:
        payout = self._known(place, body.payout, body.device)
        if payout is None:
            return
        if payout.state != "disputed" or body.paid + body.unpaid != payout.disputed or min(body.paid, body.unpaid) < 0:
            told = f"{body.paid} paid and {body.unpaid} not, of {payout.disputed} coins in doubt"
            self._found("payout_differs", place, told)
            return
        make = entries.change_resolved(self._rules.chart, payout.value, body.paid, body.unpaid) if self._gives else None
        self._compare(place, fact, body.entry, make)
        self._put(place, body.payout, "ended", payout.paid + body.paid, 0)
        self._leave(place, body.device, body.paid)
        self._owe(place, payout, body.unpaid * payout.value.minor)
        case = f"change-{place[0]}-{body.payout}"
        self._batch.pen.change("UPDATE money_case SET state = 'closed' WHERE id = ?", (case,))

    def _known(self, place: Place, payout: str, device: str) -> Payout | None:
        page = self._payout(place, payout)
        if page is None or page.device != device:
            self._found("payout_unintended", place, f"payout {payout[:40]} of {device[:40]} was never intended")
            return None
        return page

    def _payout(self, place: Place, payout: str) -> Payout | None:
        columns = "device, currency, value_minor, coins, state, paid, disputed, epoch, settled_seq"
        rows = self._batch.pen.ask(f"SELECT {columns} FROM payout WHERE kiosk = ? AND id = ?", (place[0], payout))
        return Payout(tuple(rows[0])) if rows else None

    def _put(self, place: Place, payout: str, state: str, paid: int, disputed: int) -> None:
        changes = "UPDATE payout SET state = ?, paid = ?, disputed = ? WHERE kiosk = ? AND id = ?"
        self._batch.pen.change(changes, (state, paid, disputed, place[0], payout))

    def _owe(self, place: Place, payout: Payout, minor: int) -> None:
        """Change what a settlement's excess still owes; nothing is owed no more."""
        epoch, seq = payout.settled
        case = f"excess-{place[0]}-{epoch}-{seq}"
        pen = self._batch.pen
        pen.change("UPDATE money_case SET minor = minor + ?, state = 'open' WHERE id = ?", (minor, case))
        pen.change("UPDATE money_case SET state = 'closed' WHERE id = ? AND minor <= 0", (case,))

    # --- floats --------------------------------------------------------------------------------------------

    def _float(self, kiosk: str, device: str) -> tuple[int, Money | None]:
        asked = "SELECT coins, currency, value_minor FROM hopper WHERE kiosk = ? AND device = ?"
        for coins, currency, minor in self._batch.pen.ask(asked, (kiosk, device)):
            return coins, Money(minor, currency)
        return 0, None

    def _set(self, kiosk: str, device: str, value: Money, coins: int) -> None:
        self._batch.pen.replace("hopper", [(kiosk, device, value.currency, value.minor, coins)])

    def _leave(self, place: Place, device: str, coins: int) -> None:
        there, value = self._float(place[0], device)
        if coins > there:
            self._found("hopper_overdrawn", place, f"{coins} coins left {device[:40]}, which held {there}")
        if value is not None:
            self._set(place[0], device, value, max(0, there - coins))

    def _fill(self, place: Place, fact: Fact, body: facts.HopperFilled) -> None:
        there, value = self._float(place[0], body.device)
        if body.coins <= 0 or (there and value != body.value):
            self._found("hopper_differs", place, f"{body.coins} coins into {body.device[:40]} with {there} others")
        make = entries.hopper_filled(self._rules.chart, body.value, body.coins) if self._gives else None
        self._compare(place, fact, body.entry, make)
        self._set(place[0], body.device, body.value, there + body.coins)

    def _empty(self, place: Place, fact: Fact, body: facts.HopperEmptied) -> None:
        there, value = self._float(place[0], body.device)
        if body.expected != there or body.counted < 0 or (there and value != body.value):
            self._found("hopper_differs", place, f"{body.expected} expected in {body.device[:40]}, {there} are told")
        make = (
            entries.hopper_emptied(self._rules.chart, body.value, body.expected, body.counted) if self._gives else None
        )
        self._compare(place, fact, body.entry, make)
        self._set(place[0], body.device, body.value, 0)

    # --- entries -------------------------------------------------------------------------------------------

    @property
    def _gives(self) -> bool:
        return self._rules.chart.gives_change

    def _compare(self, place: Place, fact: Fact, entry: Entry | None, wanted: Entry | None) -> None:
        """Hold the entry of a fact against what the rules post for it; it stands as it is."""
        if not self._gives or fact.stamp.digests.pack != self._rules.pack:
            return
        want, have = (entries.net([each]) if each is not None else {} for each in (wanted, entry))
        if want != have:
            self._found("entry_differs", place, f"the rules post {sum(m for m in want.values() if m > 0)} for this")

    def _found(self, code: str, place: Place, detail: str) -> None:
        self._batch.found(code, *place, detail)
