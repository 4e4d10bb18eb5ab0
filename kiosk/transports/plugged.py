"""What is plugged into this machine, read from /sys and /dev alone: no port is opened, no device notices.

A probe that writes to a port has sent sums to card readers and made printers print (devices sheet §3, 10).  So
nothing here asks a device who it is; what udev and the kernel know is all that is told.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from kiosk.transports.identity import steadiness

#: Folders of links that udev keeps, the better names first.
LINKS = ("dev/kiosk", "dev/serial/by-id", "dev/input/by-id", "dev/serial/by-path", "dev/input/by-path")
#: Report descriptor of a barcode scanner begins with its usage: page 8C, usage 02 (HID POS usage tables).
_POS_USAGE = bytes((0x05, 0x8C, 0x09, 0x02))
_UARTS = ("ttyS", "ttyAMA", "ttyMXC", "ttymxc", "ttyO")


class Plugged(msgspec.Struct, frozen=True):
    """Something that a driver could be put on."""

    #: Transport kind: ``serial``, ``usb_printer``, ``evdev`` or ``hidraw``.
    transport: str
    #: Where it is just now: a node below /dev, or the device's place on the bus.
    port: str
    #: What its maker calls it.
    product: str = ""
    vendor: str = ""
    product_id: str = ""
    serial: str = ""
    #: Its socket, e.g. ``1-1.2``; "" where it is on no USB.
    socket: str = ""
    links: tuple[str, ...] = ()
    #: The best name for the configuration, and how steady that is (a word of `identity.STEADINESS`).
    name: str = ""
    steady: str = ""

    @property
    def usb(self) -> str:
        """Maker's and product's number."""
        return f"{self.vendor}:{self.product_id}" if self.vendor else ""


def plugged(root: Path = Path("/")) -> list[Plugged]:
    """Return what is plugged in, each with the best name that it can be given."""
    links = _links(root)
    found = [*_serial_ports(root, links), *_usb(root, links)]
    return [_named(each, found) for each in found]


def _links(root: Path) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for folder in LINKS:
        for link in sorted((root / folder).glob("*")):
            target = Path(os.path.realpath(link)).name
            names.setdefault(target, []).append("/" + str(link.relative_to(root)))
    return names


def _serial_ports(root: Path, links: dict[str, list[str]]) -> list[Plugged]:
    found = []
    for node in sorted((root / "sys/class/tty").glob("tty*")):
        if node.name.startswith(_UARTS) and _line(node / "type") not in ("", "0"):
            found.append(Plugged("serial", f"/dev/{node.name}", "serial port", links=tuple(links.get(node.name, ()))))
        elif node.name.startswith(("ttyUSB", "ttyACM")):
            found.append(_behind("serial", node, links))
    return found


def _usb(root: Path, links: dict[str, list[str]]) -> list[Plugged]:
    found = []
    for interface in sorted((root / "sys/bus/usb/devices").glob("*:*")):
        kind = tuple(_line(interface / f"bInterface{part}") for part in ("Class", "SubClass", "Protocol"))
        device = Path(os.path.realpath(interface)).parent
        if kind[:2] == ("07", "01"):
            found.append(_told("usb_printer", device.name, device, ()))
        elif kind[0] == "03" and kind[2] == "01":
            for node in sorted(Path(os.path.realpath(interface)).glob("*/input/input*/event*")):
                found.append(_told("evdev", f"/dev/input/{node.name}", device, tuple(links.get(node.name, ()))))
    for node in sorted((root / "sys/class/hidraw").glob("hidraw*")):
        if _bytes(node / "device/report_descriptor").startswith(_POS_USAGE):
            found.append(_behind("hidraw", node, links))
    return found


def _behind(transport: str, node: Path, links: dict[str, list[str]]) -> Plugged:
    here = Path(os.path.realpath(node / "device"))
    for _ in range(5):  # node, HID device, interface, device: never more than a few levels up
        if (here / "idVendor").exists():
            break
        here = here.parent
    return _told(transport, f"/dev/{node.name}", here, tuple(links.get(node.name, ())))


def _told(transport: str, port: str, device: Path, links: tuple[str, ...]) -> Plugged:
    return Plugged(
        transport, port, _line(device / "product"), _line(device / "idVendor"), _line(device / "idProduct"),
        _line(device / "serial"), device.name if _line(device / "idVendor") else "", links,
    )  # fmt: skip


def _named(one: Plugged, found: list[Plugged]) -> Plugged:
    """Choose the name: the serial number where it is there and nobody else's, then the socket, then the port itself."""
    same = [each for each in found if each.transport == one.transport and each.usb == one.usb]
    name = next((link for link in one.links if link.startswith("/dev/kiosk/")), "")
    alone = one.serial and sum(each.serial == one.serial for each in same) == 1
    if not name and alone:
        name = f"usb:{one.usb}:{one.serial}"
    if not name and one.serial and len({each.socket for each in same if each.serial == one.serial}) == 1:
        name = next((link for link in one.links if "/by-id/" in link), "")  # two ports of one adapter
    if not name:
        name = next((link for link in one.links if "/by-path/" in link), "")
    if not name and one.transport == "serial" and one.socket:
        name = f"usbport:{one.socket}"
    if not name and one.usb:
        name = f"usb:{one.usb}"
    name = name or one.port
    facts = {"vendor": one.vendor, "product": one.product_id, "serial": one.serial} if one.usb else {}
    return msgspec.structs.replace(one, name=name, steady=steadiness(name, facts))


def _line(path: Path) -> str:
    return _bytes(path).decode("utf-8", "replace").split("\n")[0].strip()


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4096)
    except OSError:
        return b""  # not of this kind, or it went while we looked
