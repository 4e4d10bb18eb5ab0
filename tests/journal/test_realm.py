"""Realms stay apart: what a kiosk may work in, how the choice is kept, and that no file passes as another realm's."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from kiosk.errors import ConfigError, JournalError
from kiosk.journal.keys import SigningKey
from kiosk.journal.reader import Reader
from kiosk.journal.realm import CHOICE, choose_realm, chosen_realm, realms_open
from kiosk.journal.store import Journal
from kiosk.journal.verify import verify
from kiosk.model import facts
from kiosk.model.facts import REALMS
from tests.journal.conftest import stamp_at

KEY = SigningKey.from_seed(b"r" * 32)


def make(path: Path, realm: str, key: SigningKey = KEY) -> None:
    """Make a journal of three facts."""
    with_facts = Journal.create(path, kiosk="K07", realm=realm, key=key, stamp=stamp_at(), ballast_bytes=0)
    for unclean in (False, True):
        with_facts.append([facts.Started(unclean)], stamp_at())
    with_facts.close()


def test_without_a_choice_the_realm_is_the_configured_one(tmp_path: Path) -> None:
    assert [chosen_realm(tmp_path, realm) for realm in REALMS] == list(REALMS)
    assert chosen_realm(tmp_path / "not there", "live") == "live"


def test_a_live_kiosk_goes_to_training_and_stays_there_until_it_is_changed_back(tmp_path: Path) -> None:
    choose_realm(tmp_path, "training", "live")
    assert chosen_realm(tmp_path, "live") == "training"
    assert (tmp_path / CHOICE).stat().st_mode & 0o077 == 0
    choose_realm(tmp_path, "live", "live")
    assert chosen_realm(tmp_path, "live") == "live"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("configured", ["demo", "training"])
def test_what_is_not_configured_live_never_becomes_live(tmp_path: Path, configured: str) -> None:
    assert "live" not in realms_open(configured)
    with pytest.raises(ConfigError, match="cannot work in the realm 'live'"):
        choose_realm(tmp_path, "live", configured)
    (tmp_path / CHOICE).write_text("live\n")
    with pytest.raises(ConfigError, match="says 'live'"):
        chosen_realm(tmp_path, configured)


@pytest.mark.parametrize("content", [b"", b"moon\n", b"\x00" * 4096, b"training\nlive\n"])
def test_a_damaged_choice_stops_the_start_instead_of_going_live(tmp_path: Path, content: bytes) -> None:
    """Training with real notes must not go on in the live journal because a file broke."""
    (tmp_path / CHOICE).write_bytes(content)
    with pytest.raises(ConfigError) as told:
        chosen_realm(tmp_path, "live")
    assert "remove the file" in told.value.hint


def test_a_choice_that_could_not_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kiosk.journal.realm.os.fsync", full)
    with pytest.raises(ConfigError, match="cannot be written"):
        choose_realm(tmp_path, "training", "live")
    assert chosen_realm(tmp_path, "live") == "live"


@pytest.mark.parametrize("realm", ["training", "demo"])
def test_a_journal_that_was_renamed_to_live_opens_neither_for_writing_nor_for_reading(
    tmp_path: Path, realm: str
) -> None:
    make(tmp_path / f"journal-{realm}.db", realm)
    shutil.copy(tmp_path / f"journal-{realm}.db", tmp_path / "journal-live.db")
    with pytest.raises(JournalError, match=f"of the realm '{realm}'"):
        Journal.open(tmp_path / "journal-live.db", key=KEY, ballast_bytes=0)
    with pytest.raises(JournalError, match=f"of the realm '{realm}'"):
        Reader(tmp_path / "journal-live.db")
    with Reader(tmp_path / f"journal-{realm}.db") as reader:  # under its own name it is sound
        assert verify(reader) == []


def test_the_name_of_a_backup_says_nothing_of_its_realm(tmp_path: Path) -> None:
    make(tmp_path / "2026-11-22.db", "training")
    with Reader(tmp_path / "2026-11-22.db") as reader:
        assert verify(reader) == []


def append_rows(source: Path, target: Path) -> None:
    """Copy the facts of one journal behind those of another, as somebody with the file would."""
    rows = sqlite3.connect(source).execute("SELECT kind, row, hash, signature FROM facts WHERE seq > 1").fetchall()
    with sqlite3.connect(target) as live:
        (last,) = live.execute("SELECT max(seq) FROM facts").fetchone()
        for at, row in enumerate(rows, last + 1):
            live.execute("INSERT INTO facts VALUES (?, 1, ?, ?, ?, ?, ?)", ((1 << 32) + at, at, *row))


def test_facts_of_training_in_the_live_journal_are_found_and_it_does_not_open(tmp_path: Path) -> None:
    """Both journals with one key even, which no kiosk has: the realm stands in every fact that is hashed."""
    live, training = tmp_path / "journal-live.db", tmp_path / "journal-training.db"
    make(live, "live")
    make(training, "training")
    append_rows(training, live)
    with Reader(live) as reader:
        kinds = {finding.code for finding in verify(reader)}
    assert {"realm_changed", "chain_broken"} <= kinds
    with pytest.raises(JournalError):
        Journal.open(live, key=KEY, ballast_bytes=0)
