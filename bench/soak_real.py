"""The same in real time: the unit behind a pty, the driver in the line thread of a kiosk, all rows side by side."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.note_rigs import Rig
from kiosk.api import (
    Confirm,
    DriverTools,
    EnableNotes,
    NoteDisputed,
    NoteEscrowed,
    NoteReturned,
    NotesKnown,
    NoteStacked,
    ReturnNote,
    StackNote,
)
from kiosk.core.line import LineWorker
from kiosk.simulators.pty_port import PtyPort
from kiosk.transports import make_path

#: A row that has not ended after this is a difference, seconds.
PATIENCE_S = 900


class RealRun:
    """One row: unit, pty, line thread, a person and a desk."""

    def __init__(self, rig: Rig, room: Path, notes: int, seed: int) -> None:
        self.rig, self.notes = rig, notes
        self.chance = random.Random(seed)
        self.credited: Counter[int] = Counter()
        self.disputed = 0
        self.ended = 0
        self.problems: list[str] = []
        self.port = PtyPort(rig.make(), room / rig.name, name=rig.name)
        spec = rig.spec
        line = {**spec.line.get("serial", {}), "port": str(room / rig.name)}
        self.worker = LineWorker(
            rig.name, make_path("serial", line),
            lambda: spec.build(rig.settled(), DriverTools(currency=self.port.role.currency)),
            ({}, None, self.chance.randbytes(32)), self._hear,
        )  # fmt: skip

    def _hear(self, event: Any) -> None:
        if isinstance(event, NotesKnown):
            self.worker.post(EnableNotes(event.values))
        elif isinstance(event, NoteEscrowed):
            self.worker.post(ReturnNote(event.note) if self.chance.random() < 0.1 else StackNote(event.note))
        elif isinstance(event, NoteStacked):
            if event.value is None:
                self.problems.append("a stacked note without a value")
            else:
                self.credited[event.value.minor] += 1
            self.worker.post(Confirm(event.token))
        elif isinstance(event, NoteDisputed):
            self.disputed += 1
            self.worker.post(Confirm(event.token))
        elif isinstance(event, NoteReturned) and event.token:
            self.worker.post(Confirm(event.token))

    def play(self) -> dict[str, Any]:
        """Feed the notes, let the line come to rest, and count."""
        begin = time.monotonic()
        with self.port:
            self.worker.start()
            while self._ended() < self.notes and time.monotonic() - begin < PATIENCE_S:
                with self.port.hands() as unit:
                    if unit.can_insert:
                        unit.insert(self.chance.choice(unit.values))
                    unit.take_rejected()
                time.sleep(0.05)
            if self._ended() < self.notes:
                self.problems.append(f"only {self._ended()} notes in {PATIENCE_S} s")
            time.sleep(3)
            self.worker.stop()
            with self.port.hands() as unit:
                stacked, returned = Counter(unit.cashbox), len(unit.returned)
        if self.worker.dead:
            self.problems.append(self.worker.dead)
        if stacked != self.credited:
            self.problems.append(f"stacked {dict(stacked)}, credited {dict(self.credited)}")
        return {
            "stacked": sum(stacked.values()), "credited": sum(self.credited.values()), "disputed": self.disputed,
            "returned": returned, "seconds": round(time.monotonic() - begin, 1), "differences": self.problems,
        }  # fmt: skip

    def _ended(self) -> int:
        with self.port.hands() as unit:
            return len(unit.cashbox) + len(unit.returned)


def soak_really(rigs: Sequence[Rig], notes: int, seed: int, tell: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """Play all rows at once, each on threads of its own; they wait for their lines most of the time."""
    told: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="soak") as room:

        def play(rig: Rig) -> None:
            told[rig.name] = RealRun(rig, Path(room), notes, seed).play()
            tell(f"{rig.name} in real time: {told[rig.name]}")

        threads = [threading.Thread(target=play, args=(rig,), name=f"soak-{rig.name}") for rig in rigs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return told
