"""hidraw nodes are found by their parents' numbers, and one interface of several by what its descriptor is of."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

import pytest

from kiosk.errors import ConfigError, TransportError
from kiosk.protocols.hid_pos_device import HONEYWELL, descriptor
from kiosk.transports import hid_nodes, make_path
from tests.transports.hid_tree import HidTree

SCANNER = descriptor(HONEYWELL)
KEYBOARD = bytes.fromhex("05010906a101 0507 19e029e7 75019508 8102 c0")
PORT = "usb:0c2e:0b61"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HidTree:
    """A machine with one scanner that shows a keyboard beside its HID-POS interface, and somebody's mouse."""
    made = HidTree(tmp_path / "sys")
    made.plug(0, KEYBOARD, interface=0)
    made.plug(1, SCANNER, interface=1)
    made.plug(2, KEYBOARD, socket="1-2", ids="046D:C077", serial="M1")
    (tmp_path / "dev").mkdir()
    for number in range(4):
        os.mkfifo(tmp_path / "dev" / f"hidraw{number}")
    monkeypatch.setattr(hid_nodes, "CLASS", str(made.hidraw))
    monkeypatch.setattr(hid_nodes, "NODES", str(tmp_path / "dev"))
    return made


def test_a_scanner_is_found_by_its_numbers_and_tells_its_descriptor(tree: HidTree) -> None:
    path = make_path("hidraw", {"port": PORT, "usage": "8c:02"})
    assert path.present() is True
    facts = path.open()
    assert facts == {
        "path": PORT, "kind": "hidraw", "vendor": "0c2e", "product": "0b61", "serial": "B0001",
        "name": "Example Scanner", "report_descriptor": SCANNER.hex(),
    }  # fmt: skip
    path.close()


def test_without_a_usage_two_interfaces_are_not_guessed_between(tree: HidTree) -> None:
    with pytest.raises(TransportError, match="fits 2 devices"):
        make_path("hidraw", {"port": PORT}).open()


def test_two_scanners_of_one_kind_are_told_apart_by_their_serial_numbers(tree: HidTree) -> None:
    tree.plug(3, SCANNER, socket="1-3", serial="B0002", unique=False)  # the number stands at the USB device only
    with pytest.raises(TransportError, match="fits 2 devices"):
        make_path("hidraw", {"port": PORT, "usage": "8c:02"}).open()
    for number, serial in ((1, "B0001"), (3, "B0002")):
        found = hid_nodes.find(f"{PORT}:{serial}", 0x8C0002)
        assert Path(found.path).name == f"hidraw{number}"
    with pytest.raises(TransportError, match="no such device"):
        hid_nodes.find(f"{PORT}:B0003", 0x8C0002)


def test_a_scanner_set_up_as_a_keyboard_is_told_from_one_that_is_not_there(tree: HidTree) -> None:
    tree.unplug(1)
    path = make_path("hidraw", {"port": PORT, "usage": "8c:02"})
    assert path.present() is False
    with pytest.raises(TransportError, match="no interface of the usage 8c:02") as caught:
        path.open()
    assert "HID-POS" in caught.value.hint
    tree.unplug(0)
    with pytest.raises(TransportError, match="no such device"):
        path.open()


def test_a_hostile_descriptor_in_sys_finds_nothing_and_raises_nothing(tree: HidTree) -> None:
    tree.plug(3, b"\xff" * 5000, socket="1-3", ids="1234:0001")
    assert hid_nodes.fitting("usb:1234:0001", 0x8C0002) == []
    assert len(hid_nodes.fitting("usb:1234:0001", None)[0].facts["report_descriptor"]) == 2 * 4096


def test_a_path_tells_the_same_facts_as_the_number(tree: HidTree, tmp_path: Path) -> None:
    link = tmp_path / "kiosk-scanner"
    link.symlink_to(tmp_path / "dev" / "hidraw1")
    path = make_path("hidraw", {"port": str(link)})
    facts = path.open()
    assert (facts["vendor"], facts["serial"], facts["report_descriptor"]) == ("0c2e", "B0001", SCANNER.hex())
    path.close()


def test_the_open_nodes_own_descriptor_comes_before_that_of_sys(tree: HidTree, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def ioctl(fd: int, request: int, argument: bytes | bytearray) -> bytes | int:
        asked.append(request)
        if request == 0x80044801:  # HIDIOCGRDESCSIZE
            return struct.pack("i", 3)
        assert (request, argument) == (0x90044802, struct.pack("I4096x", 3))  # HIDIOCGRDESC
        # The kernel writes 4100 bytes: they come back in a buffer that can be written, and in no other.
        assert isinstance(argument, bytearray)
        argument[:] = struct.pack("I4096s", 3, b"\xaa\xbb\xcc")
        return 0

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    path = make_path("hidraw", {"port": PORT, "usage": "8c:02"})
    assert path.open()["report_descriptor"] == "aabbcc"
    assert asked == [0x80044801, 0x90044802]
    path.close()


@pytest.mark.parametrize("size", [0, -1, 4097])
def test_a_size_beyond_all_descriptors_is_not_believed(
    tree: HidTree, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(fcntl, "ioctl", lambda fd, request, argument: struct.pack("i", size))
    path = make_path("hidraw", {"port": PORT, "usage": "8c:02"})
    assert path.open()["report_descriptor"] == SCANNER.hex()
    path.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"port": "hidraw0"}, "not a path"), ({"port": "/dev/x", "usage": "barcode"}, "hexadecimal")],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_path("hidraw", settings)


def test_a_machine_without_hid_has_no_such_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hid_nodes, "CLASS", str(tmp_path / "nothing"))
    assert make_path("hidraw", {"port": PORT}).present() is False
