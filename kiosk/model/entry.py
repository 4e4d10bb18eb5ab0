"""Double entry as data: an entry is postings that sum to zero.  Debits are positive, credits negative."""

from __future__ import annotations

import msgspec


class Posting(msgspec.Struct, frozen=True, array_like=True):
    """One side of an entry."""

    account: str
    #: Signed minor units: debit positive, credit negative; never zero.
    minor: int


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """Postings of one currency that balance to zero; `ledger.entries.check` refuses anything else."""

    currency: str
    postings: tuple[Posting, ...]
    #: What it is: ``note``, ``suspense``, ``dispute``, ``settlement``, ``reversal`` …
    reason: str
