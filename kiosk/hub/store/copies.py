"""Copies of a hub's SQLite databases, made while it works, and put back as a store that says it is another one.

The order makes three copies one: the books first, then the office, then the segments.  Each names only what the next
one holds, so a copy taken while all three grow is whole.  What came after it, the kiosks still have: a restored store
has a new incarnation, which WELCOME tells them, and they send again what it lacks (sync sheet §2, promise 8).

PostgreSQL has its own tool for this; nothing here does it worse.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import sqlalchemy as sa

from kiosk.errors import StoreError
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import Stores, open_stores
from kiosk.hub.store.tables import identity, segment

#: In this order, for the reason above.
FILES = ("books.db", "office.db", "segments.db")
MANIFEST = "backup.json"
#: The directory of the hub's secret keys in the state directory.
KEYS = "keys"


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds."""

    hub: str
    incarnation: str
    made_ns: int
    #: Segments of all workers.
    segments: int
    #: SHA-256 of each file, hexadecimal.
    files: dict[str, str]
    version: int = 1


def back_up(state: Path, target: Path, *, keys: bool = False) -> Manifest:
    """Copy the databases of a state directory into a new directory, with `keys` the hub's secret keys as well.

    Raises:
        StoreError: there is no hub, the target exists, or the disk does not take it.
    """
    missing = [name for name in FILES if not (state / name).is_file()]
    if missing:
        raise StoreError(f"{state / missing[0]} is not there", hint="is this the hub's state directory?")
    part = target.with_name(target.name + ".part")
    try:
        if target.exists():
            raise StoreError(f"{target} exists already", hint="a backup is never overwritten: name a new directory")
        part.mkdir(mode=0o700)
        for name in FILES:
            _copy(state / name, part / name)
        if keys:
            _copy_keys(state / KEYS, part / KEYS)
        hub, incarnation, segments = _who(part / "segments.db")
        told = Manifest(hub, incarnation, time.time_ns(), segments, {name: _digest(part / name) for name in FILES})
        _write(part / MANIFEST, msgspec.json.format(msgspec.json.encode(told)))
        _flush(part)
        part.rename(target)
        _flush(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{target} cannot be made: {error}", hint=f"look at {part} and remove it") from error
    return told


def check(source: Path) -> Manifest:
    """Return what a backup holds, after comparing every byte with what was told when it was made.

    Raises:
        StoreError: it is none, or not what it was.
    """
    try:
        told = msgspec.json.decode((source / MANIFEST).read_bytes(), type=Manifest)
        wrong = [name for name in FILES if told.files.get(name) != _digest(source / name)]
    except (OSError, msgspec.MsgspecError) as error:
        raise StoreError(f"{source} is not a backup of a hub: {error}", hint="name the directory itself") from error
    if wrong:
        raise StoreError(f"{source / wrong[0]} is not what was backed up", hint="take another backup; keep this one")
    return told


def restore(source: Path, state: Path) -> tuple[Manifest, str]:
    """Put a backup into an empty state directory; return what it held and the new incarnation.

    Raises:
        StoreError: the state directory has databases, or the backup is not sound.
    """
    told = check(source)
    there = [name for name in FILES if (state / name).exists()]
    if there:
        raise StoreError(
            f"{state / there[0]} exists already",
            hint="a restore never overwrites: end the hub, move its databases away",
        )
    part = state / "restoring"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(part, ignore_errors=True)  # what a restore that was cut left
        part.mkdir(mode=0o700)
        for name in FILES:
            shutil.copyfile(source / name, part / name)
            (part / name).chmod(0o600)
        # It says that it is another store before it is one: a cut restore must never pass for the old store.
        stores = open_stores(part)
        try:
            prepare(stores)
            fresh = new_incarnation(stores)
        finally:
            stores.close()
        if (source / KEYS).is_dir() and not (state / KEYS).exists():
            _copy_keys(source / KEYS, state / KEYS)
        for name in FILES:
            _flush(part / name)
            (part / name).rename(state / name)
        shutil.rmtree(part)
        _flush(state)
    except OSError as error:
        raise StoreError(f"{state} cannot be filled: {error.strerror}", hint="check the disk") from error
    return told, fresh


def new_incarnation(stores: Stores) -> str:
    """Let a store say from now on that it is another one: kiosks send it again what it lacks.

    Raises:
        StoreError: the store was never a hub's.
    """
    fresh = uuid.uuid4().hex[:16]
    with stores.segments.begin() as connection:
        changed = connection.execute(identity.update().values(incarnation=fresh, made_ns=time.time_ns()))
    if changed.rowcount != 1:
        raise StoreError("the store does not say whose it is", hint="kiosk hub init makes a new hub")
    return fresh


def _copy_keys(source: Path, target: Path) -> None:
    target.mkdir(mode=0o700)
    for file in sorted(source.iterdir()):
        _write(target / file.name, file.read_bytes())
    _flush(target)


def _copy(source: Path, target: Path) -> None:
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        live.execute("PRAGMA busy_timeout = 10000")
        live.backup(copy, pages=-1)  # all pages in one go: a consistent copy, whoever writes meanwhile
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
        found: Sequence[Sequence[str]] = copy.execute("PRAGMA integrity_check(5)").fetchall()
    if found != [("ok",)]:
        raise StoreError(f"{source} is damaged: {found[0][0][:200]}", hint="keep it; restore the last sound backup")
    target.chmod(0o600)
    _flush(target)


def _who(path: Path) -> tuple[str, str, int]:
    engine = sa.create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            row = connection.execute(sa.select(identity.c.hub, identity.c.incarnation)).first()
            count = connection.execute(sa.select(sa.func.count()).select_from(segment)).scalar_one()
    finally:
        engine.dispose()
    return (row.hub, row.incarnation, count) if row is not None else ("", "", count)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
