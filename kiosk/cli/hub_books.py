"""``kiosk hub verify``, ``findings``, ``rebuild``, ``backup`` and ``restore``: what the hub has, proven and kept."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kiosk.cli.options import clean, hub_option, json_option, tell_json, tell_table
from kiosk.errors import HubError, StoreError

if TYPE_CHECKING:
    from kiosk.hub.setup import HubSetup
    from kiosk.hub.store.stores import Stores

_COLOURS = {"error": "red", "warning": "yellow"}


@click.command()
@hub_option
@json_option
def verify(config_file: Path, as_json: bool) -> None:
    """Recompute everything from the segments: chain, signatures, numbers, and every row of the books.

    Works while the hub works. Exit code 1 where an error was found.
    """
    from kiosk.hub.posting.rules import Rules
    from kiosk.hub.posting.verifying import Verification

    setup, stores = _open(config_file, readonly=True)
    try:
        work = Verification(stores, Rules.of(setup), digest=setup.rules_digest, progress=_progress())
        found = work.run()
    finally:
        stores.close()
        _clear()
    if as_json:
        import msgspec

        tell_json("kiosk-hub-verify-1", {"sound": found.sound, **msgspec.to_builtins(found)})
    else:
        for finding in found.findings:
            where = f"{finding.kiosk} {finding.epoch}/{finding.seq}" if finding.kiosk else "the hub"
            told = clean(f"{finding.severity}: {finding.code} at {where}: {finding.detail}")
            click.secho(told, fg=_COLOURS.get(finding.severity))
        click.echo(
            f"{found.facts} facts of {found.kiosks} kiosks in {found.segments} segments, "
            f"{found.places} of them posted anew and compared"
        )
        words = "the hub is sound" if found.sound else "the hub is NOT sound: docs/hub-findings.md says what to do"
        click.secho(words, fg="green" if found.sound else "red")
    click.get_current_context().exit(0 if found.sound else 1)


@click.command()
@click.option("--all", "whole", is_flag=True, help="Also what a person has acknowledged.")
@hub_option
@json_option
def findings(whole: bool, config_file: Path, as_json: bool) -> None:
    """List what does not add up: what workers and front refused, and what posting found."""
    from kiosk.hub.posting.listing import list_findings

    _, stores = _open(config_file, readonly=True)
    try:
        found = list_findings(stores, acknowledged=whole)
    finally:
        stores.close()
    if as_json:
        import msgspec

        tell_json("kiosk-hub-findings-1", {"findings": msgspec.to_builtins(found)})
        return
    if not found:
        click.echo("nothing to look at")
        return
    rows = []
    for each in found:
        place = f"{each.epoch}/{each.seq}" if each.seq else (str(each.epoch) if each.epoch else "-")
        last = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.last_ns / 1e9))
        seen = f"{each.by}: {each.note}" if each.by else each.detail
        rows.append((each.id, each.severity, each.code, each.kiosk or "-", place, str(each.times), last, seen[:80]))
    tell_table(rows, ("id", "severity", "code", "kiosk", "fact", "times", "last", "what"))


@click.command()
@hub_option
def rebuild(config_file: Path) -> None:
    """Build the books anew from the segments, in the stored order; the kiosks go on being served meanwhile.

    Where the hub runs, its projector is asked to do it and this command ends at once.
    """
    from kiosk.hub.posting.projector import REBUILD
    from kiosk.hub.posting.service import open_projector
    from kiosk.hub.posting.sole import sole
    from kiosk.hub.revisions import bump
    from kiosk.hub.store.migrating import prepare

    setup, stores = _open(config_file, readonly=False)
    try:
        prepare(stores)
        tell = _progress()
        with sole(stores, setup.config.state):
            projector = open_projector(setup, stores)
            projector.empty()
            while projector.turn():
                tell("segments", projector.place)
        _clear()
        click.secho(f"{projector.place} segments are posted anew", fg="green")
    except HubError as error:
        if not error.transient or isinstance(error, StoreError):
            raise
        with stores.office.begin() as connection:
            bump(connection, REBUILD)
        click.echo("the running projector was asked to build its books anew: kiosk hub status shows how far it is")
    finally:
        stores.close()


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--keys", is_flag=True, help="Also the hub's secret keys: keep such a backup like a key.")
@hub_option
@json_option
def backup(target: Path, keys: bool, config_file: Path, as_json: bool) -> None:
    """Copy the databases into the new directory TARGET while the hub works."""
    from kiosk.app.hubs import load_hub
    from kiosk.hub.store.copies import back_up

    setup = load_hub(config_file)
    _needs_files(setup, f"pg_dump --format=custom --file={target} ")
    told = back_up(setup.config.state, target, keys=keys)
    if as_json:
        import msgspec

        tell_json("kiosk-hub-backup-1", {"directory": str(target), "manifest": msgspec.to_builtins(told)})
        return
    click.secho(f"{target} holds {told.segments} segments of hub {told.hub}", fg="green")
    if not keys:
        click.echo("  without the hub's keys: keep a copy of those apart, or the kiosks have to be enrolled again")


@click.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.option("--after-pg-restore", is_flag=True, help="PostgreSQL: only say that this store is another one now.")
@hub_option
@json_option
def restore(source: Path | None, after_pg_restore: bool, config_file: Path, as_json: bool) -> None:
    """Put the backup in directory SOURCE into the empty state directory; the kiosks send what it lacks."""
    from kiosk.app.hubs import load_hub
    from kiosk.hub.store import copies

    setup = load_hub(config_file)
    if after_pg_restore:
        stores = setup.stores()
        try:
            fresh = copies.new_incarnation(stores)
        finally:
            stores.close()
        count = None
        sealed = _sealed(setup)
    else:
        _needs_files(setup, "pg_restore --exit-on-error --dbname=", " FILE, then kiosk hub restore --after-pg-restore")
        if source is None:
            raise click.UsageError("SOURCE is missing: the directory of a backup.")
        told, fresh = copies.restore(source, setup.config.state)
        if told.hub != setup.config.hub.id:
            click.secho(f"the backup is of hub {told.hub}, this configuration of {setup.config.hub.id}", fg="yellow")
        count = told.segments
        sealed = _sealed(setup)
    if as_json:
        exports = [{"target": target, "number": number, "date": date} for target, number, date in sealed]
        tell_json("kiosk-hub-restore-1", {"incarnation": fresh, "segments": count, "newest_exports": exports})
        return
    click.secho(f"restored, incarnation {fresh}: the kiosks will be told and send what is missing", fg="green")
    for target, number, date in sealed:
        click.echo(f"  the newest export to {target} that is known here is {number}, of {date}")
    click.secho(
        "  exports that were made after the backup are not known here, and could come out otherwise: see "
        "docs/exports.md before the next one",
        fg="yellow",
    )
    keys = setup.config.state / copies.KEYS
    if not keys.is_dir():
        click.secho(f"  the hub's keys are not here: put a copy of them into {keys} before it runs", fg="yellow")


def _sealed(setup: HubSetup) -> list[tuple[str, int, str]]:
    """Return target, number and date of the newest export to each target."""
    import sqlalchemy as sa

    from kiosk.hub.store.stores import GROUPS
    from kiosk.hub.store.tables import export

    stores = setup.stores(readonly=tuple(GROUPS))
    try:
        with stores.office.connect() as office:
            wanted = sa.select(export.c.target, sa.func.max(export.c.number), sa.func.max(export.c.business_date))
            rows = office.execute(wanted.group_by(export.c.target)).all()
    finally:
        stores.close()
    return sorted((row[0], row[1], row[2]) for row in rows)


def _open(config_file: Path, *, readonly: bool) -> tuple[HubSetup, Stores]:
    from kiosk.app.hubs import load_hub
    from kiosk.hub.store.stores import GROUPS

    setup = load_hub(config_file)
    if not setup.config.hub.database and not (setup.config.state / "segments.db").is_file():
        raise HubError(f"there is no hub in {setup.config.state}", hint="kiosk hub init, then kiosk hub run")
    return setup, setup.stores(readonly=tuple(GROUPS) if readonly else ())


def _needs_files(setup: HubSetup, command: str, after: str = "") -> None:
    """Refuse what PostgreSQL's own tools do better, and say how they do it."""
    address = setup.config.hub.database.replace("postgresql+psycopg://", "postgresql://")
    if address:
        raise HubError("this hub is in PostgreSQL, which has its own tool for this", hint=f"{command}{address}{after}")


def _progress() -> Callable[[str, int], None]:
    """Tell how far it is, twice a second, where somebody watches."""
    if not sys.stderr.isatty():
        return lambda what, count: None
    told = [time.monotonic()]

    def tell(what: str, count: int) -> None:
        if time.monotonic() - told[0] >= 0.5:
            told[0] = time.monotonic()
            click.echo(f"\r{count} {what} …", nl=False, err=True)

    return tell


def _clear() -> None:
    if sys.stderr.isatty():
        click.echo("\r" + " " * 40 + "\r", nl=False, err=True)
