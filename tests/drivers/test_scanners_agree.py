"""The same two hundred labels through wedge, HID-POS and serial give the same text and AIM identifier (SC1).

The wedge's keys come from the simulated scanner's own table (US positions) or, for ALTGR, from a short German one
written here, so that the driver's key maps are not held against themselves.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest

from kiosk.api import DeviceEvent, Driver, DriverSpec, DriverTools, Opened, ProtocolFault, Scanned, ScanRefused
from kiosk.drivers import hid_pos_scanner, line_scanner, wedge_scanner
from kiosk.protocols.hid_pos_device import ACCESS_IS, HONEYWELL, HidPosDevice, HidPosShape
from kiosk.protocols.keyboard_wedge import EV_KEY, EV_SYN, LEFT_SHIFT, RECORD, RIGHT_ALT, SYN_DROPPED, SYN_REPORT
from kiosk.simulators.scanners import KEY_TAB, LineScannerDevice, WedgeScannerDevice

MS = 1_000_000
HOUR = 3600 * 1000 * MS
AIM = ["]C0", "]C1", "]E0", "]A0", "]I1", "]Q1", "]d1", "]L2", "]z0"]
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
#: Control letters that end no scan.
CONTROLS = "".join(chr(code) for code in range(0x20) if code not in (0x0A, 0x0D))
#: A German keyboard: letter → (position, modifier).
GERMAN = {
    "@": (16, RIGHT_ALT), "€": (18, RIGHT_ALT), "{": (8, RIGHT_ALT), "[": (9, RIGHT_ALT), "]": (10, RIGHT_ALT),
    "}": (11, RIGHT_ALT), "\\": (12, RIGHT_ALT), "~": (27, RIGHT_ALT), "|": (86, RIGHT_ALT), "µ": (50, RIGHT_ALT),
    "ä": (40, 0), "Ä": (40, LEFT_SHIFT), "ß": (12, 0), "z": (21, 0), "Y": (44, LEFT_SHIFT), "/": (8, LEFT_SHIFT),
    "C": (46, LEFT_SHIFT), "Q": (16, LEFT_SHIFT), "A": (30, LEFT_SHIFT), "E": (18, LEFT_SHIFT), "I": (23, LEFT_SHIFT),
    "L": (38, LEFT_SHIFT), "d": (32, 0), "1": (2, 0), "2": (3, 0), "0": (11, 0), "z0": (0, 0),
}  # fmt: skip
GERMAN_LETTERS = "@€{[]}\\~|µäÄßzY/120"


def words(letters: str, shortest: int, longest: int, count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(letters, k=chance.randint(shortest, longest))) for _ in range(count)]


#: Kind → labels; two hundred in all.
LABELS: dict[str, list[str]] = {
    "digits": words("0123456789", 3, 40, 25, 1),
    "keypad": words("0123456789", 3, 40, 25, 2),
    "shift": words(PRINTABLE, 3, 80, 40, 3),
    "control": words(CONTROLS + "ABCabc123", 3, 30, 25, 4),
    "GS1 FNC1": ["\x1d".join(words("0123456789ABC", 4, 20, 3, seed)) for seed in range(25)],
    "ALT": words("éñüÅØ¿§\x80\xa0ÿ09aZ", 3, 30, 25, 5),
    "ALTGR": words(GERMAN_LETTERS, 3, 30, 25, 6),
    "long": words(PRINTABLE, 200, 512, 10, 7),
}


def built(spec: DriverSpec, facts: dict[str, str], **options: object) -> Driver:
    driver = spec.build(msgspec.convert(options, spec.options), DriverTools("USD"))
    driver.port(Opened(facts), 0)
    driver.take_events()
    return driver


def by_serial(label: str, aim: str, kind: str) -> list[DeviceEvent]:
    device = LineScannerDevice(prefix=b"\x02", suffix=b"\r\n", aim=True)
    driver = built(line_scanner.SPEC, {}, aim_id=True, prefix="STX")
    device.scan(label, symbology=aim)
    driver.received(b"".join(device.take_outbound()), 0)
    return driver.take_events()


def by_hid(shape: HidPosShape) -> Callable[[str, str, str], list[DeviceEvent]]:
    def read(label: str, aim: str, kind: str) -> list[DeviceEvent]:
        device = HidPosDevice(shape)
        driver = built(hid_pos_scanner.SPEC, {"report_descriptor": device.descriptor.hex()})
        device.scan(label, symbology=aim)
        for report in device.take_outbound():
            driver.received(report, 0)
        return driver.take_events()

    return read


def keys(text: str, kind: str, device: WedgeScannerDevice | None = None) -> bytes:
    """Type a label, its end included."""
    if kind == "ALTGR":
        return b"".join(german(*GERMAN[letter]) for letter in text) + german(28, 0)
    device = device or WedgeScannerDevice(keypad=kind == "keypad", key_ms=0)
    device.scan(text)
    device.tick(HOUR)
    return b"".join(device.take_outbound())


def german(position: int, modifier: int) -> bytes:
    strokes = [(modifier, 1)] if modifier else []
    strokes += [(position, 1), (position, 0), *([(modifier, 0)] if modifier else [])]
    report = RECORD.pack(0, EV_SYN, SYN_REPORT, 0)
    return b"".join(RECORD.pack(0, EV_KEY, code, value) + report for code, value in strokes)


def by_wedge(label: str, aim: str, kind: str) -> list[DeviceEvent]:
    keymap = "de" if kind == "ALTGR" else "us"
    driver = built(wedge_scanner.SPEC, {}, aim_id=True, keymap=keymap, end_keys=["ENTER"])
    driver.received(keys(aim + label, kind), 0)
    return driver.take_events()


WAYS = {
    "serial": by_serial,
    "wedge": by_wedge,
    "HID-POS, Honeywell": by_hid(HONEYWELL),
    "HID-POS, Access-IS": by_hid(ACCESS_IS),
}


def test_there_are_two_hundred_labels() -> None:
    assert sum(map(len, LABELS.values())) == 200


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_same_text_and_the_same_identifier(way: str, kind: str) -> None:
    for number, label in enumerate(LABELS[kind]):
        if way == "HID-POS, Access-IS" and label.endswith("\0"):
            continue  # without a byte count a NUL at the end is filling
        aim = AIM[number % len(AIM)]
        # The German letters above spell these identifiers only.
        aim = aim if kind != "ALTGR" else ("]C0", "]Q1", "]d1")[number % 3]
        assert WAYS[way](label, aim, kind) == [Scanned(label, aim)], label


@pytest.mark.parametrize("kind", ["shift", "ALT", "control"])
def test_lost_keys_at_any_place_of_a_scan_leave_nothing_of_it(kind: str) -> None:
    for label in LABELS[kind][:4]:
        for place in range(len(label) + 1):
            device = WedgeScannerDevice(key_ms=0)
            device.drop_after(place)
            driver = built(wedge_scanner.SPEC, {})
            driver.received(keys(label, kind, device), 0)
            assert {type(event) for event in driver.take_events()} <= {ProtocolFault, ScanRefused}
            driver.received(keys("4711", kind), 200 * MS)
            assert driver.take_events() == [Scanned("4711")]


def test_keys_lost_for_good_leave_nothing_even_without_an_end() -> None:
    driver = built(wedge_scanner.SPEC, {}, end_keys=[])
    driver.received(keys("12345", "digits")[:-32] + RECORD.pack(0, EV_SYN, SYN_DROPPED, 0), 0)
    driver.tick(HOUR)
    assert {type(event) for event in driver.take_events()} == {ProtocolFault, ScanRefused}


def test_a_tab_ends_a_scan_where_it_is_configured_to_and_is_a_letter_elsewhere() -> None:
    device = WedgeScannerDevice(terminator=KEY_TAB, key_ms=0)
    driver = built(wedge_scanner.SPEC, {}, end_keys=["TAB"])
    driver.received(keys("4711", "digits", device), 0)
    assert driver.take_events() == [Scanned("4711")]
    serial = built(line_scanner.SPEC, {}, suffix="TAB")
    serial.received(b"47\r11\t", 0)
    assert serial.take_events() == [Scanned("47\r11")]
