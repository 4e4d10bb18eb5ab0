"""The host's end of a ccTalk line: one exchange at a time, on a line that others may use in turns (sheet §1, §2).

Theory of operation.  `ask` takes one request; the line rests, asks for its turn where the line may be shared, writes,
counts its own echo off, waits for the reply and gives the turn back.  `Turn` and bytes come out of `take_steps` in
order; whoever owns the port carries them out and tells what came of them.  A request that is not answered is written
again as often as it was allowed: reads have no side effects and may be repeated, an order to pay may not (one try).

A reply carries no sign of its request: it is addressed to the host, comes from the unit that was asked (where the form
has a source at all), and has a size that this request can have.  Anything else is skipped and told as a finding, so
that a late answer of another kind does not pass for this one.  Frames for others on a bus are skipped in silence.

On a single-wire interface the host hears itself.  With ``echo`` *auto* what comes first is compared with what was
written; a reply begins with the host's own address and a request never does, so the two cannot be confused.  An echo
that breaks off in another way than it went out spoils the exchange: somebody else was talking, and the request may not
have arrived.  With *on* a missing echo does so too.

Rules that must stay true: at most one request is out; nothing is written without the turn; the buffer is bounded.
"""

from __future__ import annotations

import enum
from typing import Literal

import msgspec

from kiosk.protocols.cctalk.frames import BROADCAST, GAP_NS, HOST, Decoder, Frame, FrameFault, Framing, Passed
from kiosk.protocols.cctalk.headers import Header

Echo = Literal["auto", "on", "off"]
#: Where another has the line, ask again after this, nanoseconds.
TURN_RETRY_NS = 5_000_000
#: A request for the turn that nobody answers is made again after this.
TURN_LIMIT_NS = 1_000_000_000
#: A unit that says BUSY is asked again after this.
BUSY_RETRY_NS = 100_000_000
#: Rest behind a reply that did not come: replies carry no number, and a late one would pass for the next.
LATE_NS = 300_000_000
#: Said with ``turn_over`` by who got no answer.
UNANSWERED = b"unanswered"
#: However much comes in, an exchange ends after this many of its time limits.
_MAX_STRETCH = 4


class Outcome(enum.Enum):
    """What became of a request."""

    REPLY = "reply"
    NAK = "nak"
    BUSY = "busy"
    #: No answer to any try, or none that was whole.
    SILENCE = "silence"


class Answer(msgspec.Struct, frozen=True):
    """A request and what became of it."""

    header: int
    #: Data of the request.
    asked: bytes
    outcome: Outcome
    #: Data of the reply; empty for an ACK.
    data: bytes = b""

    @property
    def acked(self) -> bool:
        """True for a reply without data."""
        return self.outcome is Outcome.REPLY and not self.data


class Stray(msgspec.Struct, frozen=True):
    """Something on the line that nobody asked for."""

    #: ``unexpected``, ``echo`` or ``turn``.
    kind: str
    detail: str
    raw: str = ""


class Turn(msgspec.Struct, frozen=True):
    """The line is wanted, or given back: a request of the port of this kind."""

    id: int
    #: ``turn`` or ``turn_over``.
    kind: str
    #: ``unanswered`` with ``turn_over`` where a late answer may still come: the line then rests before the next turn.
    data: bytes = b""


Heard = Answer | FrameFault | Stray


class _Phase(enum.Enum):
    IDLE = "idle"
    RESTING = "resting"
    TURN_ASKED = "turn asked"
    OUT = "out"


class _Exchange(msgspec.Struct):
    header: int
    data: bytes
    sizes: tuple[int, ...] | None
    timeout: int
    tries: int


class HostLine:
    """Owns the request that is out and the bytes around it; decides nothing about units or money."""

    def __init__(self, address: int, framing: Framing, *, echo: Echo = "auto", rest_ns: int = 0) -> None:
        self._address, self._framing, self._echo, self._rest = address, framing, echo, rest_ns
        self._next_id = 0
        self.reset(0)

    def reset(self, now: int) -> None:
        """Begin anew: the byte path was opened or lost."""
        self._decoder = Decoder(self._framing, (HOST,))
        self._steps: list[Turn | bytes] = []
        self._exchange: _Exchange | None = None
        self._phase = _Phase.IDLE
        self._turn_id = 0
        #: Has somebody said that the line is shared; then what passes by outside our turn is not our business.
        self._shared = False
        self._has_turn = False
        self._expected = b""
        self._spoiled = self._echoing = False
        self._free_at = self._until = self._latest = now

    # --- asking -------------------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """True while a request waits for its answer."""
        return self._exchange is not None

    def ask(
        self,
        header: int,
        data: bytes,
        now: int,
        timeout_ns: int,
        *,
        sizes: tuple[int, ...] | None = None,
        tries: int = 1,
    ) -> None:
        """Take a request; `sizes` are the lengths its reply can have, None for any.  Call it only while not `busy`."""
        self._exchange = _Exchange(header, data, sizes, timeout_ns, tries)
        self._rest_until(self._free_at, now)

    def take_steps(self) -> list[Turn | bytes]:
        """Hand over what is to be done at the port, in order, once."""
        steps, self._steps = self._steps, []
        return steps

    def deadline(self) -> int | None:
        """Return when `tick` is wanted; None while nothing is asked."""
        return self._until if self._exchange is not None else None

    # --- what is heard ------------------------------------------------------------------------------------------------

    def turn_answered(self, request: int, granted: bool, data: bytes, now: int) -> None:
        """Hear whether the turn is ours: granted, ``busy``, or (neither) the line is not shared."""
        if request != self._turn_id or self._phase is not _Phase.TURN_ASKED:
            return
        self._shared = granted or data == b"busy"
        if data == b"busy" and not granted:
            self._rest_until(now + TURN_RETRY_NS, now)
            return
        self._has_turn = granted
        self._write(now)

    def sent(self, now: int) -> None:
        """Bytes left for the wire just now: the reply time counts from here."""
        if self._exchange is not None and self._phase is _Phase.OUT:
            self._until = now + self._exchange.timeout

    def received(self, data: bytes, now: int) -> list[Heard]:
        """Take bytes from the line and return what they mean, in order."""
        if self._phase is not _Phase.OUT:
            if self._shared or not data:
                return []
            return [Stray("unexpected", f"{len(data)} bytes that nobody asked for", data[:16].hex())]
        out: list[Heard] = []
        for item in self._decoder.feed(self._without_echo(data, out)):
            self._sort(item, now, out)
        if self._exchange is not None and self._phase is _Phase.OUT and self._decoder.pending:
            self._until = min(max(self._until, now + 2 * GAP_NS), self._latest)  # a reply has begun: let it end
        return out

    def tick(self, now: int) -> list[Heard]:
        """Look at the clock: rest over, turn not answered, reply not come."""
        out: list[Heard] = []
        if self._exchange is None or now < self._until:
            return out
        if self._phase is _Phase.RESTING:
            self._ask_turn(now)
        elif self._phase is _Phase.TURN_ASKED:
            out.append(Stray("turn", "the request for a turn of the line was not answered"))
            self._ask_turn(now)
        else:
            self._failed(now, Outcome.SILENCE, out)
        return out

    def give_up(self, now: int) -> list[Heard]:
        """The port did not take our bytes: that try is over."""
        out: list[Heard] = []
        if self._phase is _Phase.OUT:
            self._failed(now, Outcome.SILENCE, out)
        return out

    # --- inside -------------------------------------------------------------------------------------------------------

    def _rest_until(self, when: int, now: int) -> None:
        self._phase, self._until = _Phase.RESTING, when
        if now >= when:
            self._ask_turn(now)

    def _ask_turn(self, now: int) -> None:
        self._next_id += 1
        self._turn_id = self._next_id
        self._phase, self._until = _Phase.TURN_ASKED, now + TURN_LIMIT_NS
        self._steps.append(Turn(self._turn_id, "turn"))

    def _write(self, now: int) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        raw = self._framing.encode(self._address, exchange.header, exchange.data)
        exchange.tries -= 1
        self._decoder = Decoder(self._framing, (HOST,))
        self._expected = b"" if self._echo == "off" else raw
        self._spoiled = self._echoing = False
        self._phase, self._until = _Phase.OUT, now + exchange.timeout
        self._latest = now + _MAX_STRETCH * exchange.timeout
        self._steps.append(raw)

    def _without_echo(self, data: bytes, out: list[Heard]) -> bytes:
        """Count our own bytes off the front of what comes in."""
        expected = self._expected
        if not expected or not data:
            return data
        same = min(len(expected), len(data))
        if data[:same] == expected[:same]:
            self._expected, self._echoing = expected[same:], True
            return data[same:]
        self._expected = b""
        if self._echo == "on" or self._echoing or data[0] == expected[0]:
            self._spoiled = True
            out.append(Stray("echo", "what came back is not what was written", data[:16].hex()))
        return data

    def _sort(self, item: Frame | Passed | FrameFault, now: int, out: list[Heard]) -> None:
        exchange = self._exchange
        if isinstance(item, Passed) or exchange is None or self._spoiled:
            return
        if isinstance(item, FrameFault):
            out.append(item)
        elif item.source is not None and self._address != BROADCAST and item.source != self._address:
            out.append(Stray("unexpected", f"a frame from {item.source}", item.raw[:16].hex()))
        elif item.header == Header.BUSY and not item.data:
            self._failed(now, Outcome.BUSY, out)
        elif item.header == Header.NAK and not item.data:
            self._ended(now, Outcome.NAK, b"", out)
        elif item.header == Header.REPLY and (exchange.sizes is None or len(item.data) in exchange.sizes):
            self._ended(now, Outcome.REPLY, item.data, out)
        else:
            out.append(Stray("unexpected", f"a frame that is no answer to {exchange.header}", item.raw[:16].hex()))

    def _failed(self, now: int, outcome: Outcome, out: list[Heard]) -> None:
        """This try came to nothing: try again where that is allowed."""
        exchange = self._exchange
        out += self._decoder.abandon()
        if exchange is None or exchange.tries <= 0:
            self._ended(now, outcome, b"", out)
            return
        self._turn_over(outcome)
        self._rest_until(now + (BUSY_RETRY_NS if outcome is Outcome.BUSY else LATE_NS), now)

    def _ended(self, now: int, outcome: Outcome, data: bytes, out: list[Heard]) -> None:
        exchange, self._exchange = self._exchange, None
        self._turn_over(outcome)
        self._phase, self._free_at = _Phase.IDLE, now + (LATE_NS if outcome is Outcome.SILENCE else self._rest)
        if exchange is not None:
            out.append(Answer(exchange.header, exchange.data, outcome, data))

    def _turn_over(self, outcome: Outcome) -> None:
        if self._has_turn:
            self._next_id += 1
            self._steps.append(Turn(self._next_id, "turn_over", UNANSWERED if outcome is Outcome.SILENCE else b""))
        self._has_turn = False
