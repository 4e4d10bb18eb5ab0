"""Rules for going out of service and coming back, and for commands that a driver refused."""

from __future__ import annotations

from kiosk.checkout import change_rules
from kiosk.checkout.effects import AcceptNotes
from kiosk.checkout.events import ServiceLost, ServiceRestored
from kiosk.checkout.model import Checkout, Context
from kiosk.checkout.money_rules import stack_refused
from kiosk.checkout.print_rules import job_refused
from kiosk.checkout.states import State
from kiosk.checkout.steps import Outcome, change, close_unpaid, rest, to
from kiosk.model.device_events import CommandRefused
from kiosk.model.texts import Text


def lost_idle(model: Checkout, event: ServiceLost, ctx: Context) -> Outcome:
    """Nobody is in front: close the counter and say why."""
    model = change(model, out_of_service=event.reasons)
    return to(model, State.OUT_OF_SERVICE, ctx, messages=event.reasons), [AcceptNotes()]


def lost_before_money(model: Checkout, event: ServiceLost, ctx: Context) -> Outcome:
    """Nothing was paid yet: the person is told at once rather than after the first note."""
    return close_unpaid(change(model, out_of_service=event.reasons), ctx, "out_of_service")


def lost_in_session(model: Checkout, event: ServiceLost, ctx: Context) -> Outcome:
    """Money is on the table: finish with this person, then close."""
    return change(model, out_of_service=event.reasons), []


def lost_at_question(model: Checkout, event: ServiceLost, ctx: Context) -> Outcome:
    """Lost while "Need more time?" is shown: with a frozen price finish with this person, else tell at once."""
    return lost_in_session(model, event, ctx) if model.frozen else lost_before_money(model, event, ctx)


def troubled(model: Checkout, reasons: tuple[Text, ...], ctx: Context) -> Checkout:
    """Show that nothing can be recorded.  Not a rule of the table: there is no fact that it could be told by.

    Where nothing is frozen nobody loses anything, and a live-looking screen that answers no tap would be a lie;
    with a frozen price the payment waits, and the person is told why.
    """
    model = change(model, out_of_service=reasons)
    if model.frozen:
        return change(model, messages=reasons)
    # A slip that waits, printed or for its change, is not taken from its owner.
    return model if model.state in (State.RECEIPTING, State.DISPENSING) else rest(model, ctx)


def restored_idle(model: Checkout, event: ServiceRestored, ctx: Context) -> Outcome:
    """Open the counter again."""
    return rest(change(model, out_of_service=()), ctx), []


def restored(model: Checkout, event: ServiceRestored, ctx: Context) -> Outcome:
    """The reasons are gone before anybody noticed."""
    return change(model, out_of_service=()), []


def command_refused(model: Checkout, event: CommandRefused, ctx: Context) -> Outcome:
    """A driver could not carry out an order: a print job, a payout, or an order about a note."""
    if event.payout or event.command == "dispense":
        return change_rules.refused(model, event, ctx)
    return job_refused(model, event, ctx) if event.job else stack_refused(model, event, ctx)
