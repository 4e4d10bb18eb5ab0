"""The real-time part of `make crash`: whole `kiosk run` processes on real ptys, killed at a random moment.

A citizen pays an example citation at the real screen, over HTTP as the page does.  Somewhere between the scan and
the receipt the process gets SIGKILL; it is started again against the same simulated acceptor, which went on
living.  The run ends when the screen rests; then the cash box is held against the journal.
"""

from __future__ import annotations

import random
import sys
import time
from typing import Any

from bench.crash_count import count_journal
from kiosk.errors import SimulatorError
from kiosk.workbench.demonstration import Demonstration

#: Latest moment of the kill, milliseconds after the scan; a whole payment takes about seven seconds.
LATEST_MS = 8_000
#: Longest run, milliseconds.
LONGEST_MS = 90_000
#: Fed in this order; more than any example citation that is chosen owes.
WALLET = (2000, 1000, 500, 500, 1000)
_NS = 1_000_000


class RealRun:
    """One citizen, one kill, one count."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._wallet = list(WALLET)
        self._demo = Demonstration(quick=True)
        self._began = 0
        self._kill_at = 0
        self.kills = 0

    def play(self) -> list[str]:
        """Play to rest; return the differences."""
        demo = self._demo
        try:
            demo.start()
            owed = [sample for sample in demo.samples if sample.kind == "payable" and sample.owed]
            demo.screen.wait_for("start", lambda shot: shot["screen"] == "idle", 20_000)
            self._began = time.monotonic_ns()
            self._kill_at = self._began + self._chance.randrange(LATEST_MS) * _NS
            label = self._chance.choice(owed).label
            with demo.hardware.scanner.hands() as scanner:
                scanner.scan(label)
            demo.hardware.scanner.wake()
            rested = self._until_rest()
            demo.core.stop()
            with demo.hardware.acceptor.hands() as acceptor:
                box = sum(acceptor.cashbox) + sum(acceptor.collected)
            found = count_journal(demo.directory.journal, box).differences
            return found if rested else [*found, "did not come to rest"]
        finally:
            demo.stop()

    def _until_rest(self) -> bool:
        while time.monotonic_ns() - self._began < LONGEST_MS * _NS:
            if not self.kills and time.monotonic_ns() >= self._kill_at:
                self._demo.core.kill()
                self.kills += 1
                time.sleep(self._chance.randrange(100, 2_500) / 1000)
                self._demo.core.start()
                self._demo.core.wait_ready()
            try:
                shot = self._demo.screen.look()
                if self.kills and shot["screen"] == "idle" and not self._note_inside():
                    return True
                self._act(str(shot["screen"]))
            except SimulatorError:
                pass  # the screen is away while its process is; the next look tells
            time.sleep(0.05)
        return False

    def _note_inside(self) -> bool:
        with self._demo.hardware.acceptor.hands() as acceptor:
            return acceptor.inside is not None

    def _act(self, screen: str) -> None:
        touch = self._demo.screen.touch
        with self._demo.hardware.acceptor.hands() as acceptor:
            acceptor.take_rejected()
        if screen == "accepting":
            self._feed()
        elif screen in ("reviewing", "consenting", "note_held", "resuming", "timed_out", "notice"):
            name = {"reviewing": "pay", "consenting": "accept_conditions", "note_held": "agree_excess",
                    "resuming": "keep_paying", "timed_out": "more_time", "notice": "dismiss"}[screen]  # fmt: skip
            touch(name, (), 200)

    def _feed(self) -> None:
        if not self._wallet:
            self._demo.screen.touch("finish", (), 200)
            return
        with self._demo.hardware.acceptor.hands() as acceptor:
            taken = acceptor.insert(self._wallet[0])
        if taken:
            self._wallet.pop(0)
            self._demo.hardware.acceptor.wake()


def campaign(runs: int, seed: int, *, quiet: bool = False) -> dict[str, Any]:
    """Play the runs one after the other."""
    differing: list[dict[str, Any]] = []
    kills = 0
    for at in range(runs):
        run = RealRun(seed * 1000 + at)
        found = run.play()
        kills += run.kills
        if found:
            differing.append({"scenario": "real-time", "seed": seed * 1000 + at, "why": found[:3]})
        if not quiet:
            print(f"real time: {at + 1} of {runs} runs, {len(differing)} with differences", file=sys.stderr, flush=True)
    return {"runs": runs, "kills": kills, "differences": len(differing), "differing": differing}
