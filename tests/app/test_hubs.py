"""hub.toml with everything it points to."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from kiosk.app.hubs import load_hub
from kiosk.cli.root import kiosk as command


def test_relative_paths_count_from_the_file_and_not_from_where_a_command_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, elsewhere = tmp_path / "room", tmp_path / "elsewhere"
    room.mkdir()
    elsewhere.mkdir()
    (room / "hub.toml").write_text(
        '[hub]\nid = "city-hall"\nstate = "state"\nruntime = "/run/kiosk-hub"\n'
        '[alerts]\nwebhook_secret = "keys/webhook"\n',
        "utf-8",
    )
    monkeypatch.chdir(elsewhere)
    for named in (room / "hub.toml", Path("../room/hub.toml")):
        setup = load_hub(named)
        assert setup.config.state == room / "state"
        assert setup.config.runtime == Path("/run/kiosk-hub")
        assert setup.config.alerts.webhook_secret == str(room / "keys" / "webhook")


def test_a_hub_without_a_webhook_needs_no_secret(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('[hub]\nid = "city-hall"\n', "utf-8")
    setup = load_hub(tmp_path / "hub.toml")
    assert (setup.config.state, setup.config.alerts.webhook_secret) == (Path("/var/lib/kiosk-hub"), "")


def test_every_command_finds_the_hub_wherever_it_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "hub.toml").write_text('[hub]\nid = "city-hall"\nstate = "state"\nruntime = "run"\n', "utf-8")
    monkeypatch.chdir(tmp_path / "elsewhere")
    for words in (["init"], ["keys"], ["enrol", "K07"], ["kiosks"], ["data"], ["findings"], ["operators", "list"]):
        told = CliRunner().invoke(command, ["hub", *words, "--config", str(tmp_path / "hub.toml")])
        assert told.exit_code == 0, (words, told.output)
    assert list((tmp_path / "elsewhere").iterdir()) == []
