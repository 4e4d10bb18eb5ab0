"""`make soak`: both roles of every cash protocol talk through a bad line; what is credited must be what is stacked.

    python -m bench.soak [--notes N] [--real N] [--seed N] [--jobs N] [--only NAME]

First `--notes` notes for each row of `note_rigs` on a virtual clock, with losses, duplicates, garbling, delays and cuts
of the unit's power; as many coins, and a tenth as many payouts of a hopper; then `--real` notes each over a pty in real
time, through the line thread that a kiosk uses.  The last line is one JSON object: runs, notes, differences, seeds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections import Counter
from typing import Any

import msgspec

from bench.note_rigs import BY_NAME, BYTE_NS, RIGS
from bench.soak_coins import soak_coins, soak_hopper
from bench.soak_real import soak_really
from bench.soak_wire import BAD
from bench.soak_world import soak

#: Virtual notes are played in runs of so many, each with a seed of its own.
RUN = 2_500
#: A run in two also cuts the unit's power, once in so many notes.
POWER_CUTS = 0.02


def play(task: tuple[str, int, int]) -> dict[str, Any]:
    """Play one run on a virtual clock."""
    name, seed, notes = task
    rig = BY_NAME[name]
    begin = time.process_time()
    try:
        count = soak(
            rig.spec, rig.settled(), rig.make(), notes=notes, seed=seed, byte_ns=BYTE_NS, faults=BAD,
            power_cuts=POWER_CUTS if seed % 2 else 0.0,
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001  a run that breaks is a difference, not the end of the campaign
        told = {"differences": [f"{type(error).__name__}: {error}"], "notes": 0}
    else:
        told = msgspec.to_builtins(count)
    return {"name": name, "seed": seed, "cpu_s": round(time.process_time() - begin, 1), **told}


def play_coins(task: tuple[str, int, int]) -> dict[str, Any]:
    """Play coins into an acceptor, or out of a hopper."""
    name, seed, many = task
    told = soak_coins(many, seed) if name == "coins" else soak_hopper(many // 10, seed, power_cuts=bool(seed % 2))
    return {"name": name, "seed": seed, **told}


def _sum(rows: list[dict[str, Any]]) -> dict[str, Any]:
    def pieces(key: str) -> int:
        return sum(sum(row.get(key, {}).values()) for row in rows)

    return {
        "notes": sum(row["notes"] for row in rows),
        "stacked": pieces("stacked"), "credited": pieces("credited"), "unannounced": pieces("unannounced"),
        "disputed": pieces("disputed"), "returned": sum(row.get("returned", 0) for row in rows),
        "faults": pieces("faults"), "virtual_hours": round(sum(row.get("virtual_s", 0) for row in rows) / 3600, 1),
        "differences": sum(len(row["differences"]) for row in rows),
    }  # fmt: skip


def _coins(rows: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    told: dict[str, Counter[str]] = {}
    for row in rows:
        told.setdefault(row["name"], Counter()).update(
            {key: n for key, n in row.items() if type(n) is int and key != "seed"}
        )
    return {name: dict(counts) for name, counts in told.items()}


def main() -> None:
    """Play the campaign and print its JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=10_000)
    parser.add_argument("--real", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=list(BY_NAME))
    asked = parser.parse_args()
    rigs = [BY_NAME[asked.only]] if asked.only else list(RIGS)
    runs = max(1, -(-asked.notes // RUN))
    tasks = [(rig.name, asked.seed + run, -(-asked.notes // runs)) for run in range(runs) for rig in rigs]
    begin = time.monotonic()
    rows: list[dict[str, Any]] = []
    with multiprocessing.Pool(asked.jobs) as pool:
        for row in pool.imap_unordered(play, tasks):
            rows.append(row)
            wrong = f": {'; '.join(row['differences'])[:300]}" if row["differences"] else ""
            print(f"{len(rows)}/{len(tasks)} {row['name']} seed {row['seed']}, {row['cpu_s']} s{wrong}", flush=True)
    coins: list[dict[str, Any]] = []
    if not asked.only:
        with multiprocessing.Pool(asked.jobs) as pool:
            todo = [
                (name, asked.seed + run, -(-asked.notes // runs)) for run in range(runs) for name in ("coins", "hopper")
            ]
            for row in pool.imap_unordered(play_coins, todo):
                coins.append(row)
                print(f"{row['name']} seed {row['seed']}: {row}", flush=True)
    real = soak_really(rigs, asked.real, asked.seed, tell=lambda text: print(text, flush=True)) if asked.real else {}
    by_name = {rig.name: _sum([row for row in rows if row["name"] == rig.name]) for rig in rigs}
    differing = [f"{row['name']} seed {row['seed']}: {each}" for row in rows for each in row["differences"]]
    differing += [f"{name} in real time: {each}" for name, told in real.items() for each in told["differences"]]
    differing += [f"{row['name']} seed {row['seed']}: {each}" for row in coins for each in row["differences"]]
    print(json.dumps({
        "campaign": "soak", "runs": len(rows) + len(coins) + len(real),
        "differences": len(differing), "differing": differing[:20],
        "virtual": by_name, "coins": _coins(coins), "real": real, "seeds": [asked.seed, asked.seed + runs - 1],
        "seconds": round(time.monotonic() - begin, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
