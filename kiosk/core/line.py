"""The thread of one line: moves bytes between a byte path and the driver in its seat.

It waits on the port and a wake pipe until the driver's deadline, and nowhere else.  Bytes go out in order, as
many as the port takes; each count is told to the driver (`Sent`).  A port that takes nothing for the write
time-out is given up on (`WriteTimedOut`, the rest dropped); one that is lost is told (`Lost`), closed, and
opened again with jittered back-off, at once when the device shows up again.

The driver is built inside this thread, so that a stranger's code can hang nobody but itself.  The heart beats
(`last_tick`) between calls only: a hung driver is seen from outside, the worker is abandoned, and whatever it
still says is thrown away.
"""

from __future__ import annotations

import os
import random
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from kiosk.core.grace import Grace
from kiosk.core.recorder import LineRecorder
from kiosk.core.runner import DriverSeat
from kiosk.core.runner_orphans import refusal, refusals
from kiosk.errors import KioskError, TransportError
from kiosk.model.commands import CheckHealth, DeviceCommand, EnableNotes, InhibitNotes
from kiosk.model.device_events import DeviceEvent, DeviceState, ProtocolFault
from kiosk.model.instant import NS
from kiosk.plugins.devices import Driver, Lost, Opened, OpenNote, PortRequest, Reply, Sent, Write, WriteTimedOut
from kiosk.transports import BytePath
from kiosk.transports.shared import TurnLost

MS = 1_000_000
#: The longest wait, so that the heart beats on a silent line.
HEARTBEAT_NS = NS
#: Back-off between attempts to open, without jitter.
REOPEN_FIRST_NS = 200 * MS
REOPEN_MOST_NS = 5 * NS
#: How often a lost port is looked for while waiting (a look costs one `stat`).
LOOK_NS = 500 * MS
#: Reads in a row before the driver's deadline and commands get their turn.
READS_A_TURN = 16
#: The same for writes and requests, which a driver may go on queueing as they leave.
ITEMS_A_TURN = 64
#: Largest piece offered to the port at once.
WRITE_PIECE = 4096
#: Orders that may wait; a kernel that posts more than this to one device is broken or the driver is stuck.
MAX_COMMANDS = 256

#: What survives a driver's death: marks, open note, random bytes.
Memory = tuple[Mapping[str, str], OpenNote | None, bytes]


class LineWorker:
    """Owns one port and its thread, and the seat of the driver on it."""

    def __init__(
        self,
        device: str,
        path: BytePath,
        build: Callable[[], Driver],
        memory: Memory,
        news: Callable[[DeviceEvent], None],
        *,
        recorder: LineRecorder | None = None,
        write_timeout_ms: int = 5000,
        clock: Callable[[], int] = time.monotonic_ns,
        chance: random.Random | None = None,
    ) -> None:
        self.device = device
        self.path = path
        self.recorder = recorder or LineRecorder()
        #: Monotonic nanoseconds of the last time around the loop.
        self.last_tick = clock()
        #: Why the driver is dead, "" while it lives or after an ordered stop.
        self.dead = ""
        #: True while the port is open.
        self.connected = False
        #: True while the port is being opened, which may take longer than a driver's call may.
        self.opening = False
        #: The last trouble with the port, "" when it is open and well.
        self.last_error = ""
        self._build = build
        self._memory = memory
        self._tell = news
        self._clock = clock
        self._chance = chance or random.Random()
        self._write_timeout = write_timeout_ms * MS
        self._seat: DriverSeat | None = None
        self._commands: deque[DeviceCommand] = deque()
        self._notes_order: DeviceCommand | None = None
        self._abandoned = False
        self._stopping = False
        self._pulled = False
        self._wake_r, self._wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wake_lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"line-{device}", daemon=True)
        self._out: deque[Write | PortRequest] = deque()
        self._head = 0
        self._write_by: int | None = None
        self._reopen_at = clock()
        self._reopen_wait = REOPEN_FIRST_NS
        self._was_present: bool | None = None
        self._look_at = clock()
        self._grace = Grace()

    # --- from other threads -------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def post(self, cmd: DeviceCommand) -> bool:
        """Hand over an order; returns False where the driver is dead or its queue is full."""
        if self.dead or self._stopping or self._abandoned or len(self._commands) >= MAX_COMMANDS:
            return False
        self._commands.append(cmd)
        self.wake()
        return True

    def look(self) -> None:
        """Look for a lost port now: something was plugged in."""
        self._pulled = True
        self.wake()

    def wake(self) -> None:
        """End the thread's wait."""
        with self._wake_lock:
            if self._wake_w >= 0:
                try:
                    os.write(self._wake_w, b"!")
                except BlockingIOError:
                    pass  # the pipe is full of wake-ups already

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Stop and close the port; returns False where the thread did not end in time."""
        self._stopping = True
        self.wake()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """Give up on a thread that hangs: nothing it says counts any more, and its port is freed."""
        self._abandoned = True
        self._stopping = True
        self._close_path()
        self.wake()

    def orphans(self, reason: str) -> list[DeviceEvent]:
        """Return the answers that this worker's dead or abandoned driver owes and will never give."""
        jobs = self._seat.jobs.orphans(reason) if self._seat is not None else []
        return jobs + refusals(list(self._commands), reason)

    @property
    def alive(self) -> bool:
        """Tell whether the thread still runs."""
        return self._thread.is_alive()

    # --- the thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001  the last guard: a thread must not die in silence
            self.dead = self.dead or f"the line thread failed: {type(error).__name__}: {str(error)[:200]}"
        finally:
            if not self._abandoned:  # else it was closed then, and belongs to a successor by now
                self._close_path()
            with self._wake_lock:
                os.close(self._wake_r)
                os.close(self._wake_w)
                self._wake_r = self._wake_w = -1

    def _news(self, event: DeviceEvent) -> None:
        if self._abandoned:
            return
        if isinstance(event, ProtocolFault):
            self.recorder.count("CommunicationErrorCount")
        self._tell(self._grace.sift(event))

    def _work(self) -> None:
        try:
            driver = self._build()
        except Exception as error:  # noqa: BLE001  a stranger's constructor
            self.dead = f"the driver could not be built: {type(error).__name__}: {str(error)[:200]}"
            return
        seat = self._seat = DriverSeat(self.device, driver, self._news)
        seat.remember(*self._memory)
        while not self._stopping and not seat.dead:
            now = self.last_tick = self._clock()
            if (late := self._grace.over(now)) is not None:
                self._news(late)
            if not self.connected:
                self._try_open(seat, now)
            self._give_commands(seat)
            if seat.due(now):
                self._read(seat)  # what came in time must not look late because this thread was
                if seat.due(now):
                    seat.tick(now)
            self._pump(seat)
            self._wait(seat)
        if not self._abandoned:
            self.dead = self.dead or seat.dead

    def _try_open(self, seat: DriverSeat, now: int) -> None:
        if self._appeared(now) or self._pulled:
            # udev may still be about to set the permissions: begin with short waits again.
            self._reopen_wait, self._pulled = REOPEN_FIRST_NS, False
        elif now < self._reopen_at:
            return
        self.opening = True
        try:
            facts = self.path.open()
        except TransportError as error:
            self._not_open(seat, error, now)
            return
        finally:
            self.opening = False
            self.last_tick = self._clock()
        if self._abandoned:
            self._close_path()
            return
        self.connected, self.last_error, self._reopen_wait = True, "", REOPEN_FIRST_NS
        self.recorder.port("opened", now, "OpenCount")
        self._grace.back(now)
        seat.port(Opened(facts), self._clock())
        if self._notes_order is not None and not seat.dead:
            order, self._notes_order = self._notes_order, None
            self._order(seat, order)

    def _appeared(self, now: int) -> bool:
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_NS
        before, self._was_present = self._was_present, self.path.present()
        return before is False and self._was_present is True

    def _not_open(self, seat: DriverSeat, error: KioskError, now: int) -> None:
        if str(error) != self.last_error:
            self.last_error = str(error)
            self.recorder.port(f"not open: {error.message}", now, "OpenFailureCount")
            if not seat.met_port:  # afterwards the driver itself says what it has lost
                self._news(DeviceState("no_port", "fault", detail=self.last_error[:300]))
        jitter = self._chance.uniform(0.75, 1.25)
        self._reopen_at = now + int(self._reopen_wait * jitter)
        self._reopen_wait = min(self._reopen_wait * 2, REOPEN_MOST_NS)

    def _give_commands(self, seat: DriverSeat) -> None:
        while self._commands and not seat.dead and not self._stopping:
            cmd = self._commands.popleft()
            if seat.met_port:
                self._order(seat, cmd)
            elif isinstance(cmd, EnableNotes | InhibitNotes):
                self._notes_order = cmd  # the last one counts as soon as there is a port
            elif isinstance(cmd, CheckHealth):
                self._news(DeviceState("no_port", "fault", detail=self.last_error[:300]))
            else:
                self._news(refusal(cmd, "the port has not been opened yet"))

    def _order(self, seat: DriverSeat, cmd: DeviceCommand) -> None:
        now = self._clock()
        self.recorder.ordered(cmd, now)
        seat.command(cmd, now)

    def _pump(self, seat: DriverSeat) -> None:
        self._out.extend(seat.take_outbound())
        for _ in range(ITEMS_A_TURN):
            if not self._out or seat.dead or self._stopping:
                break
            item = self._out[0]
            if isinstance(item, PortRequest):
                self._out.popleft()
                reply = self.path.request(item) if self.connected else Reply(item.id, False)
                seat.port(reply, self._clock())
            elif not self.connected:
                self._out.popleft()  # no line to write to; the driver knows that it is lost
                self._head = 0
                self.recorder.count("WritesDroppedCount")
            elif not self._write_some(seat, item):
                break
            self._out.extend(seat.take_outbound())

    def _write_some(self, seat: DriverSeat, item: Write) -> bool:
        rest = item.data[self._head : self._head + WRITE_PIECE]
        now = self._clock()
        if self._write_by is None:
            self._write_by = now + self._write_timeout
        try:
            count = self.path.write(rest) if rest else 0
        except TransportError as error:
            self._lose(seat, error)
            return False
        if count:
            self.recorder.sent(rest[:count], now)
            self._head += count
            self._write_by = now + self._write_timeout
        if self._head >= len(item.data):
            self._out.popleft()
            self._head, self._write_by = 0, None
        elif not count and now >= self._write_by:
            self._give_up_writing(seat, now)
            return False
        if count:
            seat.port(Sent(count), now)
        return count > 0 or not rest

    def _give_up_writing(self, seat: DriverSeat, now: int) -> None:
        self._forget_output()
        self.recorder.port("write timed out", now, "WriteTimeoutCount")
        seat.port(WriteTimedOut(), now)
        try:
            self.path.drop_output()
        except TransportError as error:
            self._lose(seat, error)

    def _forget_output(self) -> None:
        # Requests still get their answer, so that no driver waits for one for ever.
        self._out = deque(item for item in self._out if isinstance(item, PortRequest))
        self._head, self._write_by = 0, None

    def _lose(self, seat: DriverSeat, error: TransportError) -> None:
        now = self._clock()
        self._forget_output()
        self._close_path()
        self.last_error = str(error)
        self._reopen_wait = REOPEN_FIRST_NS
        self._reopen_at = now + int(REOPEN_FIRST_NS * self._chance.uniform(0.75, 1.25))
        self.recorder.port(f"lost: {error.message}", now, "LostCount")
        if isinstance(error, TurnLost):
            self.recorder.count("TurnLostCount")
        self._grace.lost(now)
        seat.port(Lost(error.message), now)

    def _wait(self, seat: DriverSeat) -> None:
        if seat.dead or self._stopping:
            return
        now = self._clock()
        until = now + HEARTBEAT_NS
        for moment in (seat.deadline(), self._write_by, self._grace.deadline()):
            if moment is not None:
                until = min(until, moment)
        if not self.connected:
            until = min(until, self._reopen_at, now + LOOK_NS)
        if self._commands or self._pulled or (self._out and not self._writing()):
            until = now
        poll = select.poll()
        poll.register(self._wake_r, select.POLLIN)
        fd = self.path.fileno() if self.connected else -1
        if fd >= 0:
            poll.register(fd, select.POLLIN | (select.POLLOUT if self._writing() else 0))
        # Rounded up: waking before the deadline would only mean another turn.
        ready = poll.poll(max(0, -(-(until - now) // MS)))
        for number, flags in ready:
            if number == self._wake_r:
                os.read(self._wake_r, 4096)
            elif flags & ~select.POLLOUT:
                self._read(seat)

    def _writing(self) -> bool:
        return bool(self._out) and isinstance(self._out[0], Write)

    def _read(self, seat: DriverSeat) -> None:
        for _ in range(READS_A_TURN):
            if not self.connected or seat.dead or self._stopping:
                return
            try:
                data = self.path.read()
            except TransportError as error:
                self._lose(seat, error)
                return
            if not data:
                return
            now = self._clock()
            self.recorder.received(data, now)
            seat.received(data, now)

    def _close_path(self) -> None:
        self.connected = False
        try:
            self.path.close()
        except TransportError as error:
            self.last_error = str(error)
