"""`kiosk sync`: what it tells of the line, and how it is asked."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import msgspec
import pytest

from kiosk.app.syncing import load_sync
from kiosk.errors import ReplicaError
from kiosk.sync import standing
from kiosk.sync.asking import AskingSocket
from kiosk.sync.messages import Mark
from kiosk.sync.service import SyncService
from kiosk.sync.standing import Standing
from tests.cli.conftest import Run


def well() -> Standing:
    """A line that stands, told just now: at the time of the test, which may run long after it was read in."""
    now = time.time_ns()
    return Standing(
        pid=os.getpid(), at_ns=now, state="streaming", hub="city-hall", endpoint="tcp://hub.example:7700",
        since_ns=now - 7_200_000_000_000, head=Mark(1, 412, b"h" * 32), acked=Mark(1, 412, b"h" * 32), unsynced=0,
        oldest_unsynced_ns=0, last_ack_ns=now - 3_000_000_000, offset_ms=-12, round_trip_ms=31, trouble=None, last=None,
        core="open", start=3,
    )  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "kiosk.toml"
    file.write_text('[kiosk]\nid = "K07"\nrealm = "demo"\n[paths]\nstate = "state"\nruntime = "run"\n')
    (tmp_path / "run").mkdir(mode=0o700)
    return file


def test_a_line_that_stands_is_told_in_words_and_in_json(run: Run, config: Path) -> None:
    standing.write(config.parent / "run", well())
    words = run("sync", "status", config=config)
    assert words.exit_code == 0
    assert "connected to city-hall at tcp://hub.example:7700 since 2 h ago" in words.stdout
    assert "unsynced:  none" in words.stdout
    told = json.loads(run("sync", "status", "--json", config=config).stdout)
    assert (told["schema"], told["well"], told["acked"][:2]) == ("kiosk-sync-1", True, [1, 412])


def test_what_is_wrong_is_told_with_its_cure_and_an_exit_code(run: Run, config: Path) -> None:
    trouble = standing.trouble("other_key", "", time.time_ns() - 60_000_000_000)
    standing.write(
        config.parent / "run",
        msgspec.structs.replace(
            well(),
            state="closed",
            trouble=trouble,
            last=trouble,
            unsynced=38,
            oldest_unsynced_ns=time.time_ns() - 600_000_000_000,
        ),
    )
    words = run("sync", "status", config=config)
    assert words.exit_code == 1
    assert "38 facts, the oldest from 10 min ago" in words.stdout
    assert "does not hold the key that is pinned here" in words.stdout
    assert "→ if the hub has changed its key, enrol again" in words.stdout


def test_a_process_that_hangs_is_not_well(run: Run, config: Path) -> None:
    standing.write(config.parent / "run", msgspec.structs.replace(well(), at_ns=time.time_ns() - 90_000_000_000))
    words = run("sync", "status", config=config)
    assert words.exit_code == 1
    assert "kiosk-sync hangs" in words.stdout


@pytest.mark.parametrize("left", [False, True])
def test_a_process_that_is_gone_is_told_whatever_it_left(run: Run, config: Path, left: bool) -> None:
    if left:
        standing.write(config.parent / "run", msgspec.structs.replace(well(), pid=2**22 + 1))
    words = run("sync", "status", config=config)
    assert words.exit_code == 1
    assert "kiosk-sync does not run here" in words.stderr


def test_asking_for_a_connection_reaches_the_service(run: Run, config: Path) -> None:
    assert run("sync", "now", config=config).exit_code == 1
    asking = AskingSocket(config.parent / "run")
    assert run("sync", "now", config=config).exit_code == 0
    assert asking.asked()
    assert not asking.asked()
    assert asking.path.stat().st_mode & 0o777 == 0o600
    asking.path.unlink()
    asking.still_there()
    assert run("sync", "now", "--json", config=config).exit_code == 0
    assert asking.asked()
    asking.close()
    assert not asking.path.exists()


def test_without_a_hub_the_service_ends_in_order_and_locks_nothing(run: Run, config: Path) -> None:
    result = run("sync", "run", config=config)
    assert result.exit_code == 0
    assert "this kiosk works alone" in result.stdout
    assert not (config.parent / "state").exists()


def test_facts_go_up_though_the_reference_data_are_damaged(config: Path) -> None:
    with config.open("a") as file:
        file.write(f'[[sync.hub]]\nendpoint = "tcp://h:1"\nenrol = "tcp://h:2"\nfingerprint = "{"0" * 64}"\n')
    whole = load_sync(config)
    assert whole is not None
    assert whole.replica == config.parent / "state/sync.db"
    with pytest.raises(ReplicaError, match="being written"):
        load_sync(config)
    whole.feed.close()
    (config.parent / "state/sync.db").write_bytes(b"no database at all " * 300)
    parts = load_sync(config)
    assert parts is not None
    assert (parts.replica, list(parts.feed.troubles)) == (None, ["replica"])
    service = SyncService(parts, lambda _: None)
    service.turn(1)
    service.close()
    told = standing.read(config.parent / "run")
    assert told is not None
    assert told.trouble is not None
    assert told.trouble.code == "not_enrolled"


def test_the_group_names_its_commands(run: Run) -> None:
    words = run("sync", "--help")
    assert [name for name in ("enrol", "run", "status", "now") if f"\n  {name} " not in words.stdout] == []
