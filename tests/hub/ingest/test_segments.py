"""What the workers keep on the disk, on both kinds of store."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from kiosk.errors import StoreError
from kiosk.hub.ingest import segments
from kiosk.hub.ingest.known import Decision, Held, Known, Places, Waiting
from kiosk.hub.ingest.proof import batch_of, chain_of
from kiosk.hub.ingest.segments import AS_IT_CAME, PLAIN, Changes, SegmentStore, rows_of, segments_after
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import ahead, ingest_finding, kept_apart, segment
from kiosk.sync.messages import Journal
from kiosk.sync.wire import UP, encode, read_head
from tests.hub.ingest.journals import NOW, REALM, Kiosk, key_of, make_kiosk


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Kiosk:
    return make_kiosk(tmp_path_factory.mktemp("journals"), "K07", (2, 3, 2))


def accepted(kiosk: Kiosk, message: Journal) -> Decision:
    """The decision that takes a whole message."""
    batch = batch_of(message, chain_of(message)[-1])
    known = Known(kiosk.name, REALM, {batch.epoch: Held(batch.last, batch.hash, key_of(kiosk.name).public_hex)})
    return Decision(outcome="accepted", known=known, answer="ack", segment=batch)


def stored(store: SegmentStore, kiosk: Kiosk, messages: list[Journal], *, packed: bool = False) -> None:
    """Commit messages as segments 1, 2, …; `packed`: as they came where that was compressed."""
    changes = Changes()
    for number, message in enumerate(messages, 1):
        frames = encode(message, session=1, number=1, pack=True)
        payload = frames[1] if packed and read_head(frames, UP).packed else None  # a small one comes as it is
        assert changes.add(accepted(kiosk, message), (0, number), NOW, payload)
    store.commit(changes)


def test_rows_come_back_byte_for_byte_however_they_are_stored(both_stores: Stores, kiosk: Kiosk) -> None:
    store = SegmentStore(both_stores.segments)
    whole = [kiosk.batch(0, 0), kiosk.batch(1, 2), kiosk.batch(3, 7)]
    stored(store, kiosk, whole, packed=True)
    with both_stores.segments.begin() as connection:
        found = segments_after(connection, 0, 0, 10)
        assert [one.number for one in segments_after(connection, 0, 1, 10)] == [2, 3]
        assert [one.number for one in segments_after(connection, 0, 0, 1)] == [1]
        assert segments_after(connection, 1, 0, 10) == []
    assert [one.codec for one in found] == [PLAIN, AS_IT_CAME, AS_IT_CAME]  # one row alone is not compressed
    assert [row for one in found for row in one.rows()] == [row.row for row in kiosk.rows]
    assert [(one.first, one.last, one.hash, one.signature) for one in found] == [
        (message.first, message.first + len(message.rows) - 1, chain_of(message)[-1], message.signature)
        for message in whole
    ]


def test_a_codec_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(StoreError, match="codec 9"):
        rows_of(9, b"")


@pytest.mark.parametrize("codec", [PLAIN, AS_IT_CAME])
def test_a_body_that_is_torn_is_an_error_of_the_store(codec: int) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        rows_of(codec, b"\x99")


def test_what_is_known_of_a_kiosk_survives_a_restart(both_stores: Stores, kiosk: Kiosk) -> None:
    store = SegmentStore(both_stores.segments)
    assert store.known("K07", REALM) == Known("K07", REALM)
    message = kiosk.batch(0, 7)
    changes = Changes()
    known = replace(accepted(kiosk, message).known, session=3, boot=2, boot_id="boot-a")
    changes.add(Decision(outcome="welcome", known=known, answer="welcome", fences=True), (0, 1), NOW)
    batch = batch_of(message, chain_of(message)[-1])
    changes.add(Decision(outcome="fresh", known=known, answer="seen", fresh=batch), (0, 1), NOW)
    changes.add(replace(accepted(kiosk, message), known=known), (0, 1), NOW)
    store.commit(changes)
    again = SegmentStore(both_stores.segments)
    waiting = Waiting(batch.epoch, batch.first, batch.last, batch.hash)
    assert again.known("K07", REALM) == replace(known, ahead=(waiting,))
    assert (again.newest(0), again.newest(1)) == (1, 0)


def test_hashes_are_told_at_every_place_and_made_from_the_stored_rows(both_stores: Stores, kiosk: Kiosk) -> None:
    store = SegmentStore(both_stores.segments)
    stored(store, kiosk, [kiosk.batch(0, 0), kiosk.batch(1, 2), kiosk.batch(3, 7)], packed=True)
    every = (bytes(32), *(row.hash for row in kiosk.rows))
    for first in range(len(every)):
        for last in range(first, len(every)):
            assert store.hashes("K07", Places(1, first, last)) == every[first : last + 1], (first, last)
    with pytest.raises(StoreError, match="not whole"):
        store.hashes("K07", Places(1, 1, 9))


def test_a_body_that_was_changed_on_the_disk_is_noticed(stores: Stores, kiosk: Kiosk) -> None:
    store = SegmentStore(stores.segments)
    stored(store, kiosk, [kiosk.batch(0, 7)])
    with stores.segments.begin() as connection:
        body = connection.execute(sa.select(segment.c.body)).scalar_one()
        connection.execute(segment.update().values(body=body[:-1] + b"!"))
    with pytest.raises(StoreError, match="not what was stored"):
        store.hashes("K07", Places(1, 3, 4))


def test_a_number_that_is_taken_fails_the_whole_commit(both_stores: Stores, kiosk: Kiosk) -> None:
    store = SegmentStore(both_stores.segments)
    stored(store, kiosk, [kiosk.batch(0, 2)])
    with pytest.raises(StoreError):
        stored(store, kiosk, [kiosk.batch(3, 7)])
    assert store.known("K07", REALM).mark.seq == 3


def test_the_same_evidence_is_kept_once_and_a_machine_that_runs_wild_is_bounded(
    both_stores: Stores, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "MOST_UNPROVEN", 2)
    store = SegmentStore(both_stores.segments)
    message = kiosk.batch(3, 7)
    batch = batch_of(message, chain_of(message)[-1])

    def keep(signature: bytes, *, proven: bool = False) -> None:
        changes = Changes()
        changes.add(
            Decision(outcome="fork", known=Known("K07", REALM), answer="fork", reason="fork", proven=proven,
                     apart=replace(batch, signature=signature)),
            (0, 1), NOW,
        )  # fmt: skip
        store.commit(changes)

    for number in (1, 1, 2, 3, 3):
        keep(bytes([number]) * 64)
    keep(bytes([9]) * 64, proven=True)
    with both_stores.segments.begin() as connection:
        kept = connection.execute(sa.select(kept_apart)).all()
        full = connection.execute(sa.select(ingest_finding)).all()
    assert sorted(row.signature[0] for row in kept) == [1, 2, 9]
    assert rows_of(PLAIN, kept[0].body) == [row.row for row in kiosk.rows[3:]]
    assert [(row.code, row.times) for row in full] == [("apart_full", 2)]


def test_fresh_rows_leave_when_they_are_reached_and_are_kept_apart_when_they_differ(
    both_stores: Stores, kiosk: Kiosk
) -> None:
    store = SegmentStore(both_stores.segments)
    one, other = (batch_of(message, chain_of(message)[-1]) for message in (kiosk.batch(1, 2), kiosk.batch(3, 7)))
    changes = Changes()
    for batch in (one, other, other):
        changes.add(Decision(outcome="fresh", known=Known("K07", REALM), answer="seen", fresh=batch), (0, 1), NOW)
    store.commit(changes)
    assert len(store.known("K07", REALM).ahead) == 2
    waiting = [Waiting(batch.epoch, batch.first, batch.last, batch.hash) for batch in (one, other)]
    changes = Changes()
    changes.add(
        Decision(outcome="accepted", known=Known("K07", REALM), answer="ack", reached=(waiting[0],),
                 differing=(waiting[1],)),
        (0, 1), NOW,
    )  # fmt: skip
    store.commit(changes)
    with both_stores.segments.begin() as connection:
        assert connection.execute(sa.select(ahead)).all() == []
        (kept,) = connection.execute(sa.select(kept_apart)).all()
    assert (kept.first, kept.reason, rows_of(PLAIN, kept.body)) == (4, "ahead_differs", [r.row for r in kiosk.rows[3:]])


def test_a_disk_that_takes_nothing_is_told_as_an_error_of_the_store(stores: Stores, kiosk: Kiosk) -> None:
    store = SegmentStore(stores.segments)

    @sa.event.listens_for(stores.segments, "begin")
    def full(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")

    message = kiosk.batch(0, 7)
    big = replace(message, rows=(bytes(1 << 20),))
    with pytest.raises(StoreError, match="full") as told:
        stored(store, kiosk, [big])
    assert told.value.transient
    sa.event.remove(stores.segments, "begin", full)
    assert store.newest(0) == 0
