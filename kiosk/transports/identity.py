"""Which device a configured port means, and how surely it goes on meaning it.

A port is written as a path (best a link below ``/dev/serial/by-id`` or ``/dev/input/by-id``, which follows the
device through any socket), as ``serial:XYZ`` (the adapter's serial number), as ``usb:VID:PID[:SERIAL]``
(hexadecimal) or as ``usbport:1-1.2[:1.0]`` (the socket, and the interface where a device has several).  Numbers such
as ttyUSB0 change places at a reboot (devices sheet §3, 17).  A description that fits two devices is refused: guessing
would put one device's orders into another.  That holds for a by-id link too: adapters without serial numbers, and
those whose maker gave all the same, share one name, and the link follows whichever came last.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from kiosk.errors import TransportError

#: Beginning of a port's name -> its steadiness.
_PORT_WORDS = (
    (r"serial:", "serial"), (r"usbport:", "socket"), (r".*/by-path/", "socket"), (r"/dev/kiosk/", "own"),
    (r"/dev/tty(S|AMA|MXC|mxc|O)\d", "built_in"), (r"/dev/tty(USB|ACM)\d", "number"),
    (r"/dev/(input/event|hidraw)\d", "number"),
)  # fmt: skip
#: ``usbport:BUS-SOCKET[.SOCKET ...][:INTERFACE]``, as the kernel counts them below /sys/bus/usb/devices.
_PLACE = re.compile(r"usbport:(\d+-\d+(?:\.\d+)*(?::\d+\.\d+)?)")
_USB = re.compile(r"usb:([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(.+))?")


#: What a port's name is made of -> how it behaves, as the rest of a sentence that begins with "its name".
STEADINESS = {
    "serial": "follows the device by its serial number",
    "own": "is your own, from udev: as steady as its rule",
    "built_in": "is a port of this machine",
    "socket": "follows the socket, not the device",
    "address": "follows the address, not the device",
    "kind": "fits every device of this kind",
    "number": "changes places at a reboot",
    "unknown": "says nothing about the device",
}
#: Steadiness of ports behind which another unit can turn up without anybody having written so.
LOOSE = ("socket", "address", "kind", "number")


class UsbName(msgspec.Struct, frozen=True):
    """A device as ``usb:VID:PID[:SERIAL]`` names it."""

    vendor: int
    product: int
    #: None where any serial number will do.
    serial: str | None = None


class FoundPort(msgspec.Struct, frozen=True):
    """A port that exists now."""

    path: str
    #: ``vendor``, ``product`` (four hexadecimal digits), ``serial``, as far as known.
    facts: dict[str, str] = {}


def usb_name(port: str) -> UsbName | None:
    """Read ``usb:04b8:0202[:SERIAL]``; return None for anything else.

    >>> usb_name("usb:04b8:0202:A17")
    UsbName(vendor=1208, product=514, serial='A17')
    """
    found = _USB.fullmatch(port)
    return UsbName(int(found[1], 16), int(found[2], 16), found[3]) if found else None


def steadiness(port: str, facts: dict[str, str] | None = None) -> str:
    """Tell how surely a port's name goes on meaning the same device, as a word of `STEADINESS`.

    `facts` are those of the adapter, where it is there: a link by-id is only as good as the serial number in it.

    >>> steadiness("serial:A50285BI"), steadiness("usb:0403:6001"), steadiness("/dev/ttyUSB0")
    ('serial', 'kind', 'number')
    """
    name = usb_name(port)
    if name is not None:
        return "serial" if name.serial is not None else "kind"
    if "/by-id/" in port:
        return "kind" if facts and not facts.get("serial") else "serial"
    for part, word in _PORT_WORDS:
        if re.match(part, port):
            return word
    return "unknown"


def is_path(port: str) -> bool:
    """Tell whether the port is written as a path."""
    return port.startswith(("/", "./"))


def serial_port(port: str) -> FoundPort:
    """Find the serial port that is meant.

    Raises:
        TransportError: there is none, or more than one, or the port is written in no known way.
    """
    if is_path(port):
        if not os.path.exists(port):
            raise missing(port)
        facts = usb_facts_of_tty(port)
        if facts and "/by-id/" in port:
            one(port, [FoundPort(port, facts), *_twins(port, facts)])
        return FoundPort(port, facts)
    return one(port, _serial_candidates(port))


def serial_present(port: str) -> bool | None:
    """Tell whether that serial port is there, without opening it."""
    if is_path(port):
        return os.path.exists(port)
    return bool(_serial_candidates(port))


def _twins(port: str, facts: dict[str, str]) -> list[FoundPort]:
    """Return the ports of other adapters that udev calls by the same name."""
    from serial.tools import list_ports  # here, because it walks the whole of /sys when imported and asked

    ports = [(info, _facts(info.vid, info.pid, info.serial_number)) for info in list_ports.comports()]
    mine = next((_socket(info) for info, _ in ports if info.device == os.path.realpath(port)), "")
    return [FoundPort(info.device, same) for info, same in ports if same == facts and _socket(info) not in ("", mine)]


def _socket(info: Any) -> str:
    return str(info.location or "").split(":")[0]


def _serial_candidates(port: str) -> list[FoundPort]:
    from serial.tools import list_ports  # here, because it walks the whole of /sys when imported and asked

    name = usb_name(port)
    wanted = port.removeprefix("serial:") if port.startswith("serial:") else None
    place = _PLACE.fullmatch(port)
    if name is None and not wanted and place is None:
        raise unreadable(port)
    found = []
    for info in list_ports.comports():
        if name is not None:
            fits = (info.vid, info.pid) == (name.vendor, name.product) and name.serial in (None, info.serial_number)
        elif place is not None:
            fits = place[1] in (_socket(info), info.location)
        else:
            fits = info.serial_number == wanted
        if fits:
            found.append(FoundPort(info.device, _facts(info.vid, info.pid, info.serial_number)))
    return found


def usb_facts_of_tty(path: str) -> dict[str, str]:
    """Return vendor, product and serial number of the USB adapter behind a tty, {} where there is none."""
    here = os.path.realpath(f"/sys/class/tty/{os.path.basename(os.path.realpath(path))}/device")
    for _ in range(4):  # tty, interface, device: never more than a few levels up
        if os.path.exists(f"{here}/idVendor"):
            return {
                key: value
                for key, name in (("vendor", "idVendor"), ("product", "idProduct"), ("serial", "serial"))
                if (value := _line(f"{here}/{name}"))
            }
        here = os.path.dirname(here)
    return {}


def usb_present(port: str) -> bool | None:
    """Tell from /sys whether a USB device named ``usb:…`` is plugged in."""
    name = usb_name(port)
    if name is None or not os.path.isdir("/sys/bus/usb/devices"):
        return None
    wanted = (f"{name.vendor:04x}", f"{name.product:04x}")
    return any(
        (_line(f"{folder}/idVendor"), _line(f"{folder}/idProduct")) == wanted
        and name.serial in (None, _line(f"{folder}/serial"))
        for folder in glob.glob("/sys/bus/usb/devices/*")
    )


def one(port: str, candidates: Iterable[FoundPort]) -> FoundPort:
    """Return the only candidate.

    Raises:
        TransportError: there is none, or more than one.
    """
    found = list(candidates)
    if not found:
        raise missing(port)
    if len(found) > 1:
        paths = ", ".join(sorted(each.path for each in found)[:4])
        raise TransportError(
            f"{port}: fits {len(found)} devices ({paths})",
            hint="add the serial number, or write the path below /dev/serial/by-id or by-path",
        )
    return found[0]


def missing(port: str) -> TransportError:
    """Say that the device is not there."""
    return TransportError(
        f"{port}: no such device", hint="is it plugged in, switched on, and the port written right?", transient=True
    )


def unreadable(port: str) -> TransportError:
    """Say that the port is written in no known way."""
    return TransportError(
        f"{port!r} is not a port",
        hint="write a path, serial:NUMBER, usbport:1-1.2, or usb:VID:PID with four hexadecimal digits each",
    )


def _facts(vendor: int | None, product: int | None, number: str | None) -> dict[str, str]:
    facts = {}
    if vendor is not None:
        facts["vendor"] = f"{vendor:04x}"
    if product is not None:
        facts["product"] = f"{product:04x}"
    if number:
        facts["serial"] = number
    return facts


def _line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline(256).strip()
    except OSError:
        return ""  # not a USB device, or it went while we looked
