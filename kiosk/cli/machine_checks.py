"""Checks of `kiosk doctor` that need no configuration: the user, programs that grab ports, the units, the policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.cli.machine import Machine

if TYPE_CHECKING:
    from kiosk.app import Setup


class Check(msgspec.Struct, frozen=True):
    """The outcome of one check."""

    id: str
    #: ``ok``, ``warn``, ``fail`` or ``skip``.
    state: str
    evidence: str
    #: The command or act that mends it; "" where nothing is wrong.
    fix: str = ""


def machine_checks(machine: Machine, setup: Setup | None) -> list[Check]:
    """What does not need a configuration: the user, programs that grab ports, the units."""
    return [*_user(machine), *_conflicts(machine, setup), *_units(machine), *_policy(machine, setup)]


def _user(machine: Machine) -> Iterator[Check]:
    groups = machine.groups_of("kiosk")
    if groups is None:
        yield Check("groups", "skip", "there is no user kiosk: not installed as a service")
        return
    missing = sorted({"dialout", "input", "lp"} - groups)
    if missing:
        yield Check(
            "groups", "fail", f"user kiosk is not in {', '.join(missing)}", f"usermod -aG {','.join(missing)} kiosk"
        )
    else:
        yield Check("groups", "ok", "user kiosk is in dialout, input and lp")


def _conflicts(machine: Machine, setup: Setup | None) -> Iterator[Check]:
    usb_printer = setup is None or any(device.transport == "usb_printer" for device in setup.devices)
    loaded, running = machine.modules(), machine.processes()
    if "usblp" in loaded:
        yield Check(
            "usblp", "fail" if usb_printer else "warn", "the kernel module usblp is loaded and claims USB printers",
            "modprobe -r usblp; echo 'blacklist usblp' > /etc/modprobe.d/kiosk.conf",
        )  # fmt: skip
    else:
        yield Check("usblp", "ok", "usblp is not loaded")
    for name, process, why in (
        ("modemmanager", "ModemManager", "probes serial ports with modem commands"),
        ("brltty", "brltty", "grabs CH340 and CP210x adapters"),
        ("cups", "cupsd", "may hold the receipt printer"),
    ):
        if process in running:
            state = "warn" if process == "cupsd" else "fail"
            yield Check(
                name,
                state,
                f"{process} is running: it {why}",
                f"systemctl disable --now {process.removesuffix('d') if process == 'cupsd' else process}",
            )
        else:
            yield Check(name, "ok", f"{process} is not running")


def _units(machine: Machine) -> Iterator[Check]:
    if not machine.exists("/run/systemd/system"):
        yield Check("units", "skip", "systemd does not run this machine")
        return
    places = ("/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system")
    found = next((f"{place}/kiosk.service" for place in places if machine.exists(f"{place}/kiosk.service")), "")
    if not found:
        yield Check("units", "warn", "kiosk.service is not installed", "install systemd/kiosk.service, or the package")
        return
    missing = [line for line in ("Type=notify", "WatchdogSec=", "Restart=always") if line not in machine.text(found)]
    if missing:
        yield Check(
            "units", "fail", f"{found} lacks {', '.join(missing)}", "install the unit that came with this version"
        )
    else:
        yield Check("units", "ok", f"{found} with watchdog")


def _policy(machine: Machine, setup: Setup | None) -> Iterator[Check]:
    if not any(machine.exists(f"/usr/bin/{name}") for name in ("chromium", "chromium-browser")):
        yield Check("policy", "skip", "Chromium is not installed")
        return
    text = machine.text("/etc/chromium/policies/managed/kiosk.json")
    port = setup.config.screen.port if setup is not None else 8080
    if not text:
        yield Check(
            "policy", "warn", "Chromium has no policy: its pages can go anywhere", "install systemd/browser/kiosk.json"
        )
    elif f":{port}" not in text:
        yield Check(
            "policy", "fail", f"the policy does not allow port {port} of the screen", "set screen.port or the policy"
        )
    else:
        yield Check("policy", "ok", f"Chromium may open port {port} only")
