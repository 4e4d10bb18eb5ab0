"""A second opinion on a kiosk's journal: written from `docs/journal-format.md`, importing nothing of the kiosk.

    python bench/independent_verifier.py journal.db

prints one JSON object: `findings`, and what it rebuilt (`boxes` to the note, `closings`, `balances`, `payments`,
`grand_total_minor`).  Exit code 1 where there is any finding.  Python's own library alone: it has no Ed25519, so
signatures are looked at only where the `cryptography` package happens to be there; `kiosk journal verify` always
checks them.  The checks lie in files beside this one, `independent_facts`, `_money`, `_custody` and `_change`.

Each finding carries the number of the cash-control invariant (domain sheet §9) that it breaks; they are held in the
functions named here.

     1 entries, change    8 settlements, change  18 slips, counts  24 reports
     2 slips              9 settlements       19 counts            27 boxes
     3 chain, reversals  12 settlements       20 counts, people    28 slips, closings
     4 closings, clocks  13 slips             22 closings, boxes   29 clocks
     5 boxes, counts, change  14, 15 reversals  23 closings        30 chain (realm), commissioning
     6 notes             17 boxes                                  35 configuration, people
     7 settlements, slips, change                                  36 chain (epochs)

Of 8 and 22 a journal shows the kiosk's half: what became overpaid or is held, and that each Z lies in exactly one box.
Not a kiosk's, because they need other devices, the hub, the bank or the meters: 10 (one invoice at two devices), 11
(replay of an outbox), 16 (dismissed tickets), 21 (deposits), 25 (receivables of a month), 26 (exports), 31 (remittance
of surcharges), 32 (keys), 33 and 34 (meters).  Of 1, funds are the chart's, which is not in a journal: an entry is held
as a whole.  Of 14 and 15 a kiosk must have nothing: it voids, waives and refunds never.
"""

import json
import sqlite3
import sys
from collections import Counter
from pathlib import Path

if not __package__:  # started as a file, from anywhere
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.independent_change import Change
from bench.independent_custody import Custody
from bench.independent_facts import load
from bench.independent_money import Money


class Examination(Money, Custody, Change):
    """All checks over one journal."""

    def run(self):
        for check in (self.chain, self.clocks, self.configuration, self.entries, self.reversals, self.boxes, self.notes,
                      self.settlements, self.slips, self.closings, self.reports, self.counts, self.people,
                      self.hub, self.commissioning, self.change):  # fmt: skip
            check()
        return self


def signatures(facts):
    """Check every signature where the `cryptography` package is there; return what came of it."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return "not checked: Python's library has no Ed25519; `kiosk journal verify` checks them"
    key, good, bad = None, 0, []
    for fact in facts:
        if fact.kind in ("genesis", "epoch_started"):
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(fact.get("public_key")))
        if fact.signature is None or key is None:
            continue
        place = fact.epoch.to_bytes(8, "big") + fact.seq.to_bytes(8, "big")
        try:
            key.verify(fact.signature, b"kiosk-journal-head-v1\0" + fact.kiosk.encode() + b"\0" + place + fact.hash)
            good += 1
        except InvalidSignature:
            bad.append(f"{fact.epoch}/{fact.seq}")
    return {"good": good, "bad": bad}


def examine(path):
    """Check a journal; return what the command prints."""
    facts = load(path)
    found = Examination(facts).run()
    balances = Counter()
    for fact in facts:
        for account, minor in fact.entry[1] if fact.entry else ():
            balances[account, fact.entry[0]] += minor
    signed = signatures(facts)
    if isinstance(signed, dict):
        for place in signed["bad"]:
            found.findings.append(
                {"invariant": 3, "fact": place, "detail": "the signature is not by the journal's key"}
            )
    return {
        "journal": str(path), "facts": len(facts), "findings": found.findings, "signatures": signed,
        "realm": facts[0].realm if facts else "",
        "payments": sum(fact.kind == "settled" for fact in facts),
        "boxes": {session: sorted([code, value, count] for (code, value), count in notes.items())
                  for session, notes in sorted(found.content.items())},
        "unknown_notes": dict(found.unknown), "boxes_ended": sorted(found.ended),
        "hoppers": found.floats,
        "closings": found.closing_list, "grand_total_minor": found.grand_total,
        "balances": sorted([account, code, minor] for (account, code), minor in balances.items()),
    }  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python independent_verifier.py journal.db")
    try:
        told = examine(sys.argv[1])
    except sqlite3.Error as error:
        sys.exit(f"{sys.argv[1]}: {error}: is it a journal, journal-REALM.db or a backup of one, and may you read it?")
    print(json.dumps(told))
    sys.exit(1 if told["findings"] else 0)
