"""``kiosk devices``: how the devices are and how surely each is named; what is plugged in; taking a unit as it is."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click

from kiosk.cli.options import clean, config_option, json_option, mark, tell_json, tell_table
from kiosk.cli.places import places

#: Life of a driver -> colour word of `mark`.
_LIVES = {"in_service": "ok", "no_port": "fault", "restarting": "warn", "out_of_service": "fault", "stopped": "unknown"}
#: Transport -> the name and the driver that are usual on it; a serial port does not say what hangs on it.
_USUAL = {
    "usb_printer": ("receipt", "escpos_printer"),
    "evdev": ("scanner", "wedge_scanner"),
    "hidraw": ("scanner", "hid_pos_scanner"),
    "serial": ("", ""),
}


@click.group(invoke_without_command=True)
@config_option
@json_option
@click.option("--watch", is_flag=True, help="Ask again every two seconds until Ctrl-C.")
@click.pass_context
def devices(ctx: click.Context, config_file: Path, as_json: bool, watch: bool) -> None:
    """Show the devices and how they are. Exit code 1 while one is not in service."""
    if ctx.invoked_subcommand is not None:
        return
    from kiosk.core.control import call

    control = places(config_file).control
    while True:
        found: list[dict[str, Any]] = call(control, "devices")["devices"]
        names = _names(found)
        if as_json:
            told = [each | names.get(each["device"], {}) | {"grade": _grade(each["driver"])} for each in found]
            tell_json("kiosk-devices-1", {"devices": told})
        else:
            if watch:
                click.clear()
            _tell(found, names)
        if not watch:
            break
        time.sleep(2)
    ctx.exit(0 if all(_good(each) for each in found) else 1)


@devices.command()
@json_option
def scan(as_json: bool) -> None:
    """List what is plugged in, with a line for the configuration. Nothing is opened: no device notices."""
    from kiosk.transports.identity import STEADINESS
    from kiosk.transports.plugged import plugged

    found = plugged()
    if as_json:
        import msgspec

        tell_json("kiosk-plugged-1", {"devices": [msgspec.to_builtins(each) for each in found]})
        return
    if not found:
        click.echo("no serial port, USB printer, keyboard or barcode scanner is plugged in")
        return
    tell_table([(each.transport, each.port, each.usb, each.serial, each.product) for each in found],
               ("transport", "port", "usb", "serial number", "product"))  # fmt: skip
    for each in found:
        name, driver = _USUAL[each.transport]
        click.echo()
        click.echo(f"# {clean(each.product or each.port)}: its name {STEADINESS[each.steady]}")
        if each.steady != "serial" and each.usb:
            click.echo("# it has no serial number of its own: label the socket; another unit in it waits for a person")
        click.echo("[[device]]")
        click.echo(f'name = "{name}"' + ("" if name else "  # how the kiosk shall call it, such as notes"))
        click.echo(f'driver = "{driver}"' + ("" if driver else "  # of what hangs on it, such as id003_acceptor"))
        click.echo(f'transport = "{each.transport}"')
        click.echo(f'line = {{ port = "{clean(each.name)}" }}')


@devices.command()
@click.argument("device")
@config_option
@json_option
def accept(device: str, config_file: Path, as_json: bool) -> None:
    """Take the unit that answers as DEVICE, though it is another one than before."""
    from kiosk.core.control import call

    answer = call(places(config_file).control, "accept-device", {"device": device})
    if as_json:
        tell_json("kiosk-order-1", {"verb": "accept-device", **answer})
    else:
        click.echo(f"{clean(answer['device'])} is now {clean(answer['identity'])}")


def _names(found: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Tell how steady the name of each device's port is, and which one would be better."""
    from kiosk.transports.identity import LOOSE, steadiness, usb_facts_of_tty
    from kiosk.transports.plugged import plugged

    here, told = plugged(), {}
    for device in found:
        port = device["port"]
        word = "address" if device["transport"] == "tcp" else steadiness(port, usb_facts_of_tty(port))
        real = os.path.realpath(port) if port.startswith("/") else ""
        better = [each.name for each in here if each.port == real or f"usb:{each.usb}" == port or each.name == port]
        instead = better[0] if len(better) == 1 and word in LOOSE and better[0] != port else ""
        told[device["device"]] = {"steady": word, "instead": instead}
    return told


def _grade(driver: str) -> str:
    """Return the grade a driver of ours has proved; "" for a stranger's."""
    from kiosk.plugins.grades import RECORDED

    return RECORDED[driver].grade if driver in RECORDED else ""


def _good(device: dict[str, Any]) -> bool:
    page = device.get("page") or {}
    return device["state"] == "in_service" and page.get("severity") in ("ok", "warn")


def _tell(found: list[dict[str, Any]], names: dict[str, dict[str, str]]) -> None:
    from kiosk.transports.identity import STEADINESS

    rows = []
    for device in found:
        page = device.get("page") or {}
        rows.append((
            device["device"], device["device_class"], device["driver"], _grade(device["driver"]), device["state"],
            page.get("state", "unknown"), page.get("severity", "unknown"), str(device["restarts"]), device["port"],
            names[device["device"]]["steady"].replace("_", " "), device["last_error"][:60],
        ))  # fmt: skip
    tell_table(rows, ("device", "class", "driver", "grade", "driver is", "device is", "severity", "restarts", "port",
                      "named by", "last trouble"))  # fmt: skip
    for device in found:
        page = device.get("page") or {}
        if page.get("model") or page.get("serial"):
            words = (page.get("model", ""), page.get("firmware", ""), page.get("serial", ""))
            click.echo(f"{device['device']}: {clean(' '.join(filter(None, words)))}")
        if page.get("float") is not None:
            click.echo(f"{device['device']}: {page['float']} coins by the journal, level {clean(page['level'])}")
        if page.get("detail"):
            lives = _LIVES.get(device["state"], "unknown")
            word = str(page.get("severity", "unknown")) if lives == "ok" else lives
            click.echo(f"{mark(word)} {device['device']}: {clean(page['detail'])}")
        name = names[device["device"]]
        if name["instead"]:
            click.echo(f"{device['device']}: its name {STEADINESS[name['steady']]}; "
                       f'better: line = {{ port = "{clean(name["instead"])}" }}')  # fmt: skip
