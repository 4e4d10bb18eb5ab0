"""``kiosk sync``: the line to the city's hub."""

from __future__ import annotations

import os
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kiosk.cli.options import clean, config_option, json_option, tell_json
from kiosk.cli.places import places
from kiosk.errors import SyncError

if TYPE_CHECKING:
    from kiosk.sync.standing import Standing

#: A file that was not written for so long is of a process that hangs, seconds.
STALE_S = 30
#: Exit code while the line does not stand or the journal is not taken.
NOT_WELL = 1
_STATES = {
    "waiting": "not connected", "closed": "not connected", "greeting": "connecting", "streaming": "connected",
    "halted": "connected, but the hub does not take the journal",
}  # fmt: skip


class LazySync(click.Group):
    """The group; enrolment lives in a module of its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in their order of use."""
        return ["enrol", "run", "status", "now"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command."""
        if cmd_name == "enrol":
            found: click.Command = import_module("kiosk.cli.sync_enrolling").enrol
            return found
        return super().get_command(ctx, cmd_name)


@click.group(cls=LazySync)
def sync() -> None:
    """The line to the city's hub: enrol, run, and see how far it is."""


@sync.command()
@config_option
def run(config_file: Path) -> None:
    """Send the journal and fetch reference data until SIGTERM or Ctrl-C."""
    from kiosk.app.syncing import run_sync

    run_sync(config_file, lambda line: click.echo(clean(line)))


@sync.command()
@config_option
@json_option
def status(config_file: Path, as_json: bool) -> None:
    """Tell whether the line stands and what the hub lacks; exit code 1 where something is wrong."""
    from kiosk.sync import standing

    found = standing.read(places(config_file).runtime)
    if found is None or not _lives(found.pid):
        raise SyncError(
            "kiosk-sync does not run here", hint="start kiosk-sync.service, or run: kiosk sync run", transient=True
        )
    age_s = max(0, time.time_ns() - found.at_ns) // 1_000_000_000
    well = found.state == "streaming" and found.trouble is None and age_s < STALE_S
    if as_json:
        import msgspec

        tell_json("kiosk-sync-1", {**msgspec.to_builtins(found), "well": well})
    else:
        for line in _words(found, age_s):
            click.echo(clean(line))
    if not well:
        click.get_current_context().exit(NOT_WELL)


@sync.command()
@config_option
@json_option
def now(config_file: Path, as_json: bool) -> None:
    """Ask for a connection at once, whatever the waiting time between two attempts."""
    from kiosk.sync.asking import ask

    ask(places(config_file).runtime)
    if as_json:
        tell_json("kiosk-order-1", {"verb": "sync now"})
    else:
        click.echo("asked; `kiosk sync status` tells what came of it")


def _words(found: Standing, age_s: int) -> list[str]:
    told = _STATES.get(found.state, found.state)
    to = f" to {found.hub} at {found.endpoint}" if found.hub else ""
    since = f" since {_ago(found.since_ns)}" if found.since_ns else ""
    lines = [f"line:      {told}{to}{since}"]
    if found.unsynced:
        lines.append(f"unsynced:  {found.unsynced} facts, the oldest from {_ago(found.oldest_unsynced_ns)}")
    else:
        lines.append("unsynced:  none")
    lines.append(f"journal:   {found.head.epoch}/{found.head.seq}")
    acked = f"{found.acked.epoch}/{found.acked.seq}" if found.acked.seq else "nothing yet"
    lines.append(f"hub has:   {acked}" + (f", told {_ago(found.last_ack_ns)}" if found.last_ack_ns else ""))
    if found.offset_ms is not None:
        lines.append(f"clock:     the hub's is {found.offset_ms:+} ms, round trip {found.round_trip_ms} ms")
    lines.append(f"core:      {found.core}")
    for name, each in (("wrong:", found.trouble), ("last:", found.last if found.last != found.trouble else None)):
        if each is not None:
            detail = f" ({each.detail})" if each.detail else ""
            lines.append(f"{name:<10} {each.words}{detail}, {_ago(each.at_ns)}")
            if each.cure:
                lines.append(f"           → {each.cure}")
    if age_s >= STALE_S:
        lines.append(f"this was written {age_s} s ago: kiosk-sync hangs, restart it")
    return lines


def _ago(wall_ns: int) -> str:
    if not wall_ns:
        return "an unknown time"
    seconds = max(0, time.time_ns() - wall_ns) // 1_000_000_000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
