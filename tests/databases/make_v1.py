"""Made `v1.db`, the frozen journal of schema version 1: every kind of fact, two epochs, one backup between.

    python -m tests.databases.make_v1 DIRECTORY

The file in this directory is never made again: it stands for the journals that are out there.  This script stays
to tell how it came about; a new schema version gets a script and a file of its own.
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
from pathlib import Path

from kiosk.journal.backup import backup, restore
from kiosk.journal.keys import SigningKey
from kiosk.journal.store import Journal
from kiosk.model.entry import Entry, Posting
from kiosk.model.facts import (
    Allocation,
    AnyBody,
    CashboxChanged,
    ClockJumped,
    ConfigurationChanged,
    DeviceChanged,
    DeviceIdentified,
    Digests,
    EventRefused,
    ExcessAgreed,
    NoteCredited,
    NoteDisputed,
    NoteGone,
    NoteRejected,
    NoteReturned,
    NoteSuspended,
    PluginQuarantined,
    PrintEnded,
    PrintStarted,
    ReceiptIssued,
    ReceiptLine,
    ReceiptTotal,
    Reversed,
    ServiceChanged,
    SessionClosed,
    Settled,
    StackIntended,
    Stamp,
    Started,
    Stopped,
    TenderFrozen,
)
from kiosk.model.ids import NoteId
from kiosk.model.instant import Instant
from kiosk.model.invoice import Quote, QuoteLine
from kiosk.model.money import Money
from kiosk.model.texts import text

#: Example keys: whoever reads this can sign with them.
FIRST_KEY = SigningKey.from_seed(b"example key of the first epoch. ")
SECOND_KEY = SigningKey.from_seed(b"example key of the second epoch.")


def stamp(second: int) -> Stamp:
    """Return an example stamp."""
    return Stamp(
        at=Instant(1_773_000_000_000_000_000 + second * 10**9, -18_000, (second + 1) * 10**9, "example-boot"),
        business_date=dt.date(2026, 3, 8),
        actor="kiosk",
        session="s-1",
        box_session=1,
        digests=Digests("a" * 16, "b" * 16, "c" * 16),
    )


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def entry(debit: str, credit: str, minor: int, reason: str) -> Entry:
    return Entry("USD", (Posting(debit, minor), Posting(credit, -minor)), reason)


def first_commits() -> list[list[AnyBody]]:
    """Return what the first epoch holds after its genesis, commit by commit."""
    note, second, third, fourth = (NoteId("acceptor", serial) for serial in (1, 2, 3, 4))
    line = QuoteLine("fine", 1500, text("fee.base", code="EXP"), "expired-meter@2026-01-01", "Example Code 1-2-3")
    quote = Quote("parking_citation", "PC0000017", "USD", (line,), dt.date(2026, 3, 8))
    suspense = entry("cash_box", "suspense", 500, "suspense")
    totals = (ReceiptTotal("tender", 2000), ReceiptTotal("applied", 1500), ReceiptTotal("overpayment", 500))
    paid = ReceiptLine("parking_citation", "PC0000017", "fine", 1500, text("fee.base", code="EXP"))
    settlement = Entry(
        "USD", (Posting("unapplied", 2000), Posting("fines", -1500), Posting("overpayments", -500)), "settlement"
    )
    allocation = Allocation("parking_citation", "PC0000017", 1500, 0, "full")
    return [
        [Started(unclean=False), ConfigurationChanged("a" * 16, "b" * 16, "c" * 16, ("kiosk.toml",))],
        [PluginQuarantined("example", "raised in its hook"), ClockJumped(1500), EventRefused("Idle", "note_escrowed")],
        [
            DeviceIdentified("acceptor", "Example 10", "1.0", "0001"),
            DeviceChanged("printer", "paper_low", "warn", "1c"),
        ],
        [ServiceChanged(("printer",)), ServiceChanged(()), CashboxChanged("acceptor", removed=True, box_session=1)],
        [TenderFrozen((quote,), 1500, "USD", "en"), ExcessAgreed(500, "USD")],
        [StackIntended(note, usd(2000))],
        [NoteCredited(note, usd(2000), entry("cash_box", "unapplied", 2000, "note"), device_mark="17")],
        [NoteGone(note), NoteRejected("acceptor", "recognition", "79")],
        [
            Settled(2000, "USD", (allocation,), 500, settlement, "paid", "citizen"),
            ReceiptIssued(1, "receipt", 1, "en", (paid,), totals, "USD", 18),
        ],
        [PrintStarted(1, "job-1", 0, "printer"), PrintEnded(1, "job-1", 0, "printed")],
        [SessionClosed("paid")],
        [StackIntended(second, usd(1000)), NoteReturned(second, "acceptor", "commanded")],
        [StackIntended(third, usd(1000))],
        [NoteDisputed(third, usd(1000), "silence", entry("cash_in_dispute", "disputed", 1000, "dispute"))],
        [
            NoteSuspended("acceptor", fourth, usd(500), "outside a session", suspense),
            Reversed(1, 27, "example", undo(suspense)),
        ],
        [NoteSuspended("acceptor", None, None, "nobody announced it", None), Stopped("example")],
    ]


def undo(original: Entry) -> Entry:
    return Entry(original.currency, tuple(Posting(p.account, -p.minor) for p in original.postings), "reversal")


def make(directory: Path) -> Path:
    """Make the file and return its path."""
    target = directory / "v1.db"
    with tempfile.TemporaryDirectory() as work:
        old = Path(work) / "journal.db"
        with Journal.create(old, kiosk="K07", realm="demo", key=FIRST_KEY, stamp=stamp(0)) as journal:
            for second, bodies in enumerate(first_commits(), 1):
                journal.append(bodies, stamp(second))
            journal.save_checkpoint(journal.seq, b"a state")
        backup(old, Path(work) / "backup.db")
        restore(Path(work) / "backup.db", target, stamp=stamp(100), key=SECOND_KEY, reason="example restore")
    with Journal.open(target, key=SECOND_KEY) as journal:
        journal.append([Started(unclean=True)], stamp(101))
    for suffix in (".lock", ".ballast"):
        target.with_name(target.name + suffix).unlink()
    return target


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
