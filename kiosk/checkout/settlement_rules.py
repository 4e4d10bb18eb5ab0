"""Rules for the end of a payment: what was fed and what was held become applied, held or owed, with a slip.

A session that took no note and whose held money does not pay everything is closed instead: what is held stays as
it was, and no fact but the closing is needed.
"""

from __future__ import annotations

from collections import Counter

from kiosk.checkout import change_rules
from kiosk.checkout.effects import AcceptNotes
from kiosk.checkout.events import Settle
from kiosk.checkout.model import Checkout, Context, Flight, Settlement
from kiosk.checkout.states import State
from kiosk.checkout.steps import Outcome, close_unpaid, issued, to, with_slip
from kiosk.model import facts
from kiosk.model.money import Money
from kiosk.model.texts import text


def settle(model: Checkout, event: Settle, ctx: Context) -> Outcome:
    """Apply the tender: one balanced entry, one slip, one commit."""
    if not model.settles or not (model.credited or ctx.counter.can_post(model.cart)):
        # Held money for a service that is described no longer moves nowhere: it stays held.
        return close_unpaid(model, ctx, event.by)
    return settle_now(model, ctx, event.by, None)


def settle_now(model: Checkout, ctx: Context, by: str, pending: Flight | None) -> Outcome:
    """Commit settlement and slip together, then print.  A slip with change waits for its coins."""
    tender = model.credited_minor
    totals = [facts.ReceiptTotal("due", model.due_minor), facts.ReceiptTotal("tender", tender)]
    coins = Counter(coin.minor for coin in model.coins)
    notes = Counter(each.minor for each in model.credited) - coins
    totals += [facts.ReceiptTotal(f"note:{value}", count) for value, count in sorted(notes.items())]
    totals += [facts.ReceiptTotal(f"coin:{value}", count) for value, count in sorted(coins.items())]
    before: tuple[facts.AnyBody, ...]
    lines: tuple[facts.ReceiptLine, ...] = ()
    kind = "pending"
    particulars: tuple[facts.Particular, ...] = ()
    if model.settles:
        split = ctx.counter.settle(model.cart, tender_of(model))
        lines = split.lines
        applied = sum(part.minor for part in split.allocations)
        remaining = max(0, model.due_minor - applied)
        outcome = "unapplied" if applied == 0 else "partial" if remaining else "paid"
        settled = facts.Settled(
            tender, model.currency, split.allocations, split.overpayment_minor, split.entry, outcome, by,
            split.used, split.held, split.excess,
        )  # fmt: skip
        before = (settled,)
        totals += settled_totals(split, applied, remaining)
        particulars = (facts.Particular("excess", split.excess),) if split.excess else ()
        kind = "receipt" if applied else "credit"
        # Nobody is known to be there to take coins where silence, a start or a fault ends a payment: it is a credit.
        planned = change_rules.change_of(model, ctx, split.overpayment_minor) if by == "citizen" else []
        if planned and pending is None:
            draft = facts.ReceiptDeferred(
                kind, model.language, lines, tuple(totals), model.currency, ctx.next_seq, particulars
            )
            payouts = change_rules.intended(ctx, planned, ctx.next_seq)
            model, effects = change_rules.begin(model, ctx, payouts, settled, draft)
            return model, [AcceptNotes(), *effects]
    else:
        before = (facts.SessionClosed(by),)
    if pending is not None:
        totals.append(facts.ReceiptTotal("pending", pending.value.minor))
    slip = issued(model, ctx, kind, ctx.next_seq, lines=lines, totals=tuple(totals), particulars=particulars)
    model, effects = with_slip(model, ctx, slip, session=model.session, before=before)
    messages = (text("message.note_pending", value=pending.value),) if pending else ()
    model = to(model, State.RECEIPTING, ctx, frozen=False, wrap_up="", messages=messages)
    return model, [AcceptNotes(), *effects]


def settled_totals(split: Settlement, applied: int, remaining: int) -> list[facts.ReceiptTotal]:
    """Return the sums that a slip tells of a settlement; held money once in all and once for each invoice."""
    used, held = (sum(each.minor for each in parts) for parts in (split.used, split.held))
    named = (
        ("used", used), ("applied", applied), ("overpayment", split.overpayment_minor), ("held", held),
        ("remaining", remaining),
    )  # fmt: skip
    totals = [facts.ReceiptTotal(name, minor) for name, minor in named if minor or name == "applied"]
    place = next((at + 1 for at, total in enumerate(totals) if total.name == "held"), len(totals))
    each_held = [facts.ReceiptTotal(f"held:{each.service}/{each.number}", each.minor) for each in split.held]
    return [*totals[:place], *each_held, *totals[place:]]


def tender_of(model: Checkout) -> Money:
    """Return the session's committed tender as one amount."""
    return Money(model.credited_minor, model.currency)
