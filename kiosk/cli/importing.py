"""``kiosk import``: reference data from CSV files, for a kiosk without a hub."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from kiosk import config as configuration
from kiosk.cli.import_report import tell_import
from kiosk.cli.options import config_option, json_option, tell_json
from kiosk.cli.progress import Progress
from kiosk.errors import ImportRowError


@click.command("import")
@click.argument("kind", type=click.Choice(["citations", "invoices"]))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--service", "service_id", help="Service of the rows; citations: the only service of that kind.")
@click.option(
    "--mapping", "mapping_file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Which column is which; imports/SERVICE.toml of the city's data where none is given.",
)  # fmt: skip
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where refused rows go; FILE.rejects.csv where not given.",
)
@config_option
@json_option
def import_(
    kind: str, file: Path, service_id: str | None, mapping_file: Path | None, rejects: Path | None, config_file: Path,
    as_json: bool,
) -> None:  # fmt: skip
    """Import KIND from CSV FILE into the local replica. Exit code 1 where rows were refused."""
    import msgspec

    from kiosk import app
    from kiosk.sync.importing import import_csv
    from kiosk.sync.mapping import load_mapping
    from kiosk.sync.plates import key_beside

    setup = app.load(config_file)
    services = setup.library.services
    if service_id is None:
        fits = [each.id for each in services.values() if kind == "citations" and each.kind == "citation"]
        if len(fits) != 1:
            raise click.UsageError(f"Name the service with --service: one of {', '.join(sorted(services))}.")
        service_id = fits[0]
    service = setup.library.service(service_id)
    source = mapping_file or _mapping_of(setup, service_id)
    mapping = load_mapping(configuration.read_text(source), str(source))
    rejects = rejects or file.with_suffix(".rejects.csv")
    today = app.make_clock(setup).today()
    progress = Progress("importing", quiet=as_json)
    key = key_beside(setup.replica_path)
    had_key = key.exists()
    setup.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    report = import_csv(
        file, mapping, service, setup.replica_path, rejects, taken_at_ns=time.time_ns(),
        prices=lambda invoice: setup.library.price(invoice, max(today, invoice.issued)), progress=progress,
    )  # fmt: skip
    progress.end()
    if as_json:
        tell_json("kiosk-import-1", {"rejects": str(rejects), **msgspec.to_builtins(report)})
    else:
        made = f"made {key}, under which plates are hashed; keep a copy of it" if key.exists() and not had_key else ""
        tell_import(report, service_id, rejects, made)
    click.get_current_context().exit(1 if report.rejected else 0)


def _mapping_of(setup: Any, service: str) -> Path:
    found: Path = setup.pack.directory / "imports" / f"{service}.toml"
    if not found.is_file():
        raise ImportRowError(f"there is no mapping {found}", hint="give one with --mapping")
    return found
