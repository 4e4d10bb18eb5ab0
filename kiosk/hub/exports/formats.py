"""The file formats of exports: ours, and beside them those that plugins declare."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from kiosk.hub.exports import generic_csv, hledger, quickbooks_iif
from kiosk.model.exported import ExportedDate


class Format(msgspec.Struct, frozen=True):
    """One file format."""

    name: str
    #: Suffix of the file without the dot.
    suffix: str
    #: One line for people.
    summary: str
    #: Write a date down, in pieces; the same date gives the same bytes.
    write: Callable[[ExportedDate], Iterable[bytes]]


#: What comes with the hub.
BUILT_IN: dict[str, Format] = {
    each.name: each
    for each in (
        Format("hledger", "journal", "plain-text accounting, checked by hledger check -s", hledger.write),
        Format("csv", "csv", "date, batch, receipt, account, debit, credit, memo", generic_csv.write),
        Format("iif", "iif", "QuickBooks Desktop", quickbooks_iif.write),
    )
}
