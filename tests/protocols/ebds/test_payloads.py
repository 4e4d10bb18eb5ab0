"""What EBDS messages carry, read and built; what cannot be read is never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import FrameError
from kiosk.protocols.ebds import payloads
from kiosk.protocols.ebds.codes import Condition, Operation, Report, Setting, State
from kiosk.protocols.ebds.payloads import Command, NoteRecord, Status, ValueRow

TWENTY = NoteRecord(0, "USD", 2, 1, 3, "A", "B", "C", "D", 4)


def test_a_command_names_its_bits_as_the_sheet_does() -> None:
    command = payloads.parse_command(bytes.fromhex("7F 58 1C"))
    assert command is not None
    assert Operation.RETURN in command.operation
    assert (command.orientation, command.policy) == (2, 3)
    assert Setting.EXTENDED_NOTE in command.setting
    assert command.data.hex() == "7f581c"
    assert payloads.parse_command(b"\x7f\x58") is None


@given(st.binary(min_size=6, max_size=6).map(lambda raw: bytes(byte & 0x7F for byte in raw)))
@settings(max_examples=30)
def test_every_status_is_read_and_built_byte_for_byte(data: bytes) -> None:
    status = payloads.parse_status(data)
    assert status is not None
    assert status.data == data


def test_a_status_keeps_events_and_conditions_apart() -> None:
    status = payloads.parse_status(bytes.fromhex("11 10 38 00 01 02"))
    assert status == Status(
        State.IDLING | State.STACKED, Condition.CASSETTE_ATTACHED, Report(0x38), model=1, revision=2
    )
    assert status.note_value == 7


def test_a_note_record_is_read_and_built_byte_for_byte() -> None:
    data = bytes.fromhex("00 55 53 44 30 30 32 2B 30 31 03 41 42 43 44 04 00 00")
    assert TWENTY.data == data
    assert payloads.parse_record(data) == TWENTY
    assert TWENTY.minor(2) == 2000


@pytest.mark.parametrize(
    "record",
    [
        bytes(18),
        bytes.fromhex("07") + bytes(17),
        bytes.fromhex("01 75 73 64 30 30 31 2B 30 30 00 41 41 41 41 00 00 00"),  # small letters
        bytes.fromhex("01 55 53 44 30 30 3A 2B 30 30 00 41 41 41 41 00 00 00"),  # no digit
        bytes.fromhex("01 55 53 44 30 30 31 2A 30 30 00 41 41 41 41 00 00 00"),  # no sign
        bytes.fromhex("01 55 53 44 30 30 31 2B 30"),
    ],
    ids=["zero", "zero with an index", "letters", "digits", "sign", "short"],
)
def test_a_record_that_is_none_is_not_read(record: bytes) -> None:
    assert payloads.parse_record(record) is None


@pytest.mark.parametrize("kind", [(0, 0), (1, 10), (999, 99), (1, -3), (5, -99)])
def test_a_record_with_a_fraction_or_an_absurd_power_has_no_value(kind: tuple[int, int]) -> None:
    assert NoteRecord(1, "USD", *kind).minor(2) is None


def test_a_record_below_one_unit_has_a_value_where_it_is_whole() -> None:
    assert NoteRecord(1, "EUR", 50, -2).minor(2) == 50
    assert NoteRecord(1, "JPY", 1, 4).minor(0) == 10_000


def test_notes_of_one_kind_have_one_key_whatever_way_they_are_fed() -> None:
    fed_otherwise = NoteRecord(7, "USD", 2, 1, 0, "A", "B", "C", "D", 0)
    other_version = NoteRecord(0, "USD", 2, 1, 3, "A", "B", "C", "E", 4)
    assert TWENTY.key == fed_otherwise.key != other_version.key
    assert TWENTY.key != NoteRecord(0, "CAD", 2, 1, 3, "A", "B", "C", "D").key


def test_a_value_table_is_read_and_built_and_holes_stay_holes() -> None:
    rows = (ValueRow(1, "USD", 1, 0), ValueRow(7, "USD", 1, 2))
    table = payloads.value_table(rows)
    assert len(table) == 70
    assert payloads.parse_value_table(table) == rows
    assert payloads.parse_value_table(table[:25]) == rows[:1]
    assert payloads.parse_value_table(bytes(70)) == ()


@given(st.sets(st.integers(1, 50)))
@settings(max_examples=30)
def test_a_mask_enables_exactly_the_notes_it_was_built_of(notes: set[int]) -> None:
    mask = payloads.enable_mask(notes, 8)
    assert payloads.enabled_notes(mask) == tuple(sorted(notes))
    assert max(mask) <= 0x7F


def test_a_note_without_a_bit_is_refused() -> None:
    assert payloads.enabled_notes(payloads.enable_mask([1, 128], 19)) == (1, 128)
    for note in (0, 57):
        with pytest.raises(FrameError):
            payloads.enable_mask([note], 8)


def test_a_software_crc_never_passes_for_a_serial_number() -> None:
    assert payloads.auxiliary_text(bytes.fromhex("05 0A 0F 01 00 00")) == ""
    assert payloads.auxiliary_text(b"SN123456\x00\x00") == "SN123456"
    assert payloads.parse_part_number(bytes.fromhex("05 0A 0F 01 00 00")) is None
    assert payloads.parse_part_number(b"28000012X") is None


def test_a_barcode_ends_where_its_padding_begins() -> None:
    assert payloads.barcode_text(b"12345678(((((((((((((((((((((((") == "12345678"


def test_bits_of_a_plain_reply_are_named() -> None:
    status = Status(State.ESCROWED, report=Report(3 << 3))
    assert status.data.hex() == "041018000000"
    assert Command().data.hex() == "001000"
