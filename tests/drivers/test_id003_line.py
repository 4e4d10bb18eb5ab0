"""The host's end of the line: which frame can answer which request, echo and proof, half frames."""

from __future__ import annotations

import pytest

from kiosk.protocols.id003.codes import device_status
from kiosk.protocols.id003.frames import Frame, FrameFault, encode
from kiosk.protocols.id003.host import Answer, HostLine, may_answer
from kiosk.protocols.id003.settings import SetUp, Step, enabling_bits
from kiosk.protocols.id003.status_words import STATES, words
from tests.drivers.id003_unit import ACK, DISABLE, ESCROW, IDLING, MS, POLL, RESET, STACK_2, VEND_VALID, eur

POLL_TIME = 300 * MS


def asked(code: int = POLL, data: bytes = b"", **options: bool) -> HostLine:
    line = HostLine(**options)
    line.ask(code, data, 0, POLL_TIME)
    return line


@pytest.mark.parametrize(
    ("request_code", "answer", "expected"),
    [
        (POLL, ESCROW, True),
        (POLL, 0x70, True),
        (POLL, ACK, False),
        (POLL, 0x05, False),
        (POLL, 0xC3, False),
        (POLL, 0x8A, False),
        (STACK_2, ACK, True),
        (STACK_2, 0x4B, True),
        (STACK_2, ESCROW, False),
        (STACK_2, VEND_VALID, False),
        (RESET, ACK, True),
        (RESET, DISABLE, False),
        (0xC3, 0xC3, True),
        (0xC3, 0xC0, False),
        (0xC3, ACK, False),
        (0x8A, 0x8A, True),
        (0x8A, 0x4A, True),
        (0x8A, DISABLE, False),
    ],
)
def test_only_a_fitting_frame_answers_a_request(request_code: int, answer: int, expected: bool) -> None:
    assert may_answer(request_code, Frame(answer, b"", b"")) is expected


def test_a_late_status_does_not_pass_for_the_ack_of_stack() -> None:
    line = asked(STACK_2)
    (late,) = line.received(encode(ESCROW, b"\x64"))
    assert isinstance(late, Answer)
    assert late.request is None
    assert line.busy
    (ack,) = line.received(encode(ACK))
    assert isinstance(ack, Answer)
    assert ack.request == STACK_2


def test_silence_ends_a_request_and_sending_starts_its_time_anew() -> None:
    line = asked()
    assert line.expire(POLL_TIME - 1) == []
    line.sent(100)
    assert line.expire(POLL_TIME) == []
    assert line.expire(POLL_TIME + 100) == [Answer(POLL, None)]
    assert not line.busy


def test_a_half_frame_is_given_up_with_its_request_and_does_not_eat_the_next_answer() -> None:
    line = asked()
    assert line.received(bytes.fromhex("fc 40 13")) == []
    kinds = [type(item) for item in line.expire(POLL_TIME)]
    assert kinds == [FrameFault, Answer]
    line.ask(POLL, b"", POLL_TIME, POLL_TIME)
    (answer,) = line.received(encode(DISABLE))
    assert isinstance(answer, Answer)
    assert answer.request == POLL


def test_idling_is_suspect_until_another_answer_proved_the_line() -> None:
    line = asked()
    (first,) = line.received(encode(IDLING))
    assert isinstance(first, Answer)
    assert first.suspect
    line.ask(POLL, b"", 0, POLL_TIME)
    line.received(encode(DISABLE))
    line.ask(POLL, b"", 0, POLL_TIME)
    (second,) = line.received(encode(IDLING))
    assert isinstance(second, Answer)
    assert not second.suspect


def test_an_unasked_frame_proves_nothing() -> None:
    line = HostLine()
    line.received(encode(DISABLE))
    assert not line.proved


def test_a_query_that_comes_back_bare_shows_the_echo_and_then_it_is_taken_off() -> None:
    line = asked(0x88)
    assert line.received(encode(0x88)) == [Answer(0x88, None)]
    assert line.echo
    line.ask(POLL, b"", 0, POLL_TIME)
    assert line.received(encode(POLL)) == []
    (answer,) = line.received(encode(IDLING))
    assert isinstance(answer, Answer)
    assert (answer.request, answer.suspect) == (POLL, False)


def test_an_echo_may_come_in_pieces_and_a_garbled_one_is_left_to_the_decoder() -> None:
    line = asked(echo=True)
    raw = encode(POLL)
    assert [line.received(raw[:2]), line.received(raw[2:])] == [[], []]
    line = asked(echo=True)
    garbled = bytes((raw[0], raw[1], raw[2], raw[3] ^ 1, raw[4]))
    found = line.received(garbled + encode(DISABLE))
    assert [type(item) for item in found] == [FrameFault, Answer]


def test_bits_that_enable_name_every_code_of_a_value() -> None:
    table = {0x61: eur(5), 0x62: eur(10), 0x69: eur(5)}
    assert enabling_bits(table, [eur(5)]) == b"\xfe\xfe"
    assert enabling_bits(table, [eur(50)]) is None
    assert enabling_bits({0x71: eur(5)}, [eur(5)]) is None, "a code without a bit cannot be let in alone"


def test_a_step_is_judged_by_code_and_data() -> None:
    setup = SetUp([Step(0xC3, b"\x01", "inhibit")], tries=2)
    setup.answer(Frame(0xC3, b"\x00", b""))
    assert (setup.step is not None, setup.problem) == (True, "")
    setup.answer(Frame(0xC3, b"\x00", b""))
    assert setup.problem == "inhibit: the unit repeated 00 instead of 01"


def test_every_status_has_words_that_are_declared() -> None:
    for code in range(256):
        state, severity, _ = words(device_status(code), b"")
        assert state in STATES
        assert severity in ("ok", "warn", "fault", "unknown")
