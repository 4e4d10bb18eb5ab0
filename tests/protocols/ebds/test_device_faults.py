"""The simulated EBDS unit in trouble: power cuts at each stage of a note, the box, jams, cheats, and its habits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from kiosk.errors import SimulatorError
from kiosk.protocols.ebds.codes import Condition, Facility, MessageType, Operation, Report, State, Subtype
from kiosk.protocols.ebds.payloads import enable_mask, is_blank
from kiosk.protocols.ebds.units import USD_UNIT, Unit
from tests.protocols.ebds.ebds_rig import Host


def habit(**changes: Any) -> Unit:
    return msgspec.structs.replace(USD_UNIT, **changes)


# --- power-up with a note inside (§8) ---------------------------------------------------------------------------------


def accepting(host: Host) -> None:
    assert host.device.insert(2000)
    host.wait(300)


def escrowed(host: Host) -> None:
    host.escrow(2000)


def before_the_lever(host: Host) -> None:
    host.escrow(2000)
    host.poll(Operation.STACK)
    host.wait(200)


def past_the_lever(host: Host) -> None:
    host.escrow(2000)
    host.poll(Operation.STACK)
    host.wait(700)


def in_the_box_untold(host: Host) -> None:
    host.escrow(2000)
    host.poll(Operation.STACK)
    host.wait(2000)


def in_the_box_told(host: Host) -> None:
    in_the_box_untold(host)
    assert host.poll().state & State.STACKED


def returning(host: Host) -> None:
    host.escrow(2000)
    host.poll(Operation.RETURN)
    host.wait(200)


PAST_ESCROW = [before_the_lever, past_the_lever, in_the_box_untold, in_the_box_told]


@pytest.mark.parametrize("stage", PAST_ESCROW)
@pytest.mark.parametrize("policy", ["A", "B", "C"])
def test_a_note_past_escrow_is_finished_and_only_policy_b_tells_its_value(
    policy: str, stage: Callable[[Host], None]
) -> None:
    host = Host(policy=policy).ready()
    stage(host)
    status = host.power_cycle()
    if not status.state & State.STACKED:
        host.until(State.STACKED)
    assert host.device.cashbox == [2000]
    assert is_blank(host.record) is (policy != "B")
    assert (host.note.minor(2) if host.note else None) == (2000 if policy == "B" else None)
    assert host.poll().state == State.IDLING, "told once"
    host.escrow(500)
    host.poll(Operation.STACK)
    host.until(State.STACKED)
    assert host.note is not None, "the next note has its value again"
    assert host.accounted() == 2500


@pytest.mark.parametrize("policy", ["B", "C"])
def test_a_note_at_escrow_is_held_out_of_order_until_the_host_says_what_is_to_become_of_it(policy: str) -> None:
    for operation, end in ((Operation.RETURN, State.RETURNED), (Operation.STACK, State.STACKED)):
        host = Host(policy=policy).ready().escrow()
        assert host.power_cycle().state == 0
        host.wait(60_000, polling=True)
        assert host.poll().state == 0
        assert host.device.inside == 2000
        host.poll(operation)
        host.until(end)
        assert host.accounted() == 2000
        assert end is State.RETURNED or (host.note is not None and host.note.minor(2) == 2000)


def test_a_held_note_can_show_as_escrowed() -> None:
    host = Host(habit(held_shows_escrow=True)).ready().escrow()
    assert host.power_cycle().state == State.ESCROWED
    assert host.note is not None
    assert host.note.minor(2) == 2000


@pytest.mark.parametrize(
    ("way", "end", "box"), [("return", State.RETURNED, []), ("stack", State.STACKED, [2000]), ("hold", None, [])]
)
def test_what_policy_a_does_with_a_note_at_escrow_is_an_option(way: Any, end: State | None, box: list[int]) -> None:
    host = Host(habit(policy_a_escrow=way), policy="A").ready().escrow()
    host.power_cycle()
    if end is None:
        assert host.poll().state == 0
    else:
        host.until(end)
    assert host.device.cashbox == box
    assert is_blank(host.record) or end is not State.STACKED


def test_the_policy_is_the_one_of_the_first_command_after_power() -> None:
    host = Host(policy="A").ready().escrow()
    host.poll(Operation.STACK)
    host.wait(700)
    host.power_cycle(policy="B")
    host.until(State.STACKED)
    assert host.note is not None


def test_a_note_that_was_being_drawn_in_comes_out_as_rejected_and_one_on_its_way_back_as_returned() -> None:
    host = Host().ready()
    accepting(host)
    host.power_cycle()
    host.until(Condition.REJECTED)
    host.device.take_rejected()
    host.wait(1000)
    assert host.device.returned == [2000]
    host = Host().ready()
    returning(host)
    host.power_cycle()
    host.until(State.RETURNED)
    assert host.device.returned == [2000]


@pytest.mark.parametrize("stage", [accepting, escrowed, returning, *PAST_ESCROW])
def test_a_second_power_cut_before_anything_is_resolved_changes_nothing(stage: Callable[[Host], None]) -> None:
    ends = []
    for cuts in (0, 1, 2):
        host = Host().ready()
        stage(host)
        for _ in range(cuts):
            host.device.cut_power()
            host.wait(500)
            host.device.restore_power()
            host.toggle = 0
            host.wait(400)
            host.poll()
            host.toggle = 0
        host.power_cycle()
        host.poll(Operation.RETURN)
        host.device.take_rejected()
        host.wait(5000, polling=True)
        assert host.accounted() == 2000
        ends.append((host.device.cashbox, host.device.returned))
    assert ends[0] == ends[1] == ends[2]


def test_a_unit_that_tells_no_value_under_policy_b_is_an_option() -> None:
    host = Host(habit(value_after_power_up=False)).ready()
    past_the_lever(host)
    host.power_cycle()
    host.until(State.STACKED)
    assert is_blank(host.record)


def test_a_note_pulled_out_without_power_is_gone_and_the_next_one_has_its_value() -> None:
    host = Host(policy="A").ready()
    before_the_lever(host)
    host.device.cut_power()
    assert host.device.pull_back()
    host.device.restore_power()
    host.toggle = 0
    status = host.booted()
    assert status.state == State.IDLING
    assert status.report & Report.TRANSPORT_OPEN, "told once"
    assert not host.poll().report & Report.TRANSPORT_OPEN
    host.escrow(500)
    host.poll(Operation.STACK)
    host.until(State.STACKED)
    assert host.note is not None
    assert host.note.minor(2) == 500


def test_power_up_is_shown_until_the_unit_is_polled_quickly_enough() -> None:
    host = Host(habit(power_up_poll_ms=400))
    host.wait(300)
    for _ in range(40):
        assert host.poll().report & Report.POWER_UP
        host.wait(500)
    assert host.booted().state == State.IDLING


def test_without_its_box_the_unit_takes_long_to_power_up() -> None:
    host = Host()
    host.device.remove_cashbox()
    host.wait(300)
    host.poll()
    host.wait(10_000)
    assert host.poll().report & Report.POWER_UP
    assert not host.booted().condition & Condition.CASSETTE_ATTACHED


@pytest.mark.parametrize("keeps", [False, True])
def test_whether_settings_survive_power_off_is_an_option(keeps: bool) -> None:
    host = Host(habit(keeps_settings=keeps)).ready()
    host.extended(Subtype.INHIBITS, enable_mask([1], 8))
    host.extended(Subtype.ESCROW_TIMEOUT, b"\x05\x00")
    host.power_cycle()
    host.device.insert(2000)
    host.until(Condition.REJECTED if keeps else State.ESCROWED)


# --- blank stacks (§8) ------------------------------------------------------------------------------------------------


def test_a_blank_stack_after_power_up_names_no_note() -> None:
    for extended in (True, False):
        host = Host(habit(blank_at_power_up=True), extended=extended)
        status = host.booted()
        assert status.state & State.STACKED
        assert (status.note_value, is_blank(host.record)) == (0, True)
        assert host.poll().state == State.IDLING
        assert host.device.cashbox == []


def test_a_blank_stack_when_the_box_is_put_back_names_no_note() -> None:
    host = Host(habit(blank_at_cassette=True)).ready()
    host.device.remove_cashbox()
    host.poll()
    host.device.insert_cashbox()
    assert host.poll().state & State.STACKED
    assert is_blank(host.record)
    assert host.poll().state == State.IDLING


def test_rejected_is_never_told_together_with_an_event() -> None:
    host = Host(habit(blank_at_cassette=True)).ready()
    host.device.reject_next()
    host.device.insert(500)
    host.until(Condition.REJECTED)
    assert host.device.take_rejected()
    host.wait(1000)
    host.device.remove_cashbox()
    host.device.insert_cashbox()
    status = host.poll()
    assert (status.state & State.STACKED, status.condition & Condition.REJECTED) == (State.STACKED, 0)


# --- box, jam, cheat, failure (§5, §8) --------------------------------------------------------------------------------


def test_without_its_box_the_unit_idles_and_takes_nothing() -> None:
    host = Host().ready()
    host.device.remove_cashbox()
    status = host.poll()
    assert (status.state, status.condition & Condition.CASSETTE_ATTACHED) == (State.IDLING, 0)
    assert not host.device.insert(500)
    host.device.insert_cashbox()
    assert host.poll().condition & Condition.CASSETTE_ATTACHED
    assert host.device.insert(500)


def test_a_box_taken_out_while_a_note_is_stacked_stops_it_and_its_return_finishes_it() -> None:
    host = Host().ready()
    before_the_lever(host)
    host.device.remove_cashbox()
    host.wait(10_000, polling=True)
    assert (host.device.cashbox, host.device.inside) == ([], 2000)
    host.device.insert_cashbox()
    host.until(State.STACKED)
    assert host.device.cashbox == [2000]


def test_putting_the_box_back_can_mean_power_up() -> None:
    host = Host(habit(power_up_at_cassette=True)).ready()
    host.extended(Subtype.INHIBITS, enable_mask([1], 8))
    host.device.remove_cashbox()
    host.poll()
    host.device.insert_cashbox(empty=True)
    assert host.poll().report & Report.POWER_UP
    host.booted()
    host.escrow(2000)  # the mask is forgotten


def test_an_exchanged_box_takes_its_notes_along_and_is_no_longer_full() -> None:
    host = Host().ready().escrow()
    host.poll(Operation.STACK)
    host.until(State.STACKED)
    host.device.fill_stacker()
    host.poll()
    status = host.poll()
    assert (status.state, bool(status.condition & Condition.STACKER_FULL)) == (0, True)
    assert not host.device.insert(500)
    host.device.remove_cashbox()
    host.device.insert_cashbox(empty=True)
    assert (host.device.collected, host.device.cashbox) == ([2000], [])
    assert host.poll().state == State.IDLING


@pytest.mark.parametrize(
    ("outcome", "box", "back"), [("return", [], [2000]), ("stack", [2000], []), ("take", [], [2000])]
)
def test_a_jam_while_stacking_ends_as_hands_decide(outcome: str, box: list[int], back: list[int]) -> None:
    host = Host().ready()
    before_the_lever(host)
    host.device.jam("stacker")
    status = host.poll()
    assert (status.state, bool(status.condition & Condition.JAMMED)) == (0, True)
    host.wait(30_000, polling=True)
    host.device.clear_jam(outcome)
    host.device.take_rejected()
    host.wait(3000, polling=True)
    assert (host.device.cashbox, host.device.returned, host.device.inside) == (box, back, None)


def test_a_note_past_the_lever_is_stacked_whatever_hands_would_like() -> None:
    host = Host().ready()
    past_the_lever(host)
    host.device.jam("stacker")
    host.device.clear_jam("return")
    host.until(State.STACKED)
    assert host.device.cashbox == [2000]


def test_stack_and_return_do_nothing_in_a_jam() -> None:
    host = Host().ready().escrow()
    host.device.jam("acceptor")
    host.poll(Operation.STACK)
    host.wait(3000, polling=True)
    assert host.device.cashbox == []
    host.device.clear_jam("return")
    host.until(State.RETURNED)


def test_a_cheat_takes_the_note_along_and_shows_for_several_polls() -> None:
    host = Host().ready().escrow()
    host.device.cheat()
    seen = [bool(host.poll().condition & Condition.CHEATED) for _ in range(5)]
    assert seen == [True, True, True, False, False]
    assert (host.device.returned, host.device.cashbox) == ([2000], [])


def test_cheated_together_with_stacked_is_a_habit_and_the_note_is_stacked() -> None:
    host = Host(habit(cheated_with_stacked=True)).ready().escrow()
    host.poll(Operation.STACK)
    status = host.until(State.STACKED)
    assert status.condition & Condition.CHEATED
    assert host.device.cashbox == [2000]


def test_failure_stall_and_a_second_note_show_and_go() -> None:
    host = Host().ready()
    host.device.fail()
    status = host.poll()
    assert (status.state, bool(status.report & Report.FAILURE)) == (0, True)
    host.device.fail(False)
    host.device.stall()
    status = host.poll()
    assert (status.state, bool(status.facility & Facility.STALLED)) == (0, True)
    host.device.stall(False)
    host.device.push_second_note()
    status = host.poll()
    assert (status.state, bool(status.condition & Condition.PAUSED)) == (State.IDLING, True)
    assert not host.device.insert(500)
    host.device.take_second_note()
    assert host.device.insert(500)


def test_a_note_pulled_out_of_escrow_is_with_its_owner_and_no_event_says_so() -> None:
    host = Host().ready().escrow()
    assert host.device.pull_back()
    assert host.poll().state == State.IDLING
    assert host.device.returned == [2000]


def test_a_note_past_the_lever_cannot_be_pulled_out() -> None:
    host = Host().ready()
    past_the_lever(host)
    assert not host.device.pull_back()
    host.device.cut_power()
    assert not host.device.pull_back()


def test_a_unit_may_stack_by_itself() -> None:
    host = Host().ready()
    assert not host.device.stack_by_itself()
    host.escrow()
    assert host.device.stack_by_itself()
    host.until(State.STACKED)
    assert host.device.cashbox == [2000]


def test_garbled_and_muted_replies_are_lost_and_the_command_is_carried_out() -> None:
    host = Host().ready().escrow()
    host.device.garble_replies(1)
    assert host.ask(MessageType.COMMAND, host.command(Operation.STACK)) is None
    host.wait(3000)
    assert host.device.cashbox == [2000]
    answer = host.again()
    assert answer is not None
    assert host.read(answer).state == State.STACKING
    host.device.mute()
    assert host.again() is None
    host.device.mute(False)
    assert host.again() == answer


def test_hands_that_make_no_sense_are_refused_with_a_hint() -> None:
    host = Host().ready()
    for wrong in (lambda: host.device.jam("roof"), lambda: host.device.clear_jam("burn"),
                  lambda: host.device.after_fault("burn")):  # fmt: skip
        with pytest.raises(SimulatorError) as raised:
            wrong()
        assert raised.value.hint


def test_without_power_the_unit_hears_nothing_and_takes_nothing() -> None:
    host = Host().ready()
    host.device.cut_power()
    assert host.device.shown == "no power"
    assert host.device.deadline() is None
    assert host.ask(MessageType.COMMAND, host.command()) is None
    assert not host.device.insert(500, force=True)
    host.device.restore_power()
    assert host.device.deadline() is not None
    assert not host.device.can_insert
