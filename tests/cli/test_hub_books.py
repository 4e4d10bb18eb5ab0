"""``kiosk hub verify``, ``findings``, ``rebuild``, ``backup`` and ``restore``, asked as a person would."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from bench.posted_fleet import City, Machine, store
from kiosk.app.hubs import load_hub
from kiosk.cli.root import kiosk
from kiosk.hub.posting.service import open_projector
from kiosk.hub.posting.sole import sole
from kiosk.hub.setup import HubSetup
from kiosk.hub.store import tables
from kiosk.hub.store.migrating import prepare
from kiosk.model import facts

Ask = Callable[..., Result]


def _config(directory: Path) -> Path:
    directory.mkdir()
    file = directory / "hub.toml"
    file.write_text(f'[hub]\nid = "city-hall"\nstate = "{directory}/state"\nruntime = "{directory}/run"\n')
    return file


@pytest.fixture
def ask() -> Ask:
    def call(*words: str | Path, config: Path) -> Result:
        told = {"NO_COLOR": "1", "KIOSK_HUB_CONFIG": str(config)}
        return CliRunner().invoke(kiosk, ["hub", *[str(word) for word in words]], env=told)

    return call


@pytest.fixture
def hub(tmp_path: Path) -> HubSetup:
    """A hub with the journals of two kiosks that were paid the same invoice."""
    setup = load_hub(_config(tmp_path / "hub"))
    city = City(setup.chart, setup.library.services, setup.pack)
    stores = setup.stores()
    prepare(stores)
    with stores.segments.begin() as connection:
        connection.execute(tables.identity.insert().values(hub="city-hall", incarnation="first", made_ns=1))
    for name in ("K07", "K08"):
        machine = Machine(name, city)
        with stores.office.begin() as connection:
            connection.execute(tables.kiosk_key.insert().values(
                purpose="journal", key=machine.key.public_hex, kiosk=name, epoch=1, state="current", since_ns=1,
                words=""))  # fmt: skip
        machine.commit(facts.Started(False), facts.Commissioned("admin:0", "example", "B1"), actor="admin:0")
        machine.pay("100000001", 2000, 2000)
        store(stores, machine)
    projector = open_projector(setup, stores)
    while projector.turn():
        pass
    stores.close()
    return setup


def _change(setup: HubSetup, database: str, statement: str) -> None:
    with sqlite3.connect(setup.config.state / database) as connection:
        assert connection.execute(statement).rowcount == 1


def test_verify_says_that_a_hub_is_sound_or_names_what_is_not(hub: HubSetup, ask: Ask) -> None:
    told = ask("verify", config=hub.file)
    assert told.exit_code == 0, told.output
    assert "20 facts of 2 kiosks in 2 segments" in told.output
    assert "the hub is sound" in told.output
    _change(hub, "books.db", "UPDATE balance SET minor = 1 WHERE kiosk = 'K07' AND account = 'A200'")
    again = ask("verify", "--json", config=hub.file)
    assert again.exit_code == 1
    found = json.loads(again.output)
    assert found["schema"] == "kiosk-hub-verify-1"
    assert [each["detail"] for each in found["findings"] if each["code"] == "book_differs"] == [
        "balance K07/USD/A200: minor is 1 and should be 2000"
    ]


def test_findings_are_listed_until_somebody_has_seen_to_them(hub: HubSetup, ask: Ask) -> None:
    told = ask("findings", config=hub.file)
    assert told.exit_code == 0
    assert "paid_twice" in told.output
    stores = hub.stores()
    with stores.books.connect() as connection:
        number = connection.execute(sa.select(tables.finding.c.id)).scalar_one()
    with stores.office.begin() as connection:
        connection.execute(tables.acknowledged.insert().values(finding=number, at_ns=1, by="p01", note="refunded"))
    stores.close()
    assert "nothing to look at" in ask("findings", config=hub.file).output
    listed = json.loads(ask("findings", "--all", "--json", config=hub.file).output)["findings"]
    assert [(each["code"], each["by"], each["note"], each["part"]) for each in listed] == [
        ("paid_twice", "p01", "refunded", "posting")
    ]


def test_a_rebuild_mends_the_books_and_leaves_them_to_a_projector_that_runs(hub: HubSetup, ask: Ask) -> None:
    _change(hub, "books.db", "UPDATE balance SET minor = 1 WHERE kiosk = 'K07' AND account = 'A200'")
    told = ask("rebuild", config=hub.file)
    assert told.exit_code == 0, told.output
    assert "2 segments are posted anew" in told.output
    assert ask("verify", config=hub.file).exit_code == 0
    stores = hub.stores()
    with sole(stores, hub.config.state):
        assert "the running projector was asked" in ask("rebuild", config=hub.file).output
        assert open_projector(hub, stores).asked_to_rebuild()
    stores.close()


def test_a_backup_is_put_back_as_another_store_that_says_so(hub: HubSetup, ask: Ask, tmp_path: Path) -> None:
    keys = hub.config.state / "keys"
    keys.mkdir()
    (keys / "signing.key").write_bytes(b"an example key")
    _change(
        hub, "office.db",
        'INSERT INTO export (target, business_date, number, "after", through, digest, entries, at_ns, "by", body, '
        f"format) VALUES ('erp', '2020-03-10', 1, 0, 0, '{sha256().hexdigest()}', 0, 1, 'p01', x'', 'csv')",
    )  # fmt: skip
    told = ask("backup", tmp_path / "copy", "--keys", config=hub.file)
    assert told.exit_code == 0, told.output
    assert "2 segments of hub city-hall" in told.output
    assert stat.S_IMODE((tmp_path / "copy" / "segments.db").stat().st_mode) == 0o600
    assert ask("backup", tmp_path / "copy", config=hub.file).exit_code != 0  # never overwritten
    other = load_hub(_config(tmp_path / "other"))
    done = ask("restore", tmp_path / "copy", "--json", config=other.file)
    assert done.exit_code == 0, done.output
    fresh = json.loads(done.output)["incarnation"]
    assert json.loads(done.output)["newest_exports"] == [{"target": "erp", "number": 1, "date": "2020-03-10"}]
    stores = other.stores()
    with stores.segments.connect() as connection:
        assert connection.execute(sa.select(tables.identity.c.hub, tables.identity.c.incarnation)).all() == [
            ("city-hall", fresh)
        ]
    stores.close()
    assert fresh != "first"
    assert (other.config.state / "keys" / "signing.key").read_bytes() == b"an example key"
    assert ask("verify", config=other.file).exit_code == 0
    assert "exists already" in ask("restore", tmp_path / "copy", config=other.file).output


def test_a_backup_that_was_changed_is_refused(hub: HubSetup, ask: Ask, tmp_path: Path) -> None:
    assert ask("backup", tmp_path / "copy", config=hub.file).exit_code == 0
    with (tmp_path / "copy" / "office.db").open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff")
    other = load_hub(_config(tmp_path / "other"))
    refused = ask("restore", tmp_path / "copy", config=other.file)
    assert refused.exit_code != 0
    assert not (other.config.state / "segments.db").exists()


def test_on_postgresql_its_own_tools_are_named(ask: Ask, tmp_path: Path) -> None:
    file = _config(tmp_path / "server")
    file.write_text(file.read_text() + 'database = "postgresql+psycopg://hub@db.example/kiosk"\n')
    refused = ask("backup", tmp_path / "copy", config=file)
    assert refused.exit_code != 0
    assert "pg_dump --format=custom" in refused.output
    assert "postgresql://hub@db.example/kiosk" in refused.output
