"""Our own way: the real `kiosk hub run` and `kiosk sync run`, a backlog between them, CURVE on the line.

The hub verifies the hash of every row and a signature on the head of every batch before it commits and acknowledges.
Told are two rates from the arrival of the first batch: until the last fact is acknowledged (durable, in the hub's
segments), and until the last fact is posted (queryable rows, balanced entries, balances, receipts, what is owed).
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import sqlalchemy as sa

from bench.measure_journal import stamp
from bench.sync_backlog import Backlog
from bench.sync_servers import free_port, running
from kiosk.app.hubs import load_hub
from kiosk.hub.front.server_keys import load_signing_key, transport_keys
from kiosk.hub.revisions import bump
from kiosk.hub.store import tables
from kiosk.journal.keys import SigningKey
from kiosk.journal.reader import Reader
from kiosk.journal.store import Journal
from kiosk.model.entry import Entry, Posting
from kiosk.model.facts import NoteCredited
from kiosk.model.ids import NoteId
from kiosk.model.money import Money
from kiosk.sync.keys import CURRENT, KnownHub, TransportKey, fingerprint, keep_hub
from kiosk.workbench.directory import DemoDirectory

#: Seconds for a whole drain.
PATIENCE_S = 120
#: Sales on a quiet line whose way is timed in one run, and the pause between two, seconds; a tenth beside a drain.
SALES, PAUSE_S = 100, 0.05
_KIOSK = [sys.executable, "-m", "kiosk"]
_ENTRY = Entry("USD", (Posting("A200", 2000), Posting("A698", -2000)), "note")


class Way(msgspec.Struct, frozen=True):
    """A hub on one of its stores."""

    name: str
    words: str
    #: The rival that it is measured right after.
    beside: str
    needs: str = ""


WAYS = (
    Way("ours", "kiosk-sync to a hub on SQLite", "http_batch"),
    Way("ours_postgresql", "kiosk-sync to a hub on PostgreSQL", "postgresql_copy", "postgresql"),
)


def words(name: str) -> str:
    """Return what a rate of ours means."""
    way = next(each for each in WAYS if name.rsplit("_", 1)[0] == each.name)
    end = "acknowledged, durable" if name.endswith("_acknowledged") else "posted: rows, entries, balances, receipts"
    return f"{way.words}, CURVE, chain and signatures verified; {end}"


class Hub:
    """A hub in its own processes, and a look into its store that holds nobody up."""

    def __init__(self, room: Path, address: str) -> None:
        self.room = room
        self.port, self.enrol = free_port(), free_port()
        self.database, self._server = "", address
        if address:
            self.database = f"b{uuid.uuid4().hex[:12]}"
            with psycopg.connect(address, autocommit=True) as keeper:
                keeper.execute(f"CREATE DATABASE {self.database}".encode())
            self._address = address.replace("dbname=postgres", f"dbname={self.database}")
        port = address.split("port=")[1].split()[0] if address else ""
        database = f"postgresql+psycopg://hub@127.0.0.1:{port}/{self.database}" if address else ""
        # A socket's path has about 100 bytes, so they do not lie in the room.
        self.runtime = Path(tempfile.gettempdir()) / f"kiosk-bench-{uuid.uuid4().hex[:8]}"
        self.file = room / "hub.toml"
        self.file.write_text(
            f'[hub]\nid = "bench"\nrealm = "demo"\nstate = "{room}/hub"\nruntime = "{self.runtime}"\n'
            f'database = "{database}"\n'
            f'[listen]\njournal = "tcp://127.0.0.1:{self.port}"\nenrol = "tcp://127.0.0.1:{self.enrol}"\n'
            "[web]\nport = 0\ntls = false\n",
            "utf-8",
        )
        self.setup = load_hub(self.file)

    @contextmanager
    def up(self) -> Iterator[None]:
        """Run it."""
        config = ("--config", str(self.file))
        with running([*_KIOSK, "hub", "init", *config], self.room / "init.log") as made:
            if made.wait(60):
                raise RuntimeError(f"kiosk hub init failed: {(self.room / 'init.log').read_text()[-600:]}")
        try:
            with running([*_KIOSK, "hub", "run", *config], self.room / "hub.log", self.port):
                yield
        finally:
            shutil.rmtree(self.runtime, ignore_errors=True)
            if self.database:
                with psycopg.connect(self._server, autocommit=True) as keeper:
                    keeper.execute(f"DROP DATABASE {self.database} WITH (FORCE)".encode())

    def one(self, group: str, question: str) -> Any:
        """Return the only value of a question; None where the table or the row is not there yet."""
        if self.database:
            with psycopg.connect(self._address, autocommit=True) as line:
                row = line.execute(question.encode()).fetchone()
        else:
            with closing(sqlite3.connect(f"file:{self.room}/hub/{group}.db?mode=ro", uri=True)) as store:
                row = store.execute(question).fetchone()
        return row[0] if row else None

    def eye(self, kiosk: str) -> _Eye:
        """Return a look at how far a kiosk's journal is durable here."""
        return _Eye(self._address if self.database else "", self.room / "hub" / "segments.db", kiosk)


class _Eye:
    """Asks again and again how far a kiosk's journal is, on one connection."""

    def __init__(self, address: str, path: Path, kiosk: str) -> None:
        question = f"SELECT seq FROM mark WHERE kiosk = '{kiosk}'"
        if address:
            self._line = psycopg.connect(address, autocommit=True)
            self._ask: Callable[[], Any] = lambda: self._line.execute(question.encode()).fetchone()
        else:
            self._store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            self._ask = lambda: self._store.execute(question).fetchone()

    def seq(self) -> int:
        """Return the last durable seq; 0 where there is none."""
        row = self._ask()
        return int(row[0]) if row else 0


class Counter:
    """A kiosk's directory with a journal, enrolled at a hub; the core's place at the journal is held."""

    def __init__(self, room: Path, backlog: Backlog, hub: Hub) -> None:
        self.room = room
        self.kiosk = backlog.kiosk
        self.directory = DemoDirectory.choose(room)
        self.directory.write(screen_port=free_port(), bench="", quick=True)
        for path, target in ((backlog.path, self.directory.journal), (backlog.path.with_suffix(".key"),
                             self.directory.journal.with_suffix(".key"))):  # fmt: skip
            shutil.copy2(path, target)
        self.key = SigningKey.load(self.directory.journal.with_suffix(".key"))
        config = self.directory.config.read_text("utf-8").replace('id = "K07"', f'id = "{self.kiosk}"')
        self._trust(hub, config)

    def _trust(self, hub: Hub, config: str) -> None:
        """Write what an enrolment ends in on both sides."""
        own = TransportKey.create(self.directory.state / CURRENT)
        stores = hub.setup.stores()
        with stores.office.begin() as office:
            server = transport_keys(office)[0].key
            office.execute(sa.insert(tables.kiosk).values(
                id=self.kiosk, state="approved", realm="demo", name=self.kiosk, place="", changed_ns=1,
                changed_by="bench", worker=0))  # fmt: skip
            for purpose, key in (("transport", own.public), ("journal", self.key.public_hex)):
                row = {"purpose": purpose, "key": key, "kiosk": self.kiosk, "epoch": 1, "state": "current",
                       "since_ns": 1, "words": ""}  # fmt: skip
                office.execute(sa.insert(tables.kiosk_key).values(row))
            bump(office, "registry")
        stores.close()
        self.directory.config.write_text(
            f'{config}\n[[sync.hub]]\nendpoint = "tcp://127.0.0.1:{hub.port}"\nenrol = "tcp://127.0.0.1:{hub.enrol}"\n'
            f'fingerprint = "{fingerprint(server)}"\n',
            "utf-8",
        )
        keep_hub(self.directory.state, KnownHub(
            hub="bench", fingerprint=fingerprint(server), kiosk=self.kiosk, server_key=server,
            signing_key=load_signing_key(hub.setup.config.state).public_hex))  # fmt: skip

    @contextmanager
    def up(self) -> Iterator[Journal]:
        """Run kiosk-sync; yield the journal as the core would hold it."""
        command = [*_KIOSK, "sync", "run", "--config", str(self.directory.config)]
        try:
            with (
                Journal.open(self.directory.journal, key=self.key) as journal,
                running(command, self.room / "sync.log"),
            ):
                yield journal
        finally:
            self.directory.remove()  # what of it lies outside the room


def drain(way: Way, room: Path, backlog: Backlog, address: str) -> dict[str, float]:
    """Drain a backlog; return facts a second until all is acknowledged, and until all is posted.

    Raises:
        RuntimeError: it did not end, or not every fact was taken and posted.
    """
    room.mkdir()
    hub = Hub(room, address if way.needs else "")
    with ExitStack() as held:
        held.enter_context(hub.up())
        counter = Counter(room / "kiosk", backlog, hub)
        eye = hub.eye(backlog.kiosk)
        held.enter_context(counter.up())
        _until(lambda: eye.seq() >= backlog.facts, room, f"{backlog.facts} facts acknowledged")
        durable = time.time_ns()
        last = "SELECT max(number) FROM segment"
        count = int(hub.one("segments", last) or 0)
        _until(lambda: int(hub.one("books", "SELECT max(number) FROM cursor") or 0) >= count, room, "all posted")
        posted = time.time_ns()
        begun = int(hub.one("segments", "SELECT min(received_ns) FROM segment"))
        _whole(hub, backlog)
    return {
        f"{way.name}_acknowledged": backlog.facts * 1e9 / (durable - begun),
        f"{way.name}_posted": backlog.facts * 1e9 / (posted - begun),
    }


def _whole(hub: Hub, backlog: Backlog) -> None:
    """Hold what the hub has against the journal."""
    held = hub.one("books", "SELECT count(*) FROM fact")
    doubted = hub.one("books", "SELECT count(*) FROM quarantine") + hub.one(
        "segments", "SELECT count(*) FROM kept_apart"
    )
    off = hub.one("books", "SELECT coalesce(sum(minor), 0) FROM balance")
    if held != backlog.facts or doubted or off:
        raise RuntimeError(f"the hub posted {held} of {backlog.facts} facts, doubts {doubted}, is off by {off}")
    with Reader(backlog.path) as reader:
        newest = reader.last()
    kept = hub.one("segments", "SELECT hash FROM mark")
    if newest is None or bytes(kept) != newest.hash:
        raise RuntimeError("the hub's journal ends in another hash than the kiosk's")


def latency(way: Way, room: Path, backlog: Backlog, address: str, small: Backlog) -> dict[str, list[int]]:
    """Time sales from the call of the commit to durable at the hub, on a quiet line and while another kiosk drains.

    Returns:
        Nanoseconds by ``quiet`` and ``beside_a_drain``.
    """
    room.mkdir()
    hub = Hub(room, address if way.needs else "")
    with ExitStack() as held:
        held.enter_context(hub.up())
        seller = Counter(room / "seller", small, hub)
        eye, other = hub.eye(small.kiosk), hub.eye(backlog.kiosk)
        journal = held.enter_context(seller.up())
        _until(lambda: eye.seq() >= small.facts, room, "the seller's journal acknowledged")
        quiet = _sales(journal, eye, room, PAUSE_S, lambda count: count >= SALES)
        held.enter_context(Counter(room / "drainer", backlog, hub).up())
        _until(lambda: other.seq() > 1, room, "the other kiosk's first batch")
        beside = _sales(journal, eye, room, PAUSE_S / 10, lambda _: other.seq() >= backlog.facts)
    return {"quiet": quiet, "beside_a_drain": beside}


def _sales(journal: Journal, eye: _Eye, room: Path, pause_s: float, over: Callable[[int], bool]) -> list[int]:
    times: list[int] = []
    while not over(len(times)):
        body = NoteCredited(NoteId("bench", journal.seq), Money(2000, "USD"), _ENTRY)
        begun = time.perf_counter_ns()
        journal.append((body,), stamp(journal.seq))
        wanted = journal.seq
        _until(lambda: eye.seq() >= wanted, room, "a sale acknowledged", 0.000_5)  # noqa: B023  called at once
        times.append(time.perf_counter_ns() - begun)
        time.sleep(pause_s)
    return times


def _until(reached: Callable[[], bool], room: Path, what: str, step_s: float = 0.002) -> None:
    until = time.monotonic() + PATIENCE_S
    while not reached():
        if time.monotonic() > until:
            logs = " ".join(path.read_text("utf-8", "replace")[-300:] for path in sorted(room.rglob("*.log")))
            raise RuntimeError(f"waited in vain for: {what}; {logs}"[:900])
        time.sleep(step_s)
