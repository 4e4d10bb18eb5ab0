"""What EBDS messages carry: command, status, note records, value table, enable mask, part numbers (sheet §4 to §7).

Both directions, both ways: the host reads what the unit builds and the other way round.  Bytes from the line are
untrusted, so every reader returns None, or an empty thing, for what it cannot read; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kiosk.errors import FrameError
from kiosk.protocols.ebds.codes import (
    COMMAND_BYTES,
    MAX_NOTE_VALUE,
    NOTE_VALUE_SHIFT,
    ORIENTATION_SHIFT,
    POWER_UP_POLICY_SHIFT,
    STATUS_BYTES,
    Condition,
    Facility,
    Operation,
    Report,
    Setting,
    State,
)

#: Bytes of a note record, of a row of the value table, of the data of a barcode (sheet §6).
RECORD_BYTES, VALUE_ROW_BYTES, BARCODE_BYTES = 18, 10, 28
#: 10^9 is beyond any note; a wild record must not grow an integer.
MAX_EXPONENT = 9
#: Notes a byte of the enable mask stands for.
NOTES_A_BYTE = 7


class Command(msgspec.Struct, frozen=True):
    """The three bytes of an omnibus command (§4)."""

    #: Bit n - 1 enables value n; in extended mode 0x7F enables and 0x00 disables everything.
    enabled: int = 0
    operation: Operation = Operation.ESCROW
    setting: Setting = Setting(0)

    @property
    def policy(self) -> int:
        """Return the power-up policy as a number, 0 to 3."""
        return int(self.setting & Setting.POWER_UP_POLICY) >> POWER_UP_POLICY_SHIFT

    @property
    def orientation(self) -> int:
        """Return the orientation as a number, 0 to 3."""
        return int(self.operation & Operation.ORIENTATION) >> ORIENTATION_SHIFT

    @property
    def data(self) -> bytes:
        """Return the three bytes.

        >>> Command(0x7F, Operation(0x1C), Setting(0x10)).data.hex(" ")
        '7f 1c 10'
        """
        return bytes((self.enabled, int(self.operation), int(self.setting)))


def parse_command(data: bytes) -> Command | None:
    """Read the three bytes of a command; None where there are fewer."""
    if len(data) < COMMAND_BYTES:
        return None
    return Command(data[0], Operation(data[1]), Setting(data[2]))


class Status(msgspec.Struct, frozen=True):
    """The six bytes that every reply with a status carries (§5)."""

    state: State
    condition: Condition = Condition.CASSETTE_ATTACHED
    report: Report = Report(0)
    facility: Facility = Facility(0)
    model: int = 0
    revision: int = 0

    @property
    def note_value(self) -> int:
        """Return the note value 1 to 7, 0 for none; it means something only with escrowed or stacked."""
        return int(self.report & Report.NOTE_VALUE) >> NOTE_VALUE_SHIFT

    @property
    def data(self) -> bytes:
        """Return the six bytes."""
        flags = (int(self.state), int(self.condition), int(self.report), int(self.facility))
        return bytes((*flags, self.model, self.revision))


def parse_status(data: bytes) -> Status | None:
    """Read the six bytes of a status; None where there are fewer.

    >>> parse_status(bytes.fromhex("041018000102")).note_value
    3
    """
    if len(data) < STATUS_BYTES:
        return None
    return Status(State(data[0]), Condition(data[1]), Report(data[2]), Facility(data[3]), data[4], data[5])


class NoteRecord(msgspec.Struct, frozen=True):
    """One kind of note, as an extended unit tells it (§6)."""

    #: Row of the unit's table; 0 in an event.
    index: int
    #: ISO 4217 code.
    currency: str
    base: int
    #: Power of ten, with its sign.
    exponent: int
    #: The way it was fed, then letters of the maker's.
    orientation: int = 0
    type: str = "A"
    series: str = "A"
    compatibility: str = "A"
    version: str = "A"
    classification: int = 0

    def minor(self, digits: int) -> int | None:
        """Return the value in minor units of a currency with so many digits; None for a fraction or an absurdity.

        >>> [NoteRecord(1, "USD", 5, exponent).minor(2) for exponent in (1, -3, 99)]
        [5000, None, None]
        """
        if not self.base or abs(self.exponent) > MAX_EXPONENT:
            return None
        power = self.exponent + digits
        if power >= 0:
            whole: int = self.base * 10**power
            return whole
        whole, rest = divmod(self.base, 10**-power)
        return None if rest else whole

    @property
    def key(self) -> int:
        """Return a number that is the same for notes of one kind: currency, base, exponent and version."""
        text = f"{self.currency}{self.base:03d}{self.exponent:+03d}{self.version}"
        return int.from_bytes(text.encode("ascii", "replace"), "big")

    @property
    def data(self) -> bytes:
        """Return the 18 bytes of the record."""
        letters = f"{self.type}{self.series}{self.compatibility}{self.version}".encode("ascii")
        kind = _denomination(self.currency, self.base, self.exponent)
        return bytes((self.index,)) + kind + bytes((self.orientation,)) + letters + bytes((self.classification, 0, 0))


def _denomination(currency: str, base: int, exponent: int) -> bytes:
    return f"{currency:3.3}{base:03d}{exponent:+03d}".encode("ascii")


def _parse_denomination(data: bytes) -> tuple[str, int, int] | None:
    """Read currency, base and exponent out of nine bytes; None where they are not that."""
    iso, base, sign, power = data[:3], data[3:6], data[6:7], data[7:9]
    if not (iso.isalpha() and iso.isupper() and base.isdigit() and sign in (b"+", b"-") and power.isdigit()):
        return None
    return iso.decode("ascii"), int(base), int(power) if sign == b"+" else -int(power)


def is_blank(record: bytes) -> bool:
    """Tell whether a record names no note: everything after the index is zero (§6, §8)."""
    return not any(record[1:])


def parse_record(data: bytes) -> NoteRecord | None:
    """Read the 18 bytes of a note record; None where they are blank or not a record.

    >>> parse_record(bytes.fromhex("01 555344 303031 2B 3030 00 41 41 41 41 00 0000")).minor(2)
    100
    """
    if len(data) < RECORD_BYTES:
        return None
    kind = _parse_denomination(data[1:10])
    if kind is None:
        return None
    type_, series, compatibility, version = (chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in data[11:15])
    return NoteRecord(data[0], *kind, data[10], type_, series, compatibility, version, data[15])


class ValueRow(msgspec.Struct, frozen=True):
    """Which note a value of the non-extended mode means (§6)."""

    value: int
    currency: str
    base: int
    exponent: int

    @property
    def record(self) -> NoteRecord:
        """Return the row as a note record."""
        return NoteRecord(self.value, self.currency, self.base, self.exponent)


def parse_value_table(data: bytes) -> tuple[ValueRow, ...]:
    """Read the rows after the status bytes; rows that name no note are left out."""
    rows = []
    for at in range(0, min(len(data), MAX_NOTE_VALUE * VALUE_ROW_BYTES), VALUE_ROW_BYTES):
        row = data[at : at + VALUE_ROW_BYTES]
        kind = _parse_denomination(row[1:])
        if kind is not None and 1 <= row[0] <= MAX_NOTE_VALUE:
            rows.append(ValueRow(row[0], *kind))
    return tuple(rows)


def value_table(rows: Iterable[ValueRow]) -> bytes:
    """Build the value table, seven rows; a value without a note has a row of zeros."""
    table = bytearray(MAX_NOTE_VALUE * VALUE_ROW_BYTES)
    for row in rows:
        at = (row.value - 1) * VALUE_ROW_BYTES
        table[at : at + VALUE_ROW_BYTES] = bytes((row.value,)) + _denomination(row.currency, row.base, row.exponent)
    return bytes(table)


def enable_mask(notes: Iterable[int], size: int) -> bytes:
    """Build the mask that enables the notes of these rows: seven a byte, the first in bit 0 (§6).

    >>> enable_mask([1, 3, 14], 8).hex(" ")
    '05 40 00 00 00 00 00 00'

    Raises:
        FrameError: a row has no bit in a mask of this size.
    """
    mask = bytearray(size)
    for note in notes:
        if not 1 <= note <= NOTES_A_BYTE * size:
            raise FrameError(f"note {note} has no bit in a mask of {size} bytes", hint="choose the longer mask")
        mask[(note - 1) // NOTES_A_BYTE] |= 1 << (note - 1) % NOTES_A_BYTE
    return bytes(mask)


def enabled_notes(mask: bytes) -> tuple[int, ...]:
    """Return the rows that a mask enables, ascending."""
    bits = range(NOTES_A_BYTE)
    return tuple(at * NOTES_A_BYTE + bit + 1 for at, byte in enumerate(mask) for bit in bits if byte >> bit & 1)


def is_crc_reply(data: bytes) -> bool:
    """Tell whether an auxiliary answer is the software CRC: low nibbles only, four of them significant (§7).

    A unit that lacks a query answers with this message, so it must not pass for a serial number.
    """
    return len(data) >= 4 and all(byte <= 0x0F for byte in data)


def auxiliary_text(data: bytes) -> str:
    """Return the text of an auxiliary answer, bounded; "" where it is the software CRC or no text."""
    if is_crc_reply(data):
        return ""
    return "".join(chr(byte) for byte in data[:64] if 0x20 <= byte < 0x7F).strip()


class PartNumber(msgspec.Struct, frozen=True):
    """A part number: project, check digit where there is one, version (§7)."""

    project: str
    check: str
    #: Hundredths: 123 is V1.23.
    version: int

    @property
    def text(self) -> str:
        """Write it for people."""
        return f"{self.project}{self.check} V{self.version // 100}.{self.version % 100:02d}"


def parse_part_number(data: bytes) -> PartNumber | None:
    """Read nine ASCII digits; None for anything else.

    >>> parse_part_number(b"280000123").text
    '280000 V1.23'
    """
    digits = data.rstrip(b"\x00 ")
    if len(digits) != 9 or not digits.isdigit():
        return None
    text = digits.decode("ascii")
    return PartNumber(text[:5], text[5], int(text[6:]))


def barcode_text(data: bytes) -> str:
    """Return the text of a barcode ticket; it ends where the padding begins (§6)."""
    return "".join(chr(byte) for byte in data[:BARCODE_BYTES].split(b"(")[0] if 0x20 <= byte < 0x7F)
