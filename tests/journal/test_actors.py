"""Who acted: known, signed in, entitled, and two where two must be."""

from __future__ import annotations

import pytest

from kiosk.model import facts
from tests.journal.story import (
    COLLECTOR_ROLES,
    ELEVENTH,
    TENTH,
    Step,
    Story,
    change,
    codes,
    findings,
    inserted,
    paid,
    signed_in,
    story,
    up_to,
)


@pytest.mark.parametrize("actor", ["", "root", "operator:", "operator:a b", "admin:me", "Citizen", "device:A"])
def test_an_actor_of_no_known_shape_is_found(actor: str) -> None:
    assert codes(change(story(), "third", actor=actor)) - {"actor_absent"} == {"actor_unknown"}


@pytest.mark.parametrize("actor", ["kiosk", "citizen", "device:notes", "admin:1000"])
def test_every_shape_of_an_actor_is_known(actor: str) -> None:
    assert codes(change(story(), "third", actor=actor)) == set()


def test_nobody_acts_who_has_not_signed_in() -> None:
    told = story()
    del told["in"]
    assert codes(told) == {"actor_absent"}


def test_nobody_acts_after_signing_out_or_a_restart() -> None:
    act = Step((facts.OperatorActed("p01", "test_scan"),), actor="operator:p01")
    assert codes(inserted(story(), "midnight", "after", act)) == {"actor_absent"}
    started = Step((facts.Started(True),))
    assert codes(inserted(story(), "x", "restart", started)) == {"actor_absent"}


def test_a_person_acts_only_in_their_own_name() -> None:
    told = change(story(), "x", facts.OperatorActed, person="p02")
    assert codes(told) == {"actor_differs"}


@pytest.mark.parametrize(
    ("name", "role", "found_at"),
    [("in", "operate", "x"), ("collector", "collect", "exchanged"), ("closer", "close", "closed"),
     ("counter", "count", "counted"), ("looker", "operate", "seen"), ("authorised", "collect", "authorised")],
)  # fmt: skip
def test_an_act_needs_its_role(name: str, role: str, found_at: str) -> None:
    """Z needs close, an exchange collect of both people, a count count, everything else operate."""
    told = story()
    signed = next(body for body in told[name].bodies if isinstance(body, facts.OperatorSignedIn))
    roles = tuple(each for each in signed.roles if each != role)
    told = change(told, name, facts.OperatorSignedIn, roles=roles)
    assert codes(told) == {"actor_unentitled"}
    assert codes(up_to(told, found_at)) == {"actor_unentitled"}
    if role != "operate":
        assert codes(change(told, name, facts.OperatorSignedIn, roles=(*roles, "admin"))) == {"actor_unentitled"}


def test_a_look_at_what_is_sealed_needs_an_auditor() -> None:
    look = facts.OperatorActed("p05", "saw_expected", "expected")
    step = Step((signed_in("p05", ("audit",), "control"), look), TENTH, "operator:p05", 2)
    assert codes(inserted(story(), "closer", "look", step)) == set()
    step = Step((signed_in("p05", ("operate",), "control"), look), TENTH, "operator:p05", 2)
    assert codes(inserted(story(), "closer", "look", step)) == {"actor_unentitled"}


def test_an_administrator_may_do_what_an_operator_may() -> None:
    assert codes(change(story(), "in", facts.OperatorSignedIn, roles=("admin",))) == set()


def test_the_second_person_signs_and_is_another() -> None:
    told = change(story(), "authorised", facts.OperatorSignedIn, person="p01")
    assert codes(told) == {"same_person", "actor_absent"}
    silent = change(story(), "authorised", bodies=story()["authorised"].bodies[1:])
    assert codes(silent) == {"actor_absent"}


def test_a_second_signature_of_a_count_is_given_by_somebody_who_signed_in() -> None:
    told = change(story(), "compared", bodies=story()["compared"].bodies[1:])
    assert codes(told) == {"actor_absent"}


def test_a_sign_in_for_the_count_does_not_hold_for_ever() -> None:
    assert codes(change(story(), "counted", after_s=899)) == set()
    assert codes(change(story(), "counted", after_s=901)) == {"actor_absent"}


def test_a_closing_by_an_operator_has_one() -> None:
    assert codes(change(story(), "closed", actor="kiosk")) == {"actor_absent"}


# --- the commissioning act -----------------------------------------------------------------------------------


def uncommissioned() -> Story:
    return change(story(), "start", bodies=(facts.Started(False),))


def test_a_live_journal_takes_no_money_before_it_is_commissioned() -> None:
    assert {(one.code, one.severity) for one in findings(uncommissioned())} == {("not_commissioned", "error")}
    assert codes(uncommissioned(), realm="training") == set()
    assert codes(uncommissioned(), realm="demo") == set()


def test_a_live_journal_of_before_the_rule_is_only_warned_about() -> None:
    old = {"start": Step((facts.Started(False),)), "first": Step(paid(1, 1, 0))}
    assert [(one.code, one.severity) for one in findings(old)] == [("not_commissioned", "warning")]
    later: Story = {**old, "updated": Step((facts.Started(False), facts.Commissioned("admin:0", "pack 1")))}
    later["in"] = Step((signed_in("p01", COLLECTOR_ROLES),), ELEVENTH, "operator:p01")
    assert [(one.code, one.severity) for one in findings(later)] == [("not_commissioned", "warning")]


def test_a_commissioning_by_an_operator_needs_an_administrator() -> None:
    told = up_to(story(), "start")
    act = facts.Commissioned("operator:p09", "example-city 2026.1")
    told = {"start": Step((facts.Started(False), signed_in("p09", ("operate",)), act), TENTH, "operator:p09")}
    assert codes(told) == {"actor_unentitled"}


def test_whoever_signs_out_elsewhere_leaves_the_menu_open() -> None:
    out = Step(
        (signed_in("p05", ("admin",), "control"), facts.OperatorSignedOut("p05", "person")), actor="operator:p05"
    )
    assert codes(inserted(story(), "x", "elsewhere", out)) == set()
