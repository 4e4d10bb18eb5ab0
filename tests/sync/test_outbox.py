"""The outbox: whole commits of one epoch, chained and signed, and nothing beyond what can be proven."""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from kiosk.errors import JournalDamaged, JournalError
from kiosk.journal.backup import backup, restore
from kiosk.journal.encoding import ROOT_HASH, head_message
from kiosk.journal.store import Journal
from kiosk.sync.doorbell import LOOKS_NS, SLOW_NS, Doorbell
from kiosk.sync.messages import Mark
from kiosk.sync.outbox import Outbox
from kiosk.sync.traffic import Batch, Room
from tests.sync.journals import KEY, WALL_NS, commit, new_journal, spoil, stamp

START = Mark(0, 0, ROOT_HASH)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal-live.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with new_journal(path) as opened:
        yield opened


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    made = Outbox(path)
    yield made
    made.close()


def room(after: Mark = START, rows: int = 1000, most: int = 512 << 10, good: int = 512 << 10) -> Room:
    """Room for rows after a mark."""
    return Room(after, rows, most, good)


def drain(outbox: Outbox, **limits: int) -> list[Batch]:
    """Cut until nothing is left, and check each batch as a hub does."""
    outbox.head()
    found: list[Batch] = []
    after, digest = START, ROOT_HASH
    while (batch := outbox.cut(room(after, **limits))) is not None:
        assert batch.previous == digest
        for row in batch.rows:
            digest = sha256(digest + row).digest()
        assert (digest, batch.size) == (batch.last.hash, sum(map(len, batch.rows)))
        message = head_message("K07", batch.last.epoch, batch.last.seq, digest)
        assert KEY.sign(message) == batch.signature
        found.append(batch)
        after = batch.last
    return found


def test_every_row_is_cut_once_in_order_as_it_was_hashed(journal: Journal, outbox: Outbox) -> None:
    commit(journal, 30, 3)
    batches = drain(outbox, rows=10)
    assert [row for batch in batches for row in batch.rows] == [row.row for row in journal.rows()]
    assert max(len(batch.rows) for batch in batches) <= 10


def test_a_batch_ends_on_a_signed_row_though_more_would_fit(journal: Journal, outbox: Outbox) -> None:
    commit(journal, 5, 3)
    assert [len(batch.rows) for batch in drain(outbox, rows=5)] == [4, 3, 3, 3, 3]


def test_a_batch_stays_within_the_bytes_that_may_go(journal: Journal, outbox: Outbox) -> None:
    commit(journal, 20)
    size = len(next(iter(journal.rows(5))).row)
    batches = drain(outbox, most=3 * size + 10, good=3 * size + 10)
    assert max(batch.size for batch in batches) <= 3 * size + 10


def test_a_commit_larger_than_is_good_goes_alone_and_one_larger_than_may_waits(
    journal: Journal, outbox: Outbox
) -> None:
    commit(journal, 2, 4)
    outbox.head()
    genesis = outbox.cut(room(rows=1))
    assert genesis is not None
    whole = outbox.cut(room(genesis.last, good=10))
    assert whole is not None
    assert len(whole.rows) == 4
    assert outbox.cut(room(genesis.last, most=10, good=10)) is None


def test_a_batch_never_spans_two_epochs(journal: Journal, path: Path, tmp_path: Path) -> None:
    commit(journal, 4)
    backup(path, tmp_path / "b.db")
    restored = tmp_path / "again" / "journal-live.db"
    restore(tmp_path / "b.db", restored, stamp=stamp(99), key=KEY, reason="card replaced")
    with Journal.open(restored, key=KEY, ballast_bytes=64 << 10, reserve_bytes=64 << 10) as more:
        commit(more, 3)
    outbox = Outbox(restored)
    batches = drain(outbox)
    assert [(batch.last.epoch, batch.first, len(batch.rows)) for batch in batches] == [(1, 1, 5), (2, 1, 4)]
    assert outbox.count_after(START) == 9
    assert outbox.count_after(Mark(1, 2)) == 7
    assert outbox.count_after(Mark(1, 99)) == 4
    assert outbox.count_after(outbox.head()) == 0
    # A hub may be further in the old epoch than the backup was: the new one still chains on what is here.
    ahead = outbox.cut(room(Mark(1, 99, b"z" * 32)))
    assert ahead is not None
    assert (ahead.last.epoch, ahead.previous) == (2, batches[0].last.hash)
    outbox.close()


def test_fresh_rows_are_there_as_soon_as_they_are_committed(journal: Journal, outbox: Outbox) -> None:
    drain(outbox)
    before = outbox.head()
    commit(journal)
    assert outbox.head().seq == before.seq + 1
    batch = outbox.cut(room(before))
    assert batch is not None
    assert (batch.first, len(batch.rows)) == (before.seq + 1, 1)


def test_a_row_that_is_not_what_was_written_is_told_and_everything_before_it_goes(path: Path) -> None:
    with new_journal(path) as journal:
        commit(journal, 9)
    spoil(path, 6)
    outbox = Outbox(path)
    outbox.head()
    good = outbox.cut(room())
    assert good is not None
    assert good.last.seq == 5
    with pytest.raises(JournalDamaged, match="fact 1/6"):
        outbox.cut(room(good.last))
    beyond = outbox.beyond_damage(good.last)
    assert beyond is not None
    fresh = outbox.cut(room(beyond))
    assert fresh is not None
    assert (beyond.seq, fresh.first, fresh.last.seq) == (6, 7, 10)
    outbox.close()


def test_nothing_beyond_is_known_while_the_damage_is_at_the_end(path: Path) -> None:
    with new_journal(path) as journal:
        commit(journal, 3)
    spoil(path, 3)
    outbox = Outbox(path)
    outbox.head()
    assert outbox.beyond_damage(Mark(1, 3, outbox.hash_at(Mark(1, 3)) or b"")) is None
    outbox.close()


def test_a_missing_journal_is_asked_for_again(path: Path) -> None:
    outbox = Outbox(path)
    with pytest.raises(JournalError, match="does not exist"):
        outbox.head()
    with new_journal(path):
        assert outbox.head().seq == 1
    outbox.close()


def test_a_file_that_was_replaced_is_opened_anew(journal: Journal, path: Path, outbox: Outbox, tmp_path: Path) -> None:
    commit(journal, 5)
    outbox.head()
    assert outbox.still_there()
    journal.close()
    for suffix in ("", "-wal", "-shm"):
        if (old := path.with_name(path.name + suffix)).exists():
            old.rename(tmp_path / f"old.db{suffix}")
    with new_journal(path):
        assert not outbox.still_there()
        assert outbox.head().seq == 1


def test_the_age_of_the_oldest_unsent_fact_is_what_it_says_itself(journal: Journal, outbox: Outbox) -> None:
    commit(journal, 4)
    outbox.head()
    assert outbox.written_ns(Mark(1, 3)) == WALL_NS + 3_000_000_000
    assert outbox.written_ns(outbox.head()) == 0


def test_the_journals_end_is_a_batch_of_its_own(journal: Journal, outbox: Outbox) -> None:
    commit(journal, 10)
    head = outbox.head()
    end = outbox.cut(outbox.end_room(room(rows=4)))
    assert end is not None
    assert end.last == head
    assert len(end.rows) <= 4


def test_a_hundred_thousand_facts_are_cut_in_well_under_half_a_second(tmp_path: Path) -> None:
    """Measured on a tenth of them; the limit is generous, a machine that is busy elsewhere does not count."""
    with new_journal(tmp_path / "big.db") as journal:
        commit(journal, 10, 1000)
    outbox = Outbox(tmp_path / "big.db")
    outbox.head()
    began = time.process_time()
    rows = sum(len(batch.rows) for batch in _cuts(outbox))
    taken = time.process_time() - began
    assert rows == 10_001
    assert taken < 0.25, f"{10 * taken:.2f} s for 100,000"
    outbox.close()


def _cuts(outbox: Outbox) -> Iterator[Batch]:
    after = START
    while (batch := outbox.cut(room(after))) is not None:
        yield batch
        after = batch.last


def test_the_doorbell_rings_for_the_journals_log_and_for_no_other_file(journal: Journal, path: Path) -> None:
    bell = Doorbell(path)
    assert bell.due(0)
    (path.parent / "sync.db-wal").write_bytes(b"x")
    bell.listen(10)
    assert not bell.due(10)
    commit(journal)
    bell.listen(20)
    assert bell.due(20)
    assert bell.deadline() == 20 + LOOKS_NS[1]
    bell.found()
    assert bell.deadline() == SLOW_NS
    assert bell.due(SLOW_NS)
    bell.close()
