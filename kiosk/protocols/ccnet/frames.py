"""CCNET frames: ``SYNC(02) ADR LNG DATA… CRC_L CRC_H`` (CCNET sheet §2).

`LNG` counts the whole frame; the CRC is CRC-16/KERMIT over everything before it, low byte first.  One decoder serves
both directions, because much is byte-identical in both: ILLEGAL COMMAND and RESET, the two ACKs, the two NAKs.  A frame
is only an address and data here; `codes` gives the first data byte a meaning once the direction is known, and some
replies (IDENTIFICATION, BILL TABLE) carry no code at all.

Theory of operation.  02 and 03 are ordinary bytes inside a frame, so neither is trusted: a candidate starts at a 02
whose length byte is possible, waits until it is complete, and counts only if its CRC is right.  A candidate that fails
is dropped by *one* byte and the search goes on inside it.  LNG 0 announces a download block of more than 250 bytes,
which a payment host never meets: such a 02 is dropped at once, so that nothing waits for it (sheet §2).  A candidate
that never completes is ended by `abandon`, which the caller invokes when the line has been still for too long.  What is
not a frame comes out as a `FrameFault`, a value; nothing here raises for bytes from the line.
"""

from __future__ import annotations

import msgspec

from kiosk.errors import FrameError
from kiosk.protocols.framing import BoundedBuffer, crc16_kermit

SYNC = 0x02
#: Address of a bill validator, in both directions (sheet §2).
BILL_VALIDATOR = 0x03
#: SYNC, address, length, one data byte, two CRC bytes.
MIN_LENGTH = 6
#: Longer frames have LNG 0 and their length elsewhere (sheet §2); they are out of scope.
MAX_LENGTH = 250
#: Bytes of a frame around its data.
OVERHEAD = 5
#: Most bytes of a fault that are kept as evidence.
MAX_FAULT_BYTES = 64


class Frame(msgspec.Struct, frozen=True):
    """One good frame: its CRC was right."""

    address: int
    #: At least one byte.
    data: bytes
    #: The whole frame as it came, SYNC and CRC included.
    raw: bytes

    @property
    def code(self) -> int:
        """Return the first data byte: a command, a state or an answer, where the reply has one."""
        return self.data[0]


class FrameFault(msgspec.Struct, frozen=True):
    """Bytes that were not a frame."""

    #: ``checksum`` (complete, wrong CRC), ``length`` (impossible length byte, LNG 0 too), ``overflow`` (longer than
    #: the buffer), ``noise`` (bytes outside any frame), ``partial`` (broken off, told by `Decoder.abandon`).
    kind: str
    #: The bytes in hexadecimal, the first `MAX_FAULT_BYTES` of them.
    raw: str
    #: How many bytes there were.
    count: int
    #: The address byte of a ``checksum`` fault, so that a damaged frame for another device gets no NAK; else None.
    address: int | None = None


def encode(data: bytes, address: int = BILL_VALIDATOR) -> bytes:
    """Build the frame of `data`, whose first byte is the code where there is one.

    >>> encode(bytes((0x33,))).hex(" ")
    '02 03 06 33 da 81'

    Raises:
        FrameError: the address is not a byte, or the data is empty or longer than a frame can be.
    """
    length = OVERHEAD + len(data)
    if not 0 <= address <= 0xFF or not MIN_LENGTH <= length <= MAX_LENGTH:
        raise FrameError(
            f"a CCNET frame for address {address} cannot hold {len(data)} bytes of data",
            hint=f"an address is one byte, data is 1 to {MAX_LENGTH - OVERHEAD} bytes",
        )
    body = bytes((SYNC, address, length)) + data
    return body + crc16_kermit(body).to_bytes(2, "little")


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
            raw = self._buffer.peek(0, count)
            address = raw[1] if kind == "checksum" else None
            out.append(FrameFault(kind, raw[:MAX_FAULT_BYTES].hex(), count, address))
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
            if len(buffer) < 3:
                return
            length = buffer.byte(2)
            if not MIN_LENGTH <= length <= MAX_LENGTH:
                self._drop(out, "length", 3, skip=1)
            elif length > buffer.limit:
                self._drop(out, "overflow", 3, skip=1)
            elif len(buffer) < length:
                return
            elif crc16_kermit(buffer.peek(0, length)):  # over a whole good frame the residue is 0
                self._drop(out, "checksum", length, skip=1)
            else:
                raw = buffer.take(length)
                self._told = max(self._told - length, 0)
                out.append(Frame(raw[1], raw[3:-2], raw))
