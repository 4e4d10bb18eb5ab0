"""USB printers: claimed by their descriptors, driven from threads that block, with every fault told.

libusb is replaced by a printer in this process; the real library is tried in test_mock_hardware.py.
"""

from __future__ import annotations

import queue
import select
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from kiosk.errors import ConfigError, TransportError
from kiosk.plugins.devices import PortRequest
from kiosk.transports import make_path, usb_printer
from tests.descriptors import no_more_than, open_descriptors


class USBError(OSError):
    """pyusb's."""


class USBTimeoutError(USBError):
    """pyusb's."""


class NoBackendError(ValueError):
    """pyusb's."""


class Endpoint:
    def __init__(self, printer: FakePrinter, address: int) -> None:
        self.bEndpointAddress, self.bmAttributes, self.printer = address, 2, printer

    def write(self, data: bytes, timeout: int) -> int:
        if self.printer.fault:
            raise self.printer.fault
        if not self.printer.gate.wait(timeout / 1000):
            raise USBTimeoutError(110, "timed out")
        self.printer.paper += data
        return len(data)

    def read(self, size: int, timeout: int) -> bytes:
        try:
            got = self.printer.answers.get(timeout=timeout / 1000)
        except queue.Empty:
            raise USBTimeoutError(110, "timed out") from None
        if isinstance(got, Exception):
            raise got
        return got


class Interface(list[Any]):
    bInterfaceNumber, bAlternateSetting, bInterfaceClass, bInterfaceProtocol = 1, 0, 7, 2


class FakePrinter:
    """A printer, its interface 1 with endpoints 0x81 and 0x02, held by usblp."""

    idVendor, idProduct, iSerialNumber, bus, address = 0x04B8, 0x0202, 3, 1, 2

    def __init__(self) -> None:
        self.paper = bytearray()
        self.answers: queue.Queue[Any] = queue.Queue()
        self.gate = threading.Event()
        self.gate.set()
        self.fault: Exception | None = None
        #: Why the kernel's own driver does not let go.
        self.held: Exception | None = None
        self.log: list[str] = []
        self.interface = Interface([Endpoint(self, 0x81), Endpoint(self, 0x02)])

    def get_active_configuration(self) -> list[Any]:
        other = Interface()
        other.bInterfaceClass = 3
        return [other, self.interface]

    def is_kernel_driver_active(self, number: int) -> bool:
        return True

    def detach_kernel_driver(self, number: int) -> None:
        if self.held is not None:
            raise self.held
        self.log.append(f"detach {number}")

    def ctrl_transfer(self, *args: int) -> bytes:
        self.log.append(f"control {args[:5]}")
        return b"\x18"

    def reset(self) -> None:
        self.log.append("reset")


@pytest.fixture
def printer(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePrinter]:
    made = FakePrinter()
    fake = SimpleNamespace(
        core=SimpleNamespace(
            USBError=USBError, USBTimeoutError=USBTimeoutError, NoBackendError=NoBackendError,
            find=lambda **wanted: iter([made]),
        ),
        util=SimpleNamespace(
            claim_interface=lambda device, number: device.log.append(f"claim {number}"),
            release_interface=lambda device, number: device.log.append(f"release {number}"),
            dispose_resources=lambda device: device.log.append("dispose"),
            get_string=lambda device, index: "J7FX01",
        ),
    )  # fmt: skip
    monkeypatch.setattr(usb_printer, "_pyusb", lambda: fake)
    monkeypatch.setattr(usb_printer, "READ_MS", 10)
    monkeypatch.setattr(usb_printer, "WRITE_MS", 60)
    yield made
    made.gate.set()


def opened() -> Any:
    path = make_path("usb_printer", {"port": "usb:04b8:0202"})
    path.open()
    return path


def wait(path: Any) -> None:
    assert select.select([path.fileno()], [], [], 5)[0], "was not woken"


def write_all(path: Any, data: bytes) -> int:
    """Write as the line thread does: offer, wait to be woken, offer the rest."""
    done = 0
    while done < len(data):
        count = path.write(data[done:])
        done += count
        if not count:
            wait(path)
            path.read()
    return done


def test_interface_and_endpoints_come_from_the_descriptors_and_nothing_is_reset(printer: FakePrinter) -> None:
    path = make_path("usb_printer", {"port": "usb:04b8:0202:J7FX01"})
    facts = path.open()
    assert (facts["interface"], facts["in_endpoint"], facts["serial"]) == ("1", "81", "J7FX01")
    assert printer.log == ["detach 1", "claim 1"]
    path.close()
    assert printer.log[2:] == ["release 1", "dispose"]
    assert path.fileno() == -1


def test_a_long_job_leaves_in_pieces_whole_and_in_order(printer: FakePrinter) -> None:
    path = opened()
    job = bytes(range(256)) * 20
    assert write_all(path, job) == len(job)
    assert bytes(printer.paper) == job
    path.close()


def test_answers_wake_the_line_and_none_is_lost(printer: FakePrinter) -> None:
    path = opened()
    for number in range(20):
        printer.answers.put(bytes([number]))
    got = b""
    while len(got) < 20:
        wait(path)
        got += path.read()
    assert got == bytes(range(20))
    assert path.read() == b""
    path.close()


def test_a_printer_that_takes_nothing_is_never_offered_more_and_ends_as_lost(printer: FakePrinter) -> None:
    path = opened()
    printer.gate.clear()
    for _ in range(20):
        assert path.write(b"receipt") == 0
        threading.Event().wait(0.01)
    printer.gate.set()
    assert path.write(b"receipt") == 0
    with pytest.raises(TransportError, match="timed out"):
        path.drop_output()
    assert bytes(printer.paper) == b""
    assert path.fileno() == -1


def test_unplugging_is_told_by_reading_and_by_writing(printer: FakePrinter) -> None:
    path = opened()
    printer.answers.put(b"\x12")
    printer.answers.put(USBError(19, "No such device"))
    got = b""
    while not got:
        wait(path)
        got = path.read()
    assert got == b"\x12"
    wait(path)
    with pytest.raises(TransportError, match="No such device"):
        path.read()
    with pytest.raises(TransportError):
        path.write(b"x")
    path.close()


def test_a_stalled_endpoint_is_a_loss(printer: FakePrinter) -> None:
    path = opened()
    printer.fault = USBError(32, "Pipe error")
    assert path.write(b"x") == 0
    wait(path)
    with pytest.raises(TransportError):
        path.read()
    path.close()


def test_class_requests_are_carried_out_and_nothing_else(printer: FakePrinter) -> None:
    path = opened()
    reply = path.request(PortRequest(1, "usb_class_in", bytes.fromhex("a101000001000100")))
    assert (reply.ok, reply.data) == (True, b"\x18")
    assert printer.log[-1] == "control (161, 1, 0, 1, 1)"
    for wrong in (b"\x21\x02\0\0\0\1\0\0", b"\x80\x06\0\3\0\0\xff\0", b"\xa1"):
        assert not path.request(PortRequest(2, "usb_class_in", wrong)).ok
    assert not path.request(PortRequest(3, "modem_lines", b"\0")).ok
    path.close()


def test_a_printer_without_an_in_endpoint_is_taken_and_says_so(printer: FakePrinter) -> None:
    del printer.interface[0]
    path = make_path("usb_printer", {"port": "usb:04b8:0202"})
    assert path.open()["in_endpoint"] == "no"
    assert write_all(path, b"x") == 1
    path.close()


def test_a_device_that_is_no_printer_is_refused(printer: FakePrinter) -> None:
    printer.interface.bInterfaceClass = 3
    with pytest.raises(TransportError, match="no printer interface"):
        make_path("usb_printer", {"port": "usb:04b8:0202"}).open()


def test_pr5_opening_and_closing_a_hundred_times_leaks_no_descriptor(printer: FakePrinter) -> None:
    before = open_descriptors()
    path = make_path("usb_printer", {"port": "usb:04b8:0202"})
    for _ in range(100):
        printer.answers.put(b"\x12")
        path.open()
        path.close()
    assert no_more_than(before)


@pytest.mark.parametrize(
    ("code", "text", "hint"),
    [(16, "Resource busy", "another program holds the device"), (13, "Access denied", "no permission")],
)
def test_a_printer_that_somebody_else_holds_is_a_clear_error_and_its_handle_is_given_back(
    printer: FakePrinter, code: int, text: str, hint: str
) -> None:
    printer.held = USBError(code, text)
    path = make_path("usb_printer", {"port": "usb:04b8:0202"})
    with pytest.raises(TransportError) as raised:
        path.open()
    assert hint in (raised.value.hint or "")
    assert printer.log == ["dispose"]
    assert path.fileno() == -1
    printer.held = None
    path.open()
    path.close()


def test_a_port_that_names_no_usb_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="usb:VID:PID"):
        make_path("usb_printer", {"port": "/dev/usb/lp0"})
