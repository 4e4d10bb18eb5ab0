"""The events that a unit handed out, taken one by one, each with its consequence (SSP sheet §8 to §10).

Theory of operation.  One poll reply can hold a whole life: stacking, credit, stacked, and the next note in escrow.  The
queue hands one after the other to `NoteWatch` and stops where the next one must wait: for a commit, for the answer to
Event Ack, for the unit's counter, for the reason of a rejection.  `question` says what should be asked then.  The
driver sends no Poll while anything waits here, so no event is ever passed over; what was handed out stays in the queue
even when the conversation begins anew.

Judging by the counter.  A note whose accepting Poll may have gone out, and of which nothing more is told, is judged
when the unit shows no note for a while: the counter moved beyond our credits, so it lies in the box; it did not, so it
went back; it cannot be compared, or trouble lies between, so the note is disputed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from kiosk.model.device_events import CashboxInserted, CashboxRemoved, NoteAccepting, NoteDisputed, NoteStacked
from kiosk.model.money import Money
from kiosk.protocols.note_life import Seen, Sight
from kiosk.protocols.note_watch import NoteWatch
from kiosk.protocols.ssp.audit import CounterAudit
from kiosk.protocols.ssp.codes import ACKNOWLEDGED, Command, EventCode
from kiosk.protocols.ssp.options import MS, SspOptions
from kiosk.protocols.ssp.payloads import Event, Reading
from kiosk.protocols.ssp.sights import DOUBTS, Condition, rejected_sight, sight

#: Among the events: here Event Ack is due; and: the unit has shown no note for long enough.
_ACK, _REST = Event(0, "acknowledge"), Event(0, "rest")
#: Events of a reply that show no note on its way.
_RESTFUL = frozenset(
    {EventCode.DISABLED, EventCode.CHANNEL_DISABLE, EventCode.STACKER_FULL, EventCode.CASHBOX_REPLACED}
)
#: What a ticket in the box is told by; a ticket is no money.
_TAKEN = (EventCode.STACKED, EventCode.BARCODE_ACKNOWLEDGE)
_CREDITS = (EventCode.CREDIT, EventCode.STACKED, EventCode.NOTE_STORED)


class EventQueue:
    """Owns events not taken yet and the counter's books; the line and its turns are the driver's."""

    def __init__(
        self, options: SspOptions, watch: NoteWatch, condition: Condition, fault: Callable[[str, str, str], None]
    ) -> None:
        self._options, self._watch, self._condition, self._fault = options, watch, condition, fault
        self.audit = CounterAudit()
        #: Values by channel, as the driver reads them.
        self.table: Mapping[int, Money] = {}
        self._queue: deque[tuple[Event, Mapping[int, Money]]] = deque()
        self._ordered = self._credit_open = self._box_out = False
        #: What was last seen in escrow is a barcode ticket.
        self._ticket = False
        #: The last note in the box was told as cleared into it, not as a credit.
        self._cleared = False
        #: Data of the last credit.
        self._credited = b""
        self.opened()

    # --- what the driver says ---------------------------------------------------------------------------------------

    def remember(self, phase: str, mark: str) -> None:
        """Take what survived a restart of the kiosk."""
        self._ordered, self._credit_open = phase == "stack_sent", phase == "credited"
        self.audit.remember(mark)

    def opened(self) -> None:
        """The port was opened: perhaps it is another unit.  What the last one handed out is still taken."""
        #: Rest was seen and the counter compared: the unit may be told to take notes.
        self.settled = False
        self.restarted()

    def restarted(self) -> None:
        """The conversation begins anew: an accepting Poll may or may not have been heard."""
        #: The sight of what lies in escrow, while the last event showed it; the next Poll would take it.
        self.escrow: Sight | None = None
        #: A Poll went out to take it.
        self.accepting = False
        #: The unit has begun anew and lost its settings.
        self.renew = False
        self._unsure, self._audited, self._doubt, self._drawing = True, False, False, False
        self._count: int | None = None
        self._counted = self._countable = self._reason_known = False
        self._reason: int | None = None
        self._rest_since: int | None = None
        self._rest_needed = self._options.rest_ms * MS

    def ordered(self) -> None:
        """The kernel ordered the note in."""
        self._ordered = True

    def countable(self, able: bool) -> None:
        """Say whether the unit tells counters."""
        self._countable = able

    def counted(self, count: int | None) -> None:
        """The answer to Get Counters; None where there is none."""
        self._count, self._counted = count, True

    def reason(self, code: int | None) -> None:
        """The answer to Last Reject Code."""
        self._reason, self._reason_known = code, True

    def acknowledged(self, *, sure: bool) -> None:
        """Event Ack was answered: what follows in that reply may be taken.

        `sure`: by OK.  "Nothing waits" may be the word of a unit that lost its power meanwhile, and some tell such a
        credit again (sheet §8, §10): until it reads a note it cannot be another one.
        """
        self._credit_open = self._credit_open and not sure
        if self._queue and self._queue[0][0] is _ACK:
            self._queue.popleft()

    def take(self, reading: Reading, *, with_ack: bool, now: int) -> None:
        """Take a poll reply."""
        events = reading.events
        self.escrow, self._counted, self._reason_known = None, False, False
        self._condition.told(events)
        acks = [at for at, event in enumerate(events) if event.code in ACKNOWLEDGED]
        self._credit_open = self._credit_open and with_ack  # a plain poll tells nothing twice
        for at, event in enumerate(events):
            self._queue.append((event, self.table))
            if with_ack and acks and at == acks[-1]:
                self._queue.append((_ACK, self.table))
        self._around(events)
        restful = not reading.problem and all(event.code in _RESTFUL for event in events)
        if not restful or self._condition.blocked or self._condition.box_out:
            self._rest_since = None
        elif self._rest_since is None:
            self._rest_since = now
        if self._rest_since is not None and now - self._rest_since >= self._rest_needed:
            self._rest_needed = self._options.rest_ms * MS
            if self._watch.in_flight or not self._audited:
                self._queue.append((_REST, self.table))

    def _around(self, events: tuple[Event, ...]) -> None:
        """Tell what happens around the note; none of it waits for anything."""
        for event in events:
            if event.code == EventCode.CASHBOX_REMOVED and not self._box_out:
                self._box_out = True
                self._watch.events.append(CashboxRemoved(event.raw))
            elif event.code == EventCode.CASHBOX_REPLACED and self._box_out:
                self._box_out = False
                self._watch.events.append(CashboxInserted())
            elif event.code == EventCode.SLAVE_RESET:
                self.renew, self._rest_needed = True, self._options.power_up_ms * MS
        if self._box_out and not self._condition.box_out:  # put in while the unit was off, or told by silence
            self._box_out = False
            self._watch.events.append(CashboxInserted())
        drawing = any(event.code == EventCode.READ and not event.channel for event in events)
        if drawing and not self._drawing:
            self._watch.events.append(NoteAccepting())
        self._drawing = drawing

    # --- one by one ---------------------------------------------------------------------------------------------------

    def question(self, now: int) -> Command | None:
        """Take events until one must wait; return what should be asked for it, None for nothing."""
        while self._queue and not self._watch.booking:
            event, table = self._queue[0]
            if event is _ACK:
                return Command.EVENT_ACK
            judged = self._intended and self._judges(event)
            audits = event.code == EventCode.CLEARED_INTO_CASHBOX or event is _REST
            if (judged or audits) and self._countable and not self._counted:
                return Command.GET_COUNTERS
            if event.code == EventCode.REJECTED and not self._reason_known:
                return Command.LAST_REJECT_CODE
            if judged and self._judge(event, now):
                continue
            self._queue.popleft()
            self._feed(event, table, now)
        return None

    @property
    def _intended(self) -> bool:
        """True while a note was ordered in and its outcome is not told."""
        if self._watch.may_reset:
            self._ordered = self._doubt = False
        return self._ordered and not self._watch.booking

    def _judges(self, event: Event) -> bool:
        """Tell whether an event ends the life of a note that was ordered in, without saying how."""
        return event is _REST or (event.code == EventCode.READ and (not event.channel or self._unsure))

    def _judge(self, event: Event, now: int) -> bool:
        """Say what became of a note that was ordered in; False where the event itself shows it."""
        self._unsure = False
        count = self._count if self._counted else None
        surplus = None if count is None else self.audit.surplus(count)
        raw = "" if count is None else f"58:{count}"
        if count is not None and surplus is not None and surplus > 0:
            self._mismatch(surplus - 1)
            self.audit.settle(count)
            self._watch.saw(Sight(Seen.STACKED, "counted", raw, mark=self.audit.mark()), now)
        elif event.channel:
            return False
        elif surplus == 0 and not self._doubt:
            self._watch.saw(Sight(Seen.RETURNED, "not_counted", raw), now)
        else:
            self._watch.saw(Sight(Seen.INITIALIZING, "not_comparable", raw), now)
            self._watch.saw(Sight(Seen.AT_REST, "rest", raw), now)
            self.audit.doubted()
        return True

    def _feed(self, event: Event, table: Mapping[int, Money], now: int) -> None:
        watch, before = self._watch, len(self._watch.events)
        if event is _REST or event.code == EventCode.READ:
            self._credit_open = False
        if event is _REST:
            watch.saw(Sight(Seen.AT_REST, "rest"), now)
            self._compare()
            return
        if self._ticket and event.code in (*_TAKEN, EventCode.READ):
            self._ticket = False
            watch.saw(Sight(Seen.AT_REST, "rest"), now)
            if event.code in _TAKEN:
                self._fault("unexpected", "a barcode ticket was taken that nobody ordered in", event.raw)
                return
        if event.code in DOUBTS:
            self._doubt = self._doubt or self._intended
        credit, cleared = event.code == EventCode.CREDIT, event.code == EventCode.CLEARED_INTO_CASHBOX
        if credit and self._credit_open and not watch.in_flight and event.data == self._credited:
            self._fault("unexpected", "a credit is told again that is booked", event.raw)
            return
        # an event is handed out once unless it waits for its Ack, so this is another note (sheet §10); a note that was
        # credited and then met a power cut may be cleared as well, and is the same one
        another = (credit or (cleared and self._cleared)) and not self._credit_open
        if another and watch.in_flight and watch.may_reset:
            watch.saw(Sight(Seen.STACKED, "stacked"), now)
        if cleared and self._counted and self._count is not None:
            self.audit.settle(self._count)  # it lies in the box already: the counter has moved, if it ever does
        if event.code == EventCode.REJECTED:
            watch.saw(rejected_sight(self._reason), now)
        shown = sight(event, table, self.audit.mark(int(event.code in _CREDITS)))
        watch.saw(shown, now)
        if credit or cleared:
            self._cleared, self._credited = cleared, event.data
            self._credit_open = self._credit_open or any(later is _ACK for later, _ in self._queue)
        self.escrow = shown if shown.seen is Seen.IN_ESCROW else None
        if shown.seen is Seen.IN_ESCROW:
            self._ticket = shown.ticket
            self.accepting = self.accepting and self._intended
        elif shown.seen is not Seen.NOTHING:
            self.accepting = False
        for told in watch.events[before:]:
            if isinstance(told, NoteStacked | NoteDisputed):
                self._audited = False
                if isinstance(told, NoteDisputed):
                    self.audit.doubted()
                elif not cleared:
                    self.audit.credited()

    def _compare(self) -> None:
        """At rest credits and counter should agree."""
        self._audited = self.settled = True
        if self._counted and self._count is not None:
            self._mismatch(self.audit.surplus(self._count) or 0)
            self.audit.settle(self._count)

    def _mismatch(self, surplus: int) -> None:
        if surplus:
            what = f"{surplus} notes stacked that were not credited" if surplus > 0 else f"{-surplus} credits too many"
            self._fault("counter_mismatch", f"the unit's counter shows {what}", "")
