"""The stores hold what is written, on both engines."""

from __future__ import annotations

from kiosk.hub import revisions
from kiosk.hub.findings import Finding, note
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores


def test_a_revision_grows_with_every_change(both_stores: Stores) -> None:
    with both_stores.office.begin() as connection:
        assert revisions.current(connection, "registry") == 0
        assert [revisions.bump(connection, "registry") for _ in range(3)] == [1, 2, 3]
        assert revisions.current(connection, "registry") == 3
        assert revisions.current(connection, "invoices") == 0


def test_the_same_finding_again_only_counts(both_stores: Stores) -> None:
    told = Finding("fork", "error", "K07", 1, 12, "x" * 1000)
    for now in (5, 9):
        with both_stores.segments.begin() as connection:
            number = note(connection, tables.ingest_finding, told, now)
    with both_stores.segments.connect() as connection:
        rows = connection.execute(tables.ingest_finding.select()).mappings().all()
    assert [(row["id"], row["first_ns"], row["last_ns"], row["times"]) for row in rows] == [(number, 5, 9, 2)]
    assert len(rows[0]["detail"]) == 400
    assert number == told.id
