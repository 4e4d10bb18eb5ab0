"""What `explain` says of ccTalk frames: the sheet's worked frames, good and bad, and any bytes at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.protocols.cctalk.explain import explain
from kiosk.protocols.cctalk.frames import Framing
from kiosk.protocols.explained import Keys

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "cctalk" / "vectors.json").read_text("utf-8")
)["frames"]


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["hex"][:30])
def test_every_worked_frame_is_explained_as_good_or_bad(row: dict[str, Any]) -> None:
    told = explain(bytes.fromhex(row["hex"]), row["direction"], Keys(cctalk=row.get("key"), checksum=row["checksum"]))
    assert told.valid is row["good"]
    assert bool(told.error) is not row["good"]
    assert bool(told.name) is row["good"]
    if row["good"]:
        assert (told.fields["destination"], told.fields["header"]) == (row["destination"], row["header"])
        assert told.fields.get("source") == row["source"]


@pytest.mark.parametrize(
    ("frame", "sender", "name", "fields"),
    [
        ("0200 01 f2 0b", "host", "request_serial_number", {"destination_name": "coin_acceptor"}),
        ("020101b80143", "host", "request_coin_id", {"coin_position": 1}),
        ("020101e40117", "host", "modify_master_inhibit_status", {"accepts": True}),
        ("280101 9a 01 3b", "host", "route_bill", {"route_name": "stack"}),
        ("2801019903 3a", "host", "modify_bill_operating_mode", {"stacker": True, "escrow": True}),
        ("2802019c4555 9f", "host", "request_country_scaling_factor", {"country": "EU"}),
        ("030901a763d92a95bad435820309", "host", "dispense_hopper_coins",
         {"coins": 3, "security": "63d92a95bad43582"}),
        ("0103020 04e61bc8f", "device", "reply", {"number_low_byte_first": 12345678}),
        ("010602004742313030419c", "device", "reply", {"text": "GB100A"}),
        ("010b02000201050105000000000000e4", "device", "reply",
         {"event_counter": 2, "events_newest_first": [[1, 5], [1, 5], [0, 0], [0, 0], [0, 0]]}),
    ],
)  # fmt: skip
def test_data_is_told_in_words(frame: str, sender: Any, name: str, fields: dict[str, Any]) -> None:
    told = explain(bytes.fromhex(frame.replace(" ", "")), sender)
    assert (told.valid, told.name) == (True, name)
    assert fields.items() <= told.fields.items()


def test_the_injected_zero_byte_is_a_valid_broadcast_reset_with_two_data_bytes() -> None:
    told = explain(bytes.fromhex("00020101e40117"), "host")
    assert (told.valid, told.name, told.fields["destination"], told.fields["data"]) == (True, "reset_device", 0, "e401")
    assert "suspicious" in told.fields


def test_answers_have_names_of_their_own_and_hosts_send_none() -> None:
    form = Framing()
    assert [explain(form.encode(1, header, source=2), "device").name for header in (0, 5, 6, 9)] == [
        "ack", "nak", "busy", "unknown",
    ]  # fmt: skip
    assert explain(form.encode(2, 0), "host").name == "unknown"


def test_a_strange_header_in_a_good_frame_is_valid_and_unknown() -> None:
    told = explain(Framing().encode(2, 127, b"\x05"), "host")
    assert (told.valid, told.name, told.fields["data"]) == (True, "unknown", "05")


def test_a_wrong_key_is_an_error_and_no_exception() -> None:
    assert not explain(b"\x28\x00\x01\x9f\x38", "host", Keys(cctalk="12")).valid
    assert "key" in explain(b"\x28\x00\x01\x9f\x38", "host", Keys(cctalk="123456")).error


@given(st.binary(max_size=60), st.sampled_from(["host", "device"]), st.sampled_from(["simple", "crc"]), st.booleans())
@settings(max_examples=50)
def test_no_bytes_raise(raw: bytes, sender: Any, checksum: Any, sealed: bool) -> None:
    keys = Keys(cctalk="123456" if sealed else None, checksum=checksum)
    told = explain(raw, sender, keys)
    assert told.valid is bool(told.name)


@given(st.integers(0, 255), st.binary(max_size=20), st.sampled_from(["host", "device"]))
@settings(max_examples=60)
def test_no_good_frame_raises(header: int, data: bytes, sender: Any) -> None:
    assert explain(Framing().encode(2, header, data), sender).valid
