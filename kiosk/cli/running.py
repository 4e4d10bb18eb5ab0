"""``kiosk run``: the service itself."""

from __future__ import annotations

from pathlib import Path

import click

from kiosk.cli.options import config_option


@click.command()
@config_option
@click.option("--no-screen", is_flag=True, help="Without the citizen screen.")
def run(config_file: Path, no_screen: bool) -> None:
    """Run the kiosk until SIGTERM, Ctrl-C or an order ends it."""
    from kiosk import app

    code = app.run(app.load(config_file), lambda line: click.echo(line), screen=not no_screen)
    click.get_current_context().exit(code)
