"""A port in the configuration means one device or none, never a guess."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kiosk.errors import TransportError
from kiosk.transports import identity


@pytest.fixture
def adapters(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """Two adapters of one kind and one of another, as pyserial would list them."""
    listed = [
        SimpleNamespace(device="/dev/ttyUSB0", vid=0x0403, pid=0x6001, serial_number="A1"),
        SimpleNamespace(device="/dev/ttyUSB1", vid=0x0403, pid=0x6001, serial_number="A2"),
        SimpleNamespace(device="/dev/ttyACM0", vid=0x0C2E, pid=0x0206, serial_number=None),
        SimpleNamespace(device="/dev/ttyS0", vid=None, pid=None, serial_number=None),
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
