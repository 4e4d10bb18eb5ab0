"""The host's end of an EBDS line: one message at a time, its toggle, its repeats, its reply (EBDS sheet §3).

Theory of operation.  `ask` begins an exchange: it flips the toggle, but only where the exchange before it was answered,
and writes the message.  `again` writes the same message with the same toggle: the unit then sends its last reply again
and does nothing else.  So an event is never lost and never counted twice, and that is the whole of "exactly once" on
this line.  `ask` after an exchange without an answer replaces its content and *keeps* its toggle: a unit that took the
lost message repeats its reply, one that did not takes the new content.

Rules that must stay true: the toggle is flipped after a valid reply with the same toggle and never on failure; a reply
with the other toggle answers nothing; a frame of type 1, or one that repeats our own bytes, is an echo and is dropped.
A reply that comes late, after its message was repeated, would carry the toggle of the message after next: so behind an
exchange that was repeated the line stays quiet until its late replies had time to come (`quiet_until`).
"""

from __future__ import annotations

import msgspec

from kiosk.protocols.ebds.codes import MessageType
from kiosk.protocols.ebds.frames import Decoder, Frame, FrameFault, encode

#: What a unit sends; everything else on the line is an echo or is no answer.
_REPLIES = (MessageType.REPLY, MessageType.AUXILIARY, MessageType.EXTENDED)


class Reply(msgspec.Struct, frozen=True):
    """A frame of the unit and what it means for the exchange."""

    frame: Frame
    #: ``fresh`` (ends the exchange), ``repeated`` (the exchange was answered before), ``late`` (a repeat that nobody
    #: waits for any more), ``stray`` (the other toggle, or nothing was asked), ``unknown`` (no type of a reply).
    sort: str


class HostLine:
    """Owns the toggle and the message in flight; knows no money and repeats nothing by itself."""

    def __init__(self, toggle: int, *, flip_at_start: bool) -> None:
        self._toggle, self._flip_at_start = toggle, flip_at_start
        self._kind, self._data = int(MessageType.COMMAND), b""
        #: The present message was answered: the next one is new.  Before the first one nothing is to be flipped.
        self.answered = False
        #: A message was written since the start, and some reply came with our toggle.
        self._asked = self._synced = False
        self._other_toggle = False
        self.reset()

    def reset(self) -> None:
        """The byte path was opened or lost; the toggle and the unanswered message stay."""
        self._decoder = Decoder()
        self._outbound: list[bytes] = []
        self._last_reply = b""
        self._owed = 0
        self._timeout_ns = 0
        #: A reply is waited for, until `reply_by`, ns.
        self.busy = False
        self.reply_by = 0
        #: Nothing should be asked before this: late replies are on their way.
        self.quiet_until = 0
        #: Echoes dropped so far.
        self.echoes = 0

    @property
    def unanswered(self) -> bool:
        """True where a message went out and no reply with its toggle came: it has to be repeated or replaced."""
        return self._asked and not self.answered

    def ask(self, kind: int, data: bytes, now: int, timeout_ns: int) -> None:
        """Begin an exchange, or put other content into one that was not answered."""
        if self.answered:
            self._toggle ^= 1
            self._owed = 0
        self._kind, self._data = kind, data
        self.answered, self._asked = False, True
        self.again(now, timeout_ns)

    def again(self, now: int, timeout_ns: int, data: bytes | None = None) -> None:
        """Write the present message with its toggle once more; for once, a command with `data` stands in for it."""
        kind, content = (self._kind, self._data) if data is None else (MessageType.COMMAND, data)
        self._outbound.append(encode(kind, self._toggle, content))
        self._owed += 1
        self.busy, self._timeout_ns, self.reply_by = True, timeout_ns, now + timeout_ns

    def sent(self, now: int) -> None:
        """Bytes left for the wire just now: the reply time counts from here."""
        if self.busy:
            self.reply_by = now + self._timeout_ns

    def take_writes(self) -> list[bytes]:
        """Hand over what is to be written, once."""
        writes, self._outbound = self._outbound, []
        return writes

    def received(self, data: bytes, now: int) -> list[Reply | FrameFault]:
        """Take bytes from the line and return what they mean, in order."""
        return self._sort(self._decoder.feed(data), now)

    def expire(self, now: int) -> list[Reply | FrameFault] | None:
        """Give up waiting if the time is over; None while it is not.  What lay half read may still hold the reply."""
        if not self.busy or now < self.reply_by:
            return None
        out = self._sort(self._decoder.abandon(), now)
        self.give_up()
        return out

    def give_up(self) -> None:
        """End the wait."""
        self.busy = False
        if self._other_toggle and not self._synced and self._flip_at_start:
            self._toggle, self._synced = self._toggle ^ 1, True  # once: the unit keeps a toggle of its own

    def _sort(self, found: list[Frame | FrameFault], now: int) -> list[Reply | FrameFault]:
        out: list[Reply | FrameFault] = []
        for frame in found:
            if isinstance(frame, FrameFault):
                out.append(frame)
                continue
            sort = self._sort_one(frame, now)
            if sort:
                out.append(Reply(frame, sort))
        return out

    def _sort_one(self, frame: Frame, now: int) -> str:
        own = encode(self._kind, self._toggle, self._data)
        if frame.kind == MessageType.COMMAND or frame.raw == own:
            self.echoes += 1
            return ""
        if frame.kind not in _REPLIES:
            return "unknown"
        if not self.busy:
            late = self.answered and frame.raw == self._last_reply and self._owed > 0
            if late:
                self._owed -= 1
                if not self._owed:
                    self.quiet_until = now
            return "late" if late else "stray"
        if frame.toggle != self._toggle:
            self._other_toggle = True
            return "stray"
        fresh = not self.answered
        self._owed -= 1
        self.busy, self.answered, self._synced, self._last_reply = False, True, True, frame.raw
        if self._owed:
            self.quiet_until = now + self._timeout_ns
        return "fresh" if fresh else "repeated"
