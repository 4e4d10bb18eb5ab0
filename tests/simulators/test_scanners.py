"""Simulated scanners emit what real ones do."""

from __future__ import annotations

import struct

import pytest

from kiosk.errors import SimulatorError
from kiosk.simulators.scanners import EV_KEY, EV_SYN, KEY_ENTER, SYN_DROPPED, LineScannerDevice, WedgeScannerDevice

MS = 1_000_000


def keys(device: WedgeScannerDevice, now: int = 3600 * 1000 * MS) -> list[tuple[int, int]]:
    device.tick(now)
    stream = b"".join(device.take_outbound())
    records = [struct.unpack("<BBHi", stream[at : at + 8]) for at in range(0, len(stream), 8)]
    assert all(node == 0 for node, *_ in records)
    return [(code, value) for _, kind, code, value in records if kind == EV_KEY]


def test_a_serial_scanner_sends_prefix_identifier_label_and_suffix() -> None:
    plain, rich = LineScannerDevice(), LineScannerDevice(prefix=b"\x02", suffix=b"\x03\r\n", aim=True)
    plain.scan("2600041712")
    rich.scan("2600041712", symbology="]A0")
    rich.scan(b"\x00\xff")
    assert plain.take_outbound() == [b"2600041712\r"]
    assert rich.take_outbound() == [b"\x02]A02600041712\x03\r\n", b"\x02]C0\x00\xff\x03\r\n"]
    assert rich.take_outbound() == []


def test_a_scanner_without_power_reads_nothing() -> None:
    device = LineScannerDevice()
    device.cut_power()
    assert not device.scan("X")
    device.restore_power()
    assert device.scan("X")


def test_a_wedge_types_shift_around_capitals_and_ends_with_enter() -> None:
    device = WedgeScannerDevice()
    device.scan("aB1")
    assert keys(device) == [
        (30, 1), (30, 0), (42, 1), (48, 1), (48, 0), (42, 0), (2, 1), (2, 0), (KEY_ENTER, 1), (KEY_ENTER, 0),
    ]  # fmt: skip


def test_each_key_event_is_followed_by_a_report() -> None:
    device = WedgeScannerDevice(key_ms=0)
    device.scan("1")
    assert [struct.unpack("<BBHi", record[8:])[1:] for record in device.take_outbound()] == [(EV_SYN, 0, 0)] * 4


def test_a_wedge_types_at_its_pace() -> None:
    device = WedgeScannerDevice(key_ms=5)
    device.scan("12")
    assert keys(device, 0) == [(2, 1), (2, 0)]
    assert device.deadline() == 5 * MS
    assert keys(device, 5 * MS) == [(3, 1), (3, 0)]


def test_a_wedge_types_control_characters_and_alt_digits() -> None:
    device = WedgeScannerDevice(terminator=None, keypad=True)
    device.scan("\x01é7")
    codes = [code for code, value in keys(device) if value == 1]
    assert codes == [29, 30, 56, 82, 80, 81, 81, 71]  # CTRL A, ALT 0233, keypad 7
    with pytest.raises(SimulatorError):
        device.scan("€")


def test_a_kernel_overrun_is_told_as_syn_dropped() -> None:
    device = WedgeScannerDevice(key_ms=0)
    device.drop_after(1)
    device.scan("12")
    records = [struct.unpack("<BBHi", record[:8]) for record in device.take_outbound()]
    assert (0, EV_SYN, SYN_DROPPED, 0) in records
