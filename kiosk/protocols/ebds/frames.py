"""EBDS frames: ``STX(02) LEN CTL DATA… ETX(03) CHK`` (EBDS sheet §2).

`LEN` counts the whole frame; `CHK` is the exclusive-or of everything from LEN through the last data byte, so neither
STX nor ETX is in it.  `CTL` holds the toggle in bit 0, the device type in bits 1 to 3 and the message type in bits 4
to 6.  The line has seven data bits (§1), and a pseudo terminal passes eight: both ends mask, here, once for all.

Theory of operation.  STX, ETX and every checksum may occur inside a frame, so the decoder trusts none of them: a
candidate starts at an STX whose LEN is possible, waits until it is complete, and counts only if its ETX and its
checksum are right.  A candidate that fails is dropped by *one* byte and the search goes on inside it, so a good frame
behind or within rubbish is found.  A candidate that never completes is ended by `abandon`, which the caller invokes
when the reply time is over.  What is not a frame comes out as a `FrameFault`, a value; nothing here raises for bytes
from the line.
"""

from __future__ import annotations

import msgspec

from kiosk.errors import FrameError
from kiosk.protocols.framing import BoundedBuffer

STX, ETX = 0x02, 0x03
#: A frame without data: STX, LEN, CTL, ETX, CHK.
MIN_LENGTH = 5
#: The length is seven bits.
MAX_LENGTH = 0x7F
#: The line has seven data bits (sheet §1).
SEVEN_BITS = 0x7F
#: Most bytes of a fault that are kept as evidence.
MAX_FAULT_BYTES = 64

_MASK = bytes(value & SEVEN_BITS for value in range(256))


class Frame(msgspec.Struct, frozen=True):
    """One good frame: its length, its ETX and its checksum were right."""

    #: Bits 4 to 6 of CTL, see `codes.MessageType`.
    kind: int
    #: Bit 0 of CTL: the host flips it for each new command, the device copies it.
    toggle: int
    data: bytes
    #: The whole frame, masked to seven bits, STX and CHK included.
    raw: bytes
    #: Bits 1 to 3 of CTL: 0 acceptor, 1 recycler.
    device: int = 0


class FrameFault(msgspec.Struct, frozen=True):
    """Bytes that were not a frame."""

    #: ``checksum`` (complete, wrong CHK), ``end`` (complete, no ETX where it belongs), ``length`` (impossible LEN),
    #: ``overflow`` (longer than the buffer), ``noise`` (bytes outside any frame), ``partial`` (broken off, told by
    #: `Decoder.abandon`).
    kind: str
    #: The bytes in hexadecimal, the first `MAX_FAULT_BYTES` of them.
    raw: str
    #: How many bytes there were.
    count: int


def seven_bits(data: bytes) -> bytes:
    """Mask bytes to the seven bits the line carries.

    >>> seven_bits(bytes.fromhex("60ffffff")).hex(" ")
    '60 7f 7f 7f'
    """
    return data.translate(_MASK)


def checksum(body: bytes) -> int:
    """Return the exclusive-or of LEN, CTL and the data.

    >>> hex(checksum(bytes.fromhex("08107f1c10")))
    '0x6b'
    """
    value = 0
    for byte in body:
        value ^= byte
    return value & SEVEN_BITS


def encode(kind: int, toggle: int, data: bytes = b"", device: int = 0) -> bytes:
    """Build the frame of a message.

    >>> encode(1, 0, bytes.fromhex("7f1c10")).hex(" ")
    '02 08 10 7f 1c 10 03 6b'

    Raises:
        FrameError: a field does not fit its bits, or the data is longer than a frame can be.
    """
    length = MIN_LENGTH + len(data)
    if not (0 <= kind <= 7 and toggle in (0, 1) and 0 <= device <= 7 and length <= MAX_LENGTH):
        raise FrameError(
            f"an EBDS frame cannot hold type {kind}, toggle {toggle}, device {device} and {len(data)} bytes of data",
            hint=f"type and device are 0 to 7, the toggle 0 or 1, data at most {MAX_LENGTH - MIN_LENGTH} bytes",
        )
    if data != seven_bits(data):
        raise FrameError("an EBDS frame carries seven bits a byte", hint="keep every data byte below 128")
    body = bytes((length, kind << 4 | device << 1 | toggle)) + data
    return bytes((STX,)) + body + bytes((ETX, checksum(body)))


def fault_in(raw: bytes) -> str:
    """Say what is wrong with the bytes (masked) of one frame: a kind of `FrameFault`, or "" for a good frame."""
    if raw[:1] not in (b"", bytes((STX,))):
        return "noise"
    if len(raw) < 2:
        return "partial"
    if raw[1] < MIN_LENGTH:
        return "length"
    if len(raw) != raw[1]:
        return "partial" if len(raw) < raw[1] else "length"
    if raw[-2] != ETX:
        return "end"
    return "" if checksum(raw[1:-2]) == raw[-1] else "checksum"


def frame_of(raw: bytes) -> Frame:
    """Take apart one whole good frame; ask `fault_in` first."""
    control = raw[2]
    return Frame(control >> 4 & 7, control & 1, raw[3:-2], raw, control >> 1 & 7)


class Decoder:
    """Turns bytes, split anywhere, into frames and faults.  Owns at most `max_buffer` bytes; knows no time."""

    def __init__(self, max_buffer: int = 256) -> None:
        self._buffer = BoundedBuffer(max(max_buffer, MIN_LENGTH))
        #: How many of the first bytes in the buffer are already told as part of a fault.
        self._told = 0

    @property
    def pending(self) -> bool:
        """True while a frame has begun and not ended."""
        return len(self._buffer) > 0

    def feed(self, data: bytes) -> list[Frame | FrameFault]:
        """Take bytes from the line, mask them, and return what became clear, in order."""
        out: list[Frame | FrameFault] = []
        rest = seven_bits(data)
        while True:
            rest = self._buffer.fill(rest)
            self._scan(out)
            if not rest:
                return out
            # There is room again: what can never fit was dropped as ``overflow``, what is complete was taken.

    def abandon(self) -> list[Frame | FrameFault]:
        """Give up the frame that has begun; return the fault and any frame found inside."""
        out: list[Frame | FrameFault] = []
        while len(self._buffer):
            self._drop(out, "partial", len(self._buffer), skip=1)
            self._scan(out)
        return out

    def _drop(self, out: list[Frame | FrameFault], kind: str, count: int, skip: int | None = None) -> None:
        """Tell the first `count` bytes as a fault, unless they are told already, and skip past `skip` of them."""
        if count > self._told:
            raw = self._buffer.peek(0, count)
            out.append(FrameFault(kind, raw[:MAX_FAULT_BYTES].hex(), len(raw)))
            self._told = count
        gone = count if skip is None else skip
        self._buffer.take(gone)
        self._told = max(self._told - gone, 0)

    def _scan(self, out: list[Frame | FrameFault]) -> None:
        buffer = self._buffer
        while len(buffer):
            start = buffer.find(STX)
            if start != 0:
                self._drop(out, "noise", len(buffer) if start < 0 else start)
                continue
            if len(buffer) < 2:
                return
            length = buffer.byte(1)
            if length < MIN_LENGTH:
                self._drop(out, "length", 2, skip=1)
            elif length > buffer.limit:
                self._drop(out, "overflow", 2, skip=1)
            elif len(buffer) < length:
                return
            elif kind := fault_in(buffer.peek(0, length)):
                self._drop(out, kind, length, skip=1)
            else:
                raw = buffer.take(length)
                self._told = max(self._told - length, 0)
                out.append(frame_of(raw))
