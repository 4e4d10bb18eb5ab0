"""What ccTalk frames carry besides headers: values, serials, masks, hopper figures (ccTalk sheet §4, §5, §10).

A value is told by the unit, by position, and never derived from the position: the text of a coin (`CoinId`) or of a
bill with the scaling factor of its country (`BillId`, `Scaling`).  What is not a whole number of minor units is no
money.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from kiosk.errors import FrameError

#: Positions of coins and types of bills.
MAX_COINS, MAX_BILLS = 16, 64


def text(data: bytes) -> str:
    """Return an ASCII answer, bounded; what is not printable becomes a space.

    >>> text(b"Payout\\x00")
    'Payout'
    """
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else " " for byte in data).strip()


def number(data: bytes) -> int:
    """Return a number sent low byte first: a serial (3 or 4 bytes), a counter (3), an absolute count (2).

    >>> number(bytes.fromhex("4e61bc"))
    12345678
    """
    return int.from_bytes(data, "little")


def number_bytes(value: int, size: int = 3) -> bytes:
    """Build such a number; it wraps as the counters of units do."""
    return (value % (1 << 8 * size)).to_bytes(size, "little")


class CoinId(msgspec.Struct, frozen=True):
    """Answer to header 184: ``CCVVVI``."""

    #: The six characters as they came.
    text: str
    #: Two letters, ``EU`` for the euro, ``TK`` for a token; "" where the text has another shape.
    country: str = ""
    #: Value in minor units; None where the text is no whole number of them.
    minor: int | None = None
    #: Letter of the issue.
    issue: str = ""

    @property
    def programmed(self) -> bool:
        """True where the position stands for anything."""
        return bool(self.text.strip(". "))


_COIN = re.compile(r"([A-Z]{2})([0-9]{3})([A-Z0-9])")
_BILL = re.compile(r"([A-Z]{2})([0-9]{4})([A-Z0-9])")
#: In the place of a country: a coin that is no money.
TOKEN = "TK"


def parse_coin_id(data: bytes) -> CoinId:
    """Read a coin id; a value with a dot (half units) or other text has no value.

    >>> parse_coin_id(b"EU010A")
    CoinId(text='EU010A', country='EU', minor=10, issue='A')
    >>> parse_coin_id(b"Token ").minor is None
    True
    """
    plain = text(data[:6])
    match = _COIN.fullmatch(plain) if len(data) == 6 else None
    if not match:
        return CoinId(plain)
    value = int(match[2]) or None
    return CoinId(plain, match[1], None if match[1] == TOKEN else value, match[3])


def encode_coin_id(country: str, minor: int, issue: str = "A") -> bytes:
    """Build a coin id; 0 is a position that is not programmed.

    Raises:
        FrameError: the value does not fit three digits.
    """
    if minor == 0:
        return b"......"
    if not 0 < minor <= 999:
        raise FrameError(f"a coin of {minor} has no ccTalk id", hint="ids hold 1 to 999 minor units")
    return f"{country}{minor:03d}{issue}".encode("ascii")


class BillId(msgspec.Struct, frozen=True):
    """Answer to header 157: ``CCVVVVI``; its value means nothing without the scaling factor of the country."""

    text: str
    country: str = ""
    #: What stands in the text; None where it is no number.
    value: int | None = None
    issue: str = ""

    @property
    def programmed(self) -> bool:
        """True where the type stands for anything."""
        return bool(self.text.strip(". "))

    def minor(self, scaling: Scaling, minor_digits: int) -> int | None:
        """Return the value in minor units of a currency with so many digits; None where that is no whole number.

        >>> parse_bill_id(b"EU0005A").minor(Scaling(100, 2), 2)
        500
        """
        if not self.value or not scaling.factor:
            return None
        scaled, shift = self.value * scaling.factor, minor_digits - scaling.decimals
        if shift >= 0:
            return int(scaled * 10**shift)
        whole, rest = divmod(scaled, 10**-shift)
        return None if rest else whole


def parse_bill_id(data: bytes) -> BillId:
    """Read a bill id.

    >>> parse_bill_id(b".......").programmed
    False
    """
    plain = text(data[:7])
    match = _BILL.fullmatch(plain) if len(data) == 7 else None
    return BillId(plain, match[1], int(match[2]), match[3]) if match else BillId(plain)


def encode_bill_id(country: str, value: int, issue: str = "A") -> bytes:
    """Build a bill id of an unscaled value; 0 is a type that is not programmed.

    Raises:
        FrameError: the value does not fit four digits.
    """
    if value == 0:
        return b"......."
    if not 0 < value <= 9999:
        raise FrameError(f"a bill of {value} has no ccTalk id", hint="ids hold 1 to 9999 scaled units")
    return f"{country}{value:04d}{issue}".encode("ascii")


class Scaling(msgspec.Struct, frozen=True):
    """Answer to header 156: what the values of a country's bills are multiplied with, and its decimals."""

    factor: int
    decimals: int


#: More decimals than any money has: a wild answer must not grow a number.
MAX_DECIMALS = 6


def parse_scaling(data: bytes) -> Scaling:
    """Read a scaling factor: low byte, high byte, decimals.

    >>> parse_scaling(b"\\x64\\x00\\x02")
    Scaling(factor=100, decimals=2)

    Raises:
        FrameError: it is not three bytes, or names more decimals than any money has.
    """
    if len(data) != 3 or data[2] > MAX_DECIMALS:
        raise FrameError(f"{data[:8].hex()} is no country scaling factor", hint="have the unit's note set checked")
    return Scaling(number(data[:2]), data[2])


def encode_scaling(scaling: Scaling) -> bytes:
    """Build the answer to header 156."""
    return number_bytes(scaling.factor, 2) + bytes((scaling.decimals,))


def cvf_minor(code: int) -> int | None:
    """Return the value of a credit code in the CVF form: bit 7 is times 10; None for a token or nothing.

    >>> cvf_minor(100), cvf_minor(148), cvf_minor(178), cvf_minor(255)
    (100, 200, 500, None)
    """
    if code in (0, 128, 255):
        return None
    return (code & 0x7F) * 10 if code & 0x80 else code


def mask(positions: Iterable[int], size: int = 2) -> bytes:
    """Build an inhibit mask: a set bit *accepts*; bit 0 of byte 1 is position 1.

    >>> mask([1, 3, 9]).hex()
    '0501'

    Raises:
        FrameError: a position lies outside the mask.
    """
    bits = bytearray(size)
    for position in positions:
        if not 1 <= position <= 8 * size:
            raise FrameError(f"position {position} has no bit in a mask of {size} bytes", hint="positions begin at 1")
        bits[(position - 1) // 8] |= 1 << (position - 1) % 8
    return bytes(bits)


def accepted(bits: bytes) -> tuple[int, ...]:
    """Return the positions that a mask accepts, ascending.

    >>> accepted(b"\\x05\\x01")
    (1, 3, 9)
    """
    return tuple(at * 8 + bit + 1 for at, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1)


class HopperStatus(msgspec.Struct, frozen=True):
    """Answer to header 166."""

    #: 0 after reset, then 1..255 and from 255 back to 1; it names the last dispense.
    counter: int
    #: Coins still to be paid; 0 when the dispense is over.
    remaining: int
    paid: int
    #: Set at the end; some units clear it on normal stops.
    unpaid: int


def parse_hopper_status(data: bytes) -> HopperStatus:
    """Read it.

    Raises:
        FrameError: it is not four bytes.
    """
    if len(data) != 4:
        raise FrameError(f"a hopper status of {len(data)} bytes is none", hint="use a hopper with header 166")
    return HopperStatus(*data)


def encode_hopper_status(status: HopperStatus) -> bytes:
    """Build the answer to header 166."""
    return bytes((status.counter, status.remaining, status.paid, status.unpaid))
