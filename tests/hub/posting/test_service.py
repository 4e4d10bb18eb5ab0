"""The projector's process posts what comes, publishes what changed, and nothing while it builds anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bench.posted_fleet import City, Machine, store
from kiosk.app.hubs import load_hub
from kiosk.hub.posting import service
from kiosk.hub.posting.projector import REBUILD
from kiosk.hub.posting.rules import Rules
from kiosk.hub.revisions import bump
from kiosk.hub.setup import HubSetup
from kiosk.hub.store import tables
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import Stores
from tests.hub.posting.conftest import rows


@pytest.fixture
def setup(tmp_path: Path) -> HubSetup:
    file = tmp_path / "hub.toml"
    file.write_text(f'[hub]\nid = "city-hall"\nstate = "{tmp_path}/state"\nruntime = "{tmp_path}/run"\n')
    return load_hub(file)


class Running:
    """A projector in a thread; remembers what was published when."""

    def __init__(self, setup: HubSetup) -> None:
        self.published: list[int] = []
        self._stop = threading.Event()
        self.thread = threading.Thread(target=service.run, args=(setup, self._stop.is_set, self._publish), daemon=True)

    def _publish(self, books: sa.Connection, office: sa.Engine, now_ns: int) -> bool:
        assert now_ns > 0
        self.published.append(books.execute(sa.select(sa.func.count()).select_from(tables.payment)).scalar_one())
        return False

    def end(self) -> None:
        self._stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture
def running(setup: HubSetup) -> Iterator[Running]:
    made = Running(setup)
    made.thread.start()
    yield made
    made.end()


def until(found: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not found():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def opened(setup: HubSetup) -> Iterator[Stores]:
    made = setup.stores()
    prepare(made)
    yield made
    made.close()


def test_what_a_worker_commits_is_posted_and_published(opened: Stores, running: Running, city: City) -> None:
    until(lambda: running.published)
    kiosk = Machine("K07", city)
    kiosk.pay("100000001", 2000, 2000)
    store(opened, kiosk)
    until(lambda: running.published[-1] == 1)
    assert len(rows(opened, tables.fact)) == kiosk.seq


def test_an_import_is_published_without_any_fact(opened: Stores, running: Running) -> None:
    until(lambda: running.published)
    before = len(running.published)
    with opened.office.begin() as connection:
        bump(connection, "invoices")
    until(lambda: len(running.published) > before)


def test_a_rebuild_on_request_publishes_nothing_before_every_payment_counts_again(
    opened: Stores, running: Running, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiosk = Machine("K07", city)
    for number in range(1, 9):
        kiosk.pay(f"10000000{number}", 2000, 2000)
        store(opened, kiosk)
    until(lambda: running.published and running.published[-1] == 8)
    build = dict(rows(opened, tables.state))["build"]
    monkeypatch.setattr("kiosk.hub.posting.projector.SEGMENTS_AT_ONCE", 1)
    seen = len(running.published)
    with opened.office.begin() as connection:
        bump(connection, REBUILD)
    until(lambda: dict(rows(opened, tables.state))["build"] != build and len(running.published) > seen)
    assert set(running.published[seen:]) == {8}


def test_the_rules_of_a_hub_are_its_packs(setup: HubSetup, city: City) -> None:
    rules = Rules.of(setup)
    assert (rules.pack, rules.realm) == (city.pack, "live")
    assert rules.chart == city.chart


def test_half_a_rebuild_is_never_published(
    opened: Stores, setup: HubSetup, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiosk = Machine("K07", city)
    for number in range(1, 4):
        kiosk.pay(f"10000000{number}", 2000, 2000)
        store(opened, kiosk)
    projector = service.open_projector(setup, opened)
    while projector.turn():
        pass
    calls: list[int] = []

    def told(books: sa.Connection, office: sa.Engine, now_ns: int) -> bool:
        calls.append(projector.place)
        return False

    publisher = service._Publisher(projector, opened, told)
    projector.empty()
    monkeypatch.setattr("kiosk.hub.posting.projector.SEGMENTS_AT_ONCE", 1)
    publisher.publish()
    while projector.turn():
        publisher.publish()
    assert calls == [3]
