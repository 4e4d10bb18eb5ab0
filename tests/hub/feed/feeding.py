"""A hub's books and some kiosks, on real databases, without a network: what posting would write is written here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kiosk.hub.feed.answers import Librarian
from kiosk.hub.feed.publishing import refresh
from kiosk.hub.revisions import bump
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import invoice, invoice_balance, payment, posted_through, published
from kiosk.journal.keys import SigningKey
from kiosk.sync import wire
from kiosk.sync.messages import Message, Pull
from kiosk.sync.replica import Replica
from kiosk.sync.replica_feed import ReplicaFeed

SERVICE = "water_bill"
SET = f"invoices:{SERVICE}"
NOW = 1_770_000_000_000_000_000


class FedHub:
    """A hub that publishes; `now_ns` is its clock."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.signing = SigningKey.from_seed(b"h" * 32)
        self.librarian = Librarian(stores, "city-hall", self.signing)
        self.now_ns = NOW
        self._revision = 0
        self._position = 0

    def imported(self, number: str, **values: Any) -> None:
        """Write an imported row, as an import of one row does."""
        with self.stores.office.begin() as office:
            row = {"service": SERVICE, "number": number, "currency": "USD", "amount_minor": 5000, "paid_minor": 0,
                   "state": "open", "issued": "2026-03-02", "due": None, "code": "", "offence": 0, "held_days": 0,
                   "plate_hash": "", "gone": False, "counted": 0, **values}  # fmt: skip
            row["changed"] = bump(office, "invoices")
            office.execute(sa.delete(invoice).where(invoice.c.service == SERVICE, invoice.c.number == number))
            office.execute(sa.insert(invoice), row)

    def posted(self, kiosk: str, seq: int, number: str = "", minor: int = 0, *, owed: int | None = None,
               bill: str = "") -> int:  # fmt: skip
        """Count one fact of a kiosk, as posting does; return its position."""
        self._position += 1
        with self.stores.books.begin() as books:
            books.execute(sa.delete(posted_through).where(posted_through.c.kiosk == kiosk))
            books.execute(sa.insert(posted_through), {"kiosk": kiosk, "epoch": 1, "seq": seq})
            if minor:
                ours = (invoice_balance.c.service == SERVICE) & (invoice_balance.c.number == number)
                same = ours & (invoice_balance.c.bill == bill)
                before = books.execute(sa.select(invoice_balance.c.paid_minor).where(same)).scalar() or 0
                books.execute(sa.delete(invoice_balance).where(ours))
                books.execute(sa.insert(invoice_balance), {
                    "service": SERVICE, "number": number, "currency": "USD", "paid_minor": before + minor,
                    "held_minor": 0, "owed_minor": owed, "changed": self._position, "bill": bill,
                })  # fmt: skip
                books.execute(sa.insert(payment), {
                    "kiosk": kiosk, "epoch": 1, "seq": seq, "service": SERVICE, "number": number,
                    "position": self._position, "currency": "USD", "minor": minor, "remaining_minor": 0,
                    "outcome": "partial", "business_date": "2026-03-02", "session": "s", "excess_minor": 0,
                    "bill": bill,
                })  # fmt: skip
        return self._position

    def publish(self, *, most: int = 1000) -> bool:
        """Let the projector publish once."""
        self.now_ns += 1_000_000_000
        with self.stores.books.begin() as books:
            return refresh(books, self.stores.office, self.now_ns, most=most)

    def published(self) -> dict[str, bytes | None]:
        """Every row that is published, by number."""
        with self.stores.books.connect() as books:
            return {row[0]: row[1] for row in books.execute(sa.select(published.c.key, published.c.row))}


class FedKiosk:
    """A kiosk that takes what the hub sends; a message goes through its bytes both ways."""

    def __init__(self, path: Path, hub: FedHub, name: str = "K01", **options: Any) -> None:
        self.path, self.hub, self.name = path, hub, name
        self._options = {"pace_ns": 0, "free_bytes": lambda path: 1 << 40, **options}
        self.now_ns = NOW
        self.messages: list[Message] = []
        self.bytes = 0
        self.start()

    def start(self) -> None:
        """Begin kiosk-sync, also again after it was killed."""
        self.feed = ReplicaFeed(self.path, self.name, **self._options)
        self.feed.connected("city-hall", self.hub.signing.public_hex)

    def kill(self) -> None:
        """Let kiosk-sync die; what it committed is all that stays."""
        self.feed.close()

    def sync(self, *, most: int = 10_000, rounds: int = 3) -> int:
        """Ask and take until nothing more is wanted or `most` messages came; return how many came."""
        came = 0
        for _ in range(rounds):
            waiting = self.feed.wants(self.now_ns)
            while waiting:
                pull = waiting.pop(0)
                _, read = wire.decode(wire.encode(pull, session=1, number=1), wire.UP)
                assert isinstance(read, Pull)
                for answer in self.hub.librarian.answer(read, self.name):
                    if came >= most:
                        return came
                    frames = wire.encode(answer, session=1, number=1, pack=True)
                    self.bytes += sum(len(frame) for frame in frames)
                    _, message = wire.decode(frames, wire.DOWN)
                    came += 1
                    self.messages.append(message)
                    waiting += self.feed.received(message, self.now_ns)
        return came

    def asks_again(self) -> None:
        """Let so much time pass that the hub is asked how far everything is."""
        self.now_ns += 700 * 1_000_000_000

    def rows(self) -> dict[str, tuple[object, ...]]:
        """Every invoice of the replica, by number."""
        replica = Replica.open(self.path)
        try:
            found = replica._connection.execute(f"SELECT * FROM invoices_{SERVICE}").fetchall()
        finally:
            replica.close()
        return {row[0]: row for row in found}
