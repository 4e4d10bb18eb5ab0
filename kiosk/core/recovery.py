"""How a start begins: what the journal says was going on, turned into a first state and first facts.

Open notes are not decided here: the driver resolves them from the wire, with the acceptor inhibited, and the
table books what it finds.
"""

from __future__ import annotations

import msgspec

from kiosk.checkout.change_rules import unpaid
from kiosk.checkout.effects import AnyEffect, PrintReceipt, Raise
from kiosk.checkout.events import CartItem, ChangeResumed, Settle
from kiosk.checkout.model import Checkout, Context, Dispensing, Flight, Job, Payout
from kiosk.checkout.states import State
from kiosk.checkout.steps import job_name, to
from kiosk.core.books import CITIZEN_SLIPS, Books
from kiosk.core.pages import DeferredPage, OpenSession
from kiosk.model import facts
from kiosk.model.instant import NS
from kiosk.model.invoice import Invoice, Quote
from kiosk.model.texts import text

#: Steps that a run may take for each fact before its numbers could meet those of the next run: 65,536.
STEPS_BITS = 16


class Start(msgspec.Struct, frozen=True):
    """What a start found: the first state, the facts to commit first, and what to do after them."""

    model: Checkout
    #: (facts, session) for each commit.
    commits: tuple[tuple[tuple[facts.AnyBody, ...], str], ...]
    effects: tuple[AnyEffect, ...] = ()


def begin(books: Books, ctx: Context, currency: str, acceptors: tuple[str, ...], wall_ns: int) -> Start:
    """Derive the first state of a run from the books."""
    commits: list[tuple[tuple[facts.AnyBody, ...], str]] = []
    # Steps never repeat on a kiosk, so that a tap made before the restart fits nothing after it.
    model = Checkout(currency=currency, language=ctx.languages[0], step=books.seq << STEPS_BITS)
    open_notes = [(device, found) for device in acceptors if (found := books.open_note(device)) is not None]
    session = books.open_session
    flight = None
    for _, (note, value, phase) in open_notes:
        if phase == "stack_sent":
            page = books.notes[str(note)]
            ours = session is not None and page.session == session.session
            flight = Flight(note, value, "stacking" if page.outcome == "intended" else "returning", ours)
    # Jobs of which bytes may have left: their end is unknown for ever; a person may ask for a copy.
    for number, slip in sorted(books.slips.items()):
        if slip.printing == "printing":
            body = facts.PrintEnded(number, job_name(number, slip.copy), slip.copy, "unknown", "power cut")
            commits.append(((body,), ""))
    again = resumed(session, model, ctx, flight) if session is not None else None
    if session is not None and again is not None and not again.settles and again.own_flight is None:
        commits.append(((facts.SessionClosed("interrupted"),), session.session))
        again = None
    deferred = books.deferred
    if deferred is None:
        # Of these a restore took the slip away: what was never let go is not paid any more.
        over = tuple(unpaid(page, "not_started", recovered=True) for page in books.payouts.values()
                     if page.phase == "intended")  # fmt: skip
        commits += [(over, "")] if over else []
    if again is not None:
        model = again
    elif deferred is not None:
        model = dispensing(books, deferred, msgspec.structs.replace(model, flight=flight), ctx, wall_ns)
    else:
        model = msgspec.structs.replace(model, flight=flight)
    return unprinted_slips(books, model, ctx, wall_ns, commits)


def resumed(session: OpenSession, model: Checkout, ctx: Context, flight: Flight | None) -> Checkout:
    """Offer the interrupted payment again to the person in front; one that is paid in full is settled at once."""
    held = {(each.service, each.number): each.minor for each in session.held}
    cart = tuple(
        CartItem(stub(quote), quote, held_minor=held.get((quote.service, quote.number), 0)) for quote in session.quotes
    )
    model = to(
        model, State.RESUMING, ctx, session=session.session, language=session.language, frozen=True, cart=cart,
        due_minor=session.due_minor, credited=tuple(session.credited), coins=tuple(session.coins), flight=flight,
        messages=(text("message.interrupted"),),
    )  # fmt: skip
    if model.remaining_minor == 0 and model.own_flight is None:
        return to(model, State.SETTLING, ctx, messages=model.messages)
    return model


def dispensing(books: Books, deferred: DeferredPage, model: Checkout, ctx: Context, wall_ns: int) -> Checkout:
    """Wait for the change of a settlement whose slip was not given out; its person may still be in front."""
    payouts = tuple(
        Payout(page.payout, page.device, page.value, page.coins, "ended" if page.phase == "disputed" else page.phase,
               page.paid, page.disputed)
        for page in books.payouts.values()
        if (page.epoch, page.settled_seq) == (books.epoch, deferred.draft.settled_seq)
    )  # fmt: skip
    recent = abs(wall_ns - deferred.wall_ns) <= ctx.settings.periods.resuming * NS
    change = Dispensing(draft=deferred.draft, payouts=payouts, printed=recent)
    return to(
        model, State.DISPENSING, ctx, session=deferred.session, language=deferred.draft.language, dispensing=change,
        messages=(text("message.interrupted"),),
    )  # fmt: skip


def stub(quote: Quote) -> Invoice:
    """Return an invoice that stands for a frozen quote: the price is the quote's, never told again."""
    return Invoice(
        service=quote.service, number=quote.number, currency=quote.currency, amount_minor=quote.total_minor,
        paid_minor=quote.paid_minor, issued=quote.priced_on,
    )  # fmt: skip


def unprinted_slips(
    books: Books, model: Checkout, ctx: Context, wall_ns: int, commits: list[tuple[tuple[facts.AnyBody, ...], str]]
) -> Start:
    """Print slips of which no byte has left, while their owner may still be in front; drop older ones."""
    window_ns = ctx.settings.periods.resuming * NS
    effects: list[AnyEffect] = []
    jobs: list[Job] = []
    for number, page in sorted(books.slips.items()):
        if page.printing != "issued":
            continue
        name = job_name(number, 0)
        if abs(wall_ns - page.wall_ns) <= window_ns:
            jobs.append(Job(number, 0, name, "queued"))
            effects.append(PrintReceipt(number, 0))
        else:
            body = facts.PrintEnded(number, name, 0, "dropped", "nobody in front any more")
            commits.append(((body,), ""))
    if jobs:
        # Slips for staff print as well, and no screen shows them to whoever is in front.
        shown = tuple(job.number for job in reversed(jobs) if books.slips[job.number].slip in CITIZEN_SLIPS)
        model = msgspec.structs.replace(model, jobs=tuple(jobs), slips=shown)
        if shown and model.state is State.IDLE:
            model = to(model, State.RECEIPTING, ctx, messages=(text("message.interrupted"),))
    if model.state is State.SETTLING:
        effects.append(Raise(Settle("recovery")))
    if model.state is State.DISPENSING:
        effects.append(Raise(ChangeResumed()))
    return Start(model, tuple(commits), tuple(effects))
