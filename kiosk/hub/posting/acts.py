"""What each kind of fact does to the books, one method a kind.  Facts are guarded before they come here."""

from __future__ import annotations

from typing import Any

from kiosk.hub.posting import boxes, hoppers
from kiosk.hub.posting.batch import Batch, Name
from kiosk.hub.posting.paid_twice import undo, weigh
from kiosk.hub.posting.rules import Rules, bills, frozen_decoder, frozen_encoder, knew
from kiosk.model import facts
from kiosk.model.entry import Entry
from kiosk.model.facts import Fact
from kiosk.model.money import Money

Place = tuple[str, int, int]


class Acts:
    """Posts facts into a batch; owns what stays open between batches: the frozen price of each kiosk's session."""

    def __init__(self, batch: Batch, rules: Rules) -> None:
        self.batch = batch
        self._rules = rules
        self._frozen: dict[str, tuple[str, facts.TenderFrozen]] = {}
        self._frozen_changed: set[str] = set()
        self._boxes = boxes.BoxPages(batch)
        self._hoppers = hoppers.HopperPages(batch, rules)
        for kiosk, session, body in batch.pen.ask("SELECT kiosk, session, body FROM frozen"):
            self._frozen[kiosk] = (session, frozen_decoder.decode(body))

    def flush(self) -> None:
        """Write everything that waits."""
        self.batch.flush()
        for kiosk in sorted(self._frozen_changed):
            open_one = self._frozen.get(kiosk)
            if open_one is None:
                self.batch.pen.change("DELETE FROM frozen WHERE kiosk = ?", (kiosk,))
            else:
                self.batch.pen.replace("frozen", [(kiosk, open_one[0], frozen_encoder.encode(open_one[1]))])
        self._frozen_changed.clear()

    # --- entries -------------------------------------------------------------------------------------------

    def _post(self, place: Place, fact: Fact, position: int, entry: Entry, services: list[str]) -> None:
        own = fact.stamp.business_date.isoformat()
        late = fact.stamp.late
        on = late.posts_on.isoformat() if late is not None else own
        why = self._rules.fault(entry)
        if why:
            self.batch.found("entry_refused", *place, why)
        self.batch.post(place, (on, own), position, entry, services)

    def _compare(self, place: Place, fact: Fact, entry: Entry | None, frozen: facts.TenderFrozen | None = None) -> None:
        why = self._rules.differs(fact, entry, frozen)
        if why:
            self.batch.found("entry_differs", *place, why)

    def _case(
        self, kind: str, place: Place, about: Name, value: tuple[str, int], detail: str, position: int, line: int = 0
    ) -> None:
        kiosk, epoch, seq = place
        number = f"{kind}-{kiosk}-{epoch}-{seq}" + (f"-{line}" if line else "")
        self.batch.cases.append((number, kind, kiosk, epoch, seq, *about, *value, "open", detail[:400], position))

    # --- notes ---------------------------------------------------------------------------------------------

    def credited(self, place: Place, fact: Fact, position: int, _: bytes) -> None:
        """Cash in the box, the session's tender."""
        body: Any = fact.body
        self._compare(place, fact, body.entry)
        self._post(place, fact, position, body.entry, [])
        self._boxes.note(place[0], fact.stamp.box_session, body.value)

    def suspended(self, place: Place, fact: Fact, position: int, _: bytes) -> None:
        """Cash in the box that belongs to nobody yet."""
        body: Any = fact.body
        self._compare(place, fact, body.entry)
        if body.entry is not None:
            self._post(place, fact, position, body.entry, [])
        self._boxes.note(place[0], fact.stamp.box_session, body.value)
        self._case("suspense", place, ("", ""), _value(body.value), body.reason, position)

    def disputed(self, place: Place, fact: Fact, position: int, _: bytes) -> None:
        """A note that may be in the box."""
        body: Any = fact.body
        self._compare(place, fact, body.entry)
        self._post(place, fact, position, body.entry, [])
        self._case("disputed", place, ("", ""), _value(body.value), body.reason, position)

    # --- a session -----------------------------------------------------------------------------------------

    def froze(self, place: Place, fact: Fact, _: int, __: bytes) -> None:
        """The price stands until the session is settled or closed."""
        body: Any = fact.body
        self._frozen[place[0]] = (fact.stamp.session, body)
        self._frozen_changed.add(place[0])

    def closed(self, place: Place, fact: Fact, _: int, __: bytes) -> None:
        """A session ended."""
        self._thaw(place[0], fact.stamp.session)

    def _thaw(self, kiosk: str, session: str) -> facts.TenderFrozen | None:
        there = self._frozen.get(kiosk)
        if there is None or there[0] != session:
            return None
        del self._frozen[kiosk]
        self._frozen_changed.add(kiosk)
        return there[1]

    def settled(self, place: Place, fact: Fact, position: int, _: bytes) -> None:
        """Tender goes to invoices, what is held moves, what is above is owed to the citizen."""
        body: Any = fact.body
        frozen = self._thaw(place[0], fact.stamp.session)
        self._compare(place, fact, body.entry, frozen)
        self._post(place, fact, position, body.entry, self._rules.services_of(body.entry, body.allocations))
        _check_sums(self.batch, place, body)
        if body.used or body.held:
            self._hold(place, body, position)
        self._pay(place, fact, body, position, knew(frozen), bills(frozen))
        if body.overpayment_minor > 0:
            value = (body.currency, body.overpayment_minor)
            self._case("excess", place, ("", ""), value, body.excess or "credit", position)

    def _pay(
        self, place: Place, fact: Fact, body: facts.Settled, position: int, known: dict[Name, int],
        billed: dict[Name, str],
    ) -> None:  # fmt: skip
        parts: dict[Name, tuple[int, int, str]] = {}
        for each in body.allocations:
            name = (each.service, each.number)
            parts[name] = (parts.get(name, (0,))[0] + each.minor, each.remaining_minor, each.outcome)
        date, session = fact.stamp.business_date.isoformat(), fact.stamp.session
        for line, (name, (minor, remaining, outcome)) in enumerate(parts.items(), 1):
            page = self.batch.touch(name, self._rules.currency_of(name[0]) or body.currency, position)
            excess, bill = 0, billed.get(name, page.bill)  # without its price it is for the bill that is known
            if page.currency != body.currency:
                told = f"{name[1]} is kept in {page.currency}, and was paid in {body.currency}"
                self.batch.found("currency_differs", *place, told)
            elif bill < page.bill:
                excess = minor  # a later bill of the account has taken this one's place: a person decides
            else:
                if bill > page.bill:
                    page.standing, page.bill = None, bill
                page.standing, excess = weigh(page.standing, minor, remaining, known.get(name))
            self.batch.payments.append(
                (*place, *name, position, body.currency, minor, remaining, outcome, date, session, excess, bill)
            )
            if excess:
                told = f"{minor} paid, {excess} of it above what was owed when this came second"
                self._case("overpayment", place, name, (body.currency, excess), told, position, line)
                self.batch.found("paid_twice", *place, f"{name[0]} {name[1]}: {told}")

    def _hold(self, place: Place, body: facts.Settled, position: int) -> None:
        moved: dict[Name, int] = {}
        for sign, parts in ((-1, body.used), (1, body.held)):
            for each in parts:
                name = (each.service, each.number)
                moved[name] = moved.get(name, 0) + sign * each.minor
        for name, minor in moved.items():
            page = self.batch.touch(name, self._rules.currency_of(name[0]) or body.currency, position)
            if page.currency != body.currency:
                told = f"money is held for {name[1]} in {body.currency}, which is kept in {page.currency}"
                self.batch.found("currency_differs", *place, told)
                continue
            page.held += minor
            self._held_case(place, name, body.currency, minor, position)

    def _held_case(self, place: Place, name: Name, currency: str, minor: int, position: int) -> None:
        """One case for each kiosk and invoice: money waits there until it is used up."""
        kiosk, epoch, seq = place
        number = f"held-{kiosk}-{name[0]}-{name[1]}"
        pen, detail = self.batch.pen, "waits for the rest of an invoice that takes no part payment"
        row = (number, "held", kiosk, epoch, seq, *name, currency, minor, "open", detail, position)
        pen.add("money_case", [row], ("minor",), replace=True)
        pen.change("UPDATE money_case SET state = 'closed' WHERE id = ? AND minor = 0", (number,))
        ((left,),) = pen.ask("SELECT minor FROM money_case WHERE id = ?", (number,))
        if left < 0:
            self.batch.found("held_overdrawn", *place, f"{name[0]} {name[1]}: {-left} used that were never held here")

    # --- undoing -------------------------------------------------------------------------------------------

    def reversed(self, place: Place, fact: Fact, position: int, _: bytes) -> None:
        """An earlier posting is undone, whole."""
        body: Any = fact.body
        self.flush()  # what is undone may still wait
        kiosk, original = place[0], (place[0], body.original_epoch, body.original_seq)
        lines = self.batch.pen.ask(
            "SELECT currency, account, minor FROM posting WHERE kiosk = ? AND epoch = ? AND seq = ?", original
        )
        told = f"names {original[1]}/{original[2]}"
        if not lines or original[1:] >= place[1:]:
            self.batch.found("reversal_unknown", *place, f"{told}, which is no earlier fact with an entry")
        else:
            undone = {(body.entry.currency, each.account): -each.minor for each in body.entry.postings}
            if {(currency, account): minor for currency, account, minor in lines} != undone:
                self.batch.found("reversal_differs", *place, f"{told} and does not undo its entry")
        self._post(place, fact, position, body.entry, [])
        self._unpay(place, original, position)
        for kind in ("disputed", "suspense", "excess"):
            number = f"{kind}-{kiosk}-{original[1]}-{original[2]}"
            self.batch.pen.change("UPDATE money_case SET state = 'closed' WHERE id = ?", (number,))

    def _unpay(self, place: Place, original: Place, position: int) -> None:
        pen = self.batch.pen
        where = "WHERE kiosk = ? AND epoch = ? AND seq = ?"
        paid = pen.ask(
            f"SELECT service, number, currency, minor, excess_minor, bill FROM payment {where} "
            "AND outcome <> 'reversed' "
            "ORDER BY service, number", original,
        )  # fmt: skip
        if not paid:
            return
        self.batch.found("reversal_of_payment", *place, f"undoes {original[1]}/{original[2]}, a payment")
        self.batch.load_invoices({(row[0], row[1]) for row in paid})
        for service, number, currency, minor, excess, bill in paid:
            page = self.batch.touch((service, number), currency, position)
            if page.standing is not None and page.currency == currency and page.bill == bill:
                page.standing = undo(page.standing, minor, excess)
        pen.change(f"UPDATE payment SET outcome = 'reversed' {where}", original)
        pen.change(f"UPDATE money_case SET state = 'closed' {where} AND kind = 'overpayment'", original)

    # --- slips, closings, boxes ----------------------------------------------------------------------------

    def issued(self, place: Place, fact: Fact, position: int, digest: bytes) -> None:
        """A numbered slip, named as it is printed: its check digits come from the hash of this fact."""
        body: Any = fact.body
        kiosk, epoch, seq = place
        number = f"{kiosk}-{epoch}-{body.number:06d}-{digest.hex()[:4]}"
        row = (number, kiosk, epoch, seq, body.slip, body.number, fact.stamp.session,
               fact.stamp.business_date.isoformat(), fact.stamp.at.wall_ns, body.language, position)  # fmt: skip
        self.batch.receipts.append((self.batch.received_ns, row))

    def day_closed(self, place: Place, fact: Fact, _: int, __: bytes) -> None:
        """A Z closing."""
        body: Any = fact.body
        through = body.closes_through.isoformat() if body.closes_through is not None else None
        row = (place[0], body.number, place[1], place[2], body.cause, through, body.box_session, body.currency,
               body.period.taken_minor, body.grand_total_minor, fact.stamp.at.wall_ns)  # fmt: skip
        self.batch.closings.append((self.batch.received_ns, row))

    def box_moved(self, place: Place, fact: Fact, _: int, __: bytes) -> None:
        """A box left, was named or arrived at the count."""
        self._boxes.moved(place[0], fact)

    def count_closed(self, place: Place, fact: Fact, position: int, _: bytes) -> None:
        """A box was counted and compared."""
        body: Any = fact.body
        self._compare(place, fact, body.entry)
        if body.entry is not None:
            self._post(place, fact, position, body.entry, [])
        self.flush()
        self._boxes.counted(place, body)

    def coins_moved(self, place: Place, fact: Fact, position: int, _: bytes) -> None:
        """A hopper was asked, paid, was filled or counted."""
        body: Any = fact.body
        entry = getattr(body, "entry", None)
        if entry is not None:
            self._post(place, fact, position, entry, [])
        self.flush()  # the settlement's case may still wait
        self._hoppers.take(place, fact, position)

    # --- what the hub said itself ----------------------------------------------------------------------------

    def people_adopted(self, place: Place, fact: Fact, _: int, __: bytes) -> None:
        """A kiosk took the hub's people, or could not: whom its own configuration contradicts is told."""
        body = fact.body
        assert isinstance(body, facts.PeopleAdopted)
        if body.refused:
            self.batch.found("people_refused", *place, f"version {body.version}: {body.refused}")
        elif body.conflicts:
            told = ", ".join(body.conflicts)
            self.batch.found("people_conflict", *place, f"version {body.version} stands; other at the kiosk: {told}")

    def pack_adopted(self, place: Place, fact: Fact, _: int, __: bytes) -> None:
        """A kiosk took the city's pack for its next start, or refused it."""
        body = fact.body
        assert isinstance(body, facts.PackAdopted)
        if body.refused:
            self.batch.found("pack_refused", *place, f"version {body.version}: {body.refused}")


def _value(value: Money | None) -> tuple[str, int]:
    return (value.currency, value.minor) if value is not None else ("", 0)


def _check_sums(batch: Batch, place: Place, body: facts.Settled) -> None:
    applied = sum([each.minor for each in body.allocations])
    used, held = sum([each.minor for each in body.used]), sum([each.minor for each in body.held])
    if used + body.tender_minor != applied + body.overpayment_minor + held or body.entry.currency != body.currency:
        told = f"used {used} + tender {body.tender_minor}, applied {applied} + overpayment {body.overpayment_minor}"
        batch.found("settlement_differs", *place, f"{told} + held {held}")


DEEDS: dict[type, Any] = {
    facts.NoteCredited: Acts.credited, facts.NoteSuspended: Acts.suspended, facts.NoteDisputed: Acts.disputed,
    facts.TenderFrozen: Acts.froze, facts.SessionClosed: Acts.closed, facts.Settled: Acts.settled,
    facts.Reversed: Acts.reversed, facts.ReceiptIssued: Acts.issued, facts.DayClosed: Acts.day_closed,
    facts.CountClosed: Acts.count_closed, facts.CashboxChanged: Acts.box_moved, facts.BoxExchanged: Acts.box_moved,
    facts.ExchangeAbandoned: Acts.box_moved, facts.BoxReceived: Acts.box_moved, facts.Commissioned: Acts.box_moved,
    facts.PayoutIntended: Acts.coins_moved, facts.PayoutStarted: Acts.coins_moved, facts.PayoutEnded: Acts.coins_moved,
    facts.PayoutDisputed: Acts.coins_moved, facts.PayoutResolved: Acts.coins_moved,
    facts.HopperFilled: Acts.coins_moved, facts.HopperEmptied: Acts.coins_moved,
    facts.PeopleAdopted: Acts.people_adopted, facts.PackAdopted: Acts.pack_adopted,
}  # fmt: skip
