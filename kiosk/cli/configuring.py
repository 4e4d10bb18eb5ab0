"""``kiosk config``: is this configuration right, and what does it come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kiosk.cli.options import json_option, tell_json

_FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group()
def config() -> None:
    """Check or show a configuration."""


@config.command()
@_FILE
@json_option
def check(file: Path, as_json: bool) -> None:
    """Read FILE and everything it points to, and say the first thing that is wrong."""
    from kiosk import app
    from kiosk.core.supervisor_setup import prepare
    from kiosk.errors import KioskError
    from kiosk.ledger.chart import check_change

    try:
        setup = app.load(file)
        prepare(setup.devices, setup.plugins.drivers)
        classes = {device.name: setup.plugins.drivers[device.driver].device_class for device in setup.devices}
        check_change(setup.chart, (name for name, of in classes.items() if of == "CoinDispenser"))
        app.make_clock(setup)
    except KioskError as error:
        if not as_json:
            raise
        tell_json("kiosk-config-check-1", {"good": False, "problem": error.message, "hint": error.hint})
        click.get_current_context().exit(1)
    quarantined = [{"plugin": report.name, "reason": report.reason} for report in setup.plugins.quarantined]
    if as_json:
        tell_json("kiosk-config-check-1", {"good": not quarantined, "digest": setup.digest, "quarantined": quarantined})
    else:
        click.secho(f"{file} is good (digest {setup.digest})", fg="green")
        for each in quarantined:
            click.secho(f"  plugin {each['plugin']} is set aside: {each['reason']}", fg="yellow")
    click.get_current_context().exit(1 if quarantined else 0)


@config.command()
@_FILE
@json_option
def show(file: Path, as_json: bool) -> None:
    """Show FILE with every default filled in, and what the city's data say."""
    import msgspec

    from kiosk import app

    setup = app.load(file)
    told = {
        "file": str(file),
        "digest": setup.digest,
        "pack": f"{setup.pack.name}, digest {setup.pack.digest}, {setup.pack.directory}",
        "realm": setup.realm,
        "state": str(setup.state),
        "runtime": str(setup.runtime),
        "journal": str(setup.journal_path),
        "config": _without_hashes(msgspec.to_builtins(setup.config)),
        "services": sorted(setup.library.services),
        "drivers": sorted(setup.plugins.drivers),
        "plugins": [
            {"name": each.name, "status": each.status, "reason": each.reason} for each in setup.plugins.reports
        ],
    }
    if as_json:
        tell_json("kiosk-config-1", told)
        return
    for name, value in told.items():
        if name == "config":
            _tell_section("", value)
        elif isinstance(value, list):
            click.echo(f"{name}: {', '.join(each if isinstance(each, str) else each['name'] for each in value)}")
        else:
            click.echo(f"{name}: {value}")


def _without_hashes(told: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the PINs could be guessed from."""
    for person in told["people"]:
        person["pin"] = "(a hash)"
    return told


def _tell_section(place: str, value: object) -> None:
    if isinstance(value, dict) and value:
        for name, part in value.items():
            _tell_section(f"{place}.{name}" if place else str(name), part)
    elif isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        for number, part in enumerate(value):
            _tell_section(f"{place}[{number}]", part)
    else:
        click.echo(f"  {place} = {value!r}")
