"""hledger's journal format: accounts and commodities declared, every block one transaction.

``hledger check -s`` refuses an account or a commodity that is not declared, and a transaction that does not balance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kiosk.model.exported import ExportedBlock, ExportedDate
from kiosk.model.money import minor_digits


def write(day: ExportedDate) -> Iterator[bytes]:
    """Write a date down."""
    yield _lines([f"; {_words(day.city)}: {day.batch}, business date {day.business_date}, {day.entries} entries"])
    yield _lines(f"commodity {code} {'1000.' + '0' * minor_digits(code)}" for code in day.currencies or (day.currency,))
    yield _lines(f"account {code}  ; {_words(name)}" for code, name in sorted(day.accounts.items()))
    for block in day.blocks:
        yield _lines(["", *_transaction(block, day.business_date.isoformat())])


def _transaction(block: ExportedBlock, date: str) -> Iterable[str]:
    yield f"{date} ({block.reference}) {_words(block.memo)}"
    wide = max(len(block.amount(line.minor)) for line in block.lines)
    for line in block.lines:
        yield f"    {line.account:<10}  {block.currency} {block.amount(line.minor):>{wide}}"


def _words(text: str) -> str:
    """Return a text that ends neither the line nor the description."""
    return "".join(letter if letter.isprintable() and letter not in ";|" else "," for letter in text)


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
