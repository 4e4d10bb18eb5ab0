"""`make bench-sync`: a kiosk's backlog to a hub, beside what a city would otherwise take, in one run.

    python -m bench.measure_sync [--facts N] [--runs N] [--only NAME]... [--no-servers]

Every way ends in the same: each fact durable and to be asked for by (kiosk, epoch, seq).  The ways take turns, a
different one first in every run; a ratio is that of two rates of the same run, and medians are told.  The rivals
hand over rows that wait in memory, over bare TCP; ours reads the journal, over CURVE, and its hub verifies every hash
and a signature on the head of every batch before it acknowledges.  Progress goes to standard error; the last line on
standard output is one JSON object.  The exit code is 1 where something could not be measured although its server is
there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg

from bench import sync_backlog, sync_ours, sync_rivals_nats
from bench.measure_figures import file_system_of, middle, room_on_disk, say, spread
from bench.sync_rivals import RIVALS, Rival
from bench.sync_servers import postgresql, program
from bench.sync_store import Fact
from kiosk.errors import KioskError

FACTS = 100_000
RUNS = 5
#: What ends the measurement of one way, and of no other.
_FAULTS = (KioskError, RuntimeError, OSError, subprocess.SubprocessError, sqlite3.Error, psycopg.Error)


def missing(rival: Rival) -> str:
    """Say what a rival needs that is not here, "" where all is."""
    if rival.needs == "nats-server-2.10":
        found = sync_rivals_nats.version()
        return "" if found >= (2, 10) else f"sync always needs nats-server 2.10, here is {_dotted(found) or 'none'}"
    if rival.needs == "postgresql":
        found_server = list(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        return "" if found_server else "not installed: apt-get install postgresql"
    return "" if not rival.needs or program(rival.needs) else f"not installed: apt-get install {rival.needs}"


def run_rival(rival: Rival, room: Path, facts: Sequence[Fact], address: str) -> float:
    """Send a backlog by a rival's way; return facts a second.

    Raises:
        RuntimeError: not every fact is in its store.
    """
    room.mkdir()
    part = facts[: rival.most] if rival.most else facts
    took, held = rival.send(room, part, address)
    if held != (len(part), sum(len(fact[3]) for fact in part)):
        raise RuntimeError(f"{rival.name} stored {held[0]} of {len(part)} facts")
    return len(part) / took


def measure(room: Path, *, facts: int, runs: int, only: Iterable[str] = (), servers: bool = True) -> dict[str, Any]:
    """Measure everything in turns; return the JSON object."""
    say(f"sync: writing a journal of {facts} facts")
    backlog = sync_backlog.write(room / "backlog", facts, realm="demo")
    rows = backlog.rows()
    wanted = set(only)
    told: dict[str, Any] = {
        "bench": "sync", "facts": backlog.facts, "commits": backlog.commits,
        "bytes_a_fact": round(backlog.size / backlog.facts), "runs": runs, "cores": os.cpu_count(),
        "machine": platform.machine(), "python": platform.python_version(), "disk": file_system_of(room),
        "sqlite": sqlite3.sqlite_version, "nats": _dotted(sync_rivals_nats.version()), "mosquitto": _mosquitto(),
        "load_before": [], "left_out": {}, "failed": {},
    }  # fmt: skip
    rivals: list[Rival] = []
    for rival in RIVALS:
        if wanted and rival.name not in wanted:
            continue
        lacking = missing(rival) if servers or not rival.needs else "no servers wanted"
        if lacking:
            told["left_out"][rival.name] = lacking
        else:
            rivals.append(rival)
    ours = [way for way in sync_ours.WAYS if (not wanted or way.name in wanted) and (servers or not way.needs)]
    rates: dict[str, list[float | None]] = {}
    waits: dict[str, dict[str, list[int]]] = {}
    if ours:
        seller = sync_backlog.write(room / "seller", 1, "K08", realm="demo")
    with ExitStack() as held:
        address = ""
        if "postgresql" in [each.needs for each in rivals] + [each.needs for each in ours]:
            address = held.enter_context(postgresql(room))
        for number in range(runs):
            ways = _side_by_side(rivals, ours)
            first = number * 3 % max(1, len(ways))
            told["load_before"].append(round(os.getloadavg()[0], 2))
            for way in ways[first:] + ways[:first]:
                place = room / f"{number}-{way.name}"
                begun = time.monotonic()
                found: dict[str, float] = {}
                try:
                    if isinstance(way, Rival):
                        found = {way.name: run_rival(way, place, rows, address)}
                    else:
                        found = sync_ours.drain(way, place, backlog, address)
                except _FAULTS as error:
                    _failed(told, way.name, error)
                finally:
                    shutil.rmtree(place, ignore_errors=True)
                for name, rate in found.items():
                    rates.setdefault(name, [None] * runs)[number] = rate
                    say(f"sync: run {number + 1}: {name} {rate:,.0f} facts/s ({time.monotonic() - begun:.1f} s)")
            for way in ours:
                place = room / f"{number}-{way.name}-sales"
                try:
                    sales = sync_ours.latency(way, place, backlog, address, seller)
                except _FAULTS as error:
                    _failed(told, f"{way.name} sales", error)
                    continue
                finally:
                    shutil.rmtree(place, ignore_errors=True)
                for when, times in sales.items():
                    waits.setdefault(way.name, {}).setdefault(when, []).extend(times)
    told["ways"] = {name: _told(name, found, backlog.facts) for name, found in rates.items()}
    told["sale_to_hub_durable"] = {
        name: {when: spread(times) for when, times in found.items() if times} for name, found in waits.items()
    }
    told["ratios"] = _ratios(rates)
    return told


def _side_by_side(rivals: Sequence[Rival], ours: Sequence[sync_ours.Way]) -> list[Rival | sync_ours.Way]:
    """Return the ways in an order in which each of ours comes right after the rival it is held against."""
    ways: list[Rival | sync_ours.Way] = list(rivals)
    for way in ours:
        names = [each.name for each in ways]
        ways.insert(names.index(way.beside) + 1 if way.beside in names else len(ways), way)
    return ways


def _failed(told: dict[str, Any], name: str, error: Exception) -> None:
    told["failed"][name] = f"{type(error).__name__}: {error}"[:600]
    say(f"sync: {name} could not be measured: {told['failed'][name]}")


def _told(name: str, found: Sequence[float | None], facts: int) -> dict[str, Any]:
    rival = next((each for each in RIVALS if each.name == name), None)
    known = [rate for rate in found if rate is not None]
    told: dict[str, Any] = {
        "per_s": round(middle(known)), "runs": [round(rate) for rate in known],
        "facts": min(facts, rival.most) if rival is not None and rival.most else facts,
    }  # fmt: skip
    if rival is not None:
        told |= {"way": rival.words, "durable_when_acknowledged": rival.durable}
    else:
        told |= {"way": sync_ours.words(name), "durable_when_acknowledged": True}
    return told


def _ratios(rates: dict[str, list[float | None]]) -> dict[str, dict[str, float]]:
    """Return, for each figure of ours, how many times each other way's rate it is: the median of the runs' ratios."""
    rival_names = {rival.name for rival in RIVALS}
    told: dict[str, dict[str, float]] = {}
    for mine in rates:
        if mine in rival_names:
            continue
        for other in rates:
            if other not in rival_names:
                continue
            both = [a / b for a, b in zip(rates[mine], rates[other], strict=True) if a is not None and b is not None]
            if both:
                told.setdefault(mine, {})[other] = middle(both)
    return told


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _mosquitto() -> str:
    broker = program("mosquitto")
    if broker is None:
        return ""
    said = subprocess.run([broker, "-h"], capture_output=True, text=True, check=False).stdout
    return said.split("\n", 1)[0].removeprefix("mosquitto version ").strip()


def main() -> int:
    """Run from the command line."""
    names = [rival.name for rival in RIVALS] + [way.name for way in sync_ours.WAYS]
    parser = argparse.ArgumentParser(prog="bench.measure_sync", description="Measure sync beside its alternatives.")
    parser.add_argument("--facts", type=int, default=FACTS, help=f"facts of the backlog ({FACTS})")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"runs of everything in turns ({RUNS})")
    parser.add_argument("--only", action="append", choices=names, default=[], help="measure only this (repeatable)")
    parser.add_argument("--no-servers", action="store_true", help="only ways that need no server of somebody else")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a polite kill still clears up
    with room_on_disk() as room:
        told = measure(room, facts=chosen.facts, runs=chosen.runs, only=chosen.only, servers=not chosen.no_servers)
    print(json.dumps(told))
    return 1 if told["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
