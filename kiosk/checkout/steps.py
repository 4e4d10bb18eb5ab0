"""Small moves that several rules share: changing state, beginning and ending sessions, jobs, notes to accept."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from kiosk.checkout.closing import LAYOUT
from kiosk.checkout.effects import AcceptNotes, AnyEffect, DropPrint, PrintReceipt, Raise, Record
from kiosk.checkout.events import Settle
from kiosk.checkout.model import Checkout, Context, Job
from kiosk.checkout.settings import PERIOD_OF
from kiosk.checkout.states import State
from kiosk.model import facts
from kiosk.model.ids import NoteId
from kiosk.model.money import Money
from kiosk.model.texts import Text, text

Outcome = tuple[Checkout, list[AnyEffect]]
NS = 1_000_000_000
#: Kinds of slips, and sums on them, that a citizen can claim.
CLAIMED = (
    "credit", "pending", "disputed", "suspense", "overpayment", "held", "owed", "change_pending", "change_disputed"
)  # fmt: skip


def to(model: Checkout, state: State, ctx: Context, **changes: Any) -> Checkout:
    """Enter `state` (also anew) with its deadline; a new state drops old messages unless told otherwise."""
    period = PERIOD_OF.get(state)
    seconds = getattr(ctx.settings.periods, period) if period else None
    changes = {"messages": (), "choosing": (), "typed": "", **changes}
    deadline = None if seconds is None else ctx.now_ns + seconds * NS
    return msgspec.structs.replace(model, state=state, deadline_ns=deadline, **changes)


def change(model: Checkout, **changes: Any) -> Checkout:
    """Change values without entering a state: the deadline runs on."""
    return msgspec.structs.replace(model, **changes)


def cleared(model: Checkout) -> dict[str, Any]:
    """Return the values of a checkout with nobody in front; jobs in print and a stranger's note stay."""
    flight = model.flight if model.flight and not model.flight.ours else None
    return {
        "session": "", "cart": (), "frozen": False, "due_minor": 0, "credited": (), "coins": (),
        "agreed_excess_minor": 0, "flight": flight, "wrap_up": "", "asked_from": None, "refused_notes": 0, "slips": (),
        "attendant": None, "exchange": None, "testing": "", "dispensing": None,
    }  # fmt: skip


def rest(model: Checkout, ctx: Context, messages: tuple[Text, ...] = ()) -> Checkout:
    """Go back to the attract screen, or out of service where that is so."""
    language = ctx.languages[0]
    if model.out_of_service:
        return to(model, State.OUT_OF_SERVICE, ctx, language=language, messages=model.out_of_service, **cleared(model))
    return to(model, State.IDLE, ctx, language=language, messages=messages, **cleared(model))


def begun(model: Checkout, ctx: Context) -> Checkout:
    """Give the person in front a session if there is none."""
    if model.session and model.state is not State.THANKING:
        return model
    return change(model, **{**cleared(model), "session": ctx.fresh_session})


def notice(model: Checkout, ctx: Context, message: Text) -> Checkout:
    """Show a message; it leads back to the cart or to the attract screen."""
    return to(model, State.NOTICE, ctx, messages=(message,))


def close_unpaid(model: Checkout, ctx: Context, reason: str, messages: tuple[Text, ...] = ()) -> Outcome:
    """End a session without tender.  A note still being returned is followed on, as nobody's."""
    effects: list[AnyEffect] = [AcceptNotes()]
    if model.frozen:
        effects.append(Record((facts.SessionClosed(reason),), model.session))
    if model.flight:
        model = change(model, flight=msgspec.structs.replace(model.flight, ours=False))
    model, more = drop_waiting(model, own_only=True)
    return rest(model, ctx, messages), [*effects, *more]


def drop_waiting(model: Checkout, *, own_only: bool = False) -> Outcome:
    """Take back jobs of which no byte has left, so that they never come out in the next person's hand.

    With `own_only` just the slips of this session; a copy that an operator asked for may go on waiting for paper.
    """
    effects: list[AnyEffect] = []
    jobs = []
    for job in model.jobs:
        if job.state in ("queued", "held") and (job.number in model.slips or not own_only):
            job = msgspec.structs.replace(job, state="dropped")
            body = facts.PrintEnded(job.number, job.job, job.copy, "dropped", "not wanted any more")
            effects += [Record((body,), model.session, "kiosk"), DropPrint(job.job)]
        jobs.append(job)
    return change(model, jobs=tuple(jobs)), effects


def wanted_notes(model: Checkout, ctx: Context) -> tuple[Money, ...]:
    """Return the values to accept now: none while a note is in motion or nothing remains due."""
    if not model.frozen or model.flight or not ctx.acceptor_ready or model.remaining_minor == 0:
        return ()
    return ctx.counter.notes_allowed(model.cart, ctx.known_notes, model.credited_minor, model.asked_minor)


def taking(model: Checkout, ctx: Context) -> AcceptNotes:
    """Return the order to take what may be fed now.  While a note is in motion no coin is taken, either."""
    if not model.frozen or model.flight or model.remaining_minor == 0:
        return AcceptNotes()
    coins = ctx.counter.coins_allowed(model.cart, ctx.known_coins, model.credited_minor, model.asked_minor)
    return AcceptNotes(wanted_notes(model, ctx), coins)


def accepting(model: Checkout, ctx: Context, messages: tuple[Text, ...] = ()) -> Outcome:
    """Wait for the next note, or settle if nothing remains or somebody asked to stop."""
    if model.wrap_up or model.remaining_minor == 0:
        return settling(model, ctx, model.wrap_up or "citizen")
    if not ctx.acceptor_ready:
        messages = (*messages, text("message.acceptor_fault"))
    model = to(model, State.ACCEPTING, ctx, messages=messages, asked_from=None)
    return model, [taking(model, ctx)]


def note_over(model: Checkout, ctx: Context, messages: tuple[Text, ...] = ()) -> Outcome:
    """Go on after the end of a note, wherever that found the session; `model.flight` is empty by now."""
    if not model.frozen:
        return model, []
    if model.wrap_up and not model.settles:
        return close_unpaid(model, ctx, model.wrap_up, messages)
    if model.wrap_up or model.remaining_minor == 0:
        return settling(model, ctx, model.wrap_up or "citizen")
    if model.state in (State.STACKING, State.RETURNING, State.NOTE_HELD):
        return accepting(model, ctx, messages)
    if model.state is State.RESUMING and not model.settles:
        return close_unpaid(model, ctx, "recovery", messages)
    if model.state in (State.ACCEPTING, State.TIMED_OUT):
        return model, [taking(model, ctx)]
    return model, []


def settling(model: Checkout, ctx: Context, by: str) -> Outcome:
    """Stop taking notes and settle within this step (a note in motion must have ended before)."""
    return to(model, State.SETTLING, ctx), [AcceptNotes(), Raise(Settle(by))]


def issued(
    model: Checkout,
    ctx: Context,
    kind: str,
    about_seq: int,
    *,
    lines: tuple[facts.ReceiptLine, ...] = (),
    totals: tuple[facts.ReceiptTotal, ...] = (),
    particulars: tuple[facts.Particular, ...] = (),
    currency: str = "",
    place: int = 0,
) -> facts.ReceiptIssued:
    """Return the next slip of its kind; `place` counts the slips before it in the same commit."""
    named = {kind, *(total.name for total in totals)}
    if "change" in named:
        named.discard("overpayment")  # what of it was not paid out has a name of its own
    if not named.isdisjoint(CLAIMED):
        # The last day is the fact's, not the configuration's: a copy next year says what the original said.
        until = ctx.today + dt.timedelta(days=ctx.settings.claim_days)
        particulars = (*particulars, facts.Particular("claim_by", until.isoformat()))
    return facts.ReceiptIssued(
        ctx.next_receipt + place, kind, LAYOUT, model.language, lines, totals, currency or model.currency, about_seq,
        ctx.last_of_kind.get(kind, 0) + 1, particulars,
    )  # fmt: skip


def with_slip(
    model: Checkout,
    ctx: Context,
    body: facts.ReceiptIssued,
    *,
    session: str,
    before: tuple[facts.AnyBody, ...],
    printed: bool = True,
) -> Outcome:
    """Commit facts together with the slip that tells of them, then queue the slip.

    A slip whose owner is not in front is a fact that staff can print, not a paper in the wrong hand.
    """
    job = Job(body.number, 0, job_name(body.number, 0), "queued")
    if not printed:
        unseen = facts.PrintEnded(body.number, job.job, 0, "dropped", "its owner is not in front")
        return model, [Record((*before, body, unseen), session)]
    model = change(model, jobs=(*ended_jobs_dropped(model.jobs), job), slips=(body.number, *model.slips))
    return model, [Record((*before, body), session), PrintReceipt(body.number, 0)]


def job_name(number: int, copy: int) -> str:
    """Name a print job; the same slip and copy always get the same name."""
    return f"slip-{number}-{copy}"


def ended_jobs_dropped(jobs: tuple[Job, ...]) -> tuple[Job, ...]:
    """Keep the last ended jobs only, so that the model stays small."""
    live = tuple(j for j in jobs if j.state in ("queued", "held", "printing"))
    return (*[j for j in jobs if j not in live][-4:], *live)


def note_value(value: Money | None) -> tuple[facts.ReceiptTotal, ...]:
    """Return the totals of a slip that tells of one note; nothing where its value is not known."""
    return (facts.ReceiptTotal("note", value.minor),) if value else ()


def known_outcome(ctx: Context, note: NoteId | None) -> str:
    """Return what the journal already says of this note, "" for nothing final."""
    outcome = ctx.note_outcome.get(note, "") if note else ""
    return "" if outcome in ("intended", "returning") else outcome
