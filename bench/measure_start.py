"""Process start to READY=1 with 100,000 facts in the journal, with the last checkpoint of the books and without any.

A whole `python -m kiosk run` is started with a NOTIFY_SOCKET; the time runs from the start of the process to the
datagram, so it holds the interpreter, all imports, configuration, opening and checking the journal, the replay,
recovery and the screen's server.  Devices are plugged in, but READY never waits for them.  Beside it: the same
interpreter that does nothing, and one that imports what the kiosk imports.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from bench import measure_history
from bench.measure_figures import Aim, percentile, say, spread
from bench.replica_data import fill
from kiosk.journal.keys import SigningKey
from kiosk.workbench.demonstration import Demonstration

FACTS = 100_000
STARTS = 7
#: What a kiosk has imported when it is ready.
_IMPORTS = "import kiosk.cli.running, kiosk.app, kiosk.screen.app, kiosk.screen.server"
_ROOT = Path(__file__).resolve().parents[1]


def measure(room: Path, *, quick: bool = False) -> tuple[dict[str, Any], list[Aim]]:
    """Measure both starts; return the figures and the aims."""
    count, starts = (600, 1) if quick else (FACTS, STARTS)
    say(f"start: writing a journal of {count} facts")
    demo = Demonstration(room / "start", quick=True)
    try:
        demo.directory.write(screen_port=demo.screen_port, bench=demo.bench_origin, quick=True)
        fill(demo.directory.state / "sync.db", 1_000)
        journal = demo.directory.journal
        key = SigningKey.load(journal.with_suffix(".key"))
        held = measure_history.write(journal, key, room / "pattern", count, kiosk="K07", realm="demo")
        demo.hardware.start()
        config = demo.directory.config
        say(f"start: {starts} starts without a checkpoint, {starts} with one")
        turns = [(_run("pass"), _run(_IMPORTS), _start(config, room, journal, forget=True)) for _ in range(starts)]
        bare, imports, without = map(list, zip(*turns, strict=True))
        _start(config, room, journal)  # its orderly end keeps a checkpoint
        with_one = [_start(config, room, journal) for _ in range(starts)]
    finally:
        demo.stop()
    figures = {
        "facts": held, "without_checkpoint": spread(without), "with_checkpoint": spread(with_one),
        "interpreter_alone": spread(bare), "imports_alone": spread(imports),
        "import_share": round(median(imports) / median(with_one), 2),
    }  # fmt: skip
    limit = f"interpreter and imports alone {median(imports) / 1e6:.0f} ms"
    return figures, [
        Aim("start to READY, median, with a checkpoint", 1_500.0, percentile(with_one, 50) / 1e6, "ms", limit),
        Aim("start to READY, median, every fact read again", 1_500.0, percentile(without, 50) / 1e6, "ms", limit),
    ]


def _run(code: str) -> int:
    begun = time.perf_counter_ns()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=_ROOT)
    return time.perf_counter_ns() - begun


def _start(config: Path, room: Path, journal: Path, *, forget: bool = False) -> int:
    """Start a kiosk, wait for READY=1, end it; return how long READY took.

    Raises:
        RuntimeError: it ended or was not ready within two minutes; carries its words.
    """
    if forget:
        with closing(sqlite3.connect(journal)) as store:
            store.execute("DELETE FROM checkpoint")
            store.commit()
    address, log = room / "notify", room / "start.log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line, log.open("wb") as words:
        line.bind(str(address))
        line.settimeout(120)
        begun = time.perf_counter_ns()
        child = subprocess.Popen(
            [sys.executable, "-m", "kiosk", "run", "--config", str(config)], cwd=_ROOT, stdout=words, stderr=words,
            env={**os.environ, "NOTIFY_SOCKET": str(address)},
        )  # fmt: skip
        try:
            while b"READY=1" not in line.recv(4096):
                pass
            took = time.perf_counter_ns() - begun
        except TimeoutError:
            raise RuntimeError(f"the kiosk was not ready: {log.read_text('utf-8', 'replace')[-600:]}") from None
        finally:
            # Killed where the checkpoint has to stay away: an orderly end would keep one.
            child.send_signal(signal.SIGKILL if forget else signal.SIGTERM)
            address.unlink()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                raise
    return took
