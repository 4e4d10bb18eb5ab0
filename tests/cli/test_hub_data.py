"""`kiosk hub import`, `publish` and `data`: the commands as a person gives them, on a hub of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from kiosk.core.people import hash_of
from kiosk.hub.feed.documents import newest
from kiosk.hub.feed.publishing import refresh
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import Stores, open_stores
from kiosk.hub.store.tables import kiosk, kiosk_data
from kiosk.tariff.check_digits import damm
from tests.cli.conftest import Run
from tests.tariff.example_city import CONFIG

HEAD = "Citation,Issued,Violation code,Offence,Paid,Status,Days held,Plate,Owner\n"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    """A hub's databases and its configuration."""
    file = tmp_path / "hub.toml"
    state, runtime = tmp_path / "state", tmp_path / "run"
    file.write_text(f'[hub]\nid = "city-hall"\nstate = "{state}"\nruntime = "{runtime}"\n', "utf-8")
    monkeypatch.setenv("KIOSK_HUB_CONFIG", str(file))
    stores = open_stores(state)
    prepare(stores)
    yield stores
    stores.close()


def line(index: int, issued: str = "2026-03-02") -> str:
    """One line of a file of citations."""
    return f"{26000000 + index}{damm(str(26000000 + index))},{issued},01,2,0.00,OPEN,0,EXM {index},Ida Example\n"


def test_an_import_says_what_came_of_it_and_a_second_one_adds_nothing(hub: Stores, run: Run, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(HEAD + "".join(line(index) for index in range(5)) + line(9, "2026-02-30"))
    first = run("hub", "import", "citations", source)
    assert first.exit_code == 1
    assert "5 rows of parking_citation taken, 0 were there, 0 removed" in first.stdout
    assert "not stored: column Owner" in first.stdout
    assert "1 rows refused" in first.stdout
    assert "every kiosk that finds by plate needs a copy" in first.stdout
    again = json.loads(run("hub", "import", "citations", source, "--json").stdout)
    assert (again["schema"], again["taken"], again["unchanged"]) == ("kiosk-hub-import-1", 0, 5)


def test_an_export_that_there_is_not_stops_an_import_that_counts_it(hub: Stores, run: Run, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(HEAD + line(1))
    refused = run("hub", "import", "citations", source, "--counts", "munis", "2026-03-02")
    assert refused.exit_code != 0
    assert "no export of 2026-03-02" in refused.stderr


def test_people_a_pack_and_revoked_keys_are_checked_and_published_once(
    hub: Stores, run: Run, tmp_path: Path
) -> None:
    people = tmp_path / "people.toml"
    people.write_text(f'[[people]]\nid = "p01"\nroles = ["operate"]\npin = "{hash_of("2580")}"\n')
    assert "people version 1: 1 people" in run("hub", "publish", "people", people).stdout
    assert "people is version 1 already" in run("hub", "publish", "people", people).stdout
    told = json.loads(run("hub", "publish", "pack", CONFIG, "--json").stdout)
    assert (told["name"], told["version"], told["new"]) == ("pack", 1, True)
    keys = tmp_path / "revoked.txt"
    keys.write_text(f"# lost\n{'ab' * 32}  # K03\n")
    assert "keys_revoked version 1: 1 keys" in run("hub", "publish", "keys-revoked", keys).stdout
    with hub.office.connect() as office:
        found = newest(office, "keys_revoked")
    assert found is not None
    assert found.body == b"ab" * 32 + b"\n"


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("people", '[[people]]\nid = "p01"\nroles = ["count", "audit"]\npin = "x"\n', "count and audit"),
        ("people", "nonsense", "people.toml"),
        ("keys-revoked", "abc\n", "is not a key"),
    ],
)
def test_what_would_not_stand_at_a_kiosk_is_not_published(
    hub: Stores, run: Run, tmp_path: Path, kind: str, text: str, told: str
) -> None:
    file = tmp_path / "people.toml"
    file.write_text(text)
    refused = run("hub", "publish", kind, file)
    assert refused.exit_code != 0
    assert told in refused.stderr or "people" in refused.stderr
    with hub.office.connect() as office:
        assert newest(office, kind.replace("-", "_")) is None


def test_the_data_sets_are_shown_with_how_far_each_kiosk_is(hub: Stores, run: Run, tmp_path: Path) -> None:
    assert "there are no data yet" in run("hub", "data").stdout
    source = tmp_path / "in.csv"
    source.write_text(HEAD + line(1) + line(2))
    run("hub", "import", "citations", source)
    with hub.books.begin() as books:
        refresh(books, hub.office, 10**18)
    row: dict[str, object] = {each.name: "" if isinstance(each.type, sa.Text) else 0 for each in kiosk.c}
    with hub.office.begin() as office:
        office.execute(sa.insert(kiosk), [row | {"id": name, "state": "approved"} for name in ("K01", "K02")])
    whole = json.loads(run("hub", "data", "--json").stdout)["sets"]
    (invoices,) = [each for each in whole if each["name"] == "invoices:parking_citation"]
    assert (invoices["rows"], [each["behind"] for each in invoices["kiosks"]]) == (2, [-1, -1])
    told = {"kiosk": "K01", "data_set": invoices["name"], "generation": invoices["generation"],
            "cursor": invoices["cursor"], "digest": invoices["digest"], "at_ns": 1}  # fmt: skip
    with hub.office.begin() as office:
        office.execute(sa.insert(kiosk_data), [told, told | {"kiosk": "K02", "cursor": invoices["cursor"] - 1}])
    shown = run("hub", "data").stdout
    assert "1 of 2" in shown
    assert next(words for words in map(str.split, shown.splitlines()) if words[:1] == ["K02"])[3] == "1"
