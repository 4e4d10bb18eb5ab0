"""The counting room's requests against a real kernel: who may, what is a fact, what is told and when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from kiosk.core import view
from kiosk.core.inbox import ControlPosted
from kiosk.core.people import People, Person, hash_of
from kiosk.core.verbs import VERBS, answer
from kiosk.errors import JournalFull
from kiosk.model import device_events as d
from kiosk.model import facts
from tests.core.kernel_rig import NS, Rig
from tests.core.test_service import Kiosk

PIN, OTHER = "471100", "582200"
HASHES = {PIN: hash_of(PIN), OTHER: hash_of(OTHER)}
PEOPLE = People([
    Person("p01", ("operate",), HASHES[PIN]), Person("p03", ("count",), HASHES[PIN]),
    Person("p04", ("close",), HASHES[OTHER]), Person("p05", ("audit",), HASHES[PIN]),
    Person("p06", ("operate", "count"), HASHES[PIN]),
])  # fmt: skip
#: What the box of session 1 holds: 3 x 20.00, 2 x 5.00, 3 x 1.00 = USD 73.00.
CONTENT = {2000: 3, 500: 2, 100: 3}
EXPECTED = 7300
#: Whatever is expected, in any spelling that a text could have.
SPELLINGS = ("7300", "73.00", "73,00")


class CountingRoom:
    """A kiosk whose box was taken out with money in it, and the room that asks for it."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.arm()
        rig.pay()
        for value, count in CONTENT.items():
            for _ in range(count):
                rig.feed(value)
        rig.news("notes", d.CashboxRemoved())
        assert list(rig.kernel.books.boxes) == [1]

    def arm(self) -> None:
        self.rig.kernel.parts.people = PEOPLE
        self.core: Any = SimpleNamespace(running_kernel=self.rig.kernel, publish=lambda force=False: None)

    def ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        told = answer(self.core, ControlPosted(verb, arguments, 0, lambda _: None))
        found = msgspec.json.decode(msgspec.json.encode(told))
        assert isinstance(found, dict)
        return found

    def counter(self, verb: str, *, person: str = "p03", pin: str = PIN, **more: Any) -> dict[str, Any]:
        return self.ask(verb, person=person, pin=pin, session=1, **more)

    def receive(self, **more: Any) -> dict[str, Any]:
        return self.counter("count.receive", box="B-1", seal="S-1", seal_whole=True, **more)

    def attempt(self, notes: dict[int, int], *, final: bool, **more: Any) -> dict[str, Any]:
        return self.counter("count.attempt", notes=list(notes.items()), final=final, **more)

    def people_facts(self) -> list[Any]:
        return self.rig.bodies(facts.OperatorSignedIn, facts.OperatorRefused, facts.OperatorActed)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[CountingRoom]:
    rig = Rig(tmp_path)
    yield CountingRoom(rig)
    rig.close()


def test_a_whole_count_is_a_row_of_facts_and_moves_the_money(room: CountingRoom) -> None:
    listed = room.ask("count.list")
    assert listed["boxes"] == [{"session": 1, "box": "", "state": "to_receive"}]
    assert listed["denominations"][0] == ["USD", 10000]
    assert room.receive()["ok"]
    assert room.attempt({2000: 2}, final=False) == {"ok": True, "attempt": 1, "counted_minor": 4000}
    final = room.attempt({**CONTENT, 100: 2}, final=True)
    assert (final["attempt"], final["expected_minor"], final["over_short_minor"]) == (2, EXPECTED, -100)
    assert final["second_needed"] is True  # half a percent of 73.00 is 36 cents
    closed = room.counter("count.close", reason="one note short", second="p04", second_pin=OTHER)
    assert closed == {"ok": True, "over_short_minor": -100, "separation": []}
    assert room.ask("count.list")["boxes"] == [{"session": 1, "box": "", "state": "closed"}]
    kinds = [type(body).__name__ for body in room.rig.bodies(
        facts.OperatorSignedIn, facts.BoxReceived, facts.BoxCounted, facts.CountClosed)]  # fmt: skip
    assert kinds == ["OperatorSignedIn", "BoxReceived", "OperatorSignedIn", "BoxCounted", "OperatorSignedIn",
                     "BoxCounted", "OperatorSignedIn", "OperatorSignedIn", "CountClosed"]  # fmt: skip
    balances, roles = room.rig.kernel.books.balances["USD"], room.rig.kernel.parts.counter.chart.roles
    assert balances[roles.cash_in_box] == 0
    assert (balances[roles.cash_counted], balances[roles.over_short]) == (EXPECTED - 100, 100)
    acts = {c.fact.stamp.actor for c in room.rig.journal.read() if isinstance(c.fact.body, facts.BoxCounted)}
    assert acts == {"operator:p03"}


def test_nothing_that_is_answered_before_the_final_attempt_tells_what_is_expected(room: CountingRoom) -> None:
    """Invariant 18, also for whatever goes wrong."""
    told = [
        room.ask("count.list"),
        room.attempt({2000: 1}, final=False),
        room.counter("count.reveal"),
        room.receive(),
        room.receive(),
        room.ask("count.list"),
        room.attempt({2000: 1}, final=False),
        room.attempt({2001: -1}, final=True),
        room.counter("count.reveal"),
        room.counter("count.close", reason="whatever it is", second="p04", second_pin=OTHER),
        room.ask("audit.look", person="p03", pin=PIN, what="expected"),
        room.ask("audit.look", person="p06", pin=PIN, what="slip"),
        room.ask("nonsense"),
    ]
    assert [each["ok"] for each in told] == [True, False, False, True, False, True, True, False, False, False, False,
                                             False, False]  # fmt: skip
    assert [each for each in told if any(spelling in str(each) for spelling in SPELLINGS)] == []
    assert "expected" not in str([each for each in told if each["ok"]])


def test_the_list_of_values_depends_on_no_box(room: CountingRoom) -> None:
    before = room.ask("count.list")["denominations"]
    room.rig.kernel.books.boxes[1].content["USD"] = {700: 3}
    assert room.ask("count.list")["denominations"] == before


def test_a_wrong_pin_and_an_unknown_person_hear_the_same_and_are_facts(room: CountingRoom) -> None:
    wrong = room.receive(pin="000001")
    unknown = room.receive(person="p99")
    assert wrong == unknown
    assert wrong["ok"] is False
    assert room.people_facts() == [
        facts.OperatorRefused("p03", "pin", "count"),
        facts.OperatorRefused("", "unknown", "count"),
    ]
    assert room.rig.bodies(facts.BoxReceived) == []


def test_a_person_without_the_role_is_refused_with_a_fact(room: CountingRoom) -> None:
    assert "may not" in room.receive(person="p01")["error"]
    assert room.people_facts() == [facts.OperatorRefused("p01", "role", "count")]


def test_five_wrong_pins_lock_the_person_for_fifteen_minutes_over_a_restart(room: CountingRoom) -> None:
    for _ in range(4):
        assert "do not fit" in room.receive(pin="000001")["error"]
    assert room.receive(pin="000001")["error"] == "p03 is locked out for 15 more minutes"
    assert room.receive()["error"] == "p03 is locked out for 15 more minutes"
    room.rig.restart()
    room.arm()
    room.rig.time.mono += 10 * 60 * NS
    assert "locked out for 5 more minutes" in room.receive()["error"]
    assert [body.reason for body in room.people_facts()] == ["pin"] * 5  # attempts at the lock say nothing new
    room.rig.time.mono += 5 * 60 * NS
    assert room.receive()["ok"]


def test_four_wrong_pins_and_a_right_one_begin_again(room: CountingRoom) -> None:
    for _ in range(4):
        room.receive(pin="000001")
    assert room.receive()["ok"]
    for _ in range(4):
        assert "do not fit" in room.receive(pin="000001")["error"]
    assert room.attempt({}, final=False)["ok"]


def test_the_second_signature_is_another_persons_with_a_pin(room: CountingRoom) -> None:
    room.receive()
    room.attempt({2000: 1}, final=True)
    close = {"verb": "count.close", "reason": "most of it is missing"}
    for second, pin, why in (("", "", "second signature"), ("p03", PIN, "cannot sign twice"),
                             ("p04", PIN, "do not fit"), ("p01", PIN, "may not do this")):  # fmt: skip
        refused = room.counter(**close, second=second, second_pin=pin)
        assert why in refused["error"], second
    assert room.rig.bodies(facts.CountClosed) == []
    assert facts.OperatorRefused("p03", "same_person", "count") in room.people_facts()
    assert room.counter(**close, second="p04", second_pin=OTHER)["ok"]
    (closed,) = room.rig.bodies(facts.CountClosed)
    assert (closed.by, closed.second) == ("p03", "p04")


def test_a_count_goes_on_where_a_restart_left_it(room: CountingRoom) -> None:
    room.receive()
    room.attempt({2000: 1}, final=False)
    room.rig.restart()
    room.arm()
    assert room.ask("count.list")["boxes"][0]["state"] == "to_count"
    assert room.attempt(CONTENT, final=True)["attempt"] == 2
    room.rig.restart()
    room.arm()
    assert room.ask("count.list")["boxes"][0]["state"] == "to_close"
    assert room.counter("count.reveal")["over_short_minor"] == 0
    assert room.counter("count.close")["ok"]


def test_what_cannot_be_committed_is_not_told(room: CountingRoom) -> None:
    """Commit before consequence: no reveal without the final attempt on disk."""
    room.receive()
    room.rig.journal.error, room.rig.journal.good_for = JournalFull("full"), 1  # the sign-in still goes
    told = room.attempt(CONTENT, final=True)
    assert told["ok"] is False
    assert not any(spelling in str(told) for spelling in SPELLINGS)
    room.rig.journal.error = None
    assert room.ask("count.list")["boxes"][0]["state"] == "to_count"


def test_an_auditor_sees_what_is_expected_and_the_look_is_a_fact(room: CountingRoom) -> None:
    told = room.ask("audit.look", person="p05", pin=PIN, what="expected")
    assert told["expected"][0] == {"session": 1, "box": "", "in_kiosk": False, "unknown_notes": 0,
                                   "notes": [["USD", 100, 3], ["USD", 500, 2], ["USD", 2000, 3]]}  # fmt: skip
    assert told["expected"][1]["in_kiosk"] is True
    assert room.people_facts()[-1] == facts.OperatorActed("p05", "saw_expected", "expected")


def test_a_slip_of_a_sealed_box_is_for_operators_who_do_not_count(room: CountingRoom) -> None:
    assert room.ask("audit.look", person="p01", pin=PIN, what="slip", detail="12")["ok"]
    assert room.people_facts()[-1] == facts.OperatorActed("p01", "saw_slip", "slip 12")
    refused = room.ask("audit.look", person="p06", pin=PIN, what="slip", detail="12")
    assert "may count" in refused["error"]
    assert room.ask("audit.look", person="p01", pin=PIN, what="journal")["ok"] is False


@pytest.mark.parametrize(
    "arguments",
    [{}, {"person": "p03"}, {"person": 3, "pin": PIN, "session": 1}, {"person": "p03", "pin": PIN, "session": "1"},
     {"person": "p03", "pin": PIN, "session": 1, "loud": True}, {"person": "p03", "pin": PIN, "session": 9},
     {"person": "p03", "pin": PIN, "session": 1, "notes": [[2000]], "final": True},
     {"person": "p03", "pin": PIN, "session": 1, "notes": [[2000, 1.5]], "final": True},
     {"person": "p03", "pin": PIN, "session": 1, "notes": [[2000, "1"]], "final": True},
     {"person": "p03", "pin": PIN, "session": 1, "notes": "all", "final": True}],
)  # fmt: skip
def test_odd_requests_are_refused_and_change_nothing(room: CountingRoom, arguments: dict[str, Any]) -> None:
    room.receive()
    for verb in ("count.receive", "count.attempt", "count.reveal", "count.close", "audit.look"):
        assert room.ask(verb, **arguments)["ok"] is False
    assert room.rig.bodies(facts.BoxCounted, facts.CountClosed, facts.OperatorActed) == []


def test_without_people_nobody_counts(room: CountingRoom) -> None:
    room.rig.kernel.parts.people = None
    assert "nobody is configured" in room.receive()["error"]
    assert set(VERBS) >= {"count.list", "count.receive", "count.attempt", "count.reveal", "count.close"}


def test_a_page_asks_the_running_core_for_counts_and_for_nothing_else(tmp_path: Path) -> None:
    kiosk = Kiosk(tmp_path)
    assert kiosk.core.ask("count.list", {}, patience_s=0)["error"] == "counting.unread"
    kiosk.rig.kernel.parts.people = PEOPLE
    kiosk.run()
    try:
        assert kiosk.core.ask("count.list", {})["boxes"] == []
        told = kiosk.core.ask("count.receive", {"person": "p03", "pin": "000001", "session": 1, "box": "B",
                                                "seal": "S", "seal_whole": True})  # fmt: skip
        assert (told["ok"], told["error"], told["hint"]) == (False, "counting.why.pin", "")
        assert kiosk.core.ask("count.reveal", {})["error"].startswith("count.reveal: ")
        for verb in ("stop", "close", "audit.look", "status", "counting", ""):
            assert "may not ask" in kiosk.core.ask(verb, {})["error"], verb
    finally:
        kiosk.core.stop("test")
    assert kiosk.core.ask("count.list", {})["error"] == "counting.refused"


def test_status_devices_and_health_tell_nothing_of_the_notes_that_went_by(room: CountingRoom) -> None:
    """Counters of an acceptor's states and its own words while it holds a note would let somebody keep a tally."""
    room.core.status_words, room.core.screen_age_ms = lambda: "", None
    seen = []
    for word in ("1362", "1364"):
        room.rig.news("notes", d.DeviceState("escrow", "ok", word))
        health = msgspec.json.encode(view.health(room.rig.kernel, lines=[], plugins=(), started="")).decode()
        counts = room.ask("status")["counts"]
        page = room.rig.kernel.parts.board.pages["notes"]
        seen.append((health, sorted(counts), page.told_raw))
        assert word not in health
        room.rig.news("notes", d.DeviceState("idling", "ok", "11"))
    assert seen[0] == seen[1]
    assert not [name for name in seen[0][1] if name.startswith("notes.was_ok")]
    room.rig.news("notes", d.DeviceState("jammed", "fault", "45"))
    assert page.told_raw == "45"  # a person who mends it needs the unit's own word
