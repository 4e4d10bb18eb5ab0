"""Commands as bytes, against the table of devices sheet §1.2 and against an independent producer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import DriverError
from kiosk.protocols.escpos import commands as esc


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (esc.INITIALISE, "1B 40"),
        (esc.code_page(19), "1B 74 13"),
        (esc.ask_status(4), "10 04 04"),
        (esc.ASK_ALL_STATUS, "10 04 01 10 04 02 10 04 03 10 04 04"),
        (esc.ASK_QUEUED_PAPER, "1D 72 01"),
        (esc.automatic_status(0x4F), "1D 61 4F"),
        (esc.RECOVER_RETRY, "10 05 01"),
        (esc.RECOVER_CLEAR, "10 05 02"),
        (esc.CLEAR_BUFFERS, "10 14 08 01 03 14 01 06 02 08"),
        (esc.completion_id(b"00AF"), "1D 28 48 06 00 30 30 30 30 41 46"),
        (esc.identify(esc.IDENTIFY_MODEL), "1D 49 43"),
        (esc.drawer_pulse(0, 50, 50), "1B 70 00 32 32"),
        (esc.drawer_pulse_now(1, 2), "10 14 01 01 02"),
        (esc.cut(partial=True, feed=3), "1D 56 42 03"),
        (esc.cut(partial=False), "1D 56 41 00"),
        (esc.presenter_show(8), "1D 65 03 08"),
        (esc.PRESENTER_RETRACT, "1D 65 02"),
        (esc.PRESENTER_STATUS, "1D 65 06"),
        (esc.CUSTOM_RESET, "1C C0 18 10 14 1A"),
        (esc.CUSTOM_FULL_STATUS, "10 04 14"),
        (esc.align("centre"), "1B 61 01"),
        (esc.emphasise(True), "1B 45 01"),
        (esc.character_size(2), "1D 21 11"),
        (esc.feed(3), "1B 64 03"),
        (esc.code128("K07", height=64, module=2), "1D 68 40 1D 77 02 1D 48 02 1D 6B 49 05 7B 42 4B 30 37"),
        (esc.qr_code("AB", module=4), "1D 28 6B 04 00 31 41 32 00 1D 28 6B 03 00 31 43 04 1D 28 6B 03 00 31 45 31"
         " 1D 28 6B 05 00 31 50 30 41 42 1D 28 6B 03 00 31 51 30"),
    ],
)  # fmt: skip
def test_a_command_is_what_the_sheet_says(made: bytes, expected: str) -> None:
    assert made == bytes.fromhex(expected)


def test_a_brace_in_a_label_is_data_and_never_a_code_set() -> None:
    assert esc.code128("{A").endswith(bytes([5]) + b"{B{{A")


@pytest.mark.parametrize("data", ["", "ä", "a\n", "x" * 254])
def test_a_label_that_code_128_cannot_hold_is_refused(data: str) -> None:
    with pytest.raises(DriverError):
        esc.code128(data)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: esc.qr_code(""),
        lambda: esc.qr_code("x" * 2332),
        lambda: esc.qr_code("x", module=17),
        lambda: esc.completion_id(b"abc"),
        lambda: esc.completion_id(b"ab\x00c"),
        lambda: esc.ask_status(5),
        lambda: esc.code_page(256),
        lambda: esc.feed(-1),
        lambda: esc.character_size(9),
        lambda: esc.raster(72, bytes(71)),
        lambda: esc.raster(0, b""),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_a_hint(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(DriverError) as caught:
        wrong()
    assert caught.value.hint


def test_a_drawing_is_cut_into_blocks_that_clones_take() -> None:
    blocks = esc.raster(72, bytes(72 * 300))
    assert [block[:8].hex(" ") for block in blocks] == ["1d 76 30 00 48 00 00 01", "1d 76 30 00 48 00 2c 00"]
    assert [len(block) - 8 for block in blocks] == [72 * 256, 72 * 44]


@given(
    st.binary(max_size=40),
    st.sampled_from([b"\x10\x04\x01", b"\x10\x05\x02", esc.CLEAR_BUFFERS]),
    st.binary(max_size=9),
)
def test_an_image_never_carries_a_real_time_command(before: bytes, start: bytes, after: bytes) -> None:
    (block,) = esc.raster(1, before + start + after)
    assert not any(pair in block[8:] for pair in (b"\x10\x04", b"\x10\x05", b"\x10\x14"))
    added = [new ^ old for new, old in zip(block[8:], before + start + after, strict=True)]
    assert set(added) <= {0, 0x08}, "one dot at most is added, none is taken away"


def test_an_independent_producer_makes_the_same_qr_code() -> None:
    escpos = pytest.importorskip("escpos.printer")
    other = escpos.Dummy()
    other.qr("K07-1-000412-9f3c", native=True, size=4, ec=1, center=False)
    assert esc.qr_code("K07-1-000412-9f3c", module=4) in other.output
