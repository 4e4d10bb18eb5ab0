"""Starts the servers that facts are sent to, each with a directory of its own, and ends them again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
#: Seconds for a server to answer.
PATIENCE_S = 30


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def program(name: str) -> str | None:
    """Return the path of a program, also where only root looks."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def running(command: Sequence[str], log: Path, port: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; with a port, wait until it takes connections there.

    Raises:
        RuntimeError: it did not start; carries its words.
    """
    with log.open("ab") as words:
        child = subprocess.Popen(command, stdout=words, stderr=words, cwd=_ROOT)
    try:
        if port:
            _await(port, child, log)
        yield child
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def receiver(module: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a receiving end of ours, which says ``ready`` and, when all is stored, ``stored``."""
    command = [sys.executable, "-m", f"bench.{module}", *words]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
    try:
        expect(child, "ready")
        yield child
    finally:
        child.kill()
        child.communicate()


def expect(child: subprocess.Popen[str], word: str) -> None:
    """Wait for a line of a receiver.

    Raises:
        RuntimeError: it said something else, or ended.
    """
    assert child.stdout is not None
    said = child.stdout.readline().strip()
    if said != word:
        raise RuntimeError(f"the receiver said {said!r} instead of {word!r}")


@contextmanager
def postgresql(room: Path) -> Iterator[str]:
    """Run a PostgreSQL server that keeps what it is told; yield the words that connect to it over TCP.

    Raises:
        RuntimeError: none is installed, or it did not start.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        raise RuntimeError("no PostgreSQL server is installed: apt-get install postgresql")
    programs, home, port = found[-1].parent, room / "postgresql", free_port()
    home.mkdir()
    as_owner: list[str] = []
    if os.geteuid() == 0:  # the server refuses root
        for place in (room, *room.parents):
            if place == Path("/"):
                break
            if not place.stat().st_mode & 0o001:
                place.chmod(place.stat().st_mode | 0o011)
        shutil.chown(home, "postgres", "postgres")
        as_owner = ["runuser", "-u", "postgres", "--"]
    data = str(home / "data")
    made = [*as_owner, str(programs / "initdb"), "-D", data, "-U", "hub", "-A", "trust", "--no-instructions"]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd="/")
    server = [*as_owner, str(programs / "postgres"), "-D", data, "-p", str(port), "-k", "", "-c",
              "listen_addresses=127.0.0.1", "-c", "max_wal_size=4GB"]  # fmt: skip
    with (home.parent / "postgresql.log").open("ab") as words:
        child = subprocess.Popen(server, stdout=words, stderr=words, cwd="/")
    try:
        _await(port, child, home.parent / "postgresql.log")
        yield f"host=127.0.0.1 port={port} user=hub dbname=postgres"
    finally:
        stop = [*as_owner, str(programs / "pg_ctl"), "-D", data, "-m", "fast", "-w", "stop"]
        subprocess.run(stop, check=False, stdout=subprocess.DEVNULL, cwd="/")
        child.wait(30)


def _await(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if child.poll() is not None:
                break
            time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {log.read_text('utf-8', 'replace')[-600:]}")
