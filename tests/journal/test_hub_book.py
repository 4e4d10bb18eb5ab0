"""A hub acts by its commands alone, in its own name, and each command comes to one end: both verifiers say so."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench.independent_verifier import examine
from kiosk.journal.files import build
from kiosk.model import facts
from kiosk.model.facts import AnyBody
from tests.journal.story import ELEVENTH, Step, Story, codes, inserted, rows_of, story

CLOSE = facts.HubCommanded("c-1", "shutter", "closed", "Water in the hall.", "o7", "city-hall", "done", "", "ab" * 64)
WAITS = msgspec.structs.replace(CLOSE, outcome="waiting")
CLOSED = facts.ShutterChanged(True, "hub:city-hall", "Water in the hall.")


def told(*commits: tuple[AnyBody, ...], actor: str = "hub:city-hall") -> Story:
    whole = story()
    for at, bodies in enumerate(commits):
        whole = inserted(whole, "looker", f"hub {at}", Step(bodies, ELEVENTH, actor, 3))
    return whole


@pytest.mark.parametrize(
    "commits",
    [
        ((CLOSED, CLOSE),),
        ((WAITS,), (CLOSED, CLOSE)),
        ((WAITS,), (msgspec.structs.replace(CLOSE, outcome="refused", detail="overtaken by c-2"),)),
        ((msgspec.structs.replace(CLOSE, command="resend", argument="1/3", reason=""),),),
    ],
)
def test_a_command_with_its_one_end_is_sound(commits: tuple[tuple[AnyBody, ...], ...], tmp_path: Path) -> None:
    assert codes(told(*commits)) == set()
    build(tmp_path / "j.db", rows_of(told(*commits)))
    assert examine(tmp_path / "j.db")["findings"] == []


@pytest.mark.parametrize(
    ("commits", "actor", "code"),
    [
        (((CLOSED,),), "hub:city-hall", "hub_unasked"),
        (((CLOSED, WAITS),), "hub:city-hall", "hub_unasked"),
        (((msgspec.structs.replace(CLOSED, closed=False), CLOSE),), "hub:city-hall", "hub_unasked"),
        (((facts.AlarmAcknowledged(("cashbox_removed",)),),), "hub:city-hall", "hub_unasked"),
        (((CLOSED, CLOSE), (CLOSE,)), "hub:city-hall", "command_twice"),
        (((WAITS,), (msgspec.structs.replace(CLOSE, reason="Other words."), CLOSED)), "hub:city-hall", "command_twice"),
        (((WAITS,), (WAITS,)), "hub:city-hall", "command_twice"),
        (((CLOSE,),), "hub:harbour", "actor_differs"),
        (((facts.PeopleAdopted(1, "d", ("p01",)),),), "admin:0", "actor_differs"),
    ],
)
def test_whatever_else_stands_in_a_hubs_name_is_found(
    commits: tuple[tuple[AnyBody, ...], ...], actor: str, code: str, tmp_path: Path
) -> None:
    wrong = told(*commits, actor=actor)
    assert codes(wrong) == {code}
    build(tmp_path / "j.db", rows_of(wrong))
    assert {each["invariant"] for each in examine(tmp_path / "j.db")["findings"]} == {35}
