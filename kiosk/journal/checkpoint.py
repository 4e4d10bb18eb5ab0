"""The state at one fact, kept for a quick start: a cache bound to that fact's hash, and never evidence."""

from __future__ import annotations

import sqlite3

from kiosk.journal.encoding import Row


def save(connection: sqlite3.Connection, row: Row, blob: bytes) -> None:
    """Keep `blob` as the state right after the fact of `row`, in place of the one before."""
    connection.execute(
        "INSERT INTO checkpoint (id, epoch, seq, hash, blob) VALUES (1, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET epoch = excluded.epoch, seq = excluded.seq, hash = excluded.hash, blob = excluded.blob",
        (row.epoch, row.seq, row.hash, blob),
    )


def load(connection: sqlite3.Connection, epoch: int) -> tuple[int, bytes] | None:
    """Return seq and state of the checkpoint of this epoch; None where its hash is not the chain's."""
    found = connection.execute(
        "SELECT c.seq, c.blob FROM checkpoint c JOIN facts f ON f.place = (c.epoch << 32) + c.seq"
        " WHERE c.epoch = ? AND f.hash = c.hash",
        (epoch,),
    ).fetchone()
    return (int(found[0]), bytes(found[1])) if found else None
