"""Key records to letters: modifiers, key maps, ALT codes, control letters, lost keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import KioskError
from kiosk.protocols.keyboard_wedge import (
    EV_KEY,
    EV_SYN,
    LEFT_ALT,
    LEFT_CTRL,
    LEFT_SHIFT,
    RECORD,
    RIGHT_ALT,
    RIGHT_SHIFT,
    SYN_DROPPED,
    SYN_REPORT,
    Typed,
    WedgeDecoder,
    keymap,
)

ENTER, KPENTER, TAB, CAPS, F1 = 28, 96, 15, 58, 59
KEYPAD = dict(zip("0123456789", (82, 79, 80, 81, 75, 76, 77, 71, 72, 73), strict=True))


def key(code: int, value: int, node: int = 0) -> bytes:
    return RECORD.pack(node, EV_KEY, code, value) + RECORD.pack(node, EV_SYN, SYN_REPORT, 0)


def press(*codes: int, node: int = 0) -> bytes:
    return b"".join(key(code, 1, node) + key(code, 0, node) for code in codes)


def chord(modifier: int, *codes: int) -> bytes:
    return key(modifier, 1) + press(*codes) + key(modifier, 0)


def decoder(name: str = "us", ends: tuple[str, ...] = ("ENTER", "KPENTER"), **keys: str) -> WedgeDecoder:
    return WedgeDecoder(keymap(name, keys), ends)


def text(found: list[Typed]) -> str:
    return "".join({"text": typed.text, "end": "⏎", "dropped": "†", "unknown_key": "¿"}[typed.kind] for typed in found)


def test_plain_keys_and_enter_become_a_line() -> None:
    assert text(decoder().feed(press(30, 2, 11, 12, ENTER))) == "a10-⏎"


@pytest.mark.parametrize("modifier", [LEFT_SHIFT, RIGHT_SHIFT])
def test_each_shift_key_gives_the_upper_letter(modifier: int) -> None:
    assert text(decoder().feed(chord(modifier, 30, 3) + press(30))) == "A@a"


def test_both_shift_keys_are_followed_on_their_own() -> None:
    records = (
        key(LEFT_SHIFT, 1) + key(RIGHT_SHIFT, 1) + key(LEFT_SHIFT, 0) + press(30) + key(RIGHT_SHIFT, 0) + press(30)
    )
    assert text(decoder().feed(records)) == "Aa"


def test_repeats_and_caps_lock_change_nothing() -> None:
    records = press(CAPS) + key(30, 1) + key(30, 2) + key(30, 2) + key(30, 0)
    assert text(decoder().feed(records)) == "a"


def test_a_repeated_modifier_stays_down_and_its_release_counts() -> None:
    records = key(LEFT_SHIFT, 1) + key(LEFT_SHIFT, 2) + press(30) + key(LEFT_SHIFT, 0) + press(30)
    assert text(decoder().feed(records)) == "Aa"


def test_keypad_digits_and_signs_are_letters_of_the_scan() -> None:
    assert text(decoder().feed(press(*(KEYPAD[d] for d in "0123456789"), 74, 83, KPENTER))) == "0123456789-.⏎"


@pytest.mark.parametrize(("digits", "letter"), [("65", "A"), ("0064", "@"), ("29", "\x1d"), ("8364", "€")])
def test_alt_and_keypad_digits_are_one_code_unit(digits: str, letter: str) -> None:
    found = decoder().feed(chord(LEFT_ALT, *(KEYPAD[d] for d in digits)))
    assert found == [Typed(0, "text", letter)]


@pytest.mark.parametrize("digits", ["55296", "99999999999", "1114112"])
def test_an_alt_code_that_is_no_letter_spoils_the_scan(digits: str) -> None:
    assert text(decoder().feed(chord(LEFT_ALT, *(KEYPAD[d] for d in digits)))) == "¿"


def test_ctrl_and_a_letter_is_a_control_code() -> None:
    assert text(decoder().feed(chord(LEFT_CTRL, 27, 34))) == "\x1d\x07"


def test_ctrl_m_ends_a_scan_as_enter_does_and_tab_only_where_configured() -> None:
    assert text(decoder().feed(chord(LEFT_CTRL, 50))) == "⏎"
    assert text(decoder().feed(press(TAB) + chord(LEFT_CTRL, 23))) == "\t\t"
    assert text(decoder(ends=("TAB",)).feed(press(TAB, ENTER) + chord(LEFT_CTRL, 23))) == "⏎¿⏎"


def test_the_german_map_swaps_y_and_z_and_knows_altgr() -> None:
    records = press(21, 44, 12) + chord(RIGHT_ALT, 16, 18, 86) + chord(LEFT_SHIFT, 8)
    assert text(decoder("de").feed(records)) == "zyß@€|/"


def test_every_printable_ascii_letter_can_be_typed_in_the_us_map() -> None:
    letters = {letter for plain in keymap("us").values() for letter in plain if letter}
    assert letters >= {chr(code) for code in range(0x20, 0x7F)}


def test_single_positions_can_be_replaced() -> None:
    assert text(decoder(**{"12": "ß?\\"}).feed(press(12) + chord(LEFT_SHIFT, 12) + chord(RIGHT_ALT, 12))) == "ß?\\"


@pytest.mark.parametrize("keys", [{"x": "a"}, {"12": ""}, {"12": "abcd"}, {"99999": "a"}])
def test_a_replacement_that_cannot_be_read_is_refused(keys: dict[str, str]) -> None:
    with pytest.raises(KioskError):
        keymap("us", keys)


def test_an_unknown_map_is_refused_by_name() -> None:
    with pytest.raises(KioskError, match="klingon"):
        keymap("klingon")


def test_lost_keys_are_told_and_keys_before_the_next_report_are_ignored() -> None:
    dropped = RECORD.pack(0, EV_SYN, SYN_DROPPED, 0)
    late = RECORD.pack(0, EV_KEY, 30, 1)
    report = RECORD.pack(0, EV_SYN, SYN_REPORT, 0)
    assert text(decoder().feed(press(48) + dropped + late + report + press(46))) == "b†c"


def test_lost_keys_release_every_modifier_of_that_node() -> None:
    dropped = RECORD.pack(0, EV_SYN, SYN_DROPPED, 0) + RECORD.pack(0, EV_SYN, SYN_REPORT, 0)
    assert text(decoder().feed(key(LEFT_SHIFT, 1) + dropped + press(30))) == "†a"


def test_two_nodes_keep_their_own_modifiers() -> None:
    found = decoder().feed(key(LEFT_SHIFT, 1, node=0) + press(30, node=1) + press(30, node=0))
    assert found == [Typed(1, "text", "a"), Typed(0, "text", "A")]


def test_a_key_without_a_letter_is_told_as_unknown() -> None:
    assert text(decoder().feed(press(F1))) == "¿"


@given(st.binary(max_size=200), st.integers(0, 200))
def test_records_may_be_split_anywhere(noise: bytes, at: int) -> None:
    data = press(30, 2) + noise + bytes(-len(noise) % 8) + press(ENTER)
    whole, parts = decoder(), decoder()
    assert whole.feed(data) == parts.feed(data[:at]) + parts.feed(data[at:])


@pytest.mark.parametrize(
    ("page", "code", "letter"),
    [
        ("latin-1", "0128", "\x80"),
        ("cp1252", "0128", "€"),
        ("cp437", "130", "é"),
        ("cp850", "0225", "ß"),
        ("cp437", "29", "\x1d"),
    ],
)
def test_what_an_alt_code_above_ascii_means_is_configured(page: str, code: str, letter: str) -> None:
    found = WedgeDecoder(keymap("us"), (), page).feed(chord(LEFT_ALT, *(KEYPAD[digit] for digit in code)))
    assert found == [Typed(0, "text", letter)]


def test_alt_codes_may_be_the_bytes_of_a_letter() -> None:
    records = b"".join(chord(LEFT_ALT, *(KEYPAD[digit] for digit in code)) for code in ("0226", "0130", "0172", "65"))
    found = WedgeDecoder(keymap("us"), (), "utf-8").feed(records)
    assert b"".join(typed.data for typed in found) == "€A".encode()


def test_a_code_unit_that_its_page_lacks_spoils_the_scan() -> None:
    assert text(WedgeDecoder(keymap("us"), (), "cp1252").feed(chord(LEFT_ALT, *(KEYPAD[d] for d in "0129")))) == "¿"


def test_a_control_letter_as_an_alt_code_ends_a_scan_as_its_key_does() -> None:
    assert text(decoder().feed(chord(LEFT_ALT, *(KEYPAD[d] for d in "013")))) == "⏎"


def test_another_key_inside_an_alt_code_spoils_the_scan() -> None:
    inside = key(LEFT_ALT, 1) + press(KEYPAD["6"], 30, KEYPAD["5"]) + key(LEFT_ALT, 0)
    assert text(decoder().feed(inside)) == "¿\x05"
    assert text(decoder().feed(key(LEFT_ALT, 1) + press(KEYPAD["6"], ENTER) + key(LEFT_ALT, 0))) == "¿"


def test_alt_with_a_letter_is_no_letter_and_ctrl_with_alt_is_altgr() -> None:
    assert text(decoder("de").feed(chord(LEFT_ALT, 16))) == "¿"
    assert text(decoder("de").feed(key(LEFT_CTRL, 1) + chord(LEFT_ALT, 16, 30) + key(LEFT_CTRL, 0))) == "@¿"
