"""Options that several commands share, and how their results are told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_CONFIG = "/etc/kiosk/kiosk.toml"
DEFAULT_HUB_CONFIG = "/etc/kiosk/hub.toml"


def config_option(command: F) -> F:
    """Add ``--config``; also from KIOSK_CONFIG, else the installed file."""
    return click.option(
        "--config", "config_file", type=click.Path(dir_okay=False, path_type=Path), envvar="KIOSK_CONFIG",
        default=DEFAULT_CONFIG, show_default=True, show_envvar=True, help="The kiosk's configuration.",
    )(command)  # fmt: skip


def hub_option(command: F) -> F:
    """Add ``--config`` of a hub; also from KIOSK_HUB_CONFIG, else the installed file."""
    return click.option(
        "--config", "config_file", type=click.Path(dir_okay=False, path_type=Path), envvar="KIOSK_HUB_CONFIG",
        default=DEFAULT_HUB_CONFIG, show_default=True, show_envvar=True, help="The hub's configuration.",
    )(command)  # fmt: skip


def json_option(command: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")(command)


def tell_json(schema: str, told: dict[str, Any]) -> None:
    """Print one JSON object with its schema first."""
    import msgspec

    whole = msgspec.json.encode({"schema": schema, **told}, enc_hook=str)
    click.echo(msgspec.json.format(whole, indent=2).decode())


def tell_table(rows: Iterable[Sequence[str]], headings: Sequence[str]) -> None:
    """Print a table with aligned columns."""
    lines = [tuple(headings), *(tuple(clean(cell) for cell in row) for row in rows)]
    widths = [max(len(row[at]) for row in lines) for at in range(len(headings))]
    for number, row in enumerate(lines):
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.secho(text, bold=number == 0)


def clean(text: str) -> str:
    """Return a text without control characters: what comes from devices must not steer a terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def mark(state: str) -> str:
    """Return a state in its colour."""
    colours = {
        "ok": "green",
        "warn": "yellow",
        "fail": "red",
        "fault": "red",
        "unknown": "magenta",
        "skip": "bright_black",
    }
    return click.style(state.ljust(7), fg=colours.get(state, "white"))


def is_terminal() -> bool:
    """Tell whether a person sits at standard input."""
    return os.isatty(0)
