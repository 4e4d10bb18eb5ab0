"""The top of the command line: names and one-line helps here, everything else in the module of the command."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

import kiosk as package
from kiosk.errors import ControlError, KioskError

#: Exit codes.
OK, PROBLEM, USAGE, NOT_REACHED, NOT_PERMITTED = 0, 1, 2, 3, 4

#: Command -> (module, attribute, one line).
COMMANDS: dict[str, tuple[str, str, str]] = {
    "run": ("running", "run", "run the kiosk until it is told to end"),
    "demo": ("demonstrating", "demo", "start a whole kiosk on simulated devices"),
    "simulate": ("simulating", "simulate", "run one simulated device alone"),
    "status": ("asking", "status", "what the running kiosk is doing"),
    "devices": ("asking", "devices", "the devices and how they are"),
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


class LazyGroup(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in their order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        found: click.Command = getattr(import_module(f"kiosk.cli.{module}"), attribute)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, _, told) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may have been meant."""
        import difflib

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no command {args[0][:60]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

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


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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
