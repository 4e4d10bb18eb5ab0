"""A backup counts after it was verified; a restore begins a new epoch and never overwrites."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from kiosk.errors import JournalDamaged, JournalError
from kiosk.journal.backup import backup, check, manifest_path, restore
from kiosk.journal.keys import SigningKey
from kiosk.journal.reader import Reader
from kiosk.journal.store import Journal
from kiosk.journal.verify import verify
from kiosk.model.facts import EpochStarted, Stamp
from tests.journal.examples import STARTED, payment


@pytest.fixture
def saved(journal: Journal, path: Path, stamp: Stamp, tmp_path: Path) -> Path:
    """A backup of a journal of seven facts, made while the core had it open."""
    journal.append(payment(2), stamp)
    target = tmp_path / "backups" / "k07.db"
    backup(path, target)
    return target


def test_a_backup_of_a_running_journal_is_whole_and_for_its_owner_only(
    saved: Path, journal: Journal, path: Path
) -> None:
    manifest = check(saved)
    assert (manifest.kiosk, manifest.realm, manifest.epoch, manifest.seq, manifest.facts) == ("K07", "demo", 1, 7, 7)
    assert manifest.head == journal.head.hex()
    with Reader(saved) as copy, Reader(path) as live:
        assert list(copy.rows()) == list(live.rows())
    for file in (saved, manifest_path(saved)):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(file.name for file in saved.parent.iterdir()) == ["k07.db", "k07.db.json"]


def test_a_backup_never_overwrites(saved: Path, path: Path) -> None:
    with pytest.raises(JournalError, match="exists already"):
        backup(path, saved)


def test_a_restore_begins_a_new_epoch_that_names_the_end_of_the_old_one(
    saved: Path, tmp_path: Path, stamp: Stamp
) -> None:
    head, key, target = check(saved).head, SigningKey.generate(), tmp_path / "new" / "journal.db"
    restore(saved, target, stamp=stamp, key=key, reason="card replaced")
    with Journal.open(target, key=key) as journal:
        assert (journal.kiosk, journal.realm, journal.epoch, journal.seq) == ("K07", "demo", 2, 1)
        journal.append([STARTED], stamp)
        facts = [one.fact for one in journal.read()]
        assert [(fact.epoch, fact.seq) for fact in facts] == [*((1, n) for n in range(1, 8)), (2, 1), (2, 2)]
        assert facts[7].body == EpochStarted(1, 7, head, key.public_hex, "card replaced")
        assert [one.fact.seq for one in journal.read(1)] == [2]
        assert len(list(journal.read(5, epoch=1))) == 4
        assert journal.load_checkpoint() is None
    with Reader(target) as reader:
        assert verify(reader) == []


def test_the_drill_a_restored_backup_holds_the_same_head(
    saved: Path, tmp_path: Path, stamp: Stamp, key: SigningKey
) -> None:
    target = tmp_path / "journal.db"
    manifest = restore(saved, target, stamp=stamp, key=key, reason="drill")
    with Reader(target) as reader:
        old = [row for row in reader.rows() if row.epoch == 1]
    assert (old[-1].seq, old[-1].hash.hex()) == (manifest.seq, manifest.head)


def test_a_second_restore_of_one_backup_can_be_given_an_unused_epoch(
    saved: Path, tmp_path: Path, stamp: Stamp, key: SigningKey
) -> None:
    target = tmp_path / "journal.db"
    with pytest.raises(JournalError, match="epoch 1 was used"):
        restore(saved, target, stamp=stamp, key=key, reason="again", epoch=1)
    restore(saved, target, stamp=stamp, key=key, reason="again", epoch=5)
    with Journal.open(target, key=key) as journal:
        assert journal.epoch == 5
    with Reader(target) as reader:
        assert verify(reader) == []


def test_a_restore_never_overwrites(saved: Path, path: Path, journal: Journal, stamp: Stamp, key: SigningKey) -> None:
    head = journal.head
    with pytest.raises(JournalError, match="never overwrites"):
        restore(saved, path, stamp=stamp, key=key, reason="mistake")
    assert journal.head == head


def test_a_changed_or_half_backup_is_refused_and_leaves_nothing(
    saved: Path, tmp_path: Path, stamp: Stamp, key: SigningKey
) -> None:
    target, content = tmp_path / "new" / "journal.db", saved.read_bytes()
    for changed in (content[:-1], content.replace(b"unapplied", b"unapplyed", 1), content[:-40] + b"\0" * 40, b""):
        saved.write_bytes(changed)
        if changed == content:
            continue
        with pytest.raises(JournalDamaged):
            restore(saved, target, stamp=stamp, key=key, reason="test")
        assert not target.exists()
    saved.write_bytes(content)
    manifest_path(saved).unlink()
    with pytest.raises(JournalError, match="two files"):
        restore(saved, target, stamp=stamp, key=key, reason="test")


def test_a_backup_of_another_city_is_refused_by_the_published_keys(saved: Path, key: SigningKey) -> None:
    assert check(saved, [key.public_hex]).seq == 7
    with pytest.raises(JournalDamaged, match="key_unpublished"):
        check(saved, [SigningKey.generate().public_hex])


def test_a_damaged_journal_gives_no_backup(journal: Journal, path: Path, stamp: Stamp, tmp_path: Path) -> None:
    journal.append(payment(2), stamp)
    journal.close()
    path.write_bytes(path.read_bytes().replace(b'"citizen"', b'"citizem"', 1))
    with pytest.raises(JournalDamaged):
        backup(path, tmp_path / "backups" / "bad.db")
    assert list((tmp_path / "backups").iterdir()) == []
