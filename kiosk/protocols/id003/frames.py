"""ID003 frames: ``SYNC(FC) LNG CMD [DATA…] CRC_L CRC_H`` (ID003 sheet §2).

`LNG` counts the whole frame; the CRC is CRC-16/KERMIT over everything before it, low byte first.  One decoder
serves both directions, because the codes that mean different things by direction are byte-identical: a frame is
only a code and data here, and `codes` gives it a meaning once the direction is known.

Theory of operation.  FC may occur inside a frame, so the decoder does not trust it: a candidate starts at an
FC whose length byte is possible, waits until it is complete, and counts only if its CRC is right.  A candidate that
fails is dropped by *one* byte and the search goes on inside it, so a good frame behind or within rubbish is found.
A candidate that never completes is ended by `abandon`, which the caller invokes when the line has been still for
longer than the inter-byte time limit; it searches the remaining bytes in the same way.  What is not a frame comes
out as a `FrameFault`, a value; nothing here raises for bytes from the line.
"""

from __future__ import annotations

import msgspec

from kiosk.errors import FrameError
from kiosk.protocols.framing import BoundedBuffer, crc16_kermit

SYNC = 0xFC
#: A frame without data.
MIN_LENGTH = 5
#: The length is one byte.
MAX_LENGTH = 255
#: Most bytes of a fault that are kept as evidence.
MAX_FAULT_BYTES = 64


class Frame(msgspec.Struct, frozen=True):
    """One good frame: its CRC was right."""

    cmd: int
    data: bytes
    #: The whole frame as it came, SYNC and CRC included.
    raw: bytes


class FrameFault(msgspec.Struct, frozen=True):
    """Bytes that were not a frame."""

    #: ``checksum`` (complete, wrong CRC), ``length`` (impossible length byte), ``overflow`` (longer than the
    #: buffer), ``noise`` (bytes outside any frame), ``partial`` (broken off, told by `Decoder.abandon`).
    kind: str
    #: The bytes in hexadecimal, the first `MAX_FAULT_BYTES` of them.
    raw: str
    #: How many bytes there were.
    count: int


def encode(cmd: int, data: bytes = b"") -> bytes:
    """Build the frame of a code and its data.

    >>> encode(0x11).hex(" ")
    'fc 05 11 27 56'

    Raises:
        FrameError: the code is not a byte or the data is longer than a frame can be.
    """
    length = MIN_LENGTH + len(data)
    if not 0 <= cmd <= 0xFF or length > MAX_LENGTH:
        raise FrameError(
            f"an ID003 frame cannot hold code {cmd} with {len(data)} bytes of data",
            hint=f"a code is one byte, data at most {MAX_LENGTH - MIN_LENGTH} bytes",
        )
    body = bytes((SYNC, length, cmd)) + data
    return body + crc16_kermit(body).to_bytes(2, "little")


def _fault(kind: str, raw: bytes) -> FrameFault:
    return FrameFault(kind, raw[:MAX_FAULT_BYTES].hex(), len(raw))


class Decoder:
    """Turns bytes, split anywhere, into frames and faults.  Owns at most `max_buffer` bytes; knows no time."""

    def __init__(self, max_buffer: int = 512) -> None:
        self._buffer = BoundedBuffer(max(max_buffer, MIN_LENGTH))
        #: How many of the first bytes in the buffer are already told as part of a fault.
        self._told = 0

    @property
    def pending(self) -> bool:
        """True while a frame has begun and not ended: the caller's inter-byte timer should run."""
        return len(self._buffer) > 0

    def feed(self, data: bytes) -> list[Frame | FrameFault]:
        """Take bytes from the line and return what became clear, in order."""
        out: list[Frame | FrameFault] = []
        rest = data
        while True:
            rest = self._buffer.fill(rest)
            self._scan(out)
            if not rest:
                return out
            # There is room again: what can never fit was dropped as ``overflow``, what is complete was taken.

    def abandon(self) -> list[Frame | FrameFault]:
        """Give up the frame that has begun (inter-byte time-out); return the fault and any frame found inside."""
        out: list[Frame | FrameFault] = []
        while len(self._buffer):
            self._drop(out, "partial", len(self._buffer), skip=1)
            self._scan(out)
        return out

    def _drop(self, out: list[Frame | FrameFault], kind: str, count: int, skip: int | None = None) -> None:
        """Tell the first `count` bytes as a fault, unless they are told already, and skip past `skip` of them."""
        if count > self._told:
            out.append(_fault(kind, self._buffer.peek(0, count)))
            self._told = count
        gone = count if skip is None else skip
        self._buffer.take(gone)
        self._told = max(self._told - gone, 0)

    def _scan(self, out: list[Frame | FrameFault]) -> None:
        buffer = self._buffer
        while len(buffer):
            start = buffer.find(SYNC)
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
            elif crc16_kermit(buffer.peek(0, length)):  # over a whole good frame the residue is 0
                self._drop(out, "checksum", length, skip=1)
            else:
                raw = buffer.take(length)
                self._told = max(self._told - length, 0)
                out.append(Frame(raw[2], raw[3:-2], raw))
