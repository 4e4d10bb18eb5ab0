"""What CCNET frames carry and how captured ones are explained: masks, the bill table, who the unit is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import FrameError
from kiosk.model.money import Money
from kiosk.protocols.ccnet.codes import (
    ASKABLE,
    DeviceState,
    Unknown,
    device_state,
    failure_code,
    host_command,
    reject_reason,
)
from kiosk.protocols.ccnet.explain import explain
from kiosk.protocols.ccnet.frames import encode
from kiosk.protocols.ccnet.options import CcnetOptions
from kiosk.protocols.ccnet.payloads import (
    BillSlot,
    Identification,
    encode_bill_table,
    encode_identification,
    mask_types,
    parse_bill_table,
    parse_identification,
    type_mask,
)
from kiosk.protocols.ccnet.settings import read_table
from kiosk.protocols.ccnet.sights import sight
from kiosk.protocols.ccnet.status_words import STATES, words
from kiosk.protocols.note_life import Seen

EUR = tuple(BillSlot(at, digit, "EUR", power) for at, (digit, power) in enumerate([(5, 0), (1, 1), (2, 1), (5, 1)]))


def test_codes_mean_different_things_by_direction_and_unknown_ones_are_named_as_such() -> None:
    assert host_command(0x30).name == "RESET"
    assert device_state(0x30).name == "ILLEGAL_COMMAND"
    assert device_state(0x16) == Unknown(0x16)
    assert reject_reason(0x6B).generic == "unknown", "there is no 6B"
    assert reject_reason(0x68).generic == "denomination_inhibited"
    assert failure_code(0x99).severity == "fault"


def test_the_mask_has_types_23_to_16_first_and_7_to_0_last() -> None:
    assert type_mask([23, 8, 0]) == bytes((0x80, 0x01, 0x01))
    assert mask_types(bytes((0x80, 0x01, 0x01))) == (0, 8, 23)
    with pytest.raises(FrameError):
        type_mask([24])


@given(st.sets(st.integers(0, 23)))
@settings(max_examples=40)
def test_a_mask_read_back_names_the_same_types(types: set[int]) -> None:
    assert set(mask_types(type_mask(types))) == types


def test_a_bill_table_is_read_back_as_it_was_written_and_leaves_unused_entries_out() -> None:
    data = encode_bill_table([*EUR, BillSlot(23, 1, "TIC", 0)])
    assert len(data) == 120
    assert parse_bill_table(data) == (*EUR, BillSlot(23, 1, "TIC", 0))
    assert [slot.minor(2) for slot in EUR] == [500, 1000, 2000, 5000]


def test_bit_7_of_an_exponent_is_its_sign_or_not_as_configured() -> None:
    data = bytes.fromhex("05 45 55 52 81")
    (slot,) = parse_bill_table(data)
    assert (slot.exponent, slot.minor(2)) == (-1, 50)
    with pytest.raises(FrameError):  # 10^129 is no note
        parse_bill_table(data, signed=False)


def test_a_value_that_is_no_whole_minor_unit_is_refused() -> None:
    with pytest.raises(FrameError):
        BillSlot(0, 5, "EUR", -3).minor(2)
    with pytest.raises(FrameError):
        BillSlot(0, 5, "JPY", -1).minor(0)


@pytest.mark.parametrize("data", [b"", bytes(4), bytes(125), b"\x05\x00\x01\x02\x00", b"\x05EU1\x00", b"\x01EUR\x20"])
def test_a_table_of_another_shape_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(FrameError):
        parse_bill_table(data)


def table(*slots: BillSlot, currency: str = "EUR", **options: object) -> tuple[dict[int, Money], str]:
    return read_table(encode_bill_table(slots), currency, CcnetOptions(**options))  # type: ignore[arg-type]


def test_country_letters_stand_for_the_currency_by_configuration() -> None:
    hryvnia = BillSlot(7, 1, "UKR", 3)
    assert table(hryvnia, currency="UAH") == ({7: Money(100_000, "UAH")}, "")
    odd = BillSlot(0, 5, "XXY", 0)
    assert table(odd)[1] == "bill table: the unit reads XXY, not EUR"
    assert table(odd, country=("XXY",)) == ({0: Money(500, "EUR")}, "")


def test_a_type_of_another_country_forbids_to_enable_anything_unless_it_is_to_be_left_out() -> None:
    mixed = (EUR[0], BillSlot(1, 1, "USA", 0))
    assert table(*mixed) == ({}, "bill table: the unit reads USA, not EUR")
    assert table(*mixed, foreign_types="leave_out") == ({0: Money(500, "EUR")}, "")
    assert table(mixed[1], foreign_types="leave_out")[1], "nothing is left"


def test_coupons_and_coins_are_no_notes() -> None:
    slots = (EUR[0], BillSlot(8, 1, "EUR", 0), BillSlot(23, 1, "TIC", 0))
    assert table(*slots, coin_types=(8,)) == ({0: Money(500, "EUR")}, "")


def test_an_identification_is_34_bytes_and_its_text_is_printable() -> None:
    who = Identification("SM-EU1234", "07KI41AS7482", "75ed8dc8033f7b")
    assert parse_identification(encode_identification(who)) == who
    assert parse_identification(b"\x00\x1b[2J" + bytes(29)).part == "[2J"
    with pytest.raises(FrameError):
        parse_identification(bytes(33))


def test_type_0_in_escrow_has_a_key_of_its_own() -> None:
    found = sight(DeviceState.ESCROW_POSITION, b"\x00", {0: Money(500, "EUR")})
    assert found.key
    assert found.value == Money(500, "EUR")


def test_a_type_that_is_not_enabled_has_no_value_in_escrow_but_one_at_the_credit_point() -> None:
    values = {2: Money(2000, "EUR")}
    assert sight(DeviceState.ESCROW_POSITION, b"\x02", values, enabled=()).value is None
    assert sight(DeviceState.BILL_STACKED, b"\x02", values, enabled=()).value == Money(2000, "EUR")
    assert sight(DeviceState.BILL_STACKED, b"\x21", values, destination=True).value == Money(2000, "EUR")


def test_every_state_has_words_of_the_house_and_a_sight() -> None:
    for state in DeviceState:
        assert words(state, b"\x60")[0] in STATES
        assert sight(state, b"\x01", {}).seen in Seen
    assert words(Unknown(0x16), b"")[:2] == ("unknown", "unknown")
    assert sight(Unknown(0x81), b"\x01", {}).seen is Seen.NOTHING
    assert DeviceState.IDLING not in ASKABLE


# --- explain ----------------------------------------------------------------------------------------------------------


def test_a_good_frame_with_a_strange_code_is_valid_and_unknown() -> None:
    told = explain(encode(b"\x16"), "device")
    assert (told.valid, told.name, told.fields["code"]) == (True, "unknown", "16")
    assert explain(encode(b"\x1d"), "device").fields["family"] == "bill_to_bill"
    assert explain(encode(b"\x01\x02\x03\x04"), "device").name == "unknown", "four bytes could be two things"


def test_reasons_types_and_tables_are_told_in_words() -> None:
    assert explain(encode(b"\x1c\x68"), "device").fields["reason_name"] == "inhibited type"
    assert explain(encode(b"\x47\x50"), "device").fields["failure_name"] == "stacker motor"
    assert explain(encode(b"\x81\x07"), "device").fields["bill_type"] == 7
    enable = explain(encode(b"\x34\x00\x00\x7c\x00\x00\x0c"), "host").fields
    assert (enable["enabled"], enable["escrow"]) == ([2, 3, 4, 5, 6], [2, 3])
    told = explain(encode(encode_bill_table(EUR[:1])), "device")
    assert told.name == "bill_table"
    assert told.fields["bills"] == [{"bill_type": 0, "country": "EUR", "currency": "EUR", "value": 5}]
    assert explain(encode(b"\x5a" + bytes((0, 0, 0x27, 0x10)) * 2), "host").fields["notes_ms"] == 10_000


@pytest.mark.parametrize("raw", [b"", b"\x02\x03\x00\x50", b"\x02\x03\x06\x33\xda", b"\x03" + encode(b"\x33")])
def test_what_is_no_whole_frame_is_refused_with_a_reason(raw: bytes) -> None:
    told = explain(raw, "host")
    assert not told.valid
    assert told.error


@given(st.binary(max_size=40))
@settings(max_examples=60)
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    for sender in ("host", "device"):
        told = explain(raw, sender)
        assert told.valid is not bool(told.error)


@given(st.binary(min_size=1, max_size=130), st.sampled_from(["host", "device"]))
@settings(max_examples=60)
def test_no_good_frame_makes_it_raise(data: bytes, sender: str) -> None:
    assert explain(encode(data), sender).valid  # type: ignore[arg-type]
