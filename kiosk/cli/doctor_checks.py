"""The checks of `kiosk doctor`: each is one question with its evidence and the command that mends it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiosk.cli.machine import Machine
from kiosk.cli.machine_checks import Check, machine_checks
from kiosk.errors import ControlError, KioskError

if TYPE_CHECKING:
    from kiosk.app import Setup

#: Least free space for the journal: below it nothing may be accepted / somebody should look.
LEAST_FREE, LOW_FREE = 64 << 20, 512 << 20
#: Facts at the end of the journal that are held against the chain.
TAIL = 500
#: 2026-01-01T00:00:00Z: this software did not exist before.
EARLIEST_NS = 1_767_225_600 * 1_000_000_000


def examine(machine: Machine, config_file: Path) -> list[Check]:
    """Run every check; a check that cannot be made is skipped with its reason, never left out."""
    from kiosk import app

    try:
        setup = app.load(config_file)
    except KioskError as error:
        return [Check("config", "fail", error.message, error.hint), *machine_checks(machine, None)]
    found = [Check("config", "ok", f"{config_file}, digest {setup.digest}")]
    asked: list[Callable[[], Iterator[Check]]] = [
        lambda: plugins(setup), lambda: iter(machine_checks(machine, setup)), lambda: links(machine, setup),
        lambda: running(setup), lambda: clock(machine, setup), lambda: disk(machine, setup), lambda: journal(setup),
        lambda: replica(setup), lambda: commissioned(setup),
    ]  # fmt: skip
    for ask in asked:
        try:
            found += ask()
        except (KioskError, OSError) as error:
            found.append(
                Check("doctor", "fail", f"a check could not be made: {error}", "run it as the kiosk's user or as root")
            )
    return found


def plugins(setup: Setup) -> Iterator[Check]:
    """Every plugin is loaded, or left out on purpose."""
    bad = setup.plugins.quarantined
    if not bad:
        yield Check("plugins", "ok", f"{sum(each.status == 'loaded' for each in setup.plugins.reports)} loaded")
    for report in bad:
        yield Check(
            "plugins", "fail", f"{report.name} is set aside: {report.reason}", "mend it, or name it in plugins.disabled"
        )


def links(machine: Machine, setup: Setup) -> Iterator[Check]:
    """Every configured port is there, may be opened, and goes on meaning the same device."""
    from kiosk.transports.identity import LOOSE, STEADINESS, steadiness, usb_facts_of_tty

    if not setup.devices:
        yield Check(
            "ports", "fail", "no device is configured", "add [[device]] sections; kiosk devices scan shows the ports"
        )
    for device in setup.devices:
        port = str(device.line.get("port", ""))
        steady = steadiness(port, usb_facts_of_tty(port))
        name = f"its name {STEADINESS[steady]}"
        if "host" in device.line:
            at = f"{device.line['host']}:{port}" if port else str(device.line["host"])
            told = f"{device.name}: {at} is reached when it is opened; its name {STEADINESS['address']}"
            yield Check("ports", "skip", told)
        elif not port.startswith("/"):
            told = f"{device.name}: {port or 'no path'} is found when it is opened"
            yield Check("ports", "skip", f"{told}; {name}" if steady in LOOSE else told)
        elif not machine.exists(port):
            yield Check(
                "ports",
                "fail",
                f"{device.name}: {port} does not exist",
                "plug it in, or mend its udev link: kiosk devices scan",
            )
        elif not os.access(machine.root / port.lstrip("/"), os.R_OK | os.W_OK):
            yield Check(
                "ports",
                "fail",
                f"{device.name}: {port} may not be opened by this user",
                "udevadm trigger, or run as the kiosk's user",
            )
        elif steady in ("number", "kind"):
            yield Check("ports", "warn", f"{device.name}: {port}; {name}", "kiosk devices scan names a steadier one")
        else:
            yield Check("ports", "ok", f"{device.name}: {port}")


#: State of a device -> what to do about it, where looking at the device is not it.
_CURES = {
    "misconfigured": "correct the section of {} in kiosk.toml, or set the unit up as it says",
    "another_device": "look at it, then kiosk devices accept {}",
}


def running(setup: Setup) -> Iterator[Check]:
    """The running kiosk answers, and so do its devices."""
    from kiosk.core.control import call

    try:
        told = call(setup.control_path, "status", patience_s=3)
        found: list[dict[str, Any]] = call(setup.control_path, "devices", patience_s=3)["devices"]
    except ControlError as error:
        yield Check("running", "warn" if error.transient else "fail", error.message, "systemctl start kiosk")
        yield Check("devices", "skip", "only a running kiosk can ask its devices")
        return
    if told["out_of_service"]:
        yield Check(
            "running", "fail", f"out of service: {', '.join(told['out_of_service'])}", "mend what is named below"
        )
    elif told["trouble"]:
        yield Check("running", "fail", str(told["trouble"]), "see the journal check")
    else:
        yield Check("running", "ok", str(told["status"]))
    for device in found:
        page = device.get("page") or {}
        severity = str(page.get("severity", "unknown"))
        shown = f"{device['device']}: {page.get('state', 'unknown')}"
        raw = f" (answer {page['raw']})" if page.get("raw") else ""
        if device["state"] != "in_service":
            yield Check(
                "devices",
                "fail",
                f"{device['device']}: {device['state']}, {device['last_error']}",
                f"kiosk service release {device['device']}",
            )
        elif severity == "ok":
            yield Check("devices", "ok", shown + raw)
        else:
            state = "fail" if severity == "fault" else "warn"
            detail = f", {page['detail']}" if page.get("detail") else ""
            cure = _CURES.get(str(page.get("state")), "look at the device").format(device["device"])
            yield Check("devices", state, shown + detail + raw, cure)


def clock(machine: Machine, setup: Setup) -> Iterator[Check]:
    """The wall clock can be believed."""
    from kiosk.journal.encoding import decode
    from kiosk.journal.reader import Reader

    now = time.time_ns()
    newest = 0
    if setup.journal_path.exists():
        with Reader(setup.journal_path) as reader:
            last = reader.last()
        newest = decode(last.row).stamp.at.wall_ns if last else 0
    if now < EARLIEST_NS:
        yield Check(
            "clock", "fail", "the clock stands before this software was made", "set the clock, then: kiosk clock trust"
        )
    elif now < newest:
        yield Check(
            "clock",
            "fail",
            f"the clock is {(newest - now) // 1_000_000_000} s behind the journal",
            "set the clock, then: kiosk clock trust",
        )
    else:
        yield Check("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S %Z"))
    if not machine.exists("/run/systemd/system"):
        yield Check("clock_sync", "skip", "systemd does not run this machine")
    elif machine.exists("/run/systemd/timesync/synchronized") or "chronyd" in machine.processes():
        yield Check("clock_sync", "ok", "the clock is kept by the network")
    else:
        yield Check(
            "clock_sync",
            "warn",
            "nothing keeps the clock",
            "apt install chrony; a clock chip where there is no network",
        )


def disk(machine: Machine, setup: Setup) -> Iterator[Check]:
    """The disk has room and keeps what it is told."""
    free = machine.free_bytes(setup.state)
    told = f"{free >> 20} MiB free for {setup.state}"
    state = "fail" if free < LEAST_FREE else "warn" if free < LOW_FREE else "ok"
    yield Check("disk", state, told, "" if state == "ok" else "free some space; no money is taken on a full disk")
    mount = machine.mount_of(setup.state)
    if mount is None:
        yield Check("filesystem", "skip", "the mounts cannot be read")
        return
    bad = {"nobarrier", "barrier=0", "data=writeback"} & set(mount.options)
    live = setup.realm == "live"
    if "ro" in mount.options:
        yield Check("filesystem", "fail", f"{mount.place} is mounted read-only", f"mount -o remount,rw {mount.place}")
    elif bad:
        yield Check(
            "filesystem",
            "fail",
            f"{mount.place} is mounted with {', '.join(sorted(bad))}: a power cut loses facts",
            "mend /etc/fstab",
        )
    elif mount.kind in ("tmpfs", "ramfs", "overlay"):
        yield Check(
            "filesystem",
            "fail" if live else "warn",
            f"{mount.place} is {mount.kind}: gone at a reboot",
            "give the journal a disk of its own",
        )
    else:
        yield Check("filesystem", "ok", f"{mount.place} is {mount.kind}")
    if setup.state.exists():
        mode = setup.state.stat().st_mode & 0o777
        good = not mode & 0o077
        yield Check(
            "state",
            "ok" if good else "fail",
            f"{setup.state} has mode {mode:04o}",
            "" if good else f"chmod 700 {setup.state}",
        )


def journal(setup: Setup) -> Iterator[Check]:
    """The journal can be read, and its end is what was written."""
    from kiosk.journal.keys import SigningKey
    from kiosk.journal.reader import Reader

    path = setup.journal_path
    if not path.exists():
        yield Check("journal", "skip", f"{path} does not exist yet: the first start makes it")
        return
    try:
        with Reader(path) as reader:
            last = reader.last()
            count = sum(1 for _ in reader.read(max(0, last.seq - TAIL), last.epoch)) if last else 0
            missing = reader.missing_guards()
    except KioskError as error:
        yield Check("journal", "fail", error.message, error.hint or "kiosk journal verify")
        return
    if last is None or missing:
        what = "holds no fact" if last is None else f"lacks its guards {', '.join(missing)}"
        yield Check("journal", "fail", f"{path} {what}", "kiosk journal verify; keep the file as evidence")
    else:
        yield Check(
            "journal", "ok", f"{path}: the last {count} facts hold, head {last.epoch}/{last.seq}:{last.hash.hex()[:16]}"
        )
    try:
        SigningKey.load(setup.key_path)
        yield Check("key", "ok", f"{setup.key_path} is there and private")
    except KioskError as error:
        yield Check("key", "fail", error.message, error.hint)


def commissioned(setup: Setup) -> Iterator[Check]:
    """The live journal was put into service; no other realm needs it."""
    from kiosk.journal.reader import Reader
    from kiosk.model.facts import Commissioned, NoteCredited

    if setup.realm != "live":
        changed = setup.realm != setup.config.kiosk.realm
        told = f"the realm is {setup.realm}: everything says SPECIMEN"
        yield Check("commissioned", "warn" if changed else "ok", told,
                    "change back at the kiosk: operator menu, live" if changed else "")  # fmt: skip
        return
    if not setup.journal_path.exists():
        yield Check("commissioned", "warn", "there is no live journal yet", "kiosk commission --person ID --box NUMBER")
        return
    with Reader(setup.journal_path) as reader:
        acts = (
            each.fact for each in reader.read(checked=False) if isinstance(each.fact.body, Commissioned | NoteCredited)
        )
        first = next(acts, None)
    if first is None:
        told = "the live journal was not put into service: it takes no money"
        yield Check("commissioned", "fail", told, "stop the kiosk, then: kiosk commission --person ID --box NUMBER")
    elif isinstance(first.body, Commissioned):
        yield Check("commissioned", "ok", f"by {first.body.by} on {first.stamp.business_date}, pack {first.body.pack}")
    else:
        yield Check(
            "commissioned", "ok", f"took money from {first.stamp.business_date} on, before there was such an act"
        )


def replica(setup: Setup) -> Iterator[Check]:
    """There are reference data, and they are not older than a service allows."""
    from kiosk.sync.replica import Replica, data_set_of

    if not setup.replica_path.exists():
        yield Check("replica", "fail", f"{setup.replica_path} does not exist", "kiosk import citations FILE")
        return
    try:
        held = Replica.open(setup.replica_path)
    except KioskError as error:
        yield Check("replica", "fail", error.message, error.hint)
        return
    try:
        for service in setup.library.services.values():
            found = held.dataset(data_set_of(service.id))
            if found is None:
                yield Check(
                    "replica", "warn", f"{service.id}: no data", f"kiosk import invoices FILE --service {service.id}"
                )
                continue
            hours = found.age_s(time.time_ns()) // 3600
            old = bool(service.offline_hours) and hours > service.offline_hours
            told = f"{service.id}: {found.rows} rows, {hours} h old"
            yield Check(
                "replica",
                "fail" if old else "ok",
                told,
                "import newer data: no money is taken by old prices" if old else "",
            )
    finally:
        held.close()
