"""A fleet that writes journals, and a projector that posts them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from bench.posted_fleet import City, Machine
from kiosk import config
from kiosk.app.pack import load_pack
from kiosk.hub.posting.comparing import dump
from kiosk.hub.posting.projector import Projector
from kiosk.hub.posting.rules import Rules
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores

DIGEST = "rules-1"


@pytest.fixture(scope="session")
def city() -> City:
    pack = load_pack(config.sample_dir())
    return City(pack.chart, pack.library.services, pack.name)


@pytest.fixture(scope="session")
def rules(city: City) -> Rules:
    return Rules(city.chart, city.services, city.pack, city.realm)


@pytest.fixture
def machine(city: City) -> Callable[[str], Machine]:
    return lambda name: Machine(name, city)


def post(stores: Stores, rules: Rules, digest: str = DIGEST) -> Projector:
    """Post everything that waits, as a projector that was just started."""
    projector = Projector(stores, rules, workers=1, digest=digest)
    while projector.turn():
        pass
    return projector


def rows(stores: Stores, table: sa.Table, *columns: str) -> list[Any]:
    """Return the rows of a table in the order of its key, or some of its columns."""
    asked = sa.select(*(table.c[name] for name in columns or table.c.keys())).order_by(*table.primary_key.columns)
    with stores.engine(_group(table)).connect() as connection:
        return [tuple(row) for row in connection.execute(asked)]


def _group(table: sa.Table) -> str:
    return next(name for name in ("segments", "office", "books") if table.metadata is getattr(tables, name))


def books_of(stores: Stores) -> dict[str, list[dict[str, Any]]]:
    """Return everything in the books that follows from the segments."""
    with stores.books.connect() as connection:
        return dump(connection)


def register(stores: Stores, *machines: Machine) -> None:
    """Register the keys of these machines."""
    for each in machines:
        register_key(stores, each.name, each.key.public_hex)


def register_key(stores: Stores, kiosk: str, key: str) -> None:
    """Register a journal key of a kiosk."""
    values = {"purpose": "journal", "key": key, "kiosk": kiosk, "epoch": 1, "state": "current", "since_ns": 1}
    with stores.office.begin() as connection:
        connection.execute(tables.kiosk_key.insert().values(words="", **values))
