"""``kiosk hub export``: a business date to a city's accounting, each entry once."""

from __future__ import annotations

import datetime as dt
import getpass
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kiosk.cli.options import hub_option, json_option, tell_json
from kiosk.errors import HubError

if TYPE_CHECKING:
    from kiosk.hub.exports.formats import Format
    from kiosk.hub.exports.sealing import City, Exported
    from kiosk.hub.setup import HubSetup

#: Milliseconds that a plugin may take for one date.
PLUGIN_TIME_MS = 120_000


@click.command("export")
@click.argument("date", type=click.DateTime(["%Y-%m-%d"]))
@click.option("--format", "format_name", required=True, help="hledger, csv, iif, or what a plugin declares.")
@click.option("--target", default="", help="Accounting system; each gets every entry once. The format's name else.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write; standard output else.")
@click.option("--even-so", is_flag=True, help="Also where kiosks have not closed the date: the rest posts later.")
@hub_option
@json_option
def export(
    date: dt.datetime, format_name: str, target: str, out: Path | None, even_so: bool, config_file: Path, as_json: bool
) -> None:
    """Export business DATE, which seals it: what comes for it later posts on the next date.

    Asked again, the command gives the same bytes and says so.
    """
    from kiosk.app.hubs import load_hub
    from kiosk.hub.exports.sealing import Asked, export_date, running_date

    if as_json and out is None:
        raise click.UsageError("--json tells about the export; --out says where the export goes.")
    setup = load_hub(config_file)
    if not setup.config.hub.database and not (setup.config.state / "books.db").is_file():
        raise HubError(f"there are no books in {setup.config.state}", hint="kiosk hub init, then kiosk hub run")
    now = time.time_ns()
    asked = Asked(
        date=date.date(), target=target or format_name, format=format_of(format_name), by=f"system:{getpass.getuser()}",
        now_ns=now, running=running_date(now, setup.zone, setup.cut_off), even_so=even_so,
    )  # fmt: skip
    stores = setup.stores(readonly=("segments", "books"))
    try:
        made = export_date(stores, asked, city_of(setup))
    finally:
        stores.close()
    _warn(made)
    if out is None:
        sys.stdout.buffer.write(made.body)
    else:
        out.touch(mode=0o600)
        out.write_bytes(made.body)
    if as_json:
        tell_json("kiosk-hub-export-1", {
            "target": made.target, "format": made.format, "date": made.date, "number": made.number,
            "entries": made.entries, "bytes": len(made.body), "sha256": made.digest, "already": made.already,
            "not_closed": made.not_closed, "boxes_not_counted": made.not_counted, "ahead": made.ahead, "file": str(out),
        })  # fmt: skip
        return
    done = "was already exported" if made.already else "exported and sealed"
    click.echo(f"{made.date} {done}: {made.target} {made.number}, {made.entries} entries, sha256 {made.digest[:16]}",
               err=True)  # fmt: skip


def format_of(name: str) -> Format:
    """Return a format by name; plugins are asked only for one that is not ours.

    Raises:
        HubError: nobody declares it.
    """
    from kiosk.hub.exports.formats import BUILT_IN, Format

    if name in BUILT_IN:
        return BUILT_IN[name]
    from kiosk.plugins.guard import guarded
    from kiosk.plugins.manager import load_plugins

    declared = load_plugins().declared.exporters
    if name not in declared:
        known = ", ".join([*BUILT_IN, *sorted(declared)])
        raise HubError(f"there is no format {name[:40]!r}", hint=f"one of {known}")
    found = declared[name]
    return Format(
        found.name, found.suffix, found.summary,
        lambda told: guarded(f"format {name}", lambda: list(found.export(told)), PLUGIN_TIME_MS),
    )  # fmt: skip


def city_of(setup: HubSetup) -> City:
    """Return what an export says of the city; account names in the city's first language."""
    from kiosk.hub.exports.sealing import City
    from kiosk.texts import FIRST

    catalogue = setup.catalogue
    names = {
        each.code: catalogue.word(each.name, FIRST) if catalogue.has(each.name) else each.code
        for each in setup.chart.account
    }
    return City(setup.city, setup.config.hub.currency, names)


def _warn(made: Exported) -> None:
    if made.not_closed:
        click.echo(
            f"not closed at {', '.join(made.not_closed)}: what comes from there posts on the next date", err=True
        )
    if made.not_counted:
        named = ", ".join(f"{kiosk} box {number}" for kiosk, number in made.not_counted[:8])
        click.echo(f"keep this from whoever counts: nobody has counted {named}", err=True)
    if made.ahead:
        dates = ", ".join(made.ahead)
        click.echo(f"entries of dates to come ({dates}) wait for them: a kiosk's clock may run ahead", err=True)
