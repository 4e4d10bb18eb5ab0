"""What runs on the recorded disk: a real journal that is made, filled, tidied and opened again.

    python -m bench.powercut_program DIRECTORY FULL|NORMAL COMMITS SEED LOG ACKS

After each thing that the journal has acknowledged one line goes to ACKS: epoch, seq, hash and the size of the
disk's log at that moment.  A crash state cut at or after that size must hold the fact.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import sys
from pathlib import Path
from typing import TextIO

from kiosk.journal.keys import SigningKey
from kiosk.journal.store import Journal
from kiosk.model.entry import Entry, Posting
from kiosk.model.facts import AnyBody, DeviceChanged, Digests, NoteCredited, NoteSuspended, StackIntended, Stamp
from kiosk.model.ids import NoteId
from kiosk.model.instant import Instant
from kiosk.model.money import Money

#: An example key: the same in the program and in the check.
KEY = SigningKey.from_seed(b"an example key for a power cut! ")
NAME = "journal.db"
BALLAST = {"ballast_bytes": 256 << 10, "reserve_bytes": 1 << 20}


def stamp(step: int) -> Stamp:
    """Return an example stamp; time goes forward with the steps."""
    at = Instant(1_773_000_000_000_000_000 + step, -18_000, 1 + step, "boot-of-the-bench")
    return Stamp(
        at=at,
        business_date=dt.date(2026, 3, 9),
        actor="device:acceptor",
        session="",
        box_session=1,
        digests=Digests("0" * 16, "1" * 16, "2" * 16),
    )


def commit_of(serial: int, chance: random.Random) -> list[AnyBody]:
    """Return the facts of one example commit, of different kinds and lengths."""
    note, value = NoteId("acceptor", serial), Money(2000, "USD")
    kind = chance.randrange(4)
    if kind == 0:
        return [StackIntended(note, value)]
    if kind == 1:
        entry = Entry("USD", (Posting("cash_box", 2000), Posting("unapplied", -2000)), "note")
        return [StackIntended(note, value), NoteCredited(note, value, entry)]
    if kind == 2:
        entry = Entry("USD", (Posting("cash_box", 2000), Posting("suspense", -2000)), "suspense")
        return [NoteSuspended("acceptor", note, value, "outside a session", entry)]
    return [DeviceChanged("printer", "paper_out", "fault", detail="x" * chance.randrange(3_000))] * chance.randrange(
        1, 4
    )


def _acknowledge(acks: TextIO, journal: Journal, log: str) -> None:
    acks.write(f"{journal.epoch} {journal.seq} {journal.head.hex()} {os.stat(log).st_size}\n")
    acks.flush()


def main(directory: str, mode: str, commits: str, seed: str, log: str, acks_file: str) -> None:
    """Run the program; it ends without closing the journal, as a power cut would end it."""
    path, chance = Path(directory) / "state" / NAME, random.Random(int(seed))

    def weaken(journal: Journal) -> Journal:
        journal._connection.execute(f"PRAGMA synchronous = {mode}")  # the negative control weakens it here
        return journal

    with open(acks_file, "w", encoding="ascii") as acks:
        journal = weaken(Journal.create(path, kiosk="K07", realm="demo", key=KEY, stamp=stamp(0), **BALLAST))
        _acknowledge(acks, journal, log)
        for step in range(1, int(commits) + 1):
            journal.append(commit_of(step, chance), stamp(step))
            _acknowledge(acks, journal, log)
            if step % 40 == 0:
                journal.save_checkpoint(journal.seq, b"state" * 400)
            if step % 90 == 0:
                journal.tidy()
            if step % 150 == 0:
                journal.close()
                journal = weaken(Journal.open(path, key=KEY, **BALLAST))
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
