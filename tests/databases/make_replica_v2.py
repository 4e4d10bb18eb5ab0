"""Made `replica_v2.db`, the frozen replica of schema version 2: two services, plates, and an own payment's mark.

    python -m tests.databases.make_replica_v2 DIRECTORY

The file in this directory is never made again: it stands for the kiosks that are out there.
"""

from __future__ import annotations

import datetime as dt
import sys
from contextlib import closing
from pathlib import Path

from kiosk.model.invoice import Invoice, PostedThrough
from kiosk.sync.plates import key_id, plate_hash
from kiosk.sync.replica import to_row
from kiosk.sync.replica_store import Batch, Plates, open_store, writer_lock

KEY = b"k" * 32
INVOICES = (
    Invoice(service="parking_citation", number="260004175", currency="USD", amount_minor=None,
            issued=dt.date(2026, 3, 2), code="01", offence=3, plate_hash=plate_hash("EXM 101", KEY, "NY").hex()),
    Invoice(service="parking_citation", number="260004188", currency="USD", amount_minor=8317, paid_minor=100,
            issued=dt.date(2026, 3, 3), code="01", offence=2, posted_through=PostedThrough(2, 99)),
    Invoice(service="water_bill", number="7001", currency="USD", amount_minor=4500, issued=dt.date(2026, 3, 3),
            due=dt.date(2026, 4, 3)),
)  # fmt: skip


def main(directory: Path) -> None:
    """Write the file."""
    path = directory / "replica_v2.db"
    with writer_lock(path), closing(open_store(path)) as store:
        for service in ("parking_citation", "water_bill"):
            batch = Batch(store, service)
            for line, invoice in enumerate([each for each in INVOICES if each.service == service], 1):
                batch.add(to_row(invoice), line)
            plates = Plates(key_id(KEY), frozenset({"NY"})) if service == "parking_citation" else None
            batch.take_over(1_772_000_000_000_000_000, plates=plates)
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
