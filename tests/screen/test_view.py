"""Every state of the checkout has a screen; no allowed intent is hidden without another button that does the same."""

from __future__ import annotations

import pytest

from kiosk.checkout.intents import Intent
from kiosk.checkout.states import State
from kiosk.checkout.table import TRANSITIONS
from kiosk.model.texts import text
from kiosk.screen.view import ELSEWHERE, MOVING, ROWS, SAME_AS, SCREENS, View, remaining_ms, slip_state
from kiosk.texts import Catalogue
from tests.screen.pictures import PICTURES, PLAIN, FakeDesk


def allowed_in(state: State) -> tuple[str, ...]:
    """The tags of the intents that the checkout table takes in a state."""
    events = [event for here, event in TRANSITIONS if here is state and issubclass(event, Intent)]
    return tuple(sorted(str(event.__struct_config__.tag) for event in events))


def view_of(catalogue: Catalogue, screen: str, **changes: object) -> View:
    desk = FakeDesk()
    return View(desk.show(PLAIN, screen=screen, **changes), catalogue, now_ns=0)


def test_every_state_of_the_checkout_has_a_screen() -> None:
    assert {str(state) for state in State} == set(SCREENS)


@pytest.mark.parametrize("state", list(State), ids=str)
def test_every_allowed_intent_is_drawn_or_done_by_another_button(state: State, catalogue: Catalogue) -> None:
    allowed = allowed_in(state)
    drawn = {action.intent for action in view_of(catalogue, str(state), allowed=allowed).actions}
    if str(state) in MOVING:
        assert drawn == set()
        return
    for intent in set(allowed) - ELSEWHERE - drawn:
        substitute = SAME_AS[(str(state), intent)]
        assert substitute in drawn or SAME_AS.get((str(state), substitute)) in drawn


@pytest.mark.parametrize("state", list(State), ids=str)
def test_the_way_on_is_the_last_button_and_the_only_one_that_stands_out(state: State, catalogue: Catalogue) -> None:
    actions = view_of(catalogue, str(state), allowed=allowed_in(state)).actions
    assert [action.look for action in actions[:-1]] == ["plain"] * len(actions[:-1])
    way_on, look = ROWS.get(str(state), (("", ""),))[-1]
    if way_on in {action.intent for action in actions}:
        assert (actions[-1].intent, actions[-1].look) == (way_on, look)


def test_an_intent_of_a_later_version_is_drawn_all_the_same(catalogue: Catalogue) -> None:
    view = view_of(catalogue, "settling", allowed=("language", "finish"))
    assert [action.intent for action in view.actions] == ["finish"]


def test_with_credit_the_button_that_asks_first_is_the_one_that_is_drawn(catalogue: Catalogue) -> None:
    allowed = ("cancel", "finish")
    view = view_of(catalogue, "accepting", allowed=allowed, inserted=PICTURES["accepting"].inserted)
    assert [(action.intent, action.label) for action in view.actions] == [("cancel", "Stop")]
    before = view_of(catalogue, "accepting", allowed=allowed)
    assert [(action.intent, action.label) for action in before.actions] == [("cancel", "Cancel")]


def test_the_announcement_tells_messages_too(catalogue: Catalogue) -> None:
    told = view_of(catalogue, "accepting", messages=(text("message.jam"),)).announcement
    assert told.endswith("Please do not pull it. What you inserted is counted.")


def test_time_runs_from_the_publication() -> None:
    desk = FakeDesk()
    shot = desk.show(PLAIN, ends_in_ms=1000)
    assert remaining_ms(shot, shot.published_ns) == 1000
    assert remaining_ms(shot, shot.published_ns + 400_000_000) == 600
    assert remaining_ms(shot, shot.published_ns - 5) == 1000
    assert remaining_ms(desk.show(PLAIN), 1) is None


def test_only_a_known_state_of_a_slip_is_believed() -> None:
    assert slip_state("printed") == "printed"
    assert slip_state("PRINTED") == slip_state("") == "unknown"
