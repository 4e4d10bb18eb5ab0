"""EIO and ENOSPC under the journal's own system calls, injected by libfiu.

The parent starts ``fiu-run -x python -m bench.powercut_faults SEED RUNS``; the child switches each fault on and
off by itself at a seeded moment between two commits.  Expected: an error of the right kind, everything
acknowledged before it still there after a new open, `verify` without a finding; after a full disk the same
object goes on once there is space, after EIO it refuses everything.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.powercut_program import BALLAST, KEY, NAME, commit_of, stamp
from kiosk.errors import JournalDamaged, JournalError, JournalFull
from kiosk.journal.reader import Reader
from kiosk.journal.store import Journal
from kiosk.journal.verify import Witness, verify

#: Fault: points of failure of libfiu, errno, the error that must come.
FAULTS: dict[str, tuple[tuple[str, ...], int, type[JournalError]]] = {
    "fsync_eio": (("posix/io/sync/fsync", "posix/io/sync/fdatasync"), 5, JournalDamaged),
    "write_eio": (("posix/io/rw/pwrite", "posix/io/rw/pwrite64"), 5, JournalDamaged),
    "write_enospc": (("posix/io/rw/pwrite", "posix/io/rw/pwrite64"), 28, JournalFull),
    "fsync_enospc": (("posix/io/sync/fsync", "posix/io/sync/fdatasync"), 28, JournalError),
}


def run(seed: int, runs: int) -> dict[str, object]:
    """Run every fault `runs` times in a child under libfiu; return counts and what differed."""
    if shutil.which("fiu-run") is None:
        print("powercut: fiu-run is missing (Debian package: fiu-utils); no fault was injected", flush=True)
        return {"runs": 0, "differences": 0, "skipped": "needs fiu-run (Debian package: fiu-utils)"}
    command = ["fiu-run", "-x", sys.executable, "-m", "bench.powercut_faults", str(seed), str(runs)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"runs": 0, "differences": 1, "differed": [f"the child broke: {done.stderr[-400:]}"]}
    result = json.loads(done.stdout.splitlines()[-1])
    print(f"powercut: injected faults: {result['runs']} runs, {result['differences']} differ", flush=True)
    return dict(result)


def one(directory: Path, fault: str, chance: random.Random, fiu: ctypes.CDLL) -> str:
    """Inject one fault into one fresh journal; return what went wrong, or "" where all was as promised."""
    points, number, expected = FAULTS[fault]
    path = directory / NAME
    journal = Journal.create(path, kiosk="K07", realm="demo", key=KEY, stamp=stamp(0), **BALLAST)
    heads = [Witness(journal.seq, journal.head.hex())]
    for step in range(chance.randrange(1, 12)):
        journal.append(commit_of(step + 1, chance), stamp(step))
        heads.append(Witness(journal.seq, journal.head.hex()))
    told: JournalError | None = None
    for point in points:
        fiu.fiu_enable(point.encode(), 1, ctypes.c_void_p(number), 0)
    try:
        journal.append(commit_of(100, chance), stamp(100))
    except JournalError as error:
        told = error
    finally:
        for point in points:
            fiu.fiu_disable(point.encode())
    if told is None:
        return "the fault was not noticed: append returned"
    if not isinstance(told, expected) or not told.hint:
        return f"{type(told).__name__} instead of {expected.__name__}: {told}"
    try:
        journal.append(commit_of(101, chance), stamp(101))
        if not isinstance(told, JournalFull):
            return "the journal went on after a fault that leaves the disk's state unknown"
        heads.append(Witness(journal.seq, journal.head.hex()))
    except JournalError as error:
        if isinstance(told, JournalFull):
            return f"the journal did not go on with space again: {error}"
    journal.close()
    with Journal.open(path, key=KEY, **BALLAST) as again:
        again.append(commit_of(102, chance), stamp(102))
    with Reader(path) as reader:
        found = verify(reader, witnesses=heads)
    return "; ".join(str(finding) for finding in found[:3])


def child(seed: int, runs: int) -> None:
    """Run every fault `runs` times; print one JSON object."""
    fiu, chance = ctypes.CDLL("libfiu.so.0"), random.Random(seed)
    differed: list[str] = []
    for fault in FAULTS:
        for turn in range(runs):
            with tempfile.TemporaryDirectory(prefix="kiosk-fault-", dir="/var/tmp") as directory:
                try:
                    wrong = one(Path(directory), fault, chance, fiu)
                except JournalError as error:
                    wrong = f"{type(error).__name__}: {error}"
            if wrong:
                differed.append(f"{fault} {turn}: {wrong[:300]}")
    print(json.dumps({"runs": runs * len(FAULTS), "differences": len(differed), "differed": differed[:10]}))


if __name__ == "__main__":
    os.environ.pop("LD_PRELOAD", None)  # grandchildren run without faults
    child(int(sys.argv[1]), int(sys.argv[2]))
