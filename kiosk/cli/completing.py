"""``kiosk completion``: the script that a shell needs to complete commands and options."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL, e.g. kiosk completion bash > /etc/bash_completion.d/kiosk."""
    from click.shell_completion import get_completion_class

    from kiosk.cli.root import kiosk

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(kiosk, {}, "kiosk", "_KIOSK_COMPLETE").source())
