"""`kiosk hub export`: the command as a person gives it, on a hub of its own."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from kiosk.api import ExportedDate, ExporterDeclaration, hookimpl
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import open_stores
from kiosk.plugins import manager
from kiosk.plugins.manager import Candidate, LoadedPlugins, load_plugins
from tests.cli.conftest import Run
from tests.hub.exports.factory import DAY, ONE, Books


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Books]:
    """A hub's books and its configuration."""
    file = tmp_path / "hub.toml"
    state, runtime = tmp_path / "state", tmp_path / "run"
    file.write_text(f'[hub]\nid = "city-hall"\nstate = "{state}"\nruntime = "{runtime}"\n', "utf-8")
    monkeypatch.setenv("KIOSK_HUB_CONFIG", str(file))
    stores = open_stores(state)
    prepare(stores)
    yield Books(stores)
    stores.close()


def test_an_export_goes_to_a_file_and_is_said_to_be_there_already(hub: Books, run: Run, tmp_path: Path) -> None:
    hub.pay("K07", "s1")
    out = tmp_path / "day.journal"
    first = run("hub", "export", "--format", "hledger", DAY.isoformat(), "--out", out)
    assert (first.exit_code, first.stdout) == (0, "")
    assert "exported and sealed: hledger 1, 3 entries" in first.stderr
    assert "nobody has counted K07 box 0" in first.stderr
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    again = run("hub", "export", "--format", "hledger", DAY.isoformat())
    assert again.stdout == out.read_text("utf-8")
    assert "was already exported: hledger 1" in again.stderr


def test_a_kiosk_that_has_not_closed_is_named_and_even_so_goes_on(hub: Books, run: Run, tmp_path: Path) -> None:
    hub.pay("K07", "s1")
    hub.enrol("K07")
    refused = run("hub", "export", "--format", "csv", DAY.isoformat())
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "still open at K07" in refused.stderr
    assert "--even-so" in refused.stderr
    words = ("--format", "csv", "--target", "erp", DAY.isoformat(), "--even-so", "--json", "--out", tmp_path / "x.csv")
    told = json.loads(run("hub", "export", *words).stdout)
    assert (told["schema"], told["target"], told["entries"], told["not_closed"]) == (
        "kiosk-hub-export-1", "erp", 3, ["K07"],
    )  # fmt: skip


def test_a_date_that_runs_still_is_refused(hub: Books, run: Run) -> None:
    refused = run("hub", "export", "--format", "csv", (DAY + 40_000 * ONE).isoformat())
    assert refused.exit_code == 1
    assert "is not over" in refused.stderr


class Brings:
    """A plugin with two formats of its own."""

    @hookimpl
    def kiosk_exporters(self) -> list[ExporterDeclaration]:
        """Declare them."""

        def write(told: ExportedDate) -> Iterable[bytes]:
            yield f"{told.batch}: {sum(block.debit_minor for block in told.blocks)}\n".encode()

        def breaks(told: ExportedDate) -> Iterable[bytes]:
            raise RuntimeError("no licence")

        return [ExporterDeclaration("sums", "txt", write), ExporterDeclaration("breaks", "txt", breaks)]


def test_a_plugin_brings_a_format_and_a_broken_one_seals_nothing(
    hub: Books, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded() -> LoadedPlugins:
        return load_plugins(candidates=[Candidate("brings", "1", "test", Brings)])

    monkeypatch.setattr(manager, "load_plugins", loaded)
    hub.pay("K07", "s1")
    assert run("hub", "export", "--format", "sums", DAY.isoformat()).stdout == "sums-000001: 16000\n"
    broken = run("hub", "export", "--format", "breaks", DAY.isoformat())
    assert (broken.exit_code, broken.stdout) == (1, "")
    assert "no licence" in broken.stderr
    assert run("hub", "export", "--format", "sums", "--target", "breaks", DAY.isoformat()).exit_code == 0
    unknown = run("hub", "export", "--format", "abacus", DAY.isoformat())
    assert "one of hledger, csv, iif, breaks, sums" in unknown.stderr


def test_a_hub_that_was_never_made_is_said_to_be_none(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(f'[hub]\nid = "city-hall"\nstate = "{tmp_path / "none"}"\n', "utf-8")
    refused = run("hub", "export", "--format", "csv", DAY.isoformat(), "--config", file)
    assert refused.exit_code == 1
    assert "kiosk hub init" in refused.stderr
