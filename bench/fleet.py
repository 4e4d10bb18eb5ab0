"""``make fleet``: 20, 200 and 2,000 kiosks on one hub: lag, processor and memory, a restart, and workers side by side.

Every kiosk keeps a CURVE connection of its own with heartbeats, reports its state and sells every 30 s (see
`fleet_kiosks`).  Told for each size: milliseconds from a sale's commit to its durable acknowledgement, processor time
and resident memory of the hub's processes by kiosk, and the same of the process that plays the fleet.  Then the hub is
killed and started again under the largest fleet: how long until all are back, and how many greetings that took.  At
last forty kiosks bring a backlog to a hub on PostgreSQL, with one ingest worker and with four, in turns; where the
fleet itself takes most of the machine, that is told too.  The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
import zmq

from bench.fleet_kiosks import Fleet, FleetKiosk
from bench.hub_at_hand import HubAtHand
from bench.sync_servers import postgresql
from kiosk.hub import revisions
from kiosk.hub.store import tables
from kiosk.hub.store.stores import open_stores

#: Seconds that a size is watched after all are connected.
WATCHED_S = 60.0
#: Seconds over which a fleet comes in at first.
ARRIVAL_S = 10.0
#: Sales of each backlog that is drained into PostgreSQL, nine facts each.
BACKLOG_SALES = 250
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def middle(values: list[float], part: float = 0.5) -> float:
    """Return a quantile of some values; 0 where there are none."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * part))], 2) if ordered else 0.0


def usage(pids: list[int]) -> tuple[float, float]:
    """Return processor seconds and resident megabytes of some processes together."""
    seconds = megabytes = 0.0
    for pid in pids:
        try:
            fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended
        seconds += (int(fields[11]) + int(fields[12])) / _TICKS
        megabytes += int(fields[21]) * _PAGE / 1e6
    return seconds, megabytes


def register(hub: HubAtHand, database: str, kiosks: list[FleetKiosk], workers: int) -> None:
    """Write the fleet into the registry, as that many approvals would."""
    stores = open_stores(hub.state, database)
    now = time.time_ns()
    with stores.office.begin() as connection:
        for at, kiosk in enumerate(kiosks):
            connection.execute(sa.insert(tables.kiosk).values(
                id=kiosk.id, state="approved", realm="live", name="", place="", changed_ns=now, changed_by="bench",
                worker=at % workers,
            ))  # fmt: skip
        for purpose in ("transport", "journal"):
            connection.execute(sa.insert(tables.kiosk_key), [
                {"purpose": purpose, "kiosk": kiosk.id, "epoch": 1, "state": "current", "since_ns": now, "words": "",
                 "key": kiosk.public.decode() if purpose == "transport" else kiosk.key.public_hex}
                for kiosk in kiosks
            ])  # fmt: skip
        revisions.bump(connection, "registry")
    stores.close()


class Watched:
    """A hub with a fleet on it."""

    def __init__(self, count: int, seed: int, *, database: str = "", workers: int = 1) -> None:
        self._room = Path(tempfile.mkdtemp(prefix="fleet-"))
        chance = random.Random(seed)
        self.hub = HubAtHand(self._room / "hub", database=database, workers=workers)
        self.hub.ask("init")
        self.kiosks = [FleetKiosk(number, chance) for number in range(count)]
        register(self.hub, database, self.kiosks, workers)
        self.hub.start()
        server_key = self.hub.ask("keys")["transport"][0]["key"].encode()
        self.fleet = Fleet(self.kiosks, f"tcp://127.0.0.1:{self.hub.journal_port}", server_key, seed)

    def arrive(self, over_s: float) -> float:
        """Let the fleet come in; return the seconds until all are there."""
        begun = time.monotonic()
        self.fleet.connect_all(over_s)
        self.fleet.run(lambda now: now - begun > 300 or all(kiosk.connected for kiosk in self.kiosks))
        return time.monotonic() - begun

    def watch(self, seconds: float) -> dict[str, Any]:
        """Let the fleet live for a while and tell what that took."""
        for kiosk in self.kiosks:
            kiosk.lags_ms.clear()
            kiosk.sold.clear()  # what was sold before, e.g. while the hub was away, is not this stretch's
        pids, begun = self.hub.processes(), time.monotonic()
        cpu, _ = usage(pids)
        own = resource.getrusage(resource.RUSAGE_SELF)
        self.fleet.run(lambda now: now - begun > seconds)
        passed = time.monotonic() - begun
        after, megabytes = usage(pids)
        spent = resource.getrusage(resource.RUSAGE_SELF)
        lags = [lag for kiosk in self.kiosks for lag in kiosk.lags_ms]
        return {
            "kiosks": len(self.kiosks), "connected": sum(kiosk.connected for kiosk in self.kiosks), "sales": len(lags),
            "lag_ms": {"p50": middle(lags), "p99": middle(lags, 0.99), "longest": middle(lags, 1)},
            "hub_processor_percent": round(100 * (after - cpu) / passed, 1),
            "hub_processor_ms_a_kiosk_and_minute": round(60_000 * (after - cpu) / passed / len(self.kiosks), 2),
            "hub_megabytes": round(megabytes, 1),
            "hub_kilobytes_a_kiosk": round(1000 * megabytes / len(self.kiosks), 1),
            "fleet_processor_percent": round(
                100 * (spent.ru_utime + spent.ru_stime - own.ru_utime - own.ru_stime) / passed, 1
            ),
            "refused": sorted({code for kiosk in self.kiosks for code in kiosk.nacks}),
        }  # fmt: skip

    def drain(self, sales: int) -> dict[str, Any]:
        """Let every kiosk come with a backlog; tell how fast it became durable."""
        for kiosk in self.kiosks:
            for _ in range(sales):
                kiosk.sell(0.0)
        whole = sum(len(kiosk.waiting) for kiosk in self.kiosks)
        pids = self.hub.processes()
        cpu, _ = usage(pids)
        begun = time.monotonic()
        self.fleet.connect_all(0.5)
        self.fleet.run(lambda now: now - begun > 300 or not any(kiosk.waiting for kiosk in self.kiosks))
        passed = time.monotonic() - begun
        after, _ = usage(pids)
        left = sum(len(kiosk.waiting) for kiosk in self.kiosks)
        return {
            "facts": whole, "not_acknowledged": left, "seconds": round(passed, 2),
            "facts_a_second": round((whole - left) / passed), "hub_processor_s": round(after - cpu, 2),
        }  # fmt: skip

    def storm(self) -> dict[str, Any]:
        """Kill the hub under the fleet, start it again, and see everybody come back."""
        for kiosk in self.kiosks:
            kiosk.welcomes = 0
        self.hub.kill()
        begun = time.monotonic()
        self.fleet.run(lambda now: now - begun > 20)  # everybody notices
        self.hub.start()
        up = time.monotonic()
        times: list[float] = []

        def all_back(now: float) -> bool:
            back = sum(kiosk.connected and kiosk.welcomes > 0 for kiosk in self.kiosks)
            times.extend([now - up] * (back - len(times)))
            return back == len(self.kiosks) or now - up > 300

        self.fleet.run(all_back)
        settled = time.monotonic() - up
        return {
            "back": len(times), "half_s": middle(times), "p99_s": middle(times, 0.99), "all_s": round(settled, 1),
            "greetings_answered": sum(kiosk.welcomes for kiosk in self.kiosks), "down_s": round(up - begun, 1),
            "afterwards": self.watch(30),
        }  # fmt: skip

    def close(self) -> None:
        """End hub and fleet."""
        self.fleet.close()
        self.hub.stop()
        shutil.rmtree(self._room, ignore_errors=True)


def side_by_side(turns: int, seed: int) -> dict[str, Any]:
    """Drain the same backlogs into PostgreSQL with one worker and with four, in turns."""
    told: dict[str, list[dict[str, Any]]] = {"1": [], "4": []}
    with tempfile.TemporaryDirectory(prefix="fleet-postgresql-") as room, postgresql(Path(room)) as words:
        server = dict(each.split("=") for each in words.split())
        for turn in range(turns):
            for workers in (1, 4):
                print(f"fleet: forty backlogs into PostgreSQL, {workers} workers, turn {turn + 1}", flush=True)
                name = f"hub_{workers}_{turn}"
                with psycopg.connect(words, autocommit=True) as connection:
                    connection.execute(f"CREATE DATABASE {name}")
                address = f"postgresql+psycopg://{server['user']}@{server['host']}:{server['port']}/{name}"
                watched = Watched(40, seed, database=address, workers=workers)
                try:
                    told[str(workers)].append(watched.drain(BACKLOG_SALES))
                finally:
                    watched.close()
                print(json.dumps(told[str(workers)][-1]), flush=True)
    rates = {workers: middle([each["facts_a_second"] for each in runs]) for workers, runs in told.items()}
    return {"runs": told, "median_facts_a_second": rates, "ratio": round(rates["4"] / rates["1"], 2)}


def main(arguments: list[str] | None = None) -> int:
    """Measure; return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", default="20,200,2000")
    parser.add_argument("--seconds", type=float, default=WATCHED_S)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--turns", type=int, default=2, help="drains with each number of workers; 0: no PostgreSQL")
    asked = parser.parse_args(arguments)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    told: dict[str, Any] = {"bench": "fleet", "libzmq": zmq.zmq_version(), "cores": os.cpu_count(), "sizes": []}
    sizes = [int(size) for size in asked.sizes.split(",")]
    for size in sizes:
        print(f"fleet: {size} kiosks on one hub", flush=True)
        watched = Watched(size, asked.seed)
        try:
            arrived = watched.arrive(ARRIVAL_S)
            figures = watched.watch(asked.seconds)
            told["sizes"].append({"arrived_s": round(arrived, 1), **figures})
            print(json.dumps(told["sizes"][-1]), flush=True)
            if size == max(sizes):
                print("fleet: the hub is killed and started again", flush=True)
                told["storm"] = watched.storm()
        finally:
            watched.close()
    if asked.turns:
        told["workers"] = side_by_side(asked.turns, asked.seed)
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
