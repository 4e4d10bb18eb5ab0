"""The operator's and the technician's commands, from the first code to the revocation, against a front that runs."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kiosk.cli.hub import hub as hub_group
from kiosk.cli.root import kiosk as kiosk_group
from kiosk.cli.sync_enrolling import enrol as sync_enrol
from kiosk.errors import HubError
from kiosk.hub.front.approval import make_code
from kiosk.hub.store import tables
from kiosk.journal.keys import SigningKey
from kiosk.journal.store import Journal
from kiosk.sync.keys import CURRENT, ENROLLING, TransportKey, load_hubs
from kiosk.sync.messages import Nack, Ping
from tests.hub.front.conftest import HubInThread, free_ports, until
from tests.journal.conftest import stamp_at


class Desk:
    """An operator at the hub and a technician at a kiosk."""

    def __init__(self, hub: HubInThread, directory: Path) -> None:
        self.hub = hub
        self.hub_toml = directory / "hub.toml"
        listen, state = hub.setup.config.listen, hub.setup.config.hub.state
        self.hub_toml.write_text(
            f'[hub]\nid = "hub"\nstate = "{state}"\nruntime = "{hub.setup.config.hub.runtime}"\n'
            f'[listen]\njournal = "{listen.journal}"\nenrol = "{listen.enrol}"\n'
        )
        self.state = directory / "kiosk"
        self.state.mkdir(mode=0o700)
        self.kiosk_toml = directory / "kiosk.toml"
        journal = self.state / "journal-live.db"
        key = SigningKey.create(journal.with_suffix(".key"))
        Journal.create(
            journal, kiosk="K07", realm="live", key=key, stamp=stamp_at(0), ballast_bytes=64 << 10,
            reserve_bytes=64 << 10,
        ).close()  # fmt: skip

    def configure(self, fingerprint: str) -> None:
        listen = self.hub.setup.config.listen
        self.kiosk_toml.write_text(
            f'[kiosk]\nid = "K07"\n[paths]\nstate = "{self.state}"\nruntime = "{self.state}"\n[[sync.hub]]\n'
            f'endpoint = "{listen.journal}"\nenrol = "{listen.enrol}"\nfingerprint = "{fingerprint}"\n'
        )

    def at_hub(self, *words: str) -> Result:
        return run(hub_group, *words, "--config", str(self.hub_toml))

    def told(self, *words: str) -> dict[str, Any]:
        result = self.at_hub(*words, "--json")
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def at_kiosk(self, *words: str) -> Result:
        return run(sync_enrol, *words, "--config", str(self.kiosk_toml))


def run(command: Any, *words: str) -> Result:
    return CliRunner().invoke(command, list(words), env={"NO_COLOR": "1"})


@pytest.fixture
def desk(hub: HubInThread, tmp_path: Path) -> Desk:
    return Desk(hub, tmp_path)


def test_a_kiosk_goes_from_its_code_to_the_hub_and_out_again_by_commands_alone(desk: Desk) -> None:
    ours = desk.told("keys")["transport"][0]
    given = desk.told("enrol", "K07", "--name", "Town hall")
    assert (given["hub_key"], given["fingerprint"]) == (ours["key"], ours["fingerprint"])
    desk.configure(given["fingerprint"])
    asked = desk.at_kiosk("--hub-key", given["hub_key"], "--code", given["code"], "--once")
    assert asked.exit_code == 3, asked.output
    waiting = desk.told("kiosks")["kiosks"][0]
    assert (waiting["id"], waiting["state"], waiting["waits"]) == ("K07", "pending", True)
    words = waiting["keys"][0]["words"]
    assert words in asked.output
    assert desk.at_hub("approve", "K07", "--words", "a b c d e f").exit_code == 1
    assert desk.told("approve", "K07", "--words", words.replace("-", " "))["worker"] == 0
    desk.hub.settle()
    # Whoever asks twice within half a second is told *later*.
    done = until(lambda: (asked := desk.at_kiosk("--hub-key", given["hub_key"], "--once")).exit_code == 0 and asked)
    assert "belongs to hub hub" in done.output
    known = load_hubs(desk.state)[given["fingerprint"]]
    assert (known.hub, known.kiosk, known.server_key) == ("hub", "K07", given["hub_key"])
    key = TransportKey.load(desk.state / CURRENT)
    kiosk = desk.hub.connect("K07", key)
    kiosk.greet()
    revoked = desk.told("revoke", "K07", "--yes")
    assert revoked["seen_by_front"] is True
    kiosk.send(Ping(1))
    assert kiosk.expect(Nack).code == "revoked"
    assert desk.at_hub("revoke", "K08", "--yes").exit_code == 1


def test_the_technicians_command_waits_for_the_approval_by_itself(desk: Desk) -> None:
    given = desk.told("enrol", "K07")
    desk.configure(given["fingerprint"])
    results: list[Result] = []

    def ask() -> None:
        results.append(desk.at_kiosk("--hub-key", given["hub_key"], "--code", given["code"]))

    technician = threading.Thread(target=ask)
    technician.start()
    row = until(lambda: desk.hub.row(tables.kiosk_key, purpose="transport", kiosk="K07"))
    desk.told("approve", "K07", "--words", row.words)
    technician.join(30)
    assert results[0].exit_code == 0
    assert (desk.state / CURRENT).exists()
    assert not (desk.state / ENROLLING).exists()


@pytest.mark.parametrize("wrong", ["fingerprint", "code", "nothing"])
def test_the_technicians_mistakes_are_told_and_change_nothing(desk: Desk, wrong: str) -> None:
    given = desk.told("enrol", "K07")
    desk.configure("0" * 64 if wrong == "fingerprint" else given["fingerprint"])
    words = {
        "fingerprint": ["--hub-key", given["hub_key"], "--code", given["code"]],
        "code": ["--hub-key", given["hub_key"], "--code", given["code"][:-1] + "!"],
        "nothing": ["--code", given["code"]],
    }[wrong]
    result = desk.at_kiosk(*words, "--once")
    assert result.exit_code == 1
    assert result.exception is not None
    told = str(result.exception)
    assert {"fingerprint": "configuration", "code": "code holds", "nothing": "not known yet"}[wrong] in told
    assert load_hubs(desk.state) == {}


def test_a_wrong_code_is_refused_by_the_hub_with_what_to_do(desk: Desk) -> None:
    given = desk.told("enrol", "K07")
    desk.configure(given["fingerprint"])
    newer = desk.told("enrol", "K07")
    assert newer["code"] != given["code"]
    desk.hub.settle()
    result = desk.at_kiosk("--hub-key", given["hub_key"], "--code", given["code"], "--once")
    assert result.exit_code == 1
    assert "ask the operator for a new code" in str(result.exception)


def test_the_hubs_key_is_changed_in_two_steps(desk: Desk) -> None:
    port = str(free_ports(1)[0])
    first = desk.told("rotate", "hub", "--port", port)
    assert [key["state"] for key in desk.told("keys")["transport"]] == ["current", "next"]
    refused = desk.at_hub("rotate", "hub", "--finish")
    assert refused.exit_code == 1
    assert "--yes" in str(refused.exception)
    last = desk.told("rotate", "hub", "--finish", "--yes")
    assert (last["key"], last["state"]) == (first["key"], "current")
    assert [key["key"] for key in desk.told("keys")["transport"]] == [first["key"]]
    assert desk.at_hub("rotate", "hub").exit_code == 2


def test_a_kiosk_is_asked_for_a_new_key_by_a_command(desk: Desk) -> None:
    desk.hub.register("K07")
    told = desk.told("rotate", "K07")
    assert desk.hub.row(tables.command, id=told["command"]).command == "rotate"
    assert desk.at_hub("rotate", "K08").exit_code == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["enrol", "k7"], "cannot name a kiosk"), (["enrol", "K07", "--realm", "moon"], "not a realm"),
        (["approve", "K07"], "not known"), (["revoke", "K07"], "--yes"), (["revoke", "K07", "--yes"], "no kiosk"),
        (["rotate", "hub", "--finish", "--yes"], "no next key"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_with_its_cause(desk: Desk, words: list[str], told: str) -> None:
    result = desk.at_hub(*words)
    assert result.exit_code == 1
    assert told in str(result.exception)


def test_a_hub_awaits_kiosks_of_its_own_realm_alone(desk: Desk) -> None:
    refused = desk.at_hub("enrol", "K07", "--realm", "training").exception
    assert "the books of this hub are of realm live" in str(refused)
    assert desk.told("kiosks")["kiosks"] == []
    desk.told("enrol", "K07")
    assert desk.told("kiosks")["kiosks"][0]["realm"] == "live"


def test_a_kiosk_has_one_realm_for_ever_from_its_first_request_on(desk: Desk) -> None:
    desk.hub.register("K01")
    with desk.hub.stores.office.begin() as connection:
        make_code(connection, "K07", "training", "", "", "test", 0)
        make_code(connection, "K07", "live", "", "", "test", 0)
        with pytest.raises(HubError, match="K01 is known in realm live"):
            make_code(connection, "K01", "training", "", "", "test", 0)
    assert desk.hub.row(tables.kiosk, id="K07").realm == "live"


def test_commands_say_so_where_no_hub_was_founded(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(f'[hub]\nid = "hub"\nstate = "{tmp_path / "nowhere"}"\n')
    result = run(kiosk_group, "hub", "kiosks", "--config", str(file))
    assert result.exit_code == 1
    assert "there is no hub" in result.output


def test_an_operator_reads_what_to_type_where(desk: Desk) -> None:
    desk.hub.register("K01")
    told = desk.at_hub("enrol", "K07").output
    assert "[[sync.hub]]" in told
    assert "kiosk sync enrol --hub-key='" in told
    listed = desk.at_hub("kiosks").output
    assert "K01: current  transport" in listed
    assert "K07    pending" in listed
    assert "fingerprint" in desk.at_hub("keys").output
