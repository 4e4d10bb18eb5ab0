"""The short form of `make bench`: every rig measures the real thing and names its aims; no figure is judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import __main__ as bench_main
from bench import measure_history
from bench.measure_rig import MeasuredCore
from kiosk.core.replay import replay
from kiosk.journal.keys import SigningKey
from kiosk.journal.reader import Reader
from kiosk.journal.store import Journal
from kiosk.journal.verify import verify
from kiosk.model.facts import NoteCredited, ReceiptIssued

ROOT = Path(__file__).resolve().parents[2]
AIMS = {
    "note": {"stacked frame to durable credit, p99"},
    "journal": {
        "journal appends per write + fdatasync, a file that grows",
        "journal appends per write + fdatasync, blocks that are there",
    },
    "start": {"start to READY, median, with a checkpoint", "start to READY, median, every fact read again"},
    "idle": {"idle CPU, four devices polled at 200 ms", "resident memory with the screen open"},
    "scan": {"scan to painted review screen, p95", "replica look-up, p99"},
}  # fmt: skip


def bench(*names: str, room: Path) -> dict[str, object]:
    chosen = [word for name in names for word in ("--only", name)]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", *chosen],
        cwd=ROOT, env={**os.environ, "KIOSK_BENCH_DIR": str(room)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert {aim["name"] for aim in told["aims"]} == set().union(*(AIMS[name] for name in names))
    assert set(told["figures"]) == set(names)
    assert list(room.iterdir()) == [], "everything is cleaned up"
    figures = told["figures"]
    assert isinstance(figures, dict)
    return figures


def test_the_core_and_the_journal_are_measured_beside_the_bare_disk(tmp_path: Path) -> None:
    figures = bench("note", "journal", room=tmp_path)
    note = figures["note"]
    assert isinstance(note, dict)
    assert note["core_to_durable"]["count"] == note["bare_write"]["count"] > 0
    assert note["core_to_ack"]["p50_ms"] >= note["core_to_durable"]["p50_ms"] > 0


@pytest.mark.slow
def test_a_start_and_an_idle_kiosk_are_measured_as_whole_processes(tmp_path: Path) -> None:
    figures = bench("start", "idle", room=tmp_path)
    start, idle = figures["start"], figures["idle"]
    assert isinstance(start, dict)
    assert isinstance(idle, dict)
    assert start["facts"] >= 600
    assert min(idle["polls_per_s"]) > 0, "all four devices are polled"


@pytest.mark.slow
@pytest.mark.browser
def test_a_scan_is_measured_until_it_is_painted(tmp_path: Path) -> None:
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("needs /usr/bin/chromium (Debian package: chromium)")
    pytest.importorskip("playwright.sync_api")
    scan = bench("scan", room=tmp_path)["scan"]
    assert isinstance(scan, dict)
    assert scan["scan_to_painted"]["count"] == 3
    assert scan["look_up_warm"]["max_ms"] > 0


def test_what_cannot_be_measured_is_told_and_the_rest_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIOSK_BENCH_DIR", str(tmp_path))
    monkeypatch.setattr("bench.measure_scan.CHROMIUM", "/nowhere/chromium")
    told = bench_main.run(("journal", "scan"), quick=True)
    assert list(told["figures"]) == ["journal"]
    assert "/nowhere/chromium" in told["failed"]["scan"]


def test_a_note_is_timed_from_its_frame_over_its_commit_to_its_acknowledgement(tmp_path: Path) -> None:
    core = MeasuredCore(tmp_path, 2)
    core.begin()
    core.pay(0)
    core.end()
    credited = [fact for fact in core.facts if isinstance(fact.fact.body, NoteCredited)]
    assert len(core.notes) == len(credited) > 0
    assert all(note.begun < note.durable < note.confirmed for note in core.notes)


def test_the_long_journal_is_one_that_verify_and_replay_believe(tmp_path: Path) -> None:
    path, key = tmp_path / "journal.db", SigningKey.from_seed(b"an example key for a long tale! ")
    held = measure_history.write(path, key, tmp_path / "pattern", 500, kiosk="K07", realm="demo")
    assert held >= 500
    with Reader(path) as reader:
        assert [str(finding) for finding in verify(reader)] == []
        slips = sum(isinstance(each.fact.body, ReceiptIssued) for each in reader.read())
    with Journal.open(path, key=key) as journal:
        books = replay(journal)
    assert books.seq == held
    assert books.last_receipt == slips == books.payments
    assert books.open_session is None
    assert len(books.applied) == slips, "each citizen paid an invoice of their own"
