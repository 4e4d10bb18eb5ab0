"""The proof holds, its page is the one in the docs, and it finds what is broken on purpose."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.checkout import (
    exchange_rules,
    intents,
    money_rules,
    print_rules,
    proof_rules,
    screen_rules,
    settlement_rules,
    steps,
)  # fmt: skip
from kiosk.checkout.effects import Record
from kiosk.checkout.events import ChangeResumed, DeadlinePassed, Settle
from kiosk.checkout.model import Checkout, Context, PayoutPage
from kiosk.checkout.proof import Proof, page
from kiosk.checkout.proof_events import SCOPES, Scope
from kiosk.checkout.proof_search import Search, restarted
from kiosk.checkout.proof_world import (
    ACCEPTOR,
    FIRST_SEQ,
    OTHER,
    OVER,
    VALUES,
    WITNESS,
    WITNESS_VALUE,
    World,
    context,
    pages_of,
)
from kiosk.checkout.settings import PERIOD_OF
from kiosk.checkout.states import WITHOUT_DEADLINE, State
from kiosk.checkout.table import TRANSITIONS, Row
from kiosk.core import recovery
from kiosk.core.books import Books
from kiosk.core.pages import DeferredPage, OpenSession
from kiosk.model import device_events as d
from kiosk.model import facts

DOC = Path(__file__).parents[2] / "docs" / "proof.md"
MONEY, LIES, PAPER, STAFF, CHANGE = SCOPES
#: Small enough to be searched whole for each rule that is broken on purpose.
SMALL = Scope("small", "one invoice of 10, notes of 5 and 20", ("10 whole",), (VALUES[0], VALUES[2]))


@cache
def proof() -> Proof:
    return Proof().run()


def test_every_rule_holds_in_every_state_that_can_be_reached() -> None:
    assert proof().broken == {}


def test_the_page_in_the_docs_is_this_proofs() -> None:
    assert DOC.read_text(encoding="utf-8") == page(proof()), "run: python -m kiosk.checkout.proof > docs/proof.md"


def test_the_search_ends_by_itself_in_every_scope() -> None:
    assert all(search.whole for search in proof().searches)


def test_every_state_is_met_and_every_row_of_the_table_is_taken() -> None:
    assert {world.model.state for search in proof().searches for world in search.worlds} == set(State)
    assert set(TRANSITIONS) - proof().rows == set()


def test_every_state_with_credit_has_both_ways_out() -> None:
    assert set(proof().citizens) == set(proof().times)
    assert {State.ACCEPTING, State.STACKING, State.RETURNING, State.STOPPING, State.RESUMING} <= set(proof().times)
    for state, ways in proof().citizens.items():
        assert len(ways) == len(proof().times[state])


def test_credit_and_held_money_are_met_in_all_their_forms() -> None:
    money = [world.model for world in proof().searches[0].worlds if world.model.frozen]
    assert {tuple(note.minor for note in model.credited) for model in money if model.due_minor == 1500} >= {
        (), (500,), (1000,), (500, 500),
    }  # fmt: skip
    assert {model.held_minor for model in money} == {0, 500, 1000}
    assert any(model.settles and not model.credited for model in money), "held money alone pays"


def test_states_without_a_deadline_say_why_and_all_others_have_a_period() -> None:
    for state in State:
        assert (state in WITHOUT_DEADLINE) != (state in PERIOD_OF)


def test_everything_that_a_rule_may_be_lent_is_lent() -> None:
    """What the kernel lends and the proof does not is not proven."""
    plain = World(Checkout(currency="USD"))
    lent = [
        context(plain), context(msgspec.structs.replace(plain, box_present=False, exchange="open", witness="disputed")),
    ]  # fmt: skip
    defaults = dict(zip(Context.__struct_fields__[::-1], Context.__struct_defaults__[::-1], strict=False))
    never = [name for name, value in defaults.items() if all(getattr(each, name) == value for each in lent)]
    assert never == []


# --- the power cut of the proof is the core's own -------------------------------------------------------------------


def books_of(world: World) -> Books:
    """Write down what the journal would hold of a world."""
    books, m = Books(), world.model
    if m.frozen:
        quotes = tuple(item.quote for item in m.cart)
        held = tuple(facts.Held(i.quote.service, i.quote.number, i.held_minor) for i in m.cart if i.held_minor)
        books.open_session = OpenSession("now", quotes, m.due_minor, "en", credited=list(m.credited), held=held)
    for note, outcome in ((WITNESS, world.witness), (OTHER, world.other)):
        if outcome not in ("", "seen"):
            moving = m.flight is not None and m.flight.note == note
            value = m.flight.value if m.flight is not None and moving else WITNESS_VALUE
            came = m.flight.session if m.flight is not None and moving else world.owner
            books.take_note(note, value, outcome, came)
    books.payouts = {name: page for name, page in pages_of(world).items() if name != OVER}
    if m.dispensing is not None:
        books.epoch = 1
        books.deferred = DeferredPage("now", m.dispensing.draft, 0)
        for each in m.dispensing.payouts:
            if each.device not in books.payouts:
                books.payouts[each.device] = PayoutPage(
                    each.payout, each.device, each.value, each.coins, 1, FIRST_SEQ, "ended", paid=each.paid
                )
    return books


def test_a_power_cut_in_the_proof_does_what_the_core_does() -> None:
    """`restarted` is a model of `core.recovery`: in every world of two scopes both find the same."""
    compared = 0
    for search in proof().searches[:2]:
        for world in search.worlds:
            if world.witness in ("intended", "returning") and world.other in ("intended", "returning"):
                continue  # which of two notes was the last is not told by a world; the proof tries both
            start = recovery.begin(books_of(world), context(world), "USD", (ACCEPTOR,), 0)
            raised = [effect.event for effect in start.effects if hasattr(effect, "event")]
            (found,) = restarted(world)
            told, model = start.model, found.model
            assert (told.state, told.frozen, told.session, told.due_minor) == (
                model.state, model.frozen, model.session, model.due_minor,
            )  # fmt: skip
            assert (told.credited, told.held_minor, told.asked_minor) == (
                model.credited, model.held_minor, model.asked_minor,
            )  # fmt: skip
            assert (told.flight is None) == (model.flight is None)
            if told.flight is not None and model.flight is not None:
                assert (told.flight.note, told.flight.phase, told.own_flight is None) == (
                    model.flight.note, model.flight.phase, model.own_flight is None,
                )  # fmt: skip
            assert (told.deadline_ns is None) == (model.deadline_ns is None)
            assert raised == ([Settle("recovery")] if model.state is State.SETTLING else [])
            compared += 1
    assert compared > 5000


def test_a_power_cut_while_change_is_paid_is_in_the_proof_what_it_is_in_the_core() -> None:
    compared = 0
    for world in proof().searches[-1].worlds:
        if world.model.dispensing is None or world.other in ("intended", "returning"):
            continue
        start = recovery.begin(books_of(world), context(world), "USD", (ACCEPTOR,), 0)
        found, late = restarted(world)
        told, model = start.model, found.model
        assert (told.state, told.session, told.dispensing is None) == (model.state, model.session, False)
        assert told.dispensing is not None
        assert model.dispensing is not None
        assert [effect.event for effect in start.effects if hasattr(effect, "event")] == [ChangeResumed()]
        assert told.dispensing.draft == model.dispensing.draft
        assert {(each.device, each.phase, each.paid) for each in told.dispensing.payouts} == {
            (each.device, each.phase, each.paid) for each in model.dispensing.payouts
        }
        assert told.dispensing.printed
        assert late.model.dispensing is not None
        assert not late.model.dispensing.printed
        compared += 1
    assert compared > 1000


# --- the proof finds what is broken on purpose ----------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _table_as_written() -> Iterator[None]:
    """Put the table back row by row in its order: a row that was taken out would come back as the last one."""
    before = dict(TRANSITIONS)
    yield
    TRANSITIONS.clear()
    TRANSITIONS.update(before)


def broken(*scopes: Any, limit: int = 1500) -> set[str]:
    return set(Proof(scopes or (LIES,), limit=limit).run().broken)


def replaced(monkeypatch: pytest.MonkeyPatch, state: State, event: type, call: Any) -> None:
    row = TRANSITIONS[state, event]
    monkeypatch.setitem(TRANSITIONS, (state, event), Row(call, row.to | set(State)))


def everywhere(monkeypatch: pytest.MonkeyPatch, event: type, wrap: Callable[[Any], Any]) -> None:
    for state in State:
        replaced(monkeypatch, state, event, wrap(TRANSITIONS[state, event].call))


def test_it_finds_a_table_that_forgets_what_the_journal_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(money_rules, "known_outcome", lambda ctx, note: "")
    assert proof_rules.BOX_TWICE in broken()


def test_it_finds_credit_for_a_note_that_went_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def stubborn(call: Any) -> Any:
        def returned(model: Checkout, event: Any, ctx: Any) -> Any:
            after, effects = call(model, event, ctx)
            return msgspec.structs.replace(after, flight=model.flight) if after.frozen else after, effects

        return returned

    monkeypatch.setattr(money_rules, "known_outcome", lambda ctx, note: "")
    everywhere(monkeypatch, d.NoteReturned, stubborn)
    assert proof_rules.BACK in broken()


def test_it_finds_a_note_that_is_credited_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def again(call: Any) -> Any:
        def stacked(model: Checkout, event: Any, ctx: Any) -> Any:
            after, effects = call(model, event, ctx)
            return msgspec.structs.replace(after, flight=model.flight) if after.frozen else after, effects

        return stacked

    monkeypatch.setattr(money_rules, "known_outcome", lambda ctx, note: "")
    everywhere(monkeypatch, d.NoteStacked, again)
    assert proof_rules.TWICE in broken()


def test_it_finds_credit_for_whoever_is_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkout, "own_flight", property(lambda model: model.flight if model.frozen else None))
    assert proof_rules.OWN in broken(limit=4000)


def test_it_finds_a_settlement_without_a_slip(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = steps.with_slip

    def bare(model: Checkout, ctx: Any, body: Any, *, before: Any, session: str, printed: bool = True) -> Any:
        after, effects = whole(model, ctx, body, before=before, session=session, printed=printed)
        return after, [msgspec.structs.replace(effects[0], bodies=before), *effects[1:]]

    monkeypatch.setattr(settlement_rules, "with_slip", bare)
    found = broken(SMALL)
    assert {proof_rules.SLIP, proof_rules.LEAVES, proof_rules.ABOUT, proof_rules.BY_TIME} <= found


def test_it_finds_credit_that_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(monkeypatch, State.SETTLING, Settle, lambda m, e, c: steps.close_unpaid(m, c, "lost"))
    assert proof_rules.LEAVES in broken(SMALL)


def test_it_finds_money_that_does_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = settlement_rules.tender_of
    monkeypatch.setattr(settlement_rules, "tender_of", lambda model: whole(model) + whole(model))
    assert proof_rules.SUMS in broken(SMALL)


def test_it_finds_a_stack_command_before_its_intent(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = money_rules.stack

    def hasty(model: Checkout, ctx: Any, *before: Any) -> Any:
        after, effects = whole(model, ctx, *before)
        return after, effects[::-1]

    monkeypatch.setattr(money_rules, "stack", hasty)
    assert proof_rules.INTENT in broken()


def test_it_finds_a_confirmation_before_the_credit(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere(monkeypatch, d.NoteStacked, lambda call: lambda *a: (lambda out: (out[0], out[1][::-1]))(call(*a)))
    assert proof_rules.CONFIRM in broken()


def test_it_finds_a_state_that_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    periods = {state: period for state, period in PERIOD_OF.items() if state is not State.STACKING}
    monkeypatch.setattr(steps, "PERIOD_OF", periods)
    assert {proof_rules.WAITS, proof_rules.BY_TIME} <= broken(SMALL)


def test_it_finds_a_payment_that_time_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(monkeypatch, State.TIMED_OUT, DeadlinePassed, lambda m, e, c: (steps.to(m, State.TIMED_OUT, c), []))
    assert {proof_rules.BY_TIME, proof_rules.REST} <= broken(SMALL)


def test_it_finds_a_citizen_without_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for state in State:
        for event in (intents.Finish, intents.Cancel):
            monkeypatch.delitem(TRANSITIONS, (state, event), raising=False)
    assert broken(SMALL) == {proof_rules.BY_CITIZEN}


def test_it_finds_a_way_out_that_hangs_on_the_note_coming_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop that is forgotten while a note moves leaves a way out only where that note ends well."""
    monkeypatch.delitem(TRANSITIONS, (State.STACKING, DeadlinePassed))
    assert {proof_rules.BY_TIME, proof_rules.MOTION} <= broken(SMALL)


def test_it_finds_a_slip_in_a_strangers_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(money_rules, "in_front", lambda *a, **k: True)
    assert proof_rules.HAND in broken(limit=4000)


def test_it_finds_two_slips_of_one_number(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = steps.issued
    monkeypatch.setattr(exchange_rules, "issued", lambda *a, **k: whole(*a, **{**k, "place": 0}))
    assert broken(STAFF) == {proof_rules.GAPS}


def test_it_finds_a_box_session_that_ends_without_a_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    def quiet(model: Checkout, event: Any, ctx: Any) -> Any:
        body = facts.CashboxChanged(ctx.device, True, 3, "none")
        return model, [Record((body,), "", "device")] if ctx.box_present else []

    everywhere(monkeypatch, d.CashboxRemoved, lambda call: quiet)
    assert broken(STAFF) == {proof_rules.BOX}


def test_it_finds_a_scan_that_changes_the_cart(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(monkeypatch, State.ACCEPTING, d.Scanned, lambda m, e, c: (steps.change(m, cart=(*m.cart, *m.cart)), []))
    assert proof_rules.PRICE in broken(SMALL)


def test_it_finds_a_session_that_begins_out_of_service(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = screen_rules.begin

    def blind(model: Checkout, event: intents.Begin, ctx: Any) -> Any:
        after, effects = whole(msgspec.structs.replace(model, out_of_service=()), event, ctx)
        return msgspec.structs.replace(after, out_of_service=model.out_of_service), effects

    replaced(monkeypatch, State.THANKING, intents.Begin, blind)
    replaced(monkeypatch, State.OUT_OF_SERVICE, d.CashboxRemoved, blind)
    assert proof_rules.CLOSED in broken(STAFF)


def test_it_finds_an_operator_on_an_open_payment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        TRANSITIONS, (State.ACCEPTING, intents.CallOperator),
        Row(lambda m, e, c: (steps.to(m, State.SIGNING_IN, c), []), frozenset(State)),
    )  # fmt: skip
    assert proof_rules.STAFF in broken(STAFF)


def test_it_finds_a_rule_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(model: Checkout, event: Any, ctx: Any) -> Any:
        raise ZeroDivisionError

    replaced(monkeypatch, State.REVIEWING, intents.Pay, faulty)
    found = Search(MONEY, limit=200).run().broken
    assert "start > " in found[proof_rules.NO_ERROR][0], "with the way to it"


def test_a_print_ready_of_a_job_nobody_wants_is_answered() -> None:
    world = World(Checkout(currency="USD"))
    _, effects = print_rules.ready(world.model, d.PrintReady(4, "slip-9-0"), context(world))
    assert [effect.job for effect in effects if hasattr(effect, "job")] == ["slip-9-0"]


def test_the_worlds_date_is_no_date_of_today() -> None:
    assert context(World(Checkout(currency="USD"))).today == dt.date(2026, 11, 22)


def test_every_money_event_of_a_device_has_a_row_in_every_state() -> None:
    for event in (d.NoteEscrowed, d.NoteStacked, d.NoteReturned, d.NoteDisputed, d.CommandRefused, d.PrintReady):
        assert [state for state in State if (state, event) not in TRANSITIONS] == []
