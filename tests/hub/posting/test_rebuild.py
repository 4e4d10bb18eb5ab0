"""The books follow from the segments and their order alone: however they were cut into turns, on whichever engine."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.posted_fleet import City, Machine, store
from kiosk.hub.ingest.segments import rows_of
from kiosk.hub.posting import projector as module
from kiosk.hub.posting.acts import DEEDS, Acts
from kiosk.hub.posting.projector import REBUILD, Projector
from kiosk.hub.posting.rules import Rules
from kiosk.hub.revisions import bump
from kiosk.hub.store import tables
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import Stores, open_stores
from kiosk.model.facts import ReceiptIssued
from tests.hub.posting.conftest import DIGEST, books_of, post, rows
from tests.hub.posting.street import Street


def _empty(stores: Stores) -> None:
    for group in ("segments", "office", "books"):
        metadata = getattr(tables, group)
        with stores.engine(group).begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())


def _grow(stores: Stores, rules: Rules, city: City, seed: int, monkeypatch: pytest.MonkeyPatch) -> Street:
    """Let a street grow with turns and starts of the projector between, of all sizes."""
    street = Street(city, seed)
    pick = street.random
    for _ in range(pick.randint(2, 5)):
        for _ in range(pick.randint(1, 4)):
            street.walk(pick.randint(0, 4))
            street.send(stores)
        monkeypatch.setattr(module, "SEGMENTS_AT_ONCE", pick.randint(1, 6))
        monkeypatch.setattr(module, "FACTS_AT_ONCE", pick.randint(1, 60))
        projector = Projector(stores, rules, workers=1, digest=DIGEST)
        for _ in range(pick.randint(0, 6)):
            projector.turn()
    street.send_all(stores)
    monkeypatch.undo()
    post(stores, rules)
    return street


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
def test_a_rebuild_gives_the_same_books(
    stores: Stores, rules: Rules, city: City, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    _empty(stores)
    _grow(stores, rules, city, seed, monkeypatch)
    running = books_of(stores)
    assert running["posting"]
    projector = Projector(stores, rules, workers=1, digest=DIGEST)
    projector.empty()
    assert not books_of(stores)["posting"]
    assert projector.rebuilding
    while projector.turn():
        pass
    assert not projector.rebuilding
    assert books_of(stores) == running


def test_both_engines_come_to_the_same_books(
    postgresql: str, stores: Stores, rules: Rules, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = open_stores(Path("/nowhere"), postgresql)
    prepare(server)
    for seed in (1, 2):
        found = []
        for each in (stores, server):
            _empty(each)
            _grow(each, rules, city, seed, monkeypatch)
            found.append(books_of(each))
        assert found[0] == found[1]
        post(server, rules, "other rules")
        assert books_of(server) == found[1]
    server.close()


def test_money_is_nowhere_lost_between_payments_invoices_and_cases(
    stores: Stores, rules: Rules, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        _empty(stores)
        _grow(stores, rules, city, seed, monkeypatch)
        with stores.books.connect() as connection:
            paid = tables.payment.c
            taken, above = connection.execute(sa.select(sa.func.sum(paid.minor), sa.func.sum(paid.excess_minor))).one()
            counted = connection.execute(sa.select(sa.func.sum(tables.invoice_balance.c.paid_minor))).scalar_one()
            over = tables.invoice_balance.c.paid_minor > tables.invoice_balance.c.owed_minor
            assert connection.execute(sa.select(tables.invoice_balance).where(over)).all() == []
            cases = sa.select(sa.func.sum(tables.case.c.minor)).where(tables.case.c.kind == "overpayment")
            assert (connection.execute(cases).scalar() or 0) == above
            assert counted == taken - above
            owed = sa.select(sa.func.sum(tables.balance.c.minor)).where(tables.balance.c.account == "A690")
            excess = sa.select(sa.func.sum(tables.case.c.minor)).where(tables.case.c.kind == "excess")
            assert -(connection.execute(owed).scalar() or 0) == (connection.execute(excess).scalar() or 0)
            lines = sa.select(tables.posting.c.kiosk, tables.posting.c.account, sa.func.sum(tables.posting.c.minor))
            sums = {tuple(row[:2]): row[2] for row in connection.execute(lines.group_by("kiosk", "account"))}
        assert {(kiosk, account): minor for kiosk, _, account, minor in rows(stores, tables.balance)} == sums


def test_the_order_of_two_workers_is_written_down_once_and_replayed(stores: Stores, rules: Rules, city: City) -> None:
    early, late = Machine("K01", city), Machine("K02", city)
    early.pay("100000001", 5000, 5000)
    late.second = 1_000
    late.pay("100000001", 5000, 5000)
    store(stores, late, worker=1)
    post(stores, rules)
    store(stores, early, worker=0)  # received before by its clock, posted after: it stays second
    post(stores, rules)
    assert rows(stores, tables.payment, "kiosk", "excess_minor") == [("K01", 5000), ("K02", 0)]
    assert rows(stores, tables.merge) == [(1, 1, 1, 1), (2, 0, 1, late.seq + 1)]
    before = books_of(stores)
    post(stores, rules, "other rules")
    assert books_of(stores) == before


def test_books_of_other_rules_are_built_anew_and_so_are_books_on_request(
    stores: Stores, rules: Rules, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    _grow(stores, rules, city, 7, monkeypatch)
    build = dict(rows(stores, tables.state))["build"]
    assert dict(rows(stores, tables.state))["build"] == build
    projector = post(stores, rules, "other rules")
    assert dict(rows(stores, tables.state))["build"] != build
    assert not projector.asked_to_rebuild()
    with stores.office.begin() as connection:
        bump(connection, REBUILD)
    assert projector.asked_to_rebuild()


def test_what_the_database_refuses_is_found_row_by_row(
    stores: Stores, rules: Rules, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last net: a guard that does not know of some value must not stop the books of a whole city."""
    street = Street(city, 3)
    kiosk = street.machines[0]
    kiosk.pay("100000001", 2000, 2000)
    kiosk.pay("100000002", 2000, 2000)
    kiosk.pay("100000003", 2000, 2000)
    street.send_all(stores)
    monkeypatch.setattr("kiosk.hub.posting.guards.GUARDS", {})
    monkeypatch.setattr("kiosk.hub.posting.projection.GUARDS", {})
    bad = [place for place, row in enumerate(_bodies(stores)) if b"receipt_issued" in row][1]

    def refuse(acts: Acts, place: tuple[str, int, int], fact: object, position: int, digest: bytes) -> None:
        Acts.issued(acts, place, fact, position, digest)  # type: ignore[arg-type]
        if place[2] == bad + 1:
            acts.batch.balances["K01", "USD", "A200"] += 2**70

    monkeypatch.setitem(DEEDS, ReceiptIssued, refuse)
    post(stores, rules)
    assert rows(stores, tables.quarantine, "kiosk", "seq", "reason") == [("K01", bad + 1, "unpostable")]
    assert len(rows(stores, tables.payment)) == 3
    assert len(rows(stores, tables.receipt)) == 2
    assert rows(stores, tables.posted_through)[0] == ("K01", 1, kiosk.seq)


def _bodies(stores: Stores) -> list[bytes]:
    with stores.segments.connect() as connection:
        asked = sa.select(tables.segment.c.codec, tables.segment.c.body).where(tables.segment.c.kiosk == "K01")
        return [row for codec, body in connection.execute(asked) for row in rows_of(codec, body)]
