"""Which hidraw node is which device.

A hidraw node carries no vendor, product or serial number of its own (devices sheet §2.2): the HID device above it has
them in its ``uevent`` file, and the USB device further up its serial number.  One scanner may show several nodes (a
keyboard beside the HID-POS interface); they are told apart by the usage that their report descriptors begin with.
"""

from __future__ import annotations

import os
import re

from kiosk.errors import TransportError
from kiosk.protocols.hid_report import MOST_BYTES, applications
from kiosk.transports import identity

#: Where the kernel lists the nodes, and where udev makes them.
CLASS, NODES = "/sys/class/hidraw", "/dev"
_USAGE = re.compile(r"([0-9a-fA-F]{1,4}):([0-9a-fA-F]{1,4})")
_HID_ID = re.compile(r"[0-9A-Fa-f]{4}:([0-9A-Fa-f]{8}):([0-9A-Fa-f]{8})")


def usage_number(usage: str) -> int | None:
    """Return page and number as one number; None for "".

    >>> hex(usage_number("8c:02"))
    '0x8c0002'

    Raises:
        ValueError: it is written otherwise.
    """
    if not usage:
        return None
    found = _USAGE.fullmatch(usage)
    if found is None:
        raise ValueError(f"usage {usage[:20]!r} is not page:number in hexadecimal, like 8c:02")
    return int(found[1], 16) << 16 | int(found[2], 16)


def find(port: str, usage: int | None) -> identity.FoundPort:
    """Return the node that is meant by ``usb:VID:PID[:SERIAL]``.

    Raises:
        TransportError: there is none, or more than one.
    """
    found = fitting(port, usage)
    if not found and usage is not None and fitting(port, None):
        raise TransportError(
            f"{port}: is there, but has no interface of the usage {usage >> 16:x}:{usage & 0xFFFF:02x}",
            hint="is it set up as a keyboard? Scan the manufacturer's set-up code for USB HID-POS",
            transient=True,
        )
    return identity.one(port, found)


def fitting(port: str, usage: int | None) -> list[identity.FoundPort]:
    """Return the nodes that fit."""
    name = identity.usb_name(port)
    if name is None:
        raise identity.unreadable(port)
    wanted = (f"{name.vendor:04x}", f"{name.product:04x}")
    found = []
    for node in sorted(os.listdir(CLASS)) if os.path.isdir(CLASS) else []:
        facts = facts_of(f"{NODES}/{node}")
        if (facts.get("vendor"), facts.get("product")) != wanted or name.serial not in (None, facts.get("serial")):
            continue
        if usage is None or usage in applications(bytes.fromhex(facts.get("report_descriptor", ""))):
            found.append(identity.FoundPort(f"{NODES}/{node}", facts))
    return found


def facts_of(path: str) -> dict[str, str]:
    """Return what /sys tells of a node: vendor, product, serial, name, report descriptor; {} where it knows nothing."""
    device = os.path.realpath(f"{CLASS}/{os.path.basename(os.path.realpath(path))}/device")
    told = dict(line.partition("=")[::2] for line in _bytes(f"{device}/uevent").decode("utf-8", "replace").splitlines())
    facts = {}
    if ids := _HID_ID.fullmatch(told.get("HID_ID", "")):
        facts = {"vendor": ids[1][-4:].lower(), "product": ids[2][-4:].lower()}
    serial = told.get("HID_UNIQ", "") or _usb_serial(device)
    for key, value in (("serial", serial), ("name", told.get("HID_NAME", ""))):
        if value:
            facts[key] = value[:80]
    if descriptor := _bytes(f"{device}/report_descriptor"):
        facts["report_descriptor"] = descriptor.hex()
    return facts


def _usb_serial(device: str) -> str:
    here = device
    for _ in range(3):  # HID device, interface, USB device
        if os.path.exists(f"{here}/idVendor"):
            return _bytes(f"{here}/serial").decode("utf-8", "replace").strip()
        here = os.path.dirname(here)
    return ""


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MOST_BYTES)
    except OSError:
        return b""  # no HID device, or it went while we looked
