"""ccTalk frames: ``destination, n, source, header, n data bytes, checksum`` (ccTalk sheet §2).

Two forms of the same five fields, and a unit is set to one of them: with the *simple* checksum all bytes sum to 0; with
*CRC-16* (XMODEM, over everything but the third and the last byte) the third byte is the CRC's low byte, the last its
high byte, and there is no source.  Encrypted note acceptors use the CRC form and scramble it from the third byte on
(`bnv`).  `Framing` says which form a line has; nothing in a frame does.

Theory of operation.  There is no start byte and no stuffing: the length byte alone says where a frame ends, and a
silence of more than 50 ms (`GAP_NS`) ends one that was begun.  The decoder knows no time: whoever reads the line calls
`Decoder.abandon` (or `gap`, the same) when it was still.  On a shared line frames for others pass by; they are counted
through, unchecked, and come out as `Passed`.  Bytes of a bad frame are dropped whole, since nothing tells where the
next one begins.  What is wrong comes out as a value; nothing here raises for bytes from the line.

A zero byte that noise puts before a frame makes another good frame of it (sheet §11): ``00 02 01 01 E4 01 17`` is a
broadcast reset with two data bytes.  No check finds that; whoever acts on a reset looks at its data.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import msgspec

from kiosk.errors import FrameError
from kiosk.protocols.cctalk.bnv import BnvKey
from kiosk.protocols.framing import BoundedBuffer, crc16_xmodem

#: Addresses (sheet §3).
BROADCAST = 0
HOST = 1
#: A frame without data.
MIN_LENGTH = 5
MAX_DATA = 255
MAX_LENGTH = MIN_LENGTH + MAX_DATA
#: A silence longer than this inside a frame resets the receiver, nanoseconds (sheet §1).
GAP_NS = 50_000_000
#: Most bytes of a fault that are kept as evidence.
MAX_FAULT_BYTES = 64

Checksum = Literal["simple", "crc"]


class Framing:
    """How frames look on one line: the checksum a unit is set to and, for some note acceptors, its key."""

    def __init__(self, checksum: Checksum = "simple", key: str | None = None) -> None:
        """Take the form; a key means CRC-16.

        Raises:
            FrameError: the key is not six digits.
        """
        self._key = BnvKey(key) if key is not None else None
        self.checksum: Checksum = checksum if key is None else "crc"

    @property
    def encrypted(self) -> bool:
        """True where frames are scrambled."""
        return self._key is not None

    def encode(self, destination: int, header: int, data: bytes = b"", *, source: int = HOST) -> bytes:
        """Build the frame as it goes on the wire; `source` stands in it only with the simple checksum.

        >>> Framing().encode(2, 231, b"\\xff\\xff").hex(" ")
        '02 02 01 e7 ff ff 16'
        >>> Framing("crc").encode(40, 1).hex(" ")
        '28 00 46 01 3f'

        Raises:
            FrameError: an address or the header is not a byte, or the data is longer than a frame can hold.
        """
        if len(data) > MAX_DATA or not all(0 <= byte <= 0xFF for byte in (destination, header, source)):
            raise FrameError(
                f"a ccTalk frame cannot hold {destination}, {source}, {header} and {len(data)} bytes of data",
                hint=f"addresses and headers are bytes, data at most {MAX_DATA} of them",
            )
        front = bytes((destination, len(data)))
        if self.checksum == "simple":
            body = front + bytes((source, header)) + data
            return body + bytes((-sum(body) & 0xFF,))
        crc = crc16_xmodem(front + bytes((header,)) + data)
        block = bytes((crc & 0xFF, header)) + data + bytes((crc >> 8,))
        return front + (self._key.seal(block) if self._key else block)

    def decode(self, raw: bytes) -> Frame | FrameFault:
        """Read one whole frame; bytes missing or left over are a fault.

        >>> Framing().decode(bytes.fromhex("010001 00fe")).header
        0
        """
        if len(raw) < MIN_LENGTH or len(raw) != MIN_LENGTH + raw[1]:
            return _fault("length", raw)
        clear = raw[:2] + self._key.unseal(raw[2:]) if self._key else raw
        header, data = clear[3], clear[4:-1]
        if self.checksum == "simple":
            good, source = not sum(clear) & 0xFF, clear[2]
            return Frame(clear[0], source, header, data, raw) if good else _fault("checksum", raw)
        crc = clear[-1] << 8 | clear[2]
        good = crc16_xmodem(clear[:2] + clear[3:-1]) == crc
        return Frame(clear[0], None, header, data, raw) if good else _fault("checksum", raw)


class Frame(msgspec.Struct, frozen=True):
    """One good frame."""

    destination: int
    #: None in the CRC form, which has none.
    source: int | None
    header: int
    data: bytes
    #: The whole frame as it was on the wire.
    raw: bytes


class Passed(msgspec.Struct, frozen=True):
    """A frame for somebody else, counted through and not checked."""

    destination: int
    raw: bytes


class FrameFault(msgspec.Struct, frozen=True):
    """Bytes that were not a frame."""

    #: ``checksum`` (complete and wrong), ``length`` (not one whole frame), ``partial`` (broken off).
    kind: str
    #: The bytes in hexadecimal, the first `MAX_FAULT_BYTES` of them.
    raw: str
    #: How many bytes there were.
    count: int


def _fault(kind: str, raw: bytes) -> FrameFault:
    return FrameFault(kind, raw[:MAX_FAULT_BYTES].hex(), len(raw))


class Decoder:
    """Turns bytes, split anywhere, into frames and faults.  Owns at most one frame's bytes; knows no time."""

    def __init__(self, framing: Framing, own: Collection[int] | None = None) -> None:
        """Read frames of one form; `own` are the addresses listened to, None for all."""
        self._framing = framing
        self._own = None if own is None else frozenset(own)
        self._buffer = BoundedBuffer(MAX_LENGTH)

    @property
    def pending(self) -> bool:
        """True while a frame has begun and not ended: the caller's gap timer should run."""
        return len(self._buffer) > 0

    def feed(self, data: bytes) -> list[Frame | Passed | FrameFault]:
        """Take bytes from the line and return what became clear, in order."""
        out: list[Frame | Passed | FrameFault] = []
        rest = data
        while rest:
            rest = self._buffer.fill(rest)  # the longest frame fits, so a full buffer always holds a whole one
            while len(self._buffer) >= MIN_LENGTH and len(self._buffer) >= MIN_LENGTH + self._buffer.byte(1):
                raw = self._buffer.take(MIN_LENGTH + self._buffer.byte(1))
                ours = self._own is None or raw[0] in self._own
                out.append(self._framing.decode(raw) if ours else Passed(raw[0], raw))
        return out

    def abandon(self) -> list[FrameFault]:
        """The line was still for longer than a frame allows: drop what was begun, and tell it."""
        return [_fault("partial", self._buffer.clear())] if self.pending else []

    #: The line was still: the sheet's word for it.
    gap = abandon
