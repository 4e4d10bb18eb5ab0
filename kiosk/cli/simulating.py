"""``kiosk simulate``: one simulated device alone, on a pty or a TCP port, with a scenario or by hand."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click


class _Worded(click.Command):
    """A command whose help ends with every line of the scenario language."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the words as they stand."""
        from kiosk.simulators.scenario import GRAMMAR

        formatter.write("\nLines of a scenario, and what may be typed:\n")
        formatter.write("".join(f"  {line}\n" for line in GRAMMAR.splitlines()))


@click.command(cls=_Worded)
@click.argument("kind", type=click.Choice(["id003", "ccnet", "ebds", "ssp", "cctalk", "escpos", "scanner"]))
@click.option("--pty", "pty_path", type=click.Path(dir_okay=False, path_type=Path), help="Path of the device's pty.")
@click.option(
    "--tcp", "tcp_port", type=click.IntRange(0, 65535), help="A TCP port instead, as network printers have; 0: any."
)
@click.option(
    "--scenario", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Play this, then go on by hand."
)
@click.option("--currency", default="USD", show_default=True, help="Note set of the acceptor.")
@click.option("--model", default="epson", show_default=True, help="Model of the printer.")
@click.option(
    "--device", type=click.Choice(["all", "bill", "coin", "hopper"]), default="all", show_default=True,
    help="What is on the ccTalk bus: bill validator (40), coin acceptor (2), hopper (3) with coins, or all of them.",
)  # fmt: skip
@click.option("--aim", is_flag=True, help="The scanner sends AIM identifiers.")
def simulate(
    kind: str, pty_path: Path | None, tcp_port: int | None, scenario: Path | None, currency: str, model: str,
    device: str, aim: bool,
) -> None:  # fmt: skip
    """Run one simulated device of KIND. Lines typed here are acts of a person: try "help", "state", "receipts".

    A host has to drive it: until one has enabled it, a note or a coin that is fed waits.
    """
    from kiosk.simulators.serve import serve

    if (pty_path is None) == (tcp_port is None):
        raise click.UsageError("Give either --pty PATH or --tcp PORT.")
    if tcp_port is not None and kind != "escpos":
        raise click.UsageError("Only a printer can be on a TCP port.")
    if device != "all" and kind != "cctalk":
        raise click.UsageError("Only cctalk has several devices to choose of.")
    signal.signal(signal.SIGTERM, _end)
    try:
        failed = serve(
            kind, pty_path, scenario, tcp_port=tcp_port, lines=sys.stdin, tell=_tell, currency=currency, model=model,
            aim=aim, device=device,
            until=None if scenario is not None or sys.stdin.isatty() else signal.pause,
        )  # fmt: skip
    except KeyboardInterrupt:
        failed = 0
    click.get_current_context().exit(1 if failed else 0)


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def _tell(text: str) -> None:
    click.echo(text)
    sys.stdout.flush()
