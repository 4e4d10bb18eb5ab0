"""The host's end of a CCNET line: one command at a time, its answer, its acknowledgement, its time limit.

Theory of operation (CCNET sheet §3).  `ask` writes a command and starts the reply timer; `received` pairs what comes
with the command in flight; `expire` tells silence.  Replies carry no number, and some carry no code, so the line knows
which shape can answer which command and hands everything else on as unasked: a late state must not pass for the ACK of
STACK.  Whoever asked decides whether a data reply is acknowledged: `confirm` writes the ACK, and leaving it out makes
the unit tell the same again.  A damaged reply is answered with NAK, a limited number of times.

Nothing here repeats a command; whoever asks decides from the state: STACK must not be repeated blindly.  A frame that
is byte for byte what was written last is the echo of a two-wire line and is taken off, except for RESET, whose frame is
also ILLEGAL COMMAND.  Frames of other addresses are passed over without a NAK (sheet §2).  Of both, one finding each
(``echo``, ``foreign``) is told for each opening of the line.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from kiosk.protocols.ccnet.codes import ACKED_COMMANDS, DeviceState, HostCommand
from kiosk.protocols.ccnet.frames import MAX_FAULT_BYTES, Decoder, Frame, FrameFault, encode

Kind = Literal["ack", "nak", "illegal", "data", "silence", "unasked"]
#: Shortest reply of a command whose answer has no code, so that no late state can pass for it (sheet §5).
_LEAST = {HostCommand.IDENTIFICATION: 15, HostCommand.GET_BILL_TABLE: 5}


class Answer(msgspec.Struct, frozen=True):
    """What became of a command, or a frame that nobody asked for."""

    kind: Kind
    #: Command that this answers; None for an unasked frame.
    command: HostCommand | None
    #: None for silence.
    frame: Frame | None = None


def answer_kind(command: HostCommand, data: bytes) -> Kind:
    """Tell what a reply means for a command.

    >>> answer_kind(HostCommand.STACK, b"\\x14"), answer_kind(HostCommand.POLL, b"\\x14")
    ('unasked', 'data')
    """
    if data == bytes((DeviceState.NAK,)):
        return "nak"
    if data == bytes((DeviceState.ILLEGAL_COMMAND,)):
        return "illegal"
    acknowledged = data == bytes((DeviceState.ACK,))
    if command in ACKED_COMMANDS:
        return "ack" if acknowledged else "unasked"
    return "unasked" if acknowledged or len(data) < _LEAST.get(command, 1) else "data"


class HostLine:
    """Owns the command in flight and the bytes around it; knows no money and repeats nothing by itself."""

    def __init__(self, address: int, *, naks: int, resent_after_nak: bool = True) -> None:
        self._address, self._naks, self._resent = address, naks, resent_after_nak
        self._outbound: list[bytes] = []
        self.reset()

    def reset(self) -> None:
        """Begin anew: the byte path was opened or lost."""
        self._decoder = Decoder()
        self._outbound.clear()
        self._command: HostCommand | None = None
        self._written = b""
        self._timeout_ns = self._naks_left = 0
        #: When the command in flight is given up, ns; only meaningful while `busy`.
        self.reply_by = 0
        #: Findings that are told once for each opening of the line.
        self._told: set[str] = set()

    @property
    def busy(self) -> bool:
        """True while a command waits for its answer."""
        return self._command is not None

    def ask(self, command: HostCommand, data: bytes, now: int, timeout_ns: int) -> None:
        """Write a command and wait for its answer until `now + timeout_ns`."""
        self._write(bytes((command,)) + data)
        self._command, self._naks_left = command, self._naks
        self._timeout_ns, self.reply_by = timeout_ns, now + timeout_ns

    def confirm(self) -> None:
        """Acknowledge the data reply that just came; it gets no answer."""
        self._write(bytes((HostCommand.ACK,)))

    def _write(self, data: bytes) -> None:
        self._written = encode(data, self._address)
        self._outbound.append(self._written)

    def sent(self, now: int) -> None:
        """Bytes left for the wire just now: the reply time counts from here."""
        if self._command is not None:
            self.reply_by = now + self._timeout_ns

    def take_writes(self) -> list[bytes]:
        """Hand over what is to be written, once."""
        writes, self._outbound = self._outbound, []
        return writes

    def received(self, data: bytes, now: int) -> list[Answer | FrameFault]:
        """Take bytes from the line and return what they mean, in order."""
        return self._sort(self._decoder.feed(data), now)

    def expire(self, now: int) -> list[Answer | FrameFault]:
        """Give up the command in flight if its time is over; what lay half read may still hold its answer."""
        if self._command is None or now < self.reply_by:
            return []
        out = self._sort(self._decoder.abandon(), now)
        if self._command is not None and now >= self.reply_by:
            out.append(self.give_up())
        return out

    def give_up(self) -> Answer:
        """End the command in flight as silence.  Call it only while `busy`."""
        command, self._command = self._command, None
        return Answer("silence", command)

    def _sort(self, found: list[Frame | FrameFault], now: int) -> list[Answer | FrameFault]:
        out: list[Answer | FrameFault] = []
        for frame in found:
            if isinstance(frame, FrameFault):
                out.append(frame)
                if frame.kind == "checksum" and frame.address == self._address:
                    self._damaged(out, now)
            elif frame.address != self._address:
                self._tell_once("foreign", frame, out)
            elif frame.raw == self._written and self._command is not HostCommand.RESET:
                self._tell_once("echo", frame, out)
            else:
                out.append(self._answer(frame))
        return out

    def _tell_once(self, kind: str, frame: Frame, out: list[Answer | FrameFault]) -> None:
        if kind not in self._told:
            self._told.add(kind)
            out.append(FrameFault(kind, frame.raw[:MAX_FAULT_BYTES].hex(), len(frame.raw), frame.address))

    def _answer(self, frame: Frame) -> Answer:
        command = self._command
        kind = "unasked" if command is None else answer_kind(command, frame.data)
        if kind == "unasked":
            return Answer("unasked", None, frame)
        self._command = None
        return Answer(kind, command, frame)

    def _damaged(self, out: list[Answer | FrameFault], now: int) -> None:
        if self._command is None:
            return
        if self._naks_left:
            self._naks_left -= 1
            self._write(bytes((HostCommand.NAK,)))
            self.reply_by = now + self._timeout_ns
        if not self._resent or not self._naks:
            out.append(self.give_up())
