"""Journals of a fleet as kiosks write them, and the segments in which they lie at a hub; from a seed, nothing random.

Facts, chain and signatures are made by the journal's own functions and entries by the ledger's, so that what measures
and tests the books posts what a street posts: about nine facts a payment.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores
from kiosk.journal.encoding import ROOT_HASH, chain, encode, head_message
from kiosk.journal.keys import SigningKey
from kiosk.ledger import entries
from kiosk.ledger.allocation import allocate
from kiosk.ledger.chart import Chart
from kiosk.model import facts
from kiosk.model.facts import AnyBody, Digests, Fact, Held, Late, Stamp
from kiosk.model.ids import NoteId
from kiosk.model.instant import Instant
from kiosk.model.invoice import Quote, QuoteLine
from kiosk.model.money import Money
from kiosk.model.texts import text
from kiosk.tariff.services import Service

DAY = dt.date(2026, 3, 9)
START_NS = 1_773_000_000_000_000_000


class City(msgspec.Struct, frozen=True):
    """The rules that the fleet works by."""

    chart: Chart
    services: dict[str, Service]
    pack: str
    realm: str = "live"


class Machine:
    """One kiosk's journal, in memory."""

    def __init__(self, name: str, city: City) -> None:
        self.name = name
        self.city = city
        self.key = SigningKey.from_seed((name * 32).encode()[:32])
        self.epoch, self.seq, self.head = 1, 0, ROOT_HASH
        self.second, self.serial, self.number, self.session = 0, 0, 0, 0
        self.box_session = 1
        #: Rows that no segment holds yet, from which seq, and the hash before them.
        self.waiting: list[bytes] = []
        self._first, self._previous = 1, ROOT_HASH
        self.commit(facts.Genesis(self.key.public_hex))

    def commit(
        self, *bodies: AnyBody, actor: str = "citizen", late: Late | None = None, pack: str | None = None,
        session: str | None = None,
    ) -> list[int]:  # fmt: skip
        """Append facts with one stamp; return their numbers."""
        self.second += 1
        ns = self.second * 1_000_000_000
        digests = Digests("0" * 16, "1" * 16, "2" * 16, self.city.pack if pack is None else pack)
        stamp = Stamp(Instant(START_NS + ns, -18_000, 7_000_000_000 + ns, "boot-1"), DAY, actor,
                      f"s-{self.session}" if session is None else session, self.box_session, digests, late)  # fmt: skip
        numbers = []
        for body in bodies:
            self.seq += 1
            fact = Fact(version=1, kiosk=self.name, epoch=self.epoch, seq=self.seq, realm=self.city.realm, stamp=stamp,
                        body=body)  # fmt: skip
            self.append(encode(fact))
            numbers.append(self.seq)
        return numbers

    def append(self, row: bytes) -> None:
        """Append a row as it is; `commit` counts `seq` itself."""
        self.waiting.append(row)
        self.head = chain(self.head, row)

    def stranger(self, row: bytes) -> None:
        """Append a row that is no fact of ours."""
        self.seq += 1
        self.append(row)

    # --- what people do ------------------------------------------------------------------------------------

    def freeze(self, number: str, owed: int, *, service: str = "parking_citation", knew: int = 0,
               held: Sequence[Held] = (), issued: dt.date | None = None) -> Quote:  # fmt: skip
        """A citizen confirms a price."""
        self.session += 1
        component = "fine" if service == "parking_citation" else self.city.services[service].order[0]
        line = QuoteLine(component, owed, text("fee.base", code="EXP"), "expired-meter@2026-01-01")
        quote = Quote(service, number, "USD", (line,), DAY, knew, issued)
        self.commit(facts.TenderFrozen((quote,), quote.due_minor, "USD", "en", tuple(held)))
        return quote

    def feed(self, *notes: int) -> None:
        """Notes are stacked and credited."""
        for minor in notes:
            self.serial += 1
            note, value = NoteId("notes", self.serial), Money(minor, "USD")
            self.commit(facts.StackIntended(note, value))
            self.commit(facts.NoteCredited(note, value, entries.note_credited(self.city.chart, value)))

    def settle(
        self, quote: Quote, tender: int, *, held: Sequence[Held] = (), late: Late | None = None
    ) -> facts.Settled:
        """The tender is applied, with a receipt that is printed."""
        before = {(each.service, each.number): each.minor for each in held}
        split = allocate(tender, [quote], self.city.services, before)
        entry = entries.settlement(self.city.chart, self.city.services, split)
        excess = "credit" if split.overpayment_minor else ""
        body = facts.Settled(tender, "USD", split.allocations(), split.overpayment_minor, entry, split.outcome,
                             "citizen", split.used, split.held, excess)  # fmt: skip
        self.number += 1
        sums = (("tender", tender), ("applied", split.applied_minor), ("overpayment", split.overpayment_minor),
                ("used", split.used_minor), ("held", split.held_minor))  # fmt: skip
        totals = tuple(facts.ReceiptTotal(*each) for each in sums if each[1])
        receipt = facts.ReceiptIssued(self.number, "receipt", 1, "en", (), totals, "USD", self.seq + 1, self.number)
        self.commit(body, receipt, late=late)
        self.commit(facts.PrintStarted(self.number, f"job-{self.number}", 0, "printer"))
        self.commit(facts.PrintEnded(self.number, f"job-{self.number}", 0, "printed"))
        return body

    def pay(
        self, number: str, owed: int, *notes: int, service: str = "parking_citation", knew: int = 0,
        issued: dt.date | None = None,
    ) -> facts.Settled:  # fmt: skip
        """A whole payment: nine facts with two notes."""
        quote = self.freeze(number, owed, service=service, knew=knew, issued=issued)
        self.feed(*notes)
        return self.settle(quote, sum(notes))

    # --- what the line does --------------------------------------------------------------------------------

    def batch(self) -> dict[str, object]:
        """Return what waits as a segment lacks only its worker and number."""
        first, previous = self._first, self._previous
        signature = self.key.sign(head_message(self.name, self.epoch, self.seq, self.head))
        body = msgspec.msgpack.encode(self.waiting)
        self.waiting, self._first, self._previous = [], self.seq + 1, self.head
        return {
            "kiosk": self.name, "epoch": self.epoch, "first": first, "last": self.seq, "previous": previous,
            "hash": self.head, "signature": signature, "codec": 0, "body": body,
        }  # fmt: skip


def store(stores: Stores, *machines: Machine, worker: int = 0) -> list[int]:
    """Put what waits at these machines into segments of a worker, in this order; return their numbers."""
    numbers = []
    with stores.segments.begin() as connection:
        newest = sa.select(sa.func.max(tables.segment.c.number)).where(tables.segment.c.worker == worker)
        number = connection.execute(newest).scalar() or 0
        for machine in machines:
            number += 1
            values = machine.batch()
            received = {"worker": worker, "number": number, "received_ns": START_NS + machine.second * 1_000_000_000}
            connection.execute(tables.segment.insert().values(**values, **received))
            where = (tables.mark.c.kiosk == machine.name) & (tables.mark.c.epoch == machine.epoch)
            connection.execute(tables.mark.delete().where(where))
            connection.execute(tables.mark.insert().values(
                kiosk=machine.name, epoch=machine.epoch, seq=machine.seq, hash=machine.head,
                journal_key=machine.key.public_hex, updated_ns=0,
            ))  # fmt: skip
            numbers.append(number)
    return numbers
