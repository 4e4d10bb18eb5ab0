"""A hub's registry with example kiosks in it, and workers without a network."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from kiosk.hub.ingest.answering import Answering
from kiosk.hub.ingest.intake import Intake
from kiosk.hub.ingest.registered import Registrations
from kiosk.hub.ingest.segments import SegmentStore, segments_after
from kiosk.hub.revisions import bump
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores
from kiosk.journal.keys import SigningKey
from tests.hub.ingest.journals import REALM, Kiosk

HUB = "city-hall"
HUB_KEY = SigningKey.from_seed(b"example key of a hub".ljust(32, b"."))


def approve(stores: Stores, kiosk: Kiosk, worker: int = 0, state: str = "approved") -> None:
    """Put a kiosk and its journal keys into the registry."""
    with stores.office.begin() as connection:
        connection.execute(sa.delete(tables.kiosk).where(tables.kiosk.c.id == kiosk.name))
        connection.execute(sa.delete(tables.kiosk_key).where(tables.kiosk_key.c.kiosk == kiosk.name))
        connection.execute(
            tables.kiosk.insert().values(
                id=kiosk.name, state=state, realm=REALM, name="", place="", changed_ns=0, changed_by="", worker=worker
            )
        )
        for key, registered in kiosk.keys.items():
            connection.execute(
                tables.kiosk_key.insert().values(
                    purpose="journal", key=key, kiosk=kiosk.name, epoch=registered.epoch, state=registered.state,
                    since_ns=0, words="",
                )
            )  # fmt: skip
        bump(connection, "registry")


def make_worker(stores: Stores, number: int = 0, said: list[str] | None = None) -> Intake:
    """Return a worker as the service puts it together."""
    registrations = Registrations(stores.office, HUB, HUB_KEY)
    answering = Answering(HUB, "incarnation-1", HUB_KEY, registrations)
    return Intake(
        number, SegmentStore(stores.segments), registrations, answering, (said if said is not None else []).append
    )


def rows_here(stores: Stores, kiosk: str, workers: Sequence[int] = (0,)) -> list[bytes]:
    """Return every stored row of a kiosk in the order of the segments."""
    with stores.segments.begin() as connection:
        found = [one for worker in workers for one in segments_after(connection, worker, 0, 10_000)]
    return [row for one in found if one.kiosk == kiosk for row in one.rows()]


def findings_here(stores: Stores) -> dict[str, int]:
    """Return the workers' findings: code and how often."""
    with stores.segments.begin() as connection:
        return {row.code: row.times for row in connection.execute(sa.select(tables.ingest_finding))}
