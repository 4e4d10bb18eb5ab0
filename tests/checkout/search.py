# ruff: noqa: SIM102  a condition of the rule inside a condition of the case reads better in two lines
"""A breadth-first search over everything that can happen to the checkout table, with an abstract world around it.

The world holds what the journal would hold (the outcome of each note) and who was in front when a note came.
Two notes of two values, one invoice, two citizens one after the other, and a driver that may say anything at any
time.  Each broken rule is collected under its name; the tests assert on the names.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec

from kiosk.checkout import intents as i
from kiosk.checkout.effects import AnyEffect, Order, PrintReceipt, Raise, Record
from kiosk.checkout.events import (
    AcceptorChanged,
    CartItem,
    DeadlinePassed,
    LookedUp,
    ReprintAsked,
    ServiceLost,
    ServiceRestored,
)
from kiosk.checkout.model import Checkout, Context, Dispute, Flight, Settlement
from kiosk.checkout.settings import CheckoutSettings
from kiosk.checkout.states import WITHOUT_DEADLINE, State
from kiosk.checkout.table import step
from kiosk.model import device_events as d
from kiosk.model import facts
from kiosk.model.commands import Confirm, ReturnNote, StackNote
from kiosk.model.entry import Entry, Posting
from kiosk.model.ids import NoteId
from kiosk.model.invoice import Invoice, Quote, QuoteLine
from kiosk.model.money import Money
from kiosk.model.texts import Text, text

USD = "USD"
DUE = 1000
TODAY = dt.date(2026, 3, 9)
LANGUAGES = ("en", "es")
ACCEPTOR = "acceptor"
VALUES = {1: Money(500, USD), 2: Money(2000, USD)}
NOTES = {serial: NoteId(ACCEPTOR, serial) for serial in VALUES}
BROKEN = text("out.acceptor")


def item(number: str = "1", minor: int = DUE) -> CartItem:
    """One invoice with its price."""
    invoice = Invoice(service="s", number=number, currency=USD, amount_minor=minor, issued=TODAY)
    line = QuoteLine("fine", minor, text("fee.fine"), "r@1")
    return CartItem(invoice, Quote("s", number, USD, (line,), TODAY))


def entry(minor: int, debit: str, credit: str) -> Entry:
    return Entry(USD, (Posting(debit, minor), Posting(credit, -minor)), "test")


class FakeCounter:
    """The simplest rules: every known note while something is due, an excess after a question."""

    def price(self, invoice: Invoice, on: dt.date) -> Quote:
        return item(invoice.number, invoice.amount_minor or 0).quote

    def payable(self, item: CartItem, without_cart: int) -> Text | None:
        return None

    def notes_allowed(
        self, items: tuple[CartItem, ...], known: tuple[Money, ...], inserted_minor: int, due_minor: int
    ) -> tuple[Money, ...]:
        return known if inserted_minor < due_minor else ()

    def excess(self, items: tuple[CartItem, ...]) -> str:
        return "credit"

    def fill_order(self, items: tuple[CartItem, ...]) -> tuple[CartItem, ...]:
        return items

    def credit_entry(self, value: Money) -> Entry:
        return entry(value.minor, "box", "unapplied")

    def suspense_entry(self, value: Money) -> Entry:
        return entry(value.minor, "box", "suspense")

    def dispute_entry(self, value: Money) -> Entry:
        return entry(value.minor, "disputed", "claims")

    def can_post(self, items: tuple[CartItem, ...]) -> bool:
        return True

    def settle(self, items: tuple[CartItem, ...], tender: Money) -> Settlement:
        due = sum(each.quote.due_minor for each in items)
        used = tuple(facts.Held("s", each.invoice.number, each.held_minor) for each in items if each.held_minor)
        whole = tender.minor + sum(each.minor for each in used)
        applied = min(due, whole)
        share = facts.Allocation("s", "1", applied, due - applied, "full" if applied == due else "partial")
        return Settlement(
            allocations=(share,), overpayment_minor=whole - applied, entry=entry(whole, "unapplied", "fines"),
            used=used, excess="credit" if whole > applied else "",
        )  # fmt: skip


class World(msgspec.Struct, frozen=True):
    """The model and what is outside of it."""

    model: Checkout
    #: Outcome by note as the journal has it.
    outcomes: tuple[tuple[int, str], ...] = ()
    #: In whose session each note was first seen in escrow.
    owners: tuple[tuple[int, str], ...] = ()
    disputed: tuple[int, ...] = ()
    sessions: int = 0
    receipts: int = 0
    ready: bool = True

    def key(self) -> tuple[Any, ...]:
        """Everything that later steps can depend on, with counters taken out."""
        m = self.model
        shown = tuple(sorted({message.id for message in m.messages} & {"message.not_printed"}))
        jobs = tuple(sorted((job.state, job.number in m.slips) for job in m.jobs if job.state not in _ENDED))
        return (
            m.state, m.session, m.frozen, len(m.cart), m.due_minor, m.credited, m.agreed_excess_minor, m.flight,
            m.wrap_up, m.asked_from, shown, jobs, bool(m.slips), bool(m.out_of_service), m.deadline_ns is None,
            self.outcomes, self.owners, self.disputed, self.sessions, self.ready,
        )  # fmt: skip


_ENDED = ("printed", "unknown", "dropped")


class Search:
    """Walks from the first state; `broken` maps the name of a rule to examples of its breach."""

    def __init__(self, *, notes: tuple[int, ...] = (1, 2), printing: bool = False, limit: int = 200_000) -> None:
        self.notes = notes
        self.printing = printing
        self.limit = limit
        self.broken: dict[str, list[str]] = {}
        self.seen: dict[tuple[Any, ...], tuple[tuple[Any, ...] | None, str]] = {}
        self.worlds: list[World] = []
        self.steps = 0
        self.refused: set[tuple[State, type]] = set()
        self._settled: dict[tuple[Any, ...], bool] = {}

    def run(self) -> Search:
        """Search until nothing new is found, or the limit."""
        queue = deque(self.starts())
        for first in queue:
            self.seen[first.key()] = (None, f"start {first.model.state}")
        while queue and len(self.seen) < self.limit:
            world = queue.popleft()
            self.worlds.append(world)
            for name, event in self.events(world):
                after = self.take(world, name, event)
                if after is None:
                    continue
                key = after.key()
                if key not in self.seen:
                    self.seen[key] = (world.key(), name)
                    queue.append(after)
        return self

    def starts(self) -> list[World]:
        """A fresh kiosk; one with a stranger's note in motion; payments interrupted with and without credit."""
        fresh = Checkout(currency=USD)
        stranger = msgspec.structs.replace(fresh, flight=Flight(NOTES[1], VALUES[1], "stacking", ours=False))
        found = [World(fresh), World(stranger, ((1, "intended"),), ((1, "s0"),))]
        for credited in ((), (VALUES[1],)):
            for phase in ("stacking", "returning", ""):
                serial = 2 if credited and 2 in self.notes else 1
                flight = Flight(NOTES[serial], VALUES[serial], phase) if phase else None
                if (not credited and not flight) or (credited and flight and serial == 1):
                    continue
                outcomes = {1: "credited"} if credited else {}
                if flight:
                    outcomes[serial] = "intended" if phase == "stacking" else "returning"
                model = msgspec.structs.replace(
                    fresh, state=State.RESUMING, session="s1", frozen=True, cart=(item(),), due_minor=DUE,
                    credited=credited, flight=flight, deadline_ns=1,
                )  # fmt: skip
                owners = tuple((each, "s1") for each in sorted(outcomes))
                found.append(World(model, tuple(sorted(outcomes.items())), owners, sessions=1))
        return found

    # --- events -------------------------------------------------------------------------------------------

    def events(self, world: World) -> Iterator[tuple[str, Any]]:
        """Everything that may happen next; no event is left out because a good driver would not send it."""
        model = world.model
        for kind in _INTENTS if self.printing else _MONEY_INTENTS:
            if world.sessions >= 2 and not model.session and kind is i.Begin:
                continue
            yield kind.__name__, kind()
        if world.sessions < 2 or model.session:
            yield "Scanned", d.Scanned("x")
        if model.state is State.LOOKING_UP:
            yield "LookedUp", LookedUp(item())
            yield "NotFound", LookedUp(None)
        yield "DeadlinePassed", DeadlinePassed()
        yield "AcceptorChanged", AcceptorChanged()
        if self.printing:
            yield "RemoveInvoice", i.RemoveInvoice(0)
            if world.sessions < 2 or model.session:
                yield "EnterNumber", i.EnterNumber("1")
                yield "Spanish", i.ChooseLanguage("es")
            yield "NoteAccepting", d.NoteAccepting()
            yield "NoteRejected", d.NoteRejected("recognition")
            yield "ServiceLost", ServiceLost((BROKEN,))
            yield "ServiceRestored", ServiceRestored()
        for serial in self.notes:
            note, value = NOTES[serial], VALUES[serial]
            yield f"NoteEscrowed{serial}", d.NoteEscrowed(note, value, 0)
            yield f"NoteStacked{serial}", d.NoteStacked(7, note, value)
            yield f"NoteReturned{serial}", d.NoteReturned(note, "x")
            if not self.printing and serial > 1:
                continue
            yield f"NoteDisputed{serial}", d.NoteDisputed(7, note, value, "silence")
            if not self.printing:
                continue
            yield f"StackRefused{serial}", d.CommandRefused("stack_note", "departed", note)
            yield f"NoteGone{serial}", d.NoteGone(note)
            yield f"NoteStacking{serial}", d.NoteStacking(note)
            yield f"ReturnRefused{serial}", d.CommandRefused("return_note", "departed", note)
        yield "StackedUnknown", d.NoteStacked(7, None, None)
        if self.printing:
            yield "StackedForeign", d.NoteStacked(7, NOTES[1], Money(500, "CAD"))
            yield "ReturnedUnknown", d.NoteReturned(None, "power_up", token=7)
        for job in model.jobs if self.printing else ():
            if job.state not in _ENDED:
                yield "PrintReady", d.PrintReady(9, job.job)
                yield "PrintHeld", d.PrintHeld(job.job, "paper_out")
                yield "Printed", d.Printed(job.job)
                yield "PrintUnknown", d.PrintUnknown(job.job, "cut")
                yield "PrintRefused", d.CommandRefused("print", "none", job=job.job)
                break

    # --- one step -----------------------------------------------------------------------------------------

    def context(self, world: World, device: str = ACCEPTOR) -> Context:
        return Context(
            now_ns=1, today=TODAY, fresh_session=f"s{world.sessions + 1}", next_seq=100, device=device,
            next_receipt=world.receipts + 1, known_notes=tuple(VALUES.values()), acceptor_ready=world.ready,
            printer_ready=True, note_outcome={NOTES[serial]: outcome for serial, outcome in world.outcomes},
            disputes={NOTES[s]: Dispute(1, 1, entry(VALUES[s].minor, "disputed", "claims")) for s in world.disputed},
            counter=FakeCounter(), settings=CheckoutSettings(), languages=LANGUAGES,
        )  # fmt: skip

    def take(self, world: World, name: str, event: Any) -> World | None:
        """Take an event and the internal ones it raises, hold the outcome against every rule."""
        pending = [event]
        whole: list[AnyEffect] = []
        first = world
        if isinstance(event, d.NoteEscrowed) and event.note.serial not in dict(world.owners):
            owners = tuple(sorted({**dict(world.owners), event.note.serial: world.model.session}.items()))
            world = msgspec.structs.replace(world, owners=owners)
        while pending:
            now = pending.pop(0)
            before = world
            model = world.model
            if isinstance(now, DeadlinePassed):
                # As the kernel does: a passed deadline is taken away before the event.
                model = msgspec.structs.replace(model, deadline_ns=None)
            self.steps += 1
            try:
                taken = step(model, now, self.context(world))
            except Exception as error:
                self.blame("a step never fails", first, name, repr(error))
                return None
            if taken is None:
                self.refused.add((model.state, type(now)))
                return None
            after, effects = taken
            self.judge_effects(world, name, now, effects)
            world = self.commit(world, after, effects)
            self.judge_credit(before, world, name, effects)
            whole += effects
            pending = [effect.event for effect in effects if isinstance(effect, Raise)] + pending
        self.judge(first, world, name, event, whole)
        return world

    def commit(self, world: World, after: Checkout, effects: list[AnyEffect]) -> World:
        """Put the step's facts into the world."""
        outcomes, disputed, receipts = dict(world.outcomes), set(world.disputed), world.receipts
        for effect in effects:
            if not isinstance(effect, Record):
                continue
            for body in effect.bodies:
                note = getattr(body, "note", None)
                if isinstance(body, facts.ReceiptIssued):
                    receipts = body.number
                if note is None or type(body) not in _OUTCOMES:
                    continue
                outcomes[note.serial] = _OUTCOMES[type(body)]
                if isinstance(body, facts.NoteDisputed):
                    disputed.add(note.serial)
                else:
                    disputed.discard(note.serial)
        sessions = world.sessions + (1 if after.session and after.session not in ("", world.model.session) else 0)
        jobs = tuple(job for job in after.jobs if job.state not in _ENDED)[-1:] if self.printing else ()
        return msgspec.structs.replace(
            world, model=msgspec.structs.replace(after, step=0, jobs=jobs), outcomes=tuple(sorted(outcomes.items())),
            disputed=tuple(sorted(disputed)), sessions=sessions, receipts=receipts,
        )  # fmt: skip

    # --- rules --------------------------------------------------------------------------------------------

    def blame(self, rule: str, world: World, name: str, detail: str = "") -> None:
        """Keep an example of a breach with the way to it."""
        found = self.broken.setdefault(rule, [])
        if len(found) < 5:
            found.append(f"{' > '.join(self.way(world))} > {name}: {detail}")

    def way(self, world: World) -> list[str]:
        """The events that led to this world."""
        told: list[str] = []
        key: tuple[Any, ...] | None = world.key()
        while key is not None and key in self.seen:
            key, name = self.seen[key]
            told.append(name)
        return told[::-1]

    def judge_effects(self, world: World, name: str, event: Any, effects: list[AnyEffect]) -> None:
        """Order within a step: facts before what follows from them."""
        recorded: set[Any] = set()
        for effect in effects:
            if isinstance(effect, Record):
                recorded |= {(type(body), getattr(body, "note", None)) for body in effect.bodies}
            if isinstance(effect, Order) and isinstance(effect.command, StackNote):
                if (facts.StackIntended, effect.command.note) not in recorded:
                    self.blame("the intent is committed before the stack command", world, name)
            if isinstance(effect, Order) and isinstance(effect.command, Confirm):
                money = {kind for kind, _ in recorded} & {facts.NoteCredited, facts.NoteSuspended, facts.NoteDisputed}
                note = getattr(event, "note", None)
                known = note is not None and dict(world.outcomes).get(note.serial) in _FINAL
                started = facts.PrintStarted in {kind for kind, _ in recorded}
                if not (money or known or started or isinstance(event, d.NoteReturned)):
                    self.blame("the credit is committed before the confirmation", world, name)
            if isinstance(effect, PrintReceipt) and not isinstance(event, ReprintAsked):
                if facts.ReceiptIssued not in {kind for kind, _ in recorded}:
                    self.blame("a slip is a fact before it is printed", world, name)

    def judge_credit(self, before: World, after: World, name: str, effects: list[AnyEffect]) -> None:
        """Who is credited, how often, and what for."""
        outcomes, owners = dict(before.outcomes), dict(after.owners)
        gained = after.model.credited_minor - before.model.credited_minor if after.model.frozen else 0
        credited = 0
        for effect in effects:
            if isinstance(effect, Order) and isinstance(effect.command, StackNote):
                if outcomes.get(effect.command.note.serial) in _FINAL:
                    self.blame("a note with a recorded end is never stacked again", before, name)
            if not isinstance(effect, Record):
                continue
            for body in effect.bodies:
                if isinstance(body, facts.NoteCredited):
                    credited += body.value.minor
                    had = outcomes.get(body.note.serial, "")
                    if had == "returned":
                        self.blame("a returned note is never credited", before, name)
                    if had in ("credited", "suspended"):
                        self.blame("no note is credited twice", before, name, had)
                    if owners.get(body.note.serial) != effect.session or not effect.session:
                        self.blame("a note is never the next citizen's credit", before, name)
                    if body.entry != FakeCounter().credit_entry(body.value):
                        self.blame("a credit posts its entry", before, name)
                if isinstance(body, facts.NoteSuspended):
                    had = outcomes.get(body.note.serial, "") if body.note else ""
                    if had in ("credited", "suspended"):
                        self.blame("no note is counted into the box twice", before, name, had)
                if isinstance(body, facts.NoteDisputed) and outcomes.get(body.note.serial, "") in _FINAL:
                    self.blame("no note is disputed after its end is known", before, name)
        if gained != credited and gained > 0:
            self.blame("session credit comes from recorded credits alone", before, name, f"{gained} {credited}")

    def judge(self, before: World, after: World, name: str, event: Any, effects: list[AnyEffect]) -> None:
        """What must hold when the item is done."""
        model, was = after.model, before.model
        if model.deadline_ns is None and model.state not in WITHOUT_DEADLINE:
            self.blame("no state waits without a deadline", before, name, str(model.state))
        if model.state is State.SETTLING:
            self.blame("settling is left within the step", before, name)
        bodies = [body for effect in effects if isinstance(effect, Record) for body in effect.bodies]
        kinds = {type(body) for body in bodies}
        if isinstance(event, d.Scanned | d.ScanRefused) and was.frozen and (model != was or effects):
            self.blame("a scan during payment changes nothing", before, name)
        if was.frozen and was.credited and not model.frozen:
            if not {facts.Settled, facts.ReceiptIssued} <= kinds:
                self.blame("credit leaves the table through a settlement with a slip only", before, name)
        if was.frozen and not model.frozen and not kinds & {facts.Settled, facts.SessionClosed}:
            self.blame("a frozen session always ends in the journal", before, name)
        if was.frozen and model.frozen and (model.due_minor, model.cart) != (was.due_minor, was.cart):
            self.blame("a frozen price never changes", before, name)
        if model.session != was.session and was.frozen and not kinds & {facts.Settled, facts.SessionClosed}:
            self.blame("a frozen session is never left open behind", before, name)
        if (was.session and model.session and model.session != was.session) and was.frozen:
            self.blame("nobody steps into an open payment", before, name)
        if model.out_of_service and model.frozen and not was.frozen:
            self.blame("no payment begins out of service", before, name)
        if model.out_of_service and not was.session and model.session:
            self.blame("no session begins out of service", before, name)
        if model.frozen and model.session == "":
            self.blame("a frozen price belongs to a session", before, name)
        if not model.frozen and model.credited and was.frozen is False and was.credited == ():
            self.blame("credit needs a frozen price", before, name)
        held = model.flight is not None and model.flight.ours
        waiting = model.state in (State.STACKING, State.RETURNING, State.NOTE_HELD)
        if waiting and not held:
            self.blame("no state waits for a note that is not this person's", before, name, str(model.flight))
        for effect in effects:
            if isinstance(effect, PrintReceipt) and isinstance(event, d.NoteStacked | d.NoteDisputed) and event.note:
                owner = dict(after.owners).get(event.note.serial)
                if owner is not None and was.session and owner != was.session:
                    self.blame("a slip never comes out in the next person's hand", before, name)
        if isinstance(event, d.NoteStacked | d.NoteDisputed) or (isinstance(event, d.NoteReturned) and event.token):
            if not any(isinstance(e, Order) and isinstance(e.command, Confirm) for e in effects):
                self.blame("every money event is confirmed", before, name)
        if isinstance(event, d.NoteEscrowed) and was.flight != model.flight:
            orders = [e.command for e in effects if isinstance(e, Order)]
            if not orders:
                self.blame("every note in escrow gets a decision", before, name)
        if any(isinstance(e, Order) and isinstance(e.command, ReturnNote) and e.command.note == _note_stacking(was)
               for e in effects):  # fmt: skip
            self.blame("a note on its way to the box is not called back", before, name)

    # --- time alone ---------------------------------------------------------------------------------------

    def stranded(self) -> list[str]:
        """Worlds with credit from which time alone does not reach a settlement with a slip."""
        with_credit = [world for world in self.worlds if world.model.credited and world.model.frozen]
        return [" > ".join(self.way(world)) for world in with_credit if not self.ends(world)]

    def ends(self, world: World) -> bool:
        """Let only time pass; tell whether the session is settled with a slip."""
        way: list[tuple[Any, ...]] = []
        found = False
        for _ in range(12):
            key = world.key()
            if key in self._settled:
                found = self._settled[key]
                break
            way.append(key)
            after = self.take(world, "DeadlinePassed", DeadlinePassed())
            if after is None:
                break
            if not after.model.frozen:
                found = after.receipts == world.receipts + 1
                break
            world = after
        self._settled.update(dict.fromkeys(way, found))
        return found


def _note_stacking(model: Checkout) -> NoteId | None:
    flight = model.flight
    return flight.note if flight is not None and flight.phase == "stacking" else None


_OUTCOMES: dict[type, str] = {
    facts.StackIntended: "intended", facts.ReturnIntended: "returning", facts.NoteCredited: "credited",
    facts.NoteSuspended: "suspended", facts.NoteReturned: "returned", facts.NoteDisputed: "disputed",
}  # fmt: skip
_FINAL = ("credited", "suspended", "returned", "disputed")
_INTENTS = (
    i.Begin, i.AddAnother, i.Pay, i.AcceptConditions, i.AgreeExcess, i.DeclineExcess, i.Finish, i.Cancel,
    i.KeepPaying, i.MoreTime, i.Back, i.Dismiss,
)  # fmt: skip
#: With two notes in play only the taps that money depends on, so that the search ends within seconds.
_MONEY_INTENTS = (
    i.Pay, i.AcceptConditions, i.AgreeExcess, i.DeclineExcess, i.Finish, i.Cancel, i.KeepPaying, i.Dismiss,
)  # fmt: skip
