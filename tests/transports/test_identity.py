"""A port in the configuration means one device or none, never a guess."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from kiosk.errors import TransportError
from kiosk.transports import identity


@pytest.fixture
def adapters(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """Two adapters of one kind and one of another, as pyserial would list them."""
    listed = [
        SimpleNamespace(device="/dev/ttyUSB0", vid=0x0403, pid=0x6001, serial_number="A1", location="1-1"),
        SimpleNamespace(device="/dev/ttyUSB1", vid=0x0403, pid=0x6001, serial_number="A2", location="1-2.4:1.0"),
        SimpleNamespace(device="/dev/ttyACM0", vid=0x0C2E, pid=0x0206, serial_number=None, location="1-3"),
        SimpleNamespace(device="/dev/ttyS0", vid=None, pid=None, serial_number=None, location=None),
    ]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: listed)
    return listed


@pytest.mark.parametrize(
    ("port", "device"),
    [
        ("serial:A2", "/dev/ttyUSB1"),
        ("usb:0403:6001:A1", "/dev/ttyUSB0"),
        ("usb:0c2e:0206", "/dev/ttyACM0"),
        ("usb:0C2E:0206", "/dev/ttyACM0"),
        ("usbport:1-1", "/dev/ttyUSB0"),
        ("usbport:1-2.4", "/dev/ttyUSB1"),
        ("usbport:1-2.4:1.0", "/dev/ttyUSB1"),
    ],
)
def test_an_adapter_is_found_by_what_it_is_called(adapters: list[SimpleNamespace], port: str, device: str) -> None:
    assert identity.serial_port(port).path == device
    assert identity.serial_present(port) is True


def test_what_is_known_of_the_adapter_is_told(adapters: list[SimpleNamespace]) -> None:
    assert identity.serial_port("serial:A2").facts == {"vendor": "0403", "product": "6001", "serial": "A2"}


def test_a_description_that_fits_two_devices_is_refused_and_names_both(adapters: list[SimpleNamespace]) -> None:
    with pytest.raises(TransportError, match="fits 2 devices") as caught:
        identity.serial_port("usb:0403:6001")
    assert "/dev/ttyUSB0" in caught.value.message
    assert "/dev/ttyUSB1" in caught.value.message
    assert not caught.value.transient


def test_an_adapter_that_is_not_plugged_in_may_come(adapters: list[SimpleNamespace]) -> None:
    assert identity.serial_present("serial:A9") is False
    with pytest.raises(TransportError, match="no such device") as caught:
        identity.serial_port("serial:A9")
    assert caught.value.transient


def test_the_number_of_a_tty_is_no_identity(adapters: list[SimpleNamespace]) -> None:
    with pytest.raises(TransportError, match="is not a port"):
        identity.serial_port("ttyUSB0")


def test_a_socket_is_never_taken_for_a_longer_one(adapters: list[SimpleNamespace]) -> None:
    for port in ("usbport:1-2", "usbport:1-2.4:1.1", "usbport:1-11"):
        with pytest.raises(TransportError, match="no such device"):
            identity.serial_port(port)
    for port in ("usbport:", "usbport:ttyUSB0", "usbport:1-2/../1-1"):
        with pytest.raises(TransportError, match="is not a port"):
            identity.serial_port(port)


@pytest.mark.parametrize(("number", "location", "refused"), [
    (None, "1-9", True),  # no serial numbers: both are called the same by udev
    ("0001", "1-9", True),  # the maker gave all the same
    ("0002", "1-9", False),
    (None, "1-8:1.1", False),  # a second port of the same adapter
])  # fmt: skip
def test_a_link_by_id_that_two_adapters_share_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: str | None, location: str, refused: bool
) -> None:
    mine = "0001" if number in ("0001", "0002") else None
    tty, link = tmp_path / "ttyUSB0", tmp_path / "dev/serial/by-id/usb-1a86_USB_Serial-if00-port0"
    link.parent.mkdir(parents=True)
    tty.touch()
    link.symlink_to(tty)
    listed = [
        SimpleNamespace(device=str(tty), vid=0x1A86, pid=0x7523, serial_number=mine, location="1-8:1.0"),
        SimpleNamespace(device="/dev/ttyUSB1", vid=0x1A86, pid=0x7523, serial_number=number, location=location),
    ]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: listed)
    facts = {"vendor": "1a86", "product": "7523"} | ({"serial": mine} if mine else {})
    monkeypatch.setattr(identity, "usb_facts_of_tty", lambda path: facts)
    if refused:
        with pytest.raises(TransportError, match="fits 2 devices"):
            identity.serial_port(str(link))
    else:
        assert identity.serial_port(str(link)).facts == facts


@pytest.mark.parametrize(
    ("port", "facts", "word"),
    [
        ("serial:A1", {}, "serial"),
        ("usb:0403:6001:A1", {}, "serial"),
        ("usb:0403:6001", {}, "kind"),
        ("/dev/serial/by-id/usb-FTDI_FT232R_A1-if00-port0", {"vendor": "0403", "serial": "A1"}, "serial"),
        ("/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0", {"vendor": "1a86"}, "kind"),
        ("/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.2:1.0-port0", {}, "socket"),
        ("usbport:1-1.2", {}, "socket"),
        ("/dev/kiosk/bill0", {}, "own"),
        ("/dev/ttyS0", {}, "built_in"),
        ("/dev/ttyACM3", {}, "number"),
        ("/dev/input/event5", {}, "number"),
        ("/tmp/port", {}, "unknown"),
    ],
)
def test_a_name_is_as_steady_as_what_it_is_made_of(port: str, facts: dict[str, str], word: str) -> None:
    assert identity.steadiness(port, facts) == word
    assert word in identity.STEADINESS
