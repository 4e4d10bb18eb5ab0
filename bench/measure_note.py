"""Stacked frame to durable credit, beside one bare durable write in turns with it.

Two ways.  *Core*: drivers, kernel and journal in one thread on a disk; from the last byte of VEND VALID in the driver's
hands to `NoteCredited` on the disk, and on to the bytes of the ACK (the 10 ms that the line rests in between pass in
virtual time).  *Process*: a whole `kiosk run` over a pty; from VEND VALID written by the simulated unit to the ACK read
by it, rest of the line, threads and scheduling included.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench.measure_citizen import Citizen, running_demonstration
from bench.measure_disk import BareDisk
from bench.measure_figures import Aim, percentile, say, spread
from bench.measure_rig import MeasuredCore
from bench.replica_data import number
from kiosk.protocols.id003.codes import DeviceStatus, HostCommand
from kiosk.protocols.id003.device import Id003Device
from kiosk.simulators.pty_port import PtyPort

#: What the p99 may be beyond twice the bare write's, nanoseconds.
ALLOWED_NS = 5_000_000


def measure(room: Path, *, quick: bool = False) -> tuple[dict[str, Any], list[Aim]]:
    """Measure both ways; return the figures and the aim, which is held against the core's."""
    citizens = 4 if quick else 250
    say(f"note: {citizens} citizens pay in the core alone, a bare write after each note")
    core = MeasuredCore(room / "core", citizens)
    core.begin()
    writes: list[int] = []
    with BareDisk(room) as disk:
        for index in range(citizens):
            core.pay(index, lambda: writes.append(disk.write()))
    core.end()
    durable = [note.durable - note.begun for note in core.notes]
    confirmed = [note.confirmed - note.begun for note in core.notes]
    aim_ns = 2 * percentile(writes, 99) + ALLOWED_NS
    figures: dict[str, Any] = {
        "core_to_durable": spread(durable), "core_to_ack": spread(confirmed), "bare_write": spread(writes),
        "note_to_write_p50": round(percentile(durable, 50) / percentile(writes, 50), 2),
    }  # fmt: skip
    if not quick:
        figures["process_vend_valid_to_ack"] = spread(_through_the_process(room / "process", 24))
    limit = f"p99 of a bare write {percentile(writes, 99) / 1e6:.3f} ms, twice that and 5 ms"
    measured_ns = percentile(durable, 99)
    return figures, [Aim("stacked frame to durable credit, p99", aim_ns / 1e6, measured_ns / 1e6, "ms", limit)]


def _through_the_process(room: Path, notes: int) -> list[int]:
    """Feed notes to a whole kiosk process; return VEND VALID to ACK for each, nanoseconds."""
    say(f"note: {notes} notes through a whole process over a pty")
    with running_demonstration(room, citations=notes) as demo:
        watched = WatchedAcceptor(demo.hardware.acceptor.role)
        port: PtyPort[Any] = demo.hardware.acceptor
        port.role = watched
        citizen = Citizen(demo)
        index = 0
        while len(watched.took) < notes:
            citizen.pay(number(index))
            index += 1
        return watched.took


class WatchedAcceptor:
    """A simulated acceptor that notes when its VEND VALID leaves and when the ACK for it comes in."""

    def __init__(self, role: Id003Device) -> None:
        self._role = role
        self._told = 0
        self.took: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._role, name)

    def take_outbound(self) -> list[bytes]:
        """Hand over what is to be written."""
        frames = self._role.take_outbound()
        if not self._told and any(frame[2] == DeviceStatus.VEND_VALID for frame in frames):
            self._told = time.perf_counter_ns()
        return frames

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the host."""
        at = time.perf_counter_ns()
        if self._told and len(data) > 2 and data[2] == HostCommand.ACK:
            self.took.append(at - self._told)
            self._told = 0
        self._role.received(data, now)
