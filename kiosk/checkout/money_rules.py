"""Rules for notes: escrow, intent, credit, return, dispute, suspense.

Invariants held here, each with a test that names it:

* the intent is committed before the stack command; the credit is committed before the driver may confirm;
* a note is credited at most once, whatever a driver reports twice;
* a returned note is never credited to a session; if it turns up stacked all the same, it goes to suspense;
* a note stacked with no session open is never the next citizen's credit;
* with credit on the table every way out passes a settlement and a slip;
* an agreement to an excess is for the one note that was held when it was given: however that note ends, the next
  one above what remains due is asked about anew.
"""

from __future__ import annotations

import msgspec

from kiosk.checkout import intents
from kiosk.checkout.change_rules import excess_text
from kiosk.checkout.effects import AcceptNotes, AnyEffect, Order, Record
from kiosk.checkout.events import AcceptorChanged, DeadlinePassed
from kiosk.checkout.model import Checkout, Context, Flight
from kiosk.checkout.screen_rules import return_flight, wrap_up_flight
from kiosk.checkout.settlement_rules import settle_now
from kiosk.checkout.states import State
from kiosk.checkout.steps import (
    Outcome,
    change,
    close_unpaid,
    issued,
    known_outcome,
    note_over,
    note_value,
    settling,
    taking,
    to,
    with_slip,
)  # fmt: skip
from kiosk.model import facts
from kiosk.model.commands import Confirm, HoldNote, ReturnNote, StackNote
from kiosk.model.device_events import (
    CommandRefused,
    NoteAccepting,
    NoteDisputed,
    NoteEscrowed,
    NoteGone,
    NoteHeld,
    NoteRejected,
    NoteReturned,
    NoteStacked,
    NoteStacking,
)
from kiosk.model.entry import Entry, Posting
from kiosk.model.ids import NoteId
from kiosk.model.money import MINOR_DIGITS, Money
from kiosk.model.texts import Text, text

#: Refused notes in a row that are recorded and count as a person's activity.
REFUSED_RECORDED = 20


def escrowed_while_paying(model: Checkout, event: NoteEscrowed, ctx: Context) -> Outcome:
    """A note lies in escrow during payment: stack it, ask about its excess, or give it back."""
    if model.flight is not None and model.flight.note == event.note:
        return model, []
    if not model.frozen or event.note in ctx.note_outcome:
        return escrowed_unwanted(model, event, ctx)
    flight = Flight(event.note, event.value, "escrow", session=model.session, mark=event.device_mark)
    model = change(model, flight=flight)
    allowed = ctx.counter.notes_allowed(model.cart, ctx.known_notes, model.credited_minor, model.asked_minor)
    if model.wrap_up or event.value not in allowed:
        return return_flight(model, ctx)
    excess = event.value.minor - model.remaining_minor
    if excess > model.agreed_excess_minor:
        if ctx.counter.excess(model.cart) == "refuse":
            return return_flight(model, ctx)
        return ask_excess(model, ctx), [Order(event.note.device, HoldNote(event.note))]
    return stack(model, ctx)


def ask_excess(model: Checkout, ctx: Context) -> Checkout:
    """Ask whether the note in escrow may stay, and say what becomes of what is too much."""
    assert model.flight is not None
    excess = model.flight.value.minor - model.remaining_minor
    return to(model, State.NOTE_HELD, ctx, messages=(excess_text(model, ctx, excess),))


def stack(model: Checkout, ctx: Context, *before: facts.AnyBody) -> Outcome:
    """Commit the intent, then send the stack command."""
    assert model.flight is not None
    flight = msgspec.structs.replace(model.flight, phase="stacking")
    intent = facts.StackIntended(flight.note, flight.value, flight.mark)
    model = to(model, State.STACKING, ctx, flight=flight)
    return model, [Record((*before, intent), model.session), Order(flight.note.device, StackNote(flight.note))]


def escrowed_unwanted(model: Checkout, event: NoteEscrowed, ctx: Context) -> Outcome:
    """A note in escrow where none is wanted goes back; the screen stays as it is."""
    if model.flight is not None and model.flight.note == event.note:
        if model.flight.phase != "returning":
            return model, []
        return model, [Order(event.note.device, ReturnNote(event.note))]
    if event.note in ctx.note_outcome:
        # An id comes once: whatever lies there now, the journal's word on that id is not overwritten.
        return model, [Order(event.note.device, ReturnNote(event.note))]
    flight = model.flight
    if model.own_flight is None or model.own_flight.phase == "returning":
        flight = Flight(event.note, event.value, "returning", ours=model.frozen, session=model.session)
    intent = Record((facts.ReturnIntended(event.note, event.value),), model.session)
    return change(model, flight=flight), [intent, Order(event.note.device, ReturnNote(event.note))]


def agree_excess(model: Checkout, event: intents.AgreeExcess, ctx: Context) -> Outcome:
    """The citizen keeps the note in although it is too much: the agreement and the intent are one commit."""
    assert model.flight is not None
    excess = max(0, model.flight.value.minor - model.remaining_minor)
    model = change(model, agreed_excess_minor=excess)
    return stack(model, ctx, facts.ExcessAgreed(excess, model.currency))


def decline_excess(model: Checkout, event: object, ctx: Context) -> Outcome:
    """The citizen (or silence) wants the note back."""
    return return_flight(model, ctx)


def cancel_held(model: Checkout, event: intents.Cancel | intents.Finish, ctx: Context) -> Outcome:
    """Stop while a note is held: it goes back, then the session ends."""
    return wrap_up_flight(model, ctx, "citizen")


def stacked(model: Checkout, event: NoteStacked, ctx: Context) -> Outcome:
    """The credit point.  Credit it to the session it was inserted in, else keep it in suspense."""
    confirm = Order(ctx.device, Confirm(event.token))
    outcome = known_outcome(ctx, event.note)
    if outcome in ("credited", "suspended"):
        model, more = without_flight(model, event.note, ctx)
        return model, [confirm, *more]
    flight = model.own_flight
    value = value_of(model, event, ctx)
    ours = flight is not None and flight.note == event.note
    if not ours or event.note is None or value is None or value.currency != model.currency or outcome:
        return suspend(model, event, ctx, outcome)
    credit = facts.NoteCredited(
        event.note, value, ctx.counter.credit_entry(value), recovered=event.recovered, device_mark=event.device_mark
    )
    model = change(model, credited=(*model.credited, value), flight=None, agreed_excess_minor=0, refused_notes=0)
    record = Record((credit,), model.session)
    model, effects = note_over(model, ctx)
    return model, [record, confirm, *effects]


def value_of(model: Checkout, event: NoteStacked, ctx: Context) -> Money | None:
    """Return what a stacked note is worth: as it was told in escrow or stands in its dispute, else as the wire tells.

    A driver that contradicts itself changes nothing: one note has one value, and the citizen has seen it.
    """
    if model.flight is not None and event.note is not None and model.flight.note == event.note:
        return bookable(model.flight.value)
    dispute = ctx.disputes.get(event.note) if event.note is not None else None
    if dispute is not None:
        return Money(sum(p.minor for p in dispute.entry.postings if p.minor > 0), dispute.entry.currency)
    return bookable(event.value)


def bookable(value: Money | None) -> Money | None:
    """Return a value that an entry can carry: above zero, in a currency of the table; a driver may tell any."""
    return value if value is not None and value.minor > 0 and value.currency in MINOR_DIGITS else None


def without_flight(model: Checkout, note: NoteId | None, ctx: Context, messages: tuple[Text, ...] = ()) -> Outcome:
    """Forget the note in motion if it is this one, and let whoever waits for it go on."""
    if note is None or model.flight is None or model.flight.note != note:
        return model, []
    return note_over(change(model, flight=None, agreed_excess_minor=0), ctx, messages)


def in_front(model: Checkout, note: NoteId | None, ctx: Context, *, recovered: bool = False) -> bool:
    """Tell whether a slip about this note may come out now: its owner is in front, or nobody else is."""
    if not model.session:
        return True
    if note is not None and model.flight is not None and model.flight.note == note:
        return model.flight.session == model.session or model.own_flight is not None
    return not recovered and note not in ctx.note_outcome


def suspend(
    model: Checkout, event: NoteStacked, ctx: Context, outcome: str, message: str = "message.note_kept"
) -> Outcome:
    """Keep a note that belongs to no session, with a slip, and never as the next citizen's credit."""
    reason = f"stacked_after_{outcome}" if outcome else "outside_session" if event.note else "unannounced"
    value = value_of(model, event, ctx)
    entry = ctx.counter.suspense_entry(value) if value is not None else None
    undone = dispute_undone(ctx, event.note)
    # A note without a value that no intent names cannot be told from another later: it takes no name in vain.
    kept = facts.NoteSuspended(
        ctx.device,
        event.note if value is not None or event.note in ctx.note_outcome else None,
        value,
        reason,
        entry,
        device_mark=event.device_mark,
        raw=event.raw,
    )
    slip = issued(
        model, ctx, "suspense", ctx.next_seq + len(undone), totals=note_value(value),
        currency=value.currency if value is not None else "",
    )  # fmt: skip
    return kept_apart(model, ctx, slip, (*undone, kept), event, text(message), event.recovered)


def kept_apart(
    model: Checkout, ctx: Context, slip: facts.ReceiptIssued, before: tuple[facts.AnyBody, ...],
    event: NoteStacked | NoteDisputed, message: Text, recovered: bool = False,
) -> Outcome:  # fmt: skip
    """Commit what became of a note that is nobody's credit, confirm, hand out its slip and go on."""
    printed = in_front(model, event.note, ctx, recovered=recovered)
    session = model.session if model.own_flight is not None and model.own_flight.note == event.note else ""
    model, effects = with_slip(model, ctx, slip, session=session, before=before, printed=printed)
    effects = [effects[0], Order(ctx.device, Confirm(event.token)), *effects[1:]]
    model, more = without_flight(model, event.note, ctx, (message,))
    if printed and model.state in (State.IDLE, State.THANKING, State.OUT_OF_SERVICE) and not more:
        model = to(model, State.RECEIPTING, ctx, messages=(message,))
    return model, [*effects, *more]


def dispute_undone(ctx: Context, note: NoteId | None) -> tuple[facts.AnyBody, ...]:
    """Return the reversal of an open dispute over this note: the wire has told its end after all."""
    dispute = ctx.disputes.get(note) if note else None
    if dispute is None:
        return ()
    postings = tuple(Posting(posting.account, -posting.minor) for posting in dispute.entry.postings)
    entry = Entry(dispute.entry.currency, postings, "reversal")
    return (facts.Reversed(dispute.epoch, dispute.seq, "the acceptor told the note's end", entry),)


def returned(model: Checkout, event: NoteReturned, ctx: Context) -> Outcome:
    """A note went back.  Recorded, final; then the session goes on or ends."""
    effects: list[AnyEffect] = []
    flight = model.flight
    note = event.note
    if note is None and flight is not None and flight.note.device == ctx.device and flight.phase != "stacking":
        note = flight.note  # an acceptor holds one note at a time
    outcome = known_outcome(ctx, note)
    mine = flight is not None and flight.note == note
    undone = dispute_undone(ctx, note)
    if undone or (not outcome and (mine or note in ctx.note_outcome)):
        session = model.session if mine and model.own_flight is not None else ""
        went_back = facts.NoteReturned(note, ctx.device, event.reason)
        effects.append(Record((*undone, went_back), session, "device"))
    if event.token:
        effects.append(Order(ctx.device, Confirm(event.token)))
    model, more = without_flight(model, note, ctx, (text("message.take_note"),))
    return model, [*effects, *more]


def disputed(model: Checkout, event: NoteDisputed, ctx: Context) -> Outcome:
    """The wire cannot tell: claim and slip, never a credit and never silence."""
    if known_outcome(ctx, event.note):
        model, more = without_flight(model, event.note, ctx)
        return model, [Order(ctx.device, Confirm(event.token)), *more]
    if bookable(event.value) is None:
        # Nothing that an entry could carry: the count of the box looks for a note of unknown value.
        return suspend(model, NoteStacked(event.token, event.note, None, raw=event.raw), ctx, "disputed")
    mine = model.own_flight is not None and model.own_flight.note == event.note
    entry = ctx.counter.dispute_entry(event.value)
    claim = facts.NoteDisputed(event.note, event.value, event.reason, entry, event.device_mark)
    slip = issued(model, ctx, "disputed", ctx.next_seq, totals=note_value(event.value), currency=event.value.currency)
    message = text("message.note_disputed")
    if not mine or model.settles:
        return kept_apart(model, ctx, slip, (claim,), event, message)
    closed = facts.SessionClosed("disputed")
    model, effects = with_slip(model, ctx, slip, session=model.session, before=(claim, closed))
    model = to(
        model, State.RECEIPTING, ctx, flight=None, frozen=False, agreed_excess_minor=0, wrap_up="", messages=(message,)
    )
    return model, [AcceptNotes(), effects[0], Order(ctx.device, Confirm(event.token)), *effects[1:]]


def gone(model: Checkout, event: NoteGone, ctx: Context) -> Outcome:
    """A credited note's life on the wire ended; recorded so that a later sign is another note."""
    if known_outcome(ctx, event.note) not in ("credited", "suspended", "disputed"):
        return model, []
    return model, [Record((facts.NoteGone(event.note),), "", "device")]


def stacking(model: Checkout, event: NoteStacking, ctx: Context) -> Outcome:
    """The note moves.  The period runs on, so that a unit which says so for ever cannot keep a person waiting."""
    return model, []


def accepting_note(model: Checkout, event: NoteAccepting | NoteHeld, ctx: Context) -> Outcome:
    """Something moves at the mouth: the person is active."""
    return to(model, model.state, ctx, messages=(text("message.checking_note"),)), []


def rejected(model: Checkout, event: NoteRejected, ctx: Context) -> Outcome:
    """The unit pushed a note back before escrow.  Again and again: point to a person, never blame."""
    if model.refused_notes >= REFUSED_RECORDED:
        # A unit that rejects without end is out of order: it neither fills the journal nor keeps the session open.
        return model, []
    model = change(model, refused_notes=model.refused_notes + 1)
    often = model.refused_notes >= ctx.settings.refused_notes_help
    message = text("message.note_refused_often" if often else f"message.note_rejected.{reject_family(event.reason)}")
    model = to(model, model.state, ctx, messages=(message,))
    return model, [Record((facts.NoteRejected(ctx.device, event.reason, event.raw),), model.session, "device")]


def rejected_elsewhere(model: Checkout, event: NoteRejected, ctx: Context) -> Outcome:
    """A note pushed back while nobody pays is the acceptor doing its work; nothing is recorded."""
    return model, []


def reject_family(reason: str) -> str:
    """Choose the words for a refusal: a note of the wrong value is told apart from one that was not read."""
    return "value" if reason == "denomination_inhibited" else "unread"


def stack_refused(model: Checkout, event: CommandRefused, ctx: Context) -> Outcome:
    """The driver could not carry out a command.  A departed note closes its intent as returned."""
    mine = model.flight is not None and event.note is not None and model.flight.note == event.note
    if not mine or known_outcome(ctx, event.note):
        return model, []
    if event.command in ("stack_note", "return_note"):
        return returned(model, NoteReturned(event.note, f"refused:{event.reason}"), ctx)
    return model, []


def acceptor_changed(model: Checkout, event: AcceptorChanged, ctx: Context) -> Outcome:
    """Tell the acceptor (again) what to take; a citizen with credit is told of trouble."""
    messages: tuple[Text, ...] = (text("message.acceptor_fault"),)
    if ctx.acceptor_ready:
        messages = tuple(each for each in model.messages if each not in messages and not each.id.startswith("out."))
    return change(model, messages=messages), [taking(model, ctx)]


def acceptor_elsewhere(model: Checkout, event: AcceptorChanged, ctx: Context) -> Outcome:
    """An acceptor that came back while nobody pays takes nothing."""
    return model, [AcceptNotes()]


def note_stuck(model: Checkout, event: DeadlinePassed, ctx: Context) -> Outcome:
    """A moving note has not ended in time: end the session with a slip that names it as pending.

    The note stays followed as nobody's; when the wire tells its end it goes to suspense or is returned.
    """
    pending = model.own_flight
    if pending is not None:
        model = change(model, flight=msgspec.structs.replace(pending, ours=False))
    return settle_now(model, ctx, "fault", pending)


def resume_over(model: Checkout, event: DeadlinePassed, ctx: Context) -> Outcome:
    """Nobody came back to an interrupted payment: settle what is committed, with a slip."""
    if model.own_flight is not None:
        return note_stuck(model, event, ctx)
    if model.settles:
        return settling(model, ctx, "recovery")
    return close_unpaid(model, ctx, "recovery")


def finish_resuming(model: Checkout, event: intents.Finish | intents.Cancel, ctx: Context) -> Outcome:
    """The person wants no more after an interruption: settle as soon as the open note is known."""
    if model.own_flight is not None:
        return change(model, wrap_up="citizen"), []
    return settling(model, ctx, "citizen") if model.settles else close_unpaid(model, ctx, "cancelled")
