"""The simulated acceptor behaves as the ID003 sheet says: requests, settings, the life of a note."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kiosk.protocols.id003.codes import SETTINGS, HostCommand
from kiosk.protocols.id003.codes import DeviceStatus as S
from kiosk.protocols.id003.device import Id003Device
from kiosk.protocols.id003.frames import encode
from kiosk.protocols.id003.payloads import denomination_bits, parse_currency_table, parse_version
from kiosk.protocols.id003.units import EUR_UNIT, USD_UNIT, Speeds
from tests.protocols.id003.acceptor_rig import MS, Rig


@pytest.fixture
def rig() -> Rig:
    return Rig().ready()


# --- requests and settings ------------------------------------------------------------------------------------


def test_a_fresh_unit_shows_power_up_until_reset_and_refuses_settings_before() -> None:
    rig = Rig()
    assert rig.poll() == (S.POWER_UP, b"")
    rig.wait(60_000)
    assert rig.poll() == (S.POWER_UP, b"")
    assert rig.ask(HostCommand.SET_INHIBIT, b"\x00") == (S.INVALID_COMMAND, b"")
    assert parse_version((rig.ask(HostCommand.VERSION_REQUEST) or (0, b""))[1]).country == "USA"


def test_the_hosts_ack_is_never_answered(rig: Rig) -> None:
    assert rig.ask(HostCommand.ACK) is None
    rig.escrow()
    assert rig.ask(HostCommand.ACK) is None
    assert rig.status() == S.ESCROW


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_setting_is_echoed_read_back_and_lost_by_reset(rig: Rig, setting: object) -> None:
    (row,) = [item for item in SETTINGS if item is setting]
    data = b"\x01" if row.sizes == (1,) else b"\x01\x12" if row.name == "barcode function" else b"\x02\x01"
    assert rig.ask(row.set_code, data) == (row.set_code, data)
    assert rig.ask(row.get_code) == (row.get_code, data)
    assert rig.ask(row.set_code, b"") == (S.INVALID_COMMAND, b"")
    rig.ask(HostCommand.RESET)
    assert rig.ask(row.get_code) == (row.get_code, row.default)


def test_after_reset_the_unit_initialises_and_stays_disabled_until_the_inhibit_is_lifted() -> None:
    rig = Rig()
    assert rig.ask(HostCommand.RESET) == (S.ACK, b"")
    rig.until(S.DISABLED)
    rig.wait(5_000)
    assert not rig.device.insert(2000)
    rig.ask(HostCommand.SET_INHIBIT, b"\x00")
    assert rig.status() == S.IDLING
    rig.ask(HostCommand.SET_INHIBIT, b"\x01")
    assert rig.status() == S.DISABLED


def test_a_wrong_crc_is_answered_with_communication_error_and_other_rubbish_with_nothing(rig: Rig) -> None:
    rig.device.received(b"\xfc\x05\x11\x27\x57", rig.now)
    assert rig.answer() == (S.COMMUNICATION_ERROR, b"")
    rig.device.received(b"\x00\x11\x22", rig.now)
    assert rig.answer() is None
    assert rig.status() == S.IDLING


@pytest.mark.parametrize("code", [0x00, 0x49, 0x70, 0xCD, 0xDC, 0xF0, 0xFF])
def test_a_command_the_unit_lacks_is_answered_with_invalid_command(rig: Rig, code: int) -> None:
    assert rig.ask(code) == (S.INVALID_COMMAND, b"")


@pytest.mark.parametrize("code", [0x41, 0x42, 0x43, 0x44, 0x45])
def test_an_operation_without_a_note_is_not_valid_now(rig: Rig, code: int) -> None:
    assert rig.ask(code) == (S.INVALID_COMMAND, b"")


def test_a_frame_that_stands_still_is_given_up_and_the_next_one_is_heard(rig: Rig) -> None:
    rig.device.received(b"\xfc\x20\x11", rig.now)
    assert rig.device.deadline() is not None
    rig.now += 200 * MS
    assert rig.status() == S.IDLING


def test_interrupt_mode_says_enq_on_each_change(rig: Rig) -> None:
    rig.device.received(encode(HostCommand.SET_COMMUNICATION_MODE, b"\x01"), rig.now)
    rig.device.take_outbound()
    assert rig.device.insert(2000)
    rig.now += 10 * MS
    rig.device.tick(rig.now)
    assert rig.answer() == (S.ENQ, b"")
    assert rig.status() == S.ACCEPTING
    rig.now += 700 * MS
    rig.device.tick(rig.now)
    assert rig.answer() == (S.ENQ, b"")
    assert rig.ask(HostCommand.SET_COMMUNICATION_MODE, b"\x02") == (S.INVALID_COMMAND, b"")


def test_the_eur_table_is_the_reply_of_a_real_unit_byte_for_byte() -> None:
    device = Id003Device(EUR_UNIT)
    device.received(encode(HostCommand.CURRENCY_ASSIGN_REQUEST), 0)
    assert device.take_outbound() == [
        bytes.fromhex(
            "FC258A6100000062E0050063E00A0064E0140065E0320066E00A0167E0140168E0320105C1",
        )
    ]


def test_the_usd_table_reads_back_as_seven_notes() -> None:
    rig = Rig()
    table = parse_currency_table((rig.ask(HostCommand.CURRENCY_ASSIGN_REQUEST) or (0, b""))[1])
    assert [slot.minor(2) for slot in table if slot.used] == [100, 200, 500, 1000, 2000, 5000, 10000]
    assert {slot.currency for slot in table if slot.used} == {"USD"}


# --- the life of a note -----------------------------------------------------------------------------------------


def test_a_note_goes_through_every_stage_to_the_box(rig: Rig) -> None:
    rig.device.insert(2000)
    assert rig.status() == S.ACCEPTING
    assert rig.until(S.ESCROW) == b"\x65"
    assert rig.ask(HostCommand.STACK_2) == (S.ACK, b"")
    assert rig.status() == S.STACKING
    assert rig.device.cashbox == []
    assert rig.until(S.VEND_VALID) == b""
    assert rig.device.cashbox == [2000]
    assert rig.ask(HostCommand.ACK) is None
    assert rig.status() == S.STACKED
    rig.until(S.IDLING)
    assert (rig.device.cashbox, rig.device.inside) == ([2000], None)


def test_vend_valid_is_a_level_until_it_is_acknowledged(rig: Rig) -> None:
    rig.escrow().ask(HostCommand.STACK_2)
    rig.until(S.VEND_VALID)
    rig.device.lose_acks(1)
    rig.ask(HostCommand.ACK)
    rig.wait(30_000)
    assert rig.status() == S.VEND_VALID
    rig.ask(HostCommand.ACK)
    assert rig.status() == S.STACKED
    assert rig.device.cashbox == [2000]


def test_with_stack_1_vend_valid_comes_before_the_note_is_fully_in(rig: Rig) -> None:
    rig.escrow().ask(HostCommand.STACK_1)
    rig.until(S.VEND_VALID)
    assert (rig.device.cashbox, rig.device.inside) == ([], 2000)
    rig.ask(HostCommand.ACK)
    assert rig.status() == S.STACKED
    rig.until(S.IDLING)
    assert rig.device.cashbox == [2000]


def test_a_returned_note_goes_back_through_returning(rig: Rig) -> None:
    rig.escrow()
    assert rig.ask(HostCommand.RETURN) == (S.ACK, b"")
    assert rig.status() == S.RETURNING
    rig.until(S.IDLING)
    assert (rig.device.returned, rig.device.cashbox) == ([2000], [])


def test_escrow_without_a_decision_ends_in_rejecting_79_until_the_note_is_taken(rig: Rig) -> None:
    rig.escrow()
    rig.wait(9_000)
    assert rig.status() == S.ESCROW
    assert rig.until(S.REJECTING, 2_000) == b"\x79"
    rig.wait(60_000)
    assert rig.status() == S.REJECTING
    assert rig.device.inside == 2000
    assert rig.device.take_rejected()
    assert rig.status() == S.IDLING
    assert rig.device.returned == [2000]


def test_hold_repeated_keeps_the_note_beyond_the_limit(rig: Rig) -> None:
    rig.escrow()
    for _ in range(4):
        assert rig.ask(HostCommand.HOLD) == (S.ACK, b"")
        rig.wait(8_000)
        assert rig.status() == S.HOLDING
    assert rig.ask(HostCommand.STACK_2) == (S.ACK, b"")
    rig.until(S.VEND_VALID)


def test_an_inhibited_denomination_is_rejected_with_79(rig: Rig) -> None:
    rig.ask(HostCommand.SET_DENOMINATION, denomination_bits([0x65]))
    rig.device.insert(2000)
    assert rig.until(S.REJECTING) == b"\x79"
    rig.device.take_rejected()
    rig.until(S.IDLING)
    rig.escrow(1000)


def test_a_note_that_the_unit_does_not_know_is_rejected(rig: Rig) -> None:
    rig.device.insert(1234)
    assert rig.until(S.REJECTING) == b"\x76"


def test_a_note_in_a_refused_direction_is_rejected_with_79(rig: Rig) -> None:
    rig.ask(HostCommand.SET_DIRECTION, b"\x04")
    rig.device.insert(2000, direction=4)
    assert rig.until(S.REJECTING) == b"\x79"
    rig.device.take_rejected()
    rig.until(S.IDLING)
    rig.escrow(1000)


def test_a_barcode_ticket_shows_its_text_and_is_no_money(rig: Rig) -> None:
    rig.device.insert_ticket("123456789012345678")
    assert rig.until(S.REJECTING) == b"\x91"
    rig.device.take_rejected()
    rig.until(S.IDLING)
    rig.ask(HostCommand.SET_BAR_INHIBIT, b"\xfc")
    rig.device.insert_ticket("123456789012345678")
    assert rig.until(S.ESCROW) == b"\x6f123456789012345678"
    rig.ask(HostCommand.STACK_2)
    rig.until(S.VEND_VALID)
    assert (rig.device.cashbox, rig.device.returned, rig.device.inside) == ([], [], None)


def test_notes_are_refused_by_bit_0_of_the_bar_inhibit(rig: Rig) -> None:
    rig.ask(HostCommand.SET_BAR_INHIBIT, b"\xfd")
    rig.device.insert(2000)
    assert rig.until(S.REJECTING) == b"\x79"


def test_an_inhibit_does_not_stop_a_note_that_is_inside(rig: Rig) -> None:
    rig.device.insert(2000)
    rig.ask(HostCommand.SET_INHIBIT, b"\x01")
    rig.until(S.ESCROW)
    rig.ask(HostCommand.RETURN)
    rig.until(S.DISABLED)
    assert rig.device.returned == [2000]


def test_a_note_goes_back_unreported_when_nobody_polls_for_three_seconds(rig: Rig) -> None:
    rig.escrow()
    rig.wait(2_900, polling=False)
    assert rig.status() == S.ESCROW
    rig.wait(3_100, polling=False)
    assert rig.status() == S.IDLING
    assert rig.device.returned == [2000]


def test_a_second_note_cannot_be_fed_while_one_is_inside(rig: Rig) -> None:
    rig.escrow()
    assert not rig.device.insert(1000)
    rig.ask(HostCommand.STACK_2)
    assert not rig.device.insert(1000)
    assert rig.accounted() == 2000


def test_vend_valid_left_alone_for_too_long_hangs_a_unit_that_has_this_habit() -> None:
    rig = Rig(replace(USD_UNIT, vend_valid_patience_ms=60_000)).ready()
    rig.escrow().ask(HostCommand.STACK_2)
    rig.until(S.VEND_VALID)
    rig.wait(61_000)
    assert rig.poll() is None
    assert rig.ask(HostCommand.RESET) == (S.ACK, b"")
    rig.until(S.DISABLED)
    assert rig.device.cashbox == [2000]


def test_vend_valid_can_carry_the_note_code() -> None:
    rig = Rig(replace(USD_UNIT, vend_valid_with_code=True)).ready()
    rig.escrow().ask(HostCommand.STACK_2)
    assert rig.until(S.VEND_VALID) == b"\x65"


@given(st.lists(st.tuples(st.integers(0, 16), st.integers(0, 1500)), max_size=40), st.booleans())
@settings(max_examples=150, deadline=None)
def test_whatever_happens_every_fed_note_is_in_exactly_one_place(acts: list[tuple[int, int]], late: bool) -> None:
    unit = replace(USD_UNIT, speeds=Speeds(initialize_ms=200), vend_valid_after_0x42=late)
    rig, fed = Rig(unit).ready(), 0
    device = rig.device
    hands = (
        device.pull_back, device.take_rejected, lambda: device.jam("stacker"), device.clear_jam,
        device.remove_cashbox, device.insert_cashbox, device.cheat, device.cut_power, device.restore_power,
        device.stack_by_itself, lambda: device.clear_jam("take"), lambda: device.insert_cashbox(empty=True),
    )  # fmt: skip
    asks = (HostCommand.STACK_2, HostCommand.RETURN, HostCommand.ACK, HostCommand.RESET)
    for act, ms in acts:
        if act < len(hands):
            hands[act]()
        elif act == len(hands):
            fed += 2000 if device.insert(2000, force=True) else 0
        else:
            rig.device.received(encode(asks[act - len(hands) - 1]), rig.now)
        rig.now += ms * MS
        device.tick(rig.now)
        device.take_outbound()
        assert rig.accounted() == fed
    # and the unit can always be brought back into service
    device.restore_power()
    device.clear_jam()
    device.insert_cashbox()
    rig.wait(10_000)
    device.take_rejected()
    rig.ask(HostCommand.RESET)
    rig.wait(1_000)
    if rig.status() == S.VEND_VALID:
        rig.ask(HostCommand.ACK)
        rig.wait(1_000)
    assert rig.status() == S.DISABLED
    assert device.inside is None
    assert rig.accounted() == fed
