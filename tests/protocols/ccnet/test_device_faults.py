"""The simulated CCNET unit in trouble: power cuts at every stage, boxes, jams, cheats, scripted line faults."""

from __future__ import annotations

import pytest

from kiosk.errors import SimulatorError
from kiosk.protocols.ccnet.codes import DeviceState as S
from kiosk.protocols.ccnet.codes import HostCommand as C
from tests.protocols.ccnet.validator_rig import ACKED, ILLEGAL, TWENTY, Desk, ready


def cycle(desk: Desk) -> None:
    """Cut the power and give it back."""
    desk.device.cut_power()
    desk.wait(2_000)
    desk.device.restore_power()
    desk.wait(400)


def whole(desk: Desk) -> int:
    """Count the notes, wherever they are."""
    device = desk.device
    return len(device.cashbox) + len(device.collected) + len(device.returned) + int(device.inside is not None)


def test_without_power_it_says_nothing_and_while_it_boots_neither() -> None:
    desk = ready()
    desk.device.cut_power()
    assert desk.poll() is None
    desk.device.restore_power()
    desk.wait(100)
    assert desk.poll() is None
    desk.wait(300)
    assert desk.poll() == bytes((S.POWER_UP,))


def test_a_power_up_state_stays_until_reset_and_takes_no_settings() -> None:
    desk = ready()
    cycle(desk)
    desk.wait(60_000)
    assert desk.poll() == bytes((S.POWER_UP,))
    assert desk.send(C.ENABLE_BILL_TYPES, bytes(6)) == ILLEGAL
    assert desk.send(C.RESET) == ACKED
    assert desk.poll() == bytes((S.INITIALIZE,))
    desk.wait(2_000)
    assert desk.poll() == bytes((S.UNIT_DISABLED,))  # the masks are lost
    lax = Desk(settings_in_power_up=True)
    assert lax.send(C.ENABLE_BILL_TYPES, bytes(6)) == ACKED


@pytest.mark.parametrize("stage", ["accepting", "escrow", "held", "stacking", "returning", "rejecting"])
def test_a_note_that_can_come_back_powers_up_in_the_validator_and_comes_back(stage: str) -> None:
    desk = ready()
    if stage in ("accepting", "rejecting"):
        if stage == "rejecting":
            desk.device.reject_next()
        desk.device.insert(2000)
        desk.wait(300 if stage == "accepting" else 700)
    else:
        desk.escrow()
        for command in {"held": (C.HOLD,), "stacking": (C.STACK,), "returning": (C.RETURN,)}.get(stage, ()):
            desk.send(command)
        desk.wait(200)
    cycle(desk)
    assert desk.poll() == bytes((S.POWER_UP_BILL_IN_VALIDATOR,))
    assert desk.device.inside == 2000
    desk.send(C.RESET)
    desk.wait(2_000)
    assert desk.poll() == bytes((S.UNIT_DISABLED,))
    assert (desk.device.returned, desk.device.cashbox) == ([2000], [])


@pytest.mark.parametrize("told", [False, True], ids=["silent", "told"])
@pytest.mark.parametrize("after_ms", [600, 1_000], ids=["past the lever", "in the box"])
def test_a_note_past_the_point_of_return_powers_up_in_the_stacker_and_is_finished(told: bool, after_ms: int) -> None:
    desk = ready(stacked_after_0x12=told)
    desk.escrow()
    desk.send(C.STACK)
    desk.wait(after_ms)
    cycle(desk)
    assert desk.poll() == bytes((S.POWER_UP_BILL_IN_STACKER,))
    desk.send(C.RESET)
    desk.wait(2_000)
    assert desk.device.cashbox == [2000]
    assert desk.poll() == (bytes((S.BILL_STACKED, TWENTY)) if told else bytes((S.UNIT_DISABLED,)))
    assert desk.poll() == bytes((S.UNIT_DISABLED,))


def test_the_return_after_a_power_up_can_be_told() -> None:
    desk = ready(returned_after_0x11=True)
    desk.escrow()
    cycle(desk)
    desk.send(C.RESET)
    desk.wait(1_700)
    assert desk.poll() == bytes((S.RETURNING,))
    desk.wait(600)
    assert desk.poll() == bytes((S.BILL_RETURNED, TWENTY))
    assert desk.device.returned == [2000]


def test_an_acknowledged_note_is_forgotten_by_a_power_cut() -> None:
    desk = ready()
    desk.stacked()
    desk.poll()
    cycle(desk)
    assert desk.poll() == bytes((S.POWER_UP,))


def test_reset_with_a_note_in_escrow_gives_it_back() -> None:
    desk = ready()
    desk.escrow()
    desk.send(C.RESET)
    desk.wait(2_000)
    assert (desk.device.returned, desk.device.inside) == ([2000], None)


def test_a_unit_can_be_busy_instead_of_initialising() -> None:
    desk = Desk(busy_for_initialize=True)
    desk.send(C.RESET)
    assert desk.poll() == bytes((S.DEVICE_BUSY,))
    assert desk.send(C.IDENTIFICATION) == ILLEGAL


def test_the_box_is_seen_and_its_return_initialises_without_settings() -> None:
    desk = ready()
    desk.stacked()
    desk.poll()
    desk.device.remove_cashbox()
    assert desk.poll() == bytes((S.DROP_CASSETTE_OUT_OF_POSITION,))
    assert not desk.device.can_insert
    desk.device.insert_cashbox(empty=True)
    assert (desk.device.cashbox, desk.device.collected) == ([], [2000])
    assert desk.poll() == bytes((S.INITIALIZE,))
    desk.wait(2_000)
    assert desk.poll() == bytes((S.UNIT_DISABLED,))
    other = ready(power_up_at_cassette=True)
    other.device.remove_cashbox()
    other.device.insert_cashbox()
    assert other.poll() == bytes((S.POWER_UP,))


def test_an_event_outlives_the_box() -> None:
    desk = ready()
    desk.stacked()
    desk.device.remove_cashbox()
    assert desk.poll() == bytes((S.DROP_CASSETTE_OUT_OF_POSITION,))
    desk.device.insert_cashbox()
    desk.wait(2_000)
    assert desk.poll() == bytes((S.BILL_STACKED, TWENTY))
    assert desk.poll() == bytes((S.UNIT_DISABLED,))


def test_a_full_box_takes_nothing_until_it_is_emptied() -> None:
    desk = ready()
    desk.device.fill_stacker()
    assert desk.poll() == bytes((S.DROP_CASSETTE_FULL,))
    assert not desk.device.insert(2000)
    desk.device.remove_cashbox()
    desk.device.insert_cashbox(empty=True)
    desk.wait(2_000)
    desk.enable()
    assert desk.device.insert(2000)


@pytest.mark.parametrize(("where", "state"), [("acceptor", S.VALIDATOR_JAMMED), ("stacker", S.DROP_CASSETTE_JAMMED)])
def test_a_jam_stays_until_hands_and_reset(where: str, state: S) -> None:
    desk = ready()
    desk.escrow()
    desk.send(C.STACK)
    desk.wait(200)
    desk.device.jam(where)
    assert desk.poll() == bytes((state,))
    desk.send(C.RESET)
    desk.wait(2_000)
    assert desk.poll() == bytes((state,))  # nobody opened it
    desk.device.clear_jam()
    assert desk.poll() == bytes((state,))
    desk.send(C.RESET)
    desk.wait(2_000)
    assert desk.poll() == bytes((S.UNIT_DISABLED,))
    assert whole(desk) == 1
    assert desk.device.returned == [2000]


@pytest.mark.parametrize(("outcome", "end"), [("return", "returned"), ("take", "returned"), ("stack", "cashbox")])
def test_a_cleared_jam_ends_as_the_hands_say(outcome: str, end: str) -> None:
    desk = ready(jam_needs_reset=False)
    desk.escrow()
    desk.send(C.STACK)
    desk.wait(200)
    desk.device.jam("stacker")
    desk.wait(5_000)
    assert desk.device.inside == 2000
    desk.device.clear_jam(outcome)
    desk.wait(2_000)
    desk.device.take_rejected()
    desk.wait(500)
    assert getattr(desk.device, end) == [2000]
    assert whole(desk) == 1
    if outcome == "stack":
        assert desk.poll() == bytes((S.BILL_STACKED, TWENTY))


def test_a_note_in_escrow_is_never_stacked_by_clearing_a_jam() -> None:
    desk = ready(jam_needs_reset=False)
    desk.escrow()
    desk.device.jam("acceptor")
    desk.device.clear_jam("stack")
    desk.wait(2_000)
    assert (desk.poll() or b"")[0] == S.REJECTING
    assert desk.device.cashbox == []


def test_strange_hands_are_refused() -> None:
    desk = ready()
    for act in (
        lambda: desk.device.jam("door"),
        lambda: desk.device.clear_jam("eat"),
        lambda: desk.device.after_fault("x"),
    ):
        with pytest.raises(SimulatorError):
            act()


def test_cheated_passes_by_itself_and_the_note_goes_with_the_cheat() -> None:
    desk = ready()
    desk.escrow()
    desk.device.cheat()
    assert desk.poll() == bytes((S.CHEATED,))
    desk.wait(2_500)
    assert desk.poll() == bytes((S.IDLING,))
    assert desk.device.returned == [2000]


def test_a_cheat_behind_the_point_of_return_keeps_the_note_and_its_event() -> None:
    desk = ready()
    desk.escrow()
    desk.send(C.STACK)
    desk.wait(600)
    desk.device.cheat()
    assert desk.poll() == bytes((S.CHEATED,))
    desk.wait(3_500)
    assert desk.poll() == bytes((S.BILL_STACKED, TWENTY))
    assert (desk.device.cashbox, desk.device.returned) == ([2000], [])


def test_a_failure_names_its_code_and_a_mended_unit_initialises() -> None:
    desk = ready()
    desk.device.fail(0x50)
    assert desk.poll() == bytes((S.FAILURE, 0x50))
    desk.device.mend()
    desk.wait(2_000)
    assert desk.poll() == bytes((S.UNIT_DISABLED,))


def test_a_second_note_pauses_the_unit() -> None:
    desk = ready()
    desk.escrow()
    desk.device.push_second_note()
    assert desk.poll() == bytes((S.PAUSE,))
    assert desk.send(C.STACK) == ILLEGAL
    desk.device.take_second_note()
    assert desk.poll() == bytes((S.ESCROW_POSITION, TWENTY))


def test_a_note_can_be_pulled_out_until_it_is_past_the_lever() -> None:
    desk = ready()
    desk.escrow()
    desk.send(C.STACK)
    desk.wait(200)
    assert desk.device.pull_back()
    assert (desk.poll() or b"")[0] == S.REJECTING
    desk.wait(1_000)
    desk.escrow()
    desk.send(C.STACK)
    desk.wait(600)
    assert not desk.device.pull_back()
    assert desk.device.returned == [2000]


def test_a_unit_can_stack_by_itself() -> None:
    desk = ready()
    assert not desk.device.stack_by_itself()
    desk.escrow()
    assert desk.device.stack_by_itself()
    desk.wait(1_000)
    assert desk.poll() == bytes((S.BILL_STACKED, TWENTY))


def test_lost_garbled_and_muted_replies_are_carried_out_all_the_same() -> None:
    desk = ready()
    desk.escrow()
    desk.device.lose_replies(1)
    assert desk.send(C.STACK) is None
    desk.wait(1_000)
    desk.device.mute()
    assert desk.poll() is None
    desk.device.mute(False)
    assert desk.poll() == bytes((S.BILL_STACKED, TWENTY))
    desk.device.garble_replies(1)
    with pytest.raises(AssertionError):
        desk.poll()
    assert desk.device.counters["lost"] == 2


def test_an_unknown_state_is_shown_once() -> None:
    desk = ready()
    desk.device.show_unknown(0x99)
    assert desk.poll() == b"\x99"
    assert desk.poll() == bytes((S.IDLING,))
