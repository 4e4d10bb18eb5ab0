"""Holds a journal against the cash box: what every run of `make crash` must come to."""

from __future__ import annotations

from pathlib import Path

import msgspec

from kiosk.journal.reader import Reader
from kiosk.journal.verify import verify
from kiosk.model import facts


class Count(msgspec.Struct):
    """Sums of a journal in minor units, and everything that is not as it must be."""

    credited: int = 0
    suspended: int = 0
    disputed: int = 0
    receipts: int = 0
    differences: list[str] = []


def count_journal(path: Path, box_minor: int, *, may_dispute: bool = False) -> Count:
    """Read a journal anew and compare it with the sum of the notes in the box.

    Held against it: cents in the box = credited + suspended + disputed; no note booked twice; slips numbered without a
    gap; tender settled = tender credited, and with what was held before = applied + overpaid + held; and whatever
    `verify` finds.
    """
    count = Count()
    say = count.differences.append
    numbers: list[int] = []
    notes: list[str] = []
    settled = used = spread = 0
    disputes: dict[tuple[int, int], int] = {}
    with Reader(path) as reader:
        for finding in verify(reader):
            say(f"verify: {finding}")
        for committed in reader.read():
            body, fact = committed.fact.body, committed.fact
            match body:
                case facts.NoteCredited():
                    count.credited += body.value.minor
                    notes.append(str(body.note))
                case facts.NoteSuspended(value=None):
                    say("a note of unknown value was suspended")
                case facts.NoteSuspended():
                    count.suspended += body.value.minor if body.value else 0
                    notes.append(str(body.note))
                case facts.NoteDisputed():
                    disputes[fact.epoch, fact.seq] = body.value.minor
                case facts.Reversed():
                    disputes.pop((body.original_epoch, body.original_seq), None)
                case facts.ReceiptIssued():
                    numbers.append(body.number)
                case facts.Settled():
                    settled += body.tender_minor
                    used += sum(part.minor for part in body.used)
                    spread += body.overpayment_minor + sum(part.minor for part in body.allocations)
                    spread += sum(part.minor for part in body.held)
    count.disputed, count.receipts = sum(disputes.values()), len(numbers)
    explained = count.credited + count.suspended + count.disputed
    # Where a dispute is right the note of it may be anywhere.
    least = explained - count.disputed if may_dispute else explained
    if not least <= box_minor <= explained:
        say(f"the box holds {box_minor}, the journal explains {explained}: {count.credited} credited, "
            f"{count.suspended} suspended, {count.disputed} disputed")  # fmt: skip
    if count.disputed and not may_dispute:
        say("a note was disputed although the wire told its end")
    if len(set(notes)) != len(notes):
        say("a note was booked twice")
    if numbers != list(range(1, len(numbers) + 1)):
        say(f"slip numbers are not contiguous: {numbers}")
    if settled != count.credited or spread != settled + used:
        say(f"credited {count.credited}, settled {settled}, used {used}, applied, overpaid and held {spread}")
    return count
