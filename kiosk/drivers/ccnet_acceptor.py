"""CashCode and CPI bill validators (SM, FL, MSM, MVU, VU and their clones) over CCNET: the driver.

Theory of operation.  The unit only answers: the driver polls every `poll_ms`, and between polls asks for what is next:
an order for the note in escrow, RESET, a step of the set-up.  `ccnet.host.HostLine` pairs answers with commands,
`note_watch.NoteWatch` follows the note by the table in `note_life`, `ccnet.settings.UnitSettings` judges the settings.
This module decides whose turn it is and which reply is acknowledged.  Standard: CCNET sheet.

Rules that must stay true:

* Every data reply is acknowledged at once, except BILL STACKED before its `Confirm`: then nothing is sent, the unit
  tells it again, and the repeat is acknowledged (sheet §3, §7).  The line rests behind a reply that did not come.
* The first command after `Opened` is POLL, and its answer is never drained: it decides about an open note.
* RESET of a unit that shows a note waits for `Confirm`, and is never sent while the fate of a note is open.
* After every STACK, RETURN or HOLD, also an acknowledged one, the next decision is made from a state.
* Without a bill table of our currency the unit stays disabled, and says why.
* Settings go out only in IDLING and UNIT DISABLED, with no note inside.
"""

from __future__ import annotations

from collections.abc import Mapping

from kiosk.api import (
    Capabilities,
    CashboxInserted,
    CashboxRemoved,
    CheckHealth,
    CommandRefused,
    Confirm,
    DeviceCommand,
    DeviceEvent,
    DeviceState,
    DriverSpec,
    DriverTools,
    EnableNotes,
    FrameError,
    HoldNote,
    Identified,
    InhibitNotes,
    Lost,
    NoteAccepting,
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
from kiosk.protocols.ccnet.codes import POWER_UPS, HostCommand, Unknown, device_state
from kiosk.protocols.ccnet.codes import DeviceState as State
from kiosk.protocols.ccnet.frames import Frame, FrameFault
from kiosk.protocols.ccnet.host import Answer, HostLine
from kiosk.protocols.ccnet.options import MS, CcnetOptions, limits
from kiosk.protocols.ccnet.payloads import parse_identification
from kiosk.protocols.ccnet.settings import FORGETFUL, NEEDS_RESET, NO_CASHBOX, SETTLED, UnitSettings
from kiosk.protocols.ccnet.sights import sight
from kiosk.protocols.ccnet.status_words import MISCONFIGURED_STATE, STATES, UNKNOWN_STATE, words
from kiosk.protocols.note_life import Order, Seen, Sight
from kiosk.protocols.note_watch import NoteWatch

_ORDERS = {Order.STACK: HostCommand.STACK, Order.RETURN: HostCommand.RETURN, Order.HOLD: HostCommand.HOLD}
_OPERATIONS = {command: order for order, command in _ORDERS.items()}
#: Commands whose replies are long and slow (sheet §4).
_SLOW = (HostCommand.IDENTIFICATION, HostCommand.GET_BILL_TABLE)
#: Findings told in one call; the rest is counted.
_MAX_FAULTS_A_CALL = 8


class CcnetAcceptor:
    """Owns the conversation with one unit; leaves the note's fate to `NoteWatch` and bytes to `HostLine`."""

    def __init__(self, options: CcnetOptions, tools: DriverTools) -> None:
        self._options = options
        self._events: list[DeviceEvent] = []
        self._requests: list[PortRequest] = []
        naks = options.tries - 1 if options.damaged_reply == "nak" else 0
        self._line = HostLine(options.address, naks=naks, resent_after_nak=options.resent_after_nak)
        self._watch = NoteWatch(limits(options))
        self._watch.events = self._events
        self._settings = UnitSettings(tools.currency, options)
        self._told: tuple[str, str, str] | None = None
        self._state_raw = ""
        self._box_out = self._open = False
        self._wake: int | None = None
        self._faults = 0
        self._begin(0)

    def _begin(self, now: int) -> None:
        self._last: State | Unknown | None = None
        self._last_raw = b""
        self._poll_due = self._not_before = self._since = now
        self._reset_at = now - self._options.fault_reset_ms * MS
        self._must_poll, self._identified, self._resetting = True, False, False
        self._bad = self._table_asked = 0
        self._settings.begin(now)
        self._watch.table_wanted, self._watch.table_hopeless = False, False

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
            self._take_all(self._line.received(data, now), now)
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
            self._must_poll = True  # the unit tells BILL STACKED again, and that is acknowledged
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
            self._refuse(str(cmd.__struct_config__.tag), "a bill acceptor takes notes and nothing else")
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
            self._not_before = max(self._not_before, now + self._options.gap_ms * MS)
            if isinstance(item, FrameFault):
                self._fault(item.kind, f"{item.count} bytes", item.raw)
            else:
                self._take(item, now)

    def _take(self, answer: Answer, now: int) -> None:
        command, frame = answer.command, answer.frame
        if command is None:
            self._unasked(frame, now)
            return
        if frame is None:
            # A late reply must not pass for the next one: its ACK would make the unit forget an event (sheet §3).
            self._not_before = now + self._options.late_ms * MS
        if frame is None or (command is HostCommand.POLL and answer.kind != "data"):
            self._bad_answer(command, answer.kind)
        else:
            self._bad = 0
        if answer.kind == "illegal" and self._options.ack_illegal:
            self._line.confirm()
        if command is HostCommand.POLL:
            self._poll_answer(answer, frame, now)
        elif command in _OPERATIONS:
            self._operation(_OPERATIONS[command], answer.kind == "ack", answer.kind == "illegal")
        elif command is HostCommand.RESET:
            self._must_poll = True
        else:
            self._setting(answer, frame, now)

    def _unasked(self, frame: Frame | None, now: int) -> None:
        raw = frame.raw[:16].hex() if frame else ""
        self._fault("unexpected", "a frame that nobody asked for", raw)
        if frame is not None and frame.code == State.BILL_STACKED:  # perhaps an ACK of ours has met it already
            self._watch.saw(Sight(Seen.NOTHING, "late event", raw, doubt=True), now)

    def _bad_answer(self, command: HostCommand, kind: str) -> None:
        self._bad += 1
        silent = kind == "silence"
        if self._bad == 1:
            told = f"no answer to {command:02x}" if silent else f"the unit answers POLL with {kind}"
            self._fault("timeout" if silent else "refused", told, "")
        if self._bad == self._options.device_lost_after:
            self._last = None
            self._settings.unset()
            self._watch.unheard()
            self._state(*UNKNOWN_STATE, f"the unit {'does not answer' if silent else f'answers POLL with {kind}'}", "")

    def _poll_answer(self, answer: Answer, frame: Frame | None, now: int) -> None:
        if frame is None or answer.kind != "data":
            self._must_poll = answer.kind == "nak" and self._bad < self._options.tries
            return
        self._must_poll = False
        state, data = device_state(frame.code), frame.data[1:]
        before, changed = self._last, frame.data != self._last_raw or self._last is None
        self._last, self._last_raw = state, frame.data
        if changed:
            self._entered(state, before, frame.data[:9], now)
        options = self._options
        settings, coupon, nibble = self._settings, options.coupon_type, options.destination_nibble
        shown = sight(state, data, settings.table, enabled=settings.enabled, coupon_type=coupon, destination=nibble)
        self._watch.saw(shown, now)
        if self._watch.table_wanted:  # the bill table is not told while a note lies in escrow (sheet §5)
            self._watch.table_hopeless = True
        if state is not State.BILL_STACKED or self._watch.acknowledge:
            self._line.confirm()
        stuck = now - self._since >= options.stuck_ms * MS
        problem = self._settings.problem if state in SETTLED else ""
        self._state(*words(state, data, stuck=stuck, problem=problem), frame.data[:9].hex())

    def _entered(self, state: State | Unknown, before: State | Unknown | None, raw: bytes, now: int) -> None:
        if state is not before:
            self._since = now
        if isinstance(state, Unknown):
            self._fault("unknown_code", f"state {state.code:02x}", raw.hex())
        elif state in POWER_UPS and before not in POWER_UPS:  # perhaps it is another unit
            self._settings.begin(now)
            self._identified, self._table_asked = False, 0
        elif state is State.INITIALIZE or (before in FORGETFUL and state not in FORGETFUL):
            self._settings.unset()
        elif state is State.ACCEPTING and state is not before:
            self._events.append(NoteAccepting())
        if state is State.DROP_CASSETTE_OUT_OF_POSITION and not self._box_out:
            self._box_out = True
            self._events.append(CashboxRemoved(raw.hex()))
        elif self._box_out and state not in NO_CASHBOX and not isinstance(state, Unknown):
            self._box_out = False
            self._events.append(CashboxInserted())
        if self._resetting and state not in POWER_UPS and state not in NEEDS_RESET:
            self._resetting = False

    def _operation(self, order: Order, acked: bool, refused: bool) -> None:
        self._must_poll = True
        note = self._watch.held_note()
        if self._watch.answered(order, acked, refused):
            self._events.append(CommandRefused("hold_note", "the unit cannot hold a note", note))

    # --- settings -----------------------------------------------------------------------------------------------------

    def _setting(self, answer: Answer, frame: Frame | None, now: int) -> None:
        self._must_poll = True
        if answer.kind == "data" and frame is not None:
            self._line.confirm()
            if answer.command is HostCommand.IDENTIFICATION and not self._identified:
                self._identify(frame)
            elif answer.command is HostCommand.GET_BILL_TABLE and self._last in POWER_UPS:
                self._settings.early_table(frame.data)
        settings = self._settings
        known, broken = settings.ready, settings.problem
        settings.answer(answer, now)
        if settings.problem and settings.problem != broken:
            self._state(*MISCONFIGURED_STATE, settings.problem, self._last_raw[:9].hex())
        if settings.ready and not known:
            self._events.append(NotesKnown(settings.values()))

    def _identify(self, frame: Frame) -> None:
        self._identified = True
        try:
            who = parse_identification(frame.data)
        except FrameError as error:
            self._fault("identification", error.message, frame.raw[:16].hex())
            return
        self._events.append(Identified(who.part, serial=who.serial, detail=f"asset {who.asset}"))

    # --- whose turn it is ---------------------------------------------------------------------------------------------

    def _go_on(self, now: int) -> None:
        """Send the next command if the line is free, and say when to look again."""
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
        if self._must_poll:
            return HostCommand.POLL, b""
        order = watch.wanted(now)
        if order is not None:
            return _ORDERS[order], b""
        if self._last in POWER_UPS and not self._settings.table and self._table_asked < options.tries:
            return HostCommand.GET_BILL_TABLE, b""
        if self._reset_due(now) and watch.may_reset:
            return HostCommand.RESET, b""
        if now >= self._poll_due:
            return HostCommand.POLL, b""
        settled = self._last in SETTLED and not watch.in_flight
        step = self._settings.next_step(self._last, self._identified, now) if settled else None
        return (step.command, step.data) if step else None

    def _reset_due(self, now: int) -> bool:
        pause, since = self._options.fault_reset_ms * MS, now - self._reset_at
        if self._last in POWER_UPS:
            return not self._resetting or since >= self._options.reset_repeat_ms * MS
        return self._last in NEEDS_RESET and pause > 0 and min(since, now - self._since) >= pause

    def _send(self, command: HostCommand, data: bytes, now: int) -> None:
        options = self._options
        timeout = options.table_timeout_ms if command in _SLOW else options.reply_timeout_ms
        self._line.ask(command, data, now, timeout * MS)
        self._must_poll = False
        if command is HostCommand.POLL:
            self._poll_due = now + options.poll_ms * MS
        elif command in _OPERATIONS:
            self._watch.sent(_OPERATIONS[command], now)
        elif command is HostCommand.GET_BILL_TABLE:
            self._table_asked += 1
        elif command is HostCommand.RESET:
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
    name="ccnet_acceptor",
    device_class="BillAcceptor",
    transports=("serial", "tcp"),
    options=CcnetOptions,
    build=CcnetAcceptor,
    summary="CashCode and CPI bill validators that speak CCNET",
    capabilities=Capabilities(hold=True, inhibit_by_value=True, acknowledged=True),
    line={"serial": {"baud": 9600, "parity": "N", "bits": 8, "stop": 1}},
    states=STATES,
    protocol="ccnet",
)
