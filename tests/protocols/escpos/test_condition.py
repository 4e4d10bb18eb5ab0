"""From status bits to one state, over every value of every byte (PR1)."""

from __future__ import annotations

import pytest

from kiosk.protocols.escpos import condition
from kiosk.protocols.escpos.condition import STATES, from_full_status, worse

VALID = [byte for byte in range(256) if byte & 0x93 == 0x12]
INVALID = [byte for byte in range(256) if byte & 0x93 != 0x12]


def by_the_table(one: int, two: int, three: int, four: int) -> str:
    """Devices sheet §1.4 row by row, as data rather than as code of the room."""
    rows = [
        ("fatal", three & 0x24),
        ("cutter", three & 0x08),
        ("head_hot", three & 0x40),
        ("cover", two & 0x04),
        ("paper_out", four & 0x60 | two & 0x20),
        ("offline", one & 0x08 | two & 0x48),
        ("near_end", four & 0x0C),
        ("ok", 1),
    ]
    return next(state for state, bits in rows if bits)


def test_every_valid_answer_gives_the_state_of_the_table() -> None:
    assert len(VALID) == 16
    for one in VALID:
        for two in VALID:
            for three in VALID:
                for four in VALID:
                    answers = bytes([one, two, three, four])
                    state = condition.from_real_time(answers)
                    assert state == by_the_table(one, two, three, four), answers.hex()
                    assert state in condition.SEVERITY


@pytest.mark.parametrize("place", range(4))
def test_a_byte_that_fails_its_mask_gives_unknown_whatever_the_others_say(place: int) -> None:
    for byte in INVALID:
        for rest in (0x12, 0x7E, 0x32):
            answers = bytearray([rest] * 4)
            answers[place] = byte
            assert condition.from_real_time(bytes(answers)) == "unknown"


@pytest.mark.parametrize("length", [0, 1, 2, 3, 5])
def test_a_missing_answer_gives_unknown(length: int) -> None:
    assert condition.from_real_time(b"\x12" * length) == "unknown"


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ("12 12 12 12", "ok"),
        ("12 12 12 1E", "near_end"),
        ("12 12 12 16", "near_end"),
        ("1A 32 12 7E", "paper_out"),
        ("12 12 12 32", "paper_out"),
        ("1A 16 12 12", "cover"),
        ("1A 52 1A 12", "cutter"),
        ("1A 52 52 12", "head_hot"),
        ("1A 52 32 12", "fatal"),
        ("1A 12 12 12", "offline"),
        ("16 12 12 12", "ok"),
    ],
)
def test_whole_answers_of_the_sheet(answers: str, state: str) -> None:
    assert condition.from_real_time(bytes.fromhex(answers)) == state


def test_a_profile_can_call_the_mechanical_bit_harmless_and_the_near_end_bits_noise() -> None:
    assert condition.from_real_time(bytes.fromhex("12 12 16 12"), mechanical_harmless=True) == "ok"
    assert condition.from_real_time(bytes.fromhex("12 12 12 1E"), near_end_sensor=False) == "ok"
    assert condition.from_real_time(bytes.fromhex("12 12 12 72"), near_end_sensor=False) == "paper_out"


def test_the_same_bits_mean_near_end_in_one_answer_and_end_in_the_other() -> None:
    assert condition.from_real_time(bytes([0x12, 0x12, 0x12, 0x12 | 0x0C])) == "near_end"
    assert condition.paper_is_out(0x0C)
    assert not condition.paper_is_out(0x03)
    assert condition.from_automatic(b"\x10\x00\x0c\x00") == "paper_out"


def test_every_automatic_group_has_a_state_and_a_broken_one_is_unknown() -> None:
    for first in range(256):
        for error in (0, 0x01, 0x04, 0x08, 0x20, 0x40, 0x90):
            for roll in (0, 0x03, 0x0C, 0x0F):
                state = condition.from_automatic(bytes([first, error, roll, 0]))
                broken = first & 0x93 != 0x10 or error & 0x90
                assert (state == "unknown") == bool(broken)
    assert condition.from_automatic(b"\x10\x00\x00") == "unknown"
    assert condition.from_automatic(b"\x30\x00\x00\x00") == "cover"
    assert condition.from_automatic(b"\x18\x00\x00\x00") == "offline"


def test_port_status_is_ok_only_when_selected_with_paper_and_without_error() -> None:
    for byte in range(256):
        state = condition.from_port_status(bytes([byte]))
        assert state == ("paper_out" if byte & 0x20 else "ok" if byte & 0x18 == 0x18 else "offline")
    assert condition.from_port_status(b"") == "unknown"


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("00000000", "ok"), ("01000000", "paper_out"), ("04000000", "near_end"), ("40000000", "near_end"),
        ("20000000", "ok"), ("00010000", "cover"), ("00020000", "cover"), ("00200000", "offline"),
        ("000C0000", "ok"), ("00000100", "head_hot"), ("00000800", "offline"), ("00002000", "ok"),
        ("00004000", "fatal"), ("00000001", "cutter"), ("00000004", "fatal"), ("05020101", "cutter"), ("", "unknown"),
        ("0000", "unknown"),
    ],
)  # fmt: skip
def test_a_full_status_gives_the_state_of_the_same_table(told: str, state: str) -> None:
    assert from_full_status(bytes.fromhex(told)) == state


def test_of_two_states_the_one_that_comes_first_in_the_table_stands() -> None:
    for at, one in enumerate(STATES):
        for other in STATES[at:]:
            assert worse(one, other) == worse(other, one) == one
