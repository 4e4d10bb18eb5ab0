"""One projector for a database, and no second one: a lock that the operating system or the server lets go of."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from kiosk.errors import HubError
from kiosk.hub.store.stores import Stores

#: Key of PostgreSQL's advisory lock; another number than migrations take.
_LOCK = 0x626F6F6B73


@contextmanager
def sole(stores: Stores, state: Path) -> Iterator[None]:
    """Hold the right to write the books.

    Raises:
        HubError: another process has it.
    """
    taken = HubError("another projector writes these books", hint="end it, or let it do the work", transient=True)
    if stores.postgresql:
        with stores.books.connect() as connection:
            if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(_LOCK))).scalar():
                raise taken
            connection.commit()  # the lock is the connection's, not the transaction's
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(_LOCK)))
        return
    handle = os.open(state / "projector.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise taken from error
    try:
        yield
    finally:
        os.close(handle)
