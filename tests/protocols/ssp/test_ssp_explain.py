"""`explain` for SSP: every worked frame, sealed ones with and without the key, and anything at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.protocols.explained import Explained, Keys
from kiosk.protocols.ssp.explain import explain
from kiosk.protocols.ssp.frames import encode

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "ssp" / "vectors.json").read_text("utf-8")
)["frames"]
NO_KEYS = Keys()


def told(text: str, sender: Any = "device", keys: Keys = NO_KEYS) -> Explained:
    return explain(bytes.fromhex(text), sender, keys)


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: f"{row['sender']}-{row['hex'][:30]}")
def test_every_worked_frame_is_explained(row: dict[str, Any]) -> None:
    keys = Keys(essp=bytes.fromhex(row["key"])) if row.get("key") else NO_KEYS
    explained = told(row["hex"], row["sender"], keys)
    assert explained.valid is row["good"]
    if row["good"]:
        assert explained.name not in ("", "unknown")
        assert explained.fields["address"] == row["address"]
        assert explained.fields["sequence"] == row["sequence"]
    else:
        assert explained.error.startswith(row["error"])
    if row.get("key"):
        assert explained.fields["count"] == row["count"]
        assert explained.fields["encrypted"] is True


def test_a_poll_reply_lists_its_events() -> None:
    explained = told("7F 80 04 F0 CC EE 01 62 AA")
    assert explained.name == "ok"
    assert explained.fields["events"] == [
        {"event": "stacking", "code": "cc"},
        {"event": "credit", "code": "ee", "channel": 1},
    ]


def test_a_valid_frame_with_an_event_that_does_not_exist_says_where_it_stopped() -> None:
    explained = told("7F 80 03 F0 F1 F8 DC 0C")
    assert explained.valid
    assert explained.fields["unknown_event"] == "f8"
    assert explained.fields["events"] == [{"event": "slave_reset", "code": "f1"}]


def test_a_reply_that_is_no_event_list_is_not_read_as_one() -> None:
    assert "events" not in told("7F 80 02 F0 08 0C 20").fields


def test_a_hopper_tells_fraud_as_money() -> None:
    events = told("7F 90 0A F0 E6 01 FA 05 00 00 45 55 52 B6 64").fields["events"]
    assert events == [{"event": "fraud_attempt", "code": "e6", "amounts": [{"minor": 1530, "country": "EUR"}]}]


def test_parameters_are_told_in_words() -> None:
    assert told("7F 80 03 02 1C 00 2B EC", "host").fields["channels"] == [3, 4, 5]
    assert told("7F 80 09 4A C5 05 8F 3A 00 00 00 00 B2 73", "host").fields["generator"] == 982451653
    assert told("7F 80 03 4D 01 00 E4 27", "host").fields["baud"] == 38400
    assert told("7F 80 02 06 06 24 14", "host").fields["version"] == 6


def test_a_sealed_frame_without_the_key_is_good_and_closed() -> None:
    sealed = next(row for row in VECTORS if row.get("key"))
    closed = told(sealed["hex"], sealed["sender"])
    assert (closed.valid, closed.name) == (True, "encrypted_block")
    opened = told(sealed["hex"], sealed["sender"], Keys(essp=bytes.fromhex(sealed["key"])))
    assert (opened.name, opened.fields["version"]) == ("host_protocol_version", 6)


def test_a_sealed_frame_under_another_key_is_not_valid() -> None:
    sealed = next(row for row in VECTORS if row.get("key"))
    assert told(sealed["hex"], sealed["sender"], Keys(essp=bytes(16))) == Explained(
        False, "", {"address": 0, "sequence": 1, "encrypted": True},
        "encrypted block: checksum: another key, or a damaged block",
    )  # fmt: skip
    assert not told(sealed["hex"], sealed["sender"], Keys(essp=b"short")).valid


def test_a_code_that_no_table_holds_is_valid_and_unknown() -> None:
    assert explain(encode(0, 0, b"\x99"), "host", NO_KEYS).name == "unknown"
    assert explain(encode(0, 0, b"\xc7"), "device", NO_KEYS).name == "unknown"


def test_a_wrong_number_of_parameters_is_a_good_frame() -> None:
    explained = explain(encode(0, 0, b"\x4b\x01"), "host", NO_KEYS)
    assert explained.valid
    assert explained.fields["wrong_number_of_parameters"] is True


@settings(max_examples=120)
@given(
    st.binary(max_size=60) | st.binary(min_size=1, max_size=60).map(lambda data: encode(0, 1, data)),
    st.sampled_from(["host", "device"]),
    st.sampled_from([None, bytes(16)]),
)
def test_no_bytes_raise(raw: bytes, sender: Any, key: bytes | None) -> None:
    explained = explain(raw, sender, Keys(essp=key))
    assert explained.valid == (not explained.error)
    json.dumps(explained.fields)
