"""The simulated acceptor in trouble: power cuts, jams, the box, cheats, failures, and scripted misbehaviour."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kiosk.errors import SimulatorError
from kiosk.protocols.id003.codes import DeviceStatus as S
from kiosk.protocols.id003.codes import HostCommand
from kiosk.protocols.id003.frames import Decoder, FrameFault, encode
from kiosk.protocols.id003.units import USD_UNIT
from tests.protocols.id003.acceptor_rig import MS, Rig


@pytest.fixture
def rig() -> Rig:
    return Rig().ready()


def cut(rig: Rig) -> Rig:
    rig.device.cut_power()
    assert rig.poll() is None
    assert rig.device.deadline() is None
    rig.now += 5_000 * MS
    rig.device.tick(rig.now)
    rig.device.restore_power()
    assert rig.poll() is None, "the unit boots"
    rig.now += 1_000 * MS
    return rig


def restart(rig: Rig) -> None:
    assert rig.ask(HostCommand.RESET) == (S.ACK, b"")
    rig.until(S.DISABLED)


# --- power ------------------------------------------------------------------------------------------------------


def test_a_power_cut_without_a_note_shows_plain_power_up_and_loses_the_settings(rig: Rig) -> None:
    assert cut(rig).status() == S.POWER_UP
    restart(rig)
    assert rig.ask(HostCommand.GET_INHIBIT) == (HostCommand.GET_INHIBIT, b"\x01")


@pytest.mark.parametrize("stage", [S.ACCEPTING, S.ESCROW, S.HOLDING, S.STACKING, S.RETURNING, S.REJECTING])
def test_a_note_at_a_returnable_place_shows_0x41_and_comes_back_after_reset(rig: Rig, stage: S) -> None:
    rig.device.insert(2000)
    if stage is S.REJECTING:
        rig.device.reject_next(0x71)
        rig.until(S.REJECTING)
    elif stage is not S.ACCEPTING:
        rig.until(S.ESCROW)
        order = {S.HOLDING: HostCommand.HOLD, S.STACKING: HostCommand.STACK_2, S.RETURNING: HostCommand.RETURN}
        if stage in order:
            assert rig.ask(order[stage]) == (S.ACK, b"")
    assert rig.status() == stage
    assert cut(rig).status() == S.POWER_UP_BILL_IN_ACCEPTOR
    assert rig.device.inside == 2000
    restart(rig)
    assert (rig.device.returned, rig.device.cashbox) == ([2000], [])


def past_the_lever(rig: Rig) -> None:
    rig.escrow().ask(HostCommand.STACK_2)
    rig.wait(600)
    assert rig.status() == S.STACKING


def test_a_note_past_the_lever_shows_0x42_and_ends_in_the_box_without_vend_valid(rig: Rig) -> None:
    past_the_lever(rig)
    assert cut(rig).status() == S.POWER_UP_BILL_IN_STACKER
    assert (rig.device.inside, rig.device.cashbox) == (2000, [])
    rig.ask(HostCommand.RESET)
    seen = set()
    for _ in range(60):
        seen.add(rig.status())
        rig.now += 50 * MS
    assert seen == {S.INITIALIZE, S.DISABLED}
    assert rig.device.cashbox == [2000]


def test_a_unit_with_that_habit_shows_vend_valid_after_0x42() -> None:
    unit = replace(USD_UNIT, vend_valid_after_0x42=True)
    rig = Rig(unit).ready()
    past_the_lever(rig)
    cut(rig).ask(HostCommand.RESET)
    rig.until(S.VEND_VALID)
    assert rig.device.cashbox == [2000]
    rig.ask(HostCommand.ACK)
    rig.until(S.DISABLED)
    assert rig.device.cashbox == [2000]


def test_an_unacknowledged_note_in_the_box_shows_0x42_and_is_not_boxed_twice(rig: Rig) -> None:
    rig.escrow().ask(HostCommand.STACK_2)
    rig.until(S.VEND_VALID)
    assert cut(rig).status() == S.POWER_UP_BILL_IN_STACKER
    restart(rig)
    assert rig.device.cashbox == [2000]


def test_an_acknowledged_note_shows_plain_power_up(rig: Rig) -> None:
    rig.escrow().ask(HostCommand.STACK_2)
    rig.until(S.VEND_VALID)
    rig.ask(HostCommand.ACK)
    assert cut(rig).status() == S.POWER_UP
    assert rig.device.cashbox == [2000]


def test_a_note_acknowledged_before_it_is_fully_in_never_shows_vend_valid_again() -> None:
    rig = Rig(replace(USD_UNIT, vend_valid_after_0x42=True)).ready()
    rig.escrow().ask(HostCommand.STACK_1)
    rig.until(S.VEND_VALID)
    rig.ask(HostCommand.ACK)
    assert rig.device.inside == 2000
    assert cut(rig).status() == S.POWER_UP_BILL_IN_STACKER
    rig.ask(HostCommand.RESET)
    rig.wait(1_600, polling=False)
    assert rig.status() == S.DISABLED
    assert rig.device.cashbox == [2000]


def test_a_rejected_note_left_at_the_mouth_shows_0x41_at_power_up(rig: Rig) -> None:
    rig.device.reject_next(0x71)
    rig.device.insert(2000)
    rig.until(S.REJECTING)
    rig.wait(1_000)
    assert cut(rig).status() == S.POWER_UP_BILL_IN_ACCEPTOR
    restart(rig)
    assert rig.device.returned == [2000]


def test_a_power_cut_during_initialise_still_knows_where_the_note_is(rig: Rig) -> None:
    past_the_lever(rig)
    cut(rig).ask(HostCommand.RESET)
    rig.wait(100)
    assert cut(rig).status() == S.POWER_UP_BILL_IN_STACKER


def test_a_note_pulled_out_while_the_power_is_off_is_gone(rig: Rig) -> None:
    rig.escrow()
    rig.device.cut_power()
    assert rig.device.pull_back()
    rig.device.restore_power()
    rig.now += 1_000 * MS
    assert rig.status() == S.POWER_UP
    assert rig.device.returned == [2000]


def test_reset_makes_the_unit_forget_and_give_back_a_note_in_escrow(rig: Rig) -> None:
    rig.escrow()
    restart(rig)
    assert rig.device.returned == [2000]


# --- hands and faults ---------------------------------------------------------------------------------------------


def test_a_stacking_note_can_be_pulled_back_before_the_lever_and_not_after(rig: Rig) -> None:
    rig.escrow().ask(HostCommand.STACK_2)
    assert rig.device.pull_back()
    assert rig.poll() == (S.REJECTING, b"\x75")
    rig.until(S.IDLING)
    past_the_lever(rig)
    assert not rig.device.pull_back()
    rig.until(S.VEND_VALID)
    assert (rig.device.returned, rig.device.cashbox) == ([2000], [2000])


def test_a_jammed_stacking_note_may_still_end_in_vend_valid(rig: Rig) -> None:
    rig.escrow().ask(HostCommand.STACK_2)
    rig.device.jam("stacker")
    rig.wait(60_000)
    assert rig.status() == S.JAM_IN_STACKER
    assert rig.device.inside == 2000
    rig.device.clear_jam("stack")
    assert rig.status() == S.STACKING
    rig.until(S.VEND_VALID)
    assert rig.device.cashbox == [2000]


def test_a_jammed_stacking_note_may_be_returned_without_credit(rig: Rig) -> None:
    rig.escrow().ask(HostCommand.STACK_2)
    rig.device.jam("stacker")
    rig.wait(1_000)
    rig.device.clear_jam("return")
    assert rig.until(S.REJECTING) == b"\x75"
    rig.wait(500)
    rig.device.take_rejected()
    assert rig.status() == S.IDLING
    assert rig.device.returned == [2000]


def test_a_jammed_note_taken_out_by_hand_leaves_only_initialise_on_the_wire(rig: Rig) -> None:
    rig.escrow().ask(HostCommand.STACK_2)
    rig.device.jam("stacker")
    rig.device.clear_jam("take")
    assert rig.status() == S.INITIALIZE
    rig.until(S.DISABLED)
    assert rig.device.returned == [2000]


def test_a_note_past_the_lever_cannot_come_back_out_of_a_jam(rig: Rig) -> None:
    past_the_lever(rig)
    rig.device.jam("stacker")
    rig.wait(1_000)
    rig.device.clear_jam("return")
    rig.until(S.VEND_VALID)
    assert rig.device.cashbox == [2000]


def test_a_jam_stops_operations_and_survives_reset(rig: Rig) -> None:
    rig.escrow()
    rig.device.jam("acceptor")
    assert rig.status() == S.JAM_IN_ACCEPTOR
    assert rig.ask(HostCommand.STACK_2) == (S.INVALID_COMMAND, b"")
    rig.ask(HostCommand.RESET)
    rig.until(S.JAM_IN_ACCEPTOR)
    assert rig.device.inside == 2000
    rig.device.clear_jam()
    rig.until(S.DISABLED)
    assert rig.device.returned == [2000]


def test_an_open_stacker_is_a_level_and_costs_the_settings(rig: Rig) -> None:
    rig.device.remove_cashbox()
    rig.wait(10_000)
    assert rig.status() == S.STACKER_OPEN
    assert not rig.device.insert(2000)
    rig.device.insert_cashbox()
    assert rig.status() == S.INITIALIZE
    rig.until(S.DISABLED)


@pytest.mark.parametrize(("outcome", "box", "back"), [("return", [], [2000]), ("stack", [2000], [])])
def test_a_note_caught_by_an_open_stacker_ends_as_scripted(
    rig: Rig, outcome: str, box: list[int], back: list[int]
) -> None:
    rig.device.after_fault(outcome)
    rig.escrow().ask(HostCommand.STACK_2)
    rig.device.remove_cashbox()
    rig.wait(2_000)
    rig.device.insert_cashbox()
    if box:
        rig.until(S.VEND_VALID)
    else:
        assert rig.until(S.REJECTING) == b"\x7c"
        assert rig.device.take_rejected()
        rig.wait(1_000)
    assert (rig.device.cashbox, rig.device.returned) == (box, back)


def test_vend_valid_comes_again_after_the_box_was_out(rig: Rig) -> None:
    rig.escrow().ask(HostCommand.STACK_2)
    rig.until(S.VEND_VALID)
    rig.device.remove_cashbox()
    assert rig.status() == S.STACKER_OPEN
    rig.device.insert_cashbox(empty=True)
    rig.until(S.VEND_VALID)
    assert (rig.device.cashbox, rig.device.collected) == ([], [2000])


def test_a_full_stacker_lets_a_note_inside_end_and_takes_no_other(rig: Rig) -> None:
    rig.escrow()
    rig.device.fill_stacker()
    assert rig.ask(HostCommand.STACK_2) == (S.ACK, b"")
    rig.until(S.VEND_VALID)
    rig.ask(HostCommand.ACK)
    rig.until(S.STACKER_FULL)
    assert not rig.device.insert(2000)
    rig.device.remove_cashbox()
    rig.device.insert_cashbox(empty=True)
    rig.until(S.DISABLED)


def test_a_caught_cheat_leaves_with_the_note_and_the_unit_initialises(rig: Rig) -> None:
    rig.escrow().ask(HostCommand.STACK_2)
    rig.device.cheat()
    assert rig.status() == S.CHEATED
    assert (rig.device.returned, rig.device.inside) == ([2000], None)
    rig.wait(4_000)
    assert rig.status() == S.CHEATED
    rig.until(S.INITIALIZE)
    rig.until(S.DISABLED)
    assert rig.device.cashbox == []


def test_a_second_note_at_the_mouth_pauses_the_first_one(rig: Rig) -> None:
    rig.escrow().ask(HostCommand.STACK_2)
    rig.device.push_second_note()
    rig.wait(5_000)
    assert rig.status() == S.PAUSE
    rig.device.take_second_note()
    rig.until(S.VEND_VALID)


def test_a_failure_tells_its_code_and_stays_until_mended(rig: Rig) -> None:
    rig.device.fail(0xA2)
    assert rig.poll() == (S.FAILURE, b"\xa2")
    rig.ask(HostCommand.RESET)
    rig.wait(3_000)
    assert rig.poll() == (S.FAILURE, b"\xa2")
    rig.device.mend()
    rig.until(S.DISABLED)


def test_there_is_nothing_else_to_jam(rig: Rig) -> None:
    with pytest.raises(SimulatorError):
        rig.device.jam("printer")
    with pytest.raises(SimulatorError):
        rig.device.after_fault("guess")


# --- scripted misbehaviour ----------------------------------------------------------------------------------------


def test_a_lost_reply_was_carried_out_all_the_same(rig: Rig) -> None:
    rig.escrow()
    rig.device.lose_replies(1)
    assert rig.ask(HostCommand.STACK_2) is None
    assert rig.status() == S.STACKING


def test_garbled_replies_never_pass_for_a_frame(rig: Rig) -> None:
    rig.device.garble_replies(5)
    for _ in range(5):
        rig.device.received(encode(HostCommand.STATUS_REQUEST), rig.now)
        decoder = Decoder()
        items = [item for raw in rig.device.take_outbound() for item in decoder.feed(raw)] + decoder.abandon()
        assert items
        assert all(isinstance(item, FrameFault) for item in items)
    assert rig.status() == S.IDLING


def test_a_mute_unit_hears_and_acts(rig: Rig) -> None:
    rig.escrow()
    rig.device.mute()
    assert rig.ask(HostCommand.STACK_2) is None
    rig.wait(2_000)
    rig.device.mute(False)
    assert rig.status() == S.VEND_VALID


def test_the_same_note_can_be_reported_in_escrow_twice(rig: Rig) -> None:
    rig.device.repeat_escrow()
    rig.escrow().ask(HostCommand.STACK_2)
    assert rig.status() == S.STACKING
    rig.until(S.ESCROW)
    assert rig.ask(HostCommand.STACK_2) == (S.ACK, b"")
    rig.until(S.VEND_VALID)
    assert rig.device.cashbox == [2000]


def test_a_unit_can_stack_by_itself(rig: Rig) -> None:
    assert not rig.device.stack_by_itself()
    rig.ask(HostCommand.SET_INHIBIT, b"\x01")
    assert rig.device.insert(2000, force=True)
    rig.until(S.ESCROW)
    assert rig.device.stack_by_itself()
    rig.until(S.VEND_VALID)
    assert rig.device.cashbox == [2000]


def test_an_unknown_code_is_answered_as_often_as_asked(rig: Rig) -> None:
    rig.device.answer_unknown(0x7F, 2)
    assert [rig.status() for _ in range(3)] == [0x7F, 0x7F, S.IDLING]


def test_a_cheat_ends_with_the_start_behind_a_box_exchange(rig: Rig) -> None:
    rig.escrow()
    rig.device.cheat()
    rig.device.remove_cashbox()
    rig.wait(1_000)
    rig.device.insert_cashbox()
    rig.wait(10_000)
    assert rig.status() == S.DISABLED
