"""The printer's side of the ESC/POS byte stream: from bytes, split anywhere, to operations.

The stream has no frames: each command has a length of its own, some carry a payload longer than the receive
buffer.  So a fixed part is taken when it is there as a whole, and a payload is collected as it comes, up to
`MAX_PAYLOAD` bytes; the rest of a longer one is consumed and thrown away, and the operation says so.  A command that
no table knows becomes an ``unknown`` operation: its length is not known, so what follows may be its arguments.
"""

from __future__ import annotations

import msgspec

from kiosk.protocols.framing import BoundedBuffer

ESC, GS, FS, DLE, LF = 0x1B, 0x1D, 0x1C, 0x10, 0x0A
MAX_PAYLOAD = 1 << 20


class Op(msgspec.Struct, frozen=True):
    """One operation of the stream."""

    name: str
    #: Fixed arguments, or the two bytes of an unknown command, or text bytes.
    args: bytes = b""
    payload: bytes = b""
    #: The payload was longer than `MAX_PAYLOAD` and is cut.
    truncated: bool = False


_CONTROLS = {0x09: "tab", LF: "line", 0x0C: "line", 0x0D: "return", 0x18: "cancel"}
#: (prefix, code) → (name, how many argument bytes follow).
_FIXED: dict[tuple[int, int], tuple[str, int]] = {
    (ESC, 0x40): ("initialise", 0), (ESC, 0x74): ("page", 1), (ESC, 0x61): ("align", 1), (ESC, 0x45): ("bold", 1),
    (ESC, 0x47): ("bold", 1), (ESC, 0x21): ("mode", 1), (ESC, 0x2D): ("underline", 1), (ESC, 0x64): ("feed_lines", 1),
    (ESC, 0x4A): ("feed_dots", 1), (ESC, 0x32): ("spacing_default", 0), (ESC, 0x33): ("spacing", 1),
    (ESC, 0x4D): ("font", 1), (ESC, 0x70): ("drawer", 3), (ESC, 0x52): ("ignored", 1), (ESC, 0x20): ("ignored", 1),
    (ESC, 0x7B): ("ignored", 1), (ESC, 0x56): ("ignored", 1), (ESC, 0x3D): ("ignored", 1), (ESC, 0x63): ("ignored", 2),
    (ESC, 0x24): ("ignored", 2), (ESC, 0x5C): ("ignored", 2),
    (ESC, 0x69): ("cut_full", 0), (ESC, 0x6D): ("cut_part", 0),
    (ESC, 0x72): ("ignored", 1), (ESC, 0x54): ("ignored", 1),
    (GS, 0x21): ("size", 1), (GS, 0x42): ("invert", 1), (GS, 0x68): ("bar_height", 1), (GS, 0x77): ("bar_width", 1),
    (GS, 0x48): ("bar_text", 1), (GS, 0x66): ("ignored", 1), (GS, 0x61): ("asb", 1), (GS, 0x72): ("status", 1),
    (GS, 0x49): ("identify", 1), (GS, 0x4C): ("ignored", 2), (GS, 0x57): ("ignored", 2), (GS, 0x50): ("ignored", 2),
    (GS, 0x62): ("ignored", 1),
    (FS, 0x2E): ("ignored", 0), (FS, 0x26): ("ignored", 0), (FS, 0x21): ("ignored", 1), (FS, 0x2D): ("ignored", 1),
    (FS, 0x43): ("ignored", 1), (FS, 0xC0): ("hardware_reset", 4),
}  # fmt: skip
#: Length of a real-time command by its second byte, where it does not depend on the third.
_REAL_TIME = {0x04: 3, 0x05: 3}
_REAL_TIME_14 = {0x01: 5, 0x02: 5, 0x07: 4, 0x08: 10}


class CommandReader:
    """Owns the receive buffer; yields operations in order and waits where one is not complete."""

    def __init__(self, limit: int) -> None:
        self.buffer = BoundedBuffer(limit)
        self._op: Op | None = None
        self._need = 0
        self._kept = bytearray()

    @property
    def busy(self) -> bool:
        """Tell whether bytes wait, complete or not."""
        return len(self.buffer) > 0 or self._op is not None

    def clear(self) -> None:
        """Forget everything that was received and not carried out."""
        self.buffer.clear()
        self._op, self._need = None, 0
        self._kept.clear()

    def next(self) -> Op | None:
        """Return the next operation, or None until more bytes come."""
        if self._op is None:
            op = self._begin()
            if op is None or self._op is None:
                return op
        room = MAX_PAYLOAD - len(self._kept)
        chunk = self.buffer.take(self._need)
        self._need -= len(chunk)
        self._kept += chunk[:room]
        if self._need:
            return None
        op = msgspec.structs.replace(self._op, payload=bytes(self._kept))
        self._op = None
        self._kept.clear()
        return op

    def _payload(self, name: str, header: int, args: bytes, need: int) -> Op:
        """Consume the header and start to collect the payload."""
        self.buffer.take(header)
        self._op, self._need = Op(name, args, truncated=need > MAX_PAYLOAD), need
        return self._op

    def _begin(self) -> Op | None:
        buffer = self.buffer
        if not len(buffer):
            return None
        first = buffer.byte(0)
        if first >= 0x20:
            waiting = buffer.peek()
            end = next((at for at, byte in enumerate(waiting) if byte < 0x20), len(waiting))
            return Op("text", buffer.take(end))
        if first in _CONTROLS:
            buffer.take(1)
            return Op(_CONTROLS[first])
        if first not in (ESC, GS, FS, DLE):
            return Op("unknown", buffer.take(1))
        if len(buffer) < 2:
            return None
        if first == DLE:
            return self._real_time(buffer.byte(1))
        code = buffer.byte(1)
        fixed = _FIXED.get((first, code))
        if fixed is not None:
            name, count = fixed
            return Op(name, buffer.take(2 + count)[2:]) if len(buffer) >= 2 + count else None
        return self._variable(first, code)

    def _real_time(self, second: int) -> Op | None:
        """Step over a real-time command: it was carried out when it arrived."""
        length = _REAL_TIME.get(second)
        if second == 0x14:
            if len(self.buffer) < 3:
                return None
            length = _REAL_TIME_14.get(self.buffer.byte(2))
        if length is None:
            return Op("unknown", self.buffer.take(2))
        return Op("ignored", self.buffer.take(length)) if len(self.buffer) >= length else None

    def _variable(self, prefix: int, code: int) -> Op | None:
        head = self.buffer.peek(0, 8)
        pair = (prefix, code)
        if pair == (GS, 0x56):  # cut: 41/42 and their relatives bring a feed
            return self._cut(head)
        if code == 0x28:  # ( x pL pH …
            if len(head) < 5:
                return None
            name = f"group_{chr(head[2])}" if prefix == GS else "unknown_group"
            return self._payload(name, 5, head[:3], int.from_bytes(head[3:5], "little"))
        if pair == (GS, 0x65):  # presenter: only showing brings its steps
            if len(head) < 3:
                return None
            length = 4 if head[2] == 3 else 3
            return Op("presenter", self.buffer.take(length)[2:]) if len(head) >= length else None
        if pair == (GS, 0x76):  # v 0 m xL xH yL yH
            if len(head) < 8:
                return None
            width, height = int.from_bytes(head[4:6], "little"), int.from_bytes(head[6:8], "little")
            return self._payload("raster", 8, head[3:8], width * height)
        if pair == (GS, 0x6B):
            return self._barcode(head)
        if pair == (ESC, 0x2A):  # bit image, column format
            if len(head) < 5:
                return None
            columns = int.from_bytes(head[3:5], "little")
            return self._payload("columns", 5, head[2:5], columns * (3 if head[2] >= 32 else 1))
        if pair == (GS, 0x38):  # 8 x p1 p2 p3 p4 …
            if len(head) < 7:
                return None
            return self._payload("unknown_group", 7, head[:3], int.from_bytes(head[3:7], "little"))
        if pair == (ESC, 0x44):
            return self._until_nul("ignored", 2, b"")
        return Op("unknown", self.buffer.take(2))

    def _cut(self, head: bytes) -> Op | None:
        if len(head) < 3:
            return None
        if head[2] in (0x41, 0x42, 0x61, 0x62, 0x67, 0x68):
            return Op("cut", self.buffer.take(4)[2:]) if len(head) >= 4 else None
        if head[2] in (0x00, 0x01, 0x30, 0x31):
            return Op("cut", self.buffer.take(3)[2:])
        return Op("unknown", self.buffer.take(3))

    def _barcode(self, head: bytes) -> Op | None:
        if len(head) < 3:
            return None
        if head[2] <= 6:
            return self._until_nul("barcode", 3, head[2:3])
        if len(head) < 4:
            return None
        return self._payload("barcode", 4, head[2:3], head[3])

    def _until_nul(self, name: str, header: int, args: bytes) -> Op | None:
        waiting = self.buffer.peek(header, header + 256)
        end = waiting.find(0)
        if end < 0:
            return Op("unknown", self.buffer.take(header)) if len(waiting) == 256 else None
        return Op(name, args, self.buffer.take(header + end + 1)[header:-1])
