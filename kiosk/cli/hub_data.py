"""``kiosk hub import``, ``publish``, ``data``: what goes down to the kiosks, and how far each of them has it."""

from __future__ import annotations

import datetime as dt
import getpass
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kiosk.cli.import_report import tell_import
from kiosk.cli.options import hub_option, json_option, tell_json, tell_table
from kiosk.cli.progress import Progress
from kiosk.errors import HubError, ImportRowError

if TYPE_CHECKING:
    from kiosk.hub.setup import HubSetup
    from kiosk.hub.store.stores import Stores

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_KEY = re.compile(r"[0-9a-f]{64}")
_MOST_KEYS = 10_000


@contextmanager
def _hub(config_file: Path) -> Iterator[tuple[HubSetup, Stores]]:
    """Open a hub that was founded."""
    from kiosk.app.hubs import load_hub

    setup = load_hub(config_file)
    if not setup.config.hub.database and not (setup.config.state / "office.db").is_file():
        raise HubError(f"there is no hub in {setup.config.state}", hint="kiosk hub init")
    stores = setup.stores(readonly=("segments", "books"))
    try:
        yield setup, stores
    finally:
        stores.close()


# --- import ---------------------------------------------------------------------------------------------------


@click.command("import")
@click.argument("kind", type=click.Choice(["citations", "invoices"]))
@click.argument("file", type=_FILE)
@click.option("--service", "service_id", help="Service of the rows; citations: the only service of that kind.")
@click.option(
    "--mapping", "mapping_file", type=_FILE,
    help="Which column is which; imports/SERVICE.toml of the city's data where none is given.",
)  # fmt: skip
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where refused rows go; FILE.rejects.csv where not given.",
)
@click.option(
    "--counts", "counted", nargs=2, metavar="TARGET DATE",
    help="The file's paid amounts hold what this export told its target: it is not added again.",
)  # fmt: skip
@hub_option
@json_option
def import_(
    kind: str, file: Path, service_id: str | None, mapping_file: Path | None, rejects: Path | None,
    counted: tuple[str, str] | None, config_file: Path, as_json: bool,
) -> None:  # fmt: skip
    """Import KIND from CSV FILE for all kiosks. Exit code 1 where rows were refused."""
    import msgspec

    from kiosk import config
    from kiosk.hub.feed.importing import counted_by, import_file
    from kiosk.sync.mapping import load_mapping
    from kiosk.sync.plates import KEY_FILE

    with _hub(config_file) as (setup, stores):
        services = setup.library.services
        if service_id is None:
            fits = [each.id for each in services.values() if kind == "citations" and each.kind == "citation"]
            if len(fits) != 1:
                raise click.UsageError(f"Name the service with --service: one of {', '.join(sorted(services))}.")
            service_id = fits[0]
        service = setup.library.service(service_id)
        text, name = _mapping_text(setup, service_id) if mapping_file is None else (
            config.read_text(mapping_file), str(mapping_file)
        )  # fmt: skip
        rejects = rejects or file.with_suffix(".rejects.csv")
        today = _today(setup)
        key = setup.config.state / KEY_FILE
        had_key = key.exists()
        progress = Progress("importing", quiet=as_json)
        report = import_file(
            file, load_mapping(text, name), service, stores, setup.config.state, rejects,
            taken_at_ns=time.time_ns(), by=getpass.getuser(), counted=counted_by(stores, *counted) if counted else 0,
            prices=lambda invoice: setup.library.price(invoice, max(today, invoice.issued)), progress=progress,
        )  # fmt: skip
        progress.end()
    if as_json:
        tell_json("kiosk-hub-import-1", {"rejects": str(rejects), **msgspec.to_builtins(report)})
    else:
        made = f"made {key}, under which plates are hashed: every kiosk that finds by plate needs a copy"
        made = made if key.exists() and not had_key else ""
        tell_import(report, service_id, rejects, made)
    click.get_current_context().exit(1 if report.rejected else 0)


def _mapping_text(setup: HubSetup, service: str) -> tuple[str, str]:
    name = f"imports/{service}.toml"
    if name not in setup.pack_texts:
        raise ImportRowError(f"the city's data hold no {name}", hint="give a mapping with --mapping")
    return setup.pack_texts[name], name


def _today(setup: HubSetup) -> dt.date:
    from zoneinfo import ZoneInfo

    return dt.datetime.now(ZoneInfo(setup.zone)).date()


# --- publish --------------------------------------------------------------------------------------------------


@click.command()
@click.argument("kind", type=click.Choice(["people", "pack", "keys-revoked"]))
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@hub_option
@json_option
def publish(kind: str, source: Path, config_file: Path, as_json: bool) -> None:
    """Send KIND down to all kiosks: people FILE (sections [[people]] and nothing else), pack DIRECTORY (the city's
    data), keys-revoked FILE (a key a line).

    What is sent is checked first.  The same again is no new version.
    """
    from kiosk.hub.feed.documents import publish as publish_document

    name = kind.replace("-", "_")
    if source.is_dir() != (kind == "pack"):
        raise click.UsageError("pack takes a directory, the others a file.")
    body, told = {"people": _people, "pack": _pack, "keys_revoked": _keys}[name](source)
    with _hub(config_file) as (_, stores), stores.office.begin() as office:
        version, fresh = publish_document(office, name, body, getpass.getuser(), time.time_ns())
    if as_json:
        tell_json("kiosk-hub-publish-1", {"name": name, "version": version, "new": fresh, "bytes": len(body)})
    else:
        click.echo(f"{name} version {version}: {told}" if fresh else f"{name} is version {version} already: {told}")


def _people(source: Path) -> tuple[bytes, str]:
    from kiosk import config
    from kiosk.core.hub_data import people_of

    body = config.read_text(source).encode()
    persons = people_of(body)
    return body, f"{len(persons)} people"


def _pack(source: Path) -> tuple[bytes, str]:
    from kiosk.app.pack import load_pack
    from kiosk.sync.feed import pack_body

    pack = load_pack(source)
    for finding in pack.findings():
        click.secho(finding, fg="yellow", err=True)
    told = f"{pack.name}, {len(pack.texts)} files"
    return pack_body(pack.texts), told + (", without its logo: that stays with each kiosk" if pack.logo else "")


def _keys(source: Path) -> tuple[bytes, str]:
    from kiosk import config

    lines = [line.partition("#")[0].strip().lower() for line in config.read_text(source).splitlines()]
    keys = sorted({line for line in lines if line})
    for key in keys:
        if not _KEY.fullmatch(key):
            raise HubError(f"{source}: {key[:80]!r} is not a key", hint="64 hexadecimal digits on each line")
    if len(keys) > _MOST_KEYS:
        raise HubError(f"{source} holds {len(keys)} keys", hint=f"{_MOST_KEYS} at most")
    return "".join(f"{key}\n" for key in keys).encode(), f"{len(keys)} keys"


# --- data -----------------------------------------------------------------------------------------------------


@click.command()
@hub_option
@json_option
def data(config_file: Path, as_json: bool) -> None:
    """Show the data sets, and how far each kiosk says that it has them."""
    from kiosk.hub.feed.overview import overview

    with _hub(config_file) as (_, stores):
        sets = overview(stores)
    if as_json:
        tell_json("kiosk-hub-data-1", {"sets": sets})
        return
    if not sets:
        click.echo("there are no data yet: kiosk hub import, kiosk hub publish")
        return
    tell_table(
        [(each.name, str(each.rows), str(each.cursor), each.digest[:16], _time(each.taken_at_ns),
          f"{sum(kiosk.behind == 0 for kiosk in each.kiosks)} of {len(each.kiosks)}") for each in sets],
        ("data set", "rows", "cursor", "digest", "taken", "kiosks up to date"),
    )  # fmt: skip
    late = [(kiosk.kiosk, each.name, str(kiosk.cursor), "snapshot" if kiosk.behind < 0 else str(kiosk.behind),
             _time(kiosk.at_ns)) for each in sets for kiosk in each.kiosks if kiosk.behind]  # fmt: skip
    if late:
        click.echo()
        tell_table(late, ("kiosk", "data set", "cursor", "behind", "said at"))


def _time(at_ns: int) -> str:
    return dt.datetime.fromtimestamp(at_ns / 1e9, dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at_ns else "-"
