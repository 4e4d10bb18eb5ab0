"""Small moves that several rules share: changing state, beginning and ending sessions, jobs, notes to accept."""

from __future__ import annotations

from typing import Any

import msgspec

from kiosk.checkout.effects import AcceptNotes, AnyEffect, PrintReceipt, Raise, Record
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


def to(model: Checkout, state: State, ctx: Context, **changes: Any) -> Checkout:
    """Enter `state` (also anew) with its deadline; a new state drops old messages unless told otherwise."""
    period = PERIOD_OF.get(state)
    seconds = getattr(ctx.settings.periods, period) if period else None
    changes.setdefault("messages", ())
    deadline = None if seconds is None else ctx.now_ns + seconds * NS
    return msgspec.structs.replace(model, state=state, deadline_ns=deadline, **changes)


def change(model: Checkout, **changes: Any) -> Checkout:
    """Change values without entering a state: the deadline runs on."""
    return msgspec.structs.replace(model, **changes)


def cleared(model: Checkout) -> dict[str, Any]:
    """Return the values of a checkout with nobody in front; jobs in print and a stranger's note stay."""
    flight = model.flight if model.flight and not model.flight.ours else None
    return {
        "session": "", "cart": (), "frozen": False, "due_minor": 0, "credited": (), "agreed_excess_minor": 0,
        "flight": flight, "wrap_up": "", "asked_from": None, "refused_notes": 0, "slips": (),
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
    return rest(model, ctx, messages), effects


def wanted_notes(model: Checkout, ctx: Context) -> tuple[Money, ...]:
    """Return the values to accept now: none while a note is in motion or nothing remains due."""
    if not model.frozen or model.flight or not ctx.acceptor_ready or model.remaining_minor == 0:
        return ()
    return ctx.counter.notes_allowed(model.cart, ctx.known_notes, model.credited_minor, model.due_minor)


def accepting(model: Checkout, ctx: Context, messages: tuple[Text, ...] = ()) -> Outcome:
    """Wait for the next note, or settle if nothing remains or somebody asked to stop."""
    if model.wrap_up or model.remaining_minor == 0:
        return settling(model, ctx, model.wrap_up or "citizen")
    if not ctx.acceptor_ready:
        messages = (*messages, text("message.acceptor_fault"))
    model = to(model, State.ACCEPTING, ctx, messages=messages, asked_from=None)
    return model, [AcceptNotes(wanted_notes(model, ctx))]


def settling(model: Checkout, ctx: Context, by: str) -> Outcome:
    """Stop taking notes and settle within this step (a note in motion must have ended before)."""
    return to(model, State.SETTLING, ctx), [AcceptNotes(), Raise(Settle(by))]


def with_slip(
    model: Checkout, ctx: Context, body: facts.ReceiptIssued, *, session: str, before: tuple[facts.AnyBody, ...]
) -> Outcome:
    """Commit facts together with the slip that tells of them, then queue the slip."""
    job = Job(body.number, 0, job_name(ctx, body.number, 0), "queued")
    model = change(model, jobs=(*ended_jobs_dropped(model.jobs), job), slips=(body.number, *model.slips))
    return model, [Record((*before, body), session), PrintReceipt(body.number, 0)]


def job_name(ctx: Context, number: int, copy: int) -> str:
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
