"""``kiosk people``: a PIN becomes lines of configuration, a hash is never shown, and a missing duty is named."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from kiosk.core.people import People, Person
from kiosk.errors import ConfigError
from kiosk.workbench.directory import people_sections
from tests.cli.conftest import Run


def test_a_pin_typed_twice_becomes_a_section_that_lets_the_person_in(run: Run) -> None:
    made = run("people", "pin", "p07", "--role", "collect", "--role", "count", feed="471100\n471100\n")
    assert made.exit_code == 0, made.output
    assert "471100" not in made.output
    (section,) = tomllib.loads(made.stdout)["people"]
    person = Person(section["id"], tuple(section["roles"]), section["pin"])
    assert People([person]).judge("p07", "471100", {}, 0).roles == ("collect", "count")
    alone = run("people", "pin", feed="471100\n471100\n").stdout
    assert list(tomllib.loads(alone)) == ["pin"]


@pytest.mark.parametrize(
    ("words", "feed", "why"),
    [((), "1234\n1234\n", "cannot be used"), (("p07",), "47\n47\n", "4 to 12 digits"),
     (("P07",), "471100\n471100\n", "cannot be a person's id"),
     (("p07", "--role", "count", "--role", "audit"), "471100\n471100\n", "both count and audit")],
)  # fmt: skip
def test_what_could_not_be_used_is_not_made(run: Run, words: tuple[str, ...], feed: str, why: str) -> None:
    refused = run("people", "pin", *words, feed=feed)
    assert refused.exit_code == 1
    assert why in refused.output
    assert "argon2id" not in refused.output


def test_two_different_pins_are_asked_for_again(run: Run) -> None:
    refused = run("people", "pin", feed="471100\n471101\n")
    assert refused.exit_code == 1
    assert "argon2id" not in refused.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "kiosk.toml"
    path.write_text('[kiosk]\nid = "K07"\nrealm = "demo"\n' + people_sections(), "utf-8")
    path.chmod(0o600)
    return path


def test_people_are_listed_without_their_hashes(run: Run, file: Path) -> None:
    listed = run("people", "list", "--json", config=file)
    assert {each["id"]: each["roles"] for each in json.loads(listed.stdout)["people"]}["p03"] == ["count"]
    words = run("people", "list", config=file)
    shown = run("config", "show", file)
    assert shown.exit_code == 0, shown.output
    assert "argon2id" not in listed.stdout + words.stdout + shown.stdout + run("config", "show", file, "--json").stdout
    assert "p04" in words.stdout


def test_a_set_of_people_that_lacks_a_duty_is_told_what_stands_still(run: Run, file: Path) -> None:
    result = run("people", "check", file, "--json")
    assert result.exit_code == 1
    problems = json.loads(result.stdout)["problems"]
    assert [each.split(":")[0] for each in problems] == ["admin"]
    whole = file.read_text("utf-8").replace('"operate", "collect"', '"admin", "operate", "collect"')
    file.write_text(whole, "utf-8")
    assert run("people", "check", file).exit_code == 0
    assert run("people", "check", config=file).exit_code == 0, "the kiosk's own configuration where no file is named"
    missing = run("people", "check", config=file.with_name("none.toml"))
    assert missing.exit_code == 1
    assert "there is no" in missing.output
    file.chmod(0o644)
    assert "everybody on this machine" in run("people", "check", file).stdout
    file.write_text('[kiosk]\nid = "K07"\n', "utf-8")
    assert len(json.loads(run("people", "check", file, "--json").stdout)["problems"]) > 4


def test_a_wrong_person_stops_the_start_with_file_and_cure(run: Run, file: Path) -> None:
    file.write_text(file.read_text("utf-8").replace("m=19456", "m=1024", 1), "utf-8")
    refused = run("people", "list", config=file)
    assert refused.exit_code == 1
    assert "weaker hash" in refused.output
    assert "kiosk people pin p01" in refused.output
    assert run("config", "check", file).exit_code == 1


def test_people_that_are_no_sections_are_refused(tmp_path: Path) -> None:
    from kiosk.cli.places import people_of

    path = tmp_path / "kiosk.toml"
    for odd in ('people = "p01"', "people = 1", 'people = ["p01"]'):
        path.write_text(odd, "utf-8")
        with pytest.raises(ConfigError, match="kiosk.toml"):
            people_of(path)
