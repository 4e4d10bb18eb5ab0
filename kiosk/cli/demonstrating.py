"""``kiosk demo``: a whole kiosk on simulated devices, for hands or for a scenario."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kiosk.hub.setup import HubSetup
    from kiosk.workbench.demonstration import Demonstration


@click.command()
@click.option(
    "--scenario", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Play this scenario without hands, print the receipt and end.",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(0, 65534), default=0, help="Port of the bench; the screen takes the next one. 0: any."
)
@click.option(
    "--dir", "directory", type=click.Path(file_okay=False, path_type=Path),
    help="Keep configuration, journal and log here instead of in a directory that is removed at the end.",
)  # fmt: skip
@click.option("--quick", is_flag=True, help="Devices that move faster and screens that wait less, for scenarios.")
@click.option(
    "--hub/--no-hub", "with_hub", default=None,
    help="With the city's hub and the line to it. A scenario has one where it names it; everything else does.",
)  # fmt: skip
@click.option(
    "--acceptor", type=click.Choice(["id003", "ccnet", "ebds", "ssp", "cctalk"]), default="id003", show_default=True,
    help="What the simulated note acceptor speaks.",
)  # fmt: skip
@click.option(
    "--coins/--no-coins", default=None,
    help="With a coin acceptor and a hopper that pays change, on one ccTalk bus. A scenario has them where it names "
    "coins.",
)  # fmt: skip
@click.option("--presenter", is_flag=True, help="A printer that holds each slip out and draws it back untaken.")
def demo(
    scenario: Path | None, port: int, directory: Path | None, quick: bool, with_hub: bool | None, acceptor: str,
    coins: bool | None, presenter: bool,
) -> None:  # fmt: skip
    """Start a complete kiosk with simulated devices on real ptys, and the city's hub beside it.

    Prints the address of the citizen screen, of the bench, a page with the simulated hardware, and of the hub's pages.
    Ctrl-C ends it all.
    """
    from kiosk.workbench.demonstration import Demonstration

    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda came, _: _interrupt(signals, came))
    steps = []
    if scenario is not None:
        from kiosk.workbench.playing import read_scenario

        steps = read_scenario(scenario)
        from kiosk.simulators.scenario import needs_coins, needs_hub

        with_hub = needs_hub(steps) if with_hub is None else with_hub
        coins = needs_coins(steps) if coins is None else coins
    demonstration = Demonstration(
        directory, port=port, quick=quick, say=lambda text: click.echo(f"… {text}"),
        load_hub=_load_hub if with_hub is not False else None, acceptor=acceptor, coins=bool(coins),
        presenter=presenter,
    )  # fmt: skip
    code = 0
    try:
        address = demonstration.start()
        if scenario is not None:
            from kiosk.workbench.playing import play

            code = play(demonstration, steps, scenario, click.echo)
        else:
            _serve(demonstration, address)
    except KeyboardInterrupt:
        click.echo("\n… interrupted")
        code = 130 if scenario is not None else 0
    finally:
        signals.append(0)  # from here on nothing interrupts
        try:
            click.echo("… ending the kiosk and its devices")
        finally:  # the terminal may be gone
            demonstration.stop()
    click.get_current_context().exit(code)


def _load_hub(file: Path) -> HubSetup:
    from kiosk.app.hubs import load_hub

    return load_hub(file)


def _interrupt(signals: list[int], came: int) -> None:
    """Interrupt once: Ctrl-C reaches `make` too, which sends it on, and the end must not be interrupted half way.

    A plain list, because a handler that sets an Event hangs where the signal came within the Event's own wait.
    """
    if not signals:
        signals.append(came)
        raise KeyboardInterrupt


def _serve(demonstration: Demonstration, address: str) -> None:
    from kiosk.workbench.bench_server import BenchServer

    bench = BenchServer(demonstration)
    try:
        _tell(demonstration, address, bench.start())
        while True:
            time.sleep(1)
            if trouble := demonstration.hardware.trouble():
                click.secho(f"a simulated device died: {trouble}", fg="red", err=True)
                return
    finally:
        bench.stop()


def _tell(demonstration: Demonstration, screen: str, bench: str) -> None:
    from kiosk.workbench.directory import DEMO_PEOPLE, OPERATOR

    click.echo()
    click.secho("  The kiosk is open.", bold=True)
    click.echo()
    click.echo(f"  bench           {click.style(bench, fg='cyan')}")
    click.echo(f"  citizen screen  {click.style(screen, fg='cyan')}")
    if hub := demonstration.hub:
        login = f"{OPERATOR}, password {hub.password}"
        click.echo(f"  the city's hub  {click.style(hub.address, fg='cyan')}   {login}")
    click.echo(f"  command line    kiosk status --config {demonstration.directory.config}")
    if hub:
        click.echo(f"                  kiosk hub status --config {hub.config}")
    click.echo()
    click.echo("  Try one of these: scan it on the bench, or type the number on the screen.")
    for sample in demonstration.samples:
        if sample.owed:
            click.echo(f"    {sample.name:<24} {sample.owed!s:>10}   {sample.shows}")
    click.echo()
    click.echo("  Who works here: five touches in the top right corner of the screen, or F12, then id and PIN.")
    for person in DEMO_PEOPLE:
        click.echo(f"    {person.id}  {person.pin}   {person.duty}")
    click.echo()
    click.echo("  Ctrl-C ends it.")
