"""Every way of sending facts that a city would otherwise take, by name, and the limit of the store itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bench import sync_rivals_http, sync_rivals_mqtt, sync_rivals_nats, sync_rivals_postgresql
from bench.sync_store import Fact, FactStore, batches, stored

#: Facts that are sent one by one with a commit each: enough for a rate, no more waiting.
SINGLES = 2_000
#: (room, facts, address of PostgreSQL) -> seconds, (facts, bytes) that are stored.
Send = Callable[[Path, Sequence[Fact], str], tuple[float, tuple[int, int]]]


class Rival(msgspec.Struct, frozen=True):
    """One way of sending facts."""

    name: str
    words: str
    send: Send
    #: What it needs: ``mosquitto``, ``nats-server``, ``postgresql``, or "".
    needs: str = ""
    #: Most facts that are sent in one run; 0: all.
    most: int = 0
    #: Whether what the sender was told to be taken was durable at that moment.
    durable: bool = True


def _in_sqlite(send: Callable[[Path, Sequence[Fact]], float]) -> Send:
    def run(room: Path, facts: Sequence[Fact], _: str) -> tuple[float, tuple[int, int]]:
        took = send(room, facts)
        return took, stored(room / "facts.db")

    return run


def _limit(size: int) -> Callable[[Path, Sequence[Fact]], float]:
    def send(room: Path, facts: Sequence[Fact]) -> float:
        store = FactStore(room / "facts.db")
        begun = time.perf_counter()
        for batch in batches(facts, size):
            store.add(batch)
        took = time.perf_counter() - begun
        store.close()
        return took

    return send


def _postgresql(how: str, size: int) -> Send:
    def run(room: Path, facts: Sequence[Fact], address: str) -> tuple[float, tuple[int, int]]:
        return sync_rivals_postgresql.send(address, facts, how, size or len(facts))

    return run


RIVALS: tuple[Rival, ...] = (
    Rival("limit_1000", "no wire: insert into SQLite, 1,000 a commit", _in_sqlite(_limit(1_000))),
    Rival("limit_4000", "no wire: insert into SQLite, 4,000 a commit", _in_sqlite(_limit(4_000))),
    Rival("http_batch", "HTTP POST, 1,000 a request, into SQLite",
          _in_sqlite(lambda room, facts: sync_rivals_http.post(room, facts, 1_000))),
    Rival("postgresql_copy", "PostgreSQL, COPY, 1,000 a transaction", _postgresql("copy", 1_000), "postgresql"),
    Rival("postgresql_copy_whole", "PostgreSQL, one COPY of everything, one commit", _postgresql("copy", 0),
          "postgresql"),
    Rival("postgresql_batch", "PostgreSQL, executemany, 1,000 a transaction", _postgresql("insert", 1_000),
          "postgresql"),
    Rival("nats", "NATS JetStream on disk, not fsynced before it acknowledges, into SQLite",
          _in_sqlite(lambda room, facts: sync_rivals_nats.send(room, facts, always=False)), "nats-server",
          durable=False),
    Rival("nats_always", "NATS JetStream on disk, sync always, into SQLite",
          _in_sqlite(lambda room, facts: sync_rivals_nats.send(room, facts, always=True)), "nats-server-2.10",
          most=20_000),
    Rival("mqtt_qos1", "MQTT QoS 1, Mosquitto with persistence, into SQLite",
          _in_sqlite(lambda room, facts: sync_rivals_mqtt.send(room, facts, 1)), "mosquitto", durable=False),
    Rival("mqtt_qos2", "MQTT QoS 2, Mosquitto with persistence, into SQLite",
          _in_sqlite(lambda room, facts: sync_rivals_mqtt.send(room, facts, 2)), "mosquitto", durable=False),
    Rival("http_single", "HTTP POST, one sale a request, into SQLite",
          _in_sqlite(lambda room, facts: sync_rivals_http.post(room, facts, 1)), most=SINGLES),
    Rival("postgresql_single", "PostgreSQL, one INSERT a transaction", _postgresql("insert", 1), "postgresql",
          most=SINGLES),
)  # fmt: skip
