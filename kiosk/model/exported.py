"""A business date as accounting software gets it: what an exporter is handed.

The hub collects the entries of a date, nets what belongs to one receipt into one block, and seals the date; an
exporter only writes it down.  Every block balances to zero, and the blocks' sums are the ledger's.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from kiosk.model.entry import Posting
from kiosk.model.money import plain

#: Reasons that a memo names, and letters of each.
MOST_REASONS, LONGEST_REASON = 6, 40


class ExportedBlock(msgspec.Struct, frozen=True):
    """What belongs together, of one currency: the entries of a receipt, or one entry that has none."""

    #: Printed receipt number, "" where the block has none.
    receipt: str
    #: Place of its first fact: kiosk, epoch, seq.
    kiosk: str
    epoch: int
    seq: int
    #: Why its entries were posted, in their order, e.g. ``("note", "settlement")``.
    reasons: tuple[str, ...]
    currency: str
    #: Net by account, debits first; none is zero, and they sum to zero.
    lines: tuple[Posting, ...]
    #: Date of the tender, where the block posts on a later one; None elsewhere.
    tendered: dt.date | None = None

    @property
    def reference(self) -> str:
        """The receipt's number, else the first fact's place: ``K07-1-f412``."""
        return self.receipt or f"{self.kiosk}-{self.epoch}-f{self.seq}"

    @property
    def memo(self) -> str:
        """What it is, and for a late one its own date and place; plain ASCII."""
        what = " + ".join(map(_plain, self.reasons[:MOST_REASONS]))
        if len(self.reasons) > MOST_REASONS:
            what += " + more"
        if self.tendered is None:
            return what
        return f"{what}; late, of {self.tendered}, {self.kiosk}-{self.epoch}-f{self.seq}"

    @property
    def debit_minor(self) -> int:
        """Sum of the debits, which is the sum of the credits."""
        return sum(line.minor for line in self.lines if line.minor > 0)

    def amount(self, minor: int) -> str:
        """Write an amount of the block's currency with a point and nothing else."""
        return plain(minor, self.currency)


class ExportedDate(msgspec.Struct, frozen=True):
    """Everything that posts on one business date for one target."""

    business_date: dt.date
    #: Accounting system that it goes to, as the city calls it.
    target: str
    #: Number of the export, from 1 without a gap within its target.
    number: int
    city: str
    #: The city's own currency (ISO 4217); a block may have another.
    currency: str
    #: All accounts of the chart: code -> name.
    accounts: dict[str, str]
    #: By kiosk, epoch and seq.
    blocks: tuple[ExportedBlock, ...]
    #: How many entries of the ledger the blocks hold.
    entries: int

    @property
    def batch(self) -> str:
        """Name of the export for people and programs: ``erp-000012``."""
        return f"{self.target}-{self.number:06d}"

    @property
    def currencies(self) -> tuple[str, ...]:
        """Currencies that occur, in order of their codes."""
        return tuple(sorted({block.currency for block in self.blocks}))


def _plain(reason: str) -> str:
    """Return a reason in plain letters: a kiosk wrote it, and a spreadsheet would obey a leading ``=``.

    >>> _plain("settlement"), _plain('=1+"1"'), _plain("-2")
    ('settlement', '?1??1?', '?2')
    """
    kept = reason[:LONGEST_REASON]
    return "".join(each if each.isascii() and (each.isalnum() or each in " _") else "?" for each in kept).strip() or "?"
