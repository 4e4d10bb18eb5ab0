"""The top of the command line: names and one-line helps here, everything else in the module of the command."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

import kiosk as package
from kiosk.cli.lazy import Commands, LazyGroup
from kiosk.errors import ControlError, KioskError

#: Exit codes.
OK, PROBLEM, USAGE, NOT_REACHED, NOT_PERMITTED = 0, 1, 2, 3, 4

#: Command -> (module, attribute, one line).
COMMANDS: Commands = {
    "run": ("running", "run", "run the kiosk until it is told to end"),
    "demo": ("demonstrating", "demo", "start a whole kiosk on simulated devices"),
    "simulate": ("simulating", "simulate", "run one simulated device alone"),
    "status": ("asking", "status", "what the running kiosk is doing"),
    "devices": ("devices", "devices", "the devices and how they are; what is plugged in"),
    "wire": ("wire", "wire", "explain, record or replay what passes on a device's line"),
    "doctor": ("doctor", "doctor", "find what is wrong with this machine and how to mend it"),
    "config": ("configuring", "config", "check or show a configuration"),
    "city": ("cities", "city", "check or show a city's pack"),
    "commission": ("commissioning", "commission", "put the live journal of a stopped kiosk into service"),
    "journal": ("journal", "journal", "verify, show or export the journal"),
    "cash": ("cash", "cash", "receive and count boxes that left the kiosk, blind"),
    "day": ("cash", "day", "the Z closings"),
    "people": ("people", "people", "the people who work here, and their PINs"),
    "receipt": ("receipts", "receipt", "show, verify or reprint receipts"),
    "keys": ("receipts", "keys", "publish the keys that receipts are checked with"),
    "backup": ("backups", "backup", "copy the journal while the kiosk works"),
    "restore": ("backups", "restore", "make a journal from a backup; begins a new epoch"),
    "import": ("importing", "import_", "import citations or invoices from CSV"),
    "sync": ("syncing", "sync", "the line to the city's hub"),
    "hub": ("hub", "hub", "the city's hub itself"),
    "service": ("ordering", "service", "close or open the counter, bring a device back"),
    "clock": ("ordering", "clock", "believe the clock again"),
    "plugin": ("plugins", "plugin", "commands that plugins bring"),
    "completion": ("completing", "completion", "completion for bash, zsh or fish"),
}


class KioskGroup(LazyGroup):
    """All commands; an error that the kiosk knows becomes one clear line and an exit code."""

    table = COMMANDS

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error that the kiosk knows becomes one clear line and an exit code."""
        try:
            return super().invoke(ctx)
        except KioskError as error:
            tell_error(error)
            ctx.exit(code_of(error))
        except PermissionError as error:
            click.secho(f"error: {error.filename}: permission denied", fg="red", err=True)
            click.echo("  → run it as the kiosk's user or as root", err=True)
            ctx.exit(NOT_PERMITTED)


def tell_error(error: KioskError) -> None:
    """Say what happened and what to do, on standard error."""
    click.secho(f"error: {error.message}", fg="red", err=True)
    if error.hint:
        click.echo(f"  → {error.hint}", err=True)


def code_of(error: KioskError) -> int:
    """Return the exit code of an error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, PermissionError):
            return NOT_PERMITTED
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, ControlError) and error.transient:
        return NOT_REACHED
    return PROBLEM


@click.group(cls=KioskGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--no-color", "--no-colour", "plain", is_flag=True, help="No colours (also with NO_COLOR set).")
@click.version_option(package.__version__, prog_name="kiosk")
@click.pass_context
def kiosk(ctx: click.Context, plain: bool) -> None:
    """Municipal payment kiosk: takes notes, prints receipts, keeps the books."""
    if plain or os.environ.get("NO_COLOR"):
        ctx.color = False
        os.environ["NO_COLOR"] = "1"
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
        sys.stderr.reconfigure(errors="replace")  # type: ignore[union-attr]
