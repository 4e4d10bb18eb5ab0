"""The command line against a running kiosk: what it says, in words and in JSON, and with which exit code."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from kiosk.plugins.grades import RECORDED
from kiosk.workbench.demonstration import Demonstration
from tests.cli.conftest import Run


def told(result: Result) -> dict[str, Any]:
    """Return the one JSON object that was printed."""
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    assert str(found["schema"]).startswith("kiosk-")
    return found


def sealed(running: Demonstration) -> str:
    """Return the code of the printed receipt."""
    (line,) = [line for line in running.receipts()[0].splitlines() if line.startswith("[QR ")]
    return line.removeprefix("[QR ").removesuffix("]")


def test_status_tells_state_and_head(ask: Run) -> None:
    found = told(ask("status", "--json"))
    assert (found["kiosk"], found["realm"], found["state"]) == ("K07", "demo", "idle")
    assert found["seq"] > 5
    words = ask("status")
    assert words.exit_code == 0
    assert "K07 (demo)" in words.stdout


def test_devices_lists_every_device_in_service(ask: Run) -> None:
    result = ask("devices", "--json")
    assert result.exit_code == 0
    found = {each["device"]: each for each in told(result)["devices"]}
    assert set(found) == {"notes", "receipt", "scanner"}
    assert all(each["state"] == "in_service" for each in found.values())
    assert {name: each["grade"] for name, each in found.items()} == {
        name: RECORDED[each["driver"]].grade for name, each in found.items()
    }
    shown = ask("devices").stdout
    assert "TM-T20III" in shown
    assert "grade" in shown


def test_doctor_finds_a_good_kiosk_good(ask: Run) -> None:
    result = ask("doctor", "--json")
    found = told(result)
    failed = [each for each in found["checks"] if each["state"] == "fail"]
    assert failed == []
    assert result.exit_code == 0
    good = {each["id"] for each in found["checks"] if each["state"] == "ok"}
    assert {
        "config",
        "plugins",
        "ports",
        "running",
        "devices",
        "clock",
        "disk",
        "state",
        "journal",
        "key",
        "replica",
    } <= good


def test_the_journal_verifies_against_the_head_on_the_receipt_and_the_published_keys(
    ask: Run, running: Demonstration
) -> None:
    parts = sealed(running).split("|")
    result = ask(
        "journal", "verify", "--witness", f"{parts[4]}:{parts[5]}", "--keys", running.directory.published, "--json"
    )
    assert result.exit_code == 0, result.stdout
    assert ask("journal", "verify", "--witness", f"{parts[2]}/{parts[4]} {parts[5]}").exit_code == 0  # as on paper
    found = told(result)
    assert found["sound"] is True
    assert found["findings"] == []
    assert found["receipts"] == 1


def test_a_false_witness_is_a_finding_and_exit_code_1(ask: Run) -> None:
    result = ask("journal", "verify", "--witness", "5:0000", "--json")
    assert result.exit_code == 1
    assert [each["code"] for each in told(result)["findings"]] == ["witness_differs"]
    assert ask("journal", "verify", "--witness", "nonsense").exit_code == 2


def test_journal_show_chooses_by_kind_and_limit(ask: Run) -> None:
    found = told(ask("journal", "show", "--kind", "note_credited", "--json"))["facts"]
    assert len(found) == 1
    assert found[0]["kind"] == "note_credited"
    (session,) = {each["stamp"]["session"] for each in found}
    of_session = told(ask("journal", "show", "--session", session, "--json"))["facts"]
    assert len(of_session) > 3
    assert len(told(ask("journal", "show", "--limit", "2", "--json"))["facts"]) == 2
    assert "note_credited" in ask("journal", "show").stdout


def test_an_export_has_one_line_a_fact_and_its_bytes_make_the_hash(
    run: Run, running: Demonstration, tmp_path: Path
) -> None:
    """A copy without a configuration is a raw file: nobody is asked who they are."""
    copy = tmp_path / "copy.db"
    assert run("backup", copy, config=running.directory.config).exit_code == 0
    ask = partial(run, config=tmp_path / "kiosk.toml")
    (tmp_path / "kiosk.toml").touch()
    facts = [json.loads(line) for line in ask("journal", "export", "--journal", copy).stdout.splitlines()]
    assert len(facts) > 10
    assert [each["fact"]["seq"] for each in facts] == list(range(1, len(facts) + 1))
    assert all(each["schema"] == "kiosk-fact-1" and len(each["hash"]) == 64 for each in facts)
    lines = ask("journal", "export", "--journal", copy, "--format", "lines").stdout_bytes.splitlines()
    assert [line.split(b" ", 2)[0].decode() for line in lines] == [each["hash"] for each in facts]


def test_a_receipt_is_shown_by_its_number(ask: Run) -> None:
    found = told(ask("receipt", "show", "1", "--json", "--person", "p01", feed="2580\n"))
    assert found["tender_minor"] == 2000
    assert found["printed"][0]["ended"] == "printed"
    whole = found["id"]
    assert told(ask("receipt", "show", whole, "--json"))["id"] == whole
    assert ask("receipt", "show", whole[:-4] + "0000").exit_code == 1
    assert ask("receipt", "show", "999").exit_code == 1
    assert ask("receipt", "show", "'; DROP TABLE facts --").exit_code == 2


def test_a_receipt_is_genuine_by_the_published_keys_only(ask: Run, run: Run, running: Demonstration) -> None:
    line = sealed(running)
    keys = running.directory.published
    specimen = run("receipt", "verify", line, "--keys", keys)  # of a demonstration: genuine, and never plainly good
    assert specimen.exit_code == 5
    assert "SPECIMEN" in specimen.stdout
    assert "USD 20.00\n" in specimen.stdout
    odd = run("receipt", "verify", line.replace("|USD|", "|ZZZ|"), "--keys", keys)
    assert odd.exit_code == 1, odd.output
    assert "FORGED" in odd.stdout
    verdict = told(run("receipt", "verify", "-", "--keys", keys, "--json", feed=line + "\n"))
    assert (verdict["good"], verdict["reason"], verdict["specimen"]) == (False, "specimen", True)
    passed_off = run("receipt", "verify", line.replace("|demo|", "|live|"), "--keys", keys)
    assert passed_off.exit_code == 1
    assert "genuine" not in passed_off.stdout
    raised = line.replace("|2000|2000|0|0|", "|9000|9000|0|0|")
    assert raised != line
    result = run("receipt", "verify", raised, "--keys", keys, "--json")
    assert result.exit_code == 1
    assert told(result)["reason"] == "bad_signature"
    assert run("receipt", "verify", "garbage", "--keys", keys).exit_code == 1
    assert run("receipt", "verify", line).exit_code == 2


def test_published_keys_are_those_of_the_journal(ask: Run, running: Demonstration, tmp_path: Path) -> None:
    out = tmp_path / "keys.json"
    assert ask("keys", "publish", "--city", "Example City", "--out", out).exit_code == 0
    assert (
        json.loads(out.read_text("utf-8"))["keys"] == json.loads(running.directory.published.read_text("utf-8"))["keys"]
    )


def test_a_reprint_goes_through_the_running_kiosk_and_is_marked(ask: Run, running: Demonstration) -> None:
    before = len(running.receipts())
    found = told(ask("receipt", "reprint", "1", "--json"))
    assert found["number"] == 1
    running.stage.expect_receipt(True)
    assert len(running.receipts()) == before + 1
    assert "COPY" in running.receipts()[-1]
    assert ask("receipt", "reprint", "777").exit_code == 1


def test_the_counter_is_closed_and_opened_through_the_socket(ask: Run, running: Demonstration) -> None:
    assert ask("service", "close").exit_code == 0
    running.stage.wait_screen("out_of_service", 5_000)
    assert ask("status").exit_code == 1
    assert ask("service", "open").exit_code == 0
    running.stage.wait_screen("idle", 5_000)
    assert ask("service", "release", "nothing_like_it").exit_code == 1
    assert ask("clock", "trust", "--json").exit_code == 0


def test_a_backup_is_verified_and_restores_into_a_new_epoch(
    ask: Run, run: Run, running: Demonstration, tmp_path: Path
) -> None:
    made = told(ask("backup", tmp_path, "--json"))
    source = Path(made["file"])
    assert source.is_file()
    assert ask("backup", source).exit_code == 1  # never overwritten
    assert ask("restore", source).exit_code == 1  # the journal is there
    other = tmp_path / "other"
    other.mkdir()
    text = running.directory.config.read_text("utf-8")
    config = other / "kiosk.toml"
    config.write_text(text.replace(str(running.directory.state), str(other / "state")), "utf-8")
    dry = told(run("restore", source, "--dry-run", "--json", config=config))
    assert dry["epoch"] == 2
    assert not (other / "state" / "journal-demo.db").exists()
    assert run("restore", source, config=config).exit_code == 0
    found = told(run("journal", "verify", "--json", config=config))
    assert (found["sound"], found["epoch"]) == (True, 2)
    assert len(json.loads(run("keys", "publish", "--city", "X", config=config).stdout)["keys"]) == 2
    assert run("restore", source, config=config).exit_code == 1


def test_an_import_tells_what_it_took_and_refused(ask: Run, tmp_path: Path) -> None:
    source = tmp_path / "more.csv"
    head = "Citation,Issued,Violation code,Offence,Paid,Status,Days held,Plate,Officer\n"
    source.write_text(
        head + "260004355,2026-11-15,25,1,0.00,OPEN,0,EXM 114,X\n123,2026-11-15,25,1,0.00,OPEN,0,,\n", "utf-8"
    )
    result = ask("import", "citations", source, "--json")
    assert result.exit_code == 1
    found = told(result)
    assert found["rejected"] == 1
    assert Path(found["rejects"]).read_text("utf-8").count("\n") == 2
    assert ask("import", "invoices", source).exit_code == 2


def test_the_import_that_makes_the_plates_key_says_so_once(run: Run, running: Demonstration, tmp_path: Path) -> None:
    text = running.directory.config.read_text("utf-8")
    config = tmp_path / "kiosk.toml"
    config.write_text(text.replace(str(running.directory.state), str(tmp_path / "state")), "utf-8")
    source = tmp_path / "one.csv"
    head = "Citation,Issued,Violation code,Offence,Paid,Status,Days held,Plate,Officer\n"
    source.write_text(head + "260004355,2026-11-15,25,1,0.00,OPEN,0,QZX 7719,X\n", "utf-8")
    first, second = (run("import", "citations", source, config=config) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert f"made {tmp_path / 'state' / 'plate.key'}" in first.stdout
    assert "plate.key" not in second.stdout
    assert "7719" not in first.stdout + second.stdout


def test_config_show_fills_in_the_defaults(run: Run, running: Demonstration) -> None:
    found = told(run("config", "show", running.directory.config, "--json"))
    assert found["config"]["checkout"]["cart_limit"] == 8
    assert sorted(found["services"]) == ["parking_citation", "property_tax", "water_bill"]


@pytest.mark.parametrize("words", [("status",), ("devices",), ("service", "close"), ("receipt", "reprint", "1")])
def test_a_kiosk_that_does_not_run_is_exit_code_3(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text('[paths]\nstate = "state"\nruntime = "run"\n', "utf-8")
    result = run(*words, config=config)
    assert result.exit_code == 3
    assert "no kiosk answers" in result.stderr
    assert "Traceback" not in result.output
