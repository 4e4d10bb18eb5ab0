"""Journal appends a second, chain and signature included, beside bare durable writes a second.

Both run in turns of one short round each, so that whatever else the machine does weighs on both alike.  Between two
rounds the journal is tidied, as an idle kiosk does after each citizen; the slower figure that counts the tidying
in is told too.
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
    """Measure appends and bare writes in turns; return the figures and the aim."""
    rounds = 3 if quick else 40
    say(f"journal: {rounds} rounds of {A_ROUND} appends and {A_ROUND} bare writes, in turns")
    appends: list[int] = []
    writes: list[int] = []
    ratios: list[float] = []
    with_tidy: list[float] = []
    key = SigningKey.from_seed(b"an example key of a benchmark!! ")
    path = room / "appends" / "journal.db"
    with Journal.create(path, kiosk="K07", realm="demo", key=key, stamp=stamp(0)) as journal, BareDisk(room) as disk:
        for _ in range(rounds):
            begun = time.perf_counter_ns()
            took = [_append(journal) for _ in range(A_ROUND)]
            journal.tidy()
            with_tidy.append(time.perf_counter_ns() - begun)
            bare = [disk.write() for _ in range(A_ROUND)]
            appends += took
            writes += bare
            ratios.append(sum(bare) / sum(took))
    figures = {
        "commits": len(appends),
        "appends_per_s": round(len(appends) * 1e9 / sum(appends), 1),
        "appends_per_s_with_tidying": round(len(appends) * 1e9 / sum(with_tidy), 1),
        "bare_writes_per_s": round(len(writes) * 1e9 / sum(writes), 1),
        "append": spread(appends),
        "bare_write": spread(writes),
        "ratio_of_rounds": {"p10": round(percentile(ratios, 10), 3), "median": middle(ratios),
                            "p90": round(percentile(ratios, 90), 3)},
    }  # fmt: skip
    limit = f"{figures['bare_writes_per_s']} bare 4 KiB write + fdatasync a second; median of the rounds' ratios"
    return figures, [Aim("journal appends per bare durable write", 0.6, middle(ratios), "ratio", limit, at_least=True)]


def _append(journal: Journal) -> int:
    body, told = NoteCredited(NoteId("notes", journal.seq), _VALUE, _ENTRY), stamp(journal.seq)
    begun = time.perf_counter_ns()
    journal.append((body,), told)
    return time.perf_counter_ns() - begun
