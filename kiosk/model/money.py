"""Money: a whole number of minor units and a currency, and nothing else.

No float ever reaches this module.  Two currencies never mix.  A percentage is rounded half up to the
minor unit, once per fee line (domain sheet, Conventions).
"""

from __future__ import annotations

from typing import Any

import msgspec

from kiosk.errors import MoneyError

#: Minor-unit digits by ISO 4217 code, for the currencies an acceptor of the fact sheets can report.
MINOR_DIGITS = {
    "USD": 2, "CAD": 2, "EUR": 2, "GBP": 2, "CHF": 2, "AUD": 2, "NZD": 2, "SEK": 2, "NOK": 2, "DKK": 2,
    "MXN": 2, "BRL": 2, "PLN": 2, "CZK": 2, "HUF": 2, "RUB": 2, "KZT": 2, "CNY": 2, "ARS": 2, "THB": 2,
    "COP": 2, "AED": 2, "TWD": 2, "MYR": 2, "SGD": 2, "PEN": 2, "ZAR": 2, "QAR": 2, "PHP": 2, "RON": 2,
    "ILS": 2, "HKD": 2, "UAH": 2, "INR": 2, "IRR": 2, "MDL": 2, "UZS": 2, "JPY": 0, "KRW": 0, "ISK": 0, "CLP": 0,
}  # fmt: skip


def minor_digits(currency: str) -> int:
    """Return how many digits the minor unit of `currency` has.

    Raises:
        MoneyError: the currency is not in the table.
    """
    try:
        return MINOR_DIGITS[currency]
    except KeyError:
        raise MoneyError(f"currency {currency!r} is not known", hint="use an ISO 4217 code of the table") from None


class Money(msgspec.Struct, frozen=True, order=False, array_like=True):
    """An amount in minor units.  Adds, subtracts and compares only within one currency.

    >>> Money(4500, "USD") + Money(8317, "USD")
    Money(minor=12817, currency='USD')
    >>> str(Money(-305, "USD"))
    'USD -3.05'
    """

    #: Whole minor units (cents for USD); may be negative.
    minor: int
    #: ISO 4217 code.
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise MoneyError(f"{self.minor!r} is not a whole number of minor units", hint="money is never a fraction")

    def _same(self, other: Money) -> int:
        if not isinstance(other, Money) or other.currency != self.currency:
            raise MoneyError(f"{self} and {other} are not of one currency", hint="never mix currencies")
        return other.minor

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __mul__(self, count: int) -> Money:
        if type(count) is not int:
            raise MoneyError(f"{self} cannot be multiplied by {count!r}", hint="multiply by a whole number")
        return Money(self.minor * count, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        return f"{self.currency} {plain(self.minor, self.currency)}"

    def __rich_repr__(self) -> Any:
        yield str(self)


def plain(minor: int, currency: str) -> str:
    """Write minor units with a point and no currency or grouping.

    >>> plain(8317, "USD"), plain(-5, "USD"), plain(700, "JPY")
    ('83.17', '-0.05', '700')
    """
    digits = minor_digits(currency)
    sign, whole = ("-", -minor) if minor < 0 else ("", minor)
    if not digits:
        return f"{sign}{whole}"
    major, rest = divmod(whole, 10**digits)
    return f"{sign}{major}.{rest:0{digits}d}"


def parse(text: str, currency: str) -> Money:
    """Read an amount such as ``45``, ``45.00`` or ``-3.05``; more digits than the currency has are refused.

    Raises:
        MoneyError: the text is not an amount of this currency.
    """
    digits = minor_digits(currency)
    raw = text.strip()
    body = raw[1:] if raw[:1] == "-" else raw
    major, point, rest = body.partition(".")
    whole = major.isascii() and major.isdigit() and len(major) <= 12
    part = not point or (rest.isascii() and rest.isdigit())
    if not whole or not part or len(rest) > digits:
        raise MoneyError(f"{text[:40]!r} is not an amount of {currency}", hint="write it like 45.00")
    minor = int(major) * 10**digits + int(rest.ljust(digits, "0") or "0")
    return Money(-minor if raw[:1] == "-" else minor, currency)


def percent(minor: int, numerator: int, denominator: int = 100) -> int:
    """Return numerator/denominator of an amount, rounded half up to the minor unit (away from zero at .5).

    >>> percent(8317, 10)
    832
    >>> percent(-8315, 10)
    -832
    """
    product = abs(minor) * numerator
    sign = -1 if minor < 0 else 1
    return sign * ((2 * product + denominator) // (2 * denominator))
