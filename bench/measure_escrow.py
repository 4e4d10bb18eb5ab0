"""From a note in escrow to the order that decides it, through a whole kiosk process, for every acceptor.

The simulated unit holds the note from one moment on; the kiosk can hear of it at its next poll at the earliest, so
what is measured is told beside the poll period: what goes beyond it is the line's bytes, the driver, the commit of the
intent on disk and the order on the line.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench.measure_citizen import Citizen, running_demonstration
from bench.measure_figures import Aim, percentile, say, spread
from bench.note_rigs import BY_NAME
from bench.replica_data import number
from kiosk.simulators.note_unit import NoteUnit
from kiosk.simulators.note_units import ACCEPTORS

#: What the p99 may be beyond the poll period, nanoseconds.
ALLOWED_NS = 50_000_000
NOTES = 100


def measure(room: Path, *, quick: bool = False) -> tuple[dict[str, Any], list[Aim]]:
    """Measure every protocol; return the figures and an aim each."""
    figures: dict[str, Any] = {}
    aims: list[Aim] = []
    for protocol in ACCEPTORS:
        notes = 2 if quick else NOTES
        say(f"escrow: {notes} notes of 20 dollars through a whole process, acceptor {protocol}")
        took = _decisions(room / protocol, protocol, notes)
        period_ns = BY_NAME[protocol].settled().poll_ms * 1_000_000
        beyond = [max(0, each - period_ns) for each in took]
        figures[protocol] = {
            "poll_ms": period_ns // 1_000_000, "escrow_to_order": spread(took), "beyond_one_poll": spread(beyond),
        }  # fmt: skip
        aims.append(
            Aim(f"escrow to order beyond one poll, p99, {protocol}", ALLOWED_NS / 1e6, percentile(beyond, 99) / 1e6,
                "ms", f"the poll period, {period_ns / 1e6:.0f} ms")
        )  # fmt: skip
    return figures, aims


def _decisions(room: Path, protocol: str, notes: int) -> list[int]:
    with running_demonstration(room, citations=notes, acceptor=protocol) as demo:
        watched = WatchedUnit(demo.hardware.acceptor.role)
        port: Any = demo.hardware.acceptor
        port.role = watched
        citizen, index = Citizen(demo), 0
        while len(watched.took) < notes:
            citizen.pay(number(index))
            index += 1
        return watched.took[:notes]


class WatchedUnit:
    """A simulated acceptor that notes when a note comes into escrow and when it leaves it by an order."""

    def __init__(self, role: NoteUnit) -> None:
        self._role = role
        self._since = 0
        self.took: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._role, name)

    def tick(self, now: int) -> None:
        """The time is `now`."""
        self._role.tick(now)
        self._look(time.perf_counter_ns())

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the host."""
        at = time.perf_counter_ns()
        self._role.received(data, now)
        self._look(at)

    def _look(self, at: int) -> None:
        stage = self._role.stage
        if stage == "escrow":
            self._since = self._since or at
        elif self._since:
            if stage in ("stacking", "credit"):
                self.took.append(at - self._since)
            self._since = 0
