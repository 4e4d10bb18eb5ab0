"""``kiosk hub init``, ``run``, ``part`` and ``status``: the hub's processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kiosk.cli.options import hub_option, json_option, mark, tell_json, tell_table

if TYPE_CHECKING:
    from kiosk.hub.overview import Overview

#: Names of the parts, as `kiosk.hub.running.MODULES` has them; here too so that no module is imported for `--help`.
PARTS = ("front", "worker", "projector", "librarian", "web")


@click.command()
@click.option(
    "--new-keys", is_flag=True, help="Also where the files of keys are lost for good: enrol every kiosk again."
)
@hub_option
@json_option
def init(new_keys: bool, config_file: Path, as_json: bool) -> None:
    """Make keys and databases of a new hub; what is there already stays as it is."""
    from kiosk.app.hubs import load_hub
    from kiosk.hub.founding import found

    told = found(load_hub(config_file), time.time_ns(), lost=new_keys)
    if as_json:
        tell_json("kiosk-hub-init-1", told.told())
        return
    click.echo(f"hub {told.hub}, incarnation {told.incarnation}{' (new)' if told.new else ''}")
    click.echo(f"journal      {told.journal}")
    click.echo(f"enrolments   {told.enrol}")
    click.echo(f"fingerprint  {told.fingerprint}")
    click.echo("  → the technician types the fingerprint into [[sync.hub]] of kiosk.toml; nothing else is trusted")


@click.command()
@hub_option
def run(config_file: Path) -> None:
    """Run all parts of the hub until SIGTERM or Ctrl-C."""
    from kiosk.app.hubs import load_hub
    from kiosk.hub.front.server_keys import load_signing_key
    from kiosk.hub.running import HubRunning

    setup = load_hub(config_file)
    load_signing_key(setup.config.state)
    code = HubRunning(setup.file, setup.config, lambda line: click.echo(line)).run(_until_told())
    click.get_current_context().exit(code)


@click.command()
@click.argument("name", type=click.Choice(PARTS))
@click.option("--number", type=click.IntRange(0, 63), default=0, show_default=True, help="Which worker.")
@hub_option
def part(name: str, number: int, config_file: Path) -> None:
    """Run one of the hub's processes until SIGTERM, or until whoever started it is gone."""
    from kiosk.app.hubs import load_hub
    from kiosk.hub.running import MODULES, PARENT

    told = os.environ.get(PARENT, "")
    stop = _until_told(parent=int(told) if told.isdecimal() else None)
    setup = load_hub(config_file)
    work = import_module(MODULES[name]).run
    if name == "worker":
        work(setup, number, stop)
    else:
        work(setup, stop)


@click.command()
@hub_option
@json_option
def status(config_file: Path, as_json: bool) -> None:
    """Show what the hub is doing, and every kiosk at a glance; exit code 1 where something is wrong."""
    from kiosk.app.hubs import load_hub
    from kiosk.hub.overview import overview

    seen = overview(load_hub(config_file), time.time_ns())
    if as_json:
        tell_json("kiosk-hub-status-1", {name: getattr(seen, name) for name in seen.__struct_fields__})
    else:
        _show(seen)
    click.get_current_context().exit(1 if seen.wrong else 0)


def _show(seen: Overview) -> None:
    from kiosk.hub.running import title_of

    click.echo(f"{mark('fail' if seen.wrong else 'ok')} hub {seen.hub}, incarnation {seen.incarnation or '-'}")
    for wrong in seen.wrong:
        click.echo(f"{mark('fail')} {wrong}")
    if seen.parts is not None:
        click.echo("")
        tell_table(
            [(title_of(one.name, one.number), one.state, str(one.pid or "-"), str(one.restarts))
             for one in seen.parts.parts],
            ("part", "state", "pid", "restarts"),
        )  # fmt: skip
    if seen.workers:
        click.echo("")
        tell_table(
            [(str(one.worker), str(one.segments), str(one.posted), str(one.segments - one.posted))
             for one in seen.workers],
            ("worker", "segments", "posted", "behind"),
        )  # fmt: skip
    click.echo("")
    tell_table(
        [(one.kiosk, one.standing, one.realm, f"{one.epoch}/{one.seq}",
          "never" if one.silent_s is None else f"{one.silent_s} s ago", one.state or "-", one.paper or "-",
          str(one.unsynced), one.name)
         for one in seen.kiosks],
        ("kiosk", "standing", "realm", "durable", "seen", "state", "paper", "unsynced", "name"),
    )  # fmt: skip
    if seen.findings:
        counts = ", ".join(f"{count} {severity}" for severity, count in sorted(seen.findings.items()))
        click.echo(f"\nfindings not acknowledged: {counts}  → kiosk hub findings")


def _until_told(parent: int | None = None) -> Callable[[], bool]:
    """Return what tells whether SIGTERM or Ctrl-C came, or the process `parent` that started this one is gone."""
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda came, _: signals.append(came))
    return lambda: bool(signals) or (parent is not None and os.getppid() != parent)
