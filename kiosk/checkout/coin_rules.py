"""Rules for coins that are fed.  A coin has no escrow: it is credited when it fell, or kept apart with a slip.

* a coin is credited to the session that is open when it is told, and to no other; with no session it is nobody's;
* a coin is booked once, whatever a driver says twice;
* while a note lies in escrow a coin that fell all the same may make another question of it, or none.
"""

from __future__ import annotations

from kiosk.checkout.change_rules import excess_text
from kiosk.checkout.effects import Order, Record
from kiosk.checkout.model import Checkout, Context
from kiosk.checkout.money_rules import bookable, suspend
from kiosk.checkout.screen_rules import return_flight
from kiosk.checkout.states import State
from kiosk.checkout.steps import Outcome, accepting, change, known_outcome, note_over, to
from kiosk.model import facts
from kiosk.model.commands import Confirm
from kiosk.model.device_events import CoinAccepted, CoinRejected, NoteStacked
from kiosk.model.texts import text


def accepted(model: Checkout, event: CoinAccepted, ctx: Context) -> Outcome:
    """A coin fell: the session's tender, or nobody's."""
    confirm = Order(ctx.device, Confirm(event.token))
    outcome = known_outcome(ctx, event.coin)
    if outcome:
        return model, [confirm]
    value = bookable(event.value)
    ours = model.frozen and model.state is not State.SETTLING
    if not ours or value is None or value.currency != model.currency:
        stray = NoteStacked(event.token, event.coin, event.value, event.recovered, event.device_mark, event.raw)
        return suspend(model, stray, ctx, "", "message.coin_kept")
    credit = facts.NoteCredited(
        event.coin, value, ctx.counter.credit_entry(value), event.recovered, event.device_mark, means="coin"
    )
    record = Record((credit,), model.session)
    model = change(model, credited=(*model.credited, value), coins=(*model.coins, value), refused_notes=0)
    model, effects = onward(model, ctx)
    return model, [record, confirm, *effects]


def onward(model: Checkout, ctx: Context) -> Outcome:
    """Go on after a coin; a note in motion is waited for, and one in escrow is weighed anew."""
    flight = model.own_flight
    if flight is None and model.state in (State.ACCEPTING, State.TIMED_OUT):
        return accepting(model, ctx)
    if flight is None:
        return note_over(model, ctx)
    if model.state is not State.NOTE_HELD:
        return model, []
    if model.remaining_minor == 0:
        return return_flight(model, ctx)  # the coins paid it all
    excess = flight.value.minor - model.remaining_minor
    return to(model, State.NOTE_HELD, ctx, messages=(excess_text(model, ctx, excess),)), []


def rejected(model: Checkout, event: CoinRejected, ctx: Context) -> Outcome:
    """A coin fell through.  Told to whoever pays, and never recorded: it was nobody's money here."""
    if model.refused_notes >= ctx.settings.refused_notes_help:
        return change(model, messages=(text("message.coin_rejected"),)), []
    model = change(model, refused_notes=model.refused_notes + 1)
    return to(model, model.state, ctx, messages=(text("message.coin_rejected"),)), []


def elsewhere(model: Checkout, event: CoinRejected, ctx: Context) -> Outcome:
    """A coin that falls through while nobody pays is the acceptor doing its work."""
    return model, []
