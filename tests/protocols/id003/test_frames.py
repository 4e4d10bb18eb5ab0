"""ID003 frames: every worked frame of the sheet, every split, every kind of rubbish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import FrameError
from kiosk.protocols.id003.frames import MAX_FAULT_BYTES, Decoder, Frame, FrameFault, encode

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "id003" / "vectors.json").read_text("utf-8")
)["frames"]
GOOD = [row for row in VECTORS if row["good"]]
BAD = [row for row in VECTORS if not row["good"]]

frames = st.builds(lambda cmd, data: (cmd, data), st.integers(0, 255), st.binary(max_size=40))


def good(results: list[Frame | FrameFault]) -> list[tuple[int, bytes]]:
    return [(item.cmd, item.data) for item in results if isinstance(item, Frame)]


def faults(results: list[Frame | FrameFault]) -> list[str]:
    return [item.kind for item in results if isinstance(item, FrameFault)]


def test_the_vector_file_holds_the_whole_table_of_the_sheet() -> None:
    assert (len(GOOD), len(BAD)) == (32, 1)


@pytest.mark.parametrize("row", GOOD, ids=lambda row: f"{row['direction']}-{row['hex'][:20]}")
def test_a_worked_frame_is_read_and_written_byte_for_byte(row: dict[str, Any]) -> None:
    raw = bytes.fromhex(row["hex"])
    assert Decoder().feed(raw) == [Frame(row["cmd"], bytes.fromhex(row["data"]), raw)]
    assert encode(row["cmd"], bytes.fromhex(row["data"])) == raw


@pytest.mark.parametrize("row", BAD, ids=lambda row: row["hex"])
def test_a_published_frame_with_a_wrong_crc_is_dropped_as_a_checksum_fault(row: dict[str, Any]) -> None:
    raw = bytes.fromhex(row["hex"])
    assert Decoder().feed(raw) == [FrameFault("checksum", raw.hex(), len(raw))]


@pytest.mark.parametrize("row", GOOD, ids=lambda row: f"{row['direction']}-{row['hex'][:20]}")
def test_a_frame_split_at_any_byte_is_read_once(row: dict[str, Any]) -> None:
    raw = bytes.fromhex(row["hex"])
    for cut in range(1, len(raw)):
        decoder = Decoder()
        assert decoder.feed(raw[:cut]) == []
        assert decoder.pending
        assert good(decoder.feed(raw[cut:])) == [(row["cmd"], bytes.fromhex(row["data"]))]
        assert not decoder.pending


@given(st.lists(frames, max_size=5), st.data())
@settings(max_examples=60)
def test_frames_in_a_row_are_read_in_order_however_they_are_cut(
    sent: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(encode(*frame) for frame in sent)
    decoder, out = Decoder(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        out += decoder.feed(stream[:size])
        stream = stream[size:]
    assert good(out) == sent
    assert not faults(out)


@given(st.binary(max_size=60), frames, st.integers(5, 300))
@settings(max_examples=150)
def test_a_good_frame_after_garbage_is_always_found(garbage: bytes, frame: tuple[int, bytes], limit: int) -> None:
    raw = encode(*frame)
    if len(raw) > limit:
        return
    decoder = Decoder(max_buffer=limit)
    out = decoder.feed(garbage + raw) + decoder.abandon()
    assert frame in good(out)
    assert not decoder.pending


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(5, 64))
@settings(max_examples=100)
def test_no_bytes_from_a_line_raise_or_grow_the_buffer(chunks: list[bytes], limit: int) -> None:
    decoder = Decoder(max_buffer=limit)
    for chunk in chunks:
        for item in decoder.feed(chunk):
            if isinstance(item, FrameFault):
                assert len(item.raw) <= 2 * MAX_FAULT_BYTES
        assert len(decoder._buffer) <= limit


@given(frames, st.integers(0, 7), st.data())
@settings(max_examples=100)
def test_one_flipped_bit_is_never_read_as_a_frame(frame: tuple[int, bytes], bit: int, data: st.DataObject) -> None:
    raw = bytearray(encode(*frame))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << bit
    decoder = Decoder()
    out = decoder.feed(bytes(raw)) + decoder.abandon()
    assert frame not in good(out)
    assert faults(out)


def test_rubbish_is_told_by_its_kind() -> None:
    decoder = Decoder(max_buffer=16)
    assert faults(decoder.feed(b"\x00\x01")) == ["noise"]
    assert faults(decoder.feed(b"\xfc\x04")) == ["length"]
    assert faults(decoder.feed(b"\xfc\xc8")) == ["overflow"]
    assert faults(decoder.feed(b"\xfc\x05\x11\x27\x57")) == ["checksum"]
    assert decoder.feed(b"\xfc\x05\x11") == []
    assert decoder.abandon() == [FrameFault("partial", "fc0511", 3)]
    assert decoder.abandon() == []


def test_a_frame_swallowed_by_a_broken_one_is_found_when_the_line_falls_still() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\xfc\x20" + encode(0x15)) == []
    out = decoder.abandon()
    assert faults(out) == ["partial"]
    assert good(out) == [(0x15, b"")]


def test_a_good_frame_inside_one_with_a_wrong_crc_is_found_at_once() -> None:
    out = Decoder().feed(b"\xfc\x0c\x88" + encode(0x15) + b"\x00\x00\x00\x00")
    assert good(out) == [(0x15, b"")]
    assert faults(out) == ["checksum"], "bytes already told as part of a fault are not told again"


def test_a_frame_that_holds_a_whole_frame_is_one_frame() -> None:
    inner = encode(0x15)
    assert good(Decoder().feed(encode(0x88, inner + b"x"))) == [(0x88, inner + b"x")]


def test_a_host_cannot_build_a_frame_that_does_not_fit() -> None:
    assert len(encode(0x88, bytes(250))) == 255
    with pytest.raises(FrameError):
        encode(0x88, bytes(251))
    with pytest.raises(FrameError):
        encode(0x100)
