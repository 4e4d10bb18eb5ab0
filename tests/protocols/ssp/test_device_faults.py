"""The simulated SSP validator in trouble: power cuts at every stage, jams, the box, fraud, scripted misbehaviour."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kiosk.errors import SimulatorError
from kiosk.protocols.ssp.payloads import parse_counters
from kiosk.protocols.ssp.units import EUR_UNIT
from tests.protocols.ssp.validator_rig import (
    COUNTERS,
    ENABLE,
    EVENT_ACK,
    INHIBITS,
    LAST_REJECT,
    OK,
    POLL,
    POLL_WITH_ACK,
    REJECT,
    SYNC,
    VERSION,
    Rig,
)


@pytest.fixture
def rig() -> Rig:
    return Rig().ready(8)


def where(rig: Rig) -> tuple[list[int], list[int], int | None]:
    return rig.device.cashbox, rig.device.returned, rig.device.inside


def bring(rig: Rig, stage: str) -> None:
    """Bring a note of twenty to a stage."""
    rig.device.insert(2000)
    if stage == "rejecting":
        rig.device.reject_next(0x12)
        rig.until("ed")
    elif stage != "accepting":
        rig.until("ef03")
        if stage == "returning":
            rig.ask(REJECT)
        elif stage in ("stacking", "credit"):
            rig.events()
        if stage == "credit":
            rig.wait(600)
    assert rig.device.stage == stage


# --- power ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "event"),
    [
        ("accepting", "e100"), ("escrow", "e103"), ("stacking", "e103"), ("returning", "e103"), ("rejecting", "e100"),
        ("credit", "e203"),
    ],
)  # fmt: skip
def test_a_power_cut_with_a_note_at_each_stage_ends_in_the_box_or_with_the_person(
    rig: Rig, stage: str, event: str
) -> None:
    bring(rig, stage)
    rig.restart()
    assert rig.device.inside == 2000
    assert rig.device.stage == "starting"
    assert rig.events(rig.ask(POLL))[0] == "f1", "Slave Reset comes first"
    rig.until(event, 3_000)
    assert where(rig) == (([2000], [], None) if event.startswith("e2") else ([], [2000], None))


def test_a_stacking_note_may_be_moved_on_at_power_up(rig: Rig) -> None:
    bring(rig, "stacking")
    rig.device.after_fault("stack")
    rig.restart()
    rig.until("e203", 3_000)
    assert where(rig) == ([2000], [], None)


def test_a_unit_may_forget_which_note_it_was() -> None:
    rig = Rig(replace(EUR_UNIT, remembers_channel=False)).ready()
    bring(rig, "credit")
    rig.restart()
    rig.until("e200", 3_000)


def test_cleared_into_the_cash_box_waits_for_an_acknowledgement_and_is_unknown_below_version_5(rig: Rig) -> None:
    bring(rig, "credit")
    rig.restart()
    rig.poll_code = POLL_WITH_ACK
    rig.until("e203", 3_000)
    assert rig.events() == ["e203"] or "e203" in rig.events()
    assert rig.ask(EVENT_ACK) == OK
    assert "e203" not in rig.events()
    bring_again = Rig().ready()
    bring(bring_again, "credit")
    bring_again.restart()
    bring_again.ask(VERSION, b"\x04")
    bring_again.version = 4
    bring_again.wait(3_000)
    assert not [event for event in bring_again.events() if event.startswith("e2")]


@pytest.mark.parametrize("waits", [False, True])
def test_cleared_from_the_front_waits_for_an_acknowledgement_by_habit_only(waits: bool) -> None:
    rig = Rig(replace(EUR_UNIT, acks_cleared_from_front=waits)).ready()
    bring(rig, "escrow")
    rig.restart()
    rig.poll_code = POLL_WITH_ACK
    rig.until("e103", 3_000)
    assert ("e103" in rig.events()) is waits


def test_settings_and_the_flag_are_lost_by_a_power_cut_and_counters_are_not(rig: Rig) -> None:
    bring(rig, "credit")
    rig.wait(1_000)
    rig.restart()
    rig.wait(3_000)
    assert not rig.device.can_insert
    assert parse_counters(rig.ask(COUNTERS)[1:]).stacked == 1
    assert rig.ask(0x59) == OK
    assert parse_counters(rig.ask(COUNTERS)[1:]).stacked == 0


@pytest.mark.parametrize("keeps", [False, True])
def test_a_credit_that_was_never_acknowledged_survives_a_power_cut_by_habit_only(keeps: bool) -> None:
    rig = Rig(replace(EUR_UNIT, keeps_credit=keeps)).ready()
    rig.poll_code = POLL_WITH_ACK
    rig.escrow()
    rig.until("ee03")
    rig.wait(2_000)
    rig.restart()
    told = rig.events()
    assert told[0] == "f1"
    assert ("ee03" in told) is keeps
    assert where(rig) == ([2000], [], None)


def test_a_note_pulled_out_of_a_dead_unit_is_with_the_person(rig: Rig) -> None:
    bring(rig, "escrow")
    rig.device.cut_power()
    assert rig.device.deadline() is None
    assert rig.ask(POLL) == b""
    assert rig.device.pull_back()
    rig.device.restore_power()
    rig.wait(4_000)
    assert where(rig) == ([], [2000], None)
    assert not rig.device.insert(500)


# --- trouble ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("where_", "event"), [("acceptor", "e9"), ("stacker", "ea")])
def test_a_jam_stands_in_every_poll_and_stops_the_note(rig: Rig, where_: str, event: str) -> None:
    bring(rig, "stacking")
    rig.device.jam(where_)
    rig.wait(60_000)
    assert event in rig.events()
    assert event in rig.events()
    assert rig.device.stage == "fault"
    assert where(rig) == ([], [], 2000)


def test_a_safe_jam_may_be_told_once() -> None:
    rig = Rig(replace(EUR_UNIT, repeats_safe_jam=False)).ready()
    rig.device.jam("stacker")
    assert rig.events() == ["ea"]
    assert rig.events() == []


@pytest.mark.parametrize(
    ("outcome", "box", "back"),
    [("return", [], [2000]), ("stack", [2000], []), ("take", [], [2000]), (None, [], [2000])],
)
def test_a_cleared_jam_ends_as_the_hand_says(rig: Rig, outcome: str | None, box: list[int], back: list[int]) -> None:
    bring(rig, "stacking")
    rig.device.jam("stacker")
    rig.wait(1_000)
    rig.device.clear_jam(outcome)
    seen = [event for _ in range(10) for event in (rig.wait(200), *rig.events()) if event]
    assert "b0" in seen
    assert where(rig) == (box, back, None)
    assert ("ee03" in seen) is (outcome == "stack")
    assert ("ec" in seen) is (outcome in ("return", None))


def test_a_credited_note_in_a_jam_goes_on_to_the_box(rig: Rig) -> None:
    bring(rig, "credit")
    rig.device.jam("stacker")
    assert "ee03" in rig.events(), "the credit stands"
    rig.device.clear_jam("return")
    rig.until("eb")
    assert where(rig) == ([2000], [], None)


def test_a_jam_over_a_power_cut_holds_the_note_until_it_is_cleared(rig: Rig) -> None:
    bring(rig, "stacking")
    rig.device.jam("stacker")
    rig.restart()
    rig.wait(10_000)
    assert where(rig) == ([], [], 2000)
    assert "ea" in rig.events(rig.ask(POLL))
    rig.device.clear_jam()
    rig.until("e103", 4_000)
    assert where(rig) == ([], [2000], None)


def test_an_exchanged_box_is_told_and_its_notes_are_collected(rig: Rig) -> None:
    rig.escrow()
    rig.until("eb")
    rig.device.remove_cashbox()
    assert rig.events() == ["e3", "e8"]
    assert not rig.device.can_insert
    rig.device.insert_cashbox(empty=True)
    assert rig.events()[0] == "e4"
    assert (rig.device.cashbox, rig.device.collected) == ([], [2000])
    assert not rig.device.can_insert, "it disabled itself"
    rig.ask(ENABLE)
    assert rig.device.can_insert


def test_a_unit_may_stay_enabled_and_repeat_that_its_box_is_out() -> None:
    rig = Rig(replace(EUR_UNIT, disables_itself=False, repeats_cashbox_removed=True)).ready()
    rig.device.remove_cashbox()
    assert [rig.events(), rig.events()] == [["e3"], ["e3"]]
    rig.device.insert_cashbox()
    assert rig.events() == ["e4"]
    assert rig.device.can_insert


def test_below_version_5_nothing_is_told_of_the_box() -> None:
    rig = Rig().ready(4)
    rig.device.remove_cashbox()
    assert rig.events() == ["e8"]


def test_a_full_stacker_is_told_once_and_takes_nothing_until_it_is_emptied(rig: Rig) -> None:
    rig.device.fill_stacker()
    assert rig.events() == ["e7", "e8"]
    assert rig.events() == ["e8"]
    rig.ask(ENABLE)
    assert not rig.device.can_insert
    rig.device.remove_cashbox()
    rig.device.insert_cashbox(empty=True)
    rig.ask(ENABLE)
    assert rig.device.can_insert


def test_an_open_note_path_stands_in_every_poll_from_version_6_on(rig: Rig) -> None:
    rig.device.open_path()
    assert rig.events() == ["e0", "e8"]
    assert "e0" in rig.events()
    rig.device.close_path()
    assert "e0" not in rig.events()


def test_fraud_is_told_with_the_channel_waits_for_its_acknowledgement_and_disables_the_unit(rig: Rig) -> None:
    bring(rig, "escrow")
    rig.poll_code = POLL_WITH_ACK
    rig.device.cheat()
    assert rig.events() == ["e603", "e8"]
    assert rig.events() == ["e603", "e8"]
    assert rig.ask(EVENT_ACK) == OK
    assert "e603" not in rig.events()
    assert where(rig) == ([], [2000], None)
    rig.ask(ENABLE)
    rig.device.cheat()
    assert "e600" in rig.events(), "no note was there"


# --- scripted misbehaviour --------------------------------------------------------------------------------------------


def test_answers_can_be_lost_garbled_broken_off_and_withheld(rig: Rig) -> None:
    rig.device.lose_replies(1)
    assert rig.ask(0x20) == b""
    good = rig.again(0x20)
    assert good[:1] == OK
    rig.device.garble_replies(1)
    assert rig.again(0x20) == b""
    rig.device.truncate_replies(1)
    rig.again(0x20)
    assert len(rig.raw) < 15
    rig.ask(SYNC)
    rig.device.mute()
    assert rig.ask(0x20) == b""
    rig.device.mute(False)
    assert rig.again(0x20) == good, "it was carried out all the same"


def test_an_event_that_no_table_holds_can_be_told(rig: Rig) -> None:
    rig.device.tell_event(0x8B)
    assert rig.ask(POLL) == OK + b"\x8b"


def test_more_events_than_fit_one_answer_come_in_the_next(rig: Rig) -> None:
    for _ in range(300):
        rig.device.tell_event(0xE6, b"\x01")
    told = sum(len(rig.events()) for _ in range(4))
    assert told == 300


def test_impossible_hands_are_refused(rig: Rig) -> None:
    with pytest.raises(SimulatorError):
        rig.device.jam("roof")
    with pytest.raises(SimulatorError):
        rig.device.after_fault("vanish")
    assert not rig.device.pull_back()
    assert not rig.device.stack_by_itself()
    rig.ask(INHIBITS, b"\x00")
    assert rig.ask(LAST_REJECT)[:1] == OK
