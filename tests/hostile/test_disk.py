"""The journal's disk is full, takes no writes, or hands back other bytes: a clear reason, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.core.control import call
from kiosk.errors import ControlError
from kiosk.journal.reader import Reader
from kiosk.journal.verify import verify
from kiosk.model import facts
from tests.app.live_kiosk import LiveKiosk, live_kiosk, run_kiosk, said, until

PAGE = 4096


@pytest.fixture
def disk() -> Iterator[Path]:
    """A file system of 48 MiB: the reserve of 32, the ballast of 4, and some room."""
    where = Path(tempfile.mkdtemp(prefix="kiosk-disk-"))
    told = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs", where], capture_output=True, text=True
    )
    if told.returncode:
        where.rmdir()
        pytest.skip(f"this machine mounts no tmpfs: {told.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)
        where.rmdir()


def fill(disk: Path) -> Path:
    """Take every byte that is free."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            pass
        try:
            while True:
                file.write(b"\0" * 512)
        except OSError:
            pass
    return filler


def sound(kiosk: LiveKiosk) -> None:
    """Walk the whole chain."""
    with Reader(kiosk.directory.journal) as reader:
        assert verify(reader) == []


@pytest.mark.root
def test_a_disk_that_fills_up_at_rest_closes_the_counter_and_space_opens_it_again(disk: Path) -> None:
    with live_kiosk(state=disk / "state") as kiosk:
        kiosk.wait("idle")
        filler = fill(disk)
        shot = kiosk.wait("out_of_service", 40)
        assert set(said(shot)) & {"out.low_space", "out.journal_full"}
        assert set(kiosk.health()["reasons"]) & {"out.low_space", "out.journal_full"}
        until(lambda: not kiosk.can_insert, "the mouth closes", 20)
        filler.unlink()
        kiosk.wait("idle", 40)
        kiosk.pay_fifteen()
        assert kiosk.in_box == kiosk.booked() == 1500
        sound(kiosk)


@pytest.mark.root
def test_a_disk_that_fills_up_in_a_payment_still_takes_the_note_that_is_moving(disk: Path) -> None:
    with live_kiosk(state=disk / "state") as kiosk:
        kiosk.to_accepting()
        kiosk.insert(10)
        kiosk.wait("stacking")
        before = [each.hash for each in kiosk.facts()]
        filler = fill(disk)
        kiosk.wait_inserted(1000)  # the ballast gave its room for this one
        assert kiosk.booked() == 1000
        assert [each.hash for each in kiosk.facts()][: len(before)] == before
        fill(disk)  # and now the ballast's room is gone as well
        filler.unlink()
        until(lambda: kiosk.shot()["screen"] in ("accepting", "timed_out"), "the person goes on")
        kiosk.stage.touch("finish", ())
        until(lambda: kiosk.bodies(facts.Settled), "settled", 40)
        kiosk.wait("idle", 60)
        assert kiosk.in_box == kiosk.booked() == 1000
        sound(kiosk)


@pytest.mark.root
def test_a_journal_that_takes_nothing_at_all_keeps_the_note_at_the_wire_until_it_does(disk: Path) -> None:
    with live_kiosk(state=disk / "state") as kiosk:
        kiosk.to_accepting()
        connection = kiosk.kernel.parts.journal._connection
        kiosk.insert(10)
        kiosk.wait("stacking")
        full = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {full}")  # SQLite's own "disk full", ballast or not
        until(lambda: (said(kiosk.shot()) and "journal_full" in str(said(kiosk.shot()))) or kiosk.status()["trouble"],
              "the trouble is told", 30)  # fmt: skip
        assert kiosk.status()["trouble"]
        assert kiosk.shot()["inserted"][0] == 0  # not counted before it is on the disk
        connection.execute("PRAGMA max_page_count = 1073741823")
        kiosk.wait_inserted(1000, 40)
        assert len(kiosk.bodies(facts.NoteCredited)) == 1
        assert kiosk.in_box == kiosk.booked() == 1000
        sound(kiosk)


def test_a_disk_that_turns_read_only_in_a_payment_closes_the_counter_and_the_next_start_goes_on() -> None:
    with live_kiosk() as kiosk:
        kiosk.to_accepting()
        kiosk.insert(10)
        kiosk.wait_inserted(1000)
        before = [each.hash for each in kiosk.facts()]
        kiosk.kernel.parts.journal._connection.execute("PRAGMA query_only = 1")  # every write: SQLITE_READONLY
        kiosk.stage.touch("finish", ())
        until(lambda: kiosk.status()["trouble"], "the trouble is told")
        assert "out.journal_readonly" in kiosk.health()["reasons"]
        assert "out.journal_readonly" in kiosk.status()["out_of_service"]
        until(lambda: not kiosk.can_insert, "the mouth closes", 20)
        assert [each.hash for each in kiosk.facts()] == before
        kiosk.stop()
        kiosk.start()  # the disk is writable again
        shot = kiosk.wait("resuming")
        assert shot["inserted"][0] == 1000
        kiosk.stage.touch("finish", ())
        kiosk.stage.expect_receipt(True)
        assert kiosk.in_box == kiosk.booked() == 1000
        sound(kiosk)


@pytest.mark.root
def test_a_read_only_disk_at_the_start_is_told_in_one_line(disk: Path) -> None:
    with live_kiosk(state=disk / "state") as kiosk:
        kiosk.wait("idle")
        before = [each.hash for each in kiosk.facts()]
        kiosk.stop()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        done = run_kiosk("run", "--config", str(kiosk.directory.config))
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "remount" in done.stderr
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        kiosk.start()
        kiosk.wait("idle")
        assert [each.hash for each in kiosk.facts()][: len(before)] == before


def damage(journal: Path, keep: int = 2) -> bytes:
    """Overwrite every page but the first ones; return what was there."""
    whole = journal.read_bytes()
    with journal.open("r+b") as file:
        file.seek(keep * PAGE)
        file.write(b"\xa5" * (len(whole) - keep * PAGE))
        file.flush()
        os.fsync(file.fileno())
    return whole


def test_a_damaged_page_at_the_start_stops_it_in_one_line_and_the_file_is_left_as_evidence() -> None:
    with live_kiosk() as kiosk:
        kiosk.pay_fifteen()
        kiosk.stop()
        kiosk.start()
        kiosk.stop()  # everything is in the database file now
        journal = kiosk.directory.journal
        whole = damage(journal)
        broken = journal.read_bytes()
        done = run_kiosk("run", "--config", str(kiosk.directory.config))
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "evidence" in done.stderr or "backup" in done.stderr
        assert journal.read_bytes()[2 * PAGE :] == broken[2 * PAGE :]
        told = run_kiosk("journal", "verify", "--config", str(kiosk.directory.config))
        assert told.returncode == 1
        assert "Traceback" not in told.stderr
        journal.write_bytes(whole)
        kiosk.start()
        assert kiosk.booked() == 1500
        sound(kiosk)


def test_a_page_damaged_while_running_closes_the_counter_when_it_is_met() -> None:
    with live_kiosk() as kiosk:
        kiosk.pay_fifteen()
        kiosk.wait("idle", 30)
        kiosk.stop()
        kiosk.start()
        kiosk.wait("idle")
        whole = damage(kiosk.directory.journal)
        kiosk.kernel.parts.journal._connection.execute("PRAGMA shrink_memory")
        with pytest.raises(ControlError) as told:
            call(kiosk.socket, "reprint", {"number": 1})  # reads the slip's fact, and meets the damage
        assert str(kiosk.directory.journal) in told.value.message
        until(lambda: kiosk.status()["trouble"], "the damage is told")
        assert "out.journal_damaged" in kiosk.status()["out_of_service"]
        until(lambda: not kiosk.can_insert, "the mouth closes", 20)
        kiosk.stop()
        for path in kiosk.directory.state.glob("journal-demo.db-*"):
            if path.suffix in (".db-wal", ".db-shm"):
                path.unlink()
        kiosk.directory.journal.write_bytes(whole)
        kiosk.start()
        kiosk.wait("idle")
        assert kiosk.booked() == kiosk.in_box == 1500
        sound(kiosk)


