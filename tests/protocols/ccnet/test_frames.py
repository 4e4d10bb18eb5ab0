"""CCNET frames: every worked frame of the sheet, every split, every kind of rubbish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import FrameError
from kiosk.protocols.ccnet.explain import explain
from kiosk.protocols.ccnet.frames import MAX_FAULT_BYTES, Decoder, Frame, FrameFault, encode

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "ccnet" / "vectors.json").read_text("utf-8")
)["frames"]
GOOD = [row for row in VECTORS if row["good"]]
BAD = [row for row in VECTORS if not row["good"]]

bodies = st.binary(min_size=1, max_size=40)


def good(results: list[Frame | FrameFault]) -> list[bytes]:
    return [item.data for item in results if isinstance(item, Frame)]


def faults(results: list[Frame | FrameFault]) -> list[str]:
    return [item.kind for item in results if isinstance(item, FrameFault)]


def row_name(row: dict[str, Any]) -> str:
    return f"{row['direction']}-{row['hex'][:26]}"


def test_the_vector_file_holds_the_whole_table_of_the_sheet() -> None:
    assert (len(GOOD), len(BAD)) == (19, 2)


@pytest.mark.parametrize("row", GOOD, ids=row_name)
def test_a_worked_frame_is_read_written_and_explained(row: dict[str, Any]) -> None:
    raw, data = bytes.fromhex(row["hex"]), bytes.fromhex(row["data"])
    assert Decoder().feed(raw) == [Frame(row["address"], data, raw)]
    assert encode(data, row["address"]) == raw
    told = explain(raw, row["direction"])
    assert (told.valid, told.name, told.error) == (True, row["name"], "")


@pytest.mark.parametrize("row", BAD, ids=row_name)
def test_a_published_frame_with_a_wrong_crc_is_a_checksum_fault(row: dict[str, Any]) -> None:
    raw = bytes.fromhex(row["hex"])
    assert Decoder().feed(raw) == [FrameFault("checksum", raw.hex(), len(raw), 3)]
    told = explain(raw, row["direction"])
    assert (told.valid, told.name) == (False, "")
    assert "CRC" in told.error


@pytest.mark.parametrize("row", GOOD, ids=row_name)
def test_a_frame_split_at_any_byte_is_read_once(row: dict[str, Any]) -> None:
    raw = bytes.fromhex(row["hex"])
    for cut in range(1, len(raw)):
        decoder = Decoder()
        assert decoder.feed(raw[:cut]) == []
        assert decoder.pending
        assert good(decoder.feed(raw[cut:])) == [bytes.fromhex(row["data"])]
        assert not decoder.pending


@given(st.lists(bodies, max_size=5), st.data())
@settings(max_examples=40)
def test_frames_in_a_row_are_read_in_order_however_they_are_cut(sent: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(encode(body) for body in sent)
    decoder, out = Decoder(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        out += decoder.feed(stream[:size])
        stream = stream[size:]
    assert good(out) == sent
    assert not faults(out)


@given(st.binary(max_size=60), bodies, st.integers(6, 300))
@settings(max_examples=80)
def test_a_good_frame_after_garbage_is_always_found(garbage: bytes, body: bytes, limit: int) -> None:
    raw = encode(body)
    if len(raw) > limit:
        return
    decoder = Decoder(max_buffer=limit)
    out = decoder.feed(garbage + raw) + decoder.abandon()
    assert body in good(out)
    assert not decoder.pending


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(6, 64))
@settings(max_examples=60)
def test_no_bytes_from_a_line_raise_or_grow_the_buffer(chunks: list[bytes], limit: int) -> None:
    decoder = Decoder(max_buffer=limit)
    for chunk in chunks:
        for item in decoder.feed(chunk):
            if isinstance(item, FrameFault):
                assert len(item.raw) <= 2 * MAX_FAULT_BYTES
        assert len(decoder._buffer) <= limit


@given(bodies, st.integers(0, 7), st.data())
@settings(max_examples=60)
def test_one_flipped_bit_is_never_read_as_a_frame(body: bytes, bit: int, data: st.DataObject) -> None:
    raw = bytearray(encode(body))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << bit
    decoder = Decoder()
    out = decoder.feed(bytes(raw)) + decoder.abandon()
    assert body not in good(out)
    assert faults(out)


@pytest.mark.parametrize("length", [0, 1, 5, 251, 255])
def test_an_impossible_length_byte_never_makes_the_reader_wait(length: int) -> None:
    decoder = Decoder()
    out = decoder.feed(bytes((0x02, 0x03, length)) + encode(b"\x14"))
    assert faults(out) == ["length"]
    assert good(out) == [b"\x14"], "the next frame is read at once"
    assert not decoder.pending


def test_rubbish_is_told_by_its_kind() -> None:
    decoder = Decoder(max_buffer=16)
    assert faults(decoder.feed(b"\x00\x01")) == ["noise"]
    assert faults(decoder.feed(b"\x02\x03\xc8")) == ["overflow"]
    assert decoder.feed(b"\x02\x03\x06") == []
    assert decoder.abandon()[0] == FrameFault("partial", "020306", 3)
    assert decoder.abandon() == []


def test_the_address_of_a_damaged_frame_is_told_so_that_a_stranger_gets_no_nak() -> None:
    raw = bytearray(encode(b"\x33", 0x02))
    raw[-1] ^= 1
    (fault,) = [item for item in Decoder().feed(bytes(raw)) if isinstance(item, FrameFault)][:1]
    assert (fault.kind, fault.address) == ("checksum", 2)


def test_a_frame_that_holds_a_whole_frame_is_one_frame() -> None:
    inner = encode(b"\x81\x02")
    assert good(Decoder().feed(encode(inner + b"x"))) == [inner + b"x"]


def test_a_host_cannot_build_a_frame_that_does_not_fit() -> None:
    assert len(encode(bytes(245))) == 250
    for data, address in ((bytes(246), 3), (b"", 3), (b"\x33", 256)):
        with pytest.raises(FrameError):
            encode(data, address)
