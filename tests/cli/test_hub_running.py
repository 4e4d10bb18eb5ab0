"""``kiosk hub init``, ``part`` and ``status``, and the commented configuration."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from kiosk.app.hubs import load_hub
from kiosk.cli.hub_running import PARTS
from kiosk.cli.root import kiosk as command
from kiosk.hub.overview import BEHIND
from kiosk.hub.running import MODULES
from kiosk.hub.settings import HubConfig
from kiosk.hub.store import tables

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "hub.toml"
    path.write_text(f'[hub]\nid = "city-hall"\nstate = "{tmp_path}/state"\nruntime = "{tmp_path}/run"\n')
    return path


@pytest.fixture
def run(file: Path) -> Run:
    return lambda *words: CliRunner().invoke(command, ["hub", *words, "--config", str(file)])


def test_init_makes_keys_databases_and_an_identity_and_changes_nothing_again(run: Run, tmp_path: Path) -> None:
    first = json.loads(run("init", "--json").output)
    assert first["new"] is True
    assert re.fullmatch(r"[0-9a-f]{64}", first["fingerprint"])
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700
    again = json.loads(run("init", "--json").output)
    assert again == {**first, "new": False}
    told = run("init").output
    assert first["fingerprint"] in told
    assert "tcp://0.0.0.0:7700" in told


def test_init_refuses_the_store_of_another_hub(run: Run, file: Path) -> None:
    assert run("init").exit_code == 0
    file.write_text(file.read_text().replace("city-hall", "annex"))
    told = run("init")
    assert told.exit_code == 1
    assert "belongs to hub city-hall" in told.output


def test_status_says_what_to_do_where_there_is_no_hub_yet(run: Run) -> None:
    told = run("status")
    assert told.exit_code == 1
    assert "kiosk hub init" in told.output


def test_status_tells_at_a_glance_what_is_wrong(run: Run, file: Path) -> None:
    run("init")
    stores = load_hub(file).stores()
    kiosk = {"realm": "live", "place": "", "changed_ns": 0, "changed_by": "", "worker": 0}
    with stores.office.begin() as connection:
        for name, state in (("K07", "approved"), ("K08", "approved"), ("K09", "pending"), ("K10", "pending")):
            connection.execute(tables.kiosk.insert().values(id=name, state=state, name=f"hall {name}", **kiosk))
        connection.execute(
            tables.contact.insert().values(
                kiosk="K07", seen_ns=1, offset_ms=0, round_trip_ms=1, software="0.1", unsynced=12, oldest_unsynced_ns=1,
                state="down", paper="low", stacker_permille=-1, status=b"{}",
            )
        )  # fmt: skip
        connection.execute(
            tables.kiosk_key.insert().values(
                purpose="transport", key="k" * 40, kiosk="K09", epoch=0, state="pending", since_ns=1, words="six words"
            )
        )
    with stores.segments.begin() as connection:
        connection.execute(
            tables.mark.insert(),
            [
                {"kiosk": "K07", "epoch": epoch, "seq": seq, "hash": b"", "journal_key": "", "updated_ns": 0}
                for epoch, seq in ((1, 900), (2, 17))
            ],
        )
        connection.execute(
            tables.segment.insert().values(
                worker=0, number=BEHIND + 1, kiosk="K07", epoch=1, first=1, last=1, previous=b"", hash=b"",
                signature=b"", received_ns=0, codec=0, body=b"",
            )
        )  # fmt: skip
        connection.execute(
            tables.ingest_finding.insert(),
            [
                {"id": number, "code": "fork", "severity": "error", "kiosk": "K07", "epoch": 1, "seq": 1, "detail": "",
                 "first_ns": 0, "last_ns": 0, "times": 1}
                for number in ("a", "b")
            ],
        )  # fmt: skip
    with stores.office.begin() as connection:
        connection.execute(sa.insert(tables.acknowledged).values(finding="a", at_ns=0, by="x", note=""))
    stores.close()

    told = run("status", "--json")
    seen = json.loads(told.output)
    assert told.exit_code == 1
    assert seen["findings"] == {"error": 1}
    assert [(one["kiosk"], one["epoch"], one["seq"]) for one in seen["kiosks"]] == [
        ("K07", 2, 17), ("K08", 0, 0), ("K09", 0, 0), ("K10", 0, 0),
    ]  # fmt: skip
    words = "\n".join(seen["wrong"])
    for wrong in ("does not run", "K07 is silent", "K07 holds facts back", "K07: its core", "K08 was never seen",
                  "K09 waits for approval", f"{BEHIND + 1} segments of worker 0", "1 findings are errors"):  # fmt: skip
        assert wrong in words
    assert "K10" not in words, "it was only given a code"
    table = run("status").output
    assert "2/17" in table
    assert "hall K08" in table


def test_every_part_has_its_module_and_its_name_on_the_command_line() -> None:
    assert set(PARTS) == set(MODULES)


def test_the_sample_configuration_names_every_key_with_its_default() -> None:
    text = (ROOT / "config" / "hub.toml").read_text(encoding="utf-8")
    plain = msgspec.toml.decode(text)
    assert plain["hub"]["id"] == "city-hall"
    whole = msgspec.toml.decode(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE))
    written = msgspec.convert(whole, HubConfig)
    assert written == msgspec.convert({"hub": {"id": "city-hall"}}, HubConfig)
    for section in HubConfig.__struct_fields__:
        assert set(whole[section]) == set(getattr(written, section).__struct_fields__), section


@pytest.mark.parametrize(
    "words", [["keys"], ["kiosks"], ["data"], ["findings"], ["operators", "list"], ["enrol", "K07"]]
)
def test_a_database_that_does_not_answer_is_one_clear_line(file: Path, run: Run, words: list[str]) -> None:
    database = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    file.write_text(file.read_text().replace("[hub]\n", f'[hub]\ndatabase = "{database}"\n'))
    told = run(*words)
    assert told.exit_code == 1
    assert isinstance(told.exception, SystemExit)
    assert told.output.startswith("error: ")
    assert "sqlalche" not in told.output


def test_a_database_of_another_software_is_one_clear_line(file: Path, run: Run) -> None:
    run("init")
    stores = load_hub(file).stores()
    with stores.office.begin() as connection:
        tables.kiosk.drop(connection)
    stores.close()
    told = run("kiosks")
    assert told.exit_code == 1
    assert "no such table: kiosk" in told.output
    assert "kiosk hub init" in told.output
