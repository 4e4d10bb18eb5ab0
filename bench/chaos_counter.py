"""A counter that takes payments into a real journal: the core of a campaign's kiosk, without its devices.

    python -m bench.chaos_counter STATE KIOSK SEED PAUSE_MS|end

Opens the journal of STATE (or begins it with its key), commits one payment after another with the facts, the grouping
into commits and the entries of a real one, and prints ``SEQ`` after each commit that the journal has acknowledged.
Numbers of invoices come from a small pool that all counters share, so that now and then two of them take money for
the same invoice.  It ends with the process; a SIGKILL anywhere is as good an end as any.  With ``end`` it opens the
journal, says so in one fact and ends in order: a commit that a SIGKILL cut between the disk and SQLite's index of it is
then either there for everybody or gone for ever, as after any restart.
"""

from __future__ import annotations

import datetime as dt
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from kiosk import config
from kiosk.journal.keys import SigningKey
from kiosk.journal.store import Journal
from kiosk.ledger.allocation import allocate
from kiosk.ledger.chart import load_chart
from kiosk.ledger.entries import note_credited, note_suspended, settlement
from kiosk.model import facts
from kiosk.model.ids import NoteId
from kiosk.model.instant import Instant
from kiosk.model.invoice import Quote, QuoteLine
from kiosk.model.money import Money
from kiosk.model.texts import text
from kiosk.tariff import library

REALM = "live"
SERVICE = "parking_citation"
CURRENCY = "USD"
#: Invoices that all counters of a run share.
POOL = 60
#: What each invoice of the pool costs, minor units.
FINE = 2000
#: Payments of a hundred that bring more than is due, and notes of a hundred that come outside a session.
EXCESS, OUTSIDE = 10, 5
SMALL = {"ballast_bytes": 64 << 10, "reserve_bytes": 1 << 16}


class Counter:
    """Owns one journal and takes payments into it."""

    def __init__(self, state: Path, kiosk: str, seed: int) -> None:
        city = config.sample_dir()
        rules = {
            f"{room}/{path.name}": path.read_text(encoding="utf-8")
            for room in ("services", "policies")
            for path in (city / room).glob("*.toml")
        }
        self._services = dict(library.load(rules).services)
        self._component = self._services[SERVICE].order[0]
        self._chart = load_chart((city / "chart.toml").read_text(encoding="utf-8"))
        self._chance = random.Random(f"{kiosk} {seed} {time.time_ns()}")
        path, key_path = journal_of(state), state / f"journal-{REALM}.key"
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            self.journal = Journal.open(path, key=SigningKey.load(key_path), **SMALL)
        else:
            key = SigningKey.load(key_path) if key_path.exists() else SigningKey.create(key_path)
            self.journal = Journal.create(path, kiosk=kiosk, realm=REALM, key=key, stamp=self._stamp(""), **SMALL)
        if self.journal.seq == 1 and self.journal.epoch == 1:
            self._commit("", facts.Commissioned("admin:0", "example-city 2026.1"))
        self._receipts = self._numbers_given_out()

    def _numbers_given_out(self) -> int:
        """The last receipt number of this epoch: numbers go on where they ended."""
        issued = [each.fact for each in self.journal.read() if isinstance(each.fact.body, facts.ReceiptIssued)]
        return max((fact.body.number for fact in issued if fact.epoch == self.journal.epoch), default=0)

    def _stamp(self, session: str, actor: str = "kiosk") -> facts.Stamp:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        at = Instant(time.time_ns(), 0, time.monotonic_ns(), boot)
        date = at.local().date()
        return facts.Stamp(at, date, actor, session, 1, facts.Digests("0" * 16, "1" * 16, "2" * 16))

    def payment(self) -> Iterator[int]:
        """Take one payment; yield the seq after each commit."""
        number = f"26{self._chance.randrange(POOL):06d}"
        session = f"s{self.journal.epoch}-{self.journal.seq}"
        serial = self.journal.epoch * 1_000_000 + self.journal.seq + 1  # never given twice, restored or not
        value = Money(2000 if self._chance.randrange(100) >= EXCESS else 5000, CURRENCY)
        note = NoteId("notes", serial)
        if self._chance.randrange(100) < OUTSIDE:
            entry = note_suspended(self._chart, value)
            yield self._commit("", facts.NoteSuspended("notes", note, value, "outside a session", entry))
            return
        line = QuoteLine(self._component, FINE, text("reason.fine"), "example@2026-01-01")
        quote = Quote(SERVICE, number, CURRENCY, (line,), dt.date(2026, 1, 5))
        yield self._commit(session, facts.TenderFrozen((quote,), FINE, CURRENCY, "en"))
        yield self._commit(session, facts.StackIntended(note, value))
        yield self._commit(session, facts.NoteCredited(note, value, note_credited(self._chart, value)))
        yield self._commit(session, facts.NoteGone(note))
        split = allocate(value.minor, (quote,), self._services)
        self._receipts += 1
        settled = facts.Settled(
            value.minor, CURRENCY, split.allocations(), split.overpayment_minor,
            settlement(self._chart, self._services, split), split.outcome, "citizen",
            excess="credit" if split.overpayment_minor else "",
        )  # fmt: skip
        totals = (("due", FINE), ("tender", value.minor), ("applied", FINE), ("overpayment", split.overpayment_minor))
        slip = facts.ReceiptIssued(
            self._receipts, "receipt", 1, "en",
            (facts.ReceiptLine(SERVICE, number, self._component, FINE, text("reason.fine")),),
            tuple(facts.ReceiptTotal(name, minor) for name, minor in totals if minor), CURRENCY,
            self.journal.seq + 1, self._receipts,
        )  # fmt: skip
        yield self._commit(session, settled, slip)
        yield self._commit(session, facts.PrintStarted(self._receipts, f"j{self._receipts}", 0, "receipt"))
        yield self._commit(session, facts.PrintEnded(self._receipts, f"j{self._receipts}", 0, "printed"))
        yield self._commit(session, facts.SessionClosed("done"))

    def end(self) -> None:
        """Say that this is the end, and end."""
        self._commit("", facts.Stopped("the campaign is at rest"))
        self.journal.close()

    def _commit(self, session: str, *bodies: facts.AnyBody) -> int:
        self.journal.append(bodies, self._stamp(session, "citizen" if session else "device:notes"))
        return self.journal.seq


def journal_of(state: Path) -> Path:
    """Return where a kiosk keeps its journal."""
    return state / f"journal-{REALM}.db"


def main(arguments: list[str]) -> None:
    """Take payments until the process ends."""
    counter = Counter(Path(arguments[0]), arguments[1], int(arguments[2]))
    print(counter.journal.seq, flush=True)
    if arguments[3] == "end":
        counter.end()
        return
    pause_ms = int(arguments[3])
    while True:
        for seq in counter.payment():
            print(seq, flush=True)
            time.sleep(pause_ms / 1000)


if __name__ == "__main__":
    main(sys.argv[1:])
