"""A live journal goes into service by a person's act, after everything was looked at; and `kiosk city` beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kiosk import app
from kiosk.app import commissioning
from kiosk.cli import doctor_checks
from kiosk.core.clock import Clock
from kiosk.core.people import hash_of
from kiosk.core.replay import replay
from kiosk.journal.keys import SigningKey
from kiosk.journal.reader import Reader
from kiosk.journal.realm import CHOICE
from kiosk.journal.store import Journal
from kiosk.journal.verify import verify
from kiosk.model import facts
from tests.cli.conftest import Run

ROOT = Path(__file__).resolve().parents[2]
ADMIN_PIN, OTHER_PIN = hash_of("2580"), hash_of("4711")
TOML = f"""\
[kiosk]
id = "K07"
realm = "live"
[paths]
state = "state"
runtime = "run"
city_data = "pack"
[[people]]
id = "p01"
roles = ["admin", "collect"]
pin = "{ADMIN_PIN}"
[[people]]
id = "p02"
roles = ["operate", "collect"]
pin = "{OTHER_PIN}"
[[device]]
name = "notes"
driver = "id003_acceptor"
line = {{ port = "/dev/kiosk/bill0" }}
[[device]]
name = "receipt"
driver = "escpos_printer"
transport = "usb_printer"
line = {{ port = "usb:04b8:0e28" }}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A live kiosk of a city of its own, never started."""
    shutil.copytree(ROOT / "config", tmp_path / "pack")
    city = tmp_path / "pack" / "city.toml"
    text = (
        city.read_text("utf-8").replace('"example-city"', '"springfield"').replace("example = true", "example = false")
    )
    city.write_text(text, "utf-8")
    file = tmp_path / "kiosk.toml"
    file.write_text(TOML, "utf-8")
    (tmp_path / "state").mkdir(mode=0o700)
    return file


def commission(run: Run, config: Path, *more: str, pin: str = "2580", person: str = "p01") -> Any:
    return run("commission", "--person", person, "--box", "B-0001", *more, config=config, feed=f"{pin}\n")


def bodies(config: Path) -> list[facts.AnyBody]:
    with Reader(app.load(config).journal_path) as reader:
        assert [each for each in verify(reader) if each.severity == "error"] == []
        return [each.fact.body for each in reader.read()]


def books_of(config: Path) -> Any:
    setup = app.load(config)
    journal = Journal.open(setup.journal_path, key=SigningKey.load(setup.key_path), ballast_bytes=0)
    try:
        return replay(journal)
    finally:
        journal.close()


def edit(config: Path, old: str, new: str) -> None:
    text = config.read_text("utf-8")
    assert old in text
    config.write_text(text.replace(old, new), "utf-8")


def test_an_admin_puts_a_live_journal_into_service_and_the_fact_names_who_pack_and_box(run: Run, config: Path) -> None:
    result = commission(run, config)
    assert result.exit_code == 0, result.output
    assert "in service, by p01" in result.output
    assert "kiosk keys publish" in result.output  # how to add the key to the city's list
    found = bodies(config)
    assert isinstance(found[0], facts.Genesis)
    assert facts.OperatorSignedIn("p01", ("operate", "collect", "admin"), "control") in found
    assert facts.Commissioned("operator:p01", "springfield 2026.1", "B-0001") in found
    assert "2580" not in repr(found)
    books = books_of(config)
    assert books.commissioned
    assert books.box_number == "B-0001"


def test_only_a_look_changes_nothing_but_begins_the_journal(run: Run, config: Path) -> None:
    result = run("commission", "--check", "--json", config=config)
    assert result.exit_code == 0
    checks = {each["id"]: each["state"] for each in json.loads(result.stdout)["checks"]}
    assert set(checks) == {"realm", "pack", "people", "devices", "clock", "key", "published", "journal", "data", "box"}
    assert [type(body) for body in bodies(config)] == [facts.Genesis]
    assert not books_of(config).commissioned


def test_a_journal_is_put_into_service_once(run: Run, config: Path) -> None:
    assert commission(run, config).exit_code == 0
    before = len(bodies(config))
    again = commission(run, config, person="p02", pin="0000")
    assert again.exit_code == 0
    assert "is in service" in again.output
    assert len(bodies(config)) == before


@pytest.mark.parametrize(
    ("person", "pin", "reason", "told"),
    [
        ("p01", "1357", "pin", "the id p01 or the PIN is wrong"),
        ("p02", "4711", "role", "has not the role"),
        ("p77", "2580", "unknown", "the id p77 or the PIN is wrong"),
    ],
)
def test_whoever_may_not_do_it_leaves_a_fact_and_changes_nothing(
    run: Run, config: Path, person: str, pin: str, reason: str, told: str
) -> None:
    result = commission(run, config, person=person, pin=pin)
    assert result.exit_code == 1
    assert told in result.output
    (refused,) = [body for body in bodies(config) if isinstance(body, facts.OperatorRefused)]
    assert (refused.reason, refused.purpose) == (reason, "control")
    assert not books_of(config).commissioned


def test_five_wrong_pins_lock_the_right_one_out_too(run: Run, config: Path) -> None:
    for _ in range(5):
        assert commission(run, config, pin="1357").exit_code == 1
    locked = commission(run, config)
    assert locked.exit_code == 1
    assert "locked out" in locked.output
    assert not books_of(config).commissioned


def publish(config: Path, key: str) -> None:
    listed = {"city": "Springfield", "keys": [{"kiosk": "K07", "epoch": 1, "public_key": key}]}
    (config.parent / "keys.json").write_text(json.dumps(listed), "utf-8")
    edit(config, "[paths]\n", '[paths]\npublished_keys = "keys.json"\n')


def without_printer(config: Path) -> None:
    text = config.read_text("utf-8")
    config.write_text(text[: text.rindex("[[device]]")], "utf-8")


def pack_of_an_example(config: Path) -> None:
    edit(config.parent / "pack" / "city.toml", "example = false", "example = true")


HINDRANCES: dict[str, tuple[Callable[[Path], None], str]] = {
    "an example pack": (pack_of_an_example, "pack"),
    "nobody is admin": (lambda config: edit(config, '"admin", "collect"', '"operate", "collect"'), "people"),
    "no printer": (without_printer, "devices"),
    "another key is published": (lambda config: publish(config, "ab" * 32), "published"),
    "a broken list": (lambda config: publish(config, "zz"), "published"),
}


@pytest.mark.parametrize("name", HINDRANCES)
def test_what_a_kiosk_lacks_keeps_it_out_of_service(run: Run, config: Path, name: str) -> None:
    hinder, check = HINDRANCES[name]
    hinder(config)
    result = run("commission", "--person", "p01", "--box", "B-0001", "--json", config=config, feed="2580\n")
    assert result.exit_code == 1
    failed = [each for each in json.loads(result.stdout)["checks"] if each["state"] == "fail"]
    assert [each["id"] for each in failed] == [check]
    assert failed[0]["fix"]
    assert not any(isinstance(body, facts.Commissioned) for body in bodies(config))


def test_a_number_that_no_box_has_is_refused(run: Run, config: Path) -> None:
    result = run("commission", "--person", "p01", "--box", "b 1; x", config=config, feed="2580\n")
    assert result.exit_code == 1
    assert "no number of a box" in result.output


def test_a_clock_that_fell_behind_the_journal_keeps_it_out_of_service(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("commission", "--check", config=config).exit_code == 0

    def behind(setup: app.Setup) -> Clock:
        return Clock(setup.city.zone, wall=lambda: 1_770_000_000 * 10**9, boot="another")

    monkeypatch.setattr(commissioning, "make_clock", behind)
    result = run("commission", "--check", "--json", config=config)
    assert result.exit_code == 1
    failed = [each["id"] for each in json.loads(result.stdout)["checks"] if each["state"] == "fail"]
    assert "clock" in failed


@pytest.mark.parametrize("realm", ["demo", "training"])
def test_no_other_realm_is_put_into_service(run: Run, config: Path, realm: str) -> None:
    edit(config, 'realm = "live"', f'realm = "{realm}"')
    result = commission(run, config)
    assert result.exit_code == 1
    assert "needs no commissioning" in result.output
    assert list((config.parent / "state").glob("journal-live*")) == []


def test_a_kiosk_in_training_is_not_commissioned_by_mistake(run: Run, config: Path) -> None:
    (config.parent / "state" / CHOICE).write_text("training\n")
    assert "works in the realm training" in commission(run, config).output


def test_a_running_kiosk_is_not_touched(run: Run, config: Path) -> None:
    assert run("commission", "--check", config=config).exit_code == 0
    setup = app.load(config)
    journal = Journal.open(setup.journal_path, key=SigningKey.load(setup.key_path), ballast_bytes=0)
    try:
        result = commission(run, config)
    finally:
        journal.close()
    assert result.exit_code == 1
    assert "in use by process" in result.output
    assert [type(body) for body in bodies(config)] == [facts.Genesis]


def test_a_published_key_is_recognised(run: Run, config: Path) -> None:
    assert run("commission", "--check", config=config).exit_code == 0
    listed = config.parent / "keys.json"
    assert run("keys", "publish", "--city", "Springfield", "--out", listed, config=config).exit_code == 0
    edit(config, "[paths]\n", '[paths]\npublished_keys = "keys.json"\n')
    checks = json.loads(run("commission", "--check", "--json", config=config).stdout)["checks"]
    assert [each["state"] for each in checks if each["id"] == "published"] == ["ok"]


def test_the_doctor_tells_whether_the_journal_is_in_service(run: Run, config: Path) -> None:
    def states() -> list[str]:
        return [each.state for each in doctor_checks.commissioned(app.load(config))]

    assert states() == ["warn"]
    run("commission", "--check", config=config)
    assert states() == ["fail"]
    commission(run, config)
    assert states() == ["ok"]
    (config.parent / "state" / CHOICE).write_text("training\n")
    assert states() == ["warn"]


# --- the city's pack, and a list of several kiosks -----------------------------------------------------------------


def test_a_pack_is_checked_as_a_whole_and_named(run: Run, config: Path) -> None:
    pack = config.parent / "pack"
    result = run("city", "check", pack, "--json")
    told = json.loads(result.stdout)
    assert (told["pack"], len(told["digest"])) == ("springfield 2026.1", 16)
    assert told["good"] is (result.exit_code == 0)
    shown = json.loads(run("city", "show", "--json", config=config).stdout)
    assert (shown["pack"], shown["digest"]) == (told["pack"], told["digest"])
    assert shown["city"]["colours"]["accent"] == "#0b4a8a"
    in_words = run("city", "show", config=config).stdout
    assert "accent #0b4a8a" in in_words
    assert "{" not in in_words
    edit(pack / "city.toml", 'zone = "America/Chicago"', 'zone = "America/Chicgo"')
    broken = run("city", "check", pack)
    assert broken.exit_code == 1
    assert "city.toml, line" in broken.output


def test_a_word_that_a_service_shows_and_nobody_wrote_is_a_finding(run: Run, config: Path) -> None:
    pack = config.parent / "pack"
    edit(pack / "services" / "water_bill.toml", 'name = "service.water_bill"', 'name = "service.watr_bill"')
    result = run("city", "check", pack, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)["findings"]
    assert "en: service.watr_bill is missing, and a service or policy shows it" in found
    assert "is good" not in run("city", "check", pack).stdout


def test_a_list_of_keys_grows_by_a_kiosk_and_never_changes_what_it_holds(run: Run, config: Path) -> None:
    assert run("commission", "--check", config=config).exit_code == 0
    listed = config.parent / "keys.json"
    other = {"kiosk": "K01", "epoch": 1, "public_key": "a" * 64, "revoked": True, "valid_until": "2026-02-01"}
    listed.write_text(json.dumps({"city": "Springfield", "keys": [other]}), "utf-8")
    for _ in range(2):
        done = run("keys", "publish", "--city", "Springfield", "--add-to", listed, "--out", listed, config=config)
        assert done.exit_code == 0
    keys = json.loads(listed.read_text("utf-8"))["keys"]
    assert [(each["kiosk"], each["realm"], each["revoked"], each["valid_until"]) for each in keys] == [
        ("K01", "live", True, "2026-02-01"), ("K07", "live", False, None)
    ]  # fmt: skip
    listed.write_text(json.dumps({"city": "S", "keys": [{**other, "kiosk": "K07"}]}), "utf-8")
    clash = run("keys", "publish", "--city", "S", "--add-to", listed, config=config)
    assert clash.exit_code == 1
    assert "another key" in clash.output
