"""SSP frames: ``STX(7F) ADDRESS LENGTH DATA… CRC_L CRC_H`` (SSP sheet §2).

Bit 7 of the address byte is the sequence flag; the CRC is CRC-16/CMS over address, length and data, low byte first.
Every 7F behind the STX is sent twice ("stuffing"); length and CRC speak of the bytes before it.

Theory of operation.  The stuffing makes the STX unambiguous, so the decoder goes byte by byte: a single 7F followed by
anything else begins a packet, wherever it stands, and what was collected before is dropped and told (sheet §2).  The
end of a frame is found on the unstuffed count, so a CRC byte of 7F is complete with its double.  What is not a frame
comes out as a `FrameFault`, a value; nothing here raises for bytes from the line.  The buffer is bounded by the length
byte: no frame is longer than `MAX_FRAME` bytes, twice that on the wire.
"""

from __future__ import annotations

import msgspec

from kiosk.errors import FrameError
from kiosk.protocols.framing import crc16_cms

STX = 0x7F
#: Sequence flag in the address byte.
FLAG = 0x80
#: Highest address a unit may have (sheet §4).
MAX_ADDRESS = 0x7D
#: The length is one byte and there is always a code.
MAX_DATA = 255
#: Address, length, data and CRC, unstuffed.
MAX_FRAME = 2 + MAX_DATA + 2
#: Most bytes of a fault that are kept as evidence.
MAX_FAULT_BYTES = 64


class Frame(msgspec.Struct, frozen=True):
    """One good frame: its CRC was right."""

    #: 0 to 7D.
    address: int
    #: The sequence flag, 0 or 1.
    flag: int
    #: Code and what follows, never empty.
    data: bytes
    #: The whole frame as it came, stuffing included.
    raw: bytes


class FrameFault(msgspec.Struct, frozen=True):
    """Bytes that were not a frame."""

    #: ``checksum`` (complete, wrong CRC), ``length`` (length byte 0), ``address`` (above 7D), ``noise`` (bytes outside
    #: any frame), ``partial`` (another frame began, or broken off, told by `Decoder.abandon`).
    kind: str
    #: The bytes in hexadecimal, the first `MAX_FAULT_BYTES` of them.
    raw: str
    #: How many bytes there were.
    count: int


def encode(address: int, flag: int, data: bytes) -> bytes:
    """Build a frame as it goes over the wire.

    >>> encode(0, 1, b"\\x11").hex(" ")
    '7f 80 01 11 65 82'

    Raises:
        FrameError: the address is above 7D, or there is no data or more than a frame can hold.
    """
    if not 0 <= address <= MAX_ADDRESS or not 1 <= len(data) <= MAX_DATA:
        raise FrameError(
            f"an SSP frame cannot carry {len(data)} bytes to address {address}",
            hint=f"addresses are 0 to {MAX_ADDRESS}, data 1 to {MAX_DATA} bytes",
        )
    body = bytes((address | (FLAG if flag else 0), len(data))) + data
    body += crc16_cms(body).to_bytes(2, "little")
    return bytes((STX,)) + body.replace(b"\x7f", b"\x7f\x7f")


def _fault(kind: str, raw: bytes | bytearray) -> FrameFault:
    return FrameFault(kind, bytes(raw[:MAX_FAULT_BYTES]).hex(), len(raw))


class Decoder:
    """Turns bytes, split anywhere, into frames and faults.  Owns one frame at most; knows no time."""

    def __init__(self) -> None:
        #: The frame that has begun, as it came and without stuffing; `_raw` empty means that none has.
        self._raw = bytearray()
        self._body = bytearray()
        #: A 7F came inside the frame, and what it means depends on the next byte.
        self._half = False

    @property
    def pending(self) -> bool:
        """True while a frame has begun and not ended."""
        return bool(self._raw)

    def feed(self, data: bytes) -> list[Frame | FrameFault]:
        """Take bytes from the line and return what became clear, in order."""
        out: list[Frame | FrameFault] = []
        noise = bytearray()
        for byte in data:
            if not self._raw:
                if byte != STX:
                    noise.append(byte)
                    continue
                if noise:
                    out.append(_fault("noise", noise))
                    noise.clear()
                self._raw.append(byte)
            elif byte == STX and not self._half:
                self._half = True
            else:
                self._take(byte, out)
        if noise:
            out.append(_fault("noise", noise))
        return out

    def abandon(self) -> list[Frame | FrameFault]:
        """Give up the frame that has begun (it has been silent for too long) and return the fault."""
        if not self._raw:
            return []
        rest = self._raw + (b"\x7f" if self._half else b"")
        self._clear()
        return [_fault("partial", rest)]

    def _clear(self) -> None:
        self._raw, self._body, self._half = bytearray(), bytearray(), False

    def _take(self, byte: int, out: list[Frame | FrameFault]) -> None:
        if self._half:
            self._half = False
            if byte == STX:
                self._raw.append(STX)  # the first of the pair; the second is taken as data below
            else:
                # A single 7F: another packet has begun and this is its address byte.
                if len(self._raw) > 1:
                    out.append(_fault("partial", self._raw))
                self._clear()
                self._raw.append(STX)
        self._raw.append(byte)
        self._body.append(byte)
        body = self._body
        if len(body) == 1 and body[0] & ~FLAG > MAX_ADDRESS:
            self._drop("address", out)
        elif len(body) == 2 and not body[1]:
            self._drop("length", out)
        elif len(body) > 2 and len(body) == body[1] + 4:
            if crc16_cms(bytes(body[:-2])) != int.from_bytes(body[-2:], "little"):
                self._drop("checksum", out)
            else:
                out.append(Frame(body[0] & ~FLAG, body[0] >> 7, bytes(body[2:-2]), bytes(self._raw)))
                self._clear()

    def _drop(self, kind: str, out: list[Frame | FrameFault]) -> None:
        out.append(_fault(kind, self._raw))
        self._clear()
