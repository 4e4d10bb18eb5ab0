"""The data sets as they are published, and how far each kiosk has them: what the command line and the pages show."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from kiosk.hub.feed.documents import held
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import document, kiosk, kiosk_data, publication


class KioskShare(msgspec.Struct, frozen=True):
    """How far one kiosk is with one data set, by its own word."""

    kiosk: str
    #: 0 where it never said anything.
    cursor: int
    #: Changes that it lacks; -1 where only a snapshot helps.
    behind: int
    at_ns: int


class SetOverview(msgspec.Struct, frozen=True):
    """One data set."""

    name: str
    generation: int
    cursor: int
    digest: str
    rows: int
    taken_at_ns: int
    kiosks: tuple[KioskShare, ...]


def overview(stores: Stores) -> tuple[SetOverview, ...]:
    """Return all data sets by name, each with every approved kiosk."""
    with stores.books.connect() as books:
        wanted = sa.select(publication).where(publication.c.cursor > 0).order_by(publication.c.data_set)
        sets = [
            SetOverview(row.data_set, row.generation, row.cursor, row.digest, row.rows, row.taken_at_ns, ())
            for row in books.execute(wanted)
        ]
    with stores.office.connect() as office:
        times = {
            (row.name, row.version): row.at_ns
            for row in office.execute(sa.select(document.c.name, document.c.version, document.c.at_ns))
        }
        sets += [
            SetOverview(each.name, each.generation, each.cursor, each.digest, 1, times[each.name, each.cursor], ())
            for each in held(office)
        ]
        wanted = sa.select(kiosk.c.id).where(kiosk.c.state == "approved").order_by(kiosk.c.id)
        kiosks = list(office.execute(wanted).scalars())
        told = {(row.kiosk, row.data_set): row for row in office.execute(sa.select(kiosk_data))}
    return tuple(
        msgspec.structs.replace(
            each, kiosks=tuple(_share(each, name, told.get((name, each.name))) for name in kiosks)
        )
        for each in sets
    )  # fmt: skip


def _share(found: SetOverview, name: str, told: sa.Row[tuple[object, ...]] | None) -> KioskShare:
    if told is None:
        return KioskShare(name, 0, -1, 0)
    same = (told.generation, told.cursor, told.digest) == (found.generation, found.cursor, found.digest)
    behind = found.cursor - told.cursor if told.generation == found.generation else -1
    return KioskShare(name, told.cursor, 0 if same else behind if behind > 0 else -1, told.at_ns)
