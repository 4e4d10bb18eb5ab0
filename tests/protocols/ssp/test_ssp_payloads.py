"""SSP replies: events in order and only as far as they are sure, the set-up of a unit, counters, tickets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import FrameError
from kiosk.protocols.ssp.codes import ACKNOWLEDGED, EVENTS, EventCode
from kiosk.protocols.ssp.payloads import (
    Channel,
    Counters,
    Setup,
    amounts,
    build_counters,
    build_setup,
    parse_barcode_reader,
    parse_counters,
    parse_serial,
    parse_setup,
    parse_ticket,
    parse_unit_data,
    read_events,
)


def names(hexadecimal: str, version: int = 8, *, payout: bool = False) -> list[str]:
    return [event.name for event in read_events(bytes.fromhex(hexadecimal), version, payout=payout).events]


def test_the_reading_stops_at_an_unknown_event_and_keeps_what_came_before() -> None:
    """The manual once printed F8 for E8 (sheet §14): to guess its size would invent or lose a credit."""
    reading = read_events(bytes.fromhex("f1 f8 ee 04"), 8)
    assert [event.name for event in reading.events] == ["slave_reset"]
    assert (reading.rest.hex(), reading.problem) == ("f8ee04", "unknown_event")


@pytest.mark.parametrize("code", [0x8B, 0xA7, 0xBA, 0xC0, 0xD3])
def test_an_event_whose_size_is_documented_nowhere_is_unknown(code: int) -> None:
    assert read_events(bytes((code, 0xEE, 1)), 8).problem == "unknown_event"


def test_an_event_without_its_bytes_is_cut_off() -> None:
    reading = read_events(bytes.fromhex("cc ee"), 8)
    assert [event.name for event in reading.events] == ["stacking"]
    assert (reading.rest.hex(), reading.problem) == ("ee", "cut_off")
    assert read_events(bytes.fromhex("bf 02 00"), 8).problem == "cut_off"


def test_sizes_follow_the_protocol_version() -> None:
    assert names("da 01 00 00 00 eb", 5) == ["dispensing", "stacked"]
    assert names("da 01 01 00 00 00 45 55 52 eb", 6) == ["dispensing", "stacked"]
    assert names("ee 01 eb", 8) == ["credit", "stacked"]
    assert names("ee f4 01 00 00 45 55 52 eb", 9) == ["credit", "stacked"]


def test_a_stored_note_has_the_bytes_that_its_unit_has() -> None:
    """Sheet §8 [?]: the manual's example has none, one table has eight."""
    assert names("db eb") == ["note_stored_in_payout", "stacked"]
    reading = read_events(bytes.fromhex("db") + bytes(8) + b"\xeb", 8, stored=8)
    assert [event.name for event in reading.events] == ["note_stored_in_payout", "stacked"]


def test_fraud_is_a_channel_for_notes_and_money_for_units_that_pay_out() -> None:
    assert names("e6 02 e8") == ["fraud_attempt", "disabled"]
    event = read_events(bytes.fromhex("e6 01 fa 05 00 00 45 55 52"), 6, payout=True).events[0]
    assert amounts(event, 6, payout=True) == [(1530, "EUR")]


def test_money_of_the_worked_examples() -> None:
    def money(text: str) -> list[tuple[int, str]]:
        return amounts(read_events(bytes.fromhex(text), 8).events[0], 8)

    assert money("c9 f4 01 00 00 45 55 52") == [(500, "EUR")]
    assert money("b3 01 d4 08 00 00 45 55 52") == [(2260, "EUR")]
    assert money("bf 02 dc 00 00 00 45 55 52 68 01 00 00 47 42 50") == [(220, "EUR"), (360, "GBP")]
    assert money("ee 04") == []


def test_the_acknowledged_events_of_the_table_are_those_a_host_acknowledges() -> None:
    asked = {code for code, rule in EVENTS.items() if rule.ack}
    assert asked <= set(ACKNOWLEDGED)
    assert set(ACKNOWLEDGED) - asked == {EventCode.CLEARED_FROM_FRONT}


EUR = tuple(Channel(k + 1, value, "EUR") for k, value in enumerate((5, 10, 20, 50, 100)))


@pytest.mark.parametrize(("protocol", "multiplier"), [(4, 5), (6, 0), (8, 0), (7, 5)])
def test_a_setup_is_read_as_it_was_built(protocol: int, multiplier: int) -> None:
    setup = Setup(0, "0333", "EUR", multiplier, EUR, 100, protocol)
    data = build_setup(setup)
    assert len(data) == (16 + 9 * 5 if protocol >= 6 else 16 + 2 * 5)
    assert parse_setup(data) == setup


def test_value_bytes_count_where_the_multiplier_is_not_zero() -> None:
    """Sheet §7: protocol below 6 or a multiplier above 0 means value byte times multiplier."""
    data = build_setup(Setup(0, "0333", "EUR", 5, EUR, 100, 8))
    assert data[12:17] == bytes((1, 2, 4, 10, 20))
    assert [channel.value for channel in parse_setup(data).channels] == [5, 10, 20, 50, 100]


@settings(max_examples=60)
@given(st.binary(max_size=90))
def test_hostile_replies_are_refused_and_never_raise_anything_else(data: bytes) -> None:
    for parse in (parse_setup, parse_counters, parse_serial, parse_unit_data, parse_ticket, parse_barcode_reader):
        try:
            parse(data)
        except FrameError as error:
            assert error.hint
    for version in (4, 6, 8, 9):
        reading = read_events(data, version)
        size = sum(1 + len(event.data) for event in reading.events)
        assert data[size:] == reading.rest


def test_counters_serial_unit_data_and_ticket_are_read() -> None:
    counters = Counters(17, 40, 35, 10, 16)
    raw = bytes.fromhex("05 11 00 00 00 28 00 00 00 23 00 00 00 0A 00 00 00 10 00 00 00")
    assert parse_counters(raw) == counters
    assert build_counters(counters) == raw
    assert parse_serial(bytes.fromhex("00 12 d6 87")) == 0x12D687
    assert parse_unit_data(b"\x000333EUR\x00\x00\x05\x06").multiplier == 5
    assert parse_ticket(b"\x01\x061234<\n").text == "1234<?"
    assert parse_barcode_reader(bytes((3, 1, 1, 18))).characters == 18


def test_an_implausible_number_of_channels_is_refused() -> None:
    with pytest.raises(FrameError, match="not plausible"):
        parse_setup(bytes(11) + bytes((200,)) + bytes(3000))
