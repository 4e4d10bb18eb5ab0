"""Rules for the people who fill and count the hoppers.

The float of a hopper is what the journal says; it changes by facts alone.  A count takes all coins out, and is what
settles a dispute over coins that may have left: as far as coins are missing, they were paid.  What is missing beyond
that, or too much, is over or short.
"""

from __future__ import annotations

from kiosk.checkout import intents
from kiosk.checkout.attended_rules import actor, holds, menu, no_role
from kiosk.checkout.effects import Record
from kiosk.checkout.model import Checkout, Context, Hopper
from kiosk.checkout.steps import Outcome
from kiosk.model import facts
from kiosk.model.texts import text

#: Coins beyond what any hopper of a kiosk holds.
MOST_COINS = 20_000


def fill(model: Checkout, event: intents.FillHopper, ctx: Context) -> Outcome:
    """Coins went from the change fund into a hopper."""
    if not holds(model, "collect"):
        return no_role(model, ctx)
    hopper = _hopper(ctx, event.device)
    if hopper is None or hopper.value is None or not 0 < event.coins <= MOST_COINS - hopper.coins:
        return menu(model, ctx, text("hopper.bad_number")), []
    if _paying(ctx, event.device):
        return menu(model, ctx, text("hopper.paying")), []
    assert model.attendant is not None
    entry = ctx.counter.hopper_filled_entry(hopper.value, event.coins)
    body = facts.HopperFilled(event.device, hopper.value, event.coins, model.attendant.person, entry)
    return menu(model, ctx, text("hopper.filled", device=event.device[:40], coins=event.coins)), [
        Record((body,), "", actor(model))
    ]


def count(model: Checkout, event: intents.CountHopper, ctx: Context) -> Outcome:
    """All coins were taken out and counted; they went to the change fund, and what was in dispute is settled."""
    if not holds(model, "collect"):
        return no_role(model, ctx)
    hopper = _hopper(ctx, event.device)
    if hopper is None or hopper.value is None or not 0 <= event.coins <= MOST_COINS:
        return menu(model, ctx, text("hopper.bad_number")), []
    if _paying(ctx, event.device):
        return menu(model, ctx, text("hopper.paying")), []
    assert model.attendant is not None
    person, value, expected = model.attendant.person, hopper.value, hopper.coins
    bodies: list[facts.AnyBody] = []
    for page in ctx.payouts.values():
        if page.device != event.device or page.phase != "disputed":
            continue
        paid = min(max(0, expected - event.coins), page.disputed)
        expected -= paid
        unpaid = page.disputed - paid
        entry = ctx.counter.change_resolved_entry(value, paid, unpaid)
        bodies.append(facts.PayoutResolved(page.payout, page.device, paid, unpaid, person, entry))
    entry_of_count = ctx.counter.hopper_emptied_entry(value, expected, event.coins)
    bodies.append(facts.HopperEmptied(event.device, value, expected, event.coins, person, entry_of_count))
    return menu(model, ctx, text("hopper.counted", device=event.device[:40], coins=event.coins)), [
        Record(tuple(bodies), "", actor(model))
    ]


def _hopper(ctx: Context, device: str) -> Hopper | None:
    return next((each for each in ctx.hoppers if each.device == device), None)


def _paying(ctx: Context, device: str) -> bool:
    """Tell whether coins of this hopper may be moving: nobody knows what is in it."""
    return any(page.device == device and page.phase in ("intended", "started") for page in ctx.payouts.values())
