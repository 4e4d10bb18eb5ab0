"""Check digits of citation labels and bill lines (domain sheet §7).

Each function tells the check character that belongs to a body, or None where the body holds a character that
the algorithm does not know.  Layouts are data; nothing here knows a biller.
"""

from __future__ import annotations

ALGORITHMS = ("none", "luhn", "damm", "mod43", "mod10")

CODE39 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"

#: Rows of the quasigroup, digits 0 to 9 (domain sheet §7).
_DAMM = tuple(
    tuple(int(digit) for digit in row)
    for row in (
        "0317598642",
        "7092154863",
        "4206871359",
        "1750983426",
        "6123045978",
        "3674209581",
        "5869720134",
        "8945362017",
        "9438617205",
        "2581436790",
    )
)
#: A doubled digit with its digits added: 0 2 4 6 8 1 3 5 7 9.
_DOUBLED = tuple(sum(divmod(2 * digit, 10)) for digit in range(10))


def _digits(body: str) -> bool:
    """Tell whether the body is plain ASCII digits, and not empty."""
    return body.isascii() and body.isdigit()


def damm(body: str) -> str | None:
    """Return the Damm digit: finds every single error and every swap of neighbours, blind to zeros at either end.

    >>> damm("26000417")
    '5'
    """
    if not _digits(body):
        return None
    row = 0
    for digit in body:
        row = _DAMM[row][ord(digit) - 48]
    return str(row)


def luhn(body: str) -> str | None:
    """Return the Luhn digit (weights 2, 1, … from the right, digits of products added).

    >>> luhn("7992739871")
    '3'
    """
    if not _digits(body):
        return None
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = ord(digit) - 48
        total += value if place % 2 else _DOUBLED[value]
    return str(-total % 10)


def mod43(body: str) -> str | None:
    """Return the optional Code 39 check character; blind to swaps.

    >>> mod43("12345ABCDE/")
    'T'
    """
    total = 0
    for letter in body:
        value = CODE39.find(letter)
        if value < 0:
            return None
        total += value
    return CODE39[total % 43] if body else None


def mod10(body: str, weights: tuple[int, ...], *, add_digits: bool = True, from_right: bool = False) -> str | None:
    """Return a weighted modulus-10 digit; `weights` repeat along the body.

    Creditron and Naviga lines are weights 2, 1 from the left with the digits of products added.

    >>> mod10("76543210", (2, 1))
    '4'
    """
    if not _digits(body):
        return None
    total = 0
    for place, digit in enumerate(reversed(body) if from_right else body):
        product = (ord(digit) - 48) * weights[place % len(weights)]
        total += sum(int(part) for part in str(product)) if add_digits else product
    return str(-total % 10)
