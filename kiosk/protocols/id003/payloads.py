"""What ID003 frames carry besides codes: the currency table, denomination bits, the version text (sheet §4, §6).

The map from note code to value is not fixed between units (0x62 is 5 EUR on one and 2 USD on another), so a host always
reads the table and refuses a unit whose country is not the configured one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from kiosk.errors import FrameError
from kiosk.protocols.id003.codes import FIRST_NOTE_CODE

#: Country byte → ISO 4217.  It is a number of the maker's, not an ISO one (sheet §6).
COUNTRIES: dict[int, str] = {
    # two sources agree
    0x01: "USD", 0x08: "CAD", 0x16: "CHF", 0x27: "RUB", 0x2D: "CNY", 0x30: "HUF", 0x51: "KZT", 0xE0: "EUR",
    # one source, numbers in decimal as that source lists them
    2: "AUD", 5: "SEK", 6: "ZAR", 7: "NOK", 9: "MXN", 10: "JPY", 12: "BRL", 13: "NZD", 14: "ARS", 18: "THB",
    21: "KRW", 23: "GBP", 25: "COP", 26: "PLN", 27: "USD", 28: "AED", 29: "TWD", 33: "MYR", 34: "SGD", 38: "GBP",
    41: "PLN", 44: "CZK", 46: "USD", 47: "PEN", 51: "KRW", 54: "CHF", 57: "CHF", 58: "DKK", 59: "ZAR", 62: "GBP",
    63: "NZD", 64: "SGD", 66: "QAR", 68: "GBP", 69: "MYR", 73: "ISK", 74: "PHP", 75: "NZD", 76: "RON", 78: "CLP",
    80: "NOK", 85: "PLN", 86: "ILS", 89: "HKD",
    # one source, numbers in hexadecimal
    0x5C: "UAH", 0x63: "INR", 0x78: "IRR", 0x7E: "MDL", 0x86: "UZS",
}  # fmt: skip


class NoteSlot(msgspec.Struct, frozen=True):
    """One entry of the currency table."""

    #: Note code, 0x61 and up.
    code: int
    #: Country byte, a key of `COUNTRIES`.
    country: int
    base: int
    exponent: int

    @property
    def used(self) -> bool:
        """True where the slot stands for a note."""
        return bool(self.country and self.base)

    @property
    def currency(self) -> str | None:
        """Return the ISO 4217 code, or None where the country byte is not known."""
        return COUNTRIES.get(self.country)

    def minor(self, minor_digits: int) -> int:
        """Return the value in minor units.

        >>> NoteSlot(0x64, 0xE0, 20, 0).minor(2)
        2000
        """
        whole: int = self.base * 10**self.exponent * 10**minor_digits
        return whole


def parse_currency_table(data: bytes) -> tuple[NoteSlot, ...]:
    """Read the answer to CURRENCY ASSIGN REQUEST, unused slots included.

    Raises:
        FrameError: the data is not a list of 4-byte entries with distinct note codes.
    """
    if not data or len(data) % 4:
        raise FrameError(f"a currency table of {len(data)} bytes is not a list of 4-byte entries", hint="ask again")
    slots = tuple(NoteSlot(*data[at : at + 4]) for at in range(0, len(data), 4))
    if len({slot.code for slot in slots}) != len(slots):
        raise FrameError("a currency table names one note code twice", hint="have the unit's note set checked")
    if any(slot.exponent > 9 for slot in slots):  # 10^9 is beyond any note; a wild value must not grow an integer
        raise FrameError("a currency table holds an impossible exponent", hint="have the unit's note set checked")
    return slots


def encode_currency_table(slots: Iterable[NoteSlot]) -> bytes:
    """Build the answer to CURRENCY ASSIGN REQUEST."""
    return b"".join(bytes((slot.code, slot.country, slot.base, slot.exponent)) for slot in slots)


def denomination_bits(disabled_codes: Iterable[int], size: int = 2) -> bytes:
    """Build the data of SET DENOMINATION: a set bit *disables* a note code.

    >>> denomination_bits([0x62, 0x68]).hex()
    '8200'

    Raises:
        FrameError: a code lies outside the bits.
    """
    bits = bytearray(size)
    for code in disabled_codes:
        index = code - FIRST_NOTE_CODE
        if not 0 <= index < 8 * size:
            raise FrameError(f"note code {code:02X} has no denomination bit", hint="codes begin at 61")
        bits[index // 8] |= 1 << index % 8
    return bytes(bits)


def is_disabled(bits: bytes, code: int) -> bool:
    """Tell whether the denomination bits disable a note code."""
    byte, bit = divmod(code - FIRST_NOTE_CODE, 8)
    return 0 <= byte < len(bits) and bool(bits[byte] >> bit & 1)


class VersionText(msgspec.Struct, frozen=True):
    """The answer to VERSION REQUEST, taken apart where its shape is known."""

    #: The whole text, printable ASCII only, bounded.
    text: str
    #: What stands before the country, e.g. ``i``; "" where the shape is not known.
    model: str = ""
    #: Three letters, e.g. ``USA``.
    country: str = ""
    #: What follows ``ID003-``.
    firmware: str = ""


_VERSION = re.compile(
    r"(?P<model>[^(\s]{1,12})\((?P<country>[A-Z]{3})\)-?(?P<series>\S*)\s+(?:ID|OP)-?003-?(?P<firmware>\S+)"
)


def parse_version(data: bytes) -> VersionText:
    """Read a version text; a text of another shape is kept whole and otherwise empty.

    >>> found = parse_version(b"i(USA)100-SS ID003-05V280-42 01AUG17 964D")
    >>> found.model, found.firmware
    ('i100-SS', '05V280-42')
    """
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else " " for byte in data[:200]).strip()
    match = _VERSION.match(text)
    if not match:
        return VersionText(text)
    model = f"{match['model']}{match['series']}"  # m and nnn-ss of the sheet's pattern, around the country
    return VersionText(text, model, match["country"], match["firmware"])
