"""``kiosk status`` and ``kiosk devices``: what a running kiosk says of itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from kiosk.cli.options import clean, config_option, json_option, mark, tell_json, tell_table
from kiosk.cli.places import places

#: Life of a driver -> colour word of `mark`.
_LIVES = {"in_service": "ok", "no_port": "fault", "restarting": "warn", "out_of_service": "fault", "stopped": "unknown"}


@click.command()
@config_option
@json_option
def status(config_file: Path, as_json: bool) -> None:
    """Say what the running kiosk is doing. Exit code 1 while it is out of service."""
    from kiosk.core.control import call

    told = call(places(config_file).control, "status")
    told.pop("ok", None)
    if as_json:
        tell_json("kiosk-status-1", told)
    else:
        reasons = ", ".join(told["out_of_service"])
        click.echo(f"kiosk    {told['kiosk']} ({told['realm']})")
        click.echo(f"state    {clean(told['state'])}" + (f": {clean(reasons)}" if reasons else ""))
        click.echo(f"journal  epoch {told['epoch']}, fact {told['seq']}, head {told['head'][:16]}")
        click.echo(f"slips    {told['last_slip']} in this epoch")
        age = told["screen_age_ms"]
        click.echo(f"screen   {'no page is open' if age is None else f'seen {age // 1000} s ago'}")
        for name in ("trouble", "last_fault"):
            if told[name]:
                click.secho(f"{name:<8} {clean(told[name])}", fg="yellow")
    click.get_current_context().exit(1 if told["out_of_service"] or told["trouble"] else 0)


@click.command()
@config_option
@json_option
@click.option("--watch", is_flag=True, help="Ask again every two seconds until Ctrl-C.")
@click.option("--map", "show_map", is_flag=True, help="List the ports of this machine with their identities instead.")
def devices(config_file: Path, as_json: bool, watch: bool, show_map: bool) -> None:
    """Show the devices and how they are. Exit code 1 while one is not in service."""
    if show_map:
        from kiosk.cli.port_map import tell_map

        tell_map(as_json)
        return
    from kiosk.core.control import call

    control = places(config_file).control
    while True:
        found: list[dict[str, Any]] = call(control, "devices")["devices"]
        if as_json:
            tell_json("kiosk-devices-1", {"devices": found})
        else:
            if watch:
                click.clear()
            _tell(found)
        if not watch:
            break
        time.sleep(2)
    click.get_current_context().exit(0 if all(_good(each) for each in found) else 1)


def _good(device: dict[str, Any]) -> bool:
    page = device.get("page") or {}
    return device["state"] == "in_service" and page.get("severity") in ("ok", "warn")


def _tell(found: list[dict[str, Any]]) -> None:
    rows = []
    for device in found:
        page = device.get("page") or {}
        rows.append((
            device["device"], device["device_class"], device["driver"], device["state"], page.get("state", "unknown"),
            page.get("severity", "unknown"), str(device["restarts"]), device["port"], device["last_error"][:60],
        ))  # fmt: skip
    tell_table(
        rows, ("device", "class", "driver", "driver is", "device is", "severity", "restarts", "port", "last trouble")
    )
    for device in found:
        page = device.get("page") or {}
        if page.get("model"):
            click.echo(f"{device['device']}: {clean(page['model'])} {clean(page.get('firmware', ''))}".rstrip())
        if page.get("detail"):
            click.echo(mark(_LIVES.get(device["state"], "unknown")) + f"{device['device']}: {clean(page['detail'])}")
