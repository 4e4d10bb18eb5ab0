"""Frozen journals of every schema version open, verify and take facts today, and for ever."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import get_args

import pytest

from kiosk.errors import JournalError
from kiosk.journal import schema
from kiosk.journal.reader import Reader
from kiosk.journal.store import Journal
from kiosk.journal.verify import examine
from kiosk.model.facts import AnyBody
from tests.databases import make_v1
from tests.journal.examples import STARTED

FROZEN = Path(make_v1.__file__).with_name("v1.db")
#: Head of `v1.db` for ever: an old row must hash as it did.
HEAD = "2a3c3acf143bdf783bbbec1e5d17afb9c8072eed16557412ee15890d9396808d"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of the frozen journal of version 1."""
    return Path(shutil.copy(FROZEN, tmp_path / "journal.db"))


def test_the_frozen_journal_is_still_sound_and_has_the_same_head(old: Path) -> None:
    with Reader(old) as reader:
        found = examine(reader, published_keys=[make_v1.FIRST_KEY.public_hex, make_v1.SECOND_KEY.public_hex])
    assert found.findings == []
    assert (found.epoch, found.seq, found.head) == (2, 2, HEAD)
    assert ("overpayments", "USD", -500) in found.balances


def test_the_frozen_journal_holds_every_kind_of_fact_of_its_time(old: Path) -> None:
    with Reader(old) as reader:
        kinds = {row.kind for row in reader.rows()}
    assert len(kinds) == 27
    assert kinds <= {body.__struct_config__.tag for body in get_args(AnyBody)}, "a kind was renamed or removed"


def test_the_frozen_journal_takes_facts_today(old: Path) -> None:
    with Journal.open(old, key=make_v1.SECOND_KEY) as journal:
        assert journal.append([STARTED], make_v1.stamp(200))[0].fact.seq == 3
    with Reader(old) as reader:
        assert reader.schema_version == schema.SCHEMA_VERSION
        assert examine(reader).findings == []


def test_a_migration_runs_forward_all_or_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def next_version(script: str) -> None:
        monkeypatch.setattr(schema, "MIGRATIONS", {1: schema.MIGRATIONS[1], 2: script})
        monkeypatch.setattr(schema, "SCHEMA_VERSION", 2)

    before = old.read_bytes()
    next_version("CREATE TABLE example (x INTEGER) STRICT; CREATE TABLE facts (nonsense);")
    with pytest.raises(JournalError, match="opening the journal failed"):
        Journal.open(old, key=make_v1.SECOND_KEY)
    assert old.read_bytes() == before
    next_version("CREATE TABLE example (x INTEGER) STRICT;")
    with Journal.open(old, key=make_v1.SECOND_KEY) as journal:
        journal.append([STARTED], make_v1.stamp(200))
    connection = sqlite3.connect(old)
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    assert connection.execute("SELECT count(*) FROM example").fetchone() == (0,)
    connection.close()


def test_the_script_still_makes_the_same_facts(old: Path, tmp_path: Path) -> None:
    made = make_v1.make(tmp_path)
    with Reader(made) as new, Reader(old) as frozen:
        assert [row.kind for row in new.rows()] == [row.kind for row in frozen.rows()]
