"""What is checked of a journal's end before anything is added to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from kiosk.errors import JournalDamaged, JournalError
from kiosk.journal.encoding import Row, chain, decode, head_message
from kiosk.journal.keys import SigningKey
from kiosk.journal.queries import first_row, last_row, rows_before
from kiosk.journal.realm import check_name
from kiosk.model.facts import EpochStarted, Fact, Genesis

#: Rows that are held against the chain; `verify` walks all.
TAIL_ROWS = 64


def check_tail(connection: sqlite3.Connection, path: Path, key: SigningKey) -> tuple[Row, Fact]:
    """Check chain, key and signature at the end; return the last row and its fact.

    Raises:
        JournalDamaged: the end is not what this kiosk wrote.
        JournalError: the key is not the journal's, or the file is named after another realm.
    """
    newest = last_row(connection)
    if newest is None:
        raise JournalDamaged(f"{path} holds no fact", hint="restore the last backup")
    tail = rows_before(connection, newest.epoch, newest.seq, TAIL_ROWS)
    previous: bytes | None = None
    for row in tail:
        if previous is None:
            previous = row.hash
            continue
        if chain(previous, row.row) != row.hash:
            raise JournalDamaged(
                f"{path}: the chain is broken at fact {row.epoch}/{row.seq}",
                hint="run `kiosk journal verify`; keep the file as evidence and restore the last backup",
            )
        previous = row.hash
    fact = decode(newest.row)
    check_name(path, fact.realm)
    first = first_row(connection, newest.epoch)
    start = decode(first.row).body if first else None
    if not isinstance(start, Genesis | EpochStarted):
        raise JournalDamaged(
            f"{path}: epoch {newest.epoch} does not begin with its key", hint="restore the last backup"
        )
    if start.public_key != key.public_hex:
        raise JournalError(
            f"{path} is signed with key {start.public_key[:16]}…, not with {key.public_hex[:16]}…",
            hint="put the right key file back; a new key needs a new epoch (`kiosk restore`)",
        )
    message = head_message(fact.kiosk, newest.epoch, newest.seq, newest.hash)
    if newest.signature is None or key.sign(message) != newest.signature:  # Ed25519 is deterministic
        raise JournalDamaged(
            f"{path}: fact {newest.epoch}/{newest.seq} at the end is not signed by this kiosk",
            hint="run `kiosk journal verify`; keep the file as evidence and restore the last backup",
        )
    return newest, fact
