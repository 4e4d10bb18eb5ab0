"""A full, read-only or damaged disk: a clear error, and nothing lost that was committed."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.errors import JournalDamaged, JournalError, JournalFull, JournalReadOnly
from kiosk.journal.keys import SigningKey
from kiosk.journal.reader import Reader
from kiosk.journal.store import Journal
from kiosk.journal.verify import verify
from kiosk.model.facts import DeviceChanged, Stamp
from tests.journal.conftest import new_journal
from tests.journal.examples import STARTED

Reopen = Callable[[], Journal]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    where = tmp_path / "disk"
    where.mkdir()
    told = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", where], capture_output=True, text=True
    )
    if told.returncode:
        pytest.skip(f"this machine mounts no tmpfs: {told.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """Take all space of a disk but `leave` bytes."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        os.posix_fallocate(file.fileno(), 0, max(1, free - leave))
    return filler


def long_fact() -> DeviceChanged:
    return DeviceChanged("printer", "paper_out", "fault", detail="x" * 6000)


def append_for_ever(journal: Journal, stamp: Stamp) -> None:
    while True:
        journal.append([long_fact()], stamp)


@pytest.mark.root
def test_the_ballast_takes_the_last_notes_on_a_full_disk(small_disk: Path, key: SigningKey, stamp: Stamp) -> None:
    path = small_disk / "journal.db"
    with Journal.create(
        path, kiosk="K07", realm="demo", key=key, stamp=stamp, ballast_bytes=256 << 10, reserve_bytes=128 << 10
    ) as journal:
        assert not journal.low_space
        assert not journal.below_reserve
        filler = fill(small_disk)
        assert journal.below_reserve
        assert not journal.low_space
        begun = journal.seq
        with pytest.raises(JournalFull) as told:
            append_for_ever(journal, stamp)
        committed = journal.seq
        assert told.value.transient
        assert told.value.hint
        assert journal.low_space
        assert committed - begun > 30, "the ballast alone holds more than thirty long facts"
        assert journal.stopped is None
        assert not journal.restore_ballast()
        filler.unlink()
        journal.append([STARTED], stamp)
        assert journal.low_space, "low until the ballast lies there again"
        assert journal.restore_ballast()
        assert not journal.low_space
    with Reader(path) as reader:
        assert verify(reader) == []
        assert sum(1 for _ in reader.read()) == committed + 1


@pytest.mark.root
def test_tidying_on_a_full_disk_loses_nothing(small_disk: Path, key: SigningKey, stamp: Stamp) -> None:
    path = small_disk / "journal.db"
    with Journal.create(
        path, kiosk="K07", realm="demo", key=key, stamp=stamp, ballast_bytes=64 << 10, reserve_bytes=64 << 10
    ) as journal:
        for _ in range(100):
            journal.append([long_fact()], stamp)
        filler = fill(small_disk)
        with contextlib.suppress(JournalFull):  # whether the database file must grow is SQLite's affair
            journal.tidy()
        assert journal.seq == 101
        filler.unlink()
        assert journal.append([STARTED], stamp)[0].fact.seq == 102
    with Reader(path) as reader:
        assert verify(reader) == []


@pytest.mark.root
def test_a_journal_that_cannot_be_made_for_want_of_space_leaves_nothing(
    small_disk: Path, key: SigningKey, stamp: Stamp
) -> None:
    fill(small_disk, leave=4096)
    with pytest.raises(JournalFull):
        new_journal(small_disk / "journal.db", key, stamp)
    assert [file.name for file in small_disk.iterdir()] == ["filler"]


@pytest.mark.root
def test_a_read_only_disk_is_told_as_such(small_disk: Path, key: SigningKey, stamp: Stamp) -> None:
    path = small_disk / "journal.db"
    new_journal(path, key, stamp).close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(JournalReadOnly) as told:
        Journal.open(path, key=key)
    assert "remount" in told.value.hint
    with pytest.raises(JournalReadOnly):
        new_journal(small_disk / "other.db", key, stamp)
    with Reader(path) as reader:
        assert verify(reader) == []


def test_a_write_to_a_read_only_file_stops_the_journal_and_keeps_what_it_had(
    journal: Journal, path: Path, stamp: Stamp, reopen: Reopen
) -> None:
    journal.append([STARTED], stamp)
    journal._connection.execute("PRAGMA query_only = ON")  # SQLite answers as on a read-only file
    with pytest.raises(JournalReadOnly):
        journal.append([STARTED], stamp)
    journal._connection.execute("PRAGMA query_only = OFF")
    with pytest.raises(JournalReadOnly, match="the journal stopped after"):
        journal.append([STARTED], stamp)
    assert isinstance(journal.stopped, JournalReadOnly)
    journal.close()
    with reopen() as again:
        assert again.seq == 2


def test_a_damaged_page_stops_the_replay_with_its_reason(
    journal: Journal, path: Path, stamp: Stamp, reopen: Reopen
) -> None:
    for _ in range(30):
        journal.append([STARTED] * 10, stamp)
    journal.close()
    content = bytearray(path.read_bytes())
    middle = len(content) // 4096 // 2 * 4096
    content[middle : middle + 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    with reopen() as again:
        with pytest.raises(JournalDamaged) as told:
            list(again.read())
        assert told.value.hint
        with pytest.raises(JournalDamaged, match="the journal stopped after"):
            again.append([STARTED], stamp)


@pytest.mark.parametrize("what", ["row", "hash", "signature"])
def test_a_changed_tail_is_never_written_on(
    journal: Journal, path: Path, stamp: Stamp, reopen: Reopen, what: str
) -> None:
    last = journal.append([STARTED], stamp)[-1]
    row = list(journal.rows())[-1]
    journal.close()
    old = {"row": row.row, "hash": last.hash, "signature": last.signature or b""}[what]
    content = path.read_bytes()
    assert content.count(old) == 1
    at = content.index(old) + 20
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    with pytest.raises(JournalDamaged) as told:
        reopen()
    assert told.value.hint


def test_a_torn_write_ahead_log_ends_at_its_last_whole_commit(
    journal: Journal, path: Path, stamp: Stamp, tmp_path: Path, key: SigningKey
) -> None:
    for _ in range(5):
        journal.append([STARTED], stamp)
    copy = tmp_path / "copy" / "journal.db"
    copy.parent.mkdir()
    wal = path.with_name("journal.db-wal").read_bytes()
    for cut in range(0, 40_000, 1_111):
        copy.write_bytes(path.read_bytes())
        copy.with_name("journal.db-wal").write_bytes(wal[:cut])
        copy.with_name("journal.db-shm").unlink(missing_ok=True)
        with Journal.open(copy, key=key, ballast_bytes=4096, reserve_bytes=4096) as torn:
            assert 1 <= torn.seq <= 6
            assert len(list(torn.read())) == torn.seq
            if cut > 35_000:
                assert torn.seq == 6


def test_a_missing_ballast_is_low_space_only_where_it_cannot_be_laid(
    journal: Journal, path: Path, reopen: Reopen
) -> None:
    journal.close()
    path.with_name("journal.db.ballast").unlink()
    with reopen() as again:
        assert not again.low_space
    path.with_name("journal.db.ballast").unlink()
    huge = 1 << 60
    key = SigningKey.from_seed(bytes(range(32)))
    with Journal.open(path, key=key, ballast_bytes=4096, reserve_bytes=huge) as again:
        assert again.low_space
        assert again.below_reserve


def test_every_error_of_the_journal_says_what_to_do(path: Path, key: SigningKey, stamp: Stamp) -> None:
    path.parent.mkdir()
    path.write_bytes(b"x" * 5000)
    with pytest.raises(JournalError) as told:
        Journal.open(path, key=key)
    assert str(path) in told.value.message
    assert told.value.hint
