"""JCM ID003 bill acceptors (DBV, WBA, UBA, iVIZION and their clones): the driver.

Theory of operation.  The unit only answers: the driver polls every `poll_ms`, and between polls asks for what is
next — an order for the note in escrow, RESET, a step of the set-up.  Parts of `kiosk.protocols` do the thinking:
`host.HostLine` pairs answers with requests, `sights` folds a status for `NoteWatch`, which follows the note by the
table that all cash protocols share, and `settings.SetUp` judges the settings.  This module decides whose turn it is.
Standard: ID003 sheet.

Rules that must stay true:

* The first request after `Opened` is a status request and its answer is never drained: it decides about an open note.
* ACK of VEND VALID, and RESET while the unit shows a note, wait for `Confirm`.  RESET is never sent while the fate of a
  note is open.
* After every STACK, RETURN or HOLD, also an acknowledged one, the next decision is made from a status.
* Without a table of our currency and matching echoes the unit stays inhibited, and says why.
* Settings go out only in INITIALIZE, DISABLE and IDLING; an inhibit ordered while a note is inside waits for its end.
"""

from __future__ import annotations

from collections.abc import Mapping

from kiosk.api import (
    Capabilities,
    CheckHealth,
    CommandRefused,
    Confirm,
    DeviceCommand,
    DeviceEvent,
    DeviceState,
    DriverSpec,
    DriverTools,
    EnableNotes,
    HoldNote,
    Identified,
    InhibitNotes,
    Lost,
    NotesKnown,
    Opened,
    OpenNote,
    Outbound,
    PortEvent,
    PortRequest,
    ProtocolFault,
    ReturnNote,
    Sent,
    StackNote,
    Write,
    WriteTimedOut,
)
from kiosk.protocols.id003.codes import POWER_UPS, DeviceStatus, HostCommand, Unknown, device_status
from kiosk.protocols.id003.edges import Edges
from kiosk.protocols.id003.frames import Frame, FrameFault
from kiosk.protocols.id003.host import Answer, HostLine
from kiosk.protocols.id003.options import MS, STACK_COMMANDS, Id003Options, limits, setup_steps
from kiosk.protocols.id003.payloads import parse_version
from kiosk.protocols.id003.settings import SETTLED, UnitSettings
from kiosk.protocols.id003.sights import sight
from kiosk.protocols.id003.status_words import MISCONFIGURED_STATE, STATES, UNKNOWN_STATE, words
from kiosk.protocols.note_life import Order
from kiosk.protocols.note_watch import NoteWatch

#: What a command on the line is an order for.
_ORDERS = {
    **dict.fromkeys(STACK_COMMANDS.values(), Order.STACK),
    HostCommand.RETURN: Order.RETURN,
    HostCommand.HOLD: Order.HOLD,
}
#: Findings told in one call; the rest is counted.
_MAX_FAULTS_A_CALL = 8


class Id003Acceptor:
    """Owns the conversation with one unit; leaves the note's fate to `NoteWatch` and bytes to `HostLine`."""

    def __init__(self, options: Id003Options, tools: DriverTools) -> None:
        self._options = options
        self._events: list[DeviceEvent] = []
        self._requests: list[PortRequest] = []
        self._line = HostLine(echo=options.echo)
        self._watch = NoteWatch(limits(options))
        self._commands = {order: command for command, order in _ORDERS.items()}
        self._commands[Order.STACK] = STACK_COMMANDS[options.stack_command]
        self._watch.events = self._events
        self._settings = UnitSettings(
            tools.currency, options.country, options.tries, options.repeat_ms * MS, options.setup_retry_ms * MS,
            lambda identified: setup_steps(options, identified),
        )  # fmt: skip
        self._told: tuple[str, str, str] | None = None
        self._state_raw = ""
        self._edges = Edges()
        self._open = False
        self._wake: int | None = None
        self._begin(0)

    def _begin(self, now: int) -> None:
        self._last: DeviceStatus | Unknown | None = None
        self._last_raw = b""
        self._poll_due = self._not_before = self._answered_at = now
        self._reset_at = now - self._options.offline_reset_ms * MS
        self._must_poll, self._probe = True, False
        self._silent = self._garbled = self._mute_probes = self._version_tries = self._faults = 0
        self._identified = self._resetting = False
        self._settings.begin(now)
        self._watch.table_wanted, self._watch.table_hopeless, self._table_asked = False, False, 0

    # --- the eight names ----------------------------------------------------------------------------------------------

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Take the last note serial and the note in flight."""
        serial = marks.get("note_serial", "0")
        note, value, phase = (open_note.note, open_note.value, open_note.phase) if open_note else (None, None, "")
        device = marks.get("device", note.device if note else "")
        self._watch.remember(device, int(serial) if serial.isdecimal() else 0, note, value, phase)

    def port(self, event: PortEvent, now: int) -> None:
        """Start the handshake when the port opens; keep the note in flight when it is lost."""
        if isinstance(event, Opened):
            self._line.reset()
            self._begin(now)
            self._open = True
            self._watch.opened(now)
            rts, dtr = self._options.rts, self._options.dtr
            if rts is not None or dtr is not None:
                self._requests.append(PortRequest(1, "modem_lines", bytes((int(rts or 0) | int(dtr or 0) << 1,))))
        elif isinstance(event, Lost):
            self._line.reset()
            self._open, self._wake = False, None
            self._watch.unheard()
            self._state(*UNKNOWN_STATE, f"port lost: {event.reason[:80]}", "")
            return
        elif isinstance(event, Sent):
            self._line.sent(now)
        elif isinstance(event, WriteTimedOut) and self._line.busy:
            self._take(self._line.give_up(), now)
        self._go_on(now)

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the unit."""
        self._faults = 0
        if self._open:
            self._take_all(self._line.received(data), now)
            self._go_on(now)
        if self._faults > _MAX_FAULTS_A_CALL:
            self._events.append(ProtocolFault("overflow", f"{self._faults - _MAX_FAULTS_A_CALL} more findings at once"))

    def tick(self, now: int) -> None:
        """Look at the clock."""
        if self._open:
            self._faults = 0
            self._take_all(self._line.expire(now), now)
            self._watch.check(now)
            self._go_on(now)

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """Take an order of the kernel."""
        if isinstance(cmd, Confirm):
            if not self._watch.confirm(cmd.token):
                self._refuse("confirm", f"token {cmd.token} is not waited for")
        elif isinstance(cmd, EnableNotes):
            self._settings.want(cmd.values, now)
            self._refuse("enable_notes", self._settings.problem)
        elif isinstance(cmd, InhibitNotes):
            self._settings.want((), now)
        elif isinstance(cmd, StackNote):
            self._refuse("stack_note", self._watch.stack(cmd.note, now), cmd)
        elif isinstance(cmd, ReturnNote):
            self._refuse("return_note", self._watch.give_back(cmd.note), cmd)
        elif isinstance(cmd, HoldNote):
            self._refuse("hold_note", self._watch.hold(cmd.note), cmd)
        elif isinstance(cmd, CheckHealth):
            state, severity, detail = self._told or (*UNKNOWN_STATE, "no answer yet")
            self._events.append(DeviceState(state, severity, self._state_raw, detail))
        else:
            self._refuse(str(cmd.__struct_config__.tag), "a bill acceptor cannot do that")
        self._go_on(now)

    def deadline(self) -> int | None:
        """Return when the line wants attention."""
        return self._wake

    def take_outbound(self) -> list[Outbound]:
        """Hand over requests of the port, then bytes."""
        requests, self._requests = self._requests, []
        return [*requests, *(Write(data) for data in self._line.take_writes())]

    def take_events(self) -> list[DeviceEvent]:
        """Hand over what happened."""
        events, self._events[:] = list(self._events), []
        return events

    # --- answers ------------------------------------------------------------------------------------------------------

    def _take_all(self, found: list[Answer | FrameFault], now: int) -> None:
        for item in found:
            self._not_before = now + self._options.gap_ms * MS
            if isinstance(item, FrameFault):
                self._fault(item.kind, f"{item.count} bytes", item.raw)
            else:
                self._take(item, now)

    def _take(self, answer: Answer, now: int) -> None:
        frame, request = answer.frame, answer.request
        if frame is None:
            self._silence(request, now)
        elif request is None:
            if frame.cmd == DeviceStatus.ENQ:
                self._must_poll = True  # interrupt mode: it asks to be asked
            else:
                self._fault("unexpected", "a frame that nobody asked for", frame.raw[:16].hex())
        else:
            self._answered_at, self._silent = now, 0
            if request == HostCommand.STATUS_REQUEST:
                self._poll_answer(frame, answer.suspect, now)
            elif request in _ORDERS:
                refused = frame.cmd == DeviceStatus.INVALID_COMMAND
                self._operation(HostCommand(request), frame.cmd == DeviceStatus.ACK, refused)
            elif request == HostCommand.RESET:
                self._must_poll = True
            else:
                self._setting(request, frame, now)

    def _silence(self, request: int | None, now: int) -> None:
        self._silent += 1
        if self._silent == 1:
            self._fault("timeout", f"no answer to {request or 0:02x}", "")
        self._watch.unheard()  # what was shown before a lost answer is no ground for an order
        if self._silent == self._options.device_lost_after:
            self._last = None
            self._settings.unset()
            self._state(*UNKNOWN_STATE, "the unit does not answer", "")
        if request in _ORDERS:
            self._operation(HostCommand(request), False, False)
        elif request == HostCommand.RESET:
            self._must_poll = True
        elif request is not None and request != HostCommand.STATUS_REQUEST:
            if self._line.echo and not self._options.echo and self._probe:
                self._fault("echo", "the line repeats what we write; the echo is taken off", "")
            self._mute_probes += int(self._probe)
            if self._mute_probes >= 2:
                self._line.proved = True  # an echoing line would have repeated the probe
            self._probe, self._must_poll = False, True
            self._setting_answered(request, None, now)

    def _poll_answer(self, frame: Frame, suspect: bool, now: int) -> None:
        if frame.cmd in (DeviceStatus.COMMUNICATION_ERROR, DeviceStatus.INVALID_COMMAND):
            self._garbled += 1
            self._must_poll = frame.cmd == DeviceStatus.COMMUNICATION_ERROR and self._garbled < self._options.tries
            self._fault("refused", "the unit did not take a status request", frame.raw[:16].hex())
            return
        self._garbled, self._must_poll = 0, False
        if suspect:  # IDLING and our own request are the same bytes: ask something that no echo can answer
            self._probe = True
            return
        status = device_status(frame.cmd)
        raw = bytes((frame.cmd,)) + frame.data[:8]
        before, changed = self._last, raw != self._last_raw or self._last is None
        self._last, self._last_raw = status, raw
        if changed:
            self._entered(status, before, raw)
        self._watch.saw(sight(status, frame.data, self._settings.table), now)
        state, severity, detail = words(status, frame.data)
        if self._settings.problem and status in SETTLED:
            state, severity, detail = *MISCONFIGURED_STATE, self._settings.problem
        self._state(state, severity, detail, raw.hex())

    def _entered(self, status: DeviceStatus | Unknown, before: DeviceStatus | Unknown | None, raw: bytes) -> None:
        if isinstance(status, Unknown):
            self._fault("unknown_code", f"status {status.code:02x}", raw.hex())
        elif (status in POWER_UPS or status is DeviceStatus.INITIALIZE) and status is not before:
            self._settings.unset()
            if status is DeviceStatus.POWER_UP:  # perhaps it is another unit
                self._identified, self._version_tries = False, 0
        self._events += self._edges.take(status, before, raw.hex())
        if self._resetting and status not in POWER_UPS and status is not DeviceStatus.INITIALIZE:
            self._resetting = False

    def _operation(self, command: HostCommand, acked: bool, refused: bool) -> None:
        self._must_poll = True
        note = self._watch.held_note()
        if self._watch.answered(_ORDERS[command], acked, refused):
            self._events.append(CommandRefused("hold_note", "the unit cannot hold a note", note))

    # --- settings -----------------------------------------------------------------------------------------------------

    def _setting(self, request: int, frame: Frame, now: int) -> None:
        if request == HostCommand.VERSION_REQUEST and frame.cmd == request and not self._identified:
            version = parse_version(frame.data)
            self._identified = True
            self._events.append(Identified(version.model, version.firmware, detail=version.text))
        if request == HostCommand.CURRENCY_ASSIGN_REQUEST and self._watch.table_wanted:
            self._settings.early_table(frame.data if frame.cmd == request else b"")
            self._must_poll = True
        self._setting_answered(request, frame, now)
        if self._probe:
            self._probe, self._must_poll = False, True

    def _setting_answered(self, request: int, frame: Frame | None, now: int) -> None:
        settings = self._settings
        known, broken = settings.ready, settings.problem
        settings.answer(request, frame, now)
        if settings.problem and settings.problem != broken:
            self._state(*MISCONFIGURED_STATE, settings.problem, self._last_raw.hex())
        if settings.ready and not known:
            self._events.append(NotesKnown(settings.values()))

    # --- whose turn it is ---------------------------------------------------------------------------------------------

    def _go_on(self, now: int) -> None:
        """Send the next request if the line is free, and say when to look again."""
        if not self._open:
            return
        if not self._line.busy:
            due = self._choose(now)
            if due is not None and now >= self._not_before:
                self._send(due[0], due[1], now)
            elif due is not None:
                self._wake = self._not_before
                return
        self._wake = self._line.reply_by if self._line.busy else max(self._poll_due, self._not_before)

    def _choose(self, now: int) -> tuple[HostCommand, bytes] | None:
        options, watch = self._options, self._watch
        if watch.acknowledge:
            return HostCommand.ACK, b""
        if self._must_poll:
            return HostCommand.STATUS_REQUEST, b""
        if self._probe:
            return HostCommand.VERSION_REQUEST, b""
        if watch.table_wanted and not self._settings.table and not watch.table_hopeless:
            self._table_asked, watch.table_hopeless = self._table_asked + 1, self._table_asked >= options.tries
            return HostCommand.CURRENCY_ASSIGN_REQUEST, b""
        order = watch.wanted(now)
        if order is not None:
            return self._commands[order], b""
        since_reset = now - self._reset_at
        if self._last in POWER_UPS and watch.may_reset:
            if self._last is DeviceStatus.POWER_UP and not self._identified and self._version_tries < 2:
                return HostCommand.VERSION_REQUEST, b""
            if not self._resetting or since_reset >= options.reset_repeat_ms * MS:
                return HostCommand.RESET, b""
        offline = options.offline_after_ms and now - self._answered_at >= options.offline_after_ms * MS
        if offline and watch.may_reset and since_reset >= options.offline_reset_ms * MS:
            return HostCommand.RESET, b""
        if now >= self._poll_due:
            return HostCommand.STATUS_REQUEST, b""
        settled = self._last is DeviceStatus.INITIALIZE or (self._last in SETTLED and not watch.in_flight)
        ready = settled and self._line.proved
        step = self._settings.next_step(self._last, self._identified, now) if ready else None
        return (HostCommand(step.code), step.data) if step else None

    def _send(self, code: HostCommand, data: bytes, now: int) -> None:
        options = self._options
        if code in (HostCommand.STATUS_REQUEST, HostCommand.ACK):
            self._poll_due = now + options.poll_ms * MS
        if code is HostCommand.ACK:
            self._line.tell(code)
            self._watch.unheard()
            return
        slow = self._resetting or code is HostCommand.RESET
        self._line.ask(code, data, now, (options.reset_timeout_ms if slow else options.reply_timeout_ms) * MS)
        self._must_poll = False
        self._version_tries += int(code is HostCommand.VERSION_REQUEST)
        if code in _ORDERS:
            self._watch.sent(_ORDERS[code], now)
        elif code is HostCommand.RESET:
            self._reset_at, self._resetting = now, True
            self._settings.unset()

    # --- telling ------------------------------------------------------------------------------------------------------

    def _state(self, state: str, severity: str, detail: str, raw: str) -> None:
        self._state_raw = raw
        if self._told != (state, severity, detail):
            self._told = (state, severity, detail)
            self._events.append(DeviceState(state, severity, raw, detail))

    def _fault(self, kind: str, detail: str, raw: str) -> None:
        self._faults += 1
        if self._faults <= _MAX_FAULTS_A_CALL:
            self._events.append(ProtocolFault(kind, detail, raw))

    def _refuse(self, command: str, reason: str, cmd: StackNote | ReturnNote | HoldNote | None = None) -> None:
        if reason:
            self._events.append(CommandRefused(command, reason, cmd.note if cmd else None))


SPEC = DriverSpec(
    name="id003_acceptor",
    device_class="BillAcceptor",
    transports=("serial", "tcp"),
    options=Id003Options,
    build=Id003Acceptor,
    summary="JCM bill acceptors that speak ID003",
    capabilities=Capabilities(hold=True, inhibit_by_value=True, acknowledged=True),
    line={"serial": {"baud": 9600, "parity": "E", "bits": 8, "stop": 1}},
    states=STATES,
    protocol="id003",
)
