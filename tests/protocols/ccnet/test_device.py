"""The simulated CCNET unit on the wire: states, orders, acknowledgements, settings."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.protocols.ccnet.codes import DeviceState as S
from kiosk.protocols.ccnet.codes import HostCommand as C
from kiosk.protocols.ccnet.device import CcnetDevice
from kiosk.protocols.ccnet.frames import encode
from kiosk.protocols.ccnet.payloads import parse_bill_table, parse_identification, type_mask
from kiosk.protocols.ccnet.units import EUR_UNIT, UNITS, USD_UNIT, Unit
from kiosk.simulators.note_unit import STAGES, NoteUnit
from tests.protocols.ccnet.validator_rig import ACKED, ILLEGAL, NAKED, TWENTY, Desk, ready


def test_it_is_what_every_simulated_note_acceptor_is() -> None:
    device = CcnetDevice()
    assert isinstance(device, NoteUnit)
    assert device.stage in STAGES


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_the_table_on_the_wire_is_the_table_of_the_unit(unit: Unit) -> None:
    desk = Desk(unit)
    table = desk.send(C.GET_BILL_TABLE)
    assert table is not None
    assert len(table) == 120
    assert parse_bill_table(table) == unit.slots
    assert {slot.currency for slot in unit.slots} == {unit.currency}
    assert desk.device.values == tuple(sorted(slot.minor(2) for slot in unit.slots))


def test_who_it_is_is_the_worked_frame_of_the_sheet() -> None:
    desk = Desk(EUR_UNIT)
    desk.device.received(encode(bytes((C.IDENTIFICATION,))), 0)
    assert [raw.hex(" ").upper() for raw in desk.device.take_outbound()] == [
        "02 03 27 46 4C 53 2D 45 55 31 30 2D 36 39 33 36 33 39 30 37 4B 49 34 31 41 53 37 34 38 32 75 ED 8D C8 03 3F 7B"
        " 35 DA"
    ]
    who = desk.send(C.IDENTIFICATION)
    assert who is not None
    assert parse_identification(who).serial == "07KI41AS7482"


def test_a_note_goes_its_way_and_is_told_step_by_step() -> None:
    desk = ready()
    assert desk.poll() == bytes((S.IDLING,))
    assert desk.device.insert(2000)
    assert desk.poll() == bytes((S.ACCEPTING,))
    desk.wait(700)
    assert desk.poll() == bytes((S.ESCROW_POSITION, TWENTY))
    assert desk.device.inside == 2000
    assert desk.send(C.STACK) == ACKED
    assert desk.poll() == bytes((S.STACKING,))
    desk.wait(1_000)
    assert desk.device.cashbox == [2000]
    assert desk.poll() == bytes((S.BILL_STACKED, TWENTY))
    assert desk.poll() == bytes((S.IDLING,))
    assert (desk.device.inside, desk.device.returned) == (None, [])


def test_a_note_is_returned_and_told_until_its_ack() -> None:
    desk = ready()
    desk.escrow()
    assert desk.send(C.RETURN) == ACKED
    assert desk.poll() == bytes((S.RETURNING,))
    desk.wait(700)
    assert desk.device.returned == [2000]
    for _ in range(3):
        assert desk.poll(ack=False) == bytes((S.BILL_RETURNED, TWENTY))
    assert desk.poll() == bytes((S.BILL_RETURNED, TWENTY))
    assert desk.poll() == bytes((S.IDLING,))


def test_an_event_is_kept_until_the_ack_that_follows_the_very_reply() -> None:
    desk = ready()
    desk.escrow()
    desk.send(C.STACK)
    stacking = desk.poll(ack=False)
    assert stacking == bytes((S.STACKING,))
    desk.wait(1_000)  # the state has changed meanwhile
    assert desk.send(C.ACK) is None  # of the STACKING reply
    assert desk.poll(ack=False) == bytes((S.BILL_STACKED, TWENTY))
    desk.send(C.GET_STATUS)
    assert desk.send(C.ACK) is None  # of GET STATUS
    assert desk.poll(ack=False) == bytes((S.BILL_STACKED, TWENTY))
    assert not desk.device.can_insert
    assert desk.send(C.ACK) is None
    assert desk.poll() == bytes((S.IDLING,))


def test_an_ack_behind_a_lost_reply_confirms_nothing() -> None:
    desk = ready()
    desk.stacked()
    desk.device.lose_replies(1)
    assert desk.send(C.POLL) is None
    desk.send(C.ACK)
    assert desk.poll(ack=False) == bytes((S.BILL_STACKED, TWENTY))


def test_lost_acks_let_an_event_be_told_again() -> None:
    desk = ready()
    desk.stacked()
    desk.device.lose_acks(2)
    assert [desk.poll() for _ in range(4)] == [bytes((S.BILL_STACKED, TWENTY))] * 3 + [bytes((S.IDLING,))]


def test_a_nak_of_the_host_brings_the_same_reply_again_and_its_ack_counts() -> None:
    desk = ready()
    desk.stacked()
    assert desk.poll(ack=False) == desk.send(C.NAK) == bytes((S.BILL_STACKED, TWENTY))
    desk.send(C.ACK)
    assert desk.poll() == bytes((S.IDLING,))
    deaf = ready(resends_on_nak=False)
    deaf.stacked()
    deaf.poll(ack=False)
    assert deaf.send(C.NAK) is None
    deaf.send(C.ACK)
    assert deaf.poll() == bytes((S.BILL_STACKED, TWENTY))


def test_a_damaged_command_is_answered_with_nak_and_one_for_another_address_with_nothing() -> None:
    damaged = bytearray(encode(bytes((C.STACK,))))
    damaged[4] ^= 1
    desk = ready()
    desk.escrow()
    assert desk.write(bytes(damaged)) == NAKED
    assert desk.poll() == bytes((S.ESCROW_POSITION, TWENTY))
    stranger = bytearray(encode(bytes((C.STACK,)), 0x01))
    assert desk.write(bytes(stranger)) is None
    stranger[4] ^= 1
    assert desk.write(bytes(stranger)) is None
    assert desk.poll() == bytes((S.ESCROW_POSITION, TWENTY))
    assert ready(naks_damaged=False).write(bytes(damaged)) is None


@pytest.mark.parametrize("command", [C.STACK, C.RETURN, C.HOLD, C.EXTRACT_BARCODE_DATA])
def test_an_order_for_a_note_that_is_not_there_is_illegal(command: C) -> None:
    desk = ready()
    assert desk.send(command) == ILLEGAL
    desk.device.insert(2000)
    assert desk.send(command) == ILLEGAL
    desk.wait(700)
    assert (desk.send(command) == ILLEGAL) is (command is C.EXTRACT_BARCODE_DATA)  # a note is no coupon


@pytest.mark.parametrize("command", [C.IDENTIFICATION, C.GET_BILL_TABLE])
def test_tables_are_told_only_by_a_unit_that_does_nothing(command: C) -> None:
    desk = ready()
    assert desk.send(command) == ILLEGAL
    desk.escrow()
    assert desk.send(command) == ILLEGAL
    desk.send(C.RETURN)
    desk.wait(700)
    desk.poll()
    assert desk.send(C.ENABLE_BILL_TYPES, bytes(6)) == ACKED
    assert desk.poll() == bytes((S.UNIT_DISABLED,))
    assert len(desk.send(command) or b"") > 30
    desk.device.jam("acceptor")
    assert len(desk.send(command) or b"") > 30


@pytest.mark.parametrize(
    ("command", "data"),
    [
        (C.ENABLE_BILL_TYPES, bytes(3)),
        (C.SET_SECURITY, b""),
        (C.POLL, b"\x00"),
        (C.RESET, b"\x01"),
        (C.SET_BARCODE_PARAMETERS, b"\x02\x10"),
        (C.SET_BARCODE_PARAMETERS, b"\x01\x13"),
        (C.DOWNLOAD, b""),
        (C.REQUEST_STATISTICS, b""),
    ],
)
def test_what_is_not_well_formed_or_not_known_is_illegal(command: C, data: bytes) -> None:
    desk = ready()
    assert desk.send(command, data) == ILLEGAL
    assert desk.device.counters["refused"] == 1


def test_unknown_codes_are_illegal_and_change_nothing() -> None:
    desk = ready()
    for code in (0x16, 0x3B, 0x62, 0x99):
        assert desk.write(encode(bytes((code,)))) == ILLEGAL
    assert desk.poll() == bytes((S.IDLING,))


def test_the_masks_decide_what_is_taken_and_what_waits_in_escrow() -> None:
    desk = ready(TWENTY)
    assert desk.send(C.GET_STATUS) == type_mask([TWENTY]) + bytes(3)
    assert desk.device.insert(1000)
    desk.wait(700)
    assert desk.poll() == bytes((S.REJECTING, 0x68))
    assert desk.device.take_rejected()
    desk.wait(1_000)
    desk.enable(TWENTY, escrow=())
    assert desk.device.insert(2000)
    desk.wait(2_000)
    assert desk.poll() == bytes((S.BILL_STACKED, TWENTY))  # without its escrow bit the unit stacks by itself
    assert desk.device.cashbox == [2000]


def test_security_and_options_are_kept_until_the_power_goes() -> None:
    desk = ready()
    assert desk.send(C.SET_SECURITY, b"\x01\x02\x03") == ACKED
    assert desk.send(C.SET_OPTIONS, b"\x00\x00\x00\x05") == ACKED
    assert (desk.send(C.GET_STATUS) or b"")[3:] == b"\x01\x02\x03"
    assert desk.send(C.GET_OPTIONS) == b"\x00\x00\x00\x05"
    assert desk.send(C.GET_CRC32) == USD_UNIT.crc32
    assert len(ready(long_status=True).send(C.GET_STATUS) or b"") == 9
    desk.device.cut_power()
    desk.device.restore_power()
    desk.wait(500)
    assert desk.send(C.GET_OPTIONS) == bytes(4)
    assert desk.send(C.GET_STATUS) == bytes(6)


def test_an_undecided_note_goes_back_after_ten_seconds_and_hold_prolongs_it() -> None:
    desk = ready()
    desk.escrow()
    desk.wait(9_000)
    assert desk.send(C.HOLD) == ACKED
    assert desk.poll() == bytes((S.HOLDING,))
    desk.wait(9_500)
    assert desk.poll() == bytes((S.HOLDING,))
    desk.wait(1_200)
    assert desk.poll() == bytes((S.BILL_RETURNED, TWENTY))
    assert desk.device.returned == [2000]


def test_a_held_note_can_be_stacked() -> None:
    desk = ready()
    desk.escrow()
    desk.send(C.HOLD)
    assert desk.send(C.STACK) == ACKED
    desk.wait(1_000)
    assert desk.poll() == bytes((S.BILL_STACKED, TWENTY))


def test_the_escrow_limit_can_be_set_where_the_unit_takes_it() -> None:
    limits = (2_000).to_bytes(4, "big") + (3_000).to_bytes(4, "big")
    assert ready().send(C.SET_ESCROW_TIMEOUTS, limits) == ILLEGAL
    desk = ready(unit=EUR_UNIT)
    assert desk.send(C.SET_ESCROW_TIMEOUTS, limits) == ACKED
    desk.escrow()
    desk.wait(2_700)
    assert desk.poll() == bytes((S.BILL_RETURNED, 2))


def test_a_coupon_is_read_and_is_no_money() -> None:
    desk = ready()
    assert desk.send(C.SET_BARCODE_PARAMETERS, b"\x01\x0c") == ACKED
    assert desk.device.insert_ticket("123456789012")
    desk.wait(700)
    assert desk.poll() == bytes((S.ESCROW_POSITION, 23))
    assert desk.send(C.EXTRACT_BARCODE_DATA) == b"123456789012"
    assert desk.device.inside is None
    desk.send(C.STACK)
    desk.wait(1_000)
    assert desk.poll() == bytes((S.BILL_STACKED, 23))
    assert (desk.device.cashbox, desk.device.returned) == ([], [])
    desk.device.insert_ticket("123456")
    desk.wait(700)
    assert desk.poll() == bytes((S.REJECTING, 0x93))


def test_a_rejected_note_stays_at_the_mouth_until_it_is_taken() -> None:
    desk = ready()
    desk.device.reject_next(0x61)
    desk.device.insert(2000)
    desk.wait(60_000)
    assert desk.poll() == bytes((S.REJECTING, 0x61))
    assert desk.device.inside == 2000
    assert desk.device.take_rejected()
    assert desk.poll() == bytes((S.IDLING,))
    assert desk.device.returned == [2000]


def test_paper_that_no_table_holds_is_rejected() -> None:
    desk = ready()
    desk.device.insert(777)
    desk.wait(700)
    assert desk.poll() == bytes((S.REJECTING, 0x65))


def test_an_inhibited_unit_takes_nothing_but_by_force() -> None:
    desk = Desk()
    desk.send(C.RESET)
    desk.wait(2_000)
    assert desk.poll() == bytes((S.UNIT_DISABLED,))
    assert not desk.device.insert(2000)
    assert desk.device.insert(2000, force=True)
    desk.wait(700)
    assert desk.poll() == bytes((S.REJECTING, 0x68))


@given(st.lists(st.binary(max_size=12), max_size=6))
@settings(max_examples=30, deadline=None)
def test_no_bytes_bring_it_down_or_money_out_of_it(rubbish: list[bytes]) -> None:
    desk = ready()
    desk.escrow()
    for data in rubbish:
        desk.device.received(data, desk.now)
        desk.wait(60)
    assert len(desk.device.cashbox) + len(desk.device.returned) + int(desk.device.inside is not None) == 1


def test_stage_and_shown_follow_the_state() -> None:
    desk = Desk()
    assert (desk.device.stage, desk.device.shown) == ("starting", "power up")
    desk.start()
    assert (desk.device.stage, desk.device.shown) == ("idle", "idling")
    desk.stacked()
    assert (desk.device.stage, desk.device.shown) == ("credit", "bill stacked")
    desk.device.cut_power()
    assert (desk.device.stage, desk.device.shown) == ("off", "no power")
