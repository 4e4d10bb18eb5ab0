"""What `explain` says of ID003 frames: the sheet's worked frames, good and bad, and any bytes at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.protocols.id003.explain import explain
from kiosk.protocols.id003.frames import encode

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "id003" / "vectors.json").read_text("utf-8"))["frames"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["hex"][:40])
def test_every_worked_frame_is_explained_as_good_or_bad(vector: dict) -> None:  # type: ignore[type-arg]
    told = explain(bytes.fromhex(vector["hex"]), vector["direction"])
    assert told.valid is vector["good"]
    assert bool(told.error) is not vector["good"]
    assert bool(told.name) is vector["good"]


def test_codes_mean_different_things_by_direction() -> None:
    frame = encode(0x40)
    assert explain(frame, "host").name == "reset"
    assert explain(frame, "device").name == "power_up"


def test_a_good_frame_with_a_strange_code_is_valid_and_unknown() -> None:
    told = explain(encode(0x7F, b"\x01"), "device")
    assert (told.valid, told.name, told.fields) == (True, "unknown", {"code": "7f", "data": "01"})


def test_reasons_and_tables_are_told_in_words() -> None:
    assert explain(encode(0x17, b"\x79"), "device").fields["reason_name"] == (
        "inhibited, wrong direction or escrow time limit"
    )
    table = explain(encode(0x8A, bytes((0x61, 0x01, 5, 0, 0x62, 0, 0, 0))), "device").fields["notes"]
    assert table == [{"note_code": "61", "country": "01", "currency": "USD", "value": 5}]


@given(st.binary(max_size=40), st.sampled_from(["host", "device"]))
def test_no_bytes_make_it_raise(raw: bytes, sender: str) -> None:
    told = explain(raw, sender)  # type: ignore[arg-type]
    assert told.valid is not bool(told.error)


@given(st.integers(0, 255), st.binary(max_size=30), st.sampled_from(["host", "device"]))
def test_no_good_frame_makes_it_raise(code: int, data: bytes, sender: str) -> None:
    assert explain(encode(code, data), sender).valid  # type: ignore[arg-type]
