"""ccTalk bill validators: the driver.

Theory of operation.  The unit only answers: the driver reads its event buffer (header 159) every `poll_ms`, and between
two readings orders what the note in escrow needs (154) or tells the unit what it may take (231, 228).  Four parts do
the thinking: `conversation.Conversation` meets the unit, `event_buffer.EventLog` tells what is new,
`bill_path.BillPath` folds events into sights of the note, `note_watch.NoteWatch` decides what is money.
Standard: ccTalk sheet.

Rules that must stay true:

* Credit on event (n,0), never on the ACK of 154; the unit's serial and counter go into the same fact.
* The table of notes is read before the first event, so that no note is ever without its value.
* After every 154, also an acknowledged one, the next decision is made from a new reading.
* An inhibit ordered while a note is inside waits for its end.
* Not polled for 5 s the unit has inhibited itself: it is told anew what it may take.
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
    DriverSpec,
    DriverTools,
    EnableNotes,
    FrameError,
    HoldNote,
    InhibitNotes,
    Lost,
    Money,
    NotesKnown,
    Opened,
    OpenNote,
    Outbound,
    PortEvent,
    PortRequest,
    Reply,
    ReturnNote,
    Sent,
    StackNote,
    Write,
    WriteTimedOut,
)
from kiosk.protocols.cctalk.bill_path import BillPath
from kiosk.protocols.cctalk.bills import fault_words, limits, read_bills
from kiosk.protocols.cctalk.conversation import MISCONFIGURED_STATE, UNKNOWN_STATE, Conversation
from kiosk.protocols.cctalk.event_buffer import EventLog, parse_events
from kiosk.protocols.cctalk.headers import (
    BILL_CATEGORIES,
    MODE_ESCROW,
    MODE_STACKER,
    ROUTE_EXTEND,
    ROUTE_RETURN,
    ROUTE_STACK,
    Header,
)
from kiosk.protocols.cctalk.host import Answer, Outcome
from kiosk.protocols.cctalk.inhibits import SETTINGS, Inhibits
from kiosk.protocols.cctalk.options import MS, CctalkBillOptions, country_of
from kiosk.protocols.cctalk.payloads import mask
from kiosk.protocols.cctalk.request import ACK, Request, Step
from kiosk.protocols.note_life import Order
from kiosk.protocols.note_watch import NoteWatch

_EVENTS = Request(Header.READ_BUFFERED_BILL_EVENTS, sizes=(11,))
_CHECK = Request(Header.PERFORM_SELF_CHECK, sizes=(1, 2, 3), tries=1, slow=True)
_ROUTES = {Order.STACK: ROUTE_STACK, Order.RETURN: ROUTE_RETURN, Order.HOLD: ROUTE_EXTEND}
_CALM = ("idling", "inhibited")
_STATES = ("stacker_full", "cassette_removed", "acceptor_jammed", "stacker_jammed", "cheated", "failure")


class CctalkBillValidator:
    """Owns whose turn it is; leaves line, events and notes to others."""

    def __init__(self, options: CctalkBillOptions, tools: DriverTools) -> None:
        self._options, self._currency = options, tools.currency
        #: What the event buffer tells anew is read twice: eight bits of checksum let a damaged reply by now and then.
        self._twice = options.checksum == "simple" and not options.encryption_key
        self._country = country_of(tools.currency, options.country)
        self._talk = Conversation(options, BILL_CATEGORIES, self._steps)
        self._watch = NoteWatch(limits(options))
        self._watch.events = self._talk.events
        self._path = BillPath(options, self._watch, self._talk.events)
        self._log, self._inhibits = EventLog(), Inhibits(options.compare_ms * MS)
        self._wanted: tuple[Money, ...] = ()
        self._order = Order.RETURN
        self._wake: int | None = None
        self._forget(0)

    def _forget(self, now: int) -> None:
        #: The table is read; the events are.
        self._known = self._based = False
        self._first_reading = b""
        self._inhibits.forget()
        self._poll_due = self._check_due = self._heard_at = now
        #: Fault code of the last self check, 0 where there is no reason to ask.
        self._checking = 0

    def _steps(self) -> list[Step]:
        ids = [
            Step(Request(Header.REQUEST_BILL_ID, bytes((kind,)), sizes=(7,)), f"bill id {kind}", needed=False)
            for kind in range(1, self._options.bill_types + 1)
        ]
        country, mode = self._country.encode("ascii", "replace")[:2], bytes((MODE_STACKER | MODE_ESCROW,))
        scaling = [Step(Request(Header.REQUEST_COUNTRY_SCALING_FACTOR, country, sizes=(3,)), "country scaling factor")]
        return [
            Step(Request(Header.MODIFY_MASTER_INHIBIT, b"\x00", sizes=ACK), "master inhibit"),
            *(*ids, *scaling, *ids[::-1], *scaling),  # replies that come late move the two readings apart
            Step(Request(Header.MODIFY_BILL_OPERATING_MODE, mode, sizes=ACK), "operating mode with stacker and escrow"),
            Step(_CHECK, "self check", needed=False),
        ]

    # --- the eight names ----------------------------------------------------------------------------------------------

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Take the unit's counter after the last credit, the last note serial and the note in flight."""
        serial = marks.get("note_serial", "0")
        note, value, phase = (open_note.note, open_note.value, open_note.phase) if open_note else (None, None, "")
        device = marks.get("device", note.device if note else "")
        self._watch.remember(device, int(serial) if serial.isdecimal() else 0, note, value, phase)
        self._log.remember(marks.get("device_mark", ""))

    def port(self, event: PortEvent, now: int) -> None:
        """Begin when the port opens; keep the note in flight when it is lost."""
        talk = self._talk
        talk.call_begins()
        if isinstance(event, Opened):
            talk.opened(now)
            self._forget(now)
            self._log.opened()
            self._watch.opened(now)
        elif isinstance(event, Lost):
            talk.lost(event.reason, now)
            self._forget(now)
            self._watch.unheard()
            self._wake = None
        elif isinstance(event, Sent):
            talk.line.sent(now)
        elif isinstance(event, Reply):
            talk.line.turn_answered(event.id, event.ok, event.data, now)
        elif isinstance(event, WriteTimedOut):
            self._take(talk.not_written(now), now)
        self._go_on(now)

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the unit."""
        self._talk.call_begins()
        self._take(self._talk.received(data, now), now)
        self._go_on(now)

    def tick(self, now: int) -> None:
        """Look at the clock."""
        self._talk.call_begins()
        self._take(self._talk.tick(now), now)
        if self._talk.is_open:
            self._watch.check(now)
        self._go_on(now)

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """Take an order of the kernel."""
        if isinstance(cmd, Confirm):
            if not self._watch.confirm(cmd.token):
                self._refuse("confirm", f"token {cmd.token} is not waited for")
            elif self._known:
                self._path.go_on(now)
        elif isinstance(cmd, EnableNotes):
            self._wanted = cmd.values
            self._refuse("enable_notes", self._talk.problem)
        elif isinstance(cmd, InhibitNotes):
            self._wanted = ()
        elif isinstance(cmd, StackNote):
            self._refuse("stack_note", self._watch.stack(cmd.note, now), cmd)
        elif isinstance(cmd, ReturnNote):
            self._refuse("return_note", self._watch.give_back(cmd.note), cmd)
        elif isinstance(cmd, HoldNote):
            self._refuse("hold_note", self._watch.hold(cmd.note), cmd)
        elif isinstance(cmd, CheckHealth):
            self._talk.tell_again()
        else:
            self._refuse(str(cmd.__struct_config__.tag), "a bill validator does not do this", cmd)
        self._go_on(now)

    def deadline(self) -> int | None:
        """Return when the line wants attention."""
        return self._wake

    def take_outbound(self) -> list[Outbound]:
        """Hand over bytes and turns of the line, in order."""
        steps = self._talk.line.take_steps()
        return [Write(s) if isinstance(s, bytes) else PortRequest(s.id, s.kind, s.data) for s in steps]

    def take_events(self) -> list[DeviceEvent]:
        """Hand over what happened."""
        self._talk.call_ends()
        return self._talk.take_events()

    # --- answers ------------------------------------------------------------------------------------------------------

    def _take(self, answers: list[Answer], now: int) -> None:
        for answer in answers:
            if answer.outcome is not Outcome.SILENCE:
                if now - self._heard_at >= self._options.watchdog_ms * MS:
                    self._inhibits.forget()
                self._heard_at = now
            if answer.header == Header.ROUTE_BILL:
                self._routed(answer, now)
            elif answer.header == Header.PERFORM_SELF_CHECK:  # a unit that does not know it has nothing to tell
                self._checked(answer.data[0] if answer.data else 0, now)
            elif answer.header in SETTINGS:
                if self._inhibits.answered(answer):
                    self._talk.fault("unexpected", "the unit has forgotten what it may take")
                if answer.outcome is Outcome.NAK and answer.header != Header.REQUEST_MASTER_INHIBIT:
                    self._again(now, "the unit does not take its inhibit settings")
            elif answer.outcome is Outcome.REPLY:
                self._read(answer.data, now)
        if not self._talk.ready:
            self._watch.unheard()

    def _read(self, data: bytes, now: int) -> None:
        try:
            buffer = parse_events(data)
            doubtful = self._log.moved(buffer) if self._twice else self._log.leaps(buffer)
            if doubtful and data != self._first_reading:  # reading costs nothing, and eight bits of checksum are few
                self._first_reading, self._poll_due = data, now
                return
            news, self._first_reading = self._log.read(buffer), b""
        except FrameError as error:  # its size was checked, so this is a unit that cannot be understood
            self._talk.fault("unexpected", error.message, data.hex())
            return
        talk, path = self._talk, self._path
        self._based = True
        if news.lost:
            talk.fault("events_lost", f"{news.lost} events were not kept by the unit", data.hex())
        if news.restarted:
            talk.fault("restarted", "the unit was reset: what it did since the last reading is not known")
        path.read(news, now)
        if path.settings_lost or news.lost:
            path.settings_lost = False
            self._inhibits.forget()
        if path.fatal:
            path.fatal, self._checking = False, self._checking or 255
            self._check_due = now
        path.show(now)
        self._tell_state(data[:3].hex(), news.lost)
        if news.restarted:  # perhaps it is another unit, or its table is another one
            talk.again(now)
            self._forget(now)

    def _routed(self, answer: Answer, now: int) -> None:
        self._poll_due = now
        note = self._watch.held_note()
        if self._path.routed(self._order, answer, now):
            self._talk.events.append(CommandRefused("hold_note", "the unit cannot hold a note", note))

    def _checked(self, code: int, now: int) -> None:
        if code == 0:
            self._checking, self._poll_due = 0, now
            self._inhibits.forget()  # not polled for events meanwhile, it has inhibited itself
            return
        self._checking = code
        self._talk.state(*fault_words(code), f"{code:02x}")

    def _again(self, now: int, problem: str) -> None:
        self._talk.again(now, wait=True, problem=problem)
        self._forget(now)

    def _know(self, now: int) -> None:
        """The set-up went through: read its replies."""
        talk = self._talk
        table, problem = read_bills(
            talk.replies.get(Header.REQUEST_BILL_ID, []), talk.reply(Header.REQUEST_COUNTRY_SCALING_FACTOR),
            self._currency, self._country, self._options.bill_ids,
        )  # fmt: skip
        factors = {data for _, data in talk.replies.get(Header.REQUEST_COUNTRY_SCALING_FACTOR, [])}
        if problem or len(factors) != 1:
            self._again(now, problem or "the unit told two scaling factors")
            return
        if not self._log.identified(talk.serial()):
            talk.state("initializing", "warn", "no counter of this unit is known: what it took before is not told")
        self._path.table, self._known = table, True
        check = talk.reply(Header.PERFORM_SELF_CHECK)
        if check and check[0]:
            self._checked(check[0], now)
        values = sorted({value.minor for value in table.values()})
        talk.events.append(NotesKnown(tuple(Money(minor, self._currency) for minor in values)))

    # --- whose turn it is ---------------------------------------------------------------------------------------------

    def _go_on(self, now: int) -> None:
        talk = self._talk
        if not talk.is_open:
            return
        if not talk.line.busy:
            if talk.set_up(now):
                self._known = self._based = False
                self._inhibits.forget()
            else:
                request = self._choose(now)
                if request is not None:
                    talk.ask(request, now)
        self._wake = talk.line.deadline() if talk.line.busy else self._next_look()

    def _next_look(self) -> int:
        if not self._talk.ready:
            return self._talk.set_up_at()
        return self._check_due if self._checking else self._poll_due

    def _choose(self, now: int) -> Request | None:
        if not self._known:
            self._know(now)
            if not self._known:
                return None
        if self._checking:
            if now < self._check_due:
                return None
            self._check_due = now + self._options.check_ms * MS
            return _CHECK
        order = self._watch.wanted(now) if self._based else None
        if order is not None:
            self._order = order
            self._path.ordering(order)
            self._watch.sent(order, now)
            return Request(Header.ROUTE_BILL, bytes((_ROUTES[order],)), sizes=(0, 1), tries=1, slow=True)
        if now >= self._poll_due:
            self._poll_due = now + self._options.poll_ms * MS
            return None if self._path.full else _EVENTS
        if self._based and not self._watch.in_flight:
            return self._inhibits.next(self._bits(), now)
        return None

    def _bits(self) -> bytes:
        wanted = set(self._wanted)
        kinds = [kind for kind, value in self._path.table.items() if value in wanted]
        return mask(kinds, self._options.mask_bytes)

    # --- telling ------------------------------------------------------------------------------------------------------

    def _tell_state(self, raw: str, lost: int) -> None:
        path = self._path
        if lost:
            self._talk.state("events_lost", "warn", f"{lost} events lost", raw)
        elif path.fraud:
            self._talk.state("cheated", "warn", path.fraud, raw)
        elif path.condition is not None:
            self._talk.state(*path.condition, raw)
        elif not self._checking:
            self._talk.state(_CALM[0] if self._inhibits.enabled else _CALM[1], "ok", "", raw)
        path.fraud = ""

    def _refuse(self, command: str, reason: str, cmd: DeviceCommand | None = None) -> None:
        if reason:
            refusal = CommandRefused(command, reason, getattr(cmd, "note", None), getattr(cmd, "job", ""))
            self._talk.events.append(refusal)


SPEC = DriverSpec(
    name="cctalk_bill_validator",
    device_class="BillAcceptor",
    transports=("serial", "tcp"),
    options=CctalkBillOptions,
    build=CctalkBillValidator,
    summary="bill validators that speak ccTalk, in clear or encrypted, also on a bus with others",
    capabilities=Capabilities(hold=True, inhibit_by_value=True, shares_line=True),
    line={"serial": {"baud": 9600, "parity": "N", "bits": 8, "stop": 1}},
    states=(*_CALM, "initializing", "events_lost", *_STATES, UNKNOWN_STATE[0], MISCONFIGURED_STATE[0]),
    protocol="cctalk",
)
