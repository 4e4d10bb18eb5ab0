"""What is plugged in is read from /sys alone, and each thing gets the steadiest name that it can have."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.transports.plugged import Plugged, plugged


class Sys:
    """A piece of /sys and /dev below a directory of the test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sys/class/tty").mkdir(parents=True)
        (root / "sys/class/hidraw").mkdir()
        (root / "sys/bus/usb/devices").mkdir(parents=True)

    def usb(self, socket: str, vendor: str, product: str, serial: str = "", words: str = "Thing") -> Path:
        """Plug a USB device in."""
        device = self.root / "sys/devices/usb1" / socket
        device.mkdir(parents=True)
        for name, value in (("idVendor", vendor), ("idProduct", product), ("serial", serial), ("product", words)):
            if value:
                (device / name).write_text(value + "\n")
        return device

    def interface(self, device: Path, number: int, kind: str) -> Path:
        """Give the device an interface: class, subclass and protocol."""
        interface = device / f"{device.name}:1.{number}"
        interface.mkdir()
        for name, value in zip(("Class", "SubClass", "Protocol"), kind.split(), strict=True):
            (interface / f"bInterface{name}").write_text(value + "\n")
        (self.root / "sys/bus/usb/devices" / interface.name).symlink_to(interface)
        return interface

    def tty(self, name: str, device: Path, *links: str) -> None:
        """Give the device a serial port, with links to it."""
        interface = self.interface(device, len(list(device.glob("*:*"))), "ff ff ff")
        node = self.root / "sys/class/tty" / name
        node.mkdir()
        (node / "device").symlink_to(interface)
        self.node(name, *links)

    def node(self, name: str, *links: str) -> None:
        """Make a node below /dev, with links to it."""
        path = self.root / "dev" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        for link in links:
            there = self.root / "dev" / link
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(path)

    def found(self) -> dict[str, Plugged]:
        return {each.port: each for each in plugged(self.root)}


@pytest.fixture
def tree(tmp_path: Path) -> Sys:
    return Sys(tmp_path)


def test_an_empty_machine_has_nothing_plugged_in(tmp_path: Path) -> None:
    assert plugged(tmp_path) == []


def test_an_adapter_with_a_serial_number_of_its_own_is_named_by_it(tree: Sys) -> None:
    tree.tty("ttyUSB0", tree.usb("1-1", "0403", "6001", "A1"), "serial/by-id/usb-FTDI_A1-if00-port0")
    tree.tty("ttyUSB1", tree.usb("1-2", "0403", "6001", "A2"))
    found = tree.found()
    assert [found[f"/dev/ttyUSB{n}"].name for n in (0, 1)] == ["usb:0403:6001:A1", "usb:0403:6001:A2"]
    assert {each.steady for each in found.values()} == {"serial"}


@pytest.mark.parametrize("serial", ["", "0001"])
def test_adapters_that_cannot_be_told_apart_are_named_by_their_sockets(tree: Sys, serial: str) -> None:
    path = "serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0"
    tree.tty("ttyUSB0", tree.usb("1-1", "1a86", "7523", serial), "serial/by-id/usb-1a86-if00-port0", path)
    tree.tty("ttyUSB1", tree.usb("1-2.4", "1a86", "7523", serial))
    found = tree.found()
    assert found["/dev/ttyUSB0"].name == "/dev/" + path
    assert found["/dev/ttyUSB1"].name == "usbport:1-2.4"
    assert {each.steady for each in found.values()} == {"socket"}


def test_two_ports_of_one_adapter_are_named_by_their_links(tree: Sys) -> None:
    device = tree.usb("1-1", "0403", "6010", "D1")
    tree.tty("ttyUSB0", device, "serial/by-id/usb-FTDI_D1-if00-port0")
    tree.tty("ttyUSB1", device, "serial/by-id/usb-FTDI_D1-if01-port0")
    assert [each.name for each in tree.found().values()] == [
        "/dev/serial/by-id/usb-FTDI_D1-if00-port0", "/dev/serial/by-id/usb-FTDI_D1-if01-port0"
    ]  # fmt: skip


def test_a_name_from_the_citys_own_rules_comes_first(tree: Sys) -> None:
    tree.tty("ttyACM0", tree.usb("1-1", "0c2e", "0206", "B1"), "kiosk/scan0")
    (found,) = tree.found().values()
    assert (found.name, found.steady) == ("/dev/kiosk/scan0", "own")


def test_printers_keyboards_and_barcode_scanners_are_told_by_their_interfaces(tree: Sys) -> None:
    printer = tree.usb("1-3", "04b8", "0e28", "X7", "TM-T20III")
    tree.interface(printer, 0, "07 01 02")
    wedge = tree.usb("1-4", "0c2e", "0b61", "S9")
    (tree.interface(wedge, 0, "03 01 01") / "0003:0C2E:0B61.0001/input/input5/event5").mkdir(parents=True)
    pos = tree.usb("1-5", "0c2e", "0aaa")
    hid = tree.interface(pos, 0, "03 00 00") / "0003:0C2E:0AAA.0002"
    (hid / "hidraw/hidraw0").mkdir(parents=True)
    (hid / "report_descriptor").write_bytes(bytes.fromhex("058c0902a101c0"))
    (tree.root / "sys/class/hidraw/hidraw0").symlink_to(hid / "hidraw/hidraw0")
    (hid / "hidraw/hidraw0/device").symlink_to(hid)
    mouse = tree.usb("1-6", "046d", "c077")
    tree.interface(mouse, 0, "03 01 02")
    found = tree.found()
    assert {port: (each.transport, each.name) for port, each in found.items()} == {
        "1-3": ("usb_printer", "usb:04b8:0e28:X7"),
        "/dev/input/event5": ("evdev", "usb:0c2e:0b61:S9"),
        "/dev/hidraw0": ("hidraw", "usb:0c2e:0aaa"),
    }
    assert found["/dev/hidraw0"].steady == "kind"


def test_a_port_of_the_machine_itself_counts_only_where_a_chip_is_behind_it(tree: Sys) -> None:
    for name, kind in (("ttyS0", "4"), ("ttyS1", "0"), ("tty1", "")):
        (tree.root / "sys/class/tty" / name).mkdir()
        (tree.root / "sys/class/tty" / name / "type").write_text(kind)
    (found,) = tree.found().values()
    assert (found.port, found.name, found.steady) == ("/dev/ttyS0", "/dev/ttyS0", "built_in")
