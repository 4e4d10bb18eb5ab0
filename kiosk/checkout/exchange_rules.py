"""Rules for the cash box: its exchange by two people, and its removal by anybody else.

* nothing is committed before two different people have signed;
* from the authorisation to the end no note is taken, and none while no box is in the kiosk;
* a session of a box ends with a Z closing in the same commit, so a box holds whole periods;
* a box that was out of the kiosk never goes on with its session, whatever box is put back.
"""

from __future__ import annotations

import re

import msgspec

from kiosk.checkout import intents
from kiosk.checkout.attended_rules import actor, holds, leave, menu, no_role, refusal_words, refused, with_printed
from kiosk.checkout.closing import Day, closing, closing_particulars
from kiosk.checkout.effects import AcceptNotes, CheckPin, Raise, Record
from kiosk.checkout.events import AcceptorChanged, DeadlinePassed, PinChecked
from kiosk.checkout.model import Checkout, Context, Exchange
from kiosk.checkout.states import State
from kiosk.checkout.steps import Outcome, issued, to
from kiosk.model import facts
from kiosk.model.device_events import CashboxInserted, CashboxRemoved
from kiosk.model.texts import Text, text

#: The stages in which each intent means something.
STAGES_OF: dict[type[intents.Intent], tuple[str, ...]] = {
    intents.ExchangeNumbers: ("numbers",), intents.EnterPin: ("second",), intents.Back: ("numbers", "second"),
    intents.Cancel: ("numbers", "second"), intents.ConfirmExchange: ("inserted", "unfinished"),
    intents.AbandonExchange: ("open", "inserted", "unfinished"),
}  # fmt: skip
#: What stands on boxes and seals.
NUMBER = re.compile(r"[A-Z0-9][A-Z0-9-]{0,23}")


def fits_stage(model: Checkout, intent: type[intents.Intent]) -> bool:
    """Tell whether an intent means something in the present stage of an exchange; always where there is none."""
    return model.exchange is None or model.exchange.stage in STAGES_OF.get(intent, (model.exchange.stage,))


def at(model: Checkout, ctx: Context, exchange: Exchange, *messages: Text) -> Checkout:
    """Show a stage of the exchange, with its period anew."""
    return to(model, State.EXCHANGING, ctx, exchange=exchange, messages=messages)


def begin(model: Checkout, event: intents.BeginExchange, ctx: Context) -> Outcome:
    """Ask for the numbers, or take up an exchange that was authorised and has not ended."""
    if not holds(model, "collect"):
        return no_role(model, ctx)
    found = ctx.exchange
    if found is None:
        return at(model, ctx, Exchange(stage="numbers")), [AcceptNotes()]
    open_one = Exchange(stage="unfinished", old_box=found.old_box, new_box=found.new_box, seal=found.seal)
    return at(model, ctx, open_one), [AcceptNotes()]


def numbers(model: Checkout, event: intents.ExchangeNumbers, ctx: Context) -> Outcome:
    """Take the numbers of boxes and seal; then a second person signs."""
    assert model.exchange is not None
    if model.exchange.stage != "numbers":
        return model, []
    told = {name: getattr(event, name).strip().upper() for name in ("old_box", "new_box", "seal")}
    if not all(NUMBER.fullmatch(value) for value in told.values()):
        return at(model, ctx, model.exchange, text("exchange.bad_number")), []
    known = ctx.day().box
    if known and told["old_box"] != known:
        return at(model, ctx, model.exchange, text("exchange.other_box", box=known)), []
    if told["old_box"] == told["new_box"]:
        return at(model, ctx, model.exchange, text("exchange.same_box")), []
    return at(model, ctx, Exchange(stage="second", **told)), []


def second_pin(model: Checkout, event: intents.EnterPin, ctx: Context) -> Outcome:
    """Have the second person's PIN checked."""
    if model.exchange is None or model.exchange.stage != "second":
        return model, []
    return model, [CheckPin(event.person[:32], event.pin[:64], "second")]


def second_checked(model: Checkout, event: PinChecked, ctx: Context) -> Outcome:
    """Two different people who may collect: authorise the exchange."""
    exchange, first = model.exchange, model.attendant
    assert exchange is not None
    assert first is not None
    if exchange.stage != "second":
        return model, []
    refusal = event.problem
    if not refusal and event.person == first.person:
        refusal = "same_person"
    elif not refusal and "collect" not in event.roles:
        refusal = "role"
    if refusal:
        return at(model, ctx, exchange, text(refusal_words(refusal))), refused(event, refusal)
    signed = facts.OperatorSignedIn(event.person, event.roles, event.purpose)
    authorised = facts.ExchangeAuthorised(
        ctx.acceptor, ctx.day().box_session, exchange.old_box, exchange.new_box, exchange.seal, first.person,
        event.person,
    )  # fmt: skip
    stage = "open" if ctx.box_present else "removed"
    model = at(model, ctx, msgspec.structs.replace(exchange, stage=stage))
    return model, [AcceptNotes(), Record((signed, authorised), "", actor(model))]


def removed(model: Checkout, event: CashboxRemoved, ctx: Context) -> Outcome:
    """The box went out: within an authorised exchange a step of it, else an alarm and the end of its session."""
    if not ctx.box_present:
        return model, []
    day = ctx.day()
    if ctx.exchange is not None:
        out = facts.CashboxChanged(ctx.device, True, day.box_session, "exchange", event.device_mark)
        bodies: tuple[facts.AnyBody, ...] = (out,)
        if model.exchange is None:
            # Two people signed for it, and neither is in front now.
            bodies = (*bodies, facts.AlarmRaised("cashbox_unattended", ctx.device, day.box_session))
        if model.exchange is not None and model.exchange.stage in ("open", "inserted"):
            model = at(model, ctx, msgspec.structs.replace(model.exchange, stage="removed"))
        return model, [Record(bodies, "", "device"), Raise(AcceptorChanged())]
    following = day.box_session + 1
    bodies = (
        closing(day, "removal", None),
        facts.CashboxChanged(ctx.device, True, following, "none", event.device_mark),
        facts.AlarmRaised("cashbox_removed", ctx.device, following),
    )
    return model, [Record(bodies, "", "device"), Raise(AcceptorChanged())]


def unwatched(day: Day, device: str) -> tuple[facts.AnyBody, ...]:
    """Return what is told where the box moved, or took notes, while another realm's journal was worked on.

    Whoever may change the realm could otherwise take the box out while this journal does not look.
    """
    following = day.box_session + 1
    return (
        closing(day, "removal", None),
        facts.CashboxChanged(device, True, following, "none"),
        facts.AlarmRaised("cashbox_unwatched", device, following),
    )


def inserted(model: Checkout, event: CashboxInserted, ctx: Context) -> Outcome:
    """A box was put in; whether it is the new one only a person can tell."""
    if ctx.box_present:
        return model, []
    authority = "exchange" if ctx.exchange is not None else "none"
    body = facts.CashboxChanged(ctx.device, False, ctx.day().box_session, authority, event.device_mark)
    if model.exchange is not None and model.exchange.stage in ("open", "removed"):
        model = at(model, ctx, msgspec.structs.replace(model.exchange, stage="inserted"))
    return model, [Record((body,), "", "device"), Raise(AcceptorChanged())]


def confirm(model: Checkout, event: intents.ConfirmExchange, ctx: Context) -> Outcome:
    """The new box is in: close the period, end the session, begin the next, print both slips; one commit."""
    found, exchange = ctx.exchange, model.exchange
    assert exchange is not None
    if not holds(model, "collect"):
        return no_role(model, ctx)
    if found is None or exchange.stage not in ("inserted", "unfinished"):
        return model, []
    if not ctx.box_present:
        return at(model, ctx, exchange, text("exchange.no_box")), []
    day = ctx.day()
    z = closing(day, "exchange", None)
    done = facts.BoxExchanged(
        found.device, day.box_session, day.box_session + 1, found.old_box, found.new_box, found.seal, found.first,
        found.second, seen=found.removed and found.inserted,
    )  # fmt: skip
    told = {
        "old_box": found.old_box, "new_box": found.new_box, "seal": found.seal, "first": found.first,
        "second": found.second, "ended_session": str(day.box_session), "z_number": str(z.number),
    }  # fmt: skip
    particulars = tuple(facts.Particular(name, value) for name, value in told.items())
    slip = issued(model, ctx, "box_exchange", ctx.next_seq + 1, particulars=particulars)
    z_slip = issued(model, ctx, "z", ctx.next_seq, particulars=closing_particulars(day, z), place=1)
    return with_printed(menu(model, ctx, text("exchange.done", box=found.new_box)), ctx, (z, done), slip, z_slip)


def abandon(model: Checkout, event: intents.AbandonExchange, ctx: Context) -> Outcome:
    """The exchange does not take place.  A box that was out ends its session all the same."""
    assert model.exchange is not None
    if not holds(model, "collect"):
        return no_role(model, ctx)
    found = ctx.exchange
    if found is None:
        return menu(model, ctx), []
    if not ctx.box_present:
        return at(model, ctx, model.exchange, text("exchange.no_box")), []
    by = actor(model)
    day = ctx.day()
    if not found.removed:
        given_up = facts.ExchangeAbandoned(day.box_session, False, "person")
        return menu(model, ctx, text("exchange.abandoned")), [Record((given_up,), "", by)]
    following = day.box_session + 1
    bodies = (
        closing(day, "removal", None),
        facts.ExchangeAbandoned(following, True, "person"),
        facts.AlarmRaised("exchange_abandoned", found.device, following),
    )
    return menu(model, ctx, text("exchange.abandoned_after_removal")), [Record(bodies, "", by)]


def back(model: Checkout, event: intents.Back | intents.Cancel, ctx: Context) -> Outcome:
    """Leave the exchange before it is authorised; afterwards it has to be confirmed or abandoned."""
    return (menu(model, ctx), []) if ctx.exchange is None else (model, [])


def overdue(model: Checkout, event: DeadlinePassed, ctx: Context) -> Outcome:
    """The people left: what is authorised stays open, and the kiosk out of service until it is ended."""
    return leave(model, ctx, "timeout")
