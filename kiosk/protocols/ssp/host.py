"""The host's end of an SSP line: one packet at a time, its flag, its repeats, and the eSSP session (sheet §3, §13).

Theory of operation.  `ask` writes a packet with the next sequence flag; `received` pairs a reply with it by address and
flag; `expire` writes the *same bytes* again, also sealed ones, as often as the options say, so that the unit replays
its reply and executes nothing twice.  The flag moves on only after a valid reply.  A line that gives up says so
once; the next packet must be Sync then, because the unit may or may not have heard.

Rules that must stay true: at most one packet is in flight; in a session everything but Sync and the key exchange is
sealed, and a reply in clear is believed only where it says that there is no key; the counter in a reply is the
packet's plus one.  A late double of an earlier reply cannot be taken for a later one: the line keeps the order, so it
comes before the reply to the packet in between, while the other flag is in force.
"""

from __future__ import annotations

import msgspec

from kiosk.protocols.ssp.codes import KEY_EXCHANGE, Command, Response
from kiosk.protocols.ssp.crypto import COUNT_MASK, STEX, BlockFault, Randomness, open_block, seal
from kiosk.protocols.ssp.frames import Decoder, Frame, FrameFault, encode
from kiosk.protocols.ssp.options import MS, SspOptions

#: Commands that always go in clear.
_CLEAR = (Command.SYNC, *KEY_EXCHANGE)


class Answer(msgspec.Struct, frozen=True):
    """What became of a packet."""

    #: Code of the command.
    request: int
    #: The reply, its generic response first; None where it was given up.
    data: bytes | None
    #: Why it was given up: ``silence``, ``counter``, ``block``; "" for a reply.
    problem: str = ""

    @property
    def ok(self) -> bool:
        """True where the unit did what it was asked."""
        return self.data is not None and self.data[0] == Response.OK

    @property
    def response(self) -> int:
        """Return the generic response, 0 for none."""
        return self.data[0] if self.data is not None else 0


class Repeated(msgspec.Struct, frozen=True):
    """No reply came in time; the packet went out again."""

    request: int
    #: How many went unanswered by now.
    count: int


class Unasked(msgspec.Struct, frozen=True):
    """A good frame that answers nothing."""

    detail: str
    raw: str


Heard = Answer | Repeated | Unasked | FrameFault


class HostLine:
    """Owns the packet in flight, the flag and the session; knows no money."""

    def __init__(self, options: SspOptions, randomness: Randomness) -> None:
        self._options, self._randomness = options, randomness
        self._outbound: list[bytes] = []
        self.reset()

    def reset(self) -> None:
        """Begin anew: the byte path was opened or lost."""
        self._decoder = Decoder()
        self._outbound.clear()
        self._request: int | None = None
        self._raw = b""
        self._sealed = False
        self._sent_flag = self._flag = 0
        self._unanswered = 0
        #: The session's key, None in clear.
        self._key: bytes | None = None
        self._count = 0
        #: When the packet in flight is repeated or given up, ns; only meaningful while `busy`.
        self.reply_by = 0
        self.echo_seen = False

    @property
    def busy(self) -> bool:
        """True while a packet waits for its reply."""
        return self._request is not None

    @property
    def encrypted(self) -> bool:
        """True in an eSSP session."""
        return self._key is not None

    def open_session(self, key: bytes) -> None:
        """Seal everything from now on; both counters are 0 (sheet §13)."""
        self._key, self._count = key, 0

    def close_session(self) -> None:
        """Go on in clear."""
        self._key = None

    def ask(self, data: bytes, now: int) -> None:
        """Write a packet and wait for its reply."""
        self._request = data[0]
        self._sealed = self._key is not None and data[0] not in _CLEAR
        body = seal(self._key, self._count, data, self._randomness.take) if self._sealed and self._key else data
        self._sent_flag = self._options.sync_flag if data[0] == Command.SYNC else self._flag
        self._raw = encode(self._options.address, self._sent_flag, body)
        self._unanswered = 0
        self._write(now)

    def _write(self, now: int) -> None:
        self._outbound.append(self._raw)
        self.reply_by = now + self._options.reply_timeout_ms * MS

    def sent(self, now: int) -> None:
        """Bytes left for the wire just now: the reply time counts from here."""
        if self.busy:
            self.reply_by = now + self._options.reply_timeout_ms * MS

    def take_writes(self) -> list[bytes]:
        """Hand over what is to be written, once."""
        writes, self._outbound = self._outbound, []
        return writes

    def received(self, data: bytes) -> list[Heard]:
        """Take bytes from the line and return what they mean, in order."""
        out: list[Heard] = []
        for item in self._decoder.feed(data):
            heard = item if isinstance(item, FrameFault) else self._frame(item)
            if heard is not None:
                out.append(heard)
        return out

    def expire(self, now: int) -> list[Heard]:
        """Repeat the packet in flight if its time is over, or give it up."""
        if self._request is None or now < self.reply_by:
            return []
        out: list[Heard] = list(self._decoder.abandon())  # type: ignore[arg-type]
        self._unanswered += 1
        if self._unanswered > self._options.repeats:
            out.append(self.give_up("silence"))
        else:
            out.append(Repeated(self._request, self._unanswered))
            self._write(now)
        return out

    def give_up(self, problem: str) -> Answer:
        """End the packet in flight without a reply.  Call it only while `busy`; the next one must be Sync."""
        request = self._request or 0
        self._request = None
        return Answer(request, None, problem)

    def _frame(self, frame: Frame) -> Heard | None:
        if frame.raw == self._raw and (self._sealed or frame.data[0] < STEX):
            if self.echo_seen:  # an adapter that repeats what we write; no reply is the same bytes as its command
                return None
            self.echo_seen = True
            return Unasked("the line repeats what we write", frame.raw[:16].hex())
        if self._request is None or frame.address != self._options.address or frame.flag != self._sent_flag:
            return Unasked("a reply that nobody waits for", frame.raw[:16].hex())
        data, problem = self._opened(frame.data)
        if problem == "clear":
            return Unasked("a reply in clear to a sealed command", frame.raw[:16].hex())
        if problem:
            return self.give_up(problem)
        request, self._request = self._request, None
        self._flag = 0 if request == Command.SYNC else 1 - self._sent_flag
        return Answer(request, data)

    def _opened(self, data: bytes) -> tuple[bytes, str]:
        if not self._sealed or self._key is None:
            return data, "clear" if data[0] == STEX else ""
        if data[0] != STEX:
            return data, "" if data[0] == Response.KEY_NOT_SET else "clear"
        opened = open_block(self._key, data)
        if isinstance(opened, BlockFault):
            return b"", "block"
        expected = (self._count + 1) & COUNT_MASK
        if opened.count != expected:
            return b"", "counter"
        self._count = expected
        return opened.data, ""
