"""ITL note validators that speak SSP or eSSP (NV9, NV10, NV200 and kin): the driver.

Theory of operation.  The unit only answers.  Escrow is implicit: *the Poll after a Read takes the note*.  So this
driver polls freely only while no undecided note lies in escrow; meanwhile it sends Hold, whose answer shows that the
note is still there, then Poll for "stack it" or Reject for "give it back".  `kiosk.protocols.ssp` does the rest:
`host.HostLine` has flags, repeats and the session, `opening.Opening` the way from Sync to the first poll and the
settings, `event_queue.EventQueue` the events and the unit's counter, `escrow.EscrowKeeper` Hold and Reject;
`note_watch.NoteWatch` follows the note.  Standard: SSP sheet.

Rules that must stay true:

* Sync, then Reject, then Poll; never a Poll while a note lies in escrow that nobody ordered in.
* Nothing at all is sent while an outcome waits for its commit; Event Ack goes out when every outcome before it is
  committed, and what follows in that reply is taken after the Ack was answered.
* A note whose accepting Poll may have gone out and that ends at rest is judged by the counter, never guessed.
* Without a dataset of our currency, and where a key is required and not agreed, the unit stays inhibited, and says why.
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
    ProtocolFault,
    ReturnNote,
    Sent,
    StackNote,
    Write,
    WriteTimedOut,
)
from kiosk.protocols.note_life import Order
from kiosk.protocols.note_watch import NoteWatch
from kiosk.protocols.ssp.codes import POLLS, Command, Response
from kiosk.protocols.ssp.crypto import Randomness
from kiosk.protocols.ssp.escrow import EscrowKeeper
from kiosk.protocols.ssp.event_queue import EventQueue
from kiosk.protocols.ssp.host import Answer, Heard, HostLine, Repeated, Unasked
from kiosk.protocols.ssp.opening import Opening
from kiosk.protocols.ssp.options import MS, SspOptions, limits
from kiosk.protocols.ssp.payloads import Event, read_events
from kiosk.protocols.ssp.sights import MISCONFIGURED_STATE, STATES, STOPPING, UNKNOWN_STATE, Condition

#: Findings told in one call; the rest is counted.
_MAX_FAULTS_A_CALL = 8
_TRIES = 3


class SspAcceptor:
    """Owns the conversation with one unit: whose turn it is and what each answer means."""

    def __init__(self, options: SspOptions, tools: DriverTools) -> None:
        self._options, self._currency = options, tools.currency
        self._events: list[DeviceEvent] = []
        self._watch = NoteWatch(limits(options))
        self._watch.events = self._events
        self._condition = Condition()
        self._queue = EventQueue(options, self._watch, self._condition, self._fault)
        self._escrow = EscrowKeeper(options, self._watch, self._queue, self._fault)
        self._told: tuple[str, str, str] | None = None
        self._state_raw = ""
        self._open = False
        self._wake: int | None = None
        self._faults = 0
        self._seed(bytes(32))

    def _seed(self, entropy: bytes) -> None:
        randomness = Randomness(entropy)
        self._line = HostLine(self._options, randomness)
        self._opening = Opening(self._options, self._currency, self._line, randomness)
        self._fresh(0)

    def _fresh(self, now: int) -> None:
        """The port is open: perhaps it is another unit."""
        self._opening.forget()
        self._condition.clear()
        self._queue.opened()
        self._poll_due = self._not_before = now
        self._ack_known = True
        self._identified: Identified | None = None
        self._escrow.opened()
        self._restart(now)

    def _restart(self, now: int) -> None:
        """Begin the conversation with Sync; events that were handed out and not taken yet stay in the queue."""
        self._opening.begin(now)
        self._queue.restarted()
        self._watch.unheard()
        self._escrow.restarted()
        self._tries = 0
        #: The unit stopped taking notes since it was enabled: when that was told first.
        self._stopped_at: int | None = None

    # --- the eight names ------------------------------------------------------------------------------------------

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Take the last serial, the counter mark, the note in flight, and what keys are drawn from."""
        self._seed(entropy)
        serial = marks.get("note_serial", "0")
        note, value, phase = (open_note.note, open_note.value, open_note.phase) if open_note else (None, None, "")
        device = marks.get("device", note.device if note else "")
        self._watch.remember(device, int(serial) if serial.isdecimal() else 0, note, value, phase)
        self._queue.remember(phase, marks.get("device_mark", ""))

    def port(self, event: PortEvent, now: int) -> None:
        """Start the conversation when the port opens; keep the note in flight when it is lost."""
        if isinstance(event, Opened):
            self._line.reset()
            self._fresh(now)
            self._open = True
            self._watch.opened(now)
        elif isinstance(event, Lost):
            self._line.reset()
            self._open, self._wake = False, None
            self._watch.unheard()
            self._state(*UNKNOWN_STATE, f"port lost: {event.reason[:80]}", "")
            return
        elif isinstance(event, Sent):
            self._line.sent(now)
        elif isinstance(event, WriteTimedOut) and self._line.busy:
            self._hear([self._line.give_up("silence")], now)
        self._go_on(now)

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the unit."""
        self._faults = 0
        if self._open:
            self._hear(self._line.received(data), now)
            self._go_on(now)
        if self._faults > _MAX_FAULTS_A_CALL:
            self._events.append(ProtocolFault("overflow", f"{self._faults - _MAX_FAULTS_A_CALL} more findings at once"))

    def tick(self, now: int) -> None:
        """Look at the clock."""
        if self._open:
            self._faults = 0
            self._hear(self._line.expire(now), now)
            self._watch.check(now)
            self._go_on(now)

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """Take an order of the kernel."""
        if isinstance(cmd, Confirm):
            if not self._watch.confirm(cmd.token):
                self._refuse("confirm", f"token {cmd.token} is not waited for")
        elif isinstance(cmd, EnableNotes):
            self._opening.want(cmd.values, now)
            self._refuse("enable_notes", self._opening.problem)
        elif isinstance(cmd, InhibitNotes):
            self._opening.want((), now)
        elif isinstance(cmd, StackNote):
            refusal = self._watch.stack(cmd.note, now)
            self._refuse("stack_note", refusal, cmd)
            if not refusal:
                self._queue.ordered()
        elif isinstance(cmd, ReturnNote):
            self._refuse("return_note", self._watch.give_back(cmd.note), cmd)
        elif isinstance(cmd, HoldNote):
            self._refuse("hold_note", self._watch.hold(cmd.note), cmd)
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
        """Hand over bytes."""
        return [Write(data) for data in self._line.take_writes()]

    def take_events(self) -> list[DeviceEvent]:
        """Hand over what happened."""
        events, self._events[:] = list(self._events), []
        return events

    # --- answers ----------------------------------------------------------------------------------------------------

    def _hear(self, found: list[Heard], now: int) -> None:
        for item in found:
            if isinstance(item, Answer):
                self._not_before = now + self._options.gap_ms * MS
                self._answer(item, now)
            elif isinstance(item, Repeated):
                if item.count == 1:
                    self._fault("timeout", f"no answer to {item.request:02x}", "")
                if item.count == self._options.device_lost_after:
                    self._watch.unheard()
                    self._state(*UNKNOWN_STATE, "the unit does not answer", "")
            elif isinstance(item, Unasked):
                self._fault("unexpected", item.detail, item.raw)
            else:
                self._fault(item.kind, f"{item.count} bytes", item.raw)

    def _answer(self, answer: Answer, now: int) -> None:
        if answer.data is None:
            self._fault("given_up", f"{answer.problem} after {answer.request:02x}", "")
            sealed = self._line.encrypted and not self._opening.done
            why = "no answer to the first sealed commands: another fixed key?" if sealed else "the unit does not answer"
            self._state(*UNKNOWN_STATE, why, "")
            self._restart(now)
        elif answer.response == Response.KEY_NOT_SET and self._opening.done and not self._ack_refused(answer):
            self._fault("key_not_set", f"the unit wants a key, asked {answer.request:02x}", "fa")
            self._opening.key_demanded = True
            self._restart(now)
        elif self._opening.asks is not None:
            if self._opening.answered(answer):
                self._begun(now)
            if self._opening.asks is None and self._opening.problem:
                self._state(*MISCONFIGURED_STATE, self._opening.problem, f"{answer.response:02x}")
        elif answer.request in POLLS:
            self._polled(answer, now)
        elif answer.request == Command.EVENT_ACK:
            self._acknowledged(answer)
        elif answer.request == Command.GET_COUNTERS:
            self._queue.counted(self._opening.counted(answer))
        elif answer.request == Command.LAST_REJECT_CODE:
            self._queue.reason(answer.data[1] if answer.ok and len(answer.data) > 1 else None)
        elif answer.request == Command.REJECT:
            self._poll_due = now
            self._escrow.rejected(answer, now)
        elif self._escrow.held(answer, now) and self._queue.escrow is not None:
            state = "held" if self._escrow.hold_wanted else "escrow_position"
            self._state(state, "ok", "", self._queue.escrow.raw)

    def _begun(self, now: int) -> None:
        """Everything is known that the first poll needs."""
        opening, queue = self._opening, self._queue
        self._poll_due = now
        queue.table = opening.table
        queue.countable(opening.count is not None)
        if opening.escrow_unsure:
            self._escrow.leave_alone(now)
        if opening.serial is not None and queue.audit.unit(opening.serial):
            self._fault("swapped", f"another unit is here, serial number {opening.serial}", "")
        if opening.identity is not None and opening.identity != self._identified:
            self._identified = opening.identity
            self._events.append(opening.identity)
            if opening.table:
                self._events.append(NotesKnown(opening.values()))

    def _acknowledged(self, answer: Answer) -> None:
        taken, self._tries = answer.ok or answer.response == Response.CANNOT_BE_PROCESSED, self._tries + 1
        if not taken and self._tries >= _TRIES:
            self._fault("refused", f"Event Ack is answered {answer.response:02x}", "")
        if taken or self._tries >= _TRIES:
            self._tries = 0
            self._queue.acknowledged(sure=answer.ok)

    def _ack_refused(self, answer: Answer) -> bool:
        """Tell whether a unit in clear only says that it takes Poll With Ack in a session (sheet §6)."""
        return answer.request == Command.POLL_WITH_ACK and self._ack_known and not self._line.encrypted

    def _polled(self, answer: Answer, now: int) -> None:
        if self._queue.accepting:
            self._watch.answered(Order.STACK, answer.ok, False)
        if not answer.ok or answer.data is None:
            if answer.request == Command.POLL_WITH_ACK and self._ack_known:
                self._ack_known = False
                self._fault("refused", f"Poll With Ack is answered {answer.response:02x}: polling plainly", "")
                self._poll_due = now
                return
            self._watch.unheard()
            self._state(*UNKNOWN_STATE, f"the unit answers a poll with {answer.response:02x}", "")
            return
        fraud, stored = self._options.fraud_as_money, self._options.stored_bytes
        reading = read_events(answer.data[1:], self._opening.version, payout=fraud, stored=stored)
        if reading.problem:
            self._fault(reading.problem, "the rest of a poll reply is not read", reading.rest[:16].hex())
            self._escrow.doubt()
        self._queue.take(reading, with_ack=answer.request == Command.POLL_WITH_ACK, now=now)
        self._show(reading.events, answer.data.hex()[:32], now)

    def _show(self, events: tuple[Event, ...], raw: str, now: int) -> None:
        if not self._opening.enabled:
            self._stopped_at = None
        elif self._stopped_at is None:  # told once or in each poll (sheet §8): one report counts
            self._stopped_at = now if any(event.code in STOPPING for event in events) else None
        elif now - self._stopped_at >= self._options.repeat_ms * MS:
            self._opening.applied, self._stopped_at = None, None
        state, severity, detail = self._condition.words(events, enabled=self._opening.enabled)
        if self._opening.problem and state in ("idling", "inhibited"):
            state, severity, detail = *MISCONFIGURED_STATE, self._opening.problem
        self._state(state, severity, detail, raw)

    # --- whose turn it is ---------------------------------------------------------------------------------------------

    @property
    def _with_ack(self) -> bool:
        wish = self._options.poll_with_ack
        return self._ack_known and (wish == "always" or (wish == "auto" and self._line.encrypted))

    def _go_on(self, now: int) -> None:
        """Send the next packet if the line is free, and say when to look again."""
        if not self._open:
            return
        if not self._line.busy:
            question = None if self._opening.asks is not None else self._queue.question(now)
            data = self._choose(question, now) if now >= self._not_before else None
            if data is not None:
                self._line.ask(data, now)
        dues = (self._not_before, self._poll_due, self._escrow.hold_due, self._escrow.quiet_until)
        later = min((due for due in dues if due > now), default=now + self._options.poll_ms * MS)
        self._wake = self._line.reply_by if self._line.busy else later

    def _choose(self, question: Command | None, now: int) -> bytes | None:
        watch, opening, queue = self._watch, self._opening, self._queue
        if opening.asks is not None:
            return None if watch.booking else opening.asks
        if question is not None:
            return bytes((question,))
        if watch.booking or now < self._escrow.quiet_until:
            return None
        # A note in flight is followed by polls first, unless there can be none before the set-up is repeated.
        if queue.renew or (opening.retry_due(now) and not (watch.in_flight and opening.pollable)):
            self._restart(now)
            return opening.asks
        if not opening.pollable:
            return None
        order = watch.wanted(now)
        kept = self._escrow.ask(order, now)
        if kept is not None:
            return kept or None
        if order is Order.STACK:
            queue.accepting = True
            watch.sent(order, now)
            return self._poll(now)
        if queue.settled and not watch.in_flight and opening.settings_due(now):
            opening.tell(now)
            return opening.asks
        return self._poll(now) if now >= self._poll_due else None

    def _poll(self, now: int) -> bytes:
        self._poll_due = now + self._options.poll_ms * MS
        return bytes((Command.POLL_WITH_ACK if self._with_ack else Command.POLL,))

    # --- telling ---------------------------------------------------------------------------------------------------

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
    name="ssp_acceptor",
    device_class="BillAcceptor",
    transports=("serial", "tcp"),
    options=SspOptions,
    build=SspAcceptor,
    summary="ITL note validators that speak SSP or eSSP",
    capabilities=Capabilities(hold=True, inhibit_by_value=True),
    line={"serial": {"baud": 9600, "parity": "N", "bits": 8, "stop": 2}},
    states=STATES,
    protocol="ssp",
)
