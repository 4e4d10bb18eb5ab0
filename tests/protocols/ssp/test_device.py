"""The simulated SSP validator as its sheet has it: packets, flags, the implicit escrow, the truth about notes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kiosk.protocols.ssp.frames import encode
from kiosk.protocols.ssp.payloads import parse_counters, parse_setup, parse_unit_data
from kiosk.protocols.ssp.units import EUR_UNIT, EXPANDED_EUR_UNIT, USD_UNIT, SspUnit
from kiosk.simulators.note_unit import STAGES, NoteUnit
from tests.protocols.ssp.validator_rig import (
    COUNTERS,
    DISABLE,
    ENABLE,
    EVENT_ACK,
    HOLD,
    INHIBITS,
    LAST_REJECT,
    OK,
    POLL,
    POLL_WITH_ACK,
    REJECT,
    RESET,
    SETUP,
    SYNC,
    VERSION,
    Rig,
)

TWENTY = "03"


@pytest.fixture
def rig() -> Rig:
    return Rig().ready()


def where(rig: Rig) -> tuple[list[int], list[int], int | None]:
    return rig.device.cashbox, rig.device.returned, rig.device.inside


# --- what every unit offers -------------------------------------------------------------------------------------------


def test_it_is_a_note_unit_like_any_other(rig: Rig) -> None:
    assert isinstance(rig.device, NoteUnit)
    assert rig.device.currency == "EUR"
    assert rig.device.values == (500, 1000, 2000, 5000, 10000, 20000, 50000)
    assert rig.device.stage in STAGES


# --- packets and flags ------------------------------------------------------------------------------------------------


def test_a_new_command_is_answered_once_with_its_own_flag_and_address() -> None:
    rig = Rig(replace(EUR_UNIT, address=5))
    rig.send(encode(5, 1, bytes((SYNC,))))
    assert rig.raw == encode(5, 1, OK)
    rig.send(encode(5, 0, bytes((0x20,))))
    assert rig.raw[1] == 5


def test_bad_checksums_and_foreign_addresses_get_silence(rig: Rig) -> None:
    raw = bytearray(encode(0, 1, bytes((POLL,))))
    raw[-1] ^= 1
    assert rig.send(bytes(raw)) == b""
    assert rig.send(encode(1, 1, bytes((POLL,)))) == b""
    assert rig.send(encode(0, 1, bytes((POLL,)))[:-1]) == b"", "a truncated body"
    assert rig.ask(SYNC) == OK, "the next packet is read all the same"


def test_a_repeated_flag_gets_the_last_answer_byte_for_byte_and_carries_nothing_out(rig: Rig) -> None:
    assert rig.device.insert(2000)
    rig.wait(900)
    assert rig.events() == [f"ef{TWENTY}"]
    first = rig.raw
    for _ in range(3):
        rig.again(POLL)
        assert rig.raw == first, "executed again it would have taken the note"
        rig.again(REJECT)
        assert rig.raw == first
    assert rig.device.stage == "escrow"
    assert rig.device.counters["replayed"] == 6


def test_a_lost_list_of_events_is_given_again_to_the_same_flag(rig: Rig) -> None:
    rig.escrow()
    rig.events()
    rig.wait(600)
    rig.device.lose_replies(1)
    assert rig.ask(POLL) == b""
    assert rig.events(rig.again(POLL)) == [f"ee{TWENTY}"]


def test_sync_is_always_carried_out_and_flag_0_follows_it(rig: Rig) -> None:
    for flag in (0, 1, 1, 0):
        assert rig.send(encode(0, flag, bytes((SYNC,)))) == OK
        assert len(rig.send(encode(0, 0, bytes((0x0C,))))) == 5, "executed as new"
        assert len(rig.send(encode(0, 1, bytes((0x20,))))) > 5


def test_sync_throws_the_memory_of_the_last_answer_away(rig: Rig) -> None:
    rig.escrow()
    rig.events()
    rig.wait(600)
    rig.device.lose_replies(1)
    rig.ask(POLL)
    rig.ask(SYNC)
    assert f"ee{TWENTY}" not in rig.events(rig.ask(POLL)), "the credit is lost on the wire"
    rig.wait(1_000)
    assert parse_counters(rig.ask(COUNTERS)[1:]).stacked == 1, "only the counter knows"


# --- generic responses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "data", "response"),
    [
        (0x99, b"", 0xF2), (0x22, b"", 0xF2), (POLL, b"\x00", 0xF3), (INHIBITS, b"", 0xF3), (VERSION, b"", 0xF3),
        (INHIBITS, bytes(4), 0xF3), (REJECT, b"", 0xF5), (HOLD, b"", 0xF5), (EVENT_ACK, b"", 0xF5),
        (VERSION, b"\x09", 0xF8), (VERSION, b"\x03", 0xF8), (0x4A, (15).to_bytes(8, "little"), 0xF4),
        (0x4C, bytes(8), 0xF8), (0x60, bytes(8), 0xF5), (0x4D, b"\x03\x00", 0xF4), (0x24, b"\x01\x01\x05", 0xF4),
        (0x4D, b"\x01\x00", 0xF0), (0x54, b"\x01\x02\x03\x00", 0xF0), (0x24, b"\x03\x01\x12", 0xF0), (0x03, b"", 0xF0),
    ],
)  # fmt: skip
def test_what_a_command_is_answered_with(rig: Rig, code: int, data: bytes, response: int) -> None:
    assert rig.ask(code, data)[0] == response


def test_a_real_unit_may_refuse_a_version_by_f4() -> None:
    rig = Rig(replace(EUR_UNIT, unsupported_version="out_of_range"))
    assert rig.ask(VERSION, b"\x09") == b"\xf4"


@pytest.mark.parametrize("response", [0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF8, 0xFA])
def test_any_response_can_be_scripted_and_then_nothing_is_carried_out(rig: Rig, response: int) -> None:
    rig.device.answer_next(response)
    assert rig.ask(DISABLE) == bytes((response,))
    assert rig.device.stage == "idle"
    assert rig.device.counters["refused"] == 1


# --- who it is --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 5, 6, 7, 8])
@pytest.mark.parametrize("unit", [EUR_UNIT, USD_UNIT], ids=["EUR", "USD"])
def test_the_set_up_reply_tells_the_same_values_at_every_version(unit: SspUnit, version: int) -> None:
    rig = Rig(unit)
    assert rig.ask(VERSION, bytes((version,))) == OK
    setup = parse_setup(rig.ask(SETUP)[1:])
    assert setup.protocol == version
    assert [channel.value * setup.real_multiplier for channel in setup.channels] == list(unit.values)
    assert {channel.country for channel in setup.channels} == {unit.currency}
    assert parse_unit_data(rig.ask(0x0D)[1:]).protocol == version


def test_a_dataset_without_value_bytes_is_told_by_its_expanded_values() -> None:
    rig = Rig(EXPANDED_EUR_UNIT)
    data = rig.ask(SETUP)[1:]
    assert data[12:19] == bytes(7)
    assert [channel.value for channel in parse_setup(data).channels] == [5, 10, 20, 50, 100, 200, 500]
    assert rig.ask(VERSION, b"\x05") == b"\xf8"


def test_channel_values_grow_at_version_6(rig: Rig) -> None:
    assert len(rig.ask(0x0E)) == 2 + 7 + 3 * 7 + 4 * 7
    rig.ask(VERSION, b"\x05")
    assert rig.ask(0x0E) == OK + bytes((7, 1, 2, 4, 10, 20, 40, 100))
    assert rig.ask(0x0F) == OK + b"\x07" + b"\x02" * 7


def test_serial_number_versions_and_revision_are_told(rig: Rig) -> None:
    assert int.from_bytes(rig.ask(0x0C)[1:], "big") == EUR_UNIT.serial
    assert int.from_bytes(rig.ask(0x0C, b"\x01")[1:], "big") == EUR_UNIT.serial
    assert rig.ask(0x21) == OK + b"EUR01604"
    assert rig.ask(0x4F) == OK + b"\x00\x14\x00"


# --- start ------------------------------------------------------------------------------------------------------------


def test_a_unit_tells_slave_reset_and_then_disabled_until_it_is_enabled() -> None:
    rig = Rig()
    assert rig.events(rig.ask(POLL)) == ["f1", "e8"]
    assert rig.events(rig.ask(POLL)) == ["e8"]
    assert not rig.device.can_insert
    rig.wait(3_000)
    rig.ask(ENABLE)
    assert not rig.device.can_insert, "every channel is inhibited"
    rig.ask(INHIBITS, b"\x04")
    assert rig.device.can_insert
    rig.ask(DISABLE)
    assert rig.events(rig.ask(POLL))[-1] == "e8"


def test_disabled_may_stand_in_one_poll_only() -> None:
    rig = Rig(replace(EUR_UNIT, repeats_disabled=False)).ready()
    rig.ask(DISABLE)
    assert rig.events(rig.ask(POLL)) == ["e8"]
    assert rig.events(rig.ask(POLL)) == []


@pytest.mark.parametrize(("version", "told"), [(4, []), (6, []), (7, ["b5"]), (8, ["b5"])])
def test_all_channels_inhibited_is_told_from_version_7_on(version: int, told: list[str]) -> None:
    rig = Rig().ready(version)
    rig.ask(INHIBITS, b"\x00\x00")
    assert rig.events(rig.ask(POLL)) == told
    assert not rig.device.can_insert


def test_initialising_stands_in_poll_with_ack_from_version_7_on() -> None:
    rig = Rig()
    rig.ask(VERSION, b"\x07")
    rig.version = 7
    assert "b6" in rig.events(rig.ask(POLL_WITH_ACK))
    assert "b6" not in rig.events(rig.ask(POLL))
    rig.ask(VERSION, b"\x06")
    assert "b6" not in rig.events(rig.ask(POLL_WITH_ACK))


def test_reset_restarts_the_unit_and_loses_what_it_was_told() -> None:
    rig = Rig().ready(8)
    assert rig.ask(RESET) == OK
    assert rig.ask(POLL) == b"", "it boots"
    rig.wait(600)
    assert rig.ask(SYNC) == OK
    rig.version = 6
    assert rig.events(rig.ask(POLL)) == ["f1", "e8"]
    assert parse_setup(rig.ask(SETUP)[1:]).protocol == 6
    assert not rig.device.can_insert


# --- the way of a note ------------------------------------------------------------------------------------------------


def test_the_poll_behind_the_one_that_showed_the_note_takes_it(rig: Rig) -> None:
    assert rig.device.insert(2000)
    assert rig.events() == ["ef00"]
    rig.wait(900)
    assert rig.events() == [f"ef{TWENTY}"]
    assert rig.device.stage == "escrow"
    assert rig.events() == ["cc"]
    rig.wait(600)
    assert rig.device.stage == "credit"
    assert rig.events() == [f"ee{TWENTY}"]
    assert where(rig) == ([], [], 2000), "credited, and not yet in the box"
    rig.wait(600)
    assert rig.events() == ["eb"]
    assert where(rig) == ([2000], [], None)
    assert rig.events() == []


def test_several_events_share_one_answer_in_the_order_of_occurrence(rig: Rig) -> None:
    rig.escrow()
    rig.events()
    rig.wait(2_000)
    assert rig.events() == [f"ee{TWENTY}", "eb"]
    rig.escrow(500)
    rig.device.stack_by_itself()
    rig.wait(2_000)
    assert rig.events() == ["cc", "ee01", "eb"]


def test_hold_keeps_a_note_as_long_as_it_is_sent(rig: Rig) -> None:
    rig.escrow()
    for _ in range(30):
        rig.wait(1_000)
        assert rig.ask(HOLD) == OK
    assert rig.device.stage == "escrow"
    assert rig.events() == ["cc"], "the next poll takes it"


def test_any_command_but_a_poll_keeps_it_too(rig: Rig) -> None:
    rig.escrow()
    for _ in range(4):
        rig.wait(9_000)
        rig.ask(0x20)
    assert rig.device.stage == "escrow"


def test_ten_seconds_without_a_command_send_it_back(rig: Rig) -> None:
    rig.escrow()
    rig.wait(10_100)
    assert rig.device.stage == "returning"
    assert rig.events() == ["ed"]
    rig.wait(700)
    assert rig.events() == ["ec"]
    assert rig.ask(LAST_REJECT) == OK + b"\x13"
    assert where(rig) == ([], [2000], None)


def test_reject_sends_it_back(rig: Rig) -> None:
    rig.escrow()
    assert rig.ask(REJECT) == OK
    assert rig.events() == ["ed"]
    assert rig.ask(REJECT) == b"\xf5", "it is on its way"
    assert rig.until("ec").count("ec") == 1
    assert rig.ask(LAST_REJECT) == OK + b"\x08"
    assert where(rig) == ([], [2000], None)
    assert parse_counters(rig.ask(COUNTERS)[1:]).rejected == 1


@pytest.mark.parametrize(
    ("minor", "mask", "reason"), [(2000, b"\x03", 0x0C), (2000, b"\x03\x00\x00", 0x0C), (1234, b"\x7f", 0x02)]
)
def test_an_inhibited_or_unknown_note_is_rejected_and_waits_at_the_mouth(
    rig: Rig, minor: int, mask: bytes, reason: int
) -> None:
    rig.ask(INHIBITS, mask)
    assert rig.device.insert(minor)
    seen = rig.until("ec")
    assert "ed" in seen
    assert not [event for event in seen if event.startswith("ef") and event != "ef00"]
    assert rig.ask(LAST_REJECT) == OK + bytes((reason,))
    assert where(rig) == ([], [], minor)
    assert not rig.device.can_insert
    assert rig.device.take_rejected()
    assert where(rig) == ([], [minor], None)
    assert not rig.device.take_rejected()


def test_a_hand_can_wait_for_a_note_that_is_being_rejected(rig: Rig) -> None:
    rig.device.reject_next(0x12)
    assert rig.device.insert(500)
    rig.wait(800)
    assert rig.device.take_rejected()
    rig.until("ec")
    assert where(rig) == ([], [500], None)
    assert rig.ask(LAST_REJECT) == OK + b"\x12"


@pytest.mark.parametrize(("ms", "reason"), [(300, 0x10), (900, 0x10), (None, 0x0E)])
def test_a_note_can_be_pulled_out_until_its_credit(rig: Rig, ms: int | None, reason: int) -> None:
    if ms is None:
        rig.escrow()
        rig.events()
    else:
        assert rig.device.insert(2000)
        rig.wait(ms)
    assert rig.device.pull_back()
    assert "ec" in rig.events()
    assert rig.ask(LAST_REJECT) == OK + bytes((reason,))
    assert where(rig) == ([], [2000], None)


def test_a_credited_note_cannot_be_pulled_out(rig: Rig) -> None:
    rig.escrow()
    rig.events()
    rig.wait(600)
    assert not rig.device.pull_back()


def test_a_note_that_was_forced_into_a_disabled_unit_is_shown_all_the_same(rig: Rig) -> None:
    rig.ask(DISABLE)
    assert not rig.device.insert(2000)
    assert rig.device.insert(2000, force=True)
    rig.until(f"ef{TWENTY}")


def test_a_ticket_is_shown_read_and_taken_and_is_no_money(rig: Rig) -> None:
    assert rig.ask(0x26, b"\xfc") == OK
    assert rig.device.insert_ticket("123456789012345678")
    rig.until("e5")
    assert rig.ask(0x27) == OK + b"\x01\x12123456789012345678"
    assert "d1" in rig.until("eb")
    assert where(rig) == ([], [], None)
    rig.ask(0x26, b"\xfe")
    rig.device.insert_ticket("123456")
    rig.until("ec")
    assert rig.ask(LAST_REJECT) == OK + b"\x14"


# --- Poll With Ack ----------------------------------------------------------------------------------------------------


def credited() -> Rig:
    rig = Rig().ready()
    rig.poll_code = POLL_WITH_ACK
    rig.escrow()
    rig.until(f"ee{TWENTY}")
    return rig


def test_a_credit_is_repeated_unchanged_to_new_flags_until_event_ack() -> None:
    rig = credited()
    rig.wait(5_000)
    for _ in range(3):
        assert rig.events() == [f"ee{TWENTY}"]
    assert rig.events(rig.ask(POLL)) == [f"ee{TWENTY}"], "a plain poll does not clear it"
    assert rig.ask(EVENT_ACK) == OK
    assert rig.events() == ["eb"], "what happened meanwhile comes behind it"
    assert rig.ask(EVENT_ACK) == b"\xf5"


def test_no_other_note_is_taken_before_the_acknowledgement() -> None:
    rig = credited()
    rig.wait(5_000)
    rig.events()
    assert not rig.device.can_insert
    assert not rig.device.insert(500, force=True)
    assert rig.device.stage == "credit"
    rig.ask(EVENT_ACK)
    assert rig.device.can_insert


def test_an_event_ack_that_is_lost_lets_the_credit_be_told_again() -> None:
    rig = credited()
    rig.device.lose_acks(2)
    for _ in range(2):
        assert rig.ask(EVENT_ACK) == b""
        assert rig.events() == [f"ee{TWENTY}"]
    assert rig.ask(EVENT_ACK) == OK


def test_a_plain_poll_hands_a_credit_out_once(rig: Rig) -> None:
    rig.escrow()
    assert rig.until(f"ee{TWENTY}").count(f"ee{TWENTY}") == 1
    rig.wait(100)
    assert f"ee{TWENTY}" not in rig.events()
    assert rig.ask(EVENT_ACK) == b"\xf5"


def test_a_unit_may_know_no_poll_with_ack_or_want_it_sealed() -> None:
    assert Rig(replace(EUR_UNIT, poll_with_ack=False)).ask(POLL_WITH_ACK) == b"\xf2"
    rig = Rig(replace(EUR_UNIT, ack_needs_key=True))
    assert rig.ask(POLL_WITH_ACK) == b"\xfa"
    rig.exchange()
    assert rig.say(POLL_WITH_ACK)[:1] == OK


# --- anything at all --------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=30), max_size=12))
@settings(max_examples=40)
def test_no_bytes_raise_or_move_a_note(chunks: list[bytes]) -> None:
    rig = Rig().ready()
    rig.device.insert(2000)
    for chunk in chunks:
        rig.device.received(chunk, rig.now)
        rig.device.received(encode(0, 1, chunk) if chunk else b"", rig.now)
        rig.wait(100)
    box, back, inside = where(rig)
    assert sorted([*box, *back, *([] if inside is None else [inside])]) == [2000]
