"""A kiosk in one thread for measuring: real drivers, kernel and journal on a disk, simulated devices, virtual time.

Devices and timers live in virtual time, so that nothing is waited for; what the software itself takes is measured
in real time.  The citizen pays one example citation after the other with 20-dollar notes.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.crash_core import EPOCH_NS, CoreUnderTest, Plan, Setting
from bench.crash_scenarios import make_city
from bench.replica_data import SERVICE, number, rows
from kiosk.checkout import intents
from kiosk.checkout.states import State
from kiosk.core.inbox import IntentPosted
from kiosk.core.supervisor import DeviceNews
from kiosk.model.device_events import Scanned
from kiosk.model.facts import Committed, NoteCredited
from kiosk.plugins.devices import Opened
from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.protocols.id003.codes import DeviceStatus, HostCommand
from kiosk.protocols.id003.device import Id003Device
from kiosk.sync.replica_store import Batch, open_store, writer_lock

_MS = 1_000_000
#: An ID003 frame is SYNC, length, code: the code is the third byte.
_CODE = 2
_ANSWERS: dict[State, intents.AnyIntent] = {
    State.REVIEWING: intents.Pay(), State.CONSENTING: intents.AcceptConditions(),
    State.NOTE_HELD: intents.AgreeExcess(), State.NOTICE: intents.Dismiss(),
    State.TIMED_OUT: intents.MoreTime(), State.THANKING: intents.Dismiss(),
}  # fmt: skip


class StackedNote:
    """When one note's VEND VALID came in, its credit was on the disk, and its ACK left; nanoseconds."""

    def __init__(self, begun: int) -> None:
        self.begun = begun
        self.durable = 0
        self.confirmed = 0


class MeasuredCore(CoreUnderTest):
    """The core of the crash campaign without a process of its own: bytes go to the simulated devices at once."""

    def __init__(self, room: Path, citations: int) -> None:
        setup, replica = make_city(room / "city")
        with writer_lock(replica), closing(open_store(replica)) as store:
            batch = Batch(store, SERVICE)
            batch.add_all(rows(citations))
            batch.take_over(EPOCH_NS, snapshot=True)
        self._unused = socket.socketpair()
        super().__init__(self._unused[0], setup, room / "state", replica, Plan(), 0, Setting())
        self.acceptor, self.printer = Id003Device(), EscposPrinter()
        self.kernel.parts.committed = self._committed
        self.notes: list[StackedNote] = []
        self.facts: list[Committed] = []
        self._stacked: StackedNote | None = None

    # --- what the campaign's core asks of its surroundings ------------------------------------------------------

    def _write(self, device: str, data: bytes) -> None:
        if self._stacked is not None and device == "notes" and data[_CODE] == HostCommand.ACK:
            self._stacked.confirmed = time.perf_counter_ns()
        role = self.acceptor if device == "notes" else self.printer
        role.received(data, self._now)

    def _committed(self, fact: Committed) -> None:
        if self._stacked is not None and isinstance(fact.fact.body, NoteCredited):
            self._stacked.durable = time.perf_counter_ns()
        self.facts.append(fact)

    # --- life -----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the kernel and open the lines."""
        for name, seat in self._seats.items():
            seat.remember(*self.kernel.memory(name))
        self.kernel.start()
        for seat in self._seats.values():
            seat.port(Opened({"path": "bench", "kind": "loopback"}), self._now)
        self._pump()

    def end(self) -> None:
        """Stop the kernel in order and close everything."""
        self.kernel.stop("bench over")
        self._journal.close()
        for each in self._unused:
            each.close()

    def pay(self, index: int, noted: Callable[[], object] = lambda: None) -> None:
        """Let a citizen pay the index-th example citation to the end; `noted` is called after each stacked note.

        Raises:
            RuntimeError: the payment did not come to an end.
        """
        self._wait_for(State.IDLE)
        self.kernel.handle_news(DeviceNews("scanner", Scanned(number(index), "]C0"), self._now, 1))
        self._pump()
        limit = self._now + 600_000 * _MS
        while self._now < limit:
            model = self.kernel.model
            if model.state is State.IDLE:
                return
            if model.state is State.ACCEPTING and model.flight is None:
                self.acceptor.insert(2000)
            elif (answer := _ANSWERS.get(model.state)) is not None:
                self.kernel.handle_intent(IntentPosted(answer, model.session, model.step))
                self._pump()
            self._advance(noted)
        raise RuntimeError(f"citation {number(index)} was not paid to the end: {self.kernel.model.state}")

    def _wait_for(self, state: State) -> None:
        limit = self._now + 120_000 * _MS
        while self.kernel.model.state is not state:
            if self._now > limit:
                raise RuntimeError(f"the rig stays {self.kernel.model.state}: {self.kernel.reasons()}")
            self._advance()

    def _advance(self, noted: Callable[[], object] = lambda: None) -> None:
        """Let the next thing happen: a device's or a driver's deadline, the kernel's, 50 virtual ms at most."""
        wanted = [self.acceptor.deadline(), self.printer.deadline(), self.kernel.next_deadline()]
        wanted += [seat.deadline() for seat in self._seats.values()]
        later = [each for each in wanted if each is not None and each > self._now]
        self._now = min([self._now + 50 * _MS, *later])
        self._tick()
        self._pump()
        for name, role in (("notes", self.acceptor), ("receipt", self.printer)):
            role.tick(self._now)
            for data in role.take_outbound():
                if name == "notes" and data[_CODE] == DeviceStatus.VEND_VALID:
                    self._stack(data)
                    noted()
                else:
                    self._receive(name, data)
                    self._pump()

    def _stack(self, frame: bytes) -> None:
        """Hand over VEND VALID; the rest of the line before the ACK passes in virtual time and costs nothing here."""
        note = self._stacked = StackedNote(time.perf_counter_ns())
        self._receive("notes", frame)
        self._pump()
        seat, rest = self._seats["notes"], self._now + 100 * _MS
        while not note.confirmed and (due := seat.deadline()) is not None and due <= rest:
            self._now = max(self._now, due)
            self._tick()
            self._pump()
        self._stacked = None
        if note.durable and note.confirmed:
            self.notes.append(note)
