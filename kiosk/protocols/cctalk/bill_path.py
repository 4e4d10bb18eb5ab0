"""Folds the events of a bill validator into what they show of the one note inside (ccTalk sheet §6, §9).

Theory of operation.  The unit tells edges, never states: (n,1) a note lies in escrow, (n,0) it is in the box, (0,1) it
went back; between two edges nothing changes, so what was shown last is shown again with every poll.  New events stand
in a queue, oldest first; while the outcome of a note waits for its commit, the queue waits too, so that the counter in
a fact never speaks of a later event.

After the order to stack was taken the note is moving until an event tells its end; where none comes in `order_limit`,
the order is repeated, and a unit that answers "escrow empty" has a note whose end nobody saw.  Such a note, one whose
events were lost, or one that a reset unit does not remember, is a dispute once nothing can tell any more.

After a restart the stored counter is that of the last *credit*, so the first reading may show notes from before the
one that is open: from the first credit in it, else from the last note in escrow, the events are those of the open note.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from kiosk.model.device_events import CashboxInserted, CashboxRemoved, DeviceEvent, NoteRejected, ProtocolFault
from kiosk.model.money import Money
from kiosk.protocols.cctalk.event_buffer import Happened, News
from kiosk.protocols.cctalk.headers import (
    BILL_COUPON,
    BILL_CREDIT,
    BILL_EVENTS,
    BILL_FATAL,
    BILL_FRAUDS,
    BILL_PENDING,
    ROUTE_ESCROW_EMPTY,
    bill_event_name,
)
from kiosk.protocols.cctalk.host import Answer, Outcome
from kiosk.protocols.cctalk.options import MS, CctalkBillOptions
from kiosk.protocols.note_life import Order, Seen, Sight
from kiosk.protocols.note_watch import NoteWatch

#: Events that wait for their turn; then the buffer is not read any more.
MAX_WAITING = 64
#: Unread for this long (a reading was missed) a unit may have stacked one note and begun to draw in the next.
SWAP_NS = 400_000_000
_REST = Sight(Seen.AT_REST, name="at_rest")
_REJECTED = {2: "recognition", 3: "transport", 4: "denomination_inhibited", 5: "denomination_inhibited"}
_MASTER_INHIBIT, _RETURNED, _STACKER_OK, _BOX_OUT, _BOX_IN, _FULL, _SAFE_JAM, _STRANGER = 0, 1, 10, 11, 12, 14, 16, 21
#: Events that move no note.
_NO_NOTES_MATTER = (_MASTER_INHIBIT, _STACKER_OK, _BOX_OUT, _BOX_IN, _FULL)


class BillPath:
    """Owns the events that wait and what was shown last; leaves what it means for money to `NoteWatch`."""

    def __init__(self, options: CctalkBillOptions, watch: NoteWatch, events: list[DeviceEvent]) -> None:
        self._options, self._watch, self._events = options, watch, events
        self._queue: deque[Happened] = deque()
        #: Values by bill type.
        self.table: Mapping[int, Money] = {}
        self._sight = _REST
        #: The order the unit took or could not take, and when; None where the note is where it was shown.
        self._routed: Order | None = None
        self._empty = False
        self._routed_at = 0
        #: Since when the unit takes no order for the note, None where it does.
        self._refused_since: int | None = None
        #: Until when a unit that was reset may still tell what became of a note.
        self._waking_until: int | None = None
        self._first = True
        self._read_at = 0
        #: The note that was shown last was ordered in; what became of the order may not have been heard.
        self._ordered_in = False
        #: The unit was reset behind a silence in which it could have handled two notes.
        self._blind = False
        #: The unit's settings may be gone; it met a fatal fault; a manipulation was told.
        self.settings_lost = self.fatal = False
        self.fraud = ""
        #: What stands in the way as long as nothing says that it is gone: state, severity, detail.
        self.condition: tuple[str, str, str] | None = None

    @property
    def full(self) -> bool:
        """True while no more events can wait."""
        return len(self._queue) >= MAX_WAITING

    def read(self, news: News, now: int) -> None:
        """Take a reading of the buffer."""
        first, self._first = self._first, False
        before, self._read_at = self._read_at, now
        events = list(news.events)
        if news.restarted:
            self._woken(now, now - before >= SWAP_NS)
        elif first and self._watch.in_flight and not self._watch.may_reset:
            events = self._of_the_open_note(news, now)
        elif news.adopted and self._ordered_in:
            self._untraced("not_told", now)  # what lies in escrow now may be another note
        elif news.lost and not any(event.kind and event.code == BILL_CREDIT for event in events):
            self._untraced("events_lost", now)
        self._queue.extend(events)
        self.go_on(now)

    def _woken(self, now: int, blind: bool) -> None:
        """Take up after a reset; `blind`: unheard for so long that what comes back may be another note."""
        self.settings_lost, self._blind = True, blind
        self._routed, self._empty, self._refused_since = None, False, None
        self._waking_until = now + self._options.waking_ms * MS
        self._sight = Sight(Seen.INITIALIZING, name="unit_was_reset")

    def _of_the_open_note(self, news: News, now: int) -> list[Happened]:
        """Leave out of the first reading what happened to notes before the open one."""
        events = list(news.events)
        standing = news.standing
        quiet = all(not event.kind and event.code in _NO_NOTES_MATTER for event in events)
        if standing is not None and standing.kind and standing.code == BILL_PENDING and quiet:
            return [standing, *events]  # nothing has happened to a note since this one came: it lies there still
        credits = [at for at, event in enumerate(events) if event.kind and event.code == BILL_CREDIT]
        escrows = [at for at, event in enumerate(events) if event.kind and event.code == BILL_PENDING]
        begin = credits[0] if credits else escrows[-1] if escrows and not news.lost else None
        if begin is None:  # what lies in escrow now may be another note, so its end would prove nothing
            self._untraced("events_lost" if news.lost else "not_told", now)
            begin = len(events)
        note = (_RETURNED, _STRANGER)
        return [event for at, event in enumerate(events) if at >= begin or not (event.kind or event.code in note)]

    def go_on(self, now: int) -> None:
        """Take the events that wait, up to a note whose outcome waits for its commit."""
        while self._queue and not self._watch.booking:
            self._take(self._queue.popleft(), now)

    def show(self, now: int) -> None:
        """Show the watch where the note is, after a poll that told nothing else."""
        if self._queue or self._watch.booking:
            return
        if self._waking_until is not None and now >= self._waking_until:
            self._waking_until, self._sight = None, _REST
        if self._routed is not None and self._sight.seen is Seen.IN_ESCROW:
            if now - self._routed_at < self._options.order_limit_ms * MS:
                seen = Seen.MOVING if self._routed is Order.STACK else Seen.NOTHING
                self._watch.saw(Sight(seen, name="routed"), now)
                return
            if self._empty:
                self._untraced("escrow_empty", now)
                return
            self._routed = None
        if self._refused_since is not None and now - self._refused_since >= self._options.order_limit_ms * MS:
            self._untraced("orders_refused", now)
            return
        self._watch.saw(self._sight, now)

    def ordering(self, order: Order) -> None:
        """An order goes out."""
        self._ordered_in |= order is Order.STACK

    def routed(self, order: Order, answer: Answer, now: int) -> bool:
        """Take what the unit answered to an order; return True where it turns out that it cannot hold notes."""
        error = answer.data[0] if answer.data else 0
        self._empty = error == ROUTE_ESCROW_EMPTY and order is not Order.HOLD
        if self._empty or (answer.acked and order is Order.STACK):
            self._routed, self._routed_at = order, now
        refused = answer.outcome is Outcome.NAK or (bool(error) and not self._empty)
        if answer.acked or self._empty:
            self._refused_since = None
        elif refused and order is not Order.HOLD and self._refused_since is None:
            self._refused_since = now  # some units say NAK where the escrow is empty
        if answer.acked and order is Order.HOLD and self._sight.seen is Seen.IN_ESCROW:
            held = self._sight
            self._sight = Sight(
                Seen.IN_ESCROW, "held", held.raw, held.key, held.value, ticket=held.ticket, held=True, mark=held.mark
            )
        return self._watch.answered(order, answer.acked, bool(error) or answer.outcome is Outcome.NAK)

    # --- events -------------------------------------------------------------------------------------------------------

    def _take(self, event: Happened, now: int) -> None:
        name = bill_event_name(event.kind, event.code)
        if event.kind and event.code == BILL_PENDING:
            self._edge(Seen.IN_ESCROW, event, "escrow", now)
        elif event.kind and event.code == BILL_CREDIT:
            self._credited(event, now)
        elif event.kind or event.code not in BILL_EVENTS:
            self._fault("unknown_code", f"event ({event.kind},{event.code})", event.raw)
        elif event.code == _RETURNED and self._blind:
            # The unit may have stacked the note that is open, forgotten that, and given back the one after it.
            self._untraced("returned_after_reset", now, event.raw, event.mark)
        elif event.code == _RETURNED:
            self._edge(Seen.RETURNED, event, name, now)
            self._rest(now)
        elif event.code in _REJECTED:
            self._events.append(NoteRejected(_REJECTED[event.code], event.raw))
        elif event.code == _STRANGER:
            self._stranger(event, now)
        else:
            self._happened(event, name, now)

    def _happened(self, event: Happened, name: str, now: int) -> None:
        """Take an event that is about the unit."""
        code = event.code
        if code in BILL_FATAL or code in BILL_FRAUDS:
            self.fatal |= code in BILL_FATAL
            self.fraud = name if code in BILL_FRAUDS else self.fraud
            self._fault("event", name, event.raw)
            if code == _SAFE_JAM and self._options.safe_jam == "credit":
                self._edge(Seen.STACKED, event, name, now)
            else:
                self._watch.saw(Sight(Seen.NOTHING, name=name, raw=event.raw, doubt=True), now)
        elif code == _MASTER_INHIBIT:
            self.settings_lost = True
        elif code == _BOX_OUT:
            self.condition = ("cassette_removed", "fault", "")
            self._events.append(CashboxRemoved(event.raw, event.mark))
        elif code == _FULL:
            self.condition = ("stacker_full", "fault", "")
        elif code in (_BOX_IN, _STACKER_OK):
            self.condition, self.settings_lost = None, True
            if code == _BOX_IN:
                self._events.append(CashboxInserted(event.mark))

    def _credited(self, event: Happened, now: int) -> None:
        value = self.table.get(event.kind)
        if event.kind == BILL_COUPON:
            self._fault("unexpected", "a ticket was stacked that nobody ordered in", event.raw)
        elif value is None and self._watch.in_flight:
            self._fault("unexpected", f"bill type {event.kind} was stacked, which has no value here", event.raw)
            self._untraced("credit_without_value", now, event.raw, event.mark)
        else:
            self._edge(Seen.CREDIT_POINT, event, "credit", now)
        self._rest(now)

    def _stranger(self, event: Happened, now: int) -> None:
        """A bill was stacked that the unit does not know."""
        if self._watch.in_flight:
            self._untraced("unknown_bill_stacked", now, event.raw, event.mark)
        else:
            self._edge(Seen.CREDIT_POINT, event, "unknown_bill_stacked", now)
        self._rest(now)

    def _edge(self, seen: Seen, event: Happened, name: str, now: int) -> None:
        self._routed, self._empty, self._waking_until, self._refused_since = None, False, None, None
        self._blind = self._ordered_in = False
        ticket = event.kind == BILL_COUPON
        value = self.table.get(event.kind)
        self._sight = Sight(seen, name, event.raw, event.kind, value, ticket=ticket, mark=event.mark)
        self._watch.saw(self._sight, now)

    def _rest(self, now: int) -> None:
        self._sight = _REST
        self._watch.saw(_REST, now)

    def _untraced(self, name: str, now: int, raw: str = "", mark: str = "") -> None:
        """Nothing will tell any more what became of a note: a dispute, if its stack command may have gone out."""
        self._routed, self._empty, self._refused_since = None, False, None
        self._watch.saw(Sight(Seen.NOTHING, name=name, raw=raw, doubt=True), now)
        self._watch.saw(Sight(Seen.POWER_UP, name=name, raw=raw, mark=mark), now)
        self._sight = _REST

    def _fault(self, kind: str, detail: str, raw: str) -> None:
        self._events.append(ProtocolFault(kind, detail, raw))
