"""`kiosk hub command`: what it puts into the table, what it waits for, and what it refuses before anybody is asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from kiosk.cli.hub_commands import command as cli
from kiosk.hub.revisions import current
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import Stores, open_stores
from kiosk.hub.store.tables import command, kiosk

WHY = ("--reason", "Water in the hall.", "--elsewhere", "City Hall, Main Street 1.")


class Office:
    """A hub's configuration and database, and a front that answers."""

    def __init__(self, place: Path) -> None:
        self.config = place / "hub.toml"
        self.config.write_text(f'[hub]\nid = "city-hall"\nstate = "{place}/state"\nruntime = "{place}/run"\n', "utf-8")
        self.stores: Stores = open_stores(place / "state")
        prepare(self.stores)
        with self.stores.office.begin() as connection:
            for name, state in (("K07", "approved"), ("K08", "pending")):
                connection.execute(
                    kiosk.insert().values(
                        id=name, state=state, realm="demo", name="", place="", changed_ns=0, changed_by="", worker=0
                    )
                )

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, [*arguments, "--config", str(self.config)])

    def rows(self) -> list[sa.Row[tuple[object, ...]]]:
        with self.stores.office.connect() as connection:
            return list(connection.execute(sa.select(command).order_by(command.c.asked_ns)))

    def answer(self, state: str, answer: str) -> None:
        """Do as the front does when a kiosk has answered a command."""
        while not self.rows():
            time.sleep(0.02)
        with self.stores.office.begin() as connection:
            connection.execute(command.update().values(state=state, answer=answer, answered_ns=1))

    def revision(self) -> int:
        with self.stores.office.connect() as connection:
            return current(connection, "commands")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    found = Office(tmp_path)
    yield found
    found.stores.close()


def test_a_command_waits_for_its_kiosk_and_says_so(office: Office) -> None:
    done = office.run("K07", "shutter", "closed", *WHY, "--wait", "0")
    assert done.exit_code == 3, done.output
    assert "waits to be sent" in done.output
    (row,) = office.rows()
    assert (row.kiosk, row.command, row.argument, row.state) == ("K07", "shutter", "closed", "waiting")
    assert row.reason == "Water in the hall. City Hall, Main Street 1."
    assert office.revision() == 1


@pytest.mark.parametrize(("state", "code"), [("done", 0), ("refused", 1)])
def test_the_answer_of_the_kiosk_ends_the_wait(office: Office, state: str, code: int) -> None:
    front = threading.Thread(target=office.answer, args=(state, "because"), daemon=True)
    front.start()
    done = office.run("K07", "close", "2026-11-21", "--json")
    front.join(20)
    assert done.exit_code == code, done.output
    told = json.loads(done.output)
    assert (told["schema"], told["state"], told["answer"]) == ("kiosk-hub-command-1", state, "because")


@pytest.mark.parametrize(
    "arguments",
    [
        ("K07", "shutter", "ajar"), ("K07", "shutter", "closed"), ("K07", "shutter", "closed", "--reason", "It is wet"),
        ("K07", "shutter", "open", *WHY), ("K07", "close", "20261121"), ("K07", "close"), ("K07", "resend", "12"),
        ("K07", "rotate", "now"), ("K08", "rotate"), ("K09", "rotate"), ("K07", "withdraw", "c1"),
        ("K07", "shutter", "closed", "--reason", "Two\nlines here", "--elsewhere", "City Hall, Main Street 1"),
        ("K07", "shutter", "closed", "--reason", "x" * 400, "--elsewhere", "City Hall, Main Street 1"),
        ("K07",), (),
    ],
)  # fmt: skip
def test_what_no_kiosk_would_take_is_refused_here(office: Office, arguments: tuple[str, ...]) -> None:
    assert office.run(*arguments).exit_code != 0
    assert office.rows() == []
    assert office.revision() == 0


def test_a_command_is_taken_back_while_it_has_not_been_sent(office: Office) -> None:
    office.run("K07", "rotate", "--wait", "0")
    (row,) = office.rows()
    assert office.run("K07", "withdraw", row.id).exit_code == 0
    assert office.rows()[0].state == "withdrawn"
    office.answer("sent", "")
    assert office.run("K07", "withdraw", row.id).exit_code != 0
    assert office.rows()[0].state == "sent"


def test_the_list_tells_what_became_of_each(office: Office) -> None:
    office.run("K07", "rotate", "--wait", "0")
    office.answer("done", "a new key is registered")
    assert "a new key is registered" in office.run("--list").output
    listed = json.loads(office.run("K07", "--list", "--json").output)["commands"]
    assert [(each["command"], each["state"]) for each in listed] == [("rotate", "done")]
    assert json.loads(office.run("K08", "--list", "--json").output)["commands"] == []
