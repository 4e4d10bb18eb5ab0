"""`make bench`: measure what was promised, each figure beside its limit measured in the same run.

    python -m bench [--only NAME]... [--quick]

Progress goes to standard error; the last line on standard output is one JSON object with all figures and, under
``aims``, each aim by name with what was measured and whether it was met.  Everything is made in a directory on a disk
(KIOSK_BENCH_DIR, else /var/tmp) and removed again.  The exit code is 0 where everything could be measured: a missed
aim is a figure, not a fault.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from importlib import import_module
from typing import Any

from bench.measure_figures import file_system_of, room_on_disk, say
from kiosk.errors import KioskError

#: What can be measured, in this order.
NAMES = ("note", "escrow", "journal", "scan", "start", "idle")


def run(names: tuple[str, ...], *, quick: bool) -> dict[str, Any]:
    """Measure what is named; return the JSON object."""
    told: dict[str, Any] = {"bench": "bench", "quick": quick, "python": platform.python_version(),
                            "machine": platform.machine(), "cores": os.cpu_count()}  # fmt: skip
    figures: dict[str, Any] = {}
    failed: dict[str, str] = {}
    aims: list[dict[str, Any]] = []
    with room_on_disk() as room:
        told["disk"] = file_system_of(room)
        for name in names:
            begun, load = time.monotonic(), os.getloadavg()[0]
            place = room / name
            place.mkdir()
            try:
                found, held = import_module(f"bench.measure_{name}").measure(place, quick=quick)
            except (KioskError, RuntimeError, OSError, subprocess.SubprocessError) as error:
                failed[name] = f"{type(error).__name__}: {error}"[:600]
                say(f"{name} could not be measured: {failed[name]}")
                continue
            figures[name] = found | {"load_before": round(load, 2), "took_s": round(time.monotonic() - begun, 1)}
            for aim in held:
                aims.append(aim.told())
                outcome = "met" if aims[-1]["met"] else "missed"
                say(f"{aim.name}: {aim.measured:.3f} {aim.unit}, aim {aim.aim:.3f}: {outcome}")
    missed = [aim["name"] for aim in aims if not aim["met"]]
    return told | {"figures": figures, "aims": aims, "missed": missed, "failed": failed}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure what was promised.")
    parser.add_argument("--only", action="append", choices=NAMES, help="measure only this (may be given again)")
    parser.add_argument("--quick", action="store_true", help="a short form that shows that the rigs work")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a polite kill still clears up
    wanted = tuple(name for name in NAMES if not chosen.only or name in chosen.only)
    told = run(wanted, quick=chosen.quick)
    print(json.dumps(told))
    return 1 if told["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
