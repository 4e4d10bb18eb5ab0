"""``kiosk devices --map``: the ports of this machine, so that a device can be named by something that stays."""

from __future__ import annotations

import os
from pathlib import Path

import click

from kiosk.cli.options import tell_json, tell_table

_LINKS = ("dev/serial/by-id", "dev/serial/by-path", "dev/input/by-id", "dev/input/by-path", "dev/kiosk")


def port_map(root: Path = Path("/")) -> list[dict[str, str]]:
    """Return each serial port, input device and USB device with everything that names it."""
    from kiosk.transports.identity import usb_facts_of_tty

    names: dict[str, list[str]] = {}
    for folder in _LINKS:
        for link in sorted((root / folder).glob("*")):
            names.setdefault(os.path.realpath(link), []).append(str(link))
    found = []
    for path in sorted(
        {*names, *(str(each) for kind in ("USB", "ACM", "AMA") for each in (root / "dev").glob(f"tty{kind}*"))}
    ):
        facts = usb_facts_of_tty(path) if "tty" in path else {}
        found.append({
            "port": path, "links": ", ".join(names.get(path, [])),
            "usb": _usb(facts.get("vendor", ""), facts.get("product", "")),
            "serial": facts.get("serial", ""),
        })  # fmt: skip
    for device in sorted((root / "sys/bus/usb/devices").glob("*")):
        vendor, product = _line(device / "idVendor"), _line(device / "idProduct")
        if vendor and _line(device / "bDeviceClass") != "09":  # a hub is nobody's device
            found.append({
                "port": device.name, "links": _line(device / "product"), "usb": _usb(vendor, product),
                "serial": _line(device / "serial"),
            })  # fmt: skip
    return found


def tell_map(as_json: bool) -> None:
    """Print the map."""
    found = port_map()
    if as_json:
        tell_json("kiosk-port-map-1", {"ports": found})
    elif not found:
        click.echo("no serial port, input device or USB device is here")
    else:
        tell_table([(each["port"], each["usb"], each["serial"], each["links"]) for each in found],
                   ("port", "usb", "serial number", "also known as"))  # fmt: skip


def _usb(vendor: str, product: str) -> str:
    return f"usb:{vendor}:{product}" if vendor and product else ""


def _line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.readline(256).strip()
    except OSError:
        return ""
