"""The simulated validator's end of eSSP: exchange, counts, sealed answers, replays, wrong keys (SSP sheet §13)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kiosk.protocols.ssp.crypto import STEX, seal
from kiosk.protocols.ssp.frames import encode
from kiosk.protocols.ssp.units import EUR_UNIT
from tests.protocols.ssp.validator_rig import (
    COUNTERS,
    ENABLE,
    EVENT_ACK,
    EXCHANGE,
    GENERATOR,
    INHIBITS,
    OK,
    POLL,
    POLL_WITH_ACK,
    RESET,
    SYNC,
    VERSION,
    Rig,
)


@pytest.fixture
def rig() -> Rig:
    rig = Rig().ready()
    rig.exchange()
    return rig


def test_a_sealed_command_gets_a_sealed_answer_with_the_next_count(rig: Rig) -> None:
    for count in (1, 2, 3):
        assert rig.say(0x20)[:1] == OK
        assert rig.count == count


def test_the_same_command_is_sealed_differently_each_time(rig: Rig) -> None:
    rig.say(0x0C)
    first = rig.raw
    rig.say(0x0C)
    assert rig.raw[5:] != first[5:]


def test_a_repeated_sealed_packet_gets_the_same_ciphertext_and_the_same_count(rig: Rig) -> None:
    assert rig.key is not None
    raw = encode(0, rig.flag ^ 1, seal(rig.key, rig.count, bytes((POLL,)), bytes))
    rig.send(raw)
    first = rig.raw
    rig.send(raw)
    assert rig.raw == first
    rig.flag ^= 1
    rig.opened(rig.send(raw))
    assert rig.say(POLL)[:1] == OK, "nothing moved"


@pytest.mark.parametrize("off", [-1, 1, 7])
def test_another_count_gets_silence(rig: Rig, off: int) -> None:
    rig.say(POLL)
    rig.count += off
    assert rig.key is not None
    assert rig.send(encode(0, rig.flag ^ 1, seal(rig.key, rig.count, bytes((POLL,)), bytes))) == b""
    rig.count -= off
    assert rig.say(POLL)[:1] == OK, "the right one is taken"


def test_general_commands_go_in_clear_too_and_do_not_move_the_count(rig: Rig) -> None:
    rig.say(POLL)
    assert rig.ask(0x20)[:1] == OK
    assert rig.say(POLL)[:1] == OK


def test_a_block_of_another_key_puts_the_unit_out_of_service_until_reset(rig: Rig) -> None:
    rig.key = bytes(16)
    assert rig.send(encode(0, rig.flag ^ 1, seal(rig.key, 0, bytes((POLL,)), bytes))) == b""
    assert rig.device.stage == "fault"
    assert rig.ask(SYNC) == b""
    assert rig.ask(RESET) == OK
    rig.wait(600)
    assert rig.ask(SYNC) == OK


def test_a_unit_may_pass_a_block_of_another_key_over() -> None:
    rig = Rig(replace(EUR_UNIT, wrong_key="silence"))
    rig.exchange()
    right, rig.key = rig.key, bytes(16)
    assert rig.send(encode(0, rig.flag ^ 1, seal(rig.key, 0, bytes((POLL,)), bytes))) == b""
    rig.key = right
    assert rig.say(POLL)[:1] == OK


def test_a_sealed_packet_to_a_unit_without_a_key_gets_fa_or_silence() -> None:
    sealed = seal(bytes(16), 0, bytes((POLL,)), bytes)
    assert sealed[0] == STEX
    assert Rig().send(encode(0, 0, sealed)) == b"\xfa"
    assert Rig(replace(EUR_UNIT, sealed_without_key="silence")).send(encode(0, 0, sealed)) == b""


def test_a_power_cut_and_a_reset_end_the_session(rig: Rig) -> None:
    rig.restart()
    rig.flag = 0
    assert rig.send(encode(0, 0, seal(bytes(16), 0, bytes((POLL,)), bytes))) == b"\xfa"
    rig.exchange()
    assert rig.say(POLL)[:1] == OK


def test_a_unit_that_demands_a_key_says_so_to_everything_but_a_few_commands() -> None:
    rig = Rig(replace(EUR_UNIT, essp="required"))
    assert rig.ask(SYNC) == OK
    assert rig.ask(VERSION, b"\x06") == OK
    for code in (POLL, 0x05, 0x20, ENABLE):
        assert rig.ask(code) == b"\xfa"
    rig.exchange()
    assert rig.say(POLL)[:1] == OK
    assert rig.say(INHIBITS, b"\x7f") == OK


def test_a_unit_without_essp_does_not_know_the_exchange() -> None:
    assert Rig(replace(EUR_UNIT, essp="off")).ask(GENERATOR, (13).to_bytes(8, "little")) == b"\xf2"


def test_the_exchange_wants_primes_and_both_of_them_in_any_order_of_size() -> None:
    rig = Rig()
    assert rig.ask(EXCHANGE, bytes(8)) == b"\xf8"
    assert rig.ask(GENERATOR, (1287823).to_bytes(8, "little")) == b"\xf4"
    rig.exchange(generator=1287821, modulus=982451653)  # the vendor's own host sends them so half the time
    assert rig.say(POLL)[:1] == OK
    rig.exchange()
    assert rig.say(POLL)[:1] == OK, "a new exchange begins a new count"


def test_another_fixed_half_counts_from_the_next_exchange_on(rig: Rig) -> None:
    assert rig.say(0x60, (0xABCDEF).to_bytes(8, "little")) == OK
    assert rig.say(POLL)[:1] == OK, "the session goes on"
    rig.device.unit = replace(rig.device.unit, fixed_key=0xABCDEF)
    rig.exchange()
    assert rig.say(POLL)[:1] == OK
    assert rig.say(0x61) == OK
    rig.wait(600)
    rig.device.unit = EUR_UNIT
    rig.key = None
    assert rig.ask(SYNC) == OK
    rig.exchange()
    assert rig.say(POLL)[:1] == OK, "the factory's half is back"


def test_a_whole_note_under_seal_with_its_acknowledgement(rig: Rig) -> None:
    rig.poll_code = POLL_WITH_ACK
    rig.escrow()
    rig.until("ee03")
    assert rig.events() == rig.events()
    assert rig.say(EVENT_ACK) == OK
    rig.until("eb")
    assert rig.say(COUNTERS)[2] == 1
    assert rig.device.cashbox == [2000]


@pytest.mark.parametrize("seals", [False, True])
def test_a_credit_may_come_sealed_although_the_poll_was_in_clear(seals: bool) -> None:
    rig = Rig(replace(EUR_UNIT, seals_credits=seals)).ready()
    rig.exchange()
    assert rig.device.insert(2000)
    rig.wait(800)
    rig.ask(POLL)
    rig.ask(POLL)
    rig.wait(600)
    answer = rig.ask(POLL)
    assert (answer[0] == STEX) is seals
    told = rig.opened(answer) if seals else answer
    assert b"\xee\x03" in told
    assert rig.say(0x20)[:1] == OK
