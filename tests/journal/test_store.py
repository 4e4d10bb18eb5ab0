"""The journal keeps what it was given, and only that."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.errors import JournalDamaged, JournalError, JournalLocked
from kiosk.journal import schema
from kiosk.journal.encoding import ROOT_HASH, chain, decode, encode, head_message
from kiosk.journal.keys import SigningKey, verify
from kiosk.journal.reader import Reader
from kiosk.journal.store import Journal
from kiosk.model.facts import AnyBody, Genesis, Stamp
from tests.journal.conftest import new_journal
from tests.journal.examples import STARTED, any_body, payment

Reopen = Callable[[], Journal]


def test_a_new_journal_begins_with_its_genesis(journal: Journal, key: SigningKey) -> None:
    (first,) = journal.read()
    assert first.fact.body == Genesis(key.public_hex)
    assert (first.fact.kiosk, first.fact.realm, first.fact.epoch, first.fact.seq) == ("K07", "demo", 1, 1)
    assert (journal.epoch, journal.seq, journal.head) == (1, 1, first.hash)
    assert first.hash == chain(ROOT_HASH, next(journal.rows()).row)


def test_facts_come_back_as_they_were_committed(journal: Journal, stamp: Stamp, reopen: Reopen) -> None:
    told = journal.append(payment(2), stamp)
    head = journal.head
    journal.close()
    with reopen() as again:
        assert list(again.read(1)) == told
        assert (again.seq, again.head) == (7, head)


def test_only_the_last_fact_of_a_commit_is_signed(journal: Journal, stamp: Stamp, key: SigningKey) -> None:
    told = journal.append(payment(2), stamp)
    assert [one.signature is None for one in told] == [True] * 5 + [False]
    last = told[-1]
    assert last.signature is not None
    assert verify(key.public_hex, head_message("K07", 1, 7, last.hash), last.signature)
    assert not verify(key.public_hex, head_message("K07", 1, 6, last.hash), last.signature)


def test_appending_nothing_commits_nothing(journal: Journal, stamp: Stamp) -> None:
    head = journal.head
    assert journal.append([], stamp) == []
    assert (journal.seq, journal.head) == (1, head)


def test_each_commit_is_one_transaction(journal: Journal, stamp: Stamp) -> None:
    seen: list[str] = []
    journal._connection.set_trace_callback(seen.append)
    journal.append(payment(2), stamp)
    journal._connection.set_trace_callback(None)
    assert [line for line in seen if line.startswith(("BEGIN", "COMMIT"))] == ["BEGIN IMMEDIATE", "COMMIT"]
    assert journal._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(bodies=st.lists(any_body, min_size=1, max_size=5))
def test_any_sequence_of_bodies_comes_back_unchanged(journal: Journal, stamp: Stamp, bodies: list[AnyBody]) -> None:
    seq = journal.seq
    told = journal.append(bodies, stamp)
    assert [one.fact.body for one in told] == bodies
    assert list(journal.read(seq)) == told
    assert all(encode(decode(encode(one.fact))) == encode(one.fact) for one in told)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE facts SET kind = 'x'",
        "DELETE FROM facts",
        "REPLACE INTO facts (place, epoch, seq, kind, row, hash) VALUES (4294967297, 1, 1, 'x', x'00', zeroblob(32))",
        "INSERT INTO facts (place, epoch, seq, kind, row, hash) VALUES (7, 1, 2, 'x', x'00', zeroblob(32))",
        "INSERT INTO facts (place, epoch, seq, kind, row, hash) VALUES (4294967298, 1, 2, 'x', x'00', zeroblob(31))",
        "INSERT INTO facts (place, epoch, seq, kind, row, hash) VALUES (4294967298, 1, 2, 'x', 'text', zeroblob(32))",
    ],
)
def test_the_table_of_facts_only_ever_grows(journal: Journal, path: Path, statement: str) -> None:
    with sqlite3.connect(path) as stranger, pytest.raises(sqlite3.IntegrityError):
        stranger.execute(statement)
    stranger.close()
    assert len(list(journal.read())) == 1


def test_journal_and_key_are_for_their_owner_only(journal: Journal, path: Path, stamp: Stamp, tmp_path: Path) -> None:
    journal.append([STARTED], stamp)
    for name in ("journal.db", "journal.db-wal", "journal.db-shm", "journal.db.lock", "journal.db.ballast"):
        assert stat.S_IMODE((path.parent / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    SigningKey.create(tmp_path / "keys" / "journal.pem")
    assert stat.S_IMODE((tmp_path / "keys" / "journal.pem").stat().st_mode) == 0o600


def test_a_second_process_is_refused_and_told_who_holds_the_journal(journal: Journal, path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from kiosk.journal.store import Journal\n"
        "from kiosk.journal.keys import SigningKey; from kiosk.errors import JournalLocked\n"
        "try: Journal.open(Path(sys.argv[1]), key=SigningKey.from_seed(bytes(range(32))))\n"
        "except JournalLocked as error: print(error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{path} is in use by process {os.getpid()}"


def test_one_process_does_not_open_a_journal_twice(journal: Journal, reopen: Reopen) -> None:
    with pytest.raises(JournalLocked):
        reopen()
    journal.close()
    reopen().close()


def test_a_journal_is_never_made_over_another(journal: Journal, path: Path, key: SigningKey, stamp: Stamp) -> None:
    with pytest.raises(JournalError, match="exists already"):
        new_journal(path, key, stamp)


def test_a_making_that_was_cut_off_leaves_no_journal_and_does_not_hinder_the_next(
    path: Path, key: SigningKey, stamp: Stamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise OSError(5, "power gone")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", cut)
        with pytest.raises(JournalError):
            new_journal(path, key, stamp)
    assert not path.exists()
    path.with_name("journal.db.new").write_bytes(b"half a journal")
    new_journal(path, key, stamp).close()


@pytest.mark.parametrize(("kiosk", "realm"), [("k07", "demo"), ("K07", "play"), ("", "demo")])
def test_a_journal_needs_a_kiosk_id_and_a_realm(
    path: Path, key: SigningKey, stamp: Stamp, kiosk: str, realm: str
) -> None:
    with pytest.raises(JournalError):
        Journal.create(path, kiosk=kiosk, realm=realm, key=key, stamp=stamp)
    assert not path.exists()


def test_another_key_does_not_open_the_journal(journal: Journal, path: Path) -> None:
    journal.close()
    with pytest.raises(JournalError, match="is signed with key"):
        Journal.open(path, key=SigningKey.generate())


def test_a_missing_journal_and_a_missing_key_are_told_by_name(path: Path, key: SigningKey, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="does not exist"):
        Journal.open(path, key=key)
    with pytest.raises(JournalError, match="does not exist"):
        SigningKey.load(tmp_path / "none.pem")


def test_a_key_survives_its_file_and_refuses_open_doors(tmp_path: Path) -> None:
    file = tmp_path / "journal.pem"
    made = SigningKey.create(file)
    assert SigningKey.load(file).public_hex == made.public_hex
    with pytest.raises(JournalError, match="exists already"):
        SigningKey.create(file)
    file.chmod(0o604)
    with pytest.raises(JournalError, match="open to others"):
        SigningKey.load(file)
    file.chmod(0o600)
    file.write_bytes(b"not a key")
    with pytest.raises(JournalError, match="is not a key"):
        SigningKey.load(file)


def test_a_checkpoint_is_given_back_only_while_it_belongs_to_the_chain(
    journal: Journal, path: Path, stamp: Stamp, reopen: Reopen
) -> None:
    assert journal.load_checkpoint() is None
    journal.append([STARTED], stamp)
    journal.save_checkpoint(1, b"old")
    journal.save_checkpoint(2, b"state")
    journal.append([STARTED], stamp)
    with pytest.raises(JournalError, match="no fact"):
        journal.save_checkpoint(9, b"state")
    journal.close()
    with reopen() as again:
        assert again.load_checkpoint() == (2, b"state")
        assert [one.fact.seq for one in again.read(2)] == [3]
    with sqlite3.connect(path) as stranger:
        stranger.execute("UPDATE checkpoint SET hash = zeroblob(32)")
    stranger.close()
    with reopen() as again:
        assert again.load_checkpoint() is None


def test_a_reader_sees_each_commit_while_the_core_writes(journal: Journal, path: Path, stamp: Stamp) -> None:
    with Reader(path) as reader:
        assert [one.fact.seq for one in reader.read()] == [1]
        told = journal.append(payment(2), stamp)
        assert list(reader.read(1, 1)) == told
        assert reader.one(3, 1) == told[1]
        assert reader.one(99, 1) is None
        with pytest.raises(sqlite3.OperationalError):
            reader._connection.execute("DELETE FROM checkpoint")


def test_a_reader_never_keeps_the_writer_from_tidying(journal: Journal, path: Path, stamp: Stamp) -> None:
    with Reader(path) as reader:
        rows = reader.rows()
        next(rows)
        for _ in range(70):
            journal.append([STARTED], stamp)
        assert journal.tidy()
        assert journal._in_wal == 0
    assert not journal.tidy()


def test_what_open_shows_has_been_written_to_the_database_itself(
    journal: Journal, path: Path, stamp: Stamp, tmp_path: Path, key: SigningKey
) -> None:
    journal.append(payment(2), stamp)
    copy, alone = tmp_path / "copy" / "journal.db", tmp_path / "alone" / "journal.db"
    for place in (copy, alone):
        place.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    copy.with_name("journal.db-wal").write_bytes(path.with_name("journal.db-wal").read_bytes())
    with Journal.open(copy, key=key, ballast_bytes=4096, reserve_bytes=4096) as opened:
        assert opened.seq == 7
        alone.write_bytes(copy.read_bytes())
    with Reader(alone) as reader:
        assert len(list(reader.read())) == 7


def test_an_interrupted_commit_stops_the_journal_and_leaves_nothing_half(
    journal: Journal, stamp: Stamp, reopen: Reopen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("kiosk.journal.store.insert", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.append(payment(2), stamp)
    with pytest.raises(JournalError, match="interrupted"):
        journal.append([STARTED], stamp)
    journal.close()
    with reopen() as again:
        assert again.seq == 1


def test_a_closed_journal_refuses_everything(journal: Journal, stamp: Stamp) -> None:
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.append([STARTED], stamp)
    with pytest.raises(JournalError, match="closed"):
        list(journal.read())


def test_two_threads_at_once_are_refused(journal: Journal, stamp: Stamp) -> None:
    with journal._turn, pytest.raises(JournalLocked, match="two threads"):
        journal.append([STARTED], stamp)


def test_a_stranger_who_holds_the_database_delays_and_never_breaks_a_commit(
    journal: Journal, path: Path, stamp: Stamp
) -> None:
    stranger = sqlite3.connect(path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    journal._connection.execute("PRAGMA busy_timeout = 1")
    with pytest.raises(JournalLocked) as told:
        journal.append([STARTED], stamp)
    assert told.value.transient
    stranger.execute("ROLLBACK")
    stranger.close()
    assert journal.append([STARTED], stamp)[0].fact.seq == 2


def test_a_file_that_is_no_journal_is_refused(path: Path, key: SigningKey) -> None:
    path.parent.mkdir()
    for content in (b"", b"not a database at all" * 100):
        path.write_bytes(content)
        with pytest.raises(JournalDamaged):
            Journal.open(path, key=key)
        with pytest.raises(JournalDamaged):
            Reader(path)


def test_a_newer_schema_is_refused_by_writer_and_reader(journal: Journal, path: Path, reopen: Reopen) -> None:
    journal.close()
    with sqlite3.connect(path) as stranger:
        stranger.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    stranger.close()
    with pytest.raises(JournalError, match="schema version"):
        reopen()
    with pytest.raises(JournalError, match="schema version"):
        Reader(path)


def test_a_newer_fact_is_refused_by_name(journal: Journal) -> None:
    row = next(journal.rows()).row
    with pytest.raises(JournalError, match="has version 9") as told:
        decode(row.replace(b'"version":1', b'"version":9').replace(b'"genesis"', b'"oracle"'))
    assert not isinstance(told.value, JournalDamaged)
    with pytest.raises(JournalDamaged):
        decode(row.replace(b'"genesis"', b'"oracle"'))
