"""HID-POS scanners as a driver: joined reports, byte counts, limits, and devices that are none (SC2)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
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
    ProtocolFault,
    Scanned,
    ScanRefused,
)
from kiosk.drivers.hid_pos_scanner import SPEC, HidPosScannerOptions
from kiosk.protocols.hid_pos_device import ACCESS_IS, HONEYWELL, PLAIN, HidPosDevice, HidPosShape, descriptor

MS = 1_000_000
SHAPES = [HONEYWELL, ACCESS_IS, PLAIN, msgspec.structs.replace(HONEYWELL, counts_label=True)]
IDS = ["honeywell", "access-is", "plain", "counts-label"]


def scanner(device: HidPosDevice, **options: object) -> Driver:
    driver = SPEC.build(msgspec.convert(options, HidPosScannerOptions), DriverTools("USD"))
    driver.remember({}, None, bytes(32))
    driver.port(Opened({"report_descriptor": device.descriptor.hex()}), 0)
    assert driver.take_events() == [DeviceState("ready", "ok")]
    assert driver.take_outbound() == [PortRequest(1, "flush_input")]
    return driver


def read(driver: Driver, device: HidPosDevice, at_ms: int = 0) -> list[DeviceEvent]:
    for report in device.take_outbound():
        driver.received(report, at_ms * MS)
    return driver.take_events()


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
@pytest.mark.parametrize("length", [3, 31, 32, 33, 55, 56, 57, 60, 111, 112, 113, 254, 255, 256, 512])
def test_a_label_of_any_length_comes_through_in_as_many_reports_as_it_needs(shape: HidPosShape, length: int) -> None:
    device = HidPosDevice(shape)
    driver = scanner(device)
    label = ("0123456789ABCDEF" * 32)[:length]
    device.scan(label, symbology="]d1")
    assert read(driver, device) == [Scanned(label, "]d1")]


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_empty_reports_are_skipped_and_too_long_labels_refused_by_their_length(shape: HidPosShape) -> None:
    device = HidPosDevice(shape)
    driver = scanner(device)
    device.empty_report()
    device.scan("4711")
    device.scan("x" * 513)
    device.scan("4712")
    assert read(driver, device) == [Scanned("4711", "]C0"), ScanRefused("too_long", 513), Scanned("4712", "]C0")]


def test_a_label_whose_reports_stop_is_broken_off_and_its_late_rest_goes_nowhere() -> None:
    device = HidPosDevice()
    driver = scanner(device)
    device.scan("x" * 100)
    first, second = device.take_outbound()
    driver.received(first, 0)
    assert driver.deadline() == 1_000 * MS
    driver.tick(1_000 * MS)
    driver.received(second, 1_001 * MS)
    assert driver.take_events() == [ScanRefused("broken_off", 56)]
    assert driver.deadline() is None
    device.scan("4711")
    assert read(driver, device, 1_200) == [Scanned("4711", "]C0")]


def test_a_missing_report_of_a_counted_label_is_noticed() -> None:
    device = HidPosDevice(SHAPES[3])
    driver = scanner(device)
    device.scan("a" * 56 + "b" * 56 + "c" * 10)
    first, _, third = device.take_outbound()
    driver.received(first, 0)
    driver.received(third, 0)
    assert [type(event) for event in driver.take_events()] == [ScanRefused]


def test_a_cut_off_report_yields_nothing_but_a_fault_and_takes_its_label_with_it() -> None:
    device = HidPosDevice()
    driver = scanner(device)
    device.scan("x" * 100)
    first, second = device.take_outbound()
    driver.received(first, 0)
    driver.received(second[:20], 0)
    assert [type(event) for event in driver.take_events()] == [ProtocolFault, ScanRefused]


def test_reports_that_are_no_scans_are_counted_not_read() -> None:
    device = HidPosDevice()
    driver = scanner(device)
    driver.received(b"\x07secret", 0)
    (fault,) = driver.take_events()
    assert fault == ProtocolFault("unknown_code", "a report with the id 7")


@pytest.mark.parametrize(
    ("facts", "detail"),
    [({}, "bytes"), ({"report_descriptor": "zz"}, "cannot be read"), ({"report_descriptor": "05010906a101c0"}, "8C")],
)
def test_a_device_that_is_no_scanner_is_not_guessed_at(facts: dict[str, str], detail: str) -> None:
    driver = SPEC.build(HidPosScannerOptions(), DriverTools("USD"))
    driver.port(Opened(facts), 0)
    (state,) = driver.take_events()
    assert isinstance(state, DeviceState)
    assert (state.state, state.severity) == ("unsuitable", "fault")
    assert detail in state.detail
    driver.received(b"\x02\x04]C04711" + bytes(55), 0)
    assert driver.take_events() == []


def test_a_suffix_that_the_scanner_adds_is_taken_off_wherever_the_reports_part() -> None:
    device = HidPosDevice()
    driver = scanner(device, suffix="CRLF")
    for label in ("4711", "x" * 54, "x" * 55, "x" * 56):
        device.scan(label + "\r\n")
        assert read(driver, device) == [Scanned(label, "]C0")]


def test_an_identifier_inside_the_label_is_read_where_the_reports_own_is_empty() -> None:
    device = HidPosDevice()
    driver = scanner(device, aim_id=True)
    device.scan("]Q14711", symbology="\0\0\0")
    device.scan("]Q14712", symbology="]C0")
    assert read(driver, device) == [Scanned("4711", "]Q1"), Scanned("]Q14712", "]C0")]


def test_limits_debounce_and_orders_are_those_of_every_scanner() -> None:
    device = HidPosDevice()
    driver = scanner(device)
    for label in ("ab", "4711", "4711", "<script>'; DROP TABLE x"):
        device.scan(label)
    driver.command(CheckHealth(), 0)
    driver.command(InhibitNotes(), 0)
    assert read(driver, device) == [
        DeviceState("ready", "ok"),
        CommandRefused("inhibit_notes", "a scanner has nothing to command"),
        ScanRefused("too_short", 2),
        Scanned("4711", "]C0"),
        Scanned("<script>'; DROP TABLE x", "]C0"),
    ]


def test_half_a_label_does_not_survive_an_unplug() -> None:
    device = HidPosDevice()
    driver = scanner(device)
    device.scan("x" * 100)
    driver.received(device.take_outbound()[0], 0)
    driver.port(Lost("unplugged"), 1)
    driver.port(Opened({"report_descriptor": device.descriptor.hex()}), 2)
    driver.take_events()
    device.scan("4711")
    assert read(driver, device) == [Scanned("4711", "]C0")]


@pytest.mark.parametrize("options", [{"max_length": 513}, {"suffix": "x"}, {"gap_ms": 0}, {"debounce_ms": -1}])
def test_options_that_cannot_be_meant_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, HidPosScannerOptions)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.binary(min_size=60, max_size=70), st.integers(0, 700)), max_size=20))
def test_any_reports_at_any_pace_stay_bounded(reports: list[tuple[bytes, int]]) -> None:
    driver = scanner(HidPosDevice(), max_length=100)
    now = 0
    for report, wait in reports:
        now += wait
        driver.tick(now * MS)
        driver.received(b"\x02" + report, now * MS)
        for event in driver.take_events():
            assert not isinstance(event, Scanned) or 3 <= len(event.label) <= 100


def test_the_descriptor_is_the_only_source_of_offsets() -> None:
    # The same bytes under another descriptor are another label: nothing is hard-coded.
    moved = HidPosShape(report_id=2, room=40, vendor=18)
    device = HidPosDevice(HONEYWELL)
    device.scan("A" * 50)
    driver = SPEC.build(HidPosScannerOptions(), DriverTools("USD"))
    driver.port(Opened({"report_descriptor": descriptor(moved).hex()}), 0)
    driver.take_events()
    assert read(driver, device) == [ScanRefused("broken_off", 40)]
