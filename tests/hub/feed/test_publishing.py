"""What is published of an invoice: imported, posted, settled, gone; on both engines the same."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from kiosk.hub.feed import publishing
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import data_import, publication, published, published_through
from kiosk.model.invoice import STATES
from kiosk.sync.feed import digest_of, read_row, weight
from tests.hub.feed.feeding import SERVICE, SET, FedHub


def row(hub: FedHub, number: str) -> tuple[int, str]:
    """What is published as paid, and the state."""
    told = hub.published()[number]
    assert told is not None
    found = read_row(told)
    return found[3], STATES[found[4]]


def state_of_set(hub: FedHub) -> sa.Row[tuple[object, ...]]:
    """The data set as it is published."""
    with hub.stores.books.connect() as books:
        return books.execute(sa.select(publication).where(publication.c.data_set == SET)).one()


def test_both_engines_publish_the_same_rows_cursors_and_digest(both_stores: Stores) -> None:
    hub = FedHub(both_stores)
    for number in ("a-1", "B-2", "ä3", "10", "9"):
        hub.imported(number, plate_hash="ab" * 12, due="2026-04-01", amount_minor=None, code="01")
    hub.posted("K01", 4, "9", 700)
    while hub.publish(most=2):
        pass
    hub.imported("10", gone=True)
    hub.publish()
    assert {number for number, told in hub.published().items() if told is None} == {"10"}
    assert row(hub, "9") == (700, "open")
    told = state_of_set(hub)
    live = [found for found in hub.published().values() if found is not None]
    assert (told.digest, told.rows) == (digest_of(sum(weight(each) for each in live)), 4)
    with both_stores.books.connect() as books:
        cursors = list(books.execute(sa.select(published.c.cursor)).scalars())
        assert books.execute(sa.select(published_through)).all() == [("K01", 1, 4)]
    assert len(set(cursors)) == 5
    assert max(cursors) == told.cursor
    assert hub.librarian.holdings()[0].digest == told.digest
    before = hub.published()
    assert not hub.publish()
    assert hub.published() == before
    assert state_of_set(hub).cursor == told.cursor


def test_what_kiosks_paid_is_added_to_what_the_source_knows(stores: Stores) -> None:
    hub = FedHub(stores)
    hub.imported("1", paid_minor=300)
    hub.posted("K01", 1, "1", 700)
    hub.publish()
    assert row(hub, "1") == (1000, "open")


def test_what_the_source_has_counted_itself_is_not_added_again(stores: Stores) -> None:
    hub = FedHub(stores)
    first = hub.posted("K01", 1, "1", 700)
    hub.posted("K01", 2, "1", 50)
    hub.imported("1", paid_minor=700, counted=first)
    hub.publish()
    assert row(hub, "1") == (750, "open")


def test_an_invoice_paid_in_full_at_kiosks_is_published_as_paid_so_that_no_late_fee_grows(stores: Stores) -> None:
    hub = FedHub(stores)
    hub.imported("1")
    hub.imported("2")
    hub.posted("K01", 1, "1", 5000, owed=5000)
    hub.posted("K01", 2, "2", 4000, owed=5000)
    hub.publish()
    assert row(hub, "1") == (5000, "paid")
    assert row(hub, "2") == (4000, "open")


def test_a_source_that_has_counted_every_payment_has_the_last_word_about_the_state(stores: Stores) -> None:
    hub = FedHub(stores)
    position = hub.posted("K01", 1, "1", 5000, owed=5000)
    hub.imported("1", paid_minor=0, counted=position)  # the payment was undone there
    hub.publish()
    assert row(hub, "1") == (0, "open")


def test_a_payment_of_an_invoice_that_comes_later_is_counted_when_it_comes(stores: Stores) -> None:
    hub = FedHub(stores)
    hub.posted("K01", 1, "1", 700)
    hub.publish()
    assert hub.published() == {}
    hub.imported("1")
    hub.publish()
    assert row(hub, "1") == (700, "open")


def test_what_was_paid_for_an_accounts_last_bill_is_no_payment_of_the_next(both_stores: Stores) -> None:
    """The number is the account's; its bills differ by the day they were issued."""
    hub = FedHub(both_stores)
    hub.imported("7", issued="2026-01-05")
    first = hub.posted("K01", 1, "7", 5000, owed=5000, bill="2026-01-05")
    hub.publish()
    assert row(hub, "7") == (5000, "paid")
    hub.imported("7", issued="2026-04-05", amount_minor=6000)
    hub.publish()
    assert row(hub, "7") == (0, "open")
    hub.posted("K01", 2, "7", 2000, owed=6000, bill="2026-04-05")
    hub.publish()
    assert row(hub, "7") == (2000, "open")
    # The biller's file comes again and has counted the payment of the first bill: that changes nothing of the second.
    hub.imported("7", issued="2026-04-05", amount_minor=6000, counted=first)
    hub.publish()
    assert row(hub, "7") == (2000, "open")
    hub.posted("K01", 3, "7", 4000, owed=6000, bill="2026-04-05")
    hub.publish()
    assert row(hub, "7") == (6000, "paid")
    # An old file cannot open a bill again that a later one has replaced.
    hub.imported("7", issued="2026-01-05")
    hub.publish()
    assert row(hub, "7") == (0, "paid")


def test_balances_never_wait_for_a_large_import(stores: Stores) -> None:
    hub = FedHub(stores)
    hub.imported("x")
    hub.publish()
    for number in range(30):
        hub.imported(f"{number:02d}")
    hub.posted("K01", 1, "x", 700)
    assert hub.publish(most=5)
    assert row(hub, "x") == (700, "open")
    assert len(hub.published()) < 31
    while hub.publish(most=5):
        pass
    assert len(hub.published()) == 31


def test_one_change_of_many_rows_is_published_whole_even_above_the_page(stores: Stores) -> None:
    hub = FedHub(stores)
    for number in range(9):
        hub.imported(f"{number}")
    with stores.office.begin() as office:
        office.execute(sa.text("UPDATE invoice SET changed = 9"))
    while hub.publish(most=2):
        pass
    assert len(hub.published()) == 9


def test_a_file_without_news_still_makes_the_data_younger(stores: Stores) -> None:
    hub = FedHub(stores)
    hub.imported("1")
    hub.publish()
    before = state_of_set(hub)
    told = {"id": "x", "service": SERVICE, "file": "f", "digest": "", "at_ns": 77, "by": "op", "taken": 0,
            "unchanged": 1, "removed": 0, "rejected": 0}  # fmt: skip
    with stores.office.begin() as office:
        office.execute(sa.insert(data_import), told)
        office.execute(sa.text("UPDATE revision SET number = number + 1 WHERE subject = 'invoices'"))
    hub.publish()
    after = state_of_set(hub)
    assert (after.taken_at_ns, after.cursor, after.digest) == (77, before.cursor + 1, before.digest)


def test_a_file_taken_while_the_clock_ran_ahead_does_not_keep_the_data_young_for_ever(stores: Stores) -> None:
    hub = FedHub(stores)
    hub.imported("1")
    told = {"service": SERVICE, "file": "f", "digest": "", "by": "op", "taken": 0, "unchanged": 1, "removed": 0,
            "rejected": 0}  # fmt: skip
    taken = []
    for at_ns, now_ns in ((10**18, 5_000), (6_000, 7_000)):
        with stores.office.begin() as office:
            office.execute(sa.insert(data_import), told | {"id": f"{at_ns}", "at_ns": at_ns})
            office.execute(sa.text("UPDATE revision SET number = number + 1 WHERE subject = 'invoices'"))
        with stores.books.begin() as books:
            publishing.refresh(books, stores.office, now_ns)
        taken.append(state_of_set(hub).taken_at_ns)
    assert taken == [5_000, 6_000]


def test_the_oldest_tombstones_go_and_move_the_horizon(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "TOMBSTONES", 3)
    hub = FedHub(stores)
    for number in range(6):
        hub.imported(f"{number}")
    hub.publish()
    for number in range(5):
        hub.imported(f"{number}", gone=True)
        hub.publish()
    kept = [number for number, told in hub.published().items() if told is None]
    assert sorted(kept) == ["2", "3", "4"]
    assert state_of_set(hub).horizon == 9  # the cursor of the second row that went


def test_books_that_were_posted_anew_are_published_in_one_step(stores: Stores) -> None:
    hub = FedHub(stores)
    for number in range(9):
        hub.imported(f"{number}")
    hub.posted("K01", 3, "8", 700)
    while hub.publish(most=2):
        pass
    before = state_of_set(hub)
    with stores.books.begin() as books:  # the new books know nothing of that payment
        for table in (tables.state, tables.invoice_balance, tables.payment):
            books.execute(sa.delete(table))
    hub.posted("K01", 4)
    assert not hub.publish(most=2)
    assert row(hub, "8") == (0, "open")
    after = state_of_set(hub)
    assert (after.generation, after.cursor) == (before.generation, before.cursor + 1)
