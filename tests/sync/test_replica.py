"""The replica: found by number, whole or not at all, refused when it cannot be trusted."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import ReplicaError
from kiosk.model.invoice import STATES, Invoice, PostedThrough
from kiosk.sync.plates import key_id, plate_hash
from kiosk.sync.replica import Replica, data_set_of, documents, from_row, table_of, to_row
from kiosk.sync.replica_store import Batch, Taken, open_store, writer_lock
from tests.databases.make_replica_v2 import INVOICES as FROZEN
from tests.databases.make_replica_v2 import KEY

BASE = Invoice(service="parking_citation", number="260004175", currency="USD", amount_minor=None,
               issued=dt.date(2026, 3, 2), code="01", offence=3)  # fmt: skip


def invoice(number: str, **changes: object) -> Invoice:
    """The example invoice under another number."""
    return msgspec.structs.replace(BASE, number=number, **changes)


def take(path: Path, *invoices: Invoice, snapshot: bool = False, at: int = 1_000) -> Taken:
    """Write invoices of one service."""
    with writer_lock(path), closing(open_store(path)) as store:
        batch = Batch(store, invoices[0].service if invoices else BASE.service)
        for line, each in enumerate(invoices, 1):
            assert batch.add(to_row(each), line)
        return batch.take_over(at, snapshot=snapshot)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sync.db"


def test_an_invoice_comes_back_as_it_went_in(path: Path) -> None:
    plate = plate_hash("EXM 101", b"key").hex()
    whole = invoice("260004188", amount_minor=8317, paid_minor=100, state="in_court", due=dt.date(2026, 4, 1),
                    held_days=3, plate_hash=plate, posted_through=PostedThrough(2, 99))  # fmt: skip
    take(path, BASE, whole)
    with closing(Replica.open(path)) as replica:
        assert replica.find("parking_citation", "260004188") == whole
        assert replica.find("parking_citation", "260004175") == BASE
        assert replica.find("parking_citation", "999999999") is None
        assert replica.find("water_bill", "260004175") is None


def test_a_reader_sees_a_batch_at_once_and_never_a_part_of_it(path: Path) -> None:
    take(path, BASE)
    with closing(Replica.open(path)) as replica, writer_lock(path), closing(open_store(path)) as store:
        assert replica.find("parking_citation", "1") is None
        batch = Batch(store, "parking_citation")
        for number in ("1", "2"):
            batch.add(to_row(invoice(number)), 1)
            assert replica.find("parking_citation", number) is None
        batch.take_over(2_000)
        assert [replica.find("parking_citation", number) is not None for number in ("1", "2", "260004175")] == [
            True
        ] * 3


def test_a_crash_before_the_commit_leaves_the_replica_as_it_was(path: Path) -> None:
    before = take(path, BASE).info
    code = (
        "import os, sys\n"
        "from kiosk.sync.replica_store import Batch, open_store\n"
        "from tests.sync.test_replica import invoice, to_row\n"
        "from pathlib import Path\n"
        "class Dies(Batch):\n"
        "    def _describe(self, *args, **options):\n"
        "        os._exit(9)\n"
        "batch = Dies(open_store(Path(sys.argv[1])), 'parking_citation')\n"
        "batch.add(to_row(invoice('1')), 1)\n"
        "batch.take_over(5, snapshot=True)\n"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, check=False).returncode == 9
    with closing(Replica.open(path)) as replica:
        assert replica.find("parking_citation", "260004175") == BASE
        assert replica.find("parking_citation", "1") is None
        assert replica.dataset("invoices:parking_citation") == before
        assert replica.integrity() == ()


def test_a_writer_that_dies_after_its_commit_has_written(path: Path) -> None:
    code = (
        "import os, sys\n"
        "from kiosk.sync.replica_store import Batch, open_store\n"
        "from tests.sync.test_replica import BASE, to_row\n"
        "from pathlib import Path\n"
        "store = open_store(Path(sys.argv[1]))\n"
        "batch = Batch(store, 'parking_citation')\n"
        "batch.add(to_row(BASE), 1)\n"
        "batch.take_over(5)\n"
        "os._exit(9)\n"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, check=False).returncode == 9
    with closing(Replica.open(path)) as replica:
        assert replica.find("parking_citation", "260004175") == BASE


def test_a_snapshot_replaces_what_was_there_and_an_update_does_not(path: Path) -> None:
    take(path, invoice("1"), invoice("2"))
    update = take(path, invoice("2", paid_minor=5), invoice("3"))
    assert (update.added, update.changed, update.unchanged, update.removed) == (1, 1, 0, 0)
    assert (update.info.generation, update.info.cursor, update.info.rows) == (1, 2, 3)
    snapshot = take(path, invoice("3"), invoice("4"), snapshot=True)
    assert (snapshot.added, snapshot.changed, snapshot.unchanged, snapshot.removed) == (1, 0, 1, 2)
    assert (snapshot.info.generation, snapshot.info.cursor, snapshot.info.rows) == (2, 1, 2)
    with closing(Replica.open(path)) as replica:
        assert [replica.find("parking_citation", number) is None for number in "1234"] == [True, True, False, False]


def test_the_same_rows_again_change_nothing_but_their_age(path: Path) -> None:
    first = take(path, invoice("1"), invoice("2"), at=1_000)
    again = take(path, invoice("2"), invoice("1"), at=9_000_000_000)
    assert (again.added, again.changed, again.unchanged) == (0, 0, 2)
    assert again.info == msgspec.structs.replace(first.info, taken_at_ns=9_000_000_000)
    assert again.info.age_s(20_000_000_000) == 11
    assert again.info.age_s(1) == 0


def test_the_digest_follows_the_content_and_not_the_way_there(tmp_path: Path) -> None:
    one, two = tmp_path / "one.db", tmp_path / "two.db"
    take(one, invoice("1"), invoice("2", paid_minor=7))
    take(two, invoice("2"))
    assert take(two, invoice("1"), invoice("2", paid_minor=7)).info.digest == take(one, invoice("1")).info.digest
    assert take(two, invoice("1", state="paid")).info.digest != take(one, invoice("1")).info.digest
    with closing(Replica.open(one)) as left, closing(Replica.open(two)) as right:
        assert left.digest != right.digest


def test_services_are_kept_apart(path: Path) -> None:
    take(path, BASE)
    take(path, msgspec.structs.replace(BASE, service="water_bill", amount_minor=5), snapshot=True)
    with closing(Replica.open(path)) as replica:
        assert replica.find("parking_citation", BASE.number) == BASE
        assert [each.name for each in replica.datasets()] == ["invoices:parking_citation", "invoices:water_bill"]
        assert replica.dataset("invoices:dog_licence") is None


def test_only_one_process_may_write(path: Path) -> None:
    with writer_lock(path), pytest.raises(ReplicaError, match="another process") as told, writer_lock(path):
        pytest.fail("two writers at once")
    assert told.value.transient
    with writer_lock(path):
        assert take is not None


def test_a_missing_replica_says_how_to_get_one(path: Path) -> None:
    with pytest.raises(ReplicaError, match="does not exist") as told:
        Replica.open(path)
    assert "import" in told.value.hint
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_file_that_is_no_replica_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ReplicaError):
        Replica.open(path)


def test_a_replica_of_a_newer_version_is_refused(path: Path) -> None:
    take(path, BASE)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version=4")
    for readonly in (True, False):
        with pytest.raises(ReplicaError, match="version 4"):
            Replica.open(path, readonly=readonly)


def test_another_database_is_not_taken_for_a_replica(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE facts (x)")
    for readonly in (True, False):
        with pytest.raises(ReplicaError, match="not a replica"):
            Replica.open(path, readonly=readonly)


def test_a_damaged_page_is_told_with_what_to_do(path: Path) -> None:
    take(path, *(invoice(f"{number:09d}") for number in range(2000)))
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = b"\xa5" * (len(content) - 4096 * 2)
    path.write_bytes(content)
    with closing(Replica.open(path)) as replica:
        with pytest.raises(ReplicaError) as told:
            [replica.find("parking_citation", f"{number:09d}") for number in range(2000)]
        assert "import" in told.value.hint
        assert replica.integrity()


def test_a_reader_cannot_write(path: Path) -> None:
    take(path, BASE)
    with closing(Replica.open(path)) as replica, pytest.raises(sqlite3.OperationalError, match="readonly"):
        replica._connection.execute("DELETE FROM data_sets")


@pytest.mark.parametrize("service", ["", "Water", "a b", "x; DROP TABLE y", "ö", "a" * 33])
def test_only_a_service_id_can_name_a_table(service: str) -> None:
    with pytest.raises(ReplicaError):
        table_of(service)


def test_an_unreadable_row_is_an_error_and_not_an_invoice() -> None:
    row = to_row(BASE)
    with pytest.raises(ReplicaError):
        from_row("parking_citation", (*row[:4], 99, *row[5:]))
    with pytest.raises(ReplicaError):
        from_row("parking_citation", (*row[:5], 0, *row[6:]))


def test_a_plate_finds_its_invoices_of_all_services_and_no_more_than_the_bound(path: Path) -> None:
    mine, other = plate_hash("EXM 101", b"k"), plate_hash("EXM 102", b"k")
    take(path, *(invoice(str(number), plate_hash=mine.hex()) for number in range(30)), invoice("x", plate_hash=""))
    bills = [msgspec.structs.replace(invoice(str(n), plate_hash=mine.hex()), service="water_bill") for n in range(30)]
    take(path, *bills, msgspec.structs.replace(invoice("y", plate_hash=other.hex()), service="water_bill"))
    with closing(Replica.open(path)) as replica:
        found = replica.find_by_plate(mine)
        assert (len(found), {each.service for each in found}) == (50, {"parking_citation", "water_bill"})
        assert [each.number for each in replica.find_by_plate(other, b"nothing")] == ["y"]
        assert replica.find_by_plate(b"") == ()


@pytest.mark.parametrize("snapshot", [False, True])
def test_plates_are_found_by_an_index_also_after_a_snapshot(path: Path, snapshot: bool) -> None:
    for number in ("1", "2"):
        take(path, invoice(number), snapshot=snapshot)
    with closing(sqlite3.connect(path)) as other:
        plan = other.execute(
            "EXPLAIN QUERY PLAN SELECT number FROM invoices_parking_citation WHERE plate_hash IN (?, ?)", (b"", b"x")
        ).fetchall()
    assert "USING" in plan[0][-1]
    assert "plates_of_invoices_parking_citation" in plan[0][-1]


def test_a_replica_of_version_1_is_read_as_it_is_and_brought_forward_by_the_next_writer(path: Path) -> None:
    whole = invoice("1", plate_hash=plate_hash("EXM 101", b"k").hex())
    take(path, whole)
    with closing(sqlite3.connect(path)) as other:
        other.executescript("DROP TABLE plates; DROP INDEX plates_of_invoices_parking_citation; PRAGMA user_version=1")
    with closing(Replica.open(path)) as replica:
        assert replica.find("parking_citation", "1") == whole
        assert replica.plate_states("any") is None
    open_store(path).close()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (3,)
        names = {row[0] for row in other.execute("SELECT name FROM sqlite_master")}
    assert {"plates", "plates_of_invoices_parking_citation"} <= names
    with closing(Replica.open(path)) as replica:
        assert replica.find_by_plate(bytes.fromhex(whole.plate_hash)) == (whole,)


def test_a_data_set_is_named_after_its_service() -> None:
    assert data_set_of("water_bill") == "invoices:water_bill"


@given(
    st.one_of(st.none(), st.integers(0, 10**12)),
    st.integers(0, 10**12),
    st.sampled_from(STATES),
    st.dates(),
    st.one_of(st.none(), st.dates()),
    st.text(max_size=16),
)
def test_every_invoice_survives_its_row(
    amount: int | None, paid: int, state: str, issued: dt.date, due: dt.date | None, code: str
) -> None:
    whole = invoice("1", amount_minor=amount, paid_minor=paid, state=state, issued=issued, due=due, code=code)
    assert from_row(whole.service, to_row(whole)) == whole


def test_what_is_owed_is_readable_by_the_kiosks_user_only_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "sync.db"
    before = os.umask(0)
    try:
        connection = open_store(path)
        connection.execute("CREATE TABLE example (number TEXT)")
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
        connection.close()
    finally:
        os.umask(before)
    assert modes
    assert set(modes.values()) == {0o600}, modes


def test_a_frozen_replica_of_version_2_is_read_as_it_is_and_brought_forward_whole(tmp_path: Path) -> None:
    path = tmp_path / "sync.db"
    shutil.copy(Path(__file__).parents[1] / "databases" / "replica_v2.db", path)
    with closing(Replica.open(path)) as replica:
        before = {each.number: replica.find(each.service, each.number) for each in FROZEN}
        assert list(before.values()) == list(FROZEN)
        assert documents(path) == {}
        digest = replica.digest
        open_store(path).close()  # the next writer, while a reader has it open
        assert {each.number: replica.find(each.service, each.number) for each in FROZEN} == before
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (3,)
    with closing(Replica.open(path)) as replica:
        assert replica.digest == digest
        assert {each.number: replica.find(each.service, each.number) for each in FROZEN} == before
        assert replica.plate_states(key_id(KEY)) == ("NY",)
        assert [each.number for each in replica.find_by_plate(plate_hash("EXM 101", KEY, "NY"))] == ["260004175"]
        assert {each.source for each in replica.datasets()} == {""}
    take(path, BASE)
    assert documents(path) == {}


def test_the_later_of_two_marks_counts_and_both_are_read_in_one_moment(path: Path) -> None:
    take(path, invoice("1", posted_through=PostedThrough(1, 5)), invoice("2"))
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE data_sets SET posted_epoch = 1, posted_seq = 3")
    with closing(Replica.open(path)) as replica:
        found = [replica.find("parking_citation", number) for number in ("1", "2")]
    assert [each.posted_through for each in found if each] == [PostedThrough(1, 5), PostedThrough(1, 3)]
