"""``kiosk backup`` and ``kiosk restore``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from kiosk.cli.options import config_option, json_option, tell_json
from kiosk.cli.places import journal_of, journal_option
from kiosk.errors import JournalError


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@config_option
@journal_option
@json_option
def backup(target: Path, config_file: Path, journal_file: Path | None, as_json: bool) -> None:
    """Copy the journal to TARGET (a new file, or a directory) while the kiosk works, and verify the copy."""
    import msgspec

    from kiosk.journal import backup as room

    path = journal_of(config_file, journal_file)
    if target.is_dir():
        target = target / _name(path)
    manifest = room.backup(path, target)
    if as_json:
        tell_json("kiosk-backup-1", {"file": str(target), "manifest": msgspec.to_builtins(manifest)})
        return
    click.secho(f"{target} holds {manifest.facts} facts of {manifest.kiosk} ({manifest.realm}), verified", fg="green")
    click.echo(f"  {room.manifest_path(target)} belongs to it: keep both")
    click.echo(f"  head {manifest.epoch}/{manifest.seq}:{manifest.head[:16]}, last fact {manifest.last_fact_at}")


def _name(journal: Path) -> str:
    """Name a backup by where its journal ends, so that two never have the same name."""
    from kiosk.journal.encoding import decode
    from kiosk.journal.reader import Reader

    with Reader(journal) as reader:
        newest = reader.last()
    if newest is None:
        raise JournalError(f"{journal} holds no fact", hint="start the kiosk once")
    fact = decode(newest.row)
    return f"{fact.kiosk}-{fact.realm}-{newest.epoch}-{newest.seq:09d}.db"


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@config_option
@click.option(
    "--reason", default="restored from a backup", show_default=True, help="Is kept in the new epoch's first fact."
)
@click.option("--epoch", type=click.IntRange(2), help="Number of the new epoch, if this backup was restored before.")
@click.option("--dry-run", is_flag=True, help="Check everything, change nothing.")
@json_option
def restore(source: Path, config_file: Path, reason: str, epoch: int | None, dry_run: bool, as_json: bool) -> None:
    """Make the configured journal out of backup SOURCE. Never overwrites; always begins a new epoch."""
    import msgspec

    from kiosk import app
    from kiosk.journal import backup as room
    from kiosk.journal.encoding import decode
    from kiosk.journal.keys import SigningKey
    from kiosk.journal.reader import Reader
    from kiosk.model.facts import Digests, Stamp

    setup = app.load(config_file)
    target = setup.journal_path
    if target.exists():
        raise JournalError(
            f"{target} exists already",
            hint="a restore never overwrites: stop the kiosk, move the old journal away, keep it",
        )
    manifest = room.check(source)
    identity = setup.config.kiosk
    if (manifest.kiosk, manifest.realm) != (identity.id, identity.realm):
        raise JournalError(
            f"{source} is of {manifest.kiosk} ({manifest.realm}), not of {identity.id} ({identity.realm})",
            hint="restore it with the configuration of that kiosk",
        )
    new = epoch or manifest.epoch + 1
    if not dry_run:
        setup.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = SigningKey.load(setup.key_path) if setup.key_path.exists() else SigningKey.create(setup.key_path)
        with Reader(source) as reader:
            newest = reader.last()
        clock = app.make_clock(setup)
        stamp = Stamp(
            at=clock.instant(), business_date=clock.business_date(), actor=f"admin:{os.getuid()}", session="",
            box_session=decode(newest.row).stamp.box_session if newest else 1,
            digests=Digests(app.software_digest(), setup.digest, ""),
        )  # fmt: skip
        room.restore(source, target, stamp=stamp, key=key, reason=reason[:200], epoch=epoch)
    if as_json:
        tell_json(
            "kiosk-restore-1",
            {"dry_run": dry_run, "journal": str(target), "epoch": new, "from": msgspec.to_builtins(manifest)},
        )
        return
    done = "would become" if dry_run else "is"
    click.secho(f"{target} {done} {manifest.facts} facts of {source.name} and epoch {new}", fg="green")
    click.echo("  what was committed after the backup is not in it: look at the hub and at printed receipts")
    click.echo("  the new epoch has a key of its own to publish: kiosk keys publish")
