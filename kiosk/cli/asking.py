"""``kiosk status``: what a running kiosk says of itself."""

from __future__ import annotations

from pathlib import Path

import click

from kiosk.cli.options import clean, config_option, json_option, tell_json
from kiosk.cli.places import places


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
