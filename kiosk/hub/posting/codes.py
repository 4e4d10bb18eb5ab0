"""Every code that posting and `hub verify` use for a finding and what it means; what to do: docs/hub-findings.md."""

from __future__ import annotations

#: Rows that are evidence and cannot be posted: each is in `quarantine`; a finding of kiosk and epoch counts them.
QUARANTINED = {
    "row_unreadable": "the bytes of a row are not a fact",
    "fact_too_new": "a fact was written by a newer version of the software than the hub's",
    "kind_unknown": "a fact is of a kind that the hub's software does not know",
    "foreign_kiosk": "a fact tells of another kiosk than the one whose journal it is in",
    "other_realm": "a fact of another realm than this hub's (training or demonstration at a live hub, or the reverse)",
    "row_misplaced": "a fact says another place than the one it stands at",
    "value_out_of_range": "a number or a text of a fact is larger than anything true can be",
    "entry_unbalanced": "an entry does not balance, or posts nothing to an account",
    "segment_altered": "the bytes of a segment are not those that were acknowledged: its hash is another one",
    "unpostable": "the database refuses what a fact says, for a reason that nothing above names",
}

#: What was posted, and does not add up.
POSTED = {
    "entry_refused": "an entry that balances breaks the rules of the chart: an unknown account, or a fund off balance",
    "entry_differs": "an entry is not what the rules post for such a fact; it stands as it was receipted",
    "settlement_differs": "a settlement's tender is not what it applies, owes and holds, or not what its prices give",
    "currency_differs": "an invoice was paid in another currency than its service's; the two are never added",
    "reversal_unknown": "a reversal names no earlier fact with an entry",
    "reversal_differs": "a reversal does not undo its original exactly",
    "held_overdrawn": "a kiosk paid with money held for an invoice that it never held",
    "reversal_of_payment": "a payment was reversed at a kiosk, which no kiosk does",
    "paid_twice": "several kiosks took money for one invoice; what is above is a case",
    "receipt_twice": "one receipt number was issued twice",
    "closing_twice": "one Z number was given twice",
    "box_differs": "a count compares with another sum than the notes of the box session",
    "payout_twice": "a payout was intended, let go or ended more than once",
    "payout_unintended": "a hopper's payout that no settlement intended",
    "payout_differs": "a payout's coins are not those intended, or more than its settlement owed",
    "hopper_overdrawn": "a hopper was asked for, or paid, more coins than people had put in",
    "hopper_differs": "a hopper was filled or counted as if it held other coins than the facts tell",
    "people_conflict": "a kiosk's own list of people says something else than the hub's, which stands",
    "people_refused": "a kiosk could not take the hub's list of people",
    "pack_refused": "a kiosk refused the city's pack that the hub sent",
    "facts_missing": "facts between two segments of a journal are missing",
    "facts_repeated": "a segment repeats facts that are posted; they are not posted again",
    "segment_missing": "a segment that was acknowledged, or is in the merge order, is not in the database",
}

#: What only `hub verify` finds; it also tells the codes of `kiosk journal verify` (kiosk/journal/findings.py).
VERIFIED = {
    "segment_unlinked": "a segment does not go on from the hash of the one before",
    "epoch_cuts_facts": "a new epoch begins before facts that are here: they happened and stay",
    "key_unregistered": "an epoch is signed with a key that was never registered for the kiosk",
    "mark_differs": "how far a journal is said to be here is not where its segments end",
    "merge_hole": "the stored order of the segments has a hole, or names one twice",
    "book_differs": "a row of the books is not what a clean rebuild from the segments gives",
    "export_body": "a stored export is not the bytes that were written",
    "export_gap": "an export does not go on where the one before for the same target ended",
    "export_differs": "the entries of an exported date are others than when it was sealed",
    "books_uncompared": "the books were not held against clean ones, and why",
}

SEVERITIES = {
    "paid_twice": "note", "other_realm": "warning", "fact_too_new": "warning", "kind_unknown": "warning",
    "people_conflict": "warning", "facts_repeated": "warning", "epoch_cuts_facts": "warning",
    "books_uncompared": "note",
}  # fmt: skip

CODES = {**QUARANTINED, **POSTED, **VERIFIED}


def severity(code: str) -> str:
    """Return how bad a finding is: ``error`` unless the table says less."""
    return SEVERITIES.get(code, "error")
