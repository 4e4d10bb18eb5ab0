"""Everything that can happen to the table, tried: the rules of money hold in every reachable state.

`search.py` explains the world.  The last tests break a rule on purpose and watch the search find it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from kiosk.checkout import intents, money_rules, print_rules, screen_rules, steps
from kiosk.checkout.events import DeadlinePassed, Settle
from kiosk.checkout.model import Checkout
from kiosk.checkout.states import WITHOUT_DEADLINE, State
from kiosk.checkout.table import TRANSITIONS, Row
from kiosk.model import device_events as d


def _load() -> ModuleType:
    name = "checkout_search"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("search.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


search = _load()


@cache
def searches() -> tuple[Any, ...]:
    """Two whole searches: two notes and the taps that money depends on; one note and everything else."""
    return search.Search(notes=(1, 2)).run(), search.Search(notes=(1,), printing=True).run()


def breaches(rule: str) -> list[str]:
    return [example for each in searches() for example in each.broken.get(rule, [])]


def test_the_search_ends_by_itself_and_meets_every_state() -> None:
    for each in searches():
        assert len(each.seen) == len(each.worlds) < each.limit
    met = {world.model.state for each in searches() for world in each.worlds}
    assert met == set(State) - {State.SETTLING}, "settling is left within its step"


def test_a_step_never_fails() -> None:
    assert breaches("a step never fails") == []


def test_no_state_waits_without_a_deadline() -> None:
    assert breaches("no state waits without a deadline") == []


def test_states_without_a_deadline_say_why_and_all_others_have_a_period() -> None:
    for state in State:
        assert (state in WITHOUT_DEADLINE) != (state in steps.PERIOD_OF)


def test_settling_is_left_within_the_step() -> None:
    assert breaches("settling is left within the step") == []


def test_with_credit_on_the_table_time_alone_reaches_a_settlement_with_a_slip() -> None:
    with_credit = [w for each in searches() for w in each.worlds if w.model.credited and w.model.frozen]
    assert len(with_credit) > 300
    assert [way for each in searches() for way in each.stranded()] == []


def test_credit_leaves_the_table_through_a_settlement_with_a_slip_only() -> None:
    assert breaches("credit leaves the table through a settlement with a slip only") == []


def test_a_frozen_session_always_ends_in_the_journal() -> None:
    assert breaches("a frozen session always ends in the journal") == []
    assert breaches("a frozen session is never left open behind") == []
    assert breaches("nobody steps into an open payment") == []


def test_a_returned_note_is_never_credited() -> None:
    assert breaches("a returned note is never credited") == []


def test_no_note_is_credited_twice() -> None:
    assert breaches("no note is credited twice") == []
    assert breaches("no note is counted into the box twice") == []


def test_a_note_with_a_recorded_end_is_never_stacked_again() -> None:
    assert breaches("a note with a recorded end is never stacked again") == []


def test_no_note_is_disputed_after_its_end_is_known() -> None:
    assert breaches("no note is disputed after its end is known") == []


def test_the_intent_is_committed_before_the_stack_command() -> None:
    assert breaches("the intent is committed before the stack command") == []


def test_the_credit_is_committed_before_the_confirmation() -> None:
    assert breaches("the credit is committed before the confirmation") == []


def test_every_money_event_is_confirmed() -> None:
    assert breaches("every money event is confirmed") == []


def test_a_note_is_never_the_next_citizens_credit() -> None:
    assert breaches("a note is never the next citizen's credit") == []
    assert breaches("credit needs a frozen price") == []


def test_session_credit_comes_from_recorded_credits_alone() -> None:
    assert breaches("session credit comes from recorded credits alone") == []
    assert breaches("a credit posts its entry") == []


def test_a_scan_during_payment_changes_nothing() -> None:
    assert breaches("a scan during payment changes nothing") == []


def test_a_frozen_price_never_changes() -> None:
    assert breaches("a frozen price never changes") == []
    assert breaches("a frozen price belongs to a session") == []


def test_nothing_begins_out_of_service() -> None:
    assert breaches("no payment begins out of service") == []
    assert breaches("no session begins out of service") == []


def test_nobody_waits_for_a_strangers_note() -> None:
    assert breaches("no state waits for a note that is not this person's") == []


def test_a_slip_is_a_fact_before_it_is_printed() -> None:
    assert breaches("a slip is a fact before it is printed") == []


def test_a_slip_never_comes_out_in_the_next_persons_hand() -> None:
    assert breaches("a slip never comes out in the next person's hand") == []


def test_every_note_in_escrow_gets_a_decision() -> None:
    assert breaches("every note in escrow gets a decision") == []
    assert breaches("a note on its way to the box is not called back") == []


def test_no_rule_is_broken_that_has_no_test_here() -> None:
    assert {rule for each in searches() for rule in each.broken} == set()


def test_intents_without_a_row_are_refused() -> None:
    refused = {pair for each in searches() for pair in each.refused}
    assert (State.IDLE, intents.AgreeExcess) in refused
    assert (State.STACKING, intents.AcceptConditions) in refused
    assert (State.ACCEPTING, intents.Pay) in refused
    assert not refused & set(TRANSITIONS)


def test_every_money_event_of_a_device_has_a_row_in_every_state() -> None:
    for event in (d.NoteEscrowed, d.NoteStacked, d.NoteReturned, d.NoteDisputed, d.CommandRefused, d.PrintReady):
        assert [state for state in State if (state, event) not in TRANSITIONS] == []


# --- the search finds what is broken on purpose ---------------------------------------------------------------


def found(rule: str, **how: Any) -> bool:
    broken: bool = rule in search.Search(**{"limit": 4000, **how}).run().broken
    return broken


def test_the_search_finds_a_table_that_forgets_what_the_journal_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(money_rules, "known_outcome", lambda ctx, note: "")
    assert found("no note is counted into the box twice")


def test_the_search_finds_a_stack_command_before_its_intent(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = money_rules.stack

    def hasty(model: Checkout, ctx: Any, *before: Any) -> Any:
        after, effects = whole(model, ctx, *before)
        return after, effects[::-1]

    monkeypatch.setattr(money_rules, "stack", hasty)
    assert found("the intent is committed before the stack command")


def test_the_search_finds_a_confirmation_before_the_credit(monkeypatch: pytest.MonkeyPatch) -> None:
    _replace(monkeypatch, d.NoteStacked, lambda call: lambda *a: (lambda out: (out[0], out[1][::-1]))(call(*a)))
    assert found("the credit is committed before the confirmation")


def test_the_search_finds_credit_for_whoever_is_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkout, "own_flight", property(lambda model: model.flight if model.frozen else None))
    assert found("a note is never the next citizen's credit", notes=(1,), limit=8000)


def test_the_search_finds_a_state_that_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    periods = {state: period for state, period in steps.PERIOD_OF.items() if state is not State.STACKING}
    monkeypatch.setattr(steps, "PERIOD_OF", periods)
    assert found("no state waits without a deadline")


def test_the_search_finds_a_session_that_time_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    key = (State.TIMED_OUT, DeadlinePassed)
    again = Row(lambda m, e, c: (steps.to(m, State.TIMED_OUT, c), []), TRANSITIONS[key].to)
    monkeypatch.setitem(TRANSITIONS, key, again)
    assert search.Search(limit=4000).run().stranded() != []


def test_the_search_finds_a_settlement_without_a_slip(monkeypatch: pytest.MonkeyPatch) -> None:
    def bare(model: Checkout, event: Settle, ctx: Any) -> Any:
        return steps.close_unpaid(model, ctx, "lost")

    key = (State.SETTLING, Settle)
    monkeypatch.setitem(TRANSITIONS, key, Row(bare, TRANSITIONS[key].to))
    assert found("credit leaves the table through a settlement with a slip only")


def test_the_search_finds_a_slip_in_a_strangers_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(money_rules, "in_front", lambda *a, **k: True)
    assert found("a slip never comes out in the next person's hand", limit=8000)


def test_the_search_finds_a_scan_that_changes_the_cart(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(model: Checkout, event: d.Scanned, ctx: Any) -> Any:
        return msgspec.structs.replace(model, cart=(*model.cart, search.item("2"))), []

    key = (State.ACCEPTING, d.Scanned)
    monkeypatch.setitem(TRANSITIONS, key, Row(taken, TRANSITIONS[key].to))
    assert found("a scan during payment changes nothing")


def test_the_search_finds_a_session_that_begins_out_of_service(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = screen_rules.begin
    key = (State.THANKING, intents.Begin)

    def blind(model: Checkout, event: intents.Begin, ctx: Any) -> Any:
        after, effects = whole(msgspec.structs.replace(model, out_of_service=()), event, ctx)
        return msgspec.structs.replace(after, out_of_service=model.out_of_service), effects

    monkeypatch.setitem(TRANSITIONS, key, Row(blind, TRANSITIONS[key].to | {State.ENTERING}))
    assert found("no session begins out of service", notes=(1,), printing=True)


def _replace(monkeypatch: pytest.MonkeyPatch, event: type, wrap: Callable[[Any], Any]) -> None:
    for state in State:
        row = TRANSITIONS[state, event]
        monkeypatch.setitem(TRANSITIONS, (state, event), Row(wrap(row.call), row.to))


def test_a_print_ready_of_a_job_nobody_wants_is_answered() -> None:
    context = search.Search().context(search.World(Checkout(currency="USD")))
    _, effects = print_rules.ready(Checkout(currency="USD"), d.PrintReady(4, "slip-9-0"), context)
    assert [effect.job for effect in effects] == ["slip-9-0"]
