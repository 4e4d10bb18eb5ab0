"""HID-POS: where a label lies in a report comes from the descriptor; hostile ones are refused, never guessed at."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import FrameError
from kiosk.protocols.hid_pos import layouts
from kiosk.protocols.hid_pos_device import ACCESS_IS, HONEYWELL, PLAIN, HidPosDevice, HidPosShape, descriptor
from kiosk.protocols.hid_report import applications, walk

#: A boot keyboard, as the other interface of many scanners.
KEYBOARD = bytes.fromhex(
    "05010906a101 0507 19e029e7 15002501 75019508 8102 95017508 8101 95057501 05081901 2905 9102 95017503 9101"
    "95067508 15002565 0507 1900 2965 8100 c0"
)
#: The same scanner report, written by hand from the table of HID 1.11 §6.2.2 and the usages of the sheet (§2.2).
BY_HAND = bytes.fromhex(
    "058c 0902 a101 8502 0912 a102"
    "150026ff00 7508 0501 093b 9501 8102"  # byte 1: byte count
    "058c 09fb 09fc 09fd 9503 8102"  # bytes 2 to 4: symbology identifier
    "09fe 963800 820201"  # bytes 5 to 60: decoded data
    "0600ff 0901 9502 8102"  # bytes 61, 62: the maker's
    "058c 09ff 9501 7501 8102 7507 8103"  # byte 63: continued
    "c0c0"
)


def test_the_device_role_describes_itself_as_the_sheet_does_by_hand() -> None:
    assert descriptor(HONEYWELL) == BY_HAND


@pytest.mark.parametrize(
    ("shape", "length", "data_at", "count_at", "continued"),
    [(HONEYWELL, 64, 5, 1, 504), (ACCESS_IS, 64, 5, None, 504), (PLAIN, 37, 4, None, 288)],
)
def test_all_offsets_come_from_the_descriptor(
    shape: HidPosShape, length: int, data_at: int, count_at: int | None, continued: int
) -> None:
    layout = layouts(descriptor(shape))[shape.report_id]
    assert (layout.length, layout.data_at, layout.data_size) == (length, data_at, shape.room)
    assert (layout.count_at, layout.continued_bit) == (count_at, continued)
    assert layout.symbology_at == (data_at - 3, data_at - 2, data_at - 1)


@pytest.mark.parametrize("shape", [HONEYWELL, ACCESS_IS, PLAIN])
def test_a_report_is_taken_apart_again(shape: HidPosShape) -> None:
    device = HidPosDevice(shape)
    device.scan("4711-0815", symbology="]Q1")
    device.scan("x" * (shape.room + 4))
    layout = layouts(device.descriptor)[shape.report_id]
    one, first, second = (layout.read(report) for report in device.take_outbound())
    assert (one.symbology, one.data, one.continued) == ("]Q1", b"4711-0815", False)
    assert (first.data + second.data, first.continued, second.continued) == (b"x" * (shape.room + 4), True, False)


def test_a_byte_count_keeps_the_nuls_of_a_label_and_its_absence_strips_only_those_at_the_end() -> None:
    for shape, expected in ((HONEYWELL, b"a\0b\0"), (ACCESS_IS, b"a\0b")):
        device = HidPosDevice(shape)
        device.scan(b"a\0b\0")
        assert layouts(device.descriptor)[2].read(device.take_outbound()[0]).data == expected


def test_letters_that_are_no_aim_identifier_are_none() -> None:
    device = HidPosDevice()
    device.scan("4711", symbology="\0\0\0")
    assert layouts(device.descriptor)[2].read(device.take_outbound()[0]).symbology == ""


def test_a_short_report_is_an_error_and_surplus_bytes_mean_nothing() -> None:
    device = HidPosDevice()
    device.scan("4711")
    (report,) = device.take_outbound()
    layout = layouts(device.descriptor)[2]
    assert layout.read(report + b"\xff" * 10).data == b"4711"
    for cut in range(64):
        with pytest.raises(FrameError, match="instead of 64"):
            layout.read(report[:cut])


def test_a_keyboard_is_no_scanner() -> None:
    assert walk(KEYBOARD)[0].length == 8
    assert applications(KEYBOARD) == {0x0001_0006}
    with pytest.raises(FrameError, match="8C"):
        layouts(KEYBOARD)


def test_a_state_that_was_pushed_comes_back() -> None:
    pushed = BY_HAND.replace(bytes.fromhex("0501 093b 9501 8102 058c"), bytes.fromhex("a4 0501 093b 9501 8102 b4"))
    assert pushed != BY_HAND
    assert layouts(pushed)[2] == layouts(BY_HAND)[2]


def test_a_usage_page_named_after_its_usages_holds_for_them_and_for_none_of_another_page() -> None:
    late = BY_HAND.replace(bytes.fromhex("0501 093b 9501"), bytes.fromhex("0509 093b 0501 9501"))
    assert layouts(late)[2].count_at == 1
    both = BY_HAND.replace(bytes.fromhex("9501 8102 058c 09fb"), bytes.fromhex("058c 09fb 9502 8102"))
    both = both.replace(bytes.fromhex("09fc 09fd 9503"), bytes.fromhex("09fc 09fd 9502"))
    assert (layouts(both)[2].count_at, layouts(both)[2].symbology_at) == (1, (2, 3, 4))


@pytest.mark.parametrize(
    ("words", "hostile"),
    [
        ("0 bytes", ""),
        ("inside an item", "05"),
        ("inside an item", "fe"),
        ("inside an item", "fe ff 00 01"),
        ("never opened", "c0"),
        ("never closed", "a101"),
        ("in one another", "a101" * 17),
        ("never pushed", "b4"),
        ("pushed", "a4" * 5),
        ("the id 0", "8500"),
        ("the id 256", "860001"),
        ("without a beginning", "2905"),
        ("has no end", "1905 8102"),
        ("times", "76ffff 9501 8102"),
        ("times", "7508 97ffffffff 8102"),
        ("longer report", "7508 960110 8102"),
        ("longer report", "7501 9501" + "8102" * 257),
        ("usages", "0901" * 1025),
        ("none", "7508 9501 8102 8501 8102"),
        ("bytes", "00" * 4097),
    ],
)
def test_what_contradicts_itself_or_has_no_bound_is_refused(words: str, hostile: str) -> None:
    with pytest.raises(FrameError, match=words):
        layouts(bytes.fromhex(hostile))


@pytest.mark.parametrize(
    ("words", "old", "new"),
    [
        ("row of bytes", "09fe 963800 820201", "7501 9501 8103 7508 09fe 963800 820201 7507 9501 8103 7508"),
        ("row of bytes", "09fe 963800 820201", "09fe 961000 820201 09fc 9501 8102 09fe 962700 820201"),
        ("symbology", "9503 8102", "7510 9503 8102 7508"),
        ("byte count", "093b 9501 8102", "093b 7518 9501 8102 7508"),
    ],
)
def test_a_scanner_whose_fields_lie_askew_is_refused(words: str, old: str, new: str) -> None:
    askew = BY_HAND.replace(bytes.fromhex(old), bytes.fromhex(new), 1)
    assert askew != BY_HAND
    with pytest.raises(FrameError, match=words):
        layouts(askew)


@settings(max_examples=150)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_descriptor_or_a_refusal(noise: bytes) -> None:
    for whole in (noise, BY_HAND[:20] + noise + BY_HAND[20:]):
        try:
            found = layouts(whole)
        except FrameError:
            continue
        assert all(layout.read(bytes(layout.length)).symbology == "" for layout in found.values())


@settings(max_examples=150)
@given(st.integers(0, len(BY_HAND) - 1), st.integers(0, 255), st.binary(min_size=64, max_size=64))
def test_a_garbled_descriptor_never_reads_beyond_its_report(place: int, byte: int, report: bytes) -> None:
    garbled = BY_HAND[:place] + bytes((byte,)) + BY_HAND[place + 1 :]
    try:
        found = layouts(garbled)
    except FrameError:
        return
    for layout in found.values():
        if layout.length <= 64:
            assert len(layout.read(report).data) <= layout.data_size <= layout.length
