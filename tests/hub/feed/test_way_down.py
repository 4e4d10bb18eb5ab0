"""From the hub's books into a kiosk's replica: exact, whole or not at all, and taken up again wherever it was cut."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from kiosk.errors import ReplicaError
from kiosk.hub.feed import answers, documents, publishing
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores
from kiosk.sync import replica_runs
from kiosk.sync.feed import read_row
from kiosk.sync.messages import Delta, End, Message, Nack, Nudge, Pull, Snap
from kiosk.sync.plates import key_id, plate_hash
from kiosk.sync.replica import Replica, to_row
from kiosk.sync.replica import documents as documents_of
from kiosk.sync.replica_store import Batch
from tests.hub.feed.feeding import NOW, SERVICE, SET, FedHub, FedKiosk
from tests.sync.test_replica import BASE

KEY = b"k" * 32


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows make a run of several parts."""
    monkeypatch.setattr(answers, "_ROWS", 3)


@pytest.fixture
def hub(stores: Stores) -> FedHub:
    made = FedHub(stores)
    for number in range(20):
        made.imported(f"{number:02d}")
    made.publish()
    return made


def expected(hub: FedHub) -> dict[str, object]:
    """What a kiosk must hold: exactly what is published."""
    return {number: read_row(row) for number, row in hub.published().items() if row is not None}


def names(messages: list[Message]) -> list[str]:
    """The kinds of messages, in order."""
    return [type(message).__name__ for message in messages]


def test_a_first_snapshot_brings_everything_and_deltas_what_changed(hub: FedHub, tmp_path: Path) -> None:
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.sync()
    assert names(kiosk.messages) == ["Nudge", *["Snap"] * 7, "End"]
    assert kiosk.rows() == expected(hub)
    kiosk.messages.clear()
    hub.imported("05", paid_minor=100)
    hub.imported("06", gone=True)
    hub.imported("99")
    hub.publish()
    kiosk.asks_again()
    kiosk.sync()
    assert names(kiosk.messages) == ["Nudge", "Delta", "End"]
    assert kiosk.rows() == expected(hub)
    assert set(kiosk.rows()) >= {"99"}
    assert "06" not in kiosk.rows()


def test_the_way_down_is_the_same_from_both_engines(both_stores: Stores, tmp_path: Path) -> None:
    hub = FedHub(both_stores)
    for number in range(8):
        hub.imported(f"{number}")
    hub.posted("K01", 4, "3", 700)
    hub.publish()
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.sync(most=3)
    hub.imported("1", gone=True)
    hub.publish()
    kiosk.asks_again()
    kiosk.sync()
    assert kiosk.rows() == expected(hub)
    with closing(Replica.open(kiosk.path)) as replica:
        found = replica.find(SERVICE, "3")
    assert found is not None
    assert (found.paid_minor, found.posted_through.seq) == (700, 4)


@pytest.mark.parametrize("cut", range(1, 13))
def test_a_run_cut_at_any_message_goes_on_where_it_was_and_comes_out_exact(
    hub: FedHub, tmp_path: Path, cut: int
) -> None:
    first = FedKiosk(tmp_path / "first.db", hub)
    came = first.sync(most=cut)
    whole = first.feed.cursors() != ()
    for suffix in ("", "-wal"):  # the files as a kill would leave them
        shutil.copy(tmp_path / f"first.db{suffix}", tmp_path / f"second.db{suffix}")
    hub.imported("01", paid_minor=7)
    hub.imported("02", gone=True)
    hub.imported("55")
    hub.publish()
    second = FedKiosk(tmp_path / "second.db", hub)
    if not whole:
        with closing(Replica.open(second.path)) as replica:
            assert replica.find(SERVICE, "03") is None
            assert replica.datasets() == ()
    second.sync()
    assert second.rows() == expected(hub)
    assert second.feed.troubles == {}
    if not whole:  # no part comes twice
        parts = [m.chunk for m in first.messages + second.messages if isinstance(m, Snap)]
        assert sorted(parts) == list(range(7)), came


def test_nothing_of_a_snapshot_is_visible_before_its_end(hub: FedHub, tmp_path: Path) -> None:
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.sync()
    before = kiosk.rows()
    for number in range(20):
        hub.imported(f"{number:02d}", paid_minor=1)
    with hub.stores.books.begin() as books:  # as after a rebuild
        for table in (tables.published, tables.publication, tables.state):
            books.execute(sa.delete(table))
    hub.publish()
    kiosk.asks_again()
    with closing(Replica.open(kiosk.path)) as reader:
        for _ in range(8):
            assert kiosk.sync(most=1, rounds=1) <= 1
            kiosk.now_ns += 31 * 10**9
            paid = {row[3] for row in kiosk.rows().values()}
            assert len(paid) == 1
            assert {reader.find(SERVICE, "00").paid_minor} == paid  # type: ignore[union-attr]
        assert kiosk.rows() == before
        kiosk.sync()
        assert {row[3] for row in kiosk.rows().values()} == {1}
        assert reader.find(SERVICE, "00").paid_minor == 1  # type: ignore[union-attr]


def test_a_kiosk_that_was_away_too_long_takes_a_snapshot(
    hub: FedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.sync()
    monkeypatch.setattr(publishing, "TOMBSTONES", 2)
    for number in range(8):
        hub.imported(f"{number:02d}", gone=True)
        hub.publish()
    assert sum(row is None for row in hub.published().values()) == 2
    kiosk.messages.clear()
    kiosk.asks_again()
    kiosk.sync()
    assert "Snap" in names(kiosk.messages)
    assert "Delta" not in names(kiosk.messages)
    assert kiosk.rows() == expected(hub)


def test_a_snapshot_whose_tombstones_are_gone_meanwhile_begins_again(
    hub: FedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "TOMBSTONES", 2)
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.sync(most=4)
    for number in range(8):  # among them rows that came already: nobody tells any more that they are gone
        hub.imported(f"{number:02d}", gone=True)
        hub.publish()
    kiosk.asks_again()
    kiosk.sync()
    assert kiosk.rows() == expected(hub)
    assert kiosk.feed.troubles == {}


def test_books_that_come_out_the_same_cost_no_row(hub: FedHub, tmp_path: Path) -> None:
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.sync()
    with hub.stores.books.begin() as books:
        for table in (tables.published, tables.publication, tables.state):
            books.execute(sa.delete(table))
    hub.publish()
    kiosk.messages.clear()
    kiosk.asks_again()
    kiosk.sync()
    assert names(kiosk.messages) == ["Nudge", "End"]
    assert kiosk.feed.cursors() == hub.librarian.holdings()


def test_a_row_lost_on_the_disk_is_noticed_by_a_recount_and_comes_again(hub: FedHub, tmp_path: Path) -> None:
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.sync()
    with closing(sqlite3.connect(kiosk.path)) as other, other:
        other.execute(f"DELETE FROM invoices_{SERVICE} WHERE number = '07'")
    kiosk.now_ns += 90_000 * 10**9
    for _ in range(8):
        kiosk.sync(rounds=1)
        kiosk.now_ns += 90 * 10**9
    assert kiosk.rows() == expected(hub)
    assert kiosk.feed.troubles == {}


def test_changes_that_do_not_come_to_the_hubs_digest_change_nothing_and_lead_to_a_snapshot(
    hub: FedHub, tmp_path: Path
) -> None:
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.sync()
    with closing(sqlite3.connect(kiosk.path)) as other, other:
        other.execute(f"UPDATE invoices_{SERVICE} SET paid_minor = 9 WHERE number = '07'")
    hub.imported("07", paid_minor=10)
    hub.publish()
    kiosk.asks_again()
    kiosk.sync()
    assert kiosk.rows()["07"][3] == 9
    assert "digest" in kiosk.feed.troubles[SET]
    kiosk.asks_again()
    kiosk.sync()
    assert kiosk.rows() == expected(hub)
    assert kiosk.feed.troubles == {}


def test_a_line_that_loses_doubles_and_swaps_messages_delays_and_never_damages(hub: FedHub, tmp_path: Path) -> None:
    chance = random.Random(11)
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    late: list[Message] = []
    for turn in range(120):
        if turn < 60 and turn % 4 == 0:
            hub.imported(f"{chance.randrange(30):02d}", paid_minor=turn, gone=chance.random() < 0.2)
            hub.publish()
        kiosk.now_ns += 31 * 10**9
        waiting = kiosk.feed.wants(kiosk.now_ns)
        while waiting:
            pull = waiting.pop()
            assert isinstance(pull, Pull)
            for answer in hub.librarian.answer(pull, kiosk.name):
                draw = chance.random() if turn < 60 else 0.9
                late += [answer] if draw < 0.2 else []
                if draw >= 0.1:
                    waiting += kiosk.feed.received(answer, kiosk.now_ns)
                if late and draw < 0.4:
                    waiting += kiosk.feed.received(late.pop(chance.randrange(len(late))), kiosk.now_ns)
    assert kiosk.rows() == expected(hub)
    assert kiosk.feed.cursors() == hub.librarian.holdings()


def test_no_signature_but_the_hubs_for_this_kiosk_makes_anything_visible(hub: FedHub, tmp_path: Path) -> None:
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.hub = stranger = FedHub(hub.stores)
    stranger.librarian._signing = stranger.signing.generate()
    kiosk.sync()
    assert "signature" in kiosk.feed.troubles[SET]
    assert kiosk.feed.cursors() == ()
    kiosk.hub, kiosk.name = hub, "K02"  # answers for another kiosk
    kiosk.asks_again()
    kiosk.sync()
    assert "signature" in kiosk.feed.troubles[SET]
    assert kiosk.feed.cursors() == ()
    kiosk.name = "K01"
    kiosk.asks_again()
    kiosk.sync()
    assert kiosk.rows() == expected(hub)


def test_without_room_nothing_is_staged_and_with_room_it_goes_on(hub: FedHub, tmp_path: Path) -> None:
    free = [200 << 20]
    kiosk = FedKiosk(tmp_path / "sync.db", hub, free_bytes=lambda path: free[0])
    kiosk.sync(most=4)
    free[0] = 100 << 20
    kiosk.asks_again()
    kiosk.sync()
    assert "are free" in kiosk.feed.troubles[SET]
    assert kiosk.feed.cursors() == ()
    free[0] = 1 << 30
    kiosk.asks_again()
    kiosk.sync()
    assert kiosk.rows() == expected(hub)
    assert kiosk.feed.troubles == {}


def test_another_hub_takes_over_with_its_own_balances_and_what_it_counted(
    hub: FedHub, stores: Stores, tmp_path: Path
) -> None:
    hub.posted("K01", 5, "03", 1000)
    hub.publish()
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.sync()
    with stores.books.begin() as books:
        for table in (tables.published, tables.publication, tables.published_through, tables.state,
                      tables.posted_through, tables.invoice_balance):  # fmt: skip
            books.execute(sa.delete(table))
    second = FedHub(stores)
    second.librarian._hub = "second"
    second.now_ns += 10**12
    second.posted("K01", 2)
    second.publish()
    kiosk.hub = second
    kiosk.feed.connected("second", second.signing.public_hex)
    assert kiosk.feed.cursors() == ()
    kiosk.sync()
    with closing(Replica.open(kiosk.path)) as replica:
        found = replica.find(SERVICE, "03")
    assert found is not None
    assert (found.paid_minor, found.posted_through.seq) == (0, 2)


def test_a_file_is_not_imported_beside_a_hubs_data(hub: FedHub, tmp_path: Path) -> None:
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.sync()
    with closing(sqlite3.connect(kiosk.path, isolation_level=None)) as other:
        batch = Batch(other, SERVICE)
        batch.add(to_row(BASE), 1)
        with pytest.raises(ReplicaError, match="comes from hub city-hall"):
            batch.take_over(1)
    assert kiosk.rows() == expected(hub)


def test_documents_come_whole_and_the_newest_version_stands(
    hub: FedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = bytes(range(256)) * 4096
    with hub.stores.office.begin() as office:
        assert documents.publish(office, "people", b"one", "op", 1) == (1, True)
        assert documents.publish(office, "people", b"two", "op", 2) == (2, True)
        assert documents.publish(office, "people", b"two", "op", 3) == (2, False)
        documents.publish(office, "pack", pack, "op", 3)
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.sync(most=3)
    kiosk.kill()
    kiosk.start()
    kiosk.sync()
    assert documents_of(kiosk.path) == {"people": (2, b"two"), "pack": (1, pack)}
    with hub.stores.office.begin() as office:
        documents.publish(office, "people", b"", "op", 4)
    kiosk.asks_again()
    kiosk.sync()
    assert documents_of(kiosk.path)["people"] == (3, b"")
    assert sorted(kiosk.feed.cursors(), key=lambda each: each.name) == sorted(
        hub.librarian.holdings(), key=lambda each: each.name
    )


def test_plates_are_found_under_the_citys_key_after_the_way_down(hub: FedHub, tmp_path: Path) -> None:
    hashed = plate_hash("EXM 101", KEY, "NY")
    hub.imported("77", plate_hash=hashed.hex())
    with hub.stores.office.begin() as office:
        documents.publish_plates(office, SERVICE, key_id(KEY), {"NY"}, whole=False, by="op", now_ns=1)
    hub.publish()
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    for _ in range(2):  # the second snapshot has an index of its own
        kiosk.asks_again()
        kiosk.sync()
        with closing(Replica.open(kiosk.path)) as replica:
            assert replica.plate_states(key_id(KEY)) == ("NY",)
            assert [found.number for found in replica.find_by_plate(hashed)] == ["77"]
            plan = replica._connection.execute(
                f"EXPLAIN QUERY PLAN SELECT number FROM invoices_{SERVICE} WHERE plate_hash = ?", (hashed,)
            ).fetchall()
        assert "plates_of" in str(plan)
        with hub.stores.books.begin() as books:
            for table in (tables.published, tables.publication, tables.state):
                books.execute(sa.delete(table))
        hub.imported("78")
        hub.publish()


def test_what_the_hub_does_not_have_is_not_asked_for_for_ever(hub: FedHub, tmp_path: Path) -> None:
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    nudge = Nudge((hub.librarian.holdings()[0].__class__("invoices:dog_licence", 1, 1, "0" * 64),
                   hub.librarian.holdings()[0].__class__("invoices:x; DROP", 1, 1, "0" * 64)))  # fmt: skip
    kiosk.now_ns += 1
    kiosk.feed.wants(kiosk.now_ns)
    (pull,) = kiosk.feed.received(nudge, kiosk.now_ns)
    assert isinstance(pull, Pull)
    assert pull.data.name == "invoices:dog_licence"
    (nack,) = hub.librarian.answer(pull, "K01")
    assert nack == Nack("unknown_data", detail="invoices:dog_licence")
    assert kiosk.feed.received(nack, kiosk.now_ns) == []
    assert kiosk.feed.wants(kiosk.now_ns) == []


def test_a_kiosk_tells_when_it_has_come_to_a_state(hub: FedHub, tmp_path: Path) -> None:
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    end = None
    waiting = kiosk.feed.wants(NOW)
    sent: list[Message] = []
    while waiting:
        pull = waiting.pop(0)
        sent.append(pull)
        assert isinstance(pull, Pull)
        for answer in hub.librarian.answer(pull, "K01"):
            end = answer if isinstance(answer, End) else end
            waiting += kiosk.feed.received(answer, NOW)
    assert isinstance(end, End)
    assert sent[-1] == Pull(end.data, credit=0)
    assert hub.librarian.answer(sent[-1], "K01") == []  # type: ignore[arg-type]


def test_a_change_of_every_row_comes_as_a_snapshot(
    hub: FedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.sync()
    monkeypatch.setattr(answers, "MOST_CHANGES", 10)
    for number in range(11):
        hub.imported(f"{number:02d}", paid_minor=3)
    hub.publish()
    kiosk.messages.clear()
    kiosk.asks_again()
    kiosk.sync()
    assert not any(isinstance(message, Delta) for message in kiosk.messages)
    assert kiosk.rows() == expected(hub)


def test_a_wall_clock_that_goes_back_keeps_no_data_waiting(hub: FedHub, tmp_path: Path) -> None:
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.now_ns += 10**18
    kiosk.sync(most=3)
    kiosk.now_ns -= 10**18
    kiosk.sync()
    assert kiosk.rows() == expected(hub)


def test_a_damaged_replica_is_told_and_takes_nothing_down_with_it(hub: FedHub, tmp_path: Path) -> None:
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.sync()
    with closing(sqlite3.connect(kiosk.path)) as other, other:
        other.execute("DROP TABLE runs")
    hub.imported("05", paid_minor=100)
    hub.publish()
    kiosk.asks_again()
    kiosk.sync()
    assert kiosk.feed.troubles
    kiosk.asks_again()
    assert len(kiosk.feed.wants(kiosk.now_ns)) == 1


def test_a_document_that_never_ends_is_refused(hub: FedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub.stores.office.begin() as office:
        documents.publish(office, "pack", bytes(1 << 20), "op", 1)
    monkeypatch.setattr(replica_runs, "LARGEST_DOCUMENT", 1 << 18)
    kiosk = FedKiosk(tmp_path / "sync.db", hub)
    kiosk.sync()
    assert "larger than" in kiosk.feed.troubles["pack"]
    assert documents_of(kiosk.path) == {}
    assert kiosk.rows() == expected(hub)
