"""SSP frames: every worked frame of the sheet, every split, the rule of the single 7F, every kind of rubbish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import FrameError
from kiosk.protocols.framing import crc16_cms
from kiosk.protocols.ssp.frames import MAX_FAULT_BYTES, Decoder, Frame, FrameFault, encode

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "ssp" / "vectors.json").read_text("utf-8")
)["frames"]
GOOD = [row for row in VECTORS if row["good"]]
BAD = [row for row in VECTORS if not row["good"]]

frames = st.tuples(st.integers(0, 0x7D), st.integers(0, 1), st.binary(min_size=1, max_size=60) | st.just(b"\x7f" * 9))


def told(items: list[Frame | FrameFault]) -> list[object]:
    return [(i.address, i.flag, i.data) if isinstance(i, Frame) else i.kind for i in items]


def test_the_vector_file_holds_the_whole_table_of_the_sheet() -> None:
    assert (len(GOOD), len(BAD)) == (63, 8)


@pytest.mark.parametrize("row", GOOD, ids=lambda row: f"{row['sender']}-{row['hex'][:26]}")
def test_a_worked_frame_is_read_and_written_byte_for_byte_and_split_anywhere(row: dict[str, Any]) -> None:
    raw, data = bytes.fromhex(row["hex"]), bytes.fromhex(row["data"])
    expected = [Frame(row["address"], row["sequence"], data, raw)]
    assert Decoder().feed(raw) == expected
    assert encode(row["address"], row["sequence"], data) == raw
    for cut in range(1, len(raw)):
        decoder = Decoder()
        assert decoder.feed(raw[:cut]) == []
        assert decoder.pending
        assert decoder.feed(raw[cut:]) == expected
        assert not decoder.pending


@pytest.mark.parametrize("row", BAD, ids=lambda row: row["meaning"])
def test_a_bad_frame_is_never_taken_for_a_good_one(row: dict[str, Any]) -> None:
    decoder = Decoder()
    found = [*decoder.feed(bytes.fromhex(row["hex"])), *decoder.abandon()]
    if row["error"] == "more than one frame":
        assert len(told(found)) == 2
    else:
        assert told(found)[0] == row["error"]
        assert not any(isinstance(item, Frame) for item in found)


def test_a_single_7f_in_a_packet_begins_a_new_one() -> None:
    """Sheet §2: what was collected is dropped and told, and the packet behind it is read whole."""
    poll = bytes.fromhex("7f 80 01 07 12 02")
    assert told(Decoder().feed(poll[:4] + poll)) == ["partial", (0, 1, b"\x07")]
    assert told(Decoder().feed(b"\x7f" + poll)) == [(0, 1, b"\x07")]
    assert told(Decoder().feed(b"\x00\x55" + poll + b"\x31")) == ["noise", (0, 1, b"\x07"), "noise"]


def test_a_crc_byte_of_7f_is_complete_only_with_its_double() -> None:
    data = next(
        bytes((0x07, k, j)) for k in range(256) for j in range(256)
        if crc16_cms(bytes((0x80, 3, 0x07, k, j))) >> 8 == 0x7F
    )  # fmt: skip
    raw = encode(0, 1, data)
    assert raw.endswith(b"\x7f\x7f")
    decoder = Decoder()
    assert decoder.feed(raw[:-1]) == []
    assert told(decoder.feed(raw[-1:])) == [(0, 1, data)]


def test_length_and_address_are_stuffed_too() -> None:
    data = bytes(range(0x7F))
    raw = encode(0, 0, data)
    assert raw[2:4] == b"\x7f\x7f"
    assert told(Decoder().feed(raw)) == [(0, 0, data)]


def test_the_crc_over_everything_is_not_zero_with_this_byte_order() -> None:
    """The manual says it is (sheet §2); whoever relied on it would refuse good frames."""
    assert crc16_cms(bytes.fromhex("80 01 11 65 82")) != 0


@pytest.mark.parametrize(("address", "data"), [(0x7E, b"\x07"), (-1, b"\x07"), (0, b""), (0, bytes(256))])
def test_what_does_not_fit_a_frame_is_refused(address: int, data: bytes) -> None:
    with pytest.raises(FrameError):
        encode(address, 0, data)


@settings(max_examples=40)
@given(st.lists(frames, min_size=1, max_size=4), st.integers(1, 9))
def test_any_frames_in_any_pieces_come_out_in_order(many: list[tuple[int, int, bytes]], step: int) -> None:
    raw = b"".join(encode(*one) for one in many)
    decoder = Decoder()
    out = [item for at in range(0, len(raw), step) for item in decoder.feed(raw[at : at + step])]
    assert told(out) == many


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_rubbish_neither_raises_nor_grows(data: bytes) -> None:
    decoder = Decoder()
    for item in [*decoder.feed(data), *decoder.abandon()]:
        assert isinstance(item, Frame) or len(item.raw) <= 2 * MAX_FAULT_BYTES
    assert not decoder.pending


def test_an_endless_packet_ends_at_its_length() -> None:
    decoder = Decoder()
    out = decoder.feed(b"\x7f\x00\xff" + bytes(100_000))
    assert told(out)[0] == "checksum"
    assert not decoder.pending
