"""``kiosk plugin NAME``: commands that plugins bring; nothing of a plugin is loaded before one is asked for."""

from __future__ import annotations

import click

from kiosk.errors import PluginError


class PluginGroup(click.Group):
    """Finds the commands that loaded plugins declare."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the declared names."""
        from kiosk.plugins.manager import load_plugins

        return sorted(load_plugins().declared.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command of one plugin; a broken one is that plugin's fault and nobody else's."""
        from kiosk.plugins.manager import load_plugins

        declared = load_plugins().declared.commands.get(cmd_name)
        if declared is None:
            return None
        try:
            command = declared.load()
        except Exception as error:
            raise PluginError(
                f"command {cmd_name!r} does not load: {error!r}"[:300], hint="ask whoever made it"
            ) from error
        if not isinstance(command, click.Command):
            raise PluginError(f"command {cmd_name!r} is not a click command", hint="ask whoever made it")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List what is declared without loading any command."""
        from kiosk.plugins.manager import load_plugins

        commands = load_plugins().declared.commands
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, told.summary) for name, told in sorted(commands.items())]
                or [("(none)", "no plugin brings one")]
            )


@click.group(cls=PluginGroup)
def plugin() -> None:
    """Commands that plugins bring."""
