"""The same pages and alerts from either database."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from kiosk.hub.alerts import service, shelf
from kiosk.hub.store import tables
from kiosk.model.instant import NS
from tests.hub.web.city import City
from tests.hub.web.example import example

PAGES = (
    "/fleet", "/kiosks/K07", "/findings", "/findings?kiosk=K11", "/days", "/days?kiosk=K07", "/receipts", "/cases",
    "/receipts?invoice=260009001", "/receipts?number=K07", "/invoices", "/invoices/parking_citation/260009001",
    "/facts/K07/1/7", "/looks", "/enrolment",
)  # fmt: skip


def told(city: City, person: str) -> dict[str, str]:
    """The pages without what is different in each session."""
    browser = city.browser(person)
    found = {path: browser.get(path) for path in PAGES}
    bare = {path: re.sub(r'name="(token|once)" value="[^"]*"', "", answer.text) for path, answer in found.items()}
    return {path: f"{found[path].status_code} {text}" for path, text in bare.items()}


def test_every_page_tells_the_same_from_postgresql(town: City, tmp_path: Path, postgresql: str) -> None:
    other = example(tmp_path, database=postgresql)
    try:
        for person in ("o-audit", "o-count", "o-admin"):
            assert told(other, person) == told(town, person)
        with pytest.raises(sa.exc.DBAPIError, match="read-only"), other.desk.reader.books.begin() as connection:
            connection.execute(sa.delete(tables.receipt))
        watcher = service.Watcher(other.setup, 0)
        # Silence, a backlog of 21 minutes, and the fork; the silence of K10 was told before.
        assert watcher.round(other.now_ns) == 2
        assert watcher.round(other.now_ns + NS) == 0
        watcher.close()
        for row in other.rows(tables.alert)[-1:]:
            shelf.write(other.stores.office, (), [row.id.rpartition(".")[0]], ("webhook",), other.now_ns)
        with other.stores.office.connect() as connection:
            message = shelf.next_message(connection, "webhook", other.now_ns)
        assert message is not None
        assert message.event == "cleared"
        shelf.told(other.stores.office, message, other.now_ns)
        shelf.sweep(other.stores.office, other.now_ns + shelf.KEPT_NS + NS)
        assert len(other.rows(tables.alert)) == 2
    finally:
        other.close()
