"""`kiosk hub operators`: who may sign in is decided on the command line alone."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from kiosk.cli.hub_operators import operators
from kiosk.errors import OperatorError
from kiosk.hub.store.tables import operator
from kiosk.hub.web import people
from tests.hub.web.city import PASSWORD, City


class Line:
    """A command line in front of a hub."""

    def __init__(self, place: Path) -> None:
        self.config = place / "hub.toml"
        self.config.write_text(f'[hub]\nid = "city-hall"\nstate = "{place}/state"\n', "utf-8")
        self.password = place / "password"
        self.password.write_text(PASSWORD + "\n", "utf-8")
        self.password.chmod(0o600)

    def run(self, *words: str, typed: str = "") -> Result:
        told = CliRunner().invoke(operators, [*words, "--config", str(self.config)], input=typed)
        if isinstance(told.exception, OperatorError):
            raise told.exception
        assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
        return told

    def listed(self) -> list[dict[str, object]]:
        told: list[dict[str, object]] = json.loads(self.run("list", "--json").stdout)["operators"]
        return told


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def test_a_person_is_added_signs_in_and_is_locked_out_and_in_again(line: Line, city: City) -> None:
    line.config.write_text(f'[hub]\nid = "city-hall"\nstate = "{city.setup.config.state}"\n', "utf-8")
    line.run("add", "o-a", "--roles", "count, view", "--name", "A", "--password-file", str(line.password))
    assert line.listed() == [{"id": "o-a", "name": "A", "roles": ["view", "count"], "state": "open"}]
    browser = city.browser("o-a")
    assert "1 session of o-a ended" in line.run("sign-out", "o-a").output
    assert browser.get("/fleet").status_code == 303
    line.run("lock", "o-a")
    assert browser.sign_in("o-a").status_code == 403
    line.run("unlock", "o-a")
    line.run("roles", "o-a", "--roles", "audit")
    assert line.listed()[0]["roles"] == ["audit"]
    line.run("password", "o-a", typed="a third long password\na third long password\n")
    assert browser.sign_in("o-a").status_code == 403
    assert browser.sign_in("o-a", "a third long password").status_code == 303


def test_a_password_is_never_echoed_and_its_file_is_private(line: Line) -> None:
    told = line.run("add", "o-a", "--roles", "view", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert PASSWORD not in told.output
    assert "argon2" not in line.run("list").output
    line.password.chmod(0o640)
    with pytest.raises(OperatorError, match="others may read"):
        line.run("add", "o-b", "--roles", "view", "--password-file", str(line.password))


def test_what_cannot_be_a_person_is_refused(line: Line) -> None:
    file = ("--password-file", str(line.password))
    line.run("add", "o-a", "--roles", "view", *file)
    for words, why in (
        (("add", "o-a", "--roles", "view", *file), "there already"),
        (("add", "Ada Lovelace", "--roles", "view", *file), "cannot be a person's id"),
        (("add", "o-b", "--roles", "count,audit", *file), "two people"),
        (("add", "o-b", "--roles", "root", *file), "no role"),
        (("add", "o-b", "--roles", ",", *file), "without a role"),
        (("lock", "o-x"), "no operator"),
        (("sign-out", "o-x"), "no operator"),
        (("roles", "o-a", "--roles", "count,export"), "two people"),
    ):
        with pytest.raises(OperatorError, match=why):
            line.run(*words)
    line.password.write_text("short\n", "utf-8")
    with pytest.raises(OperatorError, match="cannot be a password"):
        line.run("add", "o-b", "--roles", "view", *file)
    assert [one["id"] for one in line.listed()] == ["o-a"]


def test_a_lock_after_wrong_passwords_shows_in_the_list(line: Line, city: City) -> None:
    line.config.write_text(f'[hub]\nid = "city-hall"\nstate = "{city.setup.config.state}"\n', "utf-8")
    city.person("o-a", "view")
    with city.stores.office.begin() as connection:
        locked = {"failures": 5, "locked_until_ns": time.time_ns() + people.LOCK_NS}
        connection.execute(sa.update(operator).values(locked))
    assert "locked for 15 minutes after wrong passwords" in str(line.listed()[0]["state"])
