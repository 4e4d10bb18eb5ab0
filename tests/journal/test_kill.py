"""Real SIGKILL in the middle of commits: what was acknowledged is there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from kiosk.journal.reader import Reader
from kiosk.journal.store import Journal
from kiosk.journal.verify import Witness, verify

_CHILD = """
import sys
from pathlib import Path
from kiosk.journal.keys import SigningKey
from kiosk.journal.store import Journal
from tests.journal.conftest import stamp_at
from tests.journal.examples import payment
key = SigningKey.from_seed(bytes(range(32)))
journal = Journal.open(Path(sys.argv[1]), key=key, ballast_bytes=65536, reserve_bytes=65536)
sys.stdout.write(f"{journal.seq}:{journal.head.hex()}\\n"); sys.stdout.flush()
while True:
    serial = journal.seq + 1_000
    number = (journal.seq - 1) // 6 + 1
    journal.append(payment(journal.seq + 1, serial, number), stamp_at(journal.seq))
    sys.stdout.write(f"{journal.seq}:{journal.head.hex()}\\n"); sys.stdout.flush()
    if number % 20 == 0:
        journal._in_wal = 10_000
        journal.tidy()
"""


def test_a_killed_writer_loses_nothing_that_it_had_acknowledged(
    journal: Journal, path: Path, reopen: Callable[[], Journal]
) -> None:
    journal.close()
    chance, seen = random.Random(4), []
    for _ in range(6):
        child = subprocess.Popen([sys.executable, "-c", _CHILD, str(path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(chance.randrange(1, 60))]
        os.kill(child.pid, signal.SIGKILL)
        told += child.stdout.read().splitlines()
        child.wait()
        child.stdout.close()
        acknowledged = [Witness.parse(line) for line in told if len(line.strip().partition(":")[2]) == 64]
        with reopen() as again:
            held = again.seq
        assert acknowledged
        seen += [witness for witness in acknowledged if witness is not None]
        assert held >= max((witness.seq for witness in seen), default=1)
        assert (held - 1) % 6 == 0, "a commit is whole or not there"
    with Reader(path) as reader:
        assert verify(reader, witnesses=seen) == []
