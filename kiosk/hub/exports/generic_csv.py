"""CSV for whatever takes a journal import: one line a posting, debit and credit in columns of their own.

No subtotals, blank rows or thousands separators, because importers refuse them; the last column names the currency.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from kiosk.model.exported import ExportedDate

COLUMNS = ("date", "batch", "receipt", "account", "debit", "credit", "memo", "currency")


def write(day: ExportedDate) -> Iterator[bytes]:
    """Write a date down."""
    yield _row(COLUMNS)
    for block in day.blocks:
        for line in block.lines:
            debit, credit = (block.amount(line.minor), "") if line.minor > 0 else ("", block.amount(-line.minor))
            yield _row(
                (day.business_date.isoformat(), day.batch, block.reference, line.account, debit, credit, block.memo,
                 block.currency)
            )  # fmt: skip


def _row(cells: tuple[str, ...]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode()
