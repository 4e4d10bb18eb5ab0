"""`make powercut`: cut the power under the journal's disk, state by state, and look for what was promised.

    python -m bench.powercut [--states 500] [--seed 1]

A journal runs on a disk that records every write and flush (`powercut_disk`).  Each crash state is mounted and
the journal in it opened by the real code: every fact acknowledged before the cut must be there under its hash,
`verify` must find nothing, and one more fact must be taken.  A negative control with ``synchronous=NORMAL`` runs
the same way and must lose facts, which proves that the rig sees a loss.  Then EIO and ENOSPC are injected into
fsync and write by libfiu (`powercut_faults`).  The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench import powercut_faults
from bench.powercut_disk import LogEntry, RecordedDisk, missing
from bench.powercut_program import BALLAST, KEY, NAME, commit_of, stamp
from kiosk.errors import KioskError
from kiosk.journal.reader import Reader
from kiosk.journal.store import Journal
from kiosk.journal.verify import Witness, verify


class Ack(NamedTuple):
    """A fact that was acknowledged, and how long the disk's log was then."""

    epoch: int
    seq: int
    hash: str
    log_size: int


def record(disk: RecordedDisk, mode: str, commits: int, seed: int) -> list[Ack]:
    """Run the program on the disk and return what it acknowledged."""
    acks = disk.work / "acks"
    with disk.recording() as directory:
        arguments = [str(directory), mode, str(commits), str(seed), str(disk.log), str(acks)]
        subprocess.run([sys.executable, "-m", "bench.powercut_program", *arguments], check=True)
    lines = acks.read_text(encoding="ascii").splitlines()
    return [Ack(int(a), int(b), c, int(d)) for a, b, c, d in (line.split() for line in lines)]


def look(directory: Path, promised: list[Ack], chance: random.Random) -> str:
    """Open the journal of a crash state and return what is wrong with it, or "" where nothing is."""
    path = directory / "state" / NAME
    if not path.exists():
        return "the journal is gone" if promised else ""
    try:
        with Journal.open(path, key=KEY, **BALLAST) as journal:
            held = sum(1 for _ in journal.read())
            if promised and held < promised[-1].seq:
                return f"{promised[-1].seq - held} acknowledged facts are gone"
            journal.append(commit_of(1_000_000 + journal.seq, chance), stamp(1_000_000))
        with Reader(path) as reader:
            found = verify(reader, witnesses=[Witness(ack.seq, ack.hash, ack.epoch) for ack in promised])
    except KioskError as error:
        return f"{type(error).__name__}: {error.message}"
    return "; ".join(str(finding) for finding in found[:3])


def choose_cut(number: int, entries: list[LogEntry], acks: list[Ack], chance: random.Random) -> int:
    """Return after how many log entries the power goes: anywhere, every other time just after an acknowledgement."""
    if number % 2:
        return chance.randrange(1, len(entries) + 1)
    size = chance.choice(acks).log_size
    return sum(entry.end <= size for entry in entries)


def campaign(work: Path, mode: str, states: int, commits: int, seed: int) -> dict[str, object]:
    """Record one run and examine `states` crash states of it."""
    disk, chance, failed = RecordedDisk(work), random.Random(seed), []
    begun = time.monotonic()
    acks = record(disk, mode, commits, seed)
    entries = disk.entries()
    print(f"powercut: {mode}: {commits} commits, {len(entries)} log entries, {disk.flushes} flushes", flush=True)
    image = work / "crash.img"
    for number in range(1, states + 1):
        cut, kept = choose_cut(number, entries, acks, chance), chance.choice(("none", "all", "half"))
        disk.write_crash_state(image, cut, kept, chance)
        promised = [ack for ack in acks if ack.log_size <= entries[cut - 1].end]
        try:
            with disk.mounted_state(image) as directory:
                wrong = look(directory, promised, chance)
        except RuntimeError as error:
            wrong = str(error)
        if wrong:
            failed.append({"cut": cut, "kept": kept, "wrong": wrong[:300]})
        if number % 25 == 0 or number == states:
            rate = number / (time.monotonic() - begun)
            print(f"powercut: {mode}: {number}/{states} states, {len(failed)} differ, {rate:.1f}/s", flush=True)
    return {"states": states, "entries": len(entries), "flushes": disk.flushes, "failed": failed}


def run(states: int, seed: int, commits: int = 450) -> dict[str, object]:
    """Run the whole campaign and return its figures."""
    with tempfile.TemporaryDirectory(prefix="kiosk-powercut-", dir="/var/tmp") as work:
        full = campaign(Path(work) / "full", "FULL", states, commits, seed)
        control = campaign(Path(work) / "control", "NORMAL", max(12, states // 5), commits, seed)
    injected = powercut_faults.run(seed, max(4, states // 25))
    wrong, lost = full["failed"], control["failed"]
    assert isinstance(wrong, list)
    assert isinstance(lost, list)
    return {
        "bench": "powercut",
        "runs": states,
        "differences": len(wrong) + int(injected.get("differences", 0)),
        "control_runs": control["states"],
        "control_differences": len(lost),
        "seed": seed,
        "entries": full["entries"],
        "flushes": full["flushes"],
        "injected": injected,
        "differed": wrong[:10],
    }


def main() -> int:
    """Run from the command line; 0 where all promises held and the control showed losses."""
    parser = argparse.ArgumentParser(prog="powercut", description="Cut the power under the journal's disk.")
    parser.add_argument("--states", type=int, default=500, help="crash states to open (default 500)")
    parser.add_argument("--seed", type=int, default=1, help="seed of cuts and contents (default 1)")
    chosen = parser.parse_args()
    if lacking := missing():
        print(f"powercut: {lacking}; nothing was run")
        print(
            json.dumps({"bench": "powercut", "runs": 0, "differences": 0, "control_differences": 0, "skipped": lacking})
        )
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a polite kill still unmounts
    result = run(chosen.states, chosen.seed)
    print(json.dumps(result))
    return 0 if not result["differences"] and result["control_differences"] else 1


if __name__ == "__main__":
    sys.exit(main())
