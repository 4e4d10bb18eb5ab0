"""Reference data from a file at the hub into a kiosk's replica, with a million open invoices.

    python -m bench.measure_snapshot [--rows N]

Measured are the import of the file, publishing, the first snapshot, 10,000 changes, and a snapshot that is cut after
every part: kiosk-sync dies, begins anew and goes on.  Messages go through their bytes on both sides; without a network,
so the figures are what hub and kiosk themselves need.  What came out is compared row by row, never by a digest alone.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.measure_figures import file_system_of, room_on_disk, say
from bench.replica_data import SERVICE, write_csv
from kiosk import config
from kiosk.hub.feed.answers import Librarian
from kiosk.hub.feed.importing import import_file
from kiosk.hub.feed.publishing import refresh
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import Stores, open_stores
from kiosk.hub.store.tables import published
from kiosk.journal.keys import SigningKey
from kiosk.sync import wire
from kiosk.sync.feed import read_row, service_of
from kiosk.sync.mapping import load_mapping
from kiosk.sync.messages import Pull, Snap
from kiosk.sync.replica_feed import ReplicaFeed
from kiosk.tariff.library import load as load_library

ROWS = 1_000_000
CHANGES = 10_000
HUB, KIOSK = "bench-hub", "K01"


class Line:
    """The way between one kiosk and the hub, message by message, through their bytes."""

    def __init__(self, librarian: Librarian, signing: SigningKey, replica: Path) -> None:
        self._librarian, self._signing, self._replica = librarian, signing, replica
        self.bytes = self.parts = self.rows = 0
        #: Longest time that the kiosk was busy with one message.
        self.longest_s = 0.0
        self.feed = self._open()

    def _open(self) -> ReplicaFeed:
        feed = ReplicaFeed(self._replica, KIOSK, pace_ns=0)
        feed.connected(HUB, self._signing.public_hex)
        return feed

    def run(self, *, cut: bool = False) -> int:
        """Sync until nothing more is wanted; with `cut` kiosk-sync dies after every part.  Return how often it did."""
        deaths = 0
        waiting = self.feed.wants(time.time_ns())
        while waiting:
            pull = waiting.pop(0)
            _, read = wire.decode(wire.encode(pull, session=1, number=1), wire.UP)
            assert isinstance(read, Pull)
            for answer in self._librarian.answer(read, KIOSK):
                frames = wire.encode(answer, session=1, number=1, pack=True)
                self.bytes += sum(map(len, frames))
                _, message = wire.decode(frames, wire.DOWN)
                begun = time.perf_counter()
                waiting += self.feed.received(message, time.time_ns())
                self.longest_s = max(self.longest_s, time.perf_counter() - begun)
                if isinstance(message, Snap) and service_of(message.data.name):
                    self.parts += 1
                    self.rows += len(message.rows)
                    if cut:
                        deaths += 1
                        self.feed.close()
                        self.feed = self._open()
                        waiting = self.feed.wants(time.time_ns())
                        break
        return deaths


@contextmanager
def _timed(figures: dict[str, Any], name: str) -> Iterator[None]:
    begun, cpu = time.perf_counter(), time.process_time()
    yield
    figures[name] = round(time.perf_counter() - begun, 2)
    # Beside a busy machine's wall clock: what it cost.
    figures[name.removesuffix("_s") + "_cpu_s"] = round(time.process_time() - cpu, 2)
    say(f"{name}: {figures[name]:.2f} s")


def measure(room: Path, rows: int) -> dict[str, Any]:
    """Measure the whole way with so many invoices."""
    figures: dict[str, Any] = {"rows": rows}
    signing = SigningKey.generate()
    stores = open_stores(room / "hub")
    prepare(stores)
    librarian = Librarian(stores, HUB, signing)
    try:
        _import(stores, room, 0, rows, figures, "import_s")
        _publish(stores, figures, "publish_s")
        line = Line(librarian, signing, room / "sync.db")
        with _timed(figures, "snapshot_s"):
            line.run()
        figures |= {
            "snapshot_bytes": line.bytes, "snapshot_parts": line.parts, "longest_message_s": round(line.longest_s, 3),
            "replica_bytes": _size(room / "sync.db"),
        }  # fmt: skip
        _same(stores, room / "sync.db", line)
        changes = min(CHANGES, rows)
        _import(stores, room, 1, changes, figures, "import_changes_s")
        _publish(stores, figures, "publish_changes_s")
        line.bytes, line.longest_s = 0, 0.0
        line.feed.connected(HUB, signing.public_hex)
        with _timed(figures, "delta_s"):
            line.run()
        figures |= {"delta_rows": changes, "delta_bytes": line.bytes, "longest_delta_s": round(line.longest_s, 3)}
        _same(stores, room / "sync.db", line)
        line.feed.close()
        again = Line(librarian, signing, room / "cut.db")
        with _timed(figures, "cut_snapshot_s"):
            figures["deaths"] = again.run(cut=True)
        figures["rows_sent_twice"] = again.rows - rows
        _same(stores, room / "cut.db", again)
        again.feed.close()
    finally:
        stores.close()
    figures["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return figures


def _import(stores: Stores, room: Path, paid: int, rows: int, figures: dict[str, Any], name: str) -> None:
    """Import so many citations of which `paid` in whole currency units was paid."""
    source = room / "in.csv"
    write_csv(source, rows)
    if paid:
        source.write_text(source.read_text().replace(",0.00,OPEN", f",{paid}.00,OPEN"))
    sample = config.sample_dir()
    texts = {str(path.relative_to(sample)): path.read_text() for part in ("services", "policies")
             for path in (sample / part).glob("*.toml")}  # fmt: skip
    mapping = load_mapping((sample / "imports" / f"{SERVICE}.toml").read_text(), SERVICE)
    service = load_library(texts).service(SERVICE)
    with _timed(figures, name):
        report = import_file(source, mapping, service, stores, room, room / "rejects.csv",
                             taken_at_ns=time.time_ns(), by="bench")  # fmt: skip
    assert (report.taken, report.rejected) == (rows, 0), report
    source.unlink()


def _publish(stores: Stores, figures: dict[str, Any], name: str) -> None:
    longest, more = 0.0, True
    with _timed(figures, name):
        while more:
            begun = time.perf_counter()
            with stores.books.begin() as books:
                more = refresh(books, stores.office, time.time_ns())
            longest = max(longest, time.perf_counter() - begun)
    figures[name.replace("_s", "_longest_step_s")] = round(longest, 2)


def _same(stores: Stores, replica: Path, line: Line) -> None:
    """Hold every row of the replica against what is published."""
    assert line.feed.troubles == {}, line.feed.troubles
    with closing(sqlite3.connect(f"file:{replica}?mode=ro", uri=True)) as other, stores.books.connect() as books:
        held = other.execute(f"SELECT * FROM invoices_{SERVICE} ORDER BY number")
        wanted = books.execute(
            sa.select(published.c.row).where(published.c.row.is_not(None), published.c.data_set.like("invoices:%"))
            .order_by(published.c.key).execution_options(yield_per=5000)
        )  # fmt: skip
        for ours, theirs in zip(held, wanted.scalars(), strict=True):
            assert ours == read_row(theirs), ours


def _size(path: Path) -> int:
    return sum(each.stat().st_size for each in path.parent.glob(path.name + "*"))


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS, help="invoices (default 1,000,000)")
    rows = parser.parse_args().rows
    with room_on_disk() as room:
        told = {"bench": "snapshot", "disk": file_system_of(room), **measure(room, rows)}
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
