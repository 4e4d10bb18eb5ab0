"""USB HID-POS scanners (usage page 8C): from reports to pieces of labels (devices sheet §2.2).

Scanners differ in where a report holds what, so no offset is known here: the report descriptor is walked and the
fields found by their usages.  A label that does not fit into one report goes on in the next, until *continued* is 0.
Where the report has a byte count the data is cut to it, else the NULs at its end are taken off.
"""

from __future__ import annotations

import msgspec

from kiosk.errors import FrameError
from kiosk.protocols.hid_report import Report, walk
from kiosk.protocols.label import is_aim_id

#: Usages, page and number (HID POS usage tables 1.02; Honeywell adds the byte count of Generic Desktop).
BARCODE_SCANNER = 0x008C_0002
BYTE_COUNT = 0x0001_003B
SYMBOLOGY = (0x008C_00FB, 0x008C_00FC, 0x008C_00FD)
DECODED_DATA = 0x008C_00FE
CONTINUED = 0x008C_00FF


class Piece(msgspec.Struct, frozen=True):
    """What one report brings of a label."""

    #: AIM identifier such as ``]C0``; "" where the report tells none.
    symbology: str
    data: bytes
    #: Another report follows.
    continued: bool
    #: What the report's own byte count says, which may be more than it holds; None where it has none.
    count: int | None


class Layout(msgspec.Struct, frozen=True):
    """Where the fields of one scanned-data report lie.  Bytes are counted from the report's first, the id included."""

    report_id: int
    #: Shortest report that holds all fields, bytes.
    length: int
    data_at: int
    data_size: int
    #: None where the report has no byte count.
    count_at: int | None
    count_size: int
    #: The symbology identifier's letters, at most three.
    symbology_at: tuple[int, ...]
    #: First bit of the flag and its width; None where labels never go on.
    continued_bit: int | None
    continued_size: int

    def read(self, report: bytes) -> Piece:
        """Take a report apart.

        Raises:
            FrameError: it is shorter than the descriptor says.
        """
        if len(report) < self.length:
            raise FrameError(f"a report of {len(report)} bytes instead of {self.length}")
        room = report[self.data_at : self.data_at + self.data_size]
        count = None
        if self.count_at is None:
            data = room.rstrip(b"\0")
        else:
            count = int.from_bytes(report[self.count_at : self.count_at + self.count_size], "little")
            data = room[:count]
        continued = False
        if self.continued_bit is not None:
            bits = int.from_bytes(report, "little") >> self.continued_bit
            continued = bits & ((1 << self.continued_size) - 1) != 0
        letters = bytes(report[at] for at in self.symbology_at).decode("latin-1")
        return Piece(letters if is_aim_id(letters) else "", data, continued, count)


def layouts(descriptor: bytes) -> dict[int, Layout]:
    """Return the layout of each scanned-data report, by report id (0: reports have none).

    Raises:
        FrameError: the descriptor is bad, or none of its reports holds decoded data of a barcode scanner.
    """
    found = {number: layout for number, report in walk(descriptor).items() if (layout := _layout(number, report))}
    if not found:
        raise FrameError("no report of this device holds a barcode scanner's decoded data (usage page 8C)")
    return found


def _layout(number: int, report: Report) -> Layout | None:
    at: dict[int, list[tuple[int, int]]] = {}
    for field in report.fields:
        if field.application == BARCODE_SCANNER and field.variable and not field.constant:
            for usage, bit in field.elements():
                if usage in (BYTE_COUNT, *SYMBOLOGY, DECODED_DATA, CONTINUED):
                    at.setdefault(usage, []).append((bit, field.size))
    data = at.get(DECODED_DATA, [])
    if not data:
        return None
    if any(size != 8 or bit != data[0][0] + 8 * place for place, (bit, size) in enumerate(data)) or data[0][0] % 8:
        raise FrameError("the decoded data is no row of bytes")
    letters = [place for usage in SYMBOLOGY for place in at.get(usage, [])][:3]
    if any(size != 8 or bit % 8 for bit, size in letters):
        raise FrameError("the symbology identifier is not made of bytes")
    count = at.get(BYTE_COUNT, [])[:1]
    if count and (count[0][0] % 8 or count[0][1] not in (8, 16)):
        raise FrameError("the byte count is neither one nor two bytes")
    flag = at.get(CONTINUED, [])[:1]
    return Layout(
        number, report.length, data[0][0] // 8, len(data),
        count[0][0] // 8 if count else None, count[0][1] // 8 if count else 0,
        tuple(bit // 8 for bit, _ in letters),
        flag[0][0] if flag else None, flag[0][1] if flag else 0,
    )  # fmt: skip
