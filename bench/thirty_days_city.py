"""The city of `make thirty-days`: a live kiosk's configuration, and open invoices of three services."""

from __future__ import annotations

import datetime as dt
import random
from contextlib import closing
from pathlib import Path

from bench.replica_data import number
from kiosk import app
from kiosk.model.invoice import Invoice
from kiosk.sync.replica import to_row
from kiosk.sync.replica_store import Batch, open_store, writer_lock
from kiosk.tariff.check_digits import luhn, mod10

CONFIG = """
# A city that exists only in this campaign.
[kiosk]
id = "K07"
realm = "live"
languages = ["en", "es"]
[paths]
state = "state"
runtime = "run"
[[device]]
name = "notes"
driver = "id003_acceptor"
line = { port = "campaign-notes" }
[[device]]
name = "receipt"
driver = "escpos_printer"
line = { port = "campaign-receipt" }
options = { profile = "epson-tm-t20iii" }
[[device]]
name = "scanner"
driver = "line_scanner"
line = { port = "campaign-scanner" }
"""


class City:
    """Configuration, reference data and the invoices that are still open."""

    def __init__(self, room: Path, begins: dt.date, count: int, chance: random.Random) -> None:
        room.mkdir(parents=True, exist_ok=True)
        file = room / "kiosk.toml"
        file.write_text(CONFIG, encoding="utf-8")
        self.replica = room / "sync.db"
        self._rows = {
            "parking_citation": [_citation(at, begins, chance) for at in range(count)],
            "water_bill": [_water(at, begins, chance) for at in range(count * 3 // 5)],
            "property_tax": [_tax(at, begins, chance) for at in range(count // 5 + 5)],
        }
        #: What stands on the papers of invoices that nobody has brought yet.
        self.open = {service: [_label(each) for each in rows] for service, rows in self._rows.items()}
        for labels in self.open.values():
            chance.shuffle(labels)
        self.deliver(int(dt.datetime.combine(begins, dt.time(), dt.UTC).timestamp()) * 1_000_000_000)
        self.setup = app.load(file)

    def deliver(self, wall_ns: int) -> None:
        """Bring the reference data, as of now."""
        with writer_lock(self.replica), closing(open_store(self.replica)) as store:
            for service, invoices in self._rows.items():
                batch = Batch(store, service)
                for line, invoice in enumerate(invoices, 1):
                    batch.add(to_row(invoice), line)
                batch.take_over(wall_ns, snapshot=True)


def _label(invoice: Invoice) -> str:
    """Return what is scanned: a bill's stub has nine digits of the account and a check digit, others the number."""
    if invoice.service != "water_bill":
        return invoice.number
    account = invoice.number[1:]
    return f"W{account}{mod10(account, (2, 1))}"


def _citation(at: int, begins: dt.date, chance: random.Random) -> Invoice:
    issued = begins - dt.timedelta(days=chance.randrange(1, 25))
    return Invoice(
        service="parking_citation", number=number(at), currency="USD", amount_minor=None, issued=issued, code="01",
        offence=chance.choice((2, 3, 3, 5)),
    )  # fmt: skip


def _water(at: int, begins: dt.date, chance: random.Random) -> Invoice:
    issued = begins - dt.timedelta(days=chance.randrange(5, 30))
    return Invoice(
        service="water_bill", number=f"0{2 + at % 8}{10_000_000 + at:08d}", currency="USD",
        amount_minor=chance.randrange(1_100, 9_800), issued=issued, due=issued + dt.timedelta(days=30),
    )  # fmt: skip


def _tax(at: int, begins: dt.date, chance: random.Random) -> Invoice:
    body = f"2026{at + 100:07d}"
    return Invoice(
        service="property_tax", number=body + str(luhn(body)), currency="USD",
        amount_minor=chance.randrange(60, 300) * 100, issued=begins - dt.timedelta(days=20),
        due=begins + dt.timedelta(days=60),
    )  # fmt: skip
