"""Rows a second that an ingest worker decides upon and has on the disk, beside the database's own limit.

The worker is driven without a network: it is handed the frames that a front would forward, four batches of 1,000 rows
at a time (a kiosk's window), and gives back the acknowledgements.  The limit is measured in turns with it in the same
run: the same rows, hashes and signatures inserted by `executemany`, 1,000 a transaction, into a table of rows, with the
same durability; and once more without any work at all: the same bodies, one insert and one commit a batch.

    python -m bench.measure_ingest [--rows 100000] [--quick] [--database ADDRESS]

The last line on standard output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time
import uuid
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.measure_figures import middle, room_on_disk, say
from bench.measure_journal import stamp
from kiosk.hub.bus import Envelope, pack
from kiosk.hub.ingest.answering import Answering
from kiosk.hub.ingest.intake import Intake
from kiosk.hub.ingest.registered import Registrations
from kiosk.hub.ingest.segments import SegmentStore
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import Stores, open_stores
from kiosk.hub.store.tables import kiosk, kiosk_key, segment
from kiosk.journal.encoding import ROOT_HASH, encode, head_message
from kiosk.journal.keys import SigningKey
from kiosk.model.entry import Entry, Posting
from kiosk.model.facts import FACT_VERSION, AnyBody, Fact, Genesis, NoteCredited, StackIntended
from kiosk.model.ids import NoteId
from kiosk.model.money import Money
from kiosk.sync import wire
from kiosk.sync.messages import Ack, Clock, Hello, Journal, Mark, Nack, Welcome

A_BATCH, WINDOW = 1000, 4
KIOSK, REALM = "K07", "live"
_KEY = SigningKey.from_seed(b"an example key of a benchmark!! ")
_VALUE = Money(2000, "USD")
_ENTRY = Entry("USD", (Posting("cash_box", 2000), Posting("unapplied", -2000)), "note")


def batches_of(rows: int) -> list[Journal]:
    """Return a journal as its kiosk would send it."""
    bodies: list[AnyBody] = [Genesis(public_key=_KEY.public_hex)]
    while len(bodies) < rows:
        note = NoteId("notes", len(bodies))
        bodies += [StackIntended(note, _VALUE), NoteCredited(note, _VALUE, _ENTRY)]
    made: list[Journal] = []
    digest = ROOT_HASH
    for begin in range(0, rows, A_BATCH):
        previous, texts = digest, []
        for seq, body in enumerate(bodies[begin : min(begin + A_BATCH, rows)], begin + 1):
            fact = Fact(version=FACT_VERSION, kiosk=KIOSK, epoch=1, seq=seq, realm=REALM, stamp=stamp(seq), body=body)
            texts.append(encode(fact))
            digest = sha256(digest + texts[-1]).digest()
        signature = _KEY.sign(head_message(KIOSK, 1, begin + len(texts), digest))
        made.append(Journal(1, begin + 1, previous, tuple(texts), signature))
    return made


def frames_of(batches: list[Journal], session: int, *, packed: bool) -> list[list[bytes]]:
    """Return what a front forwards."""
    envelope = pack(Envelope(b"peer1", KIOSK, REALM, "k" * 40, time.time_ns()))
    return [
        [envelope, *wire.encode(batch, session=session, number=number, pack=packed)]
        for number, batch in enumerate(batches, 2)
    ]


def prepared(stores: Stores) -> Intake:
    """Return a worker on an empty store in which the kiosk is approved."""
    prepare(stores)
    with stores.office.begin() as connection:
        connection.execute(
            kiosk.insert().values(
                id=KIOSK, state="approved", realm=REALM, name="", place="", changed_ns=0, changed_by="", worker=0
            )
        )
        connection.execute(
            kiosk_key.insert().values(
                purpose="journal", key=_KEY.public_hex, kiosk=KIOSK, epoch=1, state="current", since_ns=0, words=""
            )
        )
    registrations = Registrations(stores.office, "bench", _KEY)
    answering = Answering("bench", uuid.uuid4().hex, _KEY, registrations)
    return Intake(0, SegmentStore(stores.segments), registrations, answering, lambda line: print(line, file=sys.stderr))


def worker(stores: Stores, batches: list[Journal], *, packed: bool) -> float:
    """Return how many seconds a worker took from the first frame to the last acknowledgement."""
    intake = prepared(stores)
    hello = Hello(1, 1, KIOSK, REALM, 1, Mark(1, 1), Mark(), Mark(1, 1), Clock(0, 0, "b", True), (), 1, "bench", 0)
    envelope = pack(Envelope(b"peer1", KIOSK, REALM, "k" * 40, time.time_ns()))
    (answer,) = intake.take([[envelope, *wire.encode(hello, session=0, number=1)]], time.time_ns())
    _, welcome = wire.decode(answer[1:], wire.DOWN)
    assert isinstance(welcome, Welcome)
    frames = frames_of(batches, welcome.session, packed=packed)
    begun = time.perf_counter()
    last: list[bytes] = []
    for at in range(0, len(frames), WINDOW):
        last = intake.take(frames[at : at + WINDOW], time.time_ns())[-1]
    took = time.perf_counter() - begun
    _, ack = wire.decode(last[1:], wire.DOWN)
    assert not isinstance(ack, Nack), ack
    assert isinstance(ack, Ack)
    assert ack.durable.seq == batches[-1].first + len(batches[-1].rows) - 1
    return took


def limit_rows(room: Path, batches: list[Journal]) -> float:
    """Return how many seconds SQLite takes for the rows alone, one row of a table each, one commit a batch."""
    rows = []
    for batch in batches:
        digest = batch.previous
        rows.append([
            (seq, row, digest := sha256(digest + row).digest(), batch.signature)
            for seq, row in enumerate(batch.rows, batch.first)
        ])  # fmt: skip
    connection = sqlite3.connect(room / "limit.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE fact (seq INTEGER PRIMARY KEY, row BLOB, hash BLOB, signature BLOB)")
    begun = time.perf_counter()
    for some in rows:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO fact VALUES (?, ?, ?, ?)", some)
        connection.execute("COMMIT")
    took = time.perf_counter() - begun
    connection.close()
    return took


def limit_bodies(stores: Stores, batches: list[Journal]) -> float:
    """Return how many seconds the store takes for bodies that are handed to it ready, one insert and commit a batch."""
    prepare(stores)
    encoder = wire._encoder
    rows = [
        {"worker": 0, "number": number, "kiosk": KIOSK, "epoch": 1, "first": batch.first, "last": batch.first,
         "previous": batch.previous, "hash": batch.previous, "signature": batch.signature, "received_ns": 0,
         "codec": 0, "body": encoder.encode(batch.rows)}
        for number, batch in enumerate(batches, 1)
    ]  # fmt: skip
    begun = time.perf_counter()
    for row in rows:
        with stores.segments.begin() as connection:
            connection.execute(segment.insert(), row)
    return time.perf_counter() - begun


def measure(room: Path, *, rows: int, rounds: int, database: str = "") -> dict[str, Any]:
    """Measure in turns; return the figures."""
    batches = batches_of(rows)
    size = sum(len(row) for batch in batches for row in batch.rows)
    say(f"ingest: {rows} rows of {size // rows} bytes in {len(batches)} batches, {rounds} rounds")

    def on_stores(work: Callable[[Stores], float]) -> float:
        address = _new_database(database) if database else ""
        stores = open_stores(room / uuid.uuid4().hex, address)
        try:
            return work(stores)
        finally:
            stores.close()

    taken: dict[str, list[float]] = {}
    for turn in range(rounds):
        (room / f"limit{turn}").mkdir()
        for name, seconds in (
            ("worker", on_stores(lambda stores: worker(stores, batches, packed=False))),
            ("worker_packed", on_stores(lambda stores: worker(stores, batches, packed=True))),
            ("limit_rows_sqlite", limit_rows(room / f"limit{turn}", batches)),
            ("limit_bodies", on_stores(lambda stores: limit_bodies(stores, batches))),
        ):
            taken.setdefault(name, []).append(rows / seconds)
    rates = {name: middle(held) for name, held in taken.items()}
    ratios = {
        name: middle([mine / theirs for mine, theirs in zip(taken["worker"], taken[name], strict=True)])
        for name in ("limit_rows_sqlite", "limit_bodies")
    }
    return {"rows": rows, "bytes_a_row": size // rows, "store": "postgresql" if database else "sqlite",
            "rows_per_s": rates, "worker_to": ratios}  # fmt: skip


def _new_database(address: str) -> str:
    """Make an empty database on the server of an address; return its own."""
    keeper = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    name = f"bench{uuid.uuid4().hex[:12]}"
    with keeper.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    keeper.dispose()
    return sa.make_url(address).set(database=name).render_as_string(hide_password=False)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="10,000 rows, one round")
    parser.add_argument("--database", default="", help="a PostgreSQL server's maintenance database")
    asked = parser.parse_args()
    with room_on_disk() as room:
        rows, rounds = (10_000, 1) if asked.quick else (asked.rows, asked.rounds)
        told = measure(room, rows=rows, rounds=rounds, database=asked.database)
    print(json.dumps({"bench": "ingest", **told}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
