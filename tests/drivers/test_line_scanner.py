"""Serial scanners: terminators, identifiers, limits, debounce, hostile labels."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.api import (
    CheckHealth,
    CommandRefused,
    DeviceEvent,
    DeviceState,
    Driver,
    DriverTools,
    InhibitNotes,
    Lost,
    Opened,
    PortRequest,
    Scanned,
    ScanRefused,
)
from kiosk.drivers.line_scanner import SPEC, LineScannerOptions

MS = 1_000_000


def scanner(**options: object) -> Driver:
    driver = SPEC.build(msgspec.convert(options, LineScannerOptions), DriverTools("USD"))
    driver.remember({}, None, bytes(32))
    driver.port(Opened({}), 0)
    driver.take_events()
    return driver


def read(driver: Driver, data: bytes, at_ms: int = 0) -> list[DeviceEvent]:
    driver.received(data, at_ms * MS)
    return driver.take_events()


def test_a_line_is_a_scan_and_its_end_may_be_cr_lf_or_both() -> None:
    driver = scanner()
    found = [read(driver, data, at) for at, data in enumerate((b"4711\r", b"4712\n", b"4713\r\n", b"\r\n"))]
    assert found == [[Scanned("4711")], [Scanned("4712")], [Scanned("4713")], []]


@pytest.mark.parametrize(("suffix", "end"), [("TAB", b"\t"), ("ETX", b"\x03"), ("#", b"#"), ("LF", b"\n")])
def test_the_end_of_a_scan_is_configurable(suffix: str, end: bytes) -> None:
    assert read(scanner(suffix=suffix), b"4711" + end) == [Scanned("4711")]


def test_prefix_and_aim_identifier_are_taken_off() -> None:
    driver = scanner(prefix="STX", aim_id=True)
    assert read(driver, b"\x02]C0A-17\r") == [Scanned("A-17", "]C0")]
    assert read(driver, b"\x02A-18\r") == [Scanned("A-18")]


def test_a_scan_without_its_prefix_lost_its_beginning_and_is_refused() -> None:
    assert read(scanner(prefix="STX", suffix="ETX"), b"711\x03\x024711\x03") == [
        ScanRefused("no_prefix", 3),
        Scanned("4711"),
    ]


def test_the_scanners_own_code_letters_become_aim_identifiers() -> None:
    driver = scanner(code_ids={"j": "]C0", "s": "]Q1", "js": "]d1"})
    assert read(driver, b"jA-17\r") == [Scanned("A-17", "]C0")]
    assert read(driver, b"jsA-18\r") == [Scanned("A-18", "]d1")]
    assert read(driver, b"4711\r") == [ScanRefused("no_code_id", 4)]


def test_an_identifier_stays_part_of_the_label_where_none_is_configured() -> None:
    assert read(scanner(), b"]C0A-17\r") == [Scanned("]C0A-17")]


def test_a_scan_split_into_single_bytes_is_the_same_scan() -> None:
    driver = scanner()
    found = [event for at, byte in enumerate(b"CIT-4711\r") for event in read(driver, bytes((byte,)), at)]
    assert found == [Scanned("CIT-4711")]


def test_too_short_and_too_long_are_refused_without_their_content() -> None:
    driver = scanner()
    assert read(driver, b"ab\r") == [ScanRefused("too_short", 2)]
    assert read(driver, b"a" * 513 + b"\r") == [ScanRefused("too_long", 513)]
    assert read(driver, b"a" * 512 + b"\r") == [Scanned("a" * 512)]


def test_four_kilobytes_in_one_piece_are_refused_and_the_next_scan_counts() -> None:
    driver = scanner()
    assert read(driver, b"x" * 4096 + b"\r") == [ScanRefused("too_long", 4096)]
    assert read(driver, b"4711\r") == [Scanned("4711")]


def test_a_scan_longer_than_a_second_is_broken_off_with_its_tail() -> None:
    driver = scanner()
    assert read(driver, b"1234", 0) == []
    assert driver.deadline() == 1_000 * MS
    driver.tick(1_000 * MS)
    assert driver.take_events() == [ScanRefused("broken_off", 4)]
    assert read(driver, b"5678\r9999\r", 1_050) == [], "the next line may belong to the same label"
    assert read(driver, b"4711\r", 1_150) == [Scanned("4711")]


def test_a_new_scan_after_a_quiet_line_is_not_taken_for_a_tail() -> None:
    driver = scanner()
    read(driver, b"1234", 0)
    driver.tick(1_000 * MS)
    driver.take_events()
    assert read(driver, b"4711\r", 1_500) == [Scanned("4711")]


def test_a_gap_ends_a_scan_only_where_no_suffix_is_configured() -> None:
    driver = scanner(suffix="NONE")
    assert read(driver, b"4711", 0) == []
    assert driver.deadline() == 100 * MS
    driver.tick(100 * MS)
    assert driver.take_events() == [Scanned("4711")]
    paused = scanner()
    read(paused, b"47", 0)
    assert read(paused, b"11\r", 500) == [Scanned("4711")]


def test_an_identical_label_within_two_seconds_acts_once() -> None:
    driver = scanner()
    assert read(driver, b"4711\r", 0) == [Scanned("4711")]
    assert read(driver, b"4711\r", 1_900) == []
    assert read(driver, b"4711\r", 3_800) == [], "each sight of a held ticket renews the pause"
    assert read(driver, b"4711\r", 5_800) == [Scanned("4711")]


def test_another_label_in_between_counts_at_once() -> None:
    driver = scanner()
    assert [read(driver, data, 0) for data in (b"4711\r", b"4712\r", b"4711\r")] == [
        [Scanned("4711")],
        [Scanned("4712")],
        [Scanned("4711")],
    ]


@pytest.mark.parametrize("label", ["<script>", "'; DROP TABLE x", "a\x00b", "\x1d01095", "Cádiz"])
def test_hostile_labels_pass_as_plain_text(label: str) -> None:
    assert read(scanner(), label.encode() + b"\r") == [Scanned(label)]


def test_bytes_that_are_no_utf_8_become_one_letter_each() -> None:
    assert read(scanner(), b"\xff\xfe1\r") == [Scanned("\xff\xfe1")]


def test_opening_flushes_the_boot_banner_and_tells_the_state_once() -> None:
    driver = SPEC.build(LineScannerOptions(), DriverTools("USD"))
    driver.port(Opened({}), 0)
    assert driver.take_outbound() == [PortRequest(1, "flush_input")]
    assert driver.take_events() == [DeviceState("ready", "ok")]
    driver.port(Lost("unplugged"), 5)
    assert [event.severity for event in driver.take_events() if isinstance(event, DeviceState)] == ["unknown"]


def test_a_partial_scan_does_not_survive_an_unplug() -> None:
    driver = scanner()
    read(driver, b"47")
    driver.port(Lost(""), 1)
    driver.port(Opened({}), 2)
    driver.take_events()
    assert read(driver, b"4711\r", 1) == [Scanned("4711")]


def test_a_scanner_reports_health_and_refuses_orders_about_notes() -> None:
    driver = scanner()
    driver.command(CheckHealth(), 0)
    driver.command(InhibitNotes(), 0)
    assert driver.take_events() == [
        DeviceState("ready", "ok"),
        CommandRefused("inhibit_notes", "a scanner has nothing to command"),
    ]


@pytest.mark.parametrize(
    "options", [{"max_length": 513}, {"min_length": 0}, {"gap_ms": 0}, {"sufix": "CR"}, {"code_ids": {"j": "C0"}}]
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, LineScannerOptions)


@given(st.lists(st.tuples(st.binary(max_size=80), st.integers(0, 1_500)), max_size=20))
def test_any_bytes_at_any_pace_stay_bounded(pieces: list[tuple[bytes, int]]) -> None:
    driver = scanner(max_length=20)
    now = 0
    for data, wait in pieces:
        now += wait
        driver.tick(now * MS)
        for event in read(driver, data, now):
            assert not isinstance(event, Scanned) or 3 <= len(event.label) <= 20
