"""What `explain` says of EBDS frames: the sheet's worked frames, good and bad, and any bytes at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.protocols.ebds.explain import explain
from kiosk.protocols.ebds.frames import encode, seven_bits

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "ebds" / "vectors.json").read_text("utf-8"))["frames"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["hex"][:40])
def test_every_worked_frame_is_explained_as_good_or_bad(vector: dict[str, Any]) -> None:
    told = explain(bytes.fromhex(vector["hex"]), vector["direction"])
    assert told.valid is vector["good"]
    assert bool(told.error) is not vector["good"]
    assert bool(told.name) is vector["good"]
    assert told.name != "unknown"


@pytest.mark.parametrize(
    ("raw", "sender", "name", "fields"),
    [
        ("02 08 10 7F 1C 10 03 6B", "host", "poll", {"escrow": True, "orientation": 3, "extended_note": True}),
        ("02 08 10 00 10 08 03 00", "host", "poll", {"power_up_policy": "C", "enabled": []}),
        ("02 08 10 7F 38 10 03 4F", "host", "stack", {"toggle": 0}),
        ("02 08 11 7F 58 10 03 2E", "host", "return", {"toggle": 1}),
        ("02 08 60 00 00 08 03 60", "host", "query_variant_name", {}),
        ("02 08 60 7F 7F 7F 03 17", "host", "soft_reset", {}),
        ("02 08 60 FF FF FF 03 17", "host", "soft_reset", {}),
        ("02 0A 70 02 00 00 10 32 03 5A", "host", "extended_note", {"index": 50}),
        (
            "02 11 70 03 00 00 10 05 40 00 00 00 00 00 00 03 37", "host", "extended_inhibits",
            {"enabled_notes": [1, 3, 14]},
        ),
        (
            "02 0B 70 04 00 00 00 01 02 03 7C", "host", "extended_escrow_timeout",
            {"note_timeout_s": 1, "barcode_timeout_s": 2},
        ),
        ("02 0B 21 11 10 38 00 01 02 03 10", "device", "stacked", {"note_value": 7, "state": ["idling", "stacked"]}),
        ("02 0B 21 01 12 00 00 01 02 03 3A", "device", "idling", {"condition": ["rejected", "cassette_attached"]}),
        (
            "02 0B 21 00 10 04 00 01 02 03 3D", "device", "out_of_service",
            {"condition": ["cassette_attached", "failure"]},
        ),
        ("02 0B 21 01 00 00 10 55 23 03 4D", "device", "idling", {"model_name": "CashFlow SC66", "condition": []}),
        ("02 0D 70 0B 00 00 00 00 00 00 7F 03 09", "device", "extended_note_retrieved", {"event": "retrieved"}),
        ("02 0E 60 32 38 30 30 30 30 31 32 33 03 54", "device", "part_number", {"text": "280000 V1.23"}),
        ("05", "device", "enquiry", {}),
    ],
)  # fmt: skip
def test_words_and_fields_come_from_the_sheet(raw: str, sender: Any, name: str, fields: dict[str, Any]) -> None:
    told = explain(bytes.fromhex(raw), sender)
    assert told.name == name
    assert told.fields.items() >= fields.items()


def test_notes_are_told_with_their_value() -> None:
    record = bytes.fromhex("00 55 53 44 30 30 32 2B 30 31 03 41 42 43 44 04 00 00")
    told = explain(encode(7, 0, b"\x02" + bytes.fromhex("14 10 00 00 55 01") + record), "device")
    assert told.name == "extended_note"
    assert (
        told.fields.items()
        >= {"value_minor": 2000, "classification": "genuine", "state": ["escrowed", "stacked"]}.items()
    )
    blank = explain(encode(7, 0, b"\x02" + bytes.fromhex("11 10 00 00 55 01") + bytes(18)), "device")
    assert blank.fields["blank"] is True
    table = explain(
        bytes.fromhex(next(row["hex"] for row in VECTORS if "value table reply" in row["meaning"])), "device"
    )
    assert [row["value"] for row in table.fields["values"]] == [1, 2, 5, 10, 20, 50, 100]  # type: ignore[union-attr]


@given(st.binary(max_size=40), st.sampled_from(["host", "device"]))
@settings(max_examples=40)
def test_no_bytes_make_it_raise(raw: bytes, sender: Any) -> None:
    told = explain(raw, sender)
    assert told.valid is not bool(told.error)


@given(st.integers(0, 7), st.binary(max_size=40).map(seven_bits), st.sampled_from(["host", "device"]))
@settings(max_examples=60)
def test_no_good_frame_makes_it_raise(kind: int, data: bytes, sender: Any) -> None:
    assert explain(encode(kind, 1, data), sender).valid
