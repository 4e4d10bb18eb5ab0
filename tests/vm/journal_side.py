"""In the guest: a real journal on a disk whose power is about to go, and what is left of it afterwards.

python3 journal_side.py write DISK          # a line "ack EPOCH SEQ HASH" for each commit, until the power goes
python3 journal_side.py check DISK ACK ...  # ACK is EPOCH:SEQ:HASH; ends with 0 where all of it is there
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from bench.powercut import Ack, look
from bench.powercut_program import BALLAST, KEY, NAME, commit_of, stamp
from kiosk.journal.store import Journal

PLACE = Path("/data")


def mount(disk: str) -> None:
    """Mount the disk, waiting for it to appear."""
    node = Path("/dev/disk/by-id") / f"virtio-{disk}"
    end = time.monotonic() + 30
    while not node.exists() and time.monotonic() < end:
        time.sleep(0.05)
    PLACE.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "ext4", str(node), str(PLACE)], check=True)


def write() -> None:
    """Commit for ever."""
    chance, step = random.Random(1), 0
    journal = Journal.create(PLACE / "state" / NAME, kiosk="K07", realm="demo", key=KEY, stamp=stamp(0), **BALLAST)
    while True:
        print(f"ack {journal.epoch} {journal.seq} {journal.head.hex()}", flush=True)
        step += 1
        journal.append(commit_of(step, chance), stamp(step))


def check(*acks: str) -> int:
    """Open the journal, hold it against what was acknowledged, and commit once more."""
    parts = [ack.split(":") for ack in acks]
    promised = [Ack(int(epoch), int(seq), head, 0) for epoch, seq, head in parts]
    wrong = look(PLACE, promised, random.Random(2))
    print(wrong or "everything acknowledged is there")
    return 1 if wrong else 0


if __name__ == "__main__":
    order, name, *rest = sys.argv[1:]
    mount(name)
    sys.exit(check(*rest) if order == "check" else write())
