"""The short form of `make bench-sync`: every way without a server of others stores every fact; no time is judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench import sync_backlog, sync_mqtt, sync_ours
from bench.measure_sync import _ratios, missing
from bench.sync_rivals import RIVALS, SINGLES
from bench.sync_store import FactStore, stored

ROOT = Path(__file__).resolve().parents[2]
FACTS = 400


def test_the_ways_without_a_server_of_others_store_every_fact(tmp_path: Path) -> None:
    names = [rival.name for rival in RIVALS if not rival.needs]
    words = [word for name in names for word in ("--only", name)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.measure_sync", "--facts", str(FACTS), "--runs", "1", "--no-servers", *words],
        cwd=ROOT, env={**os.environ, "KIOSK_BENCH_DIR": str(tmp_path)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert (told["failed"], told["left_out"]) == ({}, {})
    assert set(told["ways"]) == set(names)
    assert told["facts"] >= FACTS
    assert {way["facts"] for way in told["ways"].values()} == {told["facts"]}
    assert all(way["per_s"] > 0 for way in told["ways"].values())
    assert list(tmp_path.iterdir()) == [], "everything is cleaned up"


@pytest.mark.slow
def test_our_own_way_is_the_whole_way_and_what_is_posted_is_counted(tmp_path: Path) -> None:
    backlog = sync_backlog.write(tmp_path / "backlog", FACTS)
    assert [fact[2] for fact in backlog.rows()] == list(range(1, backlog.facts + 1))
    rates = sync_ours.drain(sync_ours.WAYS[0], tmp_path / "run", backlog, "")
    assert set(rates) == {"ours_acknowledged", "ours_posted"}
    assert rates["ours_acknowledged"] >= rates["ours_posted"] > 0
    hub = sync_ours.Hub(tmp_path / "run", "")
    assert hub.one("segments", "SELECT sum(last - first + 1) FROM segment") == backlog.facts
    more = msgspec.structs.replace(backlog, facts=backlog.facts + 1)
    with pytest.raises(RuntimeError, match=f"posted {backlog.facts} of {backlog.facts + 1} facts"):
        sync_ours._whole(hub, more)


def test_a_fact_that_comes_twice_is_stored_once(tmp_path: Path) -> None:
    store = FactStore(tmp_path / "facts.db")
    for _ in range(2):
        store.add([("K07", 1, 1, b"row"), ("K07", 1, 2, b"other")])
    store.close()
    assert stored(tmp_path / "facts.db") == (2, 8)


def test_a_ratio_is_that_of_two_rates_of_one_run() -> None:
    rates: dict[str, list[float | None]] = {"ours_posted": [100.0, 400.0, 90.0], "http_batch": [50.0, 100.0, None]}
    assert _ratios(rates) == {"ours_posted": {"http_batch": 3.0}}


def test_what_is_not_installed_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("bench.measure_sync.program", lambda name: None)
    by_name = {rival.name: missing(rival) for rival in RIVALS}
    assert by_name["mqtt_qos1"] == "not installed: apt-get install mosquitto"
    assert by_name["nats"] == "not installed: apt-get install nats-server"
    assert by_name["http_batch"] == ""
    assert SINGLES <= 5_000, "one by one with a commit each is slow on purpose"


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 70_000])
def test_an_mqtt_packet_says_how_long_it_is(size: int) -> None:
    whole = sync_mqtt.packet(0x30, b"x" * size)
    line = object.__new__(sync_mqtt.Line)
    line._buffer = bytearray(whole + whole[:-1] if size else whole)
    assert list(line._whole()) == [(3, 0, b"x" * size)]
    assert bytes(line._buffer) == (whole[:-1] if size else b"")
