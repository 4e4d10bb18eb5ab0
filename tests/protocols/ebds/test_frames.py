"""EBDS frames: every worked frame of the sheet, every split, every kind of rubbish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import FrameError
from kiosk.protocols.ebds.frames import MAX_FAULT_BYTES, Decoder, Frame, FrameFault, encode, seven_bits

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "ebds" / "vectors.json").read_text("utf-8")
)["frames"]
GOOD = [row for row in VECTORS if row["good"]]
BAD = [row for row in VECTORS if not row["good"]]

seven = st.binary(max_size=40).map(seven_bits)
frames = st.tuples(st.integers(0, 7), st.integers(0, 1), seven, st.integers(0, 7))


def good(results: list[Frame | FrameFault]) -> list[Frame]:
    return [item for item in results if isinstance(item, Frame)]


def faults(results: list[Frame | FrameFault]) -> list[str]:
    return [item.kind for item in results if isinstance(item, FrameFault)]


def test_the_vector_file_holds_the_whole_table_of_the_sheet_and_damaged_copies() -> None:
    assert (len(GOOD), len(BAD)) == (39, 6)


@pytest.mark.parametrize("row", GOOD, ids=lambda row: row["hex"][:40])
def test_a_worked_frame_is_read_and_written_byte_for_byte(row: dict[str, Any]) -> None:
    raw, data = bytes.fromhex(row["hex"]), bytes.fromhex(row["data"])
    assert Decoder().feed(raw) == [Frame(row["kind"], row["toggle"], data, raw)]
    assert encode(row["kind"], row["toggle"], data) == raw


@pytest.mark.parametrize("row", BAD, ids=lambda row: row["meaning"][:50])
def test_a_damaged_frame_is_dropped_and_told(row: dict[str, Any]) -> None:
    decoder = Decoder()
    told = decoder.feed(bytes.fromhex(row["hex"])) + decoder.abandon()
    assert good(told) == []
    assert faults(told)


def test_a_frame_split_at_any_byte_is_read_once() -> None:
    for row in GOOD:
        raw = bytes.fromhex(row["hex"])
        for cut in range(1, len(raw)):
            decoder = Decoder()
            assert decoder.feed(raw[:cut]) == []
            assert decoder.pending
            assert [frame.raw for frame in decoder.feed(raw[cut:])] == [raw]
            assert not decoder.pending


def test_the_eighth_bit_of_a_pseudo_terminal_is_masked_off() -> None:
    raw = bytes.fromhex("02 08 60 7F 7F 7F 03 17")
    on_a_pty = bytes.fromhex("02 08 60 FF FF FF 03 17")
    assert Decoder().feed(on_a_pty) == [Frame(6, 0, b"\x7f\x7f\x7f", raw)]
    assert Decoder().feed(bytes(byte | 0x80 for byte in raw)) == [Frame(6, 0, b"\x7f\x7f\x7f", raw)]


def test_two_three_and_five_inside_a_frame_do_not_end_it() -> None:
    raw = encode(7, 1, bytes.fromhex("02 03 05 02 08 10 03"))
    assert [frame.raw for frame in good(Decoder().feed(raw))] == [raw]


@given(st.lists(frames, max_size=5), st.data())
@settings(max_examples=40)
def test_frames_in_a_row_are_read_in_order_however_they_are_cut(
    sent: list[tuple[int, int, bytes, int]], data: st.DataObject
) -> None:
    stream = b"".join(encode(*frame) for frame in sent)
    decoder, out = Decoder(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        out += decoder.feed(stream[:size])
        stream = stream[size:]
    assert [(frame.kind, frame.toggle, frame.data, frame.device) for frame in good(out)] == sent
    assert faults(out) == []


@given(st.binary(max_size=30), frames)
@settings(max_examples=40)
def test_a_frame_behind_rubbish_is_found_in_the_end(rubbish: bytes, sent: tuple[int, int, bytes, int]) -> None:
    raw = encode(*sent)
    decoder = Decoder()
    out = decoder.feed(rubbish) + decoder.feed(raw) + decoder.abandon()
    # Rubbish may swallow the beginning, never for good: what was sent is found as it is or inside what was dropped.
    assert raw in [frame.raw for frame in good(out)] or any(raw in frame.raw for frame in good(out))


@given(st.binary(max_size=600))
@settings(max_examples=40)
def test_no_bytes_raise_and_none_are_kept_after_giving_up(rubbish: bytes) -> None:
    decoder = Decoder()
    out = decoder.feed(rubbish) + decoder.abandon()
    assert not decoder.pending
    assert all(len(fault.raw) <= 2 * MAX_FAULT_BYTES for fault in out if isinstance(fault, FrameFault))


def test_a_frame_that_does_not_fit_its_bits_is_refused() -> None:
    for args in ((8, 0), (1, 2), (1, 0, bytes(123)), (1, 0, b"\x80"), (1, 0, b"", 8)):
        with pytest.raises(FrameError):
            encode(*args)  # type: ignore[arg-type]
