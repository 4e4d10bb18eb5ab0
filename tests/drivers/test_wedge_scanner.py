"""Keyboard-wedge scanners as a driver: nodes, ends, lost keys, limits."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.api import DeviceEvent, DeviceState, Driver, DriverTools, Lost, Opened, ProtocolFault, Scanned, ScanRefused
from kiosk.drivers.wedge_scanner import SPEC, WedgeScannerOptions
from kiosk.protocols.keyboard_wedge import EV_KEY, EV_SYN, LEFT_SHIFT, RECORD, SYN_DROPPED, SYN_REPORT, keymap

MS = 1_000_000
ENTER = 28
PLACES = {plain: (code, False) for code, (plain, _, _) in reversed(keymap("us").items())}
PLACES |= {shifted: (code, True) for code, (plain, shifted, _) in keymap("us").items() if shifted != plain}


def key(code: int, value: int, node: int = 0) -> bytes:
    return RECORD.pack(node, EV_KEY, code, value) + RECORD.pack(node, EV_SYN, SYN_REPORT, 0)


def typed(text: str, node: int = 0) -> bytes:
    out = b""
    for letter in text:
        code, shift = (ENTER, False) if letter == "\n" else PLACES[letter]
        stroke = key(code, 1, node) + key(code, 0, node)
        out += key(LEFT_SHIFT, 1, node) + stroke + key(LEFT_SHIFT, 0, node) if shift else stroke
    return out


def scanner(**options: object) -> Driver:
    driver = SPEC.build(msgspec.convert(options, WedgeScannerOptions), DriverTools("USD"))
    driver.remember({}, None, bytes(32))
    driver.port(Opened({}), 0)
    driver.take_events()
    return driver


def read(driver: Driver, data: bytes, at_ms: int = 0) -> list[DeviceEvent]:
    driver.received(data, at_ms * MS)
    return driver.take_events()


def test_a_typed_line_is_a_scan_with_its_identifier() -> None:
    assert read(scanner(aim_id=True), typed("]C0CIT-4711?\n")) == [Scanned("CIT-4711?", "]C0")]


def test_two_nodes_of_one_scanner_do_not_mix() -> None:
    driver = scanner()
    read(driver, typed("471", 0) + typed("999", 1))
    assert read(driver, typed("1\n", 0)) == [Scanned("4711")]
    assert read(driver, typed("8\n", 1)) == [Scanned("9998")]


def test_lost_keys_yield_nothing_not_even_the_tail() -> None:
    driver = scanner()
    dropped = RECORD.pack(0, EV_SYN, SYN_DROPPED, 0) + RECORD.pack(0, EV_SYN, SYN_REPORT, 0)
    found = read(driver, typed("471") + dropped + typed("15678\n"))
    assert [type(event) for event in found] == [ProtocolFault, ScanRefused]
    assert read(driver, typed("4711\n"), 100) == [Scanned("4711")]


def test_a_key_without_a_letter_inside_a_scan_refuses_it() -> None:
    driver = scanner()
    assert read(driver, typed("471") + key(59, 1) + key(59, 0) + typed("1\n")) == [ScanRefused("unknown_key", 4)]
    assert read(driver, key(59, 1) + typed("4711\n")) == [Scanned("4711")], "before a scan it is no part of it"


def test_a_scan_without_an_end_is_broken_off_after_a_second() -> None:
    driver = scanner()
    read(driver, typed("4711"))
    assert driver.deadline() == 1_000 * MS
    driver.tick(1_000 * MS)
    assert driver.take_events() == [ScanRefused("broken_off", 4)]
    assert driver.deadline() is None


def test_a_gap_ends_a_scan_where_no_end_key_is_configured() -> None:
    driver = scanner(end_keys=[])
    read(driver, typed("4711"))
    driver.tick(100 * MS)
    assert driver.take_events() == [Scanned("4711")]


def test_limits_and_debounce_hold_as_for_every_scanner() -> None:
    driver = scanner()
    assert read(driver, typed("ab\n")) == [ScanRefused("too_short", 2)]
    assert read(driver, typed("a" * 513 + "\n")) == [ScanRefused("too_long", 513)]
    assert read(driver, typed("4711\n4711\n")) == [Scanned("4711")]
    assert read(driver, typed("4711\n"), 2_000) == [Scanned("4711")]


def test_an_unplug_forgets_keys_that_were_down() -> None:
    driver = scanner()
    read(driver, key(LEFT_SHIFT, 1) + typed("ab"))
    driver.port(Lost("unplugged"), 1)
    driver.port(Opened({}), 2)
    states = [event.severity for event in driver.take_events() if isinstance(event, DeviceState)]
    assert states == ["unknown", "ok"]
    assert read(driver, typed("cde\n")) == [Scanned("cde")]


@pytest.mark.parametrize("options", [{"keymap": "xx"}, {"end_keys": ["F12"]}, {"keys": {"a": "b"}}, {"unknown": 1}])
def test_options_that_cannot_be_meant_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, WedgeScannerOptions)


@given(st.text(st.sampled_from(sorted(PLACES.keys() - {""})), min_size=3, max_size=40))
def test_every_label_of_the_map_comes_through_as_it_is(label: str) -> None:
    driver = scanner()
    driver.received(typed(label + "\n"), 0)
    driver.tick(200 * MS)  # what might begin a licence waits for a moment
    assert driver.take_events() == [Scanned(label)]


@given(st.binary(max_size=400))
def test_no_record_can_bring_the_driver_down(noise: bytes) -> None:
    driver = scanner()
    for event in read(driver, noise):
        assert isinstance(event, Scanned | ScanRefused | ProtocolFault)
