"""The kiosk's side of the feed alone: whatever a hub sends, nothing raises and nothing unsigned becomes visible."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import ReplicaError
from kiosk.journal.keys import SigningKey
from kiosk.model.invoice import Invoice
from kiosk.sync.feed import digest_of, manifest, row_bytes, weight
from kiosk.sync.messages import DataCursor, Delta, End, Mark, Message, Nack, Nudge, Pong, Pull, Snap
from kiosk.sync.replica import Replica, to_row
from kiosk.sync.replica_feed import ASK_EVERY_NS, PATIENCE_NS, ReplicaFeed
from kiosk.sync.replica_store import writer_lock

NAME = "invoices:water_bill"
SIGNING = SigningKey.from_seed(b"h" * 32)
BASE = Invoice(service="water_bill", number="0", currency="USD", amount_minor=100, issued=dt.date(2026, 3, 2))
ROWS = tuple(row_bytes(to_row(msgspec.structs.replace(BASE, number=str(at)))) for at in range(3))
DIGEST = digest_of(sum(weight(row) for row in ROWS))


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[ReplicaFeed]:
    made = ReplicaFeed(tmp_path / "sync.db", "K01", pace_ns=0, free_bytes=lambda path: 1 << 40)
    made.connected("city-hall", SIGNING.public_hex)
    yield made
    made.close()


def end(data: DataCursor, rows: int, *, kiosk: str = "K01", counted: Mark | None = None) -> End:
    """The hub's word that a run is complete."""
    mark = counted or Mark()
    told = manifest("city-hall", data, rows, 7, kiosk=kiosk, counted=mark)
    return End(data, rows, 0, 7, SIGNING.sign(told), mark)


def asked(feed: ReplicaFeed, digest: str = DIGEST) -> Pull:
    """Let the feed hear of a data set; return what it asks for."""
    assert feed.wants(1) == [Pull(DataCursor(""))]
    (pull,) = feed.received(Nudge((DataCursor(NAME, 5, 9, digest),)), 1)
    assert isinstance(pull, Pull)
    return pull


def test_a_run_becomes_visible_with_its_mark_when_its_end_has_come(feed: ReplicaFeed) -> None:
    assert asked(feed) == Pull(DataCursor(NAME))
    assert feed.received(Snap(DataCursor(NAME, 5, 9), 0, ROWS[:2], 4), 1) == []
    assert feed.received(Snap(DataCursor(NAME, 5, 9), 1, ROWS[2:], 9), 1) == []
    assert feed.cursors() == ()
    (told,) = feed.received(end(DataCursor(NAME, 5, 9, DIGEST), 3, counted=Mark(2, 8)), 1)
    assert told == Pull(DataCursor(NAME, 5, 9, DIGEST), credit=0)
    assert feed.cursors() == (DataCursor(NAME, 5, 9, DIGEST),)
    with closing(Replica.open(feed.path)) as replica:
        found = replica.find("water_bill", "2")
    assert found is not None
    assert (found.posted_through.epoch, found.posted_through.seq) == (2, 8)


def test_a_mark_that_the_hub_did_not_sign_is_not_taken(feed: ReplicaFeed) -> None:
    asked(feed)
    feed.received(Snap(DataCursor(NAME, 5, 9), 0, ROWS, 9), 1)
    good = end(DataCursor(NAME, 5, 9, DIGEST), 3, counted=Mark(2, 8))
    feed.received(End(good.data, 3, 0, 7, good.signature, Mark(2, 9)), 1)
    assert feed.cursors() == ()
    assert "signature" in feed.troubles[NAME]


def test_a_question_without_an_answer_is_asked_again_and_how_far_the_hub_is_from_time_to_time(
    feed: ReplicaFeed,
) -> None:
    asked(feed)
    assert feed.wants(2) == []
    assert feed.wants(2 + PATIENCE_NS) == [Pull(DataCursor(NAME))]
    feed.received(Nack("unknown_data", detail=NAME), 3 + PATIENCE_NS)
    assert feed.wants(4 + PATIENCE_NS) == []
    assert feed.wants(2 + ASK_EVERY_NS) == [Pull(DataCursor(""))]


def test_parts_are_asked_for_in_turns_so_that_nothing_piles_up(feed: ReplicaFeed) -> None:
    pull = asked(feed)
    for chunk in range(pull.credit - 1):
        assert feed.received(Snap(DataCursor(NAME, 5, 90), chunk, (), chunk + 1), 1) == []
    (following,) = feed.received(Snap(DataCursor(NAME, 5, 90), pull.credit - 1, (), pull.credit), 1)
    assert isinstance(following, Pull)
    assert (following.snapshot, following.chunks, following.after) == (DataCursor(NAME, 5, 90), 4, 4)


def test_nothing_is_asked_for_before_there_is_a_hub(tmp_path: Path) -> None:
    feed = ReplicaFeed(tmp_path / "sync.db", "K01")
    try:
        assert feed.wants(1) == []
        assert feed.cursors() == ()
    finally:
        feed.close()


def test_a_file_import_and_the_feed_never_write_at_the_same_time(feed: ReplicaFeed) -> None:
    with pytest.raises(ReplicaError, match="another process"), writer_lock(feed.path):
        pytest.fail("two writers at once")
    with pytest.raises(ReplicaError, match="another process"):
        ReplicaFeed(feed.path, "K01")


def test_names_without_end_are_not_remembered(feed: ReplicaFeed) -> None:
    feed.wants(1)
    for at in range(0, 640, 64):
        feed.received(Nudge(tuple(DataCursor(f"invoices:s{at + n}", 1, 1, DIGEST) for n in range(64))), 1)
    feed.received(Nudge((DataCursor("people", 1, 1, DIGEST), DataCursor("invoices:s3", 1, 2, DIGEST))), 1)
    assert len(feed._latest) == 65
    assert feed._latest["invoices:s3"].cursor == 2


def test_changes_that_only_take_away_do_not_pile_up_either(feed: ReplicaFeed) -> None:
    asked(feed)
    feed.received(Snap(DataCursor(NAME, 5, 9), 0, ROWS, 9), 1)
    feed.received(end(DataCursor(NAME, 5, 9, DIGEST), 3), 1)
    feed.received(Nudge((DataCursor(NAME, 5, 10, "0" * 64),)), 1)
    gone = tuple(f"{n:064}" for n in range(50_000))
    for _ in range(5):
        feed.received(Delta(DataCursor(NAME, 5, 9), DataCursor(NAME, 5, 9), (), gone), 1)
    assert "larger than a snapshot" in feed.troubles[NAME]
    assert not feed._pending


def test_changes_leave_the_disk_to_the_journal_as_a_snapshot_does(feed: ReplicaFeed) -> None:
    asked(feed)
    feed.received(Snap(DataCursor(NAME, 5, 4), 0, ROWS[:2], 4), 1)
    feed._free = lambda path: feed._reserve + 10
    feed.received(Delta(DataCursor(NAME, 5, 4), DataCursor(NAME, 5, 9), ROWS[2:], ()), 1)
    assert "reference data need" in feed.troubles[NAME]


cursors = st.builds(
    DataCursor, st.sampled_from([NAME, "people", "", "invoices:", "x"]), st.sampled_from([0, 5, 6]),
    st.sampled_from([0, 4, 9, 10, 2**63 - 1]), st.sampled_from([DIGEST, digest_of(0), "", "zz"]),
)  # fmt: skip
rows = st.lists(st.one_of(st.sampled_from(ROWS), st.binary(max_size=20)), max_size=3).map(tuple)
small = st.sampled_from([0, 1, 2, 4, 9, 2**63 - 1])
strange: st.SearchStrategy[Message] = st.one_of(
    st.builds(Snap, cursors, small, rows, small, small),
    st.builds(Delta, cursors, cursors, rows, st.lists(st.sampled_from(["0", "1", ""]), max_size=2).map(tuple)),
    st.builds(End, cursors, small, small, small, st.sampled_from([b"", b"s" * 64])),
    st.builds(Nudge, st.lists(cursors, max_size=3).map(tuple)),
    st.builds(Nack, st.sampled_from(["unknown_data", "busy", ""]), detail=st.sampled_from([NAME, "people", "", "x"])),
    st.just(Pong(1, 2, 3)),
)


@settings(max_examples=40)
@given(st.lists(strange, max_size=25))
def test_whatever_a_stranger_says_nothing_raises_and_nothing_unsigned_is_visible(said: list[Message]) -> None:
    with TemporaryDirectory() as folder:
        feed = ReplicaFeed(Path(folder) / "sync.db", "K01", pace_ns=0, free_bytes=lambda path: 1 << 62)
        feed.connected("city-hall", SIGNING.public_hex)
        try:
            for at, message in enumerate(said):
                feed.wants(at * PATIENCE_NS * 3)
                feed.received(message, at * PATIENCE_NS * 3 + 1)
                assert feed.cursors() == ()
        finally:
            feed.close()
