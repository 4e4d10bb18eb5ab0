"""What a hub commands: each command once, for ever, and nobody who is paying is sent away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.checkout import intents
from kiosk.core import bookkeeping, view
from kiosk.core.hub_orders import AT_REST, LONGEST_REASON, HubCommand
from kiosk.errors import ControlError, JournalFull
from kiosk.model import facts
from tests.core.kernel_rig import WATER, Rig

WORDS = "Water in the hall. City Hall, Main Street 1, takes payments until 6 pm."


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    whole.close()
    assert whole.findings() == []


def command(rig: Rig, name: str, command: str, argument: str = "", reason: str = "", **more: str) -> tuple[str, str]:
    page = rig.kernel.hub.take(HubCommand("city-hall", name, command, argument, reason, "o7", **more))
    return page.outcome, page.detail


def close(rig: Rig, name: str = "c1", words: str = WORDS) -> str:
    return command(rig, name, "shutter", "closed", words)[0]


def shown(rig: Rig) -> list[str]:
    say = rig.kernel.parts.slips.catalogue.say
    return [say(message, "en") for message in view.snapshot(rig.kernel, version=1, boot="b").messages]


def test_the_shutter_of_the_hub_falls_at_once_where_nobody_stands(rig: Rig) -> None:
    assert close(rig) == "done"
    assert (rig.state, shown(rig)) == ("out_of_service", [WORDS])
    rig.restart()
    assert (rig.state, shown(rig)) == ("out_of_service", [WORDS])
    assert command(rig, "c2", "shutter", "open") == ("done", "")
    assert rig.state == "idle"
    assert [(each.closed, each.by, each.reason) for each in rig.bodies(facts.ShutterChanged)] == [
        (True, "hub:city-hall", WORDS), (False, "hub:city-hall", ""),
    ]  # fmt: skip


def test_a_payment_is_settled_before_the_shutter_of_the_hub_falls(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    assert close(rig) == "waiting"
    assert rig.state == "accepting"
    assert rig.bodies(facts.ShutterChanged) == []
    rig.feed(2000)
    rig.tap(intents.Finish())
    assert rig.sums()["tender"] == 7000
    kinds = [type(body) for body in rig.bodies()]
    assert kinds.index(facts.Settled) < kinds.index(facts.ShutterChanged)
    assert rig.state == "receipting"
    rig.printed()
    rig.wait(30)
    assert (rig.state, shown(rig)) == ("out_of_service", [WORDS])
    assert command(rig, "c1", "shutter", "closed", WORDS)[0] == "done"


@pytest.mark.parametrize("money", [False, True])
def test_whoever_has_begun_goes_on_when_the_hub_closes_and_a_restart_forgets_neither(rig: Rig, money: bool) -> None:
    if money:
        rig.pay()
        rig.feed(2000)
    else:
        rig.tap(intents.EnterNumber(WATER))
    assert close(rig) == "waiting"
    assert rig.state == ("accepting" if money else "reviewing")
    rig.restart()
    if money:
        assert rig.state == "resuming"
        assert rig.bodies(facts.ShutterChanged) == []
        rig.tap(intents.Finish())
        rig.printed()
        rig.wait(30)
    assert (rig.state, shown(rig)) == ("out_of_service", [WORDS])
    assert [each.outcome for each in rig.bodies(facts.HubCommanded)] == ["waiting", "done"]


def test_the_end_of_a_session_without_money_lets_the_waiting_shutter_fall(rig: Rig) -> None:
    rig.tap(intents.EnterNumber(WATER))
    assert close(rig) == "waiting"
    rig.tap(intents.Cancel())
    assert rig.state == "out_of_service"


def test_in_every_state_at_rest_no_citizen_is_within_a_payment() -> None:
    assert {str(state) for state in AT_REST} == {
        "idle", "out_of_service", "receipting", "thanking", "signing_in", "attended", "exchanging", "testing",
    }  # fmt: skip


def test_a_command_is_carried_out_once_whatever_is_restarted(rig: Rig) -> None:
    assert close(rig) == "done"
    command(rig, "c2", "shutter", "open")
    for again in (False, True):
        if again:
            rig.restart()
        assert close(rig) == "done"
        assert rig.state == "idle"
    assert len(rig.bodies(facts.HubCommanded)) == 2


def test_a_command_that_the_books_forgot_is_found_in_the_journal(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bookkeeping, "COMMANDS_KEPT", 2)
    monkeypatch.setattr("kiosk.core.hub_orders.COMMANDS_KEPT", 2)
    assert close(rig) == "done"
    for name in ("c2", "c3", "c4"):
        command(rig, name, "shutter", "open")
    assert "c1" not in rig.kernel.books.hub_commands
    assert close(rig) == "done"
    assert rig.state == "idle"


def test_the_journal_is_looked_through_once_for_all_commands(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bookkeeping, "COMMANDS_KEPT", 2)
    monkeypatch.setattr("kiosk.core.hub_orders.COMMANDS_KEPT", 2)
    rows, looks = rig.kernel.parts.journal.rows, []
    monkeypatch.setattr(rig.kernel.parts.journal, "rows", lambda *place: looks.append(1) or rows(*place))
    for number in range(9):
        assert close(rig, f"c{number}") == "done"
        command(rig, f"o{number}", "shutter", "open")
    for number in range(9):
        assert close(rig, f"c{number}") == "done"  # answered, not carried out again
    assert rig.state == "idle"
    assert len(looks) == 1
    assert len(rig.bodies(facts.HubCommanded)) == 18


def test_a_second_order_overtakes_the_one_that_waits(rig: Rig) -> None:
    rig.pay()
    rig.feed(2000)
    assert close(rig) == "waiting"
    assert command(rig, "c2", "shutter", "open")[0] == "done"
    assert command(rig, "c1", "shutter", "closed", WORDS) == ("refused", "overtaken by c2")
    rig.tap(intents.Finish())
    rig.tap(intents.Finish())
    rig.printed()
    rig.wait(30)
    assert rig.state == "idle"


def test_the_operator_sees_who_closed_and_may_open(rig: Rig) -> None:
    close(rig)
    rig.sign_in("p03")
    operator = view.snapshot(rig.kernel, version=1, boot="b").operator
    assert operator is not None
    assert (operator.shutter_closed, operator.shutter_by) == (True, "hub:city-hall")
    rig.tap(intents.Shutter(False))
    rig.tap(intents.SignOut())
    assert rig.state == "idle"


def test_a_business_date_is_closed_only_when_it_is_over(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    rig.tap(intents.Finish())
    rig.printed()
    rig.wait(30)
    assert command(rig, "c1", "close", "2026-11-22") == ("refused", "2026-11-22 is not over")
    rig.time.mono += 86_400 * 1_000_000_000
    assert command(rig, "c2", "close", "2026-11-22") == ("done", "closed by Z 1")
    assert command(rig, "c3", "close", "2026-11-23")[0] == "refused"
    assert [each.cause for each in rig.bodies(facts.DayClosed)] == ["cut_off"]


@pytest.mark.parametrize(
    ("name", "argument", "reason", "detail"),
    [
        ("format", "", "", "one of resend, rotate, close, shutter"),
        ("shutter", "ajar", "", "shutter is closed or open"),
        ("shutter", "closed", "x" * (LONGEST_REASON + 1), "the reason is shown"),
        ("shutter", "closed", "two\nlines", "the reason is shown"),
        ("shutter", "closed", "turned \u202e round", "the reason is shown"),
        ("close", "yesterday", "", "close needs a business date"),
        ("resend", "1", "", "resend needs EPOCH/SEQ"),
        ("resend", "1/999999", "", "the journal ends at"),
        ("resend", "1/1" + " " * 60, "", "a field is too long"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason_and_a_fact(
    rig: Rig, name: str, argument: str, reason: str, detail: str
) -> None:
    told = command(rig, "c1", name, argument, reason)
    assert told[0] == "refused"
    assert told[1].startswith(detail)
    (fact,) = rig.bodies(facts.HubCommanded)
    assert fact.outcome == "refused"
    assert max(len(fact.reason), len(fact.argument)) <= LONGEST_REASON
    assert fact.reason.isprintable()
    assert rig.state == "idle"
    assert command(rig, "c1", name, argument, reason) == told
    assert len(rig.bodies(facts.HubCommanded)) == 1


@pytest.mark.parametrize(("hub", "name"), [("City Hall", "c1"), ("", "c1"), ("city-hall", ""), ("city-hall", "a b")])
def test_what_cannot_stand_in_a_fact_is_no_command(rig: Rig, hub: str, name: str) -> None:
    with pytest.raises(ControlError):
        rig.kernel.hub.take(HubCommand(hub, name, "rotate"))
    assert rig.bodies(facts.HubCommanded) == []


def test_resend_and_rotate_are_journalled_with_who_asked_and_the_hubs_signature(rig: Rig) -> None:
    assert command(rig, "c1", "resend", "1/2", signature="ab" * 64) == ("done", "")
    assert command(rig, "c2", "rotate") == ("done", "")
    one, two = rig.bodies(facts.HubCommanded)
    assert (one.by, one.hub, one.argument, one.signature) == ("o7", "city-hall", "1/2", "ab" * 64)
    assert (two.command, two.signature) == ("rotate", "")


def test_a_command_that_cannot_be_journalled_does_nothing_and_works_when_it_comes_again(rig: Rig) -> None:
    rig.journal.error = JournalFull("no space", hint="free some")
    with pytest.raises(JournalFull):
        close(rig)
    assert rig.state == "idle"
    rig.journal.error = None
    assert close(rig) == "done"
    assert rig.state == "out_of_service"
