"""The host's end of an ID003 line: one request at a time, its answer, its time limit, its echo.

Theory of operation.  `ask` writes a request and starts the reply timer; `received` pairs what comes with the request
in flight; `expire` tells silence.  The line knows which codes can be an answer to which kind of request (ID003 sheet
§3) and hands everything else on as unasked: a late status must not pass for the ACK of STACK, nor a late ACK for a
status.  Nothing here repeats a request; whoever asks decides from the state: STACK must not be repeated blindly.

Several codes are byte-identical in both directions (sheet §2): on a line that echoes, our own status request reads as
IDLING.  So an answer that is byte for byte the request is *suspect* until the line is *proved*, that is until some
answer differed from its request.  A query (0x80 … 0x8A) echoed without data is no legal answer: it shows the echo, and
from then on the expected echo is taken off the front of what comes in.

Rules that must stay true: at most one request is in flight; an unasked frame proves nothing; the buffer is bounded.
"""

from __future__ import annotations

import msgspec

from kiosk.protocols.id003.codes import DeviceStatus, HostCommand
from kiosk.protocols.id003.frames import Decoder, Frame, FrameFault, encode

#: Requests answered by their own code and data (settings, queries).
_FIRST_QUERY, _LAST_QUERY = HostCommand.GET_DENOMINATION, HostCommand.CURRENCY_ASSIGN_REQUEST
#: Most echo bytes that are waited for.
_MAX_ECHO = 512
_REFUSALS = (DeviceStatus.COMMUNICATION_ERROR, DeviceStatus.INVALID_COMMAND)


class Answer(msgspec.Struct, frozen=True):
    """What became of a request, or a frame that nobody asked for."""

    #: Code of the request this answers; None for an unasked frame.
    request: int | None
    #: None for silence.
    frame: Frame | None
    #: True where the frame may be the echo of the request on a line that is not proved yet.
    suspect: bool = False


def is_query(code: int) -> bool:
    """Tell whether a request is a query, whose echo without data cannot be an answer."""
    return _FIRST_QUERY <= code <= _LAST_QUERY


def may_answer(request: int, frame: Frame) -> bool:
    """Tell whether a frame can be the answer to a request.

    >>> from kiosk.protocols.id003.frames import Frame
    >>> may_answer(0x42, Frame(0x13, b"a", b"")), may_answer(0x42, Frame(0x50, b"", b""))
    (False, True)
    """
    if frame.cmd in _REFUSALS:
        return True
    if request == HostCommand.STATUS_REQUEST:
        return frame.cmd not in (DeviceStatus.ENQ, DeviceStatus.ACK) and frame.cmd < HostCommand.GET_DENOMINATION
    if request >= HostCommand.GET_DENOMINATION:
        return frame.cmd == request
    return frame.cmd == DeviceStatus.ACK


class HostLine:
    """Owns the request in flight and the bytes around it; knows no money and repeats nothing by itself."""

    def __init__(self, *, echo: bool = False) -> None:
        self._echo_configured = echo
        self._outbound: list[bytes] = []
        self.reset()

    def reset(self) -> None:
        """Begin anew: the byte path was opened or lost."""
        self._decoder = Decoder()
        self._outbound.clear()
        self._request: tuple[int, bytes] | None = None
        self._timeout_ns = 0
        self._expected_echo = b""
        #: When the request in flight is given up, ns; only meaningful while `busy`.
        self.reply_by = 0
        #: The line echoes, by configuration or as found.
        self.echo = self._echo_configured
        #: Some answer differed from its request, so answers can be told from echoes.
        self.proved = self._echo_configured

    @property
    def busy(self) -> bool:
        """True while a request waits for its answer."""
        return self._request is not None

    def ask(self, code: int, data: bytes, now: int, timeout_ns: int) -> None:
        """Write a request and wait for its answer until `now + timeout_ns`."""
        raw = self._write(code, data)
        self._request, self._timeout_ns, self.reply_by = (code, raw), timeout_ns, now + timeout_ns

    def tell(self, code: int) -> None:
        """Write a frame that has no answer (ACK of VEND VALID)."""
        self._write(code, b"")

    def _write(self, code: int, data: bytes) -> bytes:
        raw = encode(code, data)
        self._outbound.append(raw)
        if self.echo:
            self._expected_echo = (self._expected_echo + raw)[-_MAX_ECHO:]
        return raw

    def sent(self, now: int) -> None:
        """Bytes left for the wire just now: the reply time counts from here."""
        if self._request is not None:
            self.reply_by = now + self._timeout_ns

    def take_writes(self) -> list[bytes]:
        """Hand over what is to be written, once."""
        writes, self._outbound = self._outbound, []
        return writes

    def received(self, data: bytes) -> list[Answer | FrameFault]:
        """Take bytes from the line and return what they mean, in order."""
        return self._sort(self._decoder.feed(self._without_echo(data)))

    def expire(self, now: int) -> list[Answer | FrameFault]:
        """Give up the request in flight if its time is over; what lay half read may still hold its answer."""
        if self._request is None or now < self.reply_by:
            return []
        out = self._sort(self._decoder.abandon())
        if self._request is not None:
            out.append(self.give_up())
        return out

    def give_up(self) -> Answer:
        """End the request in flight as silence.  Call it only while `busy`."""
        code = self._request[0] if self._request else None
        self._request, self._expected_echo = None, b""
        return Answer(code, None)

    def _without_echo(self, data: bytes) -> bytes:
        expected = self._expected_echo
        if not expected:
            return data
        same = min(len(expected), len(data))
        if data[:same] != expected[:same]:  # the echo was garbled or is missing: let the decoder find its way
            self._expected_echo = b""
            return data
        self._expected_echo = expected[same:]
        return data[same:]

    def _sort(self, found: list[Frame | FrameFault]) -> list[Answer | FrameFault]:
        out: list[Answer | FrameFault] = []
        for frame in found:
            if isinstance(frame, FrameFault):
                out.append(frame)
            elif self._request is None or not may_answer(self._request[0], frame):
                out.append(Answer(None, frame))
            else:
                code, raw = self._request
                self._request = None
                same = frame.raw == raw
                if same and is_query(code) and not self.proved:
                    self.echo = self.proved = True
                    out.append(Answer(code, None))
                    continue
                if not same:
                    self.proved = True
                out.append(Answer(code, frame, suspect=same and not self.proved))
        return out
