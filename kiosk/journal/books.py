"""The money half of `verify`: notes, entries, settlements, receipts and reversals, rebuilt from the facts alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from kiosk.errors import KioskError
from kiosk.journal.findings import Finding
from kiosk.model.entry import Entry
from kiosk.model.facts import (
    AnyBody,
    BoxExchanged,
    DayClosed,
    Fact,
    NoteCredited,
    NoteDisputed,
    NoteReturned,
    NoteSuspended,
    OperatorActed,
    ReceiptDeferred,
    ReceiptIssued,
    ReturnIntended,
    Reversed,
    SessionClosed,
    Settled,
    StackIntended,
    TenderFrozen,
)
from kiosk.model.ids import NoteId
from kiosk.model.money import Money

#: Slip kind of a `ReceiptIssued` and the facts that it may be about.
_ABOUT: dict[str, tuple[type, ...]] = {
    "receipt": (Settled,),
    "credit": (Settled,),
    "disputed": (NoteDisputed,),
    "suspense": (NoteSuspended,),
    # A note that is still on its way when the session ends without any credit.
    "pending": (SessionClosed,),
    "box_exchange": (BoxExchanged,),
    "z": (DayClosed,),
    "x": (OperatorActed,),
    "test": (OperatorActed,),
}
#: Slip kind and the act that it may be about.
_ACTS = {"x": "report_x", "test": "test_print"}

Place = tuple[int, int]


class Books:
    """Rebuilds every balance and holds each money fact against the ones before it."""

    def __init__(self, report: Callable[[Finding], None], check_entry: Callable[[Entry], None] | None) -> None:
        self._report = report
        self._check_entry = check_entry
        #: Rebuilt balances, signed minor units (debit positive) by account and currency.
        self.balances: Counter[tuple[str, str]] = Counter()
        self.receipts = 0
        self._entries: dict[Place, Entry] = {}
        self._reversed: set[Place] = set()
        self._intended: dict[NoteId, Money] = {}
        self._taken: dict[NoteId, Place] = {}
        self._returned: set[NoteId] = set()
        self._tender: dict[str, Counter[str]] = {}
        self._numbers: tuple[int, set[int]] = (0, set())
        self._told: dict[Place, AnyBody] = {}
        self._unreceipted: dict[Place, Settled] = {}
        #: Held tender by service, number and currency, and what each settlement did to it.
        self._held: Counter[tuple[str, str, str]] = Counter()
        self._moved: dict[Place, Counter[tuple[str, str, str]]] = {}

    def step(self, fact: Fact) -> None:
        """Take one fact into the books."""
        body = fact.body
        entry: Entry | None = getattr(body, "entry", None)
        if entry is not None:
            self._post(fact, entry)
        match body:
            case StackIntended() | ReturnIntended():
                # Either intent names the note and its value before a command moves it; a unit that was told to
                # return a note and stacked it all the same has still taken the citizen's money.
                self._intended[body.note] = body.value
            case NoteReturned():
                self._return(fact, body)
            case NoteCredited():
                self._credit(fact, body)
            case NoteSuspended() | NoteDisputed():
                self._told[fact.epoch, fact.seq] = body
                if body.note is not None:
                    self._take(fact, body.note)
                self._value(fact, body.value, entry)
            case Settled():
                self._settle(fact, body)
            case SessionClosed():
                self._told[fact.epoch, fact.seq] = body
                if any((left := self._tender.get(fact.stamp.session, Counter())).values()):
                    self._found("settlement_missing", fact, f"session closed with {dict(left)} of tender not settled")
            case TenderFrozen():
                self._counts_as_tender(fact, body)
            case BoxExchanged() | DayClosed() | OperatorActed():
                self._told[fact.epoch, fact.seq] = body
            case ReceiptDeferred():
                self._unreceipted.pop((fact.epoch, body.settled_seq), None)  # `change` waits for it
            case ReceiptIssued():
                self._receipt(fact, body)
            case Reversed():
                self._reverse(fact, body)
            case _:
                pass

    def end(self) -> None:
        """Report what is still missing at the end of the journal."""
        for (epoch, seq), settled in self._unreceipted.items():
            told = f"settlement of {settled.tender_minor} {settled.currency} has no receipt"
            self._report(Finding("receipt_missing", "error", epoch, seq, told))

    def _found(self, code: str, fact: Fact, detail: str) -> None:
        self._report(Finding(code, "error", fact.epoch, fact.seq, detail))

    # --- entries -------------------------------------------------------------------------------------------

    def _post(self, fact: Fact, entry: Entry) -> None:
        self._entries[fact.epoch, fact.seq] = entry
        total = sum(posting.minor for posting in entry.postings)
        if total or not entry.postings or any(posting.minor == 0 for posting in entry.postings):
            self._found("entry_unbalanced", fact, f"{len(entry.postings)} postings sum to {total} {entry.currency}")
        if self._check_entry is not None:
            try:
                self._check_entry(entry)
            except KioskError as error:
                self._found("entry_refused", fact, error.message)
        for posting in entry.postings:
            self.balances[posting.account, entry.currency] += posting.minor

    def _value(self, fact: Fact, value: Money | None, entry: Entry | None) -> None:
        """A note's entry moves its value, whole and once; a note of unknown value moves nothing."""
        moved = (sum(p.minor for p in entry.postings if p.minor > 0), entry.currency) if entry else None
        told = (value.minor, value.currency) if value else None
        if moved != told:
            self._found("entry_differs", fact, f"the fact tells {told}, the entry moves {moved}")

    def _reverse(self, fact: Fact, body: Reversed) -> None:
        place = (body.original_epoch, body.original_seq)
        original = self._entries.get(place)
        if original is None or place >= (fact.epoch, fact.seq):
            self._found(
                "reversal_unknown", fact, f"names {place[0]}/{place[1]}, which is no earlier fact with an entry"
            )
            return
        if place in self._reversed:
            self._found("reversed_twice", fact, f"fact {place[0]}/{place[1]} was reversed before")
        told = self._told.get(place)
        if isinstance(told, Settled) or (told is None and place in self._taken.values()):
            # The kiosk reverses a dispute when the wire tells the note's end after all.  Undoing a payment needs a
            # request and another person's approval, and that is no act of this machine (domain sheet §9, 14 and 15).
            self._found("reversal_of_payment", fact, f"undoes fact {place[0]}/{place[1]}, a payment")
        self._reversed.add(place)
        self._held.subtract(self._moved.pop(place, {}))
        both = Counter[str]()
        for posting in (*original.postings, *body.entry.postings):
            both[posting.account] += posting.minor
        if original.currency != body.entry.currency or any(both.values()):
            self._found("reversal_differs", fact, f"does not undo the entry of {place[0]}/{place[1]}")
        for note, taken in list(self._taken.items()):
            if taken == place:
                del self._taken[note]

    # --- notes ---------------------------------------------------------------------------------------------

    def _take(self, fact: Fact, note: NoteId) -> None:
        if note in self._returned and not isinstance(fact.body, NoteSuspended):
            # A returned note that turns up stacked all the same belongs in suspense, and nowhere else.
            self._found("note_credited_after_return", fact, f"note {note} had gone back")
        if note in self._taken:
            epoch, seq = self._taken[note]
            self._found("note_credited_twice", fact, f"note {note} was taken before, at {epoch}/{seq}")
        self._taken[note] = (fact.epoch, fact.seq)

    def _credit(self, fact: Fact, body: NoteCredited) -> None:
        self._take(fact, body.note)
        self._value(fact, body.value, body.entry)
        intended = self._intended.get(body.note)
        if intended is None and not body.recovered and body.means != "coin":
            self._found(
                "note_without_intent", fact, f"note {body.note} was credited, no intent to stack it was committed"
            )
        elif intended is not None and intended != body.value:
            self._found(
                "note_value_changed",
                fact,
                f"note {body.note} of {_plain(intended)} was credited as {_plain(body.value)}",
            )
        self._tender.setdefault(fact.stamp.session, Counter())[body.value.currency] += body.value.minor

    def _return(self, fact: Fact, body: NoteReturned) -> None:
        if body.note is None:
            return
        if body.note in self._taken:
            self._found("note_credited_after_return", fact, f"note {body.note} went back after it was taken")
        self._returned.add(body.note)

    # --- settlements and receipts --------------------------------------------------------------------------

    def _settle(self, fact: Fact, body: Settled) -> None:
        credited = self._tender.pop(fact.stamp.session, Counter())
        if +credited != +Counter({body.currency: body.tender_minor}):
            self._found(
                "settlement_differs", fact, f"tender {body.tender_minor}, credited in the session {dict(credited)}"
            )
        self._hold(fact, body)
        if body.entry.currency != body.currency:
            self._found("entry_differs", fact, f"entry in {body.entry.currency}, settlement in {body.currency}")
        self._told[fact.epoch, fact.seq] = body
        if body.tender_minor or body.used:
            self._unreceipted[fact.epoch, fact.seq] = body

    def _counts_as_tender(self, fact: Fact, body: TenderFrozen) -> None:
        for each in body.held:
            there = self._held[each.service, each.number, body.currency]
            if each.minor > there:
                self._found("held_overdrawn", fact, f"{each.minor} counted of {there} held for {each.number}")

    def _hold(self, fact: Fact, body: Settled) -> None:
        """Hold used + tender against applied + overpayment + held, and what is used against what was held."""
        applied = sum(allocation.minor for allocation in body.allocations)
        used, held = (sum(each.minor for each in parts) for parts in (body.used, body.held))
        if used + body.tender_minor != applied + body.overpayment_minor + held or body.overpayment_minor < 0:
            told = (
                f"used {used} + tender {body.tender_minor} is not applied {applied} + overpayment "
                f"{body.overpayment_minor} + held {held}"
            )
            self._found("settlement_differs", fact, told)
        if any(part.minor <= 0 for part in (*body.used, *body.held)):
            self._found("settlement_differs", fact, "holds or uses an amount that is not above zero")
        paid = {(allocation.service, allocation.number) for allocation in body.allocations if allocation.minor}
        for each in body.held:
            if (each.service, each.number) in paid:
                self._found("settlement_differs", fact, f"{each.number} took money, and some is held for it")
        moved = Counter[tuple[str, str, str]]()
        for sign, parts in ((-1, body.used), (1, body.held)):
            for each in parts:
                name = (each.service, each.number, body.currency)
                moved[name] += sign * each.minor
                if sign < 0 and self._held[name] + moved[name] < 0:
                    self._found("held_overdrawn", fact, f"{-moved[name]} used of {self._held[name]} held for {name[1]}")
        self._moved[fact.epoch, fact.seq] = moved
        self._held.update(moved)

    def _receipt(self, fact: Fact, body: ReceiptIssued) -> None:
        self.receipts += 1
        epoch, seen = self._numbers
        if epoch != fact.epoch:
            seen = set()
            self._numbers = (fact.epoch, seen)
        if body.number in seen:
            self._found("receipt_number_twice", fact, f"number {body.number} was given before in epoch {fact.epoch}")
        elif body.number != len(seen) + 1:
            self._found("receipt_number_gap", fact, f"number {body.number} where {len(seen) + 1} comes next")
        seen.add(body.number)
        about = self._told.get((fact.epoch, body.about_seq))
        act = _ACTS.get(body.slip, "")
        fits = isinstance(about, _ABOUT.get(body.slip, ()))
        if not fits or (isinstance(about, OperatorActed) and about.act != act):
            self._found(
                "receipt_differs", fact, f"{body.slip!r} slip about fact {body.about_seq}, which is no such thing"
            )
            return
        if isinstance(about, Settled):
            self._unreceipted.pop((fact.epoch, body.about_seq), None)
            self._totals(fact, body, about)

    def _totals(self, fact: Fact, body: ReceiptIssued, about: Settled) -> None:
        applied = sum(allocation.minor for allocation in about.allocations)
        expected = {"tender": about.tender_minor, "applied": applied, "overpayment": about.overpayment_minor}
        expected |= {name: sum(part.minor for part in getattr(about, name)) for name in ("used", "held")}
        if body.currency != about.currency:
            self._found("receipt_differs", fact, f"receipt in {body.currency}, settlement in {about.currency}")
        printed = {total.name: total.minor for total in body.totals}
        for name, minor in expected.items():
            if printed.get(name, 0) != minor:
                self._found(
                    "receipt_differs", fact, f"{name} {printed.get(name, 0)} on the slip, {minor} in the settlement"
                )


def _plain(value: Money) -> str:
    """Write an amount that may be nonsense: `Money` itself refuses to write a currency it does not know."""
    return f"{value.minor} {value.currency[:12]}"
