"""Rules for what people do at the screen before any note moves, and for the questions afterwards."""

from __future__ import annotations

import msgspec

from kiosk.checkout import intents
from kiosk.checkout.effects import AcceptNotes, LookUp, Order, Record
from kiosk.checkout.events import CartItem, DeadlinePassed, LookedUp
from kiosk.checkout.model import Checkout, Context
from kiosk.checkout.states import BEFORE_MONEY, State
from kiosk.checkout.steps import (
    Outcome,
    accepting,
    begun,
    change,
    close_unpaid,
    notice,
    rest,
    settling,
    to,
)  # fmt: skip
from kiosk.model import facts
from kiosk.model.commands import ReturnNote
from kiosk.model.device_events import Scanned, ScanRefused
from kiosk.model.invoice import Quote
from kiosk.model.money import Money
from kiosk.model.texts import text
from kiosk.tariff.discretion import discreet


def begin(model: Checkout, event: intents.Begin, ctx: Context) -> Outcome:
    """Somebody touched the attract screen."""
    if model.out_of_service:
        return rest(model, ctx), []
    model = begun(model, ctx)
    return to(model, State.ENTERING, ctx), []


def choose_language(model: Checkout, event: intents.ChooseLanguage, ctx: Context) -> Outcome:
    """Another language; everything else stays, and the period begins anew."""
    if event.language not in ctx.languages:
        return model, []
    if model.state is State.IDLE:
        return to(begun(model, ctx), State.ENTERING, ctx, language=event.language), []
    asked = {"messages": model.messages, "choosing": model.choosing, "typed": model.typed}
    return to(model, model.state, ctx, language=event.language, **asked), []


def look_up_scan(model: Checkout, event: Scanned, ctx: Context) -> Outcome:
    """A label was scanned where an invoice can be added."""
    if model.out_of_service:
        return rest(model, ctx), []
    model = begun(model, ctx)
    return to(model, State.LOOKING_UP, ctx), [LookUp(event.label, event.symbology)]


def look_up_typed(model: Checkout, event: intents.EnterNumber, ctx: Context) -> Outcome:
    """A number was typed, or the kind of bill chosen for the one that was typed before."""
    chosen = event.service if not event.text and event.service in model.choosing else ""
    wanted = LookUp(model.typed if chosen else event.text[:64], typed=True, service=chosen or event.service[:32])
    return to(begun(model, ctx), State.LOOKING_UP, ctx), [wanted]


def look_up_plate(model: Checkout, event: intents.EnterPlate, ctx: Context) -> Outcome:
    """A licence plate was typed.  It goes to the look-up and nowhere else."""
    return to(begun(model, ctx), State.LOOKING_UP, ctx), [LookUp(event.text[:64], typed=True, plate=True)]


def scan_refused(model: Checkout, event: ScanRefused, ctx: Context) -> Outcome:
    """The scanner read something that cannot be a label."""
    if model.out_of_service:
        return rest(model, ctx), []
    licence = event.reason == "identity_document"
    return notice(begun(model, ctx), ctx, text("notice.driving_licence" if licence else "notice.unreadable")), []


def looked_up(model: Checkout, event: LookedUp, ctx: Context) -> Outcome:
    """The answer to a look-up: into the cart, a notice, or the question which kind of bill it is."""
    if event.choosing:
        question = (event.problem,) if event.problem else ()
        return to(model, State.NOTICE, ctx, messages=question, choosing=event.choosing, typed=event.typed), []
    if event.item is None:
        return notice(model, ctx, event.problem or text("notice.data_missing")), []
    if event.item.by_plate:
        return looked_up_plate(model, event, ctx), []
    invoice = event.item.invoice
    if any((i.invoice.service, i.invoice.number) == (invoice.service, invoice.number) for i in model.cart):
        return notice(model, ctx, text("notice.in_cart")), []
    if len(model.cart) >= ctx.settings.cart_limit:
        return notice(model, ctx, text("notice.cart_full", limit=ctx.settings.cart_limit)), []
    problem = ctx.counter.payable(event.item, due_of(model.cart))
    if problem is not None:
        held = event.item.held_minor
        more = (text("notice.held_here", held=Money(held, model.currency)),) if held else ()
        return to(model, State.NOTICE, ctx, messages=(problem, *more)), []
    return reviewing(change(model, cart=(*model.cart, event.item)), ctx), []


def looked_up_plate(model: Checkout, event: LookedUp, ctx: Context) -> Checkout:
    """Put all that a plate found into the cart, as far as it goes; what does not fit is told as a number."""
    assert event.item is not None
    cart, left = model.cart, 0
    for item in (event.item, *event.more):
        if any((i.invoice.service, i.invoice.number) == (item.invoice.service, item.invoice.number) for i in cart):
            continue
        if len(cart) >= ctx.settings.cart_limit or ctx.counter.payable(item, due_of(cart)) is not None:
            left += 1
        else:
            cart = (*cart, item)
    told = ((text("notice.plate_more", count=left),) if left else ()) + ((event.problem,) if event.problem else ())
    if len(cart) == len(model.cart):
        return notice(model, ctx, told[0] if told else text("notice.in_cart"))
    return to(model, State.REVIEWING, ctx, cart=cart, due_minor=due_of(cart), messages=told)


def due_of(cart: tuple[CartItem, ...]) -> int:
    """Return what the whole cart costs now, minor units."""
    return sum(item.quote.due_minor for item in cart)


def reviewing(model: Checkout, ctx: Context) -> Checkout:
    """Show the cart with its present sum."""
    return to(model, State.REVIEWING, ctx, due_minor=due_of(model.cart))


def back(model: Checkout, event: intents.Back | intents.Dismiss, ctx: Context) -> Outcome:
    """One screen back: to the cart if there is one, else to the attract screen."""
    return (reviewing(model, ctx), []) if model.cart else (rest(model, ctx), [])


def add_another(model: Checkout, event: intents.AddAnother, ctx: Context) -> Outcome:
    """Type or scan a further invoice."""
    return to(model, State.ENTERING, ctx), []


def remove_invoice(model: Checkout, event: intents.RemoveInvoice, ctx: Context) -> Outcome:
    """Take one invoice out of the cart."""
    if not 0 <= event.index < len(model.cart):
        return model, []
    model = change(model, cart=model.cart[: event.index] + model.cart[event.index + 1 :])
    return (reviewing(model, ctx), []) if model.cart else (to(model, State.ENTERING, ctx, due_minor=0), [])


def pay(model: Checkout, event: intents.Pay, ctx: Context) -> Outcome:
    """From the review to the conditions, with the cart in the order in which money will fill it."""
    return to(model, State.CONSENTING, ctx, cart=ctx.counter.fill_order(model.cart)), []


def accept_conditions(model: Checkout, event: intents.AcceptConditions, ctx: Context) -> Outcome:
    """Freeze the price at this instant.  A price that moved since the review is shown again first.

    The fact names the invoices in the order in which money fills them: what the citizen agreed to stands, whatever
    becomes of the city's rules while the payment is open.
    """
    if model.out_of_service:
        return close_unpaid(model, ctx, "out_of_service")
    priced = ctx.counter.fill_order(tuple(msgspec.structs.replace(i, quote=price_of(i, ctx)) for i in model.cart))
    if due_of(priced) != model.due_minor:
        model = change(model, cart=priced)
        return to(model, State.REVIEWING, ctx, due_minor=due_of(priced), messages=(text("notice.price_changed"),)), []
    model = change(model, cart=priced, frozen=True)
    held = tuple(facts.Held(i.quote.service, i.quote.number, i.held_minor) for i in priced if i.held_minor)
    frozen = facts.TenderFrozen(tuple(i.quote for i in priced), model.due_minor, model.currency, model.language, held)
    model, effects = accepting(model, ctx)
    return model, [Record((frozen,), model.session), *effects]


def price_of(item: CartItem, ctx: Context) -> Quote:
    """Return what an item costs today; one that was found by its plate stays without reasons."""
    quote = ctx.counter.price(item.invoice, ctx.today)
    return discreet(quote) if item.by_plate else quote


def cancel_before_money(model: Checkout, event: intents.Cancel, ctx: Context) -> Outcome:
    """Drop everything; nothing was paid."""
    return close_unpaid(model, ctx, "cancelled")


def cancel_paying(model: Checkout, event: intents.Cancel, ctx: Context) -> Outcome:
    """Without credit the payment is undone; with credit the screen asks before it settles."""
    if model.own_flight is not None:
        return wrap_up_flight(model, ctx, "citizen")
    if not model.settles:
        return close_unpaid(model, ctx, "cancelled")
    return to(model, State.STOPPING, ctx), [AcceptNotes()]


def wrap_up_flight(model: Checkout, ctx: Context, by: str) -> Outcome:
    """End the session as soon as the note in motion has ended; a note still in escrow goes back."""
    flight = model.own_flight
    if flight is None or model.wrap_up:
        return model, []
    model = change(model, wrap_up=by)
    if flight.phase == "escrow":
        return return_flight(model, ctx)
    moving = State.STACKING if flight.phase == "stacking" else State.RETURNING
    return to(model, moving, ctx, messages=model.messages), [AcceptNotes()]


def return_flight(model: Checkout, ctx: Context) -> Outcome:
    """Give the escrowed note back."""
    assert model.flight is not None
    flight = msgspec.structs.replace(model.flight, phase="returning")
    messages = (text("message.note_returned", value=flight.value),)
    model = to(model, State.RETURNING, ctx, flight=flight, messages=messages)
    intent = Record((facts.ReturnIntended(flight.note, flight.value),), model.session)
    return model, [AcceptNotes(), intent, Order(flight.note.device, ReturnNote(flight.note))]


def finish(model: Checkout, event: intents.Finish, ctx: Context) -> Outcome:
    """Stop here: settle what was credited, or close if nothing was."""
    if model.own_flight is not None:
        return wrap_up_flight(model, ctx, "citizen")
    return settling(model, ctx, "citizen") if model.settles else close_unpaid(model, ctx, "cancelled")


def keep_paying(model: Checkout, event: intents.KeepPaying | intents.MoreTime, ctx: Context) -> Outcome:
    """Back from a question to the state it was asked in."""
    if not model.frozen:
        if model.out_of_service:
            return close_unpaid(model, ctx, "out_of_service")
        asked = model.asked_from if model.asked_from in BEFORE_MONEY else State.REVIEWING
        assert asked is not None
        return to(model, asked, ctx, asked_from=None), []
    flight = model.own_flight
    if flight is None:
        return accepting(model, ctx)
    if model.state is State.RESUMING:
        return to(model, State.RESUMING, ctx, messages=model.messages), []
    return to(model, State.STACKING if flight.phase == "stacking" else State.RETURNING, ctx), []


def leave(model: Checkout, event: intents.Dismiss | DeadlinePassed, ctx: Context) -> Outcome:
    """Back to the attract screen."""
    return rest(model, ctx), []


def ask_more_time(model: Checkout, event: DeadlinePassed, ctx: Context) -> Outcome:
    """Nobody touched anything: ask before ending."""
    return to(model, State.TIMED_OUT, ctx, asked_from=model.state, messages=model.messages), []


def time_out(model: Checkout, event: DeadlinePassed, ctx: Context) -> Outcome:
    """Nobody answered: settle what was credited, else close."""
    if model.own_flight is not None:
        return wrap_up_flight(model, ctx, "timeout")
    if model.settles:
        return settling(model, ctx, "timeout")
    return close_unpaid(model, ctx, "timeout")


def ignore(model: Checkout, event: object, ctx: Context) -> Outcome:
    """Known and without effect here, e.g. a scan during payment."""
    return model, []
