"""MEI and CPI bill acceptors (CashFlow SC, SC Advanced, SCR and EBDS subsets of other makers): the driver.

Theory of operation.  The unit only answers: the driver polls every `poll_ms` with the omnibus command, and between
polls asks for what is next — an order for the note in escrow, a step of the set-up.  Parts of `kiosk.protocols.ebds` do
the thinking: `host.HostLine` owns the toggle, `sights.Folder` reads the bits, `settings.UnitSettings` knows the note
table and the enable mask; `kiosk.protocols.note_watch.NoteWatch` follows the note.  This module decides whose turn it
is.  Standard: EBDS sheet.

Rules that must stay true:

* The toggle is flipped only after a valid fresh reply, and after a stacked event only once its fact is committed: until
  then the same toggle goes out, and the unit repeats the same reply.
* STACK and RETURN stand in one new command and in its repeats; after that a reply must show the note in escrow, and
  nothing else, for some polls before they are sent again.
* The first reply after a start may be a repeat from before it: it may tell an event, and nothing else of a note.
* Without a table of our currency the unit stays disabled.  Inhibiting waits until no note is in flight.
* The enable mask goes out only while the unit is idle; nothing but polls goes out while a note is in flight.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

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
    InhibitNotes,
    Lost,
    NotesKnown,
    Opened,
    OpenNote,
    Outbound,
    PortEvent,
    ProtocolFault,
    ReturnNote,
    Sent,
    StackNote,
    Write,
    WriteTimedOut,
)
from kiosk.protocols.ebds.codes import DISABLED, MessageType, Operation
from kiosk.protocols.ebds.edges import Edges
from kiosk.protocols.ebds.frames import FrameFault
from kiosk.protocols.ebds.host import HostLine, Reply
from kiosk.protocols.ebds.options import MS, EbdsOptions, base_command, limits
from kiosk.protocols.ebds.payloads import Status
from kiosk.protocols.ebds.settings import Request, UnitSettings
from kiosk.protocols.ebds.sights import EVENTS, Folder, Reading, contradiction, may_hold, powered_up, read, settled
from kiosk.protocols.ebds.status_words import MISCONFIGURED_STATE, STATES, UNKNOWN_STATE, words
from kiosk.protocols.note_life import Order, Seen, Sight
from kiosk.protocols.note_watch import NoteWatch

_ORDERS = {Order.STACK: Operation.STACK, Order.RETURN: Operation.RETURN}
#: Findings told in one call; the rest is counted.
_MAX_FAULTS_A_CALL = 8
#: Longest wait for a reply, however often a message was repeated.
_MAX_WAIT_MS = 1_000


class EbdsAcceptor:
    """Owns the conversation with one unit; leaves the note's fate to `NoteWatch` and the toggle to `HostLine`."""

    def __init__(self, options: EbdsOptions, tools: DriverTools) -> None:
        self._options = options
        self._events: list[DeviceEvent] = []
        self._line = HostLine(options.start_toggle, flip_at_start=options.flip_at_start)
        self._watch = NoteWatch(limits(options))
        self._watch.events = self._events
        self._settings = UnitSettings(options, tools.currency)
        doubted = options.rejected_note == "disputed"
        self._folder = Folder(tools.currency, held=not options.note_timeout_s, doubted=doubted)
        self._told: tuple[str, str, str] | None = None
        self._state_raw = ""
        self._edges = Edges()
        self._open = False
        #: The first reply after the start is still to come; later connections know their toggle.
        self._first = True
        self._enabled = DISABLED
        self._wake: int | None = None
        self._faults = 0
        #: What the present exchange is for: a step of the set-up, an order, or None for a poll.
        self._asked: Request | Order | None = None
        self._begin(0)

    def _begin(self, now: int) -> None:
        self._status: Status | None = None
        self._edges.begin()
        self._poll_due = self._not_before = self._asked_at = now
        self._silent = self._repeats = self._strays = 0
        #: Polls that must still show the note in escrow before an order is sent again.
        self._still = 0
        #: RETURNs that may still be tried on a note that the unit may hold since a power-up.
        self._arm()
        self._identified = self._known = False
        self._settings.begin(now)
        self._watch.table_wanted, self._watch.table_hopeless = False, self._options.extended

    # --- the eight names ----------------------------------------------------------------------------------------------

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Take the last note serial and the note in flight."""
        serial = marks.get("note_serial", "0")
        note, value, phase = (open_note.note, open_note.value, open_note.phase) if open_note else (None, None, "")
        device = marks.get("device", note.device if note else "")
        self._watch.remember(device, int(serial) if serial.isdecimal() else 0, note, value, phase)

    def port(self, event: PortEvent, now: int) -> None:
        """Start the conversation when the port opens; keep the note in flight, and the toggle, when it is lost."""
        if isinstance(event, Opened):
            self._line.reset()
            self._begin(now)
            self._open = True
            self._watch.opened(now)
            if self._line.unanswered:
                self._poll(now)  # the same toggle, without an order: what lies in escrow may be another note
        elif isinstance(event, Lost):
            self._line.reset()
            self._open, self._wake = False, None
            self._watch.unheard()
            self._tell(*UNKNOWN_STATE, f"port lost: {event.reason[:80]}", "")
            return
        elif isinstance(event, Sent):
            self._line.sent(now)
        elif isinstance(event, WriteTimedOut) and self._line.busy:
            self._line.give_up()
            self._silence()
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
            found = self._line.expire(now)
            if found is not None and not self._take_all(found, now):
                self._silence()
            self._watch.check(now)
            self._go_on(now)

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """Take an order of the kernel."""
        if isinstance(cmd, Confirm):
            if self._watch.confirm(cmd.token):
                self._poll_due = now  # the flip that lets the unit forget
            else:
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
            limited = "the unit's own limit cannot be prolonged" if self._options.note_timeout_s else ""
            self._refuse("hold_note", limited or self._watch.hold(cmd.note), cmd)
        elif isinstance(cmd, CheckHealth):
            state, severity, detail = self._told or (*UNKNOWN_STATE, "no answer yet")
            self._events.append(DeviceState(state, severity, self._state_raw, detail))
        else:
            self._refuse("print", "a bill acceptor does not print")
        self._go_on(now)

    def deadline(self) -> int | None:
        """Return when the line wants attention."""
        return self._wake

    def take_outbound(self) -> list[Outbound]:
        """Hand over the bytes to be written."""
        return [Write(data) for data in self._line.take_writes()]

    def take_events(self) -> list[DeviceEvent]:
        """Hand over what happened."""
        events, self._events[:] = list(self._events), []
        return events

    # --- replies ------------------------------------------------------------------------------------------------------

    def _take_all(self, found: list[Reply | FrameFault], now: int) -> bool:
        """Take what came; return True where the unit answered."""
        answered = False
        for item in found:
            self._not_before = now + self._options.gap_ms * MS
            if isinstance(item, FrameFault):
                self._fault(item.kind, f"{item.count} bytes", item.raw)
            elif item.sort in ("fresh", "repeated"):
                answered, self._silent, self._repeats, self._strays = True, 0, 0, 0
                if item.sort == "fresh":
                    self._take(item, now)
                elif powered_up(item.frame):
                    self._settings.unset()  # it forgot while we waited for a commit
            elif item.sort != "late":
                self._strays += 1
                if self._strays == 1:
                    self._fault("unexpected", f"a reply that answers nothing ({item.sort})", item.frame.raw[:16].hex())
        return answered

    def _take(self, reply: Reply, now: int) -> None:
        asked, self._asked = self._asked, None
        reading, row = read(reply.frame), 0
        if isinstance(asked, Request):
            row = asked.row
            self._settings.answer(asked, reply.frame, reading, now)
            self._after_answer(now)
        if reading is not None:
            self._still = self._options.restack_polls if isinstance(asked, Order) else max(self._still - 1, 0)
            self._show(reading, row, now)

    def _after_answer(self, now: int) -> None:
        settings, watch = self._settings, self._watch
        if settings.identity_known and not self._identified:
            self._identified = True
            self._events.append(settings.identified(self._status.model if self._status else 0))
        if watch.table_wanted:
            watch.table_hopeless = bool(settings.problem)
            self._poll_due = now

    def _arm(self) -> None:
        self._free_left = self._options.stack_tries if self._options.free_held else 0

    def _silence(self) -> None:
        self._silent += 1
        self._arm()  # there may have been a power cut
        if self._silent == 1:
            self._fault("timeout", "no reply", "")
        if self._silent == self._options.device_lost_after:
            self._settings.unset()
            self._watch.unheard()
            self._tell(*UNKNOWN_STATE, "the unit does not answer", "")

    def _show(self, reading: Reading, row: int, now: int) -> None:
        """Follow a fresh status."""
        self._status = status = reading.status
        self._events += self._edges.take(reading)
        if self._edges.restarted:
            self._settings.unset()
            self._arm()
        elif status.state:
            self._free_left = 0
        if self._edges.box_back:
            self._settings.resend()
        sights = self._folder.fold(reading, row, self._settings.plain_values, hopeless=self._watch.table_hopeless)
        if self._first and not status.state & EVENTS:  # perhaps said before: an event counts
            doubt = self._options.restarted_note == "disputed"
            sights = (Sight(Seen.NOTHING, "restart", reading.raw, doubt=doubt),)
        self._first = False
        for sight in sights:
            self._watch.saw(sight, now)
        state, severity, detail = words(status, enabled=bool(self._enabled))
        if contradiction(status):
            state, severity, detail = *UNKNOWN_STATE, "state bits that cannot be true together"
        elif self._settings.problem and state in ("idling", "inhibited"):
            state, severity, detail = *MISCONFIGURED_STATE, self._settings.problem
        self._tell(state, severity, detail, reading.raw)

    # --- whose turn it is ---------------------------------------------------------------------------------------------

    def _go_on(self, now: int) -> None:
        """Send the next message if the line is free, and say when to look again."""
        if not self._open:
            return
        free_at = max(self._not_before, self._line.quiet_until)
        if not self._line.busy and now >= free_at:
            self._next(now)
            free_at = self._poll_due
        self._wake = self._line.reply_by if self._line.busy else free_at
        if self._settings.ready != self._known:
            self._known = self._settings.ready
            if self._known:
                self._events.append(NotesKnown(self._settings.values()))

    def _next(self, now: int) -> None:
        line, watch, settings = self._line, self._watch, self._settings
        if line.unanswered:
            self._retry(now)
        elif watch.booking:
            self._keep_waiting(now)
        else:
            if not watch.in_flight or not settings.ready:  # a note in flight is followed to its end first
                wanted = settings.enabled()
                self._poll_due = self._poll_due if wanted == self._enabled else now
                self._enabled = wanted
            order, known = watch.wanted(now), None if self._first else self._status
            if watch.table_wanted and not settings.table and not watch.table_hopeless:
                self._ask(settings.table_request(), now)
            elif order in _ORDERS and not self._still:
                self._order(order, now)
                watch.sent(order, now)
            elif self._free_left and not self._still and known and may_hold(known):
                self._free_left -= 1
                self._order(Order.RETURN, now)
            elif now >= self._poll_due:
                self._poll(now)
            elif known and settled(known) and not watch.in_flight:
                request = settings.next_request(now)
                if request is not None:
                    self._ask(request, now)

    def _retry(self, now: int) -> None:
        """Repeat what was not answered, or put a poll in its place: always with the same toggle."""
        asked = self._asked
        if isinstance(asked, Request) and self._settings.answer(asked, None, None, now):
            self._after_answer(now)
            self._poll(now)
        elif isinstance(asked, Order) and now - self._asked_at >= self._options.unpolled_limit_ms * MS:
            self._poll(now)
        else:
            self._repeats += 1
            self._folder.lossy = self._options.lost_reply == "doubted"
            self._line.again(now, self._wait_ns())

    def _keep_waiting(self, now: int) -> None:
        """Keep the unit at its last reply until the fact is committed."""
        if now < self._poll_due:
            return
        self._poll_due = now + self._options.poll_ms * MS
        if self._options.unconfirmed == "repeat":
            self._line.again(now, self._wait_ns(), base_command(self._options, self._enabled).data)

    def _poll(self, now: int) -> None:
        self._asked = None
        self._poll_due = now + self._options.poll_ms * MS
        self._line.ask(MessageType.COMMAND, base_command(self._options, self._enabled).data, now, self._wait_ns())

    def _ask(self, request: Request, now: int) -> None:
        self._asked, self._asked_at = request, now
        self._line.ask(request.kind, request.data, now, self._wait_ns())

    def _order(self, order: Order, now: int) -> None:
        base = base_command(self._options, self._enabled)
        data = msgspec.structs.replace(base, operation=base.operation | _ORDERS[order]).data
        self._asked, self._asked_at = order, now
        self._poll_due = now + self._options.poll_ms * MS
        self._line.ask(MessageType.COMMAND, data, now, self._wait_ns())

    def _wait_ns(self) -> int:
        usual = self._options.reply_timeout_ms
        return max(usual, min(usual + self._repeats * self._options.backoff_ms, _MAX_WAIT_MS)) * MS

    # --- telling ------------------------------------------------------------------------------------------------------

    def _tell(self, state: str, severity: str, detail: str, raw: str) -> None:
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
    name="ebds_acceptor",
    device_class="BillAcceptor",
    transports=("serial", "tcp"),
    options=EbdsOptions,
    build=EbdsAcceptor,
    summary="MEI and CPI bill acceptors that speak EBDS",
    capabilities=Capabilities(hold=True, inhibit_by_value=True),
    line={"serial": {"baud": 9600, "parity": "E", "bits": 7, "stop": 1}},
    states=STATES,
    protocol="ebds",
)
