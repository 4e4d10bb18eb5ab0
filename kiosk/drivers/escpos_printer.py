"""Receipt printers that speak ESC/POS, over a serial line, TCP or USB.

A successful write is not a printed receipt (devices sheet §1.1), so a job goes queued → preflight → ready → sending →
barrier → printed:

* *preflight* asks all four real-time states; only ``ok`` and ``near_end`` let a job on.  `PrintReady` then waits for
  `Confirm`, because `PrintStarted` is committed before the first byte; a late Confirm is preceded by a second look.
* *sending* hands out whole commands in bounded chunks, each followed by a checkpoint, and never more of them than the
  printer's buffer holds; status is asked only between commands.
* *barrier* is a question that the printer answers in its turn, which proves that everything before it was consumed.

Rules that must stay true: after Confirm every way out but an answered barrier is `PrintUnknown`, once; nothing is
ever sent again by itself; silence for 2 s is ``unknown``, never ok; an answer to an older barrier never passes for a
newer one, so after opening and after every unknown end the queue is settled before a job begins.

A USB printer without an IN endpoint cannot be read: its state is GET_PORT_STATUS and its jobs end as unknown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec

from kiosk.api import (
    Capabilities,
    CheckHealth,
    CommandRefused,
    Confirm,
    DeviceCommand,
    DeviceEvent,
    DriverSpec,
    DriverTools,
    DropJob,
    KioskError,
    Lost,
    Opened,
    OpenNote,
    Outbound,
    PortEvent,
    PortRequest,
    Print,
    Printed,
    PrintHeld,
    PrintProgress,
    PrintReady,
    PrintUnknown,
    ProtocolFault,
    Reply,
    Sent,
    Write,
    WriteTimedOut,
)
from kiosk.protocols.escpos import commands as esc
from kiosk.protocols.escpos import condition
from kiosk.protocols.escpos.job import PrintJob
from kiosk.protocols.escpos.line import Concern, Looked, PrinterLine
from kiosk.protocols.escpos.profile import Profile
from kiosk.protocols.escpos.setting import set_slip
from kiosk.protocols.escpos.status import Block, Queued

_MS = 1_000_000
_SECOND = 1_000_000_000
#: A preflight older than this is looked at again when Confirm comes.
FRESH = _SECOND
MAX_JOBS = 8


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of `escpos_printer`; the composition root fills `profile` from config/printers/NAME.toml."""

    profile: Profile = Profile()
    #: Pause between two looks at the printer's state, in milliseconds.
    poll_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 1_000
    #: Most bytes handed to the line at once; a single longer command still goes whole.
    chunk_bytes: Annotated[int, msgspec.Meta(ge=16, le=65_536)] = 512
    #: Added to the barrier's time limit, for slow lines, in milliseconds.
    barrier_extra_ms: Annotated[int, msgspec.Meta(ge=0, le=120_000)] = 0


class EscPosPrinter:
    """Owns one printer's queue of jobs and is the one writer to its line."""

    def __init__(self, options: Options, tools: DriverTools) -> None:
        self._options = options
        self._tools = tools
        self._events: list[DeviceEvent] = []
        self._line = PrinterLine(options.profile, options.poll_ms * _MS, self._events)
        self._jobs: deque[PrintJob] = deque()
        self._tokens = 0
        self._marks = 0

    # --- the eight names ------------------------------------------------------------------------------------------

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Begin the completion marks somewhere new, so that an answer from before a restart matches no job."""
        self._marks = int.from_bytes(entropy[:2], "big")

    def port(self, event: PortEvent, now: int) -> None:
        """Hear of the byte path."""
        match event:
            case Opened(facts=facts):
                self._line.opened(facts, now)
            case Sent(count=count):
                self._sent(count, now)
            case WriteTimedOut():
                self._line.written.clear()
                self._line_failed("write_timed_out", now)
                self._concerns(self._line.stuck(now), now)
            case Lost(reason=reason):
                self._line.is_open = False
                self._line_failed("lost", now)
                self._line.lost(reason, now)
                self._hold("unknown")
            case Reply(id=number, ok=ok, data=data):
                self._concerns(self._line.reply(number, data if ok else b"", now), now)
        self._go_on(now)

    def received(self, data: bytes, now: int) -> None:
        """Take answers, split anywhere."""
        self._concerns(self._line.received(data, now), now)
        self._go_on(now)

    def tick(self, now: int) -> None:
        """Let every wait end that is over."""
        self._concerns(self._line.tick(now), now)
        job = self._head
        if job is not None and job.limit is not None and now >= job.limit:
            self._end_unknown(job, "barrier_timeout" if job.phase == "barrier" else "stalled", now)
        self._go_on(now)

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """Take an order."""
        match cmd:
            case Print():
                self._queue(cmd, now)
            case Confirm(token=token):
                self._confirmed(token, now)
            case DropJob(job=name):
                self._drop(name, now)
            case CheckHealth():
                self._line.report_again(now)
            case _:
                self._refuse(str(type(cmd).__struct_config__.tag), "not an order for a printer", "")
        self._go_on(now)

    def deadline(self) -> int | None:
        """When `tick` is wanted next."""
        job = self._head
        waits = (self._line.deadline(printing=self._printing), job.limit if job is not None else None)
        return min((wait for wait in waits if wait is not None), default=None)

    def take_outbound(self) -> list[Outbound]:
        """Hand over what is to be written, once."""
        taken: list[Outbound] = [
            Write(item) if isinstance(item, bytes) else PortRequest(item.id, "usb_class_in", item.data)
            for item in self._line.outbound
        ]
        self._line.outbound.clear()
        return taken

    def take_events(self) -> list[DeviceEvent]:
        """Hand over what happened, once."""
        taken = list(self._events)
        self._events.clear()
        return taken

    # --- jobs -----------------------------------------------------------------------------------------------------

    @property
    def _head(self) -> PrintJob | None:
        return self._jobs[0] if self._jobs else None

    @property
    def _printing(self) -> bool:
        return self._head is not None and self._head.phase in ("sending", "barrier")

    def _queue(self, cmd: Print, now: int) -> None:
        profile, tools = self._options.profile, self._tools
        if any(job.name == cmd.job for job in self._jobs) or len(self._jobs) >= MAX_JOBS:
            self._refuse("print", "the queue is full" if len(self._jobs) >= MAX_JOBS else "already queued", cmd.job)
            return
        try:
            stream = set_slip(cmd.slip, profile, draw_line=tools.draw_line, draw_qr=tools.draw_qr)
        except KioskError as error:
            self._refuse("print", str(error), cmd.job)
            return
        self._jobs.append(PrintJob(cmd.job, stream, now))
        self._line.hasten(now)
        if not self._line.is_open:
            self._hold("unknown")

    def _drop(self, name: str, now: int) -> None:
        job = next((job for job in self._jobs if job.name == name), None)
        if job is None or job.confirmed:
            self._refuse("drop_job", "no such job" if job is None else "it has begun", name)
            return
        self._jobs.remove(job)
        self._turn_to_next(now)

    def _turn_to_next(self, now: int) -> None:
        if self._head is not None and not self._head.confirmed:
            self._head.wanted_at = max(self._head.wanted_at, now)
            self._line.hasten(now)

    def _hold(self, state: str) -> None:
        job = self._head
        if job is not None and job.phase == "preflight" and job.held != state:
            job.held = state
            self._events.append(PrintHeld(job.name, state))

    def _concerns(self, concerns: Iterable[Concern], now: int) -> None:
        """Take what the line has found out, for the job at the head as it is by then."""
        for concern in concerns:
            job = self._head
            barrier = job if job is not None and job.phase == "barrier" else None
            match concern:
                case Looked(state=state, asked=asked):
                    self._judge(state, asked, now)
                case Queued(byte=byte) if job is not None and job.awaits_queued:
                    if condition.paper_is_out(byte):  # a clone that goes on without paper has printed on nothing
                        self._end_unknown(job, "paper_out", now)
                    elif not job.checkpoint_answered(now):
                        self._passed(job, now)
                case Block(head=0x37, body=body) if barrier and barrier.mark and body == b"\x22" + barrier.mark:
                    self._passed(barrier, now)
                case Queued(byte=byte):
                    self._line.stray(bytes([byte]))
                case Block(head=head, body=body):
                    self._line.stray(bytes([head]) + body)

    def _judge(self, state: str, asked: int | None, now: int) -> None:
        """Let the job at the head go on, or end, with what a look has shown."""
        job = self._head
        if job is None:
            return
        if job.phase in ("sending", "barrier"):
            if state in condition.HOPELESS:
                self._end_unknown(job, state, now)
            return
        if state not in condition.PRINTABLE and not job.confirmed:
            self._hold(state)
        elif job.phase == "ready" or asked is None or asked < job.wanted_at:
            return
        elif state not in condition.PRINTABLE:
            self._end_unknown(job, state, now)
        elif self._line.settled and job.confirmed:
            self._start(job, now)
        elif self._line.settled:
            self._tokens += 1
            job.phase, job.token = "ready", self._tokens
            self._events.append(PrintReady(job.token, job.name))

    def _confirmed(self, token: int, now: int) -> None:
        job = self._head
        if job is None or job.phase != "ready" or job.token != token:
            self._refuse("confirm", f"no job waits for token {token}", "")
        elif not self._line.is_open:
            self._end_unknown(job, "lost", now)
        elif self._line.fresh(now, FRESH):
            self._start(job, now)
        else:
            job.phase, job.wanted_at = "recheck", now
            self._line.hasten(now)

    def _start(self, job: PrintJob, now: int) -> None:
        job.start(now)
        self._line.leave_slip()

    def _go_on(self, now: int) -> None:
        """Write what is due: the line's questions, then the next chunk of the job at the head."""
        job = self._head
        self._line.ask(now, printing=self._printing, wanted=job is not None)
        if job is not None and job.phase == "sending" and self._line.go:
            self._send_on(job, now)

    def _send_on(self, job: PrintJob, now: int) -> None:
        """Hand out chunks while the line takes them and the printer has room; after the last one, the barrier."""
        options = self._options
        if self._line.written.waits("job"):
            return
        if not job.handed_out:
            proves = self._line.readable and options.profile.barrier != "none"
            window = options.profile.window_bytes if proves else 0
            if job.has_room(options.chunk_bytes, window):
                chunk = job.next_chunk(options.chunk_bytes)
                self._line.write(chunk, "job")
                if window and not job.handed_out:
                    job.checkpoint_asked(len(chunk))
                    self._line.write(esc.ASK_QUEUED_PAPER)
        elif not self._line.readable:
            self._end_unknown(job, "no_read_back", now)
        elif options.profile.barrier == "none":
            self._end_unknown(job, "no_barrier", now)
        elif options.profile.barrier == "completion_id":
            self._marks = (self._marks + 1) & 0xFFFF
            job.begin_barrier(b"%04X" % self._marks, now)
            self._line.write(esc.completion_id(job.mark), "barrier")
        else:
            job.begin_barrier(b"", now)
            self._line.write(esc.ASK_QUEUED_PAPER, "barrier")

    def _sent(self, count: int, now: int) -> None:
        shares, nobodys = self._line.written.sent(count)
        for kind, taken, complete in shares:
            job = self._head
            if job is not None and kind == "job":
                job.progressed(taken, now)
                if complete:
                    self._events.append(PrintProgress(job.name, job.sent, job.stream.total))
            elif job is not None and kind == "barrier" and complete:
                job.barrier_left(now, self._options.barrier_extra_ms * _MS)
        if nobodys:
            self._events.append(ProtocolFault("unexpected", f"the port has sent {nobodys} bytes that nobody wrote"))

    def _passed(self, job: PrintJob, now: int) -> None:
        self._jobs.popleft()
        self._line.written.release()
        self._events.append(Printed(job.name))
        self._line.follow_slip(job.name, now)
        self._turn_to_next(now)

    def _line_failed(self, reason: str, now: int) -> None:
        """A confirmed job ends here; one that waits for its turn or its Confirm does not."""
        if self._head is not None and self._head.confirmed:
            self._end_unknown(self._head, reason, now)

    def _end_unknown(self, job: PrintJob, reason: str, now: int) -> None:
        """End a confirmed job that no barrier has proved.  It is never sent again by itself."""
        self._jobs.popleft()
        self._line.written.release()
        self._events.append(PrintUnknown(job.name, reason, job.handed, job.stream.total))
        if job.handed or not self._line.go:  # an XON may have been lost: an answered question stands for it
            self._line.unsettle()
        if job.handed:
            self._line.clear_buffers()
        self._turn_to_next(now)

    def _refuse(self, command: str, reason: str, job: str) -> None:
        self._events.append(CommandRefused(command, reason, job=job))


SPEC = DriverSpec(
    name="escpos_printer",
    device_class="POSPrinter",
    transports=("serial", "tcp", "usb_printer"),
    options=Options,
    build=EscPosPrinter,
    summary="ESC/POS receipt printers: preflight, barrier, raster lines for letters outside the code page",
    capabilities=Capabilities(barrier=True),
    line={"serial": {"baud": 38400}},
    states=condition.STATES,
    protocol="escpos",
)
