"""The device role of a USB HID-POS scanner: a report descriptor and the reports that go with it (devices sheet §2.2).

Both layouts of the field are made from the same usages, and what the sheet leaves open can be set either way, so that
a host can be tried against it: whether there is a byte count, whether it counts this report or the whole label, and
how wide the *continued* flag is.
"""

from __future__ import annotations

import msgspec


class HidPosShape(msgspec.Struct, frozen=True):
    """How a scanner lays out its report."""

    report_id: int = 2
    #: Bytes of decoded data in one report.
    room: int = 56
    #: The byte before the symbology is declared as Generic Desktop 3B; else as padding, so that no host may use it.
    byte_count: bool = True
    #: The byte count is that of the whole label, in each of its reports.
    counts_label: bool = False
    #: Bytes between the data and the flag.
    vendor: int = 2
    #: Bits of the *continued* flag; the rest of its byte is padding.
    flag_bits: int = 1


#: Honeywell's: length, ``]xy``, 56 bytes of data, two vendor bytes, bit 0 of the last byte.
HONEYWELL = HidPosShape()
#: Access-IS LSR118, ATR110: the same places, the last byte 01 if more follows, NULs after the data.
ACCESS_IS = HidPosShape(byte_count=False, flag_bits=8)
#: No report ids, no symbology room to speak of: what a plain scanner of the usage tables may look like.
PLAIN = HidPosShape(report_id=0, room=32, byte_count=False, vendor=0, flag_bits=8)


def descriptor(shape: HidPosShape) -> bytes:
    """Return the report descriptor of a scanner (HID 1.11 §6.2.2, HID POS usage tables 1.02)."""
    numbered = bytes((0x85, shape.report_id)) if shape.report_id else b""
    count = bytes.fromhex("0501 093b 9501 8102 058c") if shape.byte_count else bytes.fromhex("9501 8103")
    vendor = bytes.fromhex("0600ff 0901 95") + bytes((shape.vendor,)) + bytes.fromhex("8102 058c")
    spare = bytes((0x75, 8 - shape.flag_bits, 0x81, 0x03)) if shape.flag_bits < 8 else b""
    return b"".join((
        bytes.fromhex("058c 0902 a101"), numbered, bytes.fromhex("0912 a102 1500 26ff00 7508"), count,
        bytes.fromhex("09fb 09fc 09fd 9503 8102"),  # symbology identifier, three letters
        bytes.fromhex("09fe 96") + shape.room.to_bytes(2, "little") + bytes.fromhex("820201"),  # buffered bytes
        vendor if shape.vendor else b"",
        bytes.fromhex("09ff 9501 75") + bytes((shape.flag_bits,)) + bytes.fromhex("8102"), spare,
        bytes.fromhex("c0 c0"),
    ))  # fmt: skip


class HidPosDevice:
    """Owns what the scanner has read and not told yet; a scanner hears nothing."""

    def __init__(self, shape: HidPosShape = HONEYWELL) -> None:
        self.shape = shape
        self.descriptor = descriptor(shape)
        self.powered = True
        #: Bytes the host sent; a plain scanner has no use for them.
        self.ignored = 0
        self._outbound: list[bytes] = []

    def scan(self, label: str | bytes, *, symbology: str = "]C0") -> bool:
        """Read a label; False without power."""
        if not self.powered:
            return False
        body = label if isinstance(label, bytes) else label.encode("utf-8")
        room = self.shape.room
        parts = [body[at : at + room] for at in range(0, len(body), room)] or [b""]
        for number, part in enumerate(parts):
            self._outbound.append(self._report(part, len(body), symbology, continued=number + 1 < len(parts)))
        return True

    def empty_report(self) -> None:
        """Send the empty report that some scanners begin with."""
        self._outbound.append(self._report(b"", 0, "\0\0\0", continued=False))

    def _report(self, part: bytes, whole: int, symbology: str, *, continued: bool) -> bytes:
        shape = self.shape
        count = min(255, whole) if shape.counts_label else len(part)
        head = bytes((shape.report_id,)) if shape.report_id else b""
        letters = symbology.encode("latin-1")[:3].ljust(3, b"\0")
        data = part.ljust(shape.room, b"\0")
        return head + bytes((count,)) + letters + data + bytes(shape.vendor) + bytes((continued,))

    def cut_power(self) -> None:
        """Take the power away: what was not told is lost."""
        self.powered = False
        self._outbound.clear()

    def restore_power(self) -> None:
        """Give the power back."""
        self.powered = True

    def received(self, data: bytes, now: int) -> None:
        """Ignore what the host sends."""
        self.ignored += len(data)

    def tick(self, now: int) -> None:
        """Nothing here depends on time."""

    def deadline(self) -> int | None:
        """Never."""
        return None

    def take_outbound(self) -> list[bytes]:
        """Hand over the reports, one a piece, once."""
        outbound, self._outbound = self._outbound, []
        return outbound
