"""``kiosk city``: is this city's pack right, and what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kiosk.cli.options import clean, config_option, json_option, tell_json

if TYPE_CHECKING:
    from kiosk.app.pack import Pack


@click.group()
def city() -> None:
    """Check or show a city's pack."""


@city.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
def check(directory: Path, as_json: bool) -> None:
    """Read the whole pack in DIRECTORY and say the first thing that is wrong, else its version and digest.

    Exit code 1 where something is wrong, or a text lacks a translation.
    """
    from kiosk.app.pack import load_pack
    from kiosk.errors import KioskError

    try:
        pack = load_pack(directory)
    except KioskError as error:
        if not as_json:
            raise
        tell_json("kiosk-city-check-1", {"good": False, "problem": error.message, "hint": error.hint})
        click.get_current_context().exit(1)
    findings = pack.findings()
    if as_json:
        told = {"good": not findings, "pack": pack.name, "digest": pack.digest, "findings": findings}
        tell_json("kiosk-city-check-1", told)
    else:
        for finding in findings:
            click.secho(f"  {clean(finding)}", fg="yellow")
        judged = "loads, but its texts are not complete" if findings else "is good"
        click.secho(f"{pack.name} {judged} (digest {pack.digest})", fg="yellow" if findings else "green")
        if pack.city.example:
            click.secho("  an example: it cannot be put into service", fg="yellow")
    click.get_current_context().exit(1 if findings else 0)


@city.command()
@config_option
@json_option
def show(config_file: Path, as_json: bool) -> None:
    """Show the pack that the configuration names: the city's file with every default, and all of its parts."""
    from kiosk import app

    pack = app.load(config_file).pack
    told = _told(pack)
    if as_json:
        tell_json("kiosk-city-1", told)
        return
    for name, value in told.items():
        if isinstance(value, dict):
            click.echo(f"{name}:")
            for key, part in value.items():
                click.echo(f"  {key:<32} {clean(_shown(part))}")
        else:
            click.echo(f"{name}: {clean(', '.join(value) if isinstance(value, list) else str(value))}")


def _shown(part: object) -> str:
    """Write a value of the city's file in one line."""
    if isinstance(part, dict):
        return ", ".join(f"{key} {_shown(value) or '-'}" for key, value in part.items())
    if isinstance(part, list | tuple):
        return ", ".join(_shown(each) for each in part)
    return str(part)


def _told(pack: Pack) -> dict[str, Any]:
    import msgspec

    return {
        "directory": str(pack.directory),
        "pack": pack.name,
        "digest": pack.digest,
        "languages": list(pack.catalogue.languages),
        "services": sorted(pack.library.services),
        "city": msgspec.to_builtins(pack.city),
        "parts": pack.parts(),
    }
