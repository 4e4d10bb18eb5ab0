"""`make crash`: kill the kiosk at every step, restart it against the same acceptor, count the money.

The steps are those of a payment, of an exchange of the cash box, of a closing, of a count and of the resumption with
money that was held.

    python -m bench.crash [--runs N] [--seed N] [--jobs N] [--scenario NAME] [--real N] [--rig NAME | --rig all]

`--rig` names the acceptor (a row of `note_rigs`); ``all`` plays the stories of a payment against each of them.

For each scenario one run without a kill tells how many effects and bytes it has; then the core is killed before
every single effect and at 100 random byte positions of the acceptor's line, and some runs are killed a second time
during the recovery.  Every run must end with: cents in the simulated cash box = credited + suspended + disputed,
receipt numbers contiguous, nothing credited twice, nothing disputed where the wire tells the outcome, and a journal
in which `verify` finds nothing.  `--runs` takes a random choice of that many.  A last part runs whole processes in real
time (`crash_real`).  The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import crash_real
from bench.crash_core import Plan
from bench.crash_scenarios import BY_NAME, SCENARIOS, make_city
from bench.crash_story import Outcome
from bench.crash_world import may_dispute, play
from bench.note_rigs import BY_NAME as RIG
from bench.note_rigs import RIGS, Rig
from kiosk.app import Setup

#: Random byte positions of the acceptor's line in each scenario.
POSITIONS = 100
#: One run in so many is killed again while it recovers.
TWICE = 5
Task = tuple[str, int, tuple[Plan, ...]]


def tasks(names: list[str], seed: int, measured: dict[str, Outcome]) -> Iterator[Task]:
    """Yield every run of the campaign: scenario, its seed, and where the lives of the core end."""
    chance = random.Random(seed)
    for name in names:
        whole = measured[name]
        plans = [Plan(effect=at) for at in range(1, whole.effects + 1)]
        plans += [Plan(byte=at) for at in sorted(chance.choices(range(1, whole.bytes + 1), k=POSITIONS))]
        for plan in plans:
            lives = (plan,)
            if chance.randrange(TWICE) == 0:
                again = (
                    Plan(effect=chance.randrange(1, 12))
                    if chance.random() < 0.5
                    else Plan(byte=chance.randrange(1, 400))
                )
                lives = (plan, again)
            yield name, chance.randrange(1 << 30), lives


def temporary_room() -> Path:
    """Return a directory in memory where there is one: a killed process loses nothing that it wrote to either."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="kiosk-crash-", dir=memory if memory.is_dir() else None))


def campaign(
    *, runs: int = 0, seed: int = 1, jobs: int = 2, names: list[str] | None = None, real: int = 30, quiet: bool = False,
    rig: Rig = RIG["id003"],
) -> dict[str, object]:  # fmt: skip
    """Run the whole campaign, or a random choice of `runs` of it; return what the JSON line says."""
    began = time.monotonic()
    chosen = [
        each.name
        for each in SCENARIOS
        if (not names or each.name in names) and each.only in ("", rig.protocol) and each.name not in rig.lacks
    ]
    room = temporary_room()
    setup, replica = make_city(room / "city", rig)
    measured = {name: play(setup, BY_NAME[name], room, replica, seed, (), rig) for name in chosen}
    outcomes: list[tuple[Task, Outcome]] = [((name, seed, ()), outcome) for name, outcome in measured.items()]
    planned = list(tasks(chosen, seed, measured))
    if runs and runs < len(planned):
        planned = random.Random(seed).sample(planned, runs)
    context = multiprocessing.get_context("fork")
    with context.Pool(jobs, initializer=_start_worker, initargs=(setup, room, replica, rig)) as pool:
        for done, result in enumerate(pool.imap_unordered(_work, planned, chunksize=4), 1):
            outcomes.append(result)
            if not quiet and done % 50 == 0:
                bad = sum(1 for _, outcome in outcomes if outcome.differences)
                print(f"{done} of {len(planned)} runs, {bad} with differences", file=sys.stderr, flush=True)
    told = crash_real.campaign(real, seed, quiet=quiet) if real else {"runs": 0, "differences": 0, "differing": []}
    differing = [
        {
            "scenario": task[0],
            "seed": task[1],
            "plans": [[p.effect, p.byte] for p in task[2]],
            "why": outcome.differences[:3],
        }
        for task, outcome in outcomes
        if outcome.differences
    ]
    return {
        "campaign": "crash",
        "rig": rig.name,
        "runs": len(outcomes) + told["runs"],
        "real_time_runs": told["runs"],
        "scenarios": len(chosen),
        "kills": sum(outcome.kills for _, outcome in outcomes) + told.get("kills", 0),
        "differences": len(differing) + told["differences"],
        "disputed": sum(1 for _, outcome in outcomes if outcome.disputed_minor),
        "disputed_where_the_wire_tells": sum(
            1
            for _, outcome in outcomes
            if outcome.disputed_minor and not may_dispute(BY_NAME[outcome.scenario], rig, outcome.kills)
        ),
        "credited_minor": sum(outcome.credited_minor for _, outcome in outcomes),
        "suspended_minor": sum(outcome.suspended_minor for _, outcome in outcomes),
        "disputed_minor": sum(outcome.disputed_minor for _, outcome in outcomes),
        "box_minor": sum(outcome.box_minor for _, outcome in outcomes),
        "seed": seed,
        "differing": differing[:50] + told["differing"],
        "seconds": round(time.monotonic() - began),
    }


_parts: tuple[Setup, Path, Path, Rig] | None = None


def _start_worker(setup: Setup, room: Path, replica: Path, rig: Rig) -> None:
    global _parts
    _parts = (setup, room, replica, rig)


def _work(task: Task) -> tuple[Task, Outcome]:
    assert _parts is not None
    name, seed, lives = task
    setup, room, replica, rig = _parts
    return task, play(setup, BY_NAME[name], room, replica, seed, lives, rig)


def every_rig(runs: int, seed: int, jobs: int) -> int:
    """Play the stories of a payment against every acceptor there is, `runs` against each; print one JSON line."""
    began = time.monotonic()
    stories = [each.name for each in SCENARIOS if not each.duty and not each.again]
    told = {rig.name: campaign(runs=runs, seed=seed, jobs=jobs, names=stories, real=0, rig=rig) for rig in RIGS}
    sums = {key: sum(int(str(each[key])) for each in told.values()) for key in ("runs", "kills", "differences")}
    print(json.dumps({
        "campaign": "crash_rigs", **sums, "seed": seed, "rigs": told, "seconds": round(time.monotonic() - began),
    }))  # fmt: skip
    return 1 if sums["differences"] else 0


def main() -> int:
    """Read the arguments, run, print; 1 where there is any difference."""
    parser = argparse.ArgumentParser(description="kill the kiosk everywhere and count the money")
    parser.add_argument("--runs", type=int, default=0, help="a random choice of that many runs; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--scenario", action="append", choices=sorted(BY_NAME))
    parser.add_argument("--real", type=int, default=None, help="runs of whole processes in real time")
    parser.add_argument("--rig", default="id003", choices=[*RIG, "all"])
    asked = parser.parse_args()
    if asked.rig == "all":
        return every_rig(asked.runs, asked.seed, asked.jobs)
    real = asked.real if asked.real is not None else (30 if not asked.runs else min(30, max(1, asked.runs // 50)))
    told = campaign(
        runs=asked.runs, seed=asked.seed, jobs=asked.jobs, names=asked.scenario, real=real, rig=RIG[asked.rig]
    )
    print(json.dumps(told))
    return 1 if told["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
