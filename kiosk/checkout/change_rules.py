"""Rules for change: coins that hoppers pay back, one hopper after the other, and the slip that waits for them.

Invariants held here, each with a test that names it:

* a payout is intended in the commit of the settlement that owes it, and its id never comes again;
* a hopper is let go only after its start is committed, and only while its citizen is in front; one that pays in
  several orders is let go for each, with other counters, and never more often than it has coins to pay;
* what is known to have left is booked once, whenever and however it is told; what is not stays owed, and what nobody
  can tell is claimed, so that nobody refunds it by itself;
* the slip comes in the commit of the last coin's end, or when the time is over: then it names what is still on its way;
* change is paid only to somebody who is there: a payment that silence or a start ends leaves a credit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from kiosk.checkout.effects import AnyEffect, Order, Record
from kiosk.checkout.events import ChangeResumed, DeadlinePassed
from kiosk.checkout.model import Checkout, Context, Dispensing, Hopper, Payout, PayoutPage
from kiosk.checkout.states import State
from kiosk.checkout.steps import Outcome, change, issued, rest, to, with_slip
from kiosk.model import facts
from kiosk.model.commands import Confirm, Dispense, DropPayout
from kiosk.model.device_events import CommandRefused, PayoutDisputed, PayoutEnded, PayoutProgress, PayoutReady
from kiosk.model.money import Money
from kiosk.model.texts import Text, text

#: Most coins of one order (ccTalk sheet §10: one byte).
MOST_COINS = 255


# --- planning -------------------------------------------------------------------------------------------------


def plan(hoppers: Iterable[Hopper], owed: Money) -> list[tuple[Hopper, int]]:
    """Return which hoppers pay how many coins: the largest coins first, and no more than each holds."""
    able = [each for each in hoppers if each.ready and each.value is not None and each.value.currency == owed.currency]
    left, planned = owed.minor, []
    for hopper in sorted(able, key=lambda each: (-_coin(each).minor, each.device)):
        coins = min(left // _coin(hopper).minor, hopper.coins, MOST_COINS)
        if coins > 0:
            planned.append((hopper, coins))
            left -= coins * _coin(hopper).minor
    return planned


def _coin(hopper: Hopper) -> Money:
    assert hopper.value is not None
    return hopper.value


def change_of(model: Checkout, ctx: Context, excess_minor: int) -> list[tuple[Hopper, int]]:
    """Plan the change of this cart's excess; nothing where its services give none."""
    if ctx.counter.excess(model.cart) != "change":
        return []
    return plan(ctx.hoppers, Money(excess_minor, model.currency))


def excess_text(model: Checkout, ctx: Context, excess_minor: int) -> Text:
    """Say what becomes of an excess, as things stand now: coins, and how much would be left as a credit."""
    excess, becomes = Money(excess_minor, model.currency), ctx.counter.excess(model.cart)
    if becomes != "change":
        return text(f"message.excess_{becomes}", excess=excess)
    coins = sum(count * _coin(hopper).minor for hopper, count in change_of(model, ctx, excess_minor))
    if not coins:
        return text("message.excess_credit", excess=excess)
    left = Money(excess_minor - coins, model.currency)
    words = "message.excess_change_part" if left.minor else "message.excess_change"
    return text(words, excess=excess, coins=Money(coins, model.currency), credit=left)


def intended(ctx: Context, planned: Sequence[tuple[Hopper, int]], settled_seq: int) -> tuple[Payout, ...]:
    """Name the payouts of a settlement; no other one has its place in the journal."""
    return tuple(
        Payout(f"{ctx.epoch}-{settled_seq}-{at}", hopper.device, _coin(hopper), coins)
        for at, (hopper, coins) in enumerate(planned, 1)
    )


# --- one hopper after the other -------------------------------------------------------------------------------


def begin(
    model: Checkout, ctx: Context, payouts: tuple[Payout, ...], settled: facts.Settled, draft: facts.ReceiptDeferred
) -> Outcome:
    """Commit the settlement, what the hoppers will be asked for and the slip so far; then ask the first of them."""
    bodies: tuple[facts.AnyBody, ...] = (
        settled,
        *(
            facts.PayoutIntended(each.payout, each.device, each.value, each.coins, draft.settled_seq)
            for each in payouts
        ),
        draft,
    )
    model = change(model, dispensing=Dispensing(draft=draft, payouts=payouts), frozen=False, wrap_up="")
    model, effects = onward(model, ctx)
    return model, [Record(bodies, model.session), *effects]


def onward(model: Checkout, ctx: Context, *told: facts.AnyBody, then: Sequence[AnyEffect] = ()) -> Outcome:
    """Commit what was told of a payout, do what waited for it, and ask the next hopper, or hand out the slip."""
    assert model.dispensing is not None
    payouts = model.dispensing.payouts
    record: list[AnyEffect] = [Record(told, model.session, "device")] if told else []
    if any(each.phase in ("ordered", "started") for each in payouts):
        return model, [*record, *then]
    following = next((each for each in payouts if each.phase == "intended"), None)
    if following is None:
        return finish(model, ctx, told, then)
    model = put(model, msgspec.structs.replace(following, phase="ordered"))
    model = to(model, State.DISPENSING, ctx, messages=(text("message.take_change"),))
    return model, [*record, *then, Order(following.device, Dispense(following.payout, following.coins))]


def find(model: Checkout, payout: str, device: str) -> Payout | None:
    """Return the payout of this id that this device pays for the person in front."""
    if model.dispensing is None:
        return None
    return next((each for each in model.dispensing.payouts if (each.payout, each.device) == (payout, device)), None)


def put(model: Checkout, payout: Payout) -> Checkout:
    """Replace a payout by its newer self."""
    assert model.dispensing is not None
    payouts = tuple(payout if each.payout == payout.payout else each for each in model.dispensing.payouts)
    return change(model, dispensing=msgspec.structs.replace(model.dispensing, payouts=payouts))


def ready(model: Checkout, event: PayoutReady, ctx: Context) -> Outcome:
    """The hopper's counters are read: commit the start, then let it pay.  Nobody else's coins are let go."""
    page, payout = ctx.payouts.get(event.payout), find(model, event.payout, ctx.device)
    if page is not None and page.phase == "started":
        further = page.starts < page.coins and event.device_mark != page.mark
        if payout is None or payout.phase != "started":
            return model, [Order(ctx.device, DropPayout(event.payout))]  # what it has paid its driver tells now
        if not further:
            return model, []  # let go before; what became of it the counters tell
    elif page is None or page.phase != "intended" or payout is None or payout.phase != "ordered":
        return model, [Order(ctx.device, DropPayout(event.payout))]
    model = to(
        put(model, msgspec.structs.replace(payout, phase="started")), State.DISPENSING, ctx, messages=model.messages
    )
    started = facts.PayoutStarted(event.payout, ctx.device, event.device_mark)
    return model, [Record((started,), model.session, "device"), Order(ctx.device, Confirm(event.token))]


def progress(model: Checkout, event: PayoutProgress, ctx: Context) -> Outcome:
    """Coins leave.  Each one gives the others their time anew, and none is money before the end is told."""
    payout = find(model, event.payout, ctx.device)
    if payout is None or payout.phase != "started" or not payout.paid < event.paid <= payout.coins:
        return model, []
    model = put(model, msgspec.structs.replace(payout, paid=event.paid))
    return to(model, State.DISPENSING, ctx, messages=model.messages), []


# --- how a payout ends ----------------------------------------------------------------------------------------


def ended(model: Checkout, event: PayoutEnded, ctx: Context) -> Outcome:
    """The figures are certain.  They are booked once, whoever is in front by now."""
    page = open_page(ctx, event.payout)
    confirm = Order(ctx.device, Confirm(event.token))
    if page is None:
        return model, [*stranger(ctx, event.payout, "PayoutEnded", model), confirm]
    unasked = page.phase == "intended" and event.paid  # nobody let it go
    if event.paid < 0 or event.unpaid < 0 or event.paid + event.unpaid != page.coins or unasked:
        reason = f"implausible:{event.paid}+{event.unpaid}"
        return in_dispute(model, ctx, page, 0, page.coins, reason, confirm)
    body = facts.PayoutEnded(
        page.payout, page.device, event.paid, event.unpaid, event.reason[:80],
        ctx.counter.change_entry(page.value, event.paid), event.recovered, event.device_mark,
    )  # fmt: skip
    return over(model, ctx, body, event.paid, 0, confirm)


def disputed(model: Checkout, event: PayoutDisputed, ctx: Context) -> Outcome:
    """The counters cannot tell how many coins left."""
    page = open_page(ctx, event.payout)
    confirm = Order(ctx.device, Confirm(event.token))
    if page is None:
        return model, [*stranger(ctx, event.payout, "PayoutDisputed", model), confirm]
    least, most = event.at_least, event.at_most
    if not 0 <= least <= most <= page.coins or (page.phase == "intended" and least):
        return in_dispute(model, ctx, page, 0, page.coins, f"implausible:{least}-{most}", confirm)
    return in_dispute(model, ctx, page, least, most, event.reason, confirm)


def in_dispute(
    model: Checkout, ctx: Context, page: PayoutPage, least: int, most: int, reason: str, confirm: AnyEffect
) -> Outcome:
    """Book what is certain and claim what is not; figures that leave no doubt are an end like any other."""
    entry = ctx.counter.change_entry(page.value, least, most - least)
    if least == most:
        ended = facts.PayoutEnded(page.payout, page.device, least, page.coins - least, reason[:80], entry)
        return over(model, ctx, ended, least, 0, confirm)
    body = facts.PayoutDisputed(page.payout, page.device, least, most, reason[:80], entry)
    # Somebody has to count the hopper: until then nobody is owed these coins, and it pays no more.
    alarm = facts.AlarmRaised("payout_disputed", page.device, ctx.day().box_session)
    return over(model, ctx, body, least, most - least, confirm, also=(alarm,))


def over(
    model: Checkout, ctx: Context, body: facts.PayoutEnded | facts.PayoutDisputed, paid: int, uncertain: int,
    *then: AnyEffect, also: tuple[facts.AnyBody, ...] = (),
) -> Outcome:  # fmt: skip
    """Commit the end of a payout; where its citizen waits for it, go on."""
    payout = find(model, body.payout, body.device)
    if payout is None:
        return model, [Record((body, *also), "", "device"), *then]
    model = put(model, msgspec.structs.replace(payout, phase="ended", paid=paid, disputed=uncertain))
    return onward(model, ctx, body, *also, then=then)


def open_page(ctx: Context, payout: str) -> PayoutPage | None:
    """Return a payout of the device that speaks, if the journal waits for its end."""
    page = ctx.payouts.get(payout)
    fits = page is not None and page.device == ctx.device and page.phase in ("intended", "started")
    return page if fits else None


def stranger(ctx: Context, payout: str, event: str, model: Checkout) -> list[AnyEffect]:
    """Record that a hopper tells of a payout that nobody asked it for; one whose end is known says nothing new."""
    page = ctx.payouts.get(payout)
    if page is not None and page.device == ctx.device:
        return []
    return [Record((facts.EventRefused(str(model.state), event, "a payout that nobody intended"),), "", "device")]


def refused(model: Checkout, event: CommandRefused, ctx: Context) -> Outcome:
    """A hopper did not take the order, or nobody was there to take it: no coin has moved."""
    name = event.payout or event.job
    page, payout = ctx.payouts.get(name), find(model, name, ctx.device)
    waits = payout is not None and payout.phase == "ordered"
    if event.command != "dispense" or page is None or page.phase != "intended" or not waits:
        return model, []
    return over(model, ctx, unpaid(page, f"refused:{event.reason}"), 0, 0)


def unpaid(page: PayoutPage | Payout, reason: str, *, recovered: bool = False) -> facts.PayoutEnded:
    """Return the end of a payout that was never let go."""
    return facts.PayoutEnded(page.payout, page.device, 0, page.coins, reason[:80], None, recovered)


# --- the slip -------------------------------------------------------------------------------------------------


def overdue(model: Checkout, event: DeadlinePassed, ctx: Context) -> Outcome:
    """A hopper did not end in time: whoever waits for their slip gets it now.

    What was not let go is not paid any more.  What was is followed on and booked when its end is told; the slip names
    it as on its way.
    """
    assert model.dispensing is not None
    told: list[facts.AnyBody] = []
    drops: list[AnyEffect] = []
    for payout in model.dispensing.payouts:
        if payout.phase in ("intended", "ordered"):
            told.append(unpaid(payout, "overdue"))
            model = put(model, msgspec.structs.replace(payout, phase="ended"))
        if payout.phase == "ordered":
            drops.append(Order(payout.device, DropPayout(payout.payout)))
    return finish(model, ctx, tuple(told), drops)


def resumed(model: Checkout, event: ChangeResumed, ctx: Context) -> Outcome:
    """After an interruption: what was not let go is not paid any more; what was, its hopper tells by its counters."""
    assert model.dispensing is not None
    told: list[facts.AnyBody] = []
    for payout in model.dispensing.payouts:
        if payout.phase in ("intended", "ordered"):
            told.append(unpaid(payout, "not_started", recovered=True))
            model = put(model, msgspec.structs.replace(payout, phase="ended"))
    return onward(model, ctx, *told)


def finish(model: Checkout, ctx: Context, told: tuple[facts.AnyBody, ...], then: Sequence[AnyEffect]) -> Outcome:
    """Hand out the slip, in the commit of whatever was told last."""
    dispensing = model.dispensing
    assert dispensing is not None
    draft = dispensing.draft
    slip = issued(
        model, ctx, draft.slip, draft.settled_seq, lines=draft.lines, totals=(*draft.totals, *totals_of(dispensing)),
        particulars=draft.particulars, currency=draft.currency,
    )  # fmt: skip
    model, effects = with_slip(
        model, ctx, slip, session=model.session, before=told, printed=dispensing.printed
    )  # fmt: skip
    model = change(model, dispensing=None)
    effects = [effects[0], *then, *effects[1:]]
    if not dispensing.printed:
        return rest(model, ctx), effects
    return to(model, State.RECEIPTING, ctx, messages=messages_of(dispensing)), effects


def totals_of(dispensing: Dispensing) -> tuple[facts.ReceiptTotal, ...]:
    """Return what a slip says of the overpayment: paid in coins, on its way, not known, and owed."""
    over = next((total.minor for total in dispensing.draft.totals if total.name == "overpayment"), 0)
    ends = [each for each in dispensing.payouts if each.phase == "ended"]
    paid = sum(each.paid * each.value.minor for each in ends)
    unknown = sum(each.disputed * each.value.minor for each in ends)
    pending = dispensing.planned_minor - sum(each.coins * each.value.minor for each in ends)
    owed = over - paid - unknown - pending
    told = (("change_pending", pending), ("change_disputed", unknown), ("owed", owed))
    return (
        facts.ReceiptTotal("change", paid),
        *(facts.ReceiptTotal(name, minor) for name, minor in told if minor),
    )


def messages_of(dispensing: Dispensing) -> tuple[Text, ...]:
    """Tell the person in front of everything that did not come out as it should."""
    short = any(each.phase != "ended" or each.paid < each.coins for each in dispensing.payouts)
    return (text("message.change_short" if short else "message.take_change"),)
