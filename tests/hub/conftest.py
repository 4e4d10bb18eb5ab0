"""Databases for the hub's tests: SQLite in a directory of the test, and one PostgreSQL server for the session."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import Stores, open_stores


def _server_programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Start a PostgreSQL server of our own on a socket; yield the address of its maintenance database."""
    programs = _server_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    # A short path, because a socket's may have 100 characters; its owner is not root, because a server refuses that.
    home = Path(tempfile.mkdtemp(prefix="kpg-", dir="/tmp"))
    as_owner: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(home, "postgres", "postgres")
        as_owner = ["runuser", "-u", "postgres", "--"]
    data = home / "data"
    run = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run([*as_owner, str(programs / "initdb"), "-D", str(data), "-U", "hub", "-A", "trust", "-N"], **run)  # type: ignore[call-overload]
    options = f"-k {home} -c listen_addresses= -c fsync=off -c full_page_writes=off"  # a test's disk is not evidence
    start = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(home / "log"), "-o", options, "start"]
    subprocess.run([*as_owner, *start], **run)  # type: ignore[call-overload]
    try:
        yield f"postgresql+psycopg://hub@/postgres?host={home}"
    finally:
        subprocess.run([*as_owner, str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop"], cwd="/")
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def postgresql(postgresql_server: str) -> Iterator[str]:
    """Yield the address of an empty database of its own."""
    name = f"t{uuid.uuid4().hex[:12]}"
    keeper = sa.create_engine(postgresql_server, isolation_level="AUTOCOMMIT")
    with keeper.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield postgresql_server.replace("/postgres?", f"/{name}?")
    finally:
        with keeper.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        keeper.dispose()


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    """Yield empty SQLite stores with every table."""
    made = open_stores(tmp_path / "hub")
    prepare(made)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def both_stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """Yield empty stores of each kind in turn."""
    address = request.getfixturevalue("postgresql") if request.param == "postgresql" else ""
    made = open_stores(tmp_path / "hub", address)
    prepare(made)
    yield made
    made.close()
