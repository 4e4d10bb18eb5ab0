"""Every command and answer of the sheet is named by the explanation, and no bytes make it raise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.protocols.escpos.explain import MAX_PIECE, explain
from kiosk.protocols.explained import Keys

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "escpos" / "vectors.json").read_text(encoding="utf-8")
)["frames"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['direction']} {vector['hex'][:24]}")
def test_a_piece_of_the_sheet_is_named(vector: dict[str, Any]) -> None:
    told = explain(bytes.fromhex(vector["hex"]), vector["direction"], Keys())
    assert (told.valid, told.name) == (vector["good"], vector["name"])
    assert bool(told.error) is not told.valid


def test_near_end_and_end_are_not_confused_between_the_kinds_of_answer() -> None:
    queued = explain(b"\x0c", "device", Keys())
    automatic = explain(bytes.fromhex("10000c00"), "device", Keys())
    assert (queued.fields["near_end"], queued.fields["end"]) == (False, True)
    assert (automatic.fields["near_end"], automatic.fields["end"]) == (False, True)


def test_a_piece_of_several_commands_lists_them_in_order() -> None:
    told = explain(bytes.fromhex("1B40 1B7413 48490A 1D564103"), "host", Keys())
    assert told.name == "stream"
    parts = told.fields["parts"]
    assert isinstance(parts, list)
    assert [part["name"] for part in parts if isinstance(part, dict)] == [
        "initialise", "code_page", "text", "line", "cut",
    ]  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=64), st.sampled_from(["host", "device"]))
def test_no_bytes_raise_and_what_is_not_valid_has_a_reason(raw: bytes, sender: Any) -> None:
    told = explain(raw, sender, Keys())
    assert told.valid is not bool(told.error)
    json.dumps(told.fields)


def test_a_piece_without_end_is_refused_by_its_length() -> None:
    assert explain(b"a\n" * MAX_PIECE, "host", Keys()).error == "overflow"
