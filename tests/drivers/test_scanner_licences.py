"""A driving licence under the reader is refused by every scanner, as one refusal, and nothing of it stays anywhere."""

from __future__ import annotations

import logging
import os
import queue
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.api import DeviceEvent, Driver, DriverSpec, DriverTools, Opened, ProtocolFault, Scanned, ScanRefused
from kiosk.core.supervisor import DeviceConfig, DeviceNews, Supervisor
from kiosk.drivers import hid_pos_scanner, line_scanner, wedge_scanner
from kiosk.protocols.hid_pos_device import ACCESS_IS, HONEYWELL, HidPosDevice
from kiosk.protocols.keyboard_wedge import EV_SYN, RECORD, SYN_DROPPED
from kiosk.protocols.label import is_identity_document
from kiosk.simulators.scanners import LineScannerDevice, WedgeScannerDevice

MS = 1_000_000
#: Stands in the name, the street and the number of the licence.
MARK = "QXZWVUJK"
BODY = (
    f"ANSI 636000090002DL00410278ZV03190008DLDAQT{MARK}\nDCS{MARK}\nDDEN\nDAC{MARK}\nDBB01011990\nDAG1 {MARK} ST\n"
    f"DAIEXAMPLE CITY\nDAJVA\nDAK000000000  \rZVZVA01{MARK}\r"
)
FORMS = {
    "as the standard has it": "@\n\x1e\r" + BODY,
    "with a file separator": "@\n\x1c\r" + BODY,
    "old": "@\n\x1e\r" + BODY.replace("ANSI ", "AAMVA"),
    "without its record separator": "@\n\r" + BODY,
    "without its head": BODY,
    "in small letters": "@\n\x1e\r" + BODY.lower(),
}


def opened(spec: DriverSpec, facts: dict[str, str] | None = None, **options: object) -> Driver:
    driver = spec.build(msgspec.convert(options, spec.options), DriverTools("USD"))
    driver.port(Opened(facts or {}), 0)
    driver.take_events()
    return driver


def serial(document: str, piece: int, **options: object) -> tuple[Driver, list[DeviceEvent]]:
    device = LineScannerDevice(
        prefix=b"\x02" if options.get("prefix") else b"",
        suffix={"ETX": b"\x03", "NONE": b""}.get(str(options.get("suffix")), b"\r"),
        aim=bool(options.get("aim_id")),
    )
    driver, now = opened(line_scanner.SPEC, **options), 0
    device.scan(document, symbology="]L2")
    sent = b"".join(device.take_outbound())
    for at in range(0, len(sent), piece):
        driver.received(sent[at : at + piece], now)
        now += piece * MS  # 9600 baud
    return driver, [*driver.take_events(), *waited(driver, now)]


def waited(driver: Driver, now: int) -> list[DeviceEvent]:
    driver.tick(now + 2_000 * MS)
    return driver.take_events()


def typed(document: str, **options: object) -> tuple[Driver, list[DeviceEvent]]:
    device = WedgeScannerDevice(key_ms=4)
    driver = opened(wedge_scanner.SPEC, **options)
    device.scan("]L2" + document if options.get("aim_id") else document)
    now = 0
    while (due := device.deadline()) is not None:
        now = due
        device.tick(now)
        driver.received(b"".join(device.take_outbound()), now)
    return driver, [*driver.take_events(), *waited(driver, now)]


def reported(document: str, device: HidPosDevice) -> tuple[Driver, list[DeviceEvent]]:
    driver = opened(hid_pos_scanner.SPEC, {"report_descriptor": device.descriptor.hex()})
    device.scan(document, symbology="]L2")
    for report in device.take_outbound():
        driver.received(report, 0)
    return driver, [*driver.take_events(), *waited(driver, 0)]


def everything_in(thing: object, seen: set[int] | None = None) -> str:
    """Return the representation of every value that an object still holds, however deep."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return ""
    seen.add(id(thing))
    parts = [repr(thing)]
    inner = list(getattr(thing, "__dict__", {}).values())
    if isinstance(thing, dict):
        inner += [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset):
        inner += list(thing)
    return "".join(parts + [everything_in(each, seen) for each in inner])


def only_refused(driver: Driver, told: list[DeviceEvent]) -> ScanRefused:
    assert not [event for event in told if isinstance(event, Scanned)]
    assert [event.reason for event in told if isinstance(event, ScanRefused)] == ["identity_document"]
    assert MARK.lower() not in (everything_in(driver) + repr(told)).lower()
    (refused,) = told
    assert isinstance(refused, ScanRefused)
    assert refused.length > 0
    return refused


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("piece", [1, 7, 64, 4096])
@pytest.mark.parametrize(
    "options",
    [{}, {"aim_id": True}, {"suffix": "ETX", "prefix": "STX"}, {"suffix": "NONE"}, {"prefix": "STX", "aim_id": True},
     {"suffix": "TAB"}, {"code_ids": {"j": "]C0"}}],
    ids=str,
)  # fmt: skip
def test_a_licence_over_a_serial_line_is_one_refusal_however_it_is_cut(
    form: str, piece: int, options: dict[str, object]
) -> None:
    only_refused(*serial(FORMS[form], piece, **options))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("options", [{}, {"aim_id": True}, {"end_keys": ["TAB"]}, {"end_keys": []}], ids=str)
def test_a_licence_typed_by_a_wedge_is_one_refusal(form: str, options: dict[str, object]) -> None:
    only_refused(*typed(FORMS[form], **options))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [HONEYWELL, ACCESS_IS], ids=["honeywell", "access-is"])
def test_a_licence_over_hid_pos_is_one_refusal_with_its_whole_length(form: str, shape: object) -> None:
    device = HidPosDevice(shape)  # type: ignore[arg-type]
    assert only_refused(*reported(FORMS[form], device)).length == len(FORMS[form])


@pytest.mark.parametrize("options", [{}, {"suffix": "ETX"}, {"suffix": "NONE"}], ids=str)
@pytest.mark.parametrize("head", ["@\n\x1e\r", ""], ids=["whole", "without controls"])
def test_a_licence_behind_the_rest_of_another_label_leaves_nothing_of_itself(
    head: str, options: dict[str, object]
) -> None:
    document = "PK-4711-0815-2026" + head + (BODY if head else BODY.replace("\n", ""))
    for driver, told in (serial(document, 64, **options), reported(document, HidPosDevice())):
        assert [event for event in told if isinstance(event, ScanRefused)][-1].reason == "identity_document"
        assert MARK not in everything_in(driver) + repr(told)


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=12), max_size=6), st.integers(0, 40), st.data())
def test_however_bytes_come_together_they_mean_the_same(noise: list[bytes], cut: int, data: st.DataObject) -> None:
    """Split anywhere, with licences, identifiers and ends between: the same labels and the same refusals."""
    pieces = [*noise, b"\r", b"@\n\x1e\r", b"ANSI 6360", b"4711\r", b"]L2"]
    sent = b"".join(data.draw(st.permutations(pieces)))
    told = []
    for parts in ([sent], [sent[:cut], sent[cut:]], [sent[at : at + 1] for at in range(len(sent))]):
        driver = opened(line_scanner.SPEC, aim_id=True)
        for part in parts:
            driver.received(part, 0)
        told.append([*driver.take_events(), *waited(driver, 0)])
    assert told[0] == told[1] == told[2]


def test_after_a_licence_and_a_pause_the_next_ticket_is_read() -> None:
    driver, _ = serial(FORMS["as the standard has it"], 64)
    driver.received(b"4711\r", 10_000 * MS)
    assert driver.take_events() == [Scanned("4711")]


def test_a_licence_whose_head_was_lost_leaves_nothing_either() -> None:
    device = WedgeScannerDevice(key_ms=0)
    device.scan(FORMS["as the standard has it"])
    device.tick(0)
    driver = opened(wedge_scanner.SPEC)
    driver.received(RECORD.pack(0, EV_SYN, SYN_DROPPED, 0) + b"".join(device.take_outbound()), 0)
    assert [type(event) for event in driver.take_events() + waited(driver, 0)] == [ProtocolFault]


def test_what_only_looks_a_little_like_one_is_a_label() -> None:
    for label in ("ANSI", "AAMVA4", "X@", "4711@example.org", "@4711", "ANSI-C 99", "ansible 4", "@@@"):
        assert is_identity_document(label) == (label == "AAMVA4")
        meant = {"AAMVA4": ScanRefused("identity_document", 6), "X@": ScanRefused("too_short", 2)}
        assert serial(label, 64)[1] == [meant.get(label, Scanned(label))]


def test_letters_that_might_begin_one_wait_for_a_moment_and_are_then_what_they_are() -> None:
    driver = opened(line_scanner.SPEC, min_length=1)
    driver.received(b"@\r", 0)
    assert driver.take_events() == []
    assert driver.deadline() == 100 * MS
    driver.tick(100 * MS)
    assert driver.take_events() == [Scanned("@")]
    driver.received(b"@@\r", 5_000 * MS)
    driver.received(b"@\r4711\r", 10_000 * MS)
    assert driver.take_events() == [Scanned("@@"), Scanned("@"), Scanned("4711")]
    assert driver.deadline() is None


def test_neither_recorder_nor_log_nor_news_hold_anything_of_it(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    news: queue.SimpleQueue[DeviceNews] = queue.SimpleQueue()
    master, slave = os.openpty()
    config = DeviceConfig(name="front", driver="line_scanner", line={"port": os.ttyname(slave)}, record=True)
    boss = Supervisor(
        [config], {"line_scanner": line_scanner.SPEC}, DriverTools("USD"), news.put, lambda _: ({}, None, bytes(32)),
        hotplug=False,
    )  # fmt: skip
    boss.start()
    told: list[object] = []
    try:
        while not told or "ready" not in repr(told[-1]):
            told.append(news.get(timeout=20).event)
        for _ in range(20):  # a port that has just opened throws away what waits there
            os.write(master, FORMS["as the standard has it"].encode())
            try:
                told.append(news.get(timeout=1).event)
            except queue.Empty:
                continue
            if isinstance(told[-1], ScanRefused):
                break
        received = [each for each in boss.traffic("front") if each.way == "<"]
        assert received, "recording is on"
        assert not any(each.data for each in received)
        assert boss.status()
        searched = (
            repr(boss.traffic("front")) + repr(boss.status()) + repr(told) + caplog.text + "".join(capfd.readouterr())
        )
        assert MARK not in searched
        assert told[-1].reason == "identity_document"
    finally:
        assert boss.stop() == []
        os.close(master)
        os.close(slave)
