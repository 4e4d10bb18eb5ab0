"""``kiosk service`` and ``kiosk clock``: orders to a running kiosk, through its control socket and no other way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kiosk.cli.options import config_option, json_option, tell_json
from kiosk.cli.places import places


def _order(config_file: Path, verb: str, said: str, as_json: bool, arguments: dict[str, Any] | None = None) -> None:
    from kiosk.core.control import call

    answer = call(places(config_file).control, verb, arguments)
    if as_json:
        tell_json("kiosk-order-1", {"verb": verb, **answer})
    else:
        click.echo(said)


@click.group()
def service() -> None:
    """Close or open the counter, or bring a device back."""


@service.command("close")
@config_option
@json_option
def close(config_file: Path, as_json: bool) -> None:
    """Take no more payments; a session that has begun is finished first."""
    _order(config_file, "close", "the counter is closed", as_json)


@service.command("open")
@config_option
@json_option
def open_(config_file: Path, as_json: bool) -> None:
    """Take payments again."""
    _order(config_file, "open", "the counter is open", as_json)


@service.command()
@click.argument("device")
@config_option
@json_option
def release(device: str, config_file: Path, as_json: bool) -> None:
    """Try DEVICE again after it was taken out of service."""
    _order(config_file, "release", f"{device} is tried again", as_json, {"device": device})


@service.command()
@config_option
@json_option
def stop(config_file: Path, as_json: bool) -> None:
    """End the kiosk in order; its service manager may start it again."""
    _order(config_file, "stop", "the kiosk is ending", as_json)


@click.group()
def clock() -> None:
    """The wall clock, as far as the kiosk believes it."""


@clock.command()
@config_option
@json_option
def trust(config_file: Path, as_json: bool) -> None:
    """Believe the wall clock from now on: after somebody has looked at it."""
    _order(config_file, "trust-clock", "the clock is believed from now on", as_json)
