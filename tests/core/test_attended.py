"""The operator's menu: who is let in, and that every act is a fact with its actor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.checkout import intents
from kiosk.core import view
from kiosk.core.inbox import IntentPosted
from kiosk.core.people import People, Person, hash_of
from kiosk.model import commands as c
from kiosk.model import device_events as d
from kiosk.model import facts
from tests.core.kernel_rig import NS, PINS, WATER, Rig, usd


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    whole.close()
    assert whole.findings() == []


def shown(rig: Rig) -> list[str]:
    return [message.id for message in rig.model.messages]


def test_a_person_with_a_role_is_let_in_and_leaves_with_facts_of_both(rig: Rig) -> None:
    rig.sign_in("p01")
    assert rig.state == "attended"
    rig.tap(intents.SignOut())
    assert rig.state == "idle"
    (came,), (went,) = rig.bodies(facts.OperatorSignedIn), rig.bodies(facts.OperatorSignedOut)
    assert (came.person, came.purpose, went.person, went.reason) == ("p01", "menu", "p01", "person")


@pytest.mark.parametrize(
    ("person", "pin", "reason", "words"),
    [
        ("p01", "0000", "pin", "operator.wrong"),
        ("nobody", "2580", "unknown", "operator.wrong"),
        ("p09; DROP", "", "unknown", "operator.wrong"),
    ],
)
def test_a_wrong_id_and_a_wrong_pin_get_the_same_words_and_are_recorded(
    rig: Rig, person: str, pin: str, reason: str, words: str
) -> None:
    rig.sign_in(person, pin)
    assert (rig.state, shown(rig)) == ("signing_in", [words])
    (refused,) = rig.bodies(facts.OperatorRefused)
    assert refused.reason == reason
    assert refused.person == ("p01" if reason == "pin" else "")


def test_no_fact_and_no_picture_ever_holds_a_pin(rig: Rig) -> None:
    rig.sign_in("p01", "97531864")
    rig.tap(intents.EnterPin("p01", PINS["p01"]))
    told = b"".join(msgspec.json.encode(committed) for committed in rig.committed)
    told += msgspec.json.encode(view.snapshot(rig.kernel, version=1, boot="b"))
    assert b"97531864" not in told
    assert f'"{PINS["p01"]}"'.encode() not in told


def test_five_wrong_pins_lock_a_person_out_and_a_restart_forgives_nothing(rig: Rig) -> None:
    for _ in range(5):
        rig.sign_in("p01", "0000")
        rig.tap(intents.Cancel())
    rig.restart()
    rig.sign_in("p01")
    assert (rig.state, shown(rig)) == ("signing_in", ["operator.locked"])
    rig.tap(intents.Cancel())
    rig.wait(15 * 60 + 1)
    rig.sign_in("p01")
    assert rig.state == "attended"
    assert len(rig.bodies(facts.OperatorRefused)) == 5  # attempts at the lock say nothing new


def test_an_intent_of_another_role_is_not_offered_and_does_nothing(rig: Rig) -> None:
    rig.sign_in("p03")
    allowed = view.snapshot(rig.kernel, version=1, boot="b").allowed
    assert "report_x" in allowed
    assert not {"close_day", "begin_exchange", "change_realm"} & set(allowed)
    before = len(rig.committed)
    for intent in (intents.CloseDay(), intents.BeginExchange(), intents.ChangeRealm("live")):
        rig.tap(intent)
        assert (rig.state, shown(rig)) == ("attended", ["operator.no_role"])
    assert len(rig.committed) == before


def test_a_citizen_who_is_paying_cannot_be_interrupted_by_the_gesture(rig: Rig) -> None:
    rig.pay()
    rig.tap(intents.CallOperator())
    assert rig.state == "accepting"


def test_the_menu_ends_by_time_alone(rig: Rig) -> None:
    rig.sign_in("p01")
    rig.wait(121)
    assert rig.state == "idle"
    assert rig.bodies(facts.OperatorSignedOut)[-1].reason == "timeout"


def test_an_x_report_changes_no_sum(rig: Rig) -> None:
    """Invariant 24 of the domain sheet: the state hash is equal before and after."""
    rig.pay()
    rig.feed(5000)
    rig.tap(intents.Finish())
    rig.printed()
    rig.wait(20)
    before = rig.kernel.books.money_digest()
    rig.sign_in("p01")
    rig.tap(intents.ReportX())
    assert rig.kernel.books.money_digest() == before
    slip = rig.bodies(facts.ReceiptIssued)[-1]
    assert (slip.slip, slip.of_kind, slip.totals, slip.lines) == ("x", 1, (), ())
    rig.restart()
    assert rig.kernel.books.money_digest() == before


def test_the_digest_of_money_moves_with_every_note(rig: Rig) -> None:
    before = rig.kernel.books.money_digest()
    rig.pay()
    rig.feed(1000)
    assert rig.kernel.books.money_digest() != before


def test_the_shutter_closes_the_counter_and_stays_so_over_a_restart(rig: Rig) -> None:
    rig.sign_in("p03")
    rig.tap(intents.Shutter(True))
    rig.tap(intents.SignOut())
    assert rig.state == "out_of_service"
    rig.restart()
    assert rig.state == "out_of_service"
    rig.sign_in("p03")
    rig.tap(intents.Shutter(False))
    rig.tap(intents.SignOut())
    assert rig.state == "idle"
    assert [(body.closed, body.by) for body in rig.bodies(facts.ShutterChanged)] == [
        (True, "operator:p03"), (False, "operator:p03"),
    ]  # fmt: skip


def test_a_test_note_is_always_given_back_and_never_booked(rig: Rig) -> None:
    rig.sign_in("p01")
    rig.tap(intents.TestNote())
    assert rig.kernel.accepting
    note = rig.escrow(1000)
    assert rig.bodies(facts.ReturnIntended)[-1].note.serial == note.serial
    rig.news("notes", d.NoteReturned(note, "host"))
    assert shown(rig) == ["operator.note_back"]
    rig.tap(intents.Back())
    assert rig.state == "attended"
    assert rig.kernel.accepting == ()
    assert rig.kernel.books.balances == {}


def test_a_test_note_that_is_stacked_all_the_same_is_kept_in_suspense(rig: Rig) -> None:
    rig.sign_in("p01")
    rig.tap(intents.TestNote())
    rig.stacked(rig.escrow(1000))
    (kept,) = rig.bodies(facts.NoteSuspended)
    assert kept.value == usd(1000)


def test_a_test_scan_tells_how_it_was_read_and_keeps_nothing_of_it(rig: Rig) -> None:
    rig.sign_in("p01")
    rig.tap(intents.TestScan())
    before = len(rig.committed)
    rig.news("paper", d.Scanned("secret-label-4711", "code128"))
    assert shown(rig) == ["operator.scan_read"]
    assert b"secret" not in msgspec.json.encode(view.snapshot(rig.kernel, version=1, boot="b"))
    assert len(rig.committed) == before


def test_a_copy_is_counted_and_a_slip_that_does_not_exist_is_refused(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    rig.tap(intents.Finish())
    rig.printed()
    rig.wait(20)
    rig.sign_in("p03")
    rig.tap(intents.ReprintSlip(1))
    rig.tap(intents.ReprintSlip(99))
    assert shown(rig) == ["operator.no_slip"]
    acts = [(body.act, body.detail) for body in rig.bodies(facts.OperatorActed)]
    assert acts == [("reprint", "1 copy 1")]


def test_alarms_stand_until_a_person_acknowledges_them(rig: Rig) -> None:
    rig.news("notes", d.CashboxRemoved())
    rig.news("notes", d.CashboxInserted())
    told = view.health(rig.kernel, lines=[], plugins=(), started="")
    assert "alarm.cashbox_removed" in told.reasons
    rig.restart()
    rig.sign_in("p03")
    rig.tap(intents.AcknowledgeAlarms())
    assert rig.kernel.books.alarms == ()
    assert [committed.fact.stamp.actor for committed in rig.committed][-1] == "operator:p03"


def test_a_device_is_released_in_somebodys_name(rig: Rig) -> None:
    rig.sign_in("p03")
    rig.tap(intents.Release("paper"))
    assert rig.released == ["paper"]
    assert rig.bodies(facts.OperatorActed)[-1].detail == "paper"


def test_a_demonstration_never_becomes_live(rig: Rig) -> None:
    rig.sign_in("p01")
    rig.tap(intents.ChangeRealm("live"))
    assert (rig.state, rig.realms) == ("attended", [])
    assert rig.bodies(facts.OperatorActed) == []


def test_a_kiosk_goes_over_to_another_realm_in_somebodys_name_and_signs_them_out(rig: Rig) -> None:
    rig.kernel.parts.realms = ("training",)
    rig.sign_in("p01")
    rig.tap(intents.ChangeRealm("training"))
    assert (rig.state, rig.realms) == ("idle", ["training"])
    assert [(body.act, body.detail) for body in rig.bodies(facts.OperatorActed)] == [("realm", "training")]
    assert rig.bodies(facts.OperatorSignedOut)[-1].reason == "realm"


def test_the_picture_of_the_menu_holds_no_sum(rig: Rig) -> None:
    """Counts are blind: 3 notes of 20 would show as 6000, 60.00 or a count of 3."""
    rig.pay()
    for _ in range(4):
        rig.feed(2000)
    rig.tap(intents.Finish())
    rig.printed()
    rig.wait(20)
    rig.sign_in("p01")
    told = msgspec.json.encode(view.snapshot(rig.kernel, version=1, boot="b").operator).decode()
    assert "8000" not in told
    assert "2000" not in told
    assert WATER not in told
    assert rig.time.mono > NS


def test_a_double_tap_of_somebody_who_works_here_acts_once(rig: Rig) -> None:
    rig.sign_in()
    at = (rig.model.session, rig.model.step)
    twice = [rig.kernel.handle_intent(IntentPosted(intents.ReportX(), *at)) for _ in range(2)]
    assert twice == [True, False]
    assert len(rig.bodies(facts.ReceiptIssued)) == 1
    rig.tap(intents.SignOut())
    rig.tap(intents.CallOperator())
    at = (rig.model.session, rig.model.step)
    twice = [rig.kernel.handle_intent(IntentPosted(intents.EnterPin("p02", "0001"), *at)) for _ in range(2)]
    assert twice == [True, False]
    assert rig.kernel.books.pin_failures["p02"].count == 1


def test_a_copy_that_was_dropped_can_be_asked_for_again_and_makes_no_printed_slip_owed(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    rig.tap(intents.Finish())
    rig.printed()
    rig.wait(20)
    rig.sign_in()
    rig.tap(intents.ReprintSlip(1))
    rig.news("paper", d.CommandRefused("print", "no paper", job="slip-1-1"))
    assert rig.kernel.books.slips_open() == []
    rig.tap(intents.ReprintSlip(1))
    assert [command.job for command in rig.sent(c.Print)] == ["slip-1-0", "slip-1-1", "slip-1-1"]
    assert [job.state for job in rig.model.jobs if job.job == "slip-1-1"] == ["queued"]
    rig.token += 1
    rig.news("paper", d.PrintReady(rig.token, "slip-1-1"))
    rig.restart()
    assert rig.bodies(facts.PrintEnded)[-1].outcome == "unknown"
    assert rig.kernel.books.slips_open() == []


@pytest.mark.parametrize("leap_s", [400 * 86_400, -3 * 3600])
def test_a_lock_lasts_its_minutes_wherever_the_clock_is_put(rig: Rig, leap_s: int) -> None:
    for _ in range(5):
        rig.sign_in("p02", "0001")
        rig.tap(intents.Cancel())
    rig.time.offset += leap_s * NS
    rig.wait(2)
    rig.kernel.believe_clock("admin:1000")
    rig.wait(13 * 60)
    rig.sign_in("p02")
    assert (rig.state, shown(rig)) == ("signing_in", ["operator.locked"])
    rig.tap(intents.Cancel())
    rig.wait(2 * 60)
    rig.sign_in("p02")
    assert rig.state == "attended"


def test_whoever_may_count_gets_no_copy_of_a_citizens_slip(rig: Rig) -> None:
    """Receipt for receipt they would add up what the box should hold."""
    rig.kernel.parts.people = People((Person("p09", ("operate", "count"), hash_of("9073")),))
    rig.pay()
    rig.feed(5000)
    rig.tap(intents.Finish())
    rig.printed()
    rig.wait(20)
    rig.sign_in("p09", "9073")
    rig.tap(intents.ReportX())
    for number, words in ((1, "operator.no_role"), (2, "operator.printing")):
        rig.tap(intents.ReprintSlip(number))
        assert shown(rig) == [words]
    assert [command.job for command in rig.sent(c.Print)] == ["slip-1-0", "slip-2-0", "slip-2-1"]
