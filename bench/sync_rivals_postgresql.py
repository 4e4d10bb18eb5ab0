"""PostgreSQL over the wire, as a client of its own: row by row, 1,000 a transaction, and COPY.

``fsync`` and ``synchronous_commit`` are on; every fact is a row with a primary key.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import psycopg

from bench.sync_store import TABLE, Fact, batches

_INSERT = "INSERT INTO fact VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"


def send(address: str, facts: Sequence[Fact], how: str, size: int) -> tuple[float, tuple[int, int]]:
    """Send facts in transactions of `size` rows by ``insert`` or ``copy``; return the seconds and what is stored."""
    with psycopg.connect(address, autocommit=True) as line:
        line.execute("DROP TABLE IF EXISTS fact")
        line.execute(TABLE.format(number="bigint", bytes="bytea"))
        line.execute("CHECKPOINT")
        cursor = line.cursor()
        begun = time.perf_counter()
        for batch in batches(facts, size):
            with line.transaction():
                if how == "insert" and size == 1:
                    cursor.execute(_INSERT, batch[0])
                elif how == "insert":
                    cursor.executemany(_INSERT, batch)
                else:
                    with cursor.copy("COPY fact FROM STDIN (FORMAT binary)") as copy:
                        copy.set_types(("text", "int8", "int8", "bytea"))
                        for fact in batch:
                            copy.write_row(fact)
        took = time.perf_counter() - begun
        count, held = line.execute("SELECT count(*), coalesce(sum(length(row)), 0) FROM fact").fetchone() or (0, 0)
        return took, (count, int(held))
