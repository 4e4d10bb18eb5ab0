"""Facts a second that the projector posts, queryable with their ledger, beside the bulk insert of the same rows.

    python -m bench.measure_posting [--facts N] [--database postgresql+psycopg://…]

Journals of a fleet (`posted_fleet`, nine facts a payment) lie in segments as workers leave them; the projector decodes,
hashes, guards, recomputes the entries and writes the books.  The limit is the same rows of the same tables, put into
empty books in transactions of the same size and with nothing else to do.  What bounds posting is told by its parts,
measured alone: unpacking and hashing, decoding, inserting, and the rest, which is the posting itself.

Progress goes to standard error; the last line on standard output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.measure_figures import Aim, file_system_of, middle, room_on_disk, say
from bench.posted_fleet import City, Machine, store
from kiosk import config
from kiosk.app.pack import load_pack
from kiosk.hub.posting.comparing import compared
from kiosk.hub.posting.evidence import journal_of, true_rows
from kiosk.hub.posting.pen import Pen
from kiosk.hub.posting.projector import FACTS_AT_ONCE, Projector
from kiosk.hub.posting.rules import Rules
from kiosk.hub.store import tables
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import Stores, open_stores
from kiosk.journal.encoding import decode

#: Kiosks of the fleet, and payments in a segment: 180 facts, what a busy kiosk sends after a pause.
KIOSKS, PAYMENTS = 20, 20
AIM_PER_S = 35_000


@contextmanager
def timed(into: dict[str, list[float]], name: str) -> Iterator[None]:
    """Measure seconds of the wall and of this process."""
    wall, own = time.perf_counter(), time.process_time()
    yield
    into[name] = [time.perf_counter() - wall, time.process_time() - own]


def measure(room: Path, *, quick: bool = False, facts: int = 0, database: str = "") -> tuple[dict[str, Any], list[Aim]]:
    """Post a fleet's journals some times; return the figures of the rounds and the aims."""
    rounds, wanted = (1, 9_000) if quick else (3, 180_000)
    pack = load_pack(config.sample_dir())
    city = City(pack.chart, pack.library.services, pack.name)
    rules = Rules(city.chart, city.services, city.pack, city.realm)
    stores = open_stores(room / "posted", database)
    prepare(stores)
    count = _fill(stores, city, facts or wanted)
    say(f"posting: {count} facts of {KIOSKS} kiosks, {rounds} rounds")
    told: list[dict[str, list[float]]] = []
    for at in range(rounds):
        parts: dict[str, list[float]] = {}
        projector = Projector(stores, rules, workers=1, digest=f"round {at}")
        with timed(parts, "posted"):
            while projector.turn():
                pass
        _insert(stores, room / f"limit-{at}", count, parts)
        with timed(parts, "unpacked_and_hashed"):
            rows = _unpack(stores)
        with timed(parts, "decoded"):
            for row in rows:
                decode(row)
        told.append(parts)
    stores.close()
    return _figures(told, count)


def _fill(stores: Stores, city: City, facts: int) -> int:
    machines = [Machine(f"K{number:02d}", city) for number in range(KIOSKS)]
    number = 0
    while sum(machine.seq for machine in machines) < facts:
        for machine in machines:
            for _ in range(PAYMENTS):
                number += 1
                # One payment in twenty leaves an excess that the citizen agreed to.
                machine.pay(f"{number:09d}", 5000 if number % 20 else 4500, 2000, 3000)
        store(stores, *machines)
    return sum(machine.seq for machine in machines)


def _insert(stores: Stores, room: Path, facts: int, parts: dict[str, list[float]]) -> None:
    """Put the rows of the finished books into empty ones, as many at a time as a turn of the projector writes."""
    with stores.books.connect() as connection:
        rows = {table.name: [tuple(row) for row in connection.execute(sa.select(table))] for table in compared()}
    turns = max(1, facts // FACTS_AT_ONCE)
    limit = stores if stores.postgresql else open_stores(room)
    if stores.postgresql:
        with stores.books.begin() as connection:
            for table in compared():
                connection.exec_driver_sql(f'TRUNCATE "{table.name}"')
    else:
        prepare(limit)
    with timed(parts, "inserted"):
        for turn in range(turns):
            with limit.books.begin() as connection:
                pen = Pen(connection)
                for name, all_rows in rows.items():
                    pen.insert(name, all_rows[turn * len(all_rows) // turns : (turn + 1) * len(all_rows) // turns])
    if not stores.postgresql:
        limit.close()


def _unpack(stores: Stores) -> list[bytes]:
    with stores.segments.connect() as connection:
        kiosks = connection.execute(sa.select(tables.segment.c.kiosk).distinct()).scalars().all()
        found = [true_rows(each) for kiosk in kiosks for each in journal_of(connection, kiosk)]
    return [row for segment in found if segment is not None for row, _ in segment]


def _figures(told: Sequence[dict[str, list[float]]], count: int) -> tuple[dict[str, Any], list[Aim]]:
    rates = {
        name: {"wall_per_s": round(middle([count / each[name][0] for each in told])),
               "core_per_s": round(middle([count / each[name][1] for each in told]))}
        for name in told[0]
    }  # fmt: skip
    whole = middle([each["posted"][1] for each in told])
    parts = {name: round(middle([each[name][1] for each in told]) / whole, 3) for name in told[0] if name != "posted"}
    parts["posting_itself"] = round(1 - sum(parts.values()), 3)
    ratio = middle([each["inserted"][0] / each["posted"][0] for each in told])
    figures = {
        "facts": count, "per_s": rates, "share_of_core_time": parts, "ratio_to_bulk_insert": ratio,
        "bound_by": max(parts, key=lambda name: parts[name]),
    }  # fmt: skip
    limit = f"bulk insert of the same rows {rates['inserted']['core_per_s']} facts a second"
    return figures, [
        Aim("facts posted a second of one core", AIM_PER_S, rates["posted"]["core_per_s"], "1/s", limit, at_least=True)
    ]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="bench.measure_posting", description="Measure the projector.")
    parser.add_argument("--facts", type=int, default=0)
    parser.add_argument("--database", default="", help="an empty PostgreSQL database; SQLite files else")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    with room_on_disk() as room:
        figures, aims = measure(room, quick=asked.quick, facts=asked.facts, database=asked.database)
        engine = "postgresql" if asked.database else "sqlite"
        head = {"bench": "posting", "engine": engine, "disk": file_system_of(room)}
        print(json.dumps(head | figures | {"aims": [aim.told() for aim in aims]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
