"""The proof finds what is broken on purpose in the rules for change."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kiosk.checkout import change_rules, coin_rules, proof_rules, steps
from kiosk.checkout.effects import Order
from kiosk.checkout.model import Checkout, Context
from kiosk.checkout.proof import Proof
from kiosk.checkout.proof_events import SCOPES
from kiosk.checkout.states import State
from kiosk.checkout.table import TRANSITIONS, Row
from kiosk.model import device_events as d
from kiosk.model.commands import Confirm, Dispense

CHANGE = SCOPES[-1]


def broken(limit: int = 700) -> set[str]:
    return set(Proof((CHANGE,), limit=limit).run().broken)


def everywhere(monkeypatch: pytest.MonkeyPatch, event: type, call: Any) -> None:
    for state in State:
        if (state, event) in TRANSITIONS:
            monkeypatch.setitem(TRANSITIONS, (state, event), Row(call, frozenset(State)))


def test_it_finds_a_hopper_that_is_let_go_before_its_start_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = change_rules.ready

    def hasty(model: Checkout, event: Any, ctx: Context) -> Any:
        after, effects = whole(model, event, ctx)
        return after, effects[::-1]

    everywhere(monkeypatch, d.PayoutReady, hasty)
    assert proof_rules.CONFIRM in broken()


def test_it_finds_a_hopper_that_is_let_go_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = change_rules.ready

    def again(model: Checkout, event: Any, ctx: Context) -> Any:
        page = ctx.payouts.get(event.payout)
        if page is not None and page.phase == "started":
            return model, [Order(ctx.device, Confirm(event.token))]
        return whole(model, event, ctx)

    everywhere(monkeypatch, d.PayoutReady, again)
    assert proof_rules.LET_GO in broken()


def test_it_finds_coins_that_are_booked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_rules, "open_page", lambda ctx, payout: ctx.payouts.get(payout))
    assert proof_rules.PAID in broken()


def test_it_finds_figures_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def trusting(model: Checkout, event: Any, ctx: Context) -> Any:
        page = change_rules.open_page(ctx, event.payout)
        confirm = Order(ctx.device, Confirm(event.token))
        if page is None:
            return model, [confirm]
        entry = ctx.counter.change_entry(page.value, max(0, event.paid))
        body = change_rules.facts.PayoutEnded(page.payout, page.device, event.paid, event.unpaid, "x", entry)
        return change_rules.over(model, ctx, body, event.paid, 0, confirm)

    everywhere(monkeypatch, d.PayoutEnded, trusting)
    assert proof_rules.PAID in broken()


def test_it_finds_more_coins_than_a_hopper_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = change_rules.plan
    monkeypatch.setattr(
        change_rules, "plan", lambda hoppers, owed: [(hopper, coins + 1) for hopper, coins in whole(hoppers, owed)]
    )
    assert {proof_rules.ASKED, proof_rules.TELLS} <= broken()


def test_it_finds_two_hoppers_at_work_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = change_rules.begin

    def both(*args: Any) -> Any:
        after, effects = whole(*args)
        others = [each for each in after.dispensing.payouts if each.phase == "intended"]
        for each in others:
            after = change_rules.put(after, msgspec.structs.replace(each, phase="ordered"))
        return after, [*effects, *(Order(each.device, Dispense(each.payout, each.coins)) for each in others)]

    monkeypatch.setattr(change_rules, "begin", both)
    assert proof_rules.ASKED in broken()


def test_it_finds_change_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = change_rules.begin

    def careless(model: Any, ctx: Any, payouts: Any, settled: Any, draft: Any) -> Any:
        return planned(model, ctx, payouts, msgspec.structs.replace(settled, by="timeout"), draft)

    monkeypatch.setattr(change_rules, "begin", careless)
    assert proof_rules.THERE in broken()


def test_it_finds_a_slip_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(model: Checkout, ctx: Context, told: Any, then: Any) -> Any:
        return steps.rest(model, ctx), list(then)

    monkeypatch.setattr(change_rules, "finish", lost)
    assert proof_rules.DRAFT in broken()


def test_it_finds_a_slip_that_does_not_tell_what_is_owed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = change_rules.totals_of
    monkeypatch.setattr(change_rules, "totals_of", lambda dispensing: whole(dispensing)[:1])
    assert proof_rules.TELLS in broken()


def test_it_finds_a_coin_that_is_credited_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coin_rules, "known_outcome", lambda ctx, coin: "")
    assert proof_rules.TWICE in broken()
