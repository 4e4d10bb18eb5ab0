"""What CCNET frames carry besides codes: type masks, the bill table, who the unit is (CCNET sheet §5, §8).

The map from bill type to value is the unit's own, and the three letters of an entry name a *country* on many units
rather than a currency (``UKR``, ``QAT``), on others the currency (``EUR``).  So a host always reads the table, maps the
letters by configuration and refuses a unit that shows others.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kiosk.errors import FrameError
from kiosk.protocols.ccnet.codes import BILL_TYPES

#: Letters → ISO 4217 where they are not the currency itself: ISO 3166 countries with one currency of their own.
COUNTRIES: dict[str, str] = {
    "UKR": "UAH", "QAT": "QAR",  # shown by the sheet
    "ARE": "AED", "ARG": "ARS", "AUS": "AUD", "BRA": "BRL", "CAN": "CAD", "CHE": "CHF", "CHL": "CLP", "CHN": "CNY",
    "COL": "COP", "CZE": "CZK", "DNK": "DKK", "GBR": "GBP", "HUN": "HUF", "IND": "INR", "ISR": "ILS", "JPN": "JPY",
    "KAZ": "KZT", "KOR": "KRW", "MEX": "MXN", "MYS": "MYR", "NOR": "NOK", "NZL": "NZD", "PER": "PEN", "PHL": "PHP",
    "POL": "PLN", "ROU": "RON", "RUS": "RUB", "SGP": "SGD", "SWE": "SEK", "THA": "THB", "TUR": "TRY", "TWN": "TWD",
    "USA": "USD", "UZB": "UZS", "ZAF": "ZAR",
}  # fmt: skip
#: Bytes of one entry of the bill table, and of the whole table (sheet §8).
ENTRY_SIZE = 5
TABLE_SIZE = BILL_TYPES * ENTRY_SIZE
#: Bytes of a mask of bill types (sheet §5).
MASK_SIZE = BILL_TYPES // 8
#: Part and firmware, serial number, asset number: 34 bytes (sheet §5).
PART_SIZE, SERIAL_SIZE, ASSET_SIZE = 15, 12, 7
IDENTIFICATION_SIZE = PART_SIZE + SERIAL_SIZE + ASSET_SIZE
#: A greater power of ten is no note; a wild byte must not grow an integer.
_MAX_EXPONENT = 9


class BillSlot(msgspec.Struct, frozen=True):
    """One used entry of the bill table."""

    #: Index in the table, 0 to 23.
    bill_type: int
    #: First byte of the entry, 1 to 255.
    digit: int
    #: Three letters, of a country or of a currency.
    country: str
    #: Power of ten, negative where bit 7 of the byte says so.
    exponent: int

    @property
    def currency(self) -> str:
        """Return the currency that the letters stand for, or the letters themselves.

        >>> BillSlot(0, 5, "UKR", 0).currency, BillSlot(0, 5, "EUR", 0).currency
        ('UAH', 'EUR')
        """
        return COUNTRIES.get(self.country, self.country)

    def minor(self, minor_digits: int) -> int:
        """Return the value in minor units.

        >>> BillSlot(2, 2, "EUR", 1).minor(2)
        2000

        Raises:
            FrameError: the value is not a whole number of minor units.
        """
        power = self.exponent + minor_digits
        whole: int = self.digit * 10 ** max(power, 0)
        if power < 0:
            whole, rest = divmod(self.digit, 10**-power)
            if rest:
                raise FrameError(
                    f"bill type {self.bill_type} is worth {self.digit}E{self.exponent}, no whole minor unit",
                    hint="have the unit's bill table checked",
                )
        return whole


def parse_bill_table(data: bytes, *, signed: bool = True) -> tuple[BillSlot, ...]:
    """Read the answer to GET BILL TABLE, used entries only.  `signed`: bit 7 of an exponent makes it negative.

    >>> parse_bill_table(bytes.fromhex("05 45 55 52 00"))
    (BillSlot(bill_type=0, digit=5, country='EUR', exponent=0),)

    Raises:
        FrameError: the data is not a list of at most 24 five-byte entries with letters and a possible exponent.
    """
    if not data or len(data) % ENTRY_SIZE or len(data) > TABLE_SIZE:
        raise FrameError(f"a bill table of {len(data)} bytes is not a list of 5-byte entries", hint="ask again")
    slots = []
    for bill_type in range(len(data) // ENTRY_SIZE):
        digit, *letters, power = data[bill_type * ENTRY_SIZE : (bill_type + 1) * ENTRY_SIZE]
        if not digit:
            continue
        country = bytes(letters)
        if not country.isalpha():  # of ASCII letters, as bytes have it
            raise FrameError(
                f"bill type {bill_type} names the country {country.hex()}", hint="have the bill table checked"
            )
        exponent = -(power & 0x7F) if signed and power & 0x80 else power
        if abs(exponent) > _MAX_EXPONENT:
            raise FrameError(
                f"bill type {bill_type} has the exponent {exponent}", hint="have the unit's bill table checked"
            )
        slots.append(BillSlot(bill_type, digit, country.decode("ascii"), exponent))
    return tuple(slots)


def encode_bill_table(slots: Iterable[BillSlot]) -> bytes:
    """Build the answer to GET BILL TABLE, 24 entries.

    Raises:
        FrameError: an entry does not fit.
    """
    table = bytearray(TABLE_SIZE)
    for slot in slots:
        letters = slot.country.encode("ascii", "replace")
        fits = 0 <= slot.bill_type < BILL_TYPES and 1 <= slot.digit <= 0xFF and abs(slot.exponent) <= _MAX_EXPONENT
        if not fits or len(letters) != 3:
            raise FrameError(f"{slot} is no entry of a bill table", hint="24 types, three letters, a byte for a digit")
        power = slot.exponent if slot.exponent >= 0 else 0x80 | -slot.exponent
        start = slot.bill_type * ENTRY_SIZE
        table[start : start + ENTRY_SIZE] = bytes((slot.digit,)) + letters + bytes((power,))
    return bytes(table)


def type_mask(bill_types: Iterable[int]) -> bytes:
    """Build a mask: byte 0 holds types 23 to 16, byte 2 types 7 to 0, bit = type mod 8 (sheet §5).

    >>> type_mask(range(2, 7)).hex()
    '00007c'

    Raises:
        FrameError: a type has no bit.
    """
    mask = 0
    for bill_type in bill_types:
        if not 0 <= bill_type < BILL_TYPES:
            raise FrameError(f"bill type {bill_type} has no bit", hint="types are 0 to 23")
        mask |= 1 << bill_type
    return mask.to_bytes(MASK_SIZE, "big")


def mask_types(mask: bytes) -> tuple[int, ...]:
    """Return the bill types of a mask, ascending.

    >>> mask_types(bytes.fromhex("00007c"))
    (2, 3, 4, 5, 6)
    """
    bits = int.from_bytes(mask[:MASK_SIZE], "big")
    return tuple(bill_type for bill_type in range(BILL_TYPES) if bits >> bill_type & 1)


class Identification(msgspec.Struct, frozen=True):
    """Who the unit is."""

    #: Part number and firmware, e.g. ``FLS-EU10-693639``; its first letters tell the family.
    part: str
    serial: str
    #: Seven bytes, hexadecimal.
    asset: str


def parse_identification(data: bytes) -> Identification:
    """Read the answer to IDENTIFICATION; what is not printable becomes a space.

    Raises:
        FrameError: the answer is not 34 bytes long.
    """
    if len(data) != IDENTIFICATION_SIZE:
        raise FrameError(f"an identification has 34 bytes, not {len(data)}", hint="ask again")
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else " " for byte in data[: PART_SIZE + SERIAL_SIZE])
    return Identification(text[:PART_SIZE].strip(), text[PART_SIZE:].strip(), data[-ASSET_SIZE:].hex())


def encode_identification(who: Identification) -> bytes:
    """Build the answer to IDENTIFICATION, cut and filled to its 34 bytes."""
    part = who.part.encode("ascii", "replace")[:PART_SIZE].ljust(PART_SIZE)
    serial = who.serial.encode("ascii", "replace")[:SERIAL_SIZE].ljust(SERIAL_SIZE)
    return part + serial + bytes.fromhex(who.asset)[:ASSET_SIZE].ljust(ASSET_SIZE, b"\x00")
