"""The sender's side of a connection as a state machine: pure, no socket, no clock.

    CLOSED --opened--> GREETING --WELCOME--> STREAMING <--later-- HALTED     HALTED: it talks, but sends no rows
       ^------------------- Reopen: lost, silent, refused --------------'

Everything that happens is told by a call with the time (`now`, monotonic nanoseconds) and answered by a list of
`Send`, `Reopen`, `Acked` and `Told`.  What may arrive in which state stands in `_TABLE`; what has no row there is
dropped and told.  Rows are not held here: `room` says which may go now, the caller cuts them (`sync.outbox`) and hands
them to `sent`.

Rules that must stay true: never more under way than the hub's credit; the acknowledged mark moves only by the hub's
WELCOME, ACK and GAP, and only to rows that this journal holds with the same hash; what the hub does not have any more
is sent again; a journal that parted from the hub's is not sent on, and nothing is overwritten anywhere.
"""

from __future__ import annotations

from collections.abc import Callable

from kiosk.sync import wire
from kiosk.sync.beside import Beside
from kiosk.sync.messages import Ack, Hello, Mark, Message, Nack, Ping, Pong, Seen, Welcome
from kiosk.sync.pace import Pace, backoff_ns
from kiosk.sync.traffic import (
    SECOND,
    Acked,
    Batch,
    Habits,
    Output,
    Reopen,
    Room,
    Send,
    State,
    Told,
    journal_of,
    order,
)
from kiosk.sync.window import Window
from kiosk.sync.wire import Head

#: A connection that lived so long was a good one: the next attempts begin quickly again.
STABLE_NS = 10 * SECOND
#: Round trip and offset are measured anew after so long, also on a busy line.
MEASURE_NS = 60 * SECOND
#: Longest wait that BUSY may ask for.
LONGEST_WAIT_NS = 60 * SECOND
#: Rows of one AHEAD: fresh ones are few, and the backlog waits behind them.
AHEAD_ROWS = 100
#: NACK -> seconds after which a new connection is tried: nothing here changes by trying often.
REFUSED_S = {"fenced": 600, "version": 300, "revoked": 300, "wrong_realm": 300, "wrong_hub": 300}
#: Why rows are not sent on a connection that stands -> seconds after which they are offered again.
HALTED_S = {
    "fork": 600, "parted": 600, "wrong_chain": 60, "bad_signature": 60, "unknown_key": 60, "unknown_epoch": 60,
    "journal_away": 60,
}  # fmt: skip


class Session:
    """One connection after the other to one hub, and what they agreed on.  Owns the window and the marks."""

    def __init__(self, hub: str, habits: Habits, acked: Mark, draw: Callable[[int], int]) -> None:
        """`hub` is the id that the pinned keys belong to; `draw(n)` returns a random number from 0 to n-1."""
        self.hub = hub
        self._habits, self._draw = habits, draw
        self.state = State.CLOSED
        #: Newest row of the journal, and the newest that the hub acknowledged.
        self.head, self.acked = Mark(), acked
        #: Last row that was handed to the line: the next one follows it.
        self.place = acked
        #: Whether the journal cannot be read at all now.
        self.away = False
        #: Why the journal is not taken, "" where it is; stays until an acknowledgement shows that it is over.
        self.trouble = ""
        #: Hub's clock less ours by the last PING, nanoseconds; None before.
        self.offset_ns: int | None = None
        self.pace, self.beside, self._window = Pace(), Beside(), Window()
        self._attempts = 0
        self._forget()

    def _forget(self) -> None:
        """Begin a connection without anything of the one before."""
        self.welcome: Welcome | None = None
        self.session = 0
        self._window.clear()
        self._greeting: Hello | None = None
        self._ping: tuple[int, int] | None = None
        self._rewound: tuple[tuple[int, int], int] | None = None
        self._probe = self._resending = False
        self._opened_ns = self._heard_ns = self._measured_ns = 0
        self._fresh_ns = self._wait_ns = self._retry_ns = 0
        self.beside.forget()

    # --- what happened -------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether the hub takes messages other than HELLO."""
        return self.state in (State.STREAMING, State.HALTED)

    @property
    def under_way(self) -> tuple[int, int]:
        """Batches and bytes that wait for their acknowledgement."""
        messages, size = self.beside.under_way
        return len(self._window) + messages, self._window.bytes + size

    def opened(self, now: int, hello: Hello) -> list[Output]:
        """A socket is connected: greet the hub."""
        self._forget()
        self.state, self._greeting = State.GREETING, hello
        self._opened_ns = self._heard_ns = now
        return [Send(hello)]

    def lost(self, now: int, code: str, detail: str = "") -> list[Output]:
        """The socket is gone, or never came to be."""
        if self.connected and now - self._opened_ns >= STABLE_NS:
            self._attempts = 0
        wait = backoff_ns(self._attempts, self._draw)
        self._attempts += 1
        self._close()
        return [Reopen(wait, code, detail)]

    def hurry(self) -> None:
        """A person asks for a connection now."""
        self._attempts = 0

    def grew(self, head: Mark, now: int) -> list[Output]:
        """The journal can be read, and its newest row is this one."""
        if self.away or (head.epoch > self.head.epoch and self.state is State.HALTED):
            self._retry_ns = now  # the journal is back, or a new epoch ends one that parted
        if order(self.place) >= order(self.head) and order(head) > order(self.head):
            self._fresh_ns = now
        self.head = head
        if self.away:
            self.away = False
            return self.lost(now, "journal_back") if self.connected else []
        return []

    def unread(self, now: int) -> list[Output]:
        """The journal cannot be read: the core is down."""
        self.away = True
        return self._halt(now, "journal_away", "") if self.state is State.STREAMING else []

    def received(self, head: Head, message: Message, now: int, wall_ns: int, held: bytes | None) -> list[Output]:
        """A message came; `held` is the hash that this journal has where the message's mark stands, or None."""
        self._heard_ns = now
        if head.session not in (0, self.session) and not isinstance(message, Welcome):
            return [Told("stale", wire.describe(message))]
        rule = _TABLE.get((self.state, type(message)))
        return rule(self, message, now, wall_ns, held) if rule else [Told("unexpected", wire.describe(message))]

    def heard(self, now: int) -> None:
        """Something came that is not for the session: a sign of life."""
        self._heard_ns = now

    # --- rows ----------------------------------------------------------------------------------------------

    def room(self, now: int, behind: int) -> Room | None:
        """Return which rows may go now, or None; `behind` counts the rows after `place`."""
        batches, under = self.under_way
        welcome = self.welcome
        if self.state is not State.STREAMING or welcome is None or now < self._wait_ns or self.away:
            return None
        left = self._window.credit[1] - under
        if batches >= min(self._window.credit[0], self.pace.window) or left <= 0:
            return None
        rows, most = min(welcome.most_rows, wire.MOST_ROWS), min(welcome.most_bytes, wire.MOST_BYTES, left)
        fresh = self.beside.place(self.head, behind, self._habits.ahead_from)
        if fresh is not None:
            return Room(fresh, min(rows, AHEAD_ROWS), most, min(most, self.pace.size), True)
        gathers = now < self._fresh_ns + self._habits.gather_ns and behind < wire.MOST_ROWS
        if self.beside.damaged or gathers or order(self.head) <= order(self.place):
            return None
        return Room(self.place, rows, most, min(most, self.pace.size))

    def sent(self, batch: Batch, now: int, *, ahead: bool = False) -> Message:
        """Take rows under way and return the message that carries them."""
        if ahead:
            return self.beside.sent(batch, now)
        self._window.take(batch, now)
        self.place = batch.last
        self._resending = self._resending and order(self.place) < order(self.acked)
        return journal_of(batch)

    def resend(self, mark: Mark) -> None:
        """The hub asks for everything after a mark once more; what it has it drops."""
        self._rewind(mark)
        self._resending = True

    def unreadable(self, detail: str, beyond: Mark | None) -> list[Output]:
        """Rows of the journal are not what was written; those after `beyond` are, and go beside the stream."""
        again = self.trouble == "journal_damaged"
        self.beside.damage(beyond)
        self.trouble = "journal_damaged"
        return [] if again else [Told("journal_damaged", detail)]

    def probe(self) -> bool:
        """Tell, once, whether the hub should be shown the journal's end: it keeps apart what contradicts it."""
        asked, self._probe = self._probe, False
        return asked

    # --- time ----------------------------------------------------------------------------------------------

    def tick(self, now: int, wall_ns: int) -> list[Output]:
        """Time passed."""
        if self.state is State.CLOSED:
            return []
        if self.state is State.GREETING:
            return self._tick_greeting(now)
        if now - self._opened_ns >= STABLE_NS:
            self._attempts = 0
        if now >= self._wait_ns:
            self._wait_ns = 0
        if self._window and now >= self._window.waiting_since + self.pace.patience_ns:
            return self._silent(now, "no acknowledgement came")
        if self._unanswered() and self._ping and now >= self._ping[0] + self.pace.patience_ns:
            return self._silent(now, "no answer to a PING")
        if (lost := self.beside.deadline(self.pace.patience_ns)) and now >= lost:
            self.beside.forget()
        if self.state is State.HALTED and now >= self._retry_ns and not self.away:
            self.state = State.STREAMING
            self._rewind(self.acked)
        due = now - self._heard_ns >= self._habits.heartbeat_ns or now - self._measured_ns >= MEASURE_NS
        return [self._send_ping(now, wall_ns)] if due and not self._unanswered() else []

    def deadline(self, now: int) -> int:
        """Return when `tick` or `room` has something to do, at the latest; 0 for never."""
        if self.state is State.CLOSED:
            return 0
        if self.state is State.GREETING:
            return self._wait_ns or self._opened_ns + self.pace.greeting_ns
        times = [self._heard_ns + self._habits.heartbeat_ns, self._measured_ns + MEASURE_NS]
        if self._unanswered() and self._ping:
            times = [self._ping[0] + self.pace.patience_ns]
        if self._window:
            times.append(self._window.waiting_since + self.pace.patience_ns)
        if lost := self.beside.deadline(self.pace.patience_ns):
            times.append(lost)
        if self.state is State.HALTED and not self.away:
            times.append(self._retry_ns)
        times += [at for at in (self._wait_ns, self._fresh_ns + self._habits.gather_ns) if at > now]
        return min(times)

    def _tick_greeting(self, now: int) -> list[Output]:
        if self._wait_ns and self._greeting is not None:
            if now < self._wait_ns:
                return []
            self._wait_ns, self._opened_ns = 0, now
            return [Send(self._greeting)]
        return self._silent(now, "no answer to HELLO") if now >= self._opened_ns + self.pace.greeting_ns else []

    def _unanswered(self) -> bool:
        """Whether nothing at all came since the last PING."""
        return self._ping is not None and self._heard_ns < self._ping[0]

    def _send_ping(self, now: int, wall_ns: int) -> Send:
        self._ping, self._measured_ns = (now, wall_ns), now
        return Send(Ping(wall_ns))

    # --- the rows of the table -----------------------------------------------------------------------------

    def _welcomed(self, message: Welcome, now: int, wall_ns: int, held: bytes | None) -> list[Output]:
        if not wire.OLDEST <= message.version <= wire.NEWEST:
            return self._refused(now, "version", f"the hub chose version {message.version}")
        if message.hub != self.hub:
            return self._refused(now, "wrong_hub", f"{message.hub[:40]!r} answers with the keys of {self.hub!r}")
        self.state, self.welcome, self.session = State.STREAMING, message, message.session
        self._window.credit = (message.batches, message.bytes)
        self._opened_ns = now
        if self.trouble not in HALTED_S:
            self.trouble = ""
        return [self._send_ping(now, wall_ns), *self._go_on_after(message.durable, now, held)]

    def _go_on_after(self, durable: Mark, now: int, held: bytes | None) -> list[Output]:
        """Continue after what the hub says it has; WELCOME and GAP alike."""
        if self.away:
            return self._halt(now, "journal_away", "")
        # Without the row, but with a later epoch: a journal that was restored, whose new epoch names where it parted.
        restored = held is None and durable.seq > 0 and self.head.epoch > durable.epoch
        known = order(durable) == (0, 0) or held == durable.hash or restored
        if not known:
            self._probe = True
            return self._halt(now, "parted", f"the hub has another fact {durable.epoch}/{durable.seq}")
        lost = order(durable) < order(self.acked)
        told: list[Output] = [Told("hub_restored", f"it goes on after {durable.epoch}/{durable.seq}")] if lost else []
        self.acked = durable
        self._rewind(durable)
        if order(self.head) <= order(durable):
            self.trouble = ""
        return [*told, Acked(durable)]

    def _acknowledged(self, message: Ack, now: int, _: int, held: bytes | None) -> list[Output]:
        durable = message.durable
        if order(durable) < order(self.acked) or self.away:
            return []  # overtaken by a later one
        if durable.hash != (self.acked.hash if order(durable) == order(self.acked) else held):
            return self._halt(now, "parted", f"the hub acknowledged another fact {durable.epoch}/{durable.seq}")
        self._window.credit = (message.batches, message.bytes)
        for taken_ns in self._window.acknowledged(durable, now):
            self.pace.acknowledged(taken_ns)
        if order(durable) == order(self.acked):
            return [Acked(durable, message.receipt)] if message.receipt else []
        self.acked = durable
        if order(self.place) < order(durable) and not self._resending:
            self.place = durable
        self._attempts, self._rewound = 0, None
        if self.state is State.STREAMING and not self.beside.damaged:
            self.trouble = ""
        return [Acked(durable, message.receipt)]

    def _seen(self, message: Seen, now: int, _: int, __: bytes | None) -> list[Output]:
        sent = self.beside.answered(message)
        if sent:
            self.pace.acknowledged(now - sent)
        return []

    def _answered(self, message: Pong, now: int, wall_ns: int, _: bytes | None) -> list[Output]:
        if self._ping is None or message.sent_ns != self._ping[1]:
            return []
        there = max(0, message.answered_ns - message.received_ns)
        self.pace.pinged(max(0, now - self._ping[0] - there))
        self.offset_ns = ((message.received_ns - message.sent_ns) + (message.answered_ns - wall_ns)) // 2
        self._ping = None
        return []

    def _hello_refused(self, message: Nack, now: int, _: int, __: bytes | None) -> list[Output]:
        if message.code == "busy":
            self._wait_ns = now + _wait_of(message)
            return []
        return self._refused(now, message.code, message.detail)

    def _rows_refused(self, message: Nack, now: int, _: int, held: bytes | None) -> list[Output]:
        code = message.code
        if code == "gap":
            again = self._rewound
            if again and again[0] == order(message.mark) and now < again[1] + self.pace.patience_ns:
                return []  # batches that were sent before the rewind are refused one after the other
            told = self._go_on_after(message.mark, now, held)
            self._rewound = (order(message.mark), now)
            return told
        if code in ("busy", "too_large"):
            if code == "too_large":
                self.pace.missed()
            self._wait_ns = now + _wait_of(message)
            self._rewind(self.acked)
            return [] if code == "busy" else [Told(code, message.detail)]
        if code == "unknown_data":
            return [Told(code, message.detail)]
        if code in HALTED_S:
            return self._halt(now, code, message.detail or f"at {message.mark.epoch}/{message.mark.seq}")
        return self._refused(now, code, message.detail)

    # --- ways out ------------------------------------------------------------------------------------------

    def _rewind(self, mark: Mark) -> None:
        self._window.clear()
        self.place, self._resending = mark, False
        self.beside.mended()

    def _halt(self, now: int, code: str, detail: str) -> list[Output]:
        again = self.trouble == code
        self.state, self.trouble = State.HALTED, code
        self._rewind(self.acked)
        self.beside.forget()
        self._retry_ns = now + HALTED_S[code] * SECOND
        return [] if again else [Told(code, detail)]

    def _refused(self, now: int, code: str, detail: str) -> list[Output]:
        again = REFUSED_S.get(code)
        if again is None:
            return self.lost(now, code, detail)
        self._close()
        self.trouble = code
        return [Reopen(again * SECOND + self._draw(again * SECOND // 2), code, detail)]

    def _silent(self, now: int, detail: str) -> list[Output]:
        self.pace.missed()
        return self.lost(now, "silent", detail)

    def _close(self) -> None:
        self._forget()
        self.state, self.place = State.CLOSED, self.acked


def _wait_of(message: Nack) -> int:
    return min(max(message.after_ms * 1_000_000, 50_000_000), LONGEST_WAIT_NS)


#: (state, message) -> what it means there.
_TABLE: dict[tuple[State, type[Message]], Callable[..., list[Output]]] = {
    (State.GREETING, Welcome): Session._welcomed,
    (State.GREETING, Nack): Session._hello_refused,
    (State.STREAMING, Ack): Session._acknowledged,
    (State.STREAMING, Seen): Session._seen,
    (State.STREAMING, Pong): Session._answered,
    (State.STREAMING, Nack): Session._rows_refused,
    (State.HALTED, Ack): Session._acknowledged,
    (State.HALTED, Seen): Session._seen,
    (State.HALTED, Pong): Session._answered,
    (State.HALTED, Nack): Session._rows_refused,
}
