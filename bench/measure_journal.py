"""Journal appends a second, chain and signature included, beside bare durable writes a second.

One fact a commit.  An append and the two bare writes (see `measure_disk`) take turns, so that whatever else the machine
does weighs on all alike; after each round of 64 the journal is tidied, as an idle kiosk does after each citizen, and
the slower figure that counts the tidying in is told too.  An aim is held against the median of the rounds' ratios.
"""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

from bench.measure_disk import BareDisk
from bench.measure_figures import Aim, middle, percentile, say, spread
from kiosk.journal.keys import SigningKey
from kiosk.journal.store import Journal
from kiosk.model.entry import Entry, Posting
from kiosk.model.facts import Digests, NoteCredited, Stamp
from kiosk.model.ids import NoteId
from kiosk.model.instant import Instant
from kiosk.model.money import Money

#: Commits of one round: what two or three citizens leave behind.
A_ROUND = 64
DIGESTS = Digests("0" * 16, "1" * 16, "2" * 16)
_VALUE = Money(2000, "USD")
_ENTRY = Entry("USD", (Posting("cash_box", 2000), Posting("unapplied", -2000)), "note")


def stamp(step: int) -> Stamp:
    """Return an example stamp; time goes forward with the steps."""
    at = Instant(1_795_500_000_000_000_000 + step, -21_600, 1 + step, "bench")
    return Stamp(at, dt.date(2026, 11, 24), "device:notes", "bench-1", 1, DIGESTS)


def measure(room: Path, *, quick: bool = False) -> tuple[dict[str, Any], list[Aim]]:
    """Measure appends and bare writes in turns; return the figures and the aims."""
    rounds = 3 if quick else 40
    say(f"journal: {rounds} rounds of {A_ROUND} appends and as many bare writes of both kinds, in turns")
    taken: dict[str, list[int]] = {"append": [], "bare_write": [], "bare_write_growing": []}
    ratios: dict[str, list[float]] = {"bare_write": [], "bare_write_growing": []}
    tidying = 0
    key = SigningKey.from_seed(b"an example key of a benchmark!! ")
    path = room / "appends" / "journal.db"
    with Journal.create(path, kiosk="K07", realm="demo", key=key, stamp=stamp(0)) as journal, BareDisk(room) as disk:
        for _ in range(rounds):
            turns = [(_append(journal), disk.write(), disk.append()) for _ in range(A_ROUND)]
            begun = time.perf_counter_ns()
            journal.tidy()
            tidying += time.perf_counter_ns() - begun
            of_round = dict(zip(taken, map(list, zip(*turns, strict=True)), strict=True))
            for name, times in of_round.items():
                taken[name] += times
            for name, held in ratios.items():
                held.append(sum(of_round[name]) / sum(of_round["append"]))
    figures: dict[str, Any] = {name: spread(times) for name, times in taken.items()}
    rates = {name: round(len(times) * 1e9 / sum(times), 1) for name, times in taken.items()}
    figures["per_s"] = rates
    figures["appends_per_s_with_tidying"] = round(len(taken["append"]) * 1e9 / (sum(taken["append"]) + tidying), 1)
    figures["ratios"] = {
        name: {"p10": round(percentile(held, 10), 3), "median": middle(held), "p90": round(percentile(held, 90), 3),
               "of_medians": round(percentile(taken[name], 50) / percentile(taken["append"], 50), 3)}
        for name, held in ratios.items()
    }  # fmt: skip
    return figures, [
        Aim(f"journal appends per write + fdatasync, {words}", 0.6, middle(ratios[name]), "ratio",
            f"{rates[name]} a second", at_least=True)
        for name, words in (("bare_write_growing", "a file that grows"), ("bare_write", "blocks that are there"))
    ]  # fmt: skip


def _append(journal: Journal) -> int:
    body, told = NoteCredited(NoteId("notes", journal.seq), _VALUE, _ENTRY), stamp(journal.seq)
    begun = time.perf_counter_ns()
    journal.append((body,), told)
    return time.perf_counter_ns() - begun
