"""IIF, the tab-separated import of QuickBooks Desktop: a block is one TRNS line, SPL lines, and ENDTRNS.

It imports silently and without a currency: so every block must sum to zero, everything is ASCII, dates are
MM/DD/YYYY, and another currency than the city's is refused here, before anything is sealed.  Accounts are named by
their code, which must be the account's name there, letter for letter.
"""

from __future__ import annotations

from collections.abc import Iterator

from kiosk.errors import HubError
from kiosk.model.exported import ExportedDate

#: No DOCNUM: it has room for eleven letters, and a receipt's number is longer; the memo begins with it.
_FIELDS = ("TRNSTYPE", "DATE", "ACCNT", "AMOUNT", "MEMO")


def write(day: ExportedDate) -> Iterator[bytes]:
    """Write a date down.

    Raises:
        HubError: an entry is not in the city's currency.
    """
    foreign = [code for code in day.currencies if code != day.currency]
    if foreign:
        raise HubError(f"IIF has no place for a currency, and there are entries in {foreign[0]}",
                       hint="export this date as csv or hledger, for a target of its own")  # fmt: skip
    yield _row("!TRNS", *_FIELDS)
    yield _row("!SPL", *_FIELDS)
    yield _row("!ENDTRNS")
    date = day.business_date.strftime("%m/%d/%Y")
    for block in day.blocks:
        for place, line in enumerate(block.lines):
            yield _row("SPL" if place else "TRNS", "GENERAL JOURNAL", date, line.account, block.amount(line.minor),
                       f"{block.reference} {block.memo}")  # fmt: skip
        yield _row("ENDTRNS")


def _row(*cells: str) -> bytes:
    return ("\t".join(_plain(cell) for cell in cells) + "\r\n").encode("ascii")


def _plain(cell: str) -> str:
    """Return a cell without what ends one, in ASCII."""
    return "".join(letter if letter.isascii() and letter.isprintable() and letter != '"' else "?" for letter in cell)
