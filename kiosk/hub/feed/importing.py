"""Import of what is owed into the hub: the same files, mappings and reject files as at a kiosk, another target.

Rows are staged in a temporary table and taken over in short transactions, because the office is shared: each counts a
change of `invoices`, and the publisher takes up what it finds.  A run that was cut is repeated: rows that are there
already count as unchanged.  A snapshot marks last what its source no longer has.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from kiosk.errors import HubError
from kiosk.hub.feed.documents import check_plates, publish_plates
from kiosk.hub.revisions import bump
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import data_import, export, invoice
from kiosk.model.invoice import STATES
from kiosk.sync.importing import CsvImport, ImportReport, Progress, check_mapping
from kiosk.sync.judging import Prices, RowReader
from kiosk.sync.mapping import Mapping
from kiosk.sync.plates import KEY_FILE, read_or_make_key
from kiosk.sync.replica import DataSetInfo, Row, data_set_of
from kiosk.sync.replica_store import Plates, Taken
from kiosk.sync.staging import Staging
from kiosk.tariff.services import Service

#: Rows of one transaction.
PAGE = 2_000
_COLUMNS = (
    "number", "currency", "amount_minor", "paid_minor", "state", "issued", "due", "code", "offence", "held_days",
    "plate_hash", "counted", "gone",
)  # fmt: skip


class OfficeBatch(Staging):
    """Rows of one service on their way into the hub's office."""

    def __init__(self, staging: sqlite3.Connection, office: sa.Engine, service: str, *, by: str, counted: int) -> None:
        """`counted`: payments up to this position of the merge order are in the rows' paid amounts already."""
        super().__init__(staging, service)
        self._office, self._by, self._counted = office, by, counted

    def take_over(self, taken_at_ns: int, *, snapshot: bool = False, plates: Plates | None = None) -> Taken:
        """Take the staged rows over, and with `snapshot` mark those that are no longer there.

        Raises:
            HubError: rows that stay hold plates hashed under another key, or a snapshot has no row at all.
        """
        if plates is not None and not snapshot:
            with self._office.begin() as office:
                check_plates(office, self.service, plates.key_id)
        if snapshot and not self.count():
            raise HubError(
                "the file holds no row that can be taken, and would leave every kiosk without any",
                hint="look at the rejects and at the mapping; nothing was changed",
            )
        added = changed = unchanged = removed = revision = 0
        for page in self.pages(PAGE):
            with self._office.begin() as office:
                new, other, number = self._take(office, page)
            added, changed, revision = added + new, changed + other, number or revision
            unchanged += len(page) - new - other
        if snapshot:
            removed = self._mark_gone()
        with self._office.begin() as office:
            if plates is not None:
                publish_plates(office, self.service, plates.key_id, plates.states, whole=snapshot, by=self._by,
                               now_ns=taken_at_ns)  # fmt: skip
            kept = sa.select(sa.func.count()).where(invoice.c.service == self.service, ~invoice.c.gone)
            rows = office.execute(kept).scalar_one()
        self.close()
        return Taken(added, changed, unchanged, removed,
                     DataSetInfo(data_set_of(self.service), 0, revision, "", rows, taken_at_ns))  # fmt: skip

    def _take(self, office: sa.Connection, page: list[Row]) -> tuple[int, int, int]:
        """Take one page over; return how many rows were new and how many differ, and the number of the change."""
        there = {row[0]: tuple(row) for row in self._there(office, [row[0] for row in page])}
        wanted = [self._values(row) for row in page]
        news = [row for row in wanted if there.get(row[0]) != row]
        if not news:
            return 0, 0, 0
        number = bump(office, "invoices")
        insert = (postgresql if office.dialect.name == "postgresql" else sqlite).insert(invoice)
        changes = {name: insert.excluded[name] for name in (*_COLUMNS[1:], "changed")}
        office.execute(
            insert.on_conflict_do_update(index_elements=["service", "number"], set_=changes),
            [dict(zip(_COLUMNS, row, strict=True), service=self.service, changed=number) for row in news],
        )
        met = sum(row[0] in there for row in news)
        return len(news) - met, met, number

    def _there(self, office: sa.Connection, numbers: Iterable[str]) -> sa.CursorResult[Any]:
        wanted = sa.select(*(invoice.c[name] for name in _COLUMNS))
        return office.execute(wanted.where(invoice.c.service == self.service, invoice.c.number.in_(list(numbers))))

    def _values(self, row: Row) -> tuple[object, ...]:
        number, currency, amount, paid, state, issued, due, code, offence, held_days, plate, _, _ = row
        return (
            number, currency, amount, paid, STATES[state], dt.date.fromordinal(issued).isoformat(),
            None if due is None else dt.date.fromordinal(due).isoformat(), code, offence, held_days,
            plate.hex() if plate else "", self._counted, False,
        )  # fmt: skip

    def _mark_gone(self) -> int:
        """Mark what the staged rows lack; page by page in the database's own order, whatever that is."""
        last, removed = "", 0
        ours = (invoice.c.service == self.service) & ~invoice.c.gone
        while True:
            with self._office.begin() as office:
                wanted = sa.select(invoice.c.number).where(ours, invoice.c.number > last)
                numbers = list(office.execute(wanted.order_by(invoice.c.number).limit(PAGE)).scalars())
                if not numbers:
                    return removed
                missing = sorted(set(numbers) - self._among(numbers))
                if missing:
                    changes = {"gone": True, "changed": bump(office, "invoices")}
                    office.execute(sa.update(invoice).where(ours, invoice.c.number.in_(missing)).values(changes))
                last, removed = numbers[-1], removed + len(missing)

    def _among(self, numbers: list[str]) -> set[str]:
        wanted = f"SELECT number FROM temp.staging WHERE number IN ({', '.join('?' * len(numbers))})"
        return {row[0] for row in self._connection.execute(wanted, numbers)}


def import_file(
    source: Path, mapping: Mapping, service: Service, stores: Stores, state: Path, reject_path: Path, *,
    taken_at_ns: int, by: str, counted: int = 0, prices: Prices | None = None, progress: Progress | None = None,
) -> ImportReport:  # fmt: skip
    """Import one CSV file into the hub; plates are hashed with the city's plate.key in the state directory.

    Raises:
        KioskError: the file cannot be read or has not the columns of the mapping, or the database refuses.
    """
    check_mapping(mapping, service)
    key = b""
    if "plate" in (*mapping.columns.values(), *mapping.defaults):
        key = read_or_make_key(state / KEY_FILE)
    try:
        with (
            source.open("rb") as raw,
            reject_path.open("w", encoding="utf-8", newline="") as rejects,
            closing(sqlite3.connect("", isolation_level=None)) as staging,
        ):
            batch = OfficeBatch(staging, stores.office, service.id, by=by, counted=counted)
            rows = RowReader(mapping, service, key, prices)
            report = CsvImport(raw, mapping, batch, rows, rejects).run(taken_at_ns, source.stat().st_size, progress)
            raw.seek(0)
            digest = hashlib.file_digest(raw, "sha256").hexdigest()
    except OSError as fault:
        raise HubError(
            f"import of {source.name} stopped: {fault}", hint="mend it and repeat: what was taken counts once"
        ) from fault
    with stores.office.begin() as office:
        # Known to the publisher as the age of the data, also where nothing changed.
        bump(office, "invoices")
        told = {"id": f"{service.id}/{taken_at_ns}", "service": service.id, "file": source.name[:200], "digest": digest,
                "at_ns": taken_at_ns, "by": by[:64], "taken": report.taken, "unchanged": report.unchanged,
                "removed": report.removed, "rejected": report.rejected}  # fmt: skip
        office.execute(sa.insert(data_import), told)
    return report


def counted_by(stores: Stores, target: str, business_date: str) -> int:
    """Return up to which position of the merge order an export had counted payments.

    Raises:
        HubError: there is no such export.
    """
    with stores.office.begin() as office:
        wanted = sa.select(export.c.through).where(export.c.target == target, export.c.business_date == business_date)
        found = office.execute(wanted).scalar()
    if found is None:
        raise HubError(f"there is no export of {business_date[:10]} for {target[:40]!r}", hint="kiosk hub export")
    return int(found)
