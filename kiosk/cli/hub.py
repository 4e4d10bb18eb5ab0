"""``kiosk hub``: names here, each command in a module of its own, imported when it is used."""

from __future__ import annotations

import sys
from typing import Any

import click

from kiosk.cli.lazy import Commands, LazyGroup
from kiosk.errors import HubError

#: Command -> (module, attribute, one line), in the order of their use.
COMMANDS: Commands = {
    "init": ("hub_running", "init", "make keys and databases of a new hub"),
    "run": ("hub_running", "run", "run the hub until it is told to end"),
    "status": ("hub_running", "status", "what the hub is doing, and every kiosk at a glance"),
    "keys": ("hub_trust", "keys", "the hub's own keys and their fingerprints"),
    "kiosks": ("hub_trust", "kiosks", "the kiosks and their keys"),
    "enrol": ("hub_trust", "enrol", "make a one-time code for a kiosk"),
    "approve": ("hub_trust", "approve", "take a kiosk in, after comparing the six words"),
    "revoke": ("hub_trust", "revoke", "shut a kiosk or a key out, at once"),
    "rotate": ("hub_trust", "rotate", "change the hub's key or a kiosk's, both valid for a time"),
    "command": ("hub_commands", "command", "shutter, close, resend or rotate at a kiosk"),
    "import": ("hub_data", "import_", "take in citations or invoices from CSV"),
    "publish": ("hub_data", "publish", "send people or the city's pack down to the kiosks"),
    "data": ("hub_data", "data", "the data sets and how far each kiosk has them"),
    "findings": ("hub_books", "findings", "what does not add up"),
    "verify": ("hub_books", "verify", "recompute everything from the facts"),
    "rebuild": ("hub_books", "rebuild", "build the books anew from the segments"),
    "backup": ("hub_books", "backup", "copy the databases while the hub works"),
    "restore": ("hub_books", "restore", "put a backup back; the kiosks send what it lacks"),
    "export": ("hub_exports", "export", "export a business date, which seals it"),
    "operators": ("hub_operators", "operators", "who may sign in to the pages"),
    "part": ("hub_running", "part", "one of the hub's processes (the hub starts these itself)"),
}


class HubGroup(LazyGroup):
    """The group of the hub's commands; what its database refuses becomes one clear line, too."""

    table = COMMANDS
    hidden_names = ("part",)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a part tells the whole of what it died of, for the log."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            sqlalchemy = sys.modules.get("sqlalchemy.exc")
            if ctx.invoked_subcommand == "part" or sqlalchemy is None or not isinstance(error, sqlalchemy.DBAPIError):
                raise
            lines = [line.strip() for line in str(error.orig).splitlines()]
            raise HubError(
                f"the hub's database: {next((line for line in lines if line), 'no answer')[:300]}",
                hint="is hub.database right, its server up, the disk sound? After an update: kiosk hub init",
            ) from error


@click.command(cls=HubGroup)
def hub() -> None:
    """The city's hub: takes in the journals of all kiosks and proves every cent."""
