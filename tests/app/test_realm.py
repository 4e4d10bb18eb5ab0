"""A kiosk changes over to another realm: the same process comes back on the other journal, with the other key."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest

from kiosk import app
from kiosk.core.people import hash_of
from kiosk.journal.keys import SigningKey
from kiosk.journal.reader import Reader
from kiosk.journal.realm import CHOICE
from kiosk.journal.receipt_seal import seal
from kiosk.journal.verify import verify
from kiosk.model import facts
from tests.app.live_kiosk import KioskAtHand, LiveKiosk, ProcessKiosk, live_kiosk, process_kiosk, run_kiosk, until

B = TypeVar("B")


def realm_of(kiosk: LiveKiosk) -> str:
    found: str = kiosk.kernel.parts.journal.realm
    return found


def make_live(config: Path) -> None:
    """Configure the kiosk of a test as a live one."""
    text = config.read_text("utf-8").replace('realm = "demo"', 'realm = "live"')
    config.write_text("\n".join(line for line in text.splitlines() if "framed_by" not in line) + "\n", "utf-8")


CHANGER = """
import sys, threading, time
from kiosk import app
from kiosk.app import running

class Changing(running.Running):
    changed = 0
    def start(self):
        super().start()
        if Changing.changed < len(sys.argv) - 2:
            realm = sys.argv[2 + Changing.changed]
            Changing.changed += 1
            # The kernel's own thread asks for it, as the effect of an operator's menu does.
            kernel = self.core.running_kernel
            tick = kernel.tick
            def change():
                kernel.tick = tick
                tick()
                kernel.parts.restart(realm)
            kernel.tick = change

running.Running = Changing
from pathlib import Path
sys.exit(app.run(app.load(Path(sys.argv[1])), print))
"""


def test_one_process_goes_to_training_and_back_and_each_journal_keeps_its_own_key() -> None:
    kiosk = LiveKiosk()
    try:
        kiosk.hardware.start()
        make_live(kiosk.directory.config)
        state = kiosk.directory.state
        child = subprocess.Popen(
            [sys.executable, "-c", CHANGER, str(kiosk.directory.config), "training", "live"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            journals = [state / "journal-live.db", state / "journal-training.db"]
            until(lambda: journals[1].exists(), "the training journal was begun", 40)
            until(lambda: len(kinds(journals[0], facts.Started)) == 2, "it is back on the live journal", 40)
            until(lambda: not (state / CHOICE).exists(), "the choice is taken back")
            child.send_signal(signal.SIGTERM)
            said, _ = child.communicate(timeout=30)
        finally:
            child.kill()
        assert child.returncode == 0, said
        assert "realm training" in said
        assert "realm live" in said
        for path, starts in zip(journals, (2, 1), strict=True):
            with Reader(path) as reader:
                assert verify(reader) == []
                every = list(reader.read())
            assert {each.fact.realm for each in every} == {path.stem.removeprefix("journal-")}
            assert sum(isinstance(each.fact.body, facts.Started) for each in every) == starts
            assert sum(isinstance(each.fact.body, facts.Stopped) for each in every) == starts, "every end was orderly"
        keys = {SigningKey.load(path.with_suffix(".key")).public_hex for path in journals}
        assert len(keys) == 2
    finally:
        kiosk.stage.stop()
        kiosk.hardware.stop()
        shutil.rmtree(kiosk.root)


def kinds(path: Path, kind: type[B]) -> list[B]:
    with Reader(path) as reader:
        return [each.fact.body for each in reader.read() if isinstance(each.fact.body, kind)]


def test_a_demonstration_that_is_told_to_become_live_goes_on_and_tells_it() -> None:
    with live_kiosk() as kiosk:
        kiosk.wait("idle")
        kiosk.core.restart_on("live")
        until(lambda: "cannot work in the realm 'live'" in kiosk.kernel.last_fault, "the refusal is told")
        assert kiosk.core.next_realm == ""
        assert not kiosk.core.ended.is_set()
        assert realm_of(kiosk) == "demo"
        assert not (kiosk.directory.state / CHOICE).exists()


@pytest.fixture
def stopped() -> Iterator[LiveKiosk]:
    """A kiosk that was never started."""
    kiosk = LiveKiosk(screen=False)
    yield kiosk
    shutil.rmtree(kiosk.root)


def test_training_lasts_over_a_restart_and_commands_read_its_journal(stopped: LiveKiosk) -> None:
    kiosk = stopped
    make_live(kiosk.directory.config)
    (kiosk.directory.state / CHOICE).write_text("training\n")
    setup = app.load(kiosk.directory.config)
    assert (setup.realm, setup.journal_path.name) == ("training", "journal-training.db")
    journal, _ = app.open_journal(setup, app.make_clock(setup), facts.Digests("", "", ""))
    journal.close()
    done = run_kiosk("journal", "verify", "--config", str(kiosk.directory.config))
    assert done.returncode == 0
    assert "SPECIMEN" in done.stdout
    assert "journal-training.db" in done.stdout


@pytest.mark.parametrize("with_key", [False, True])
def test_a_training_journal_under_the_live_ones_name_stops_the_start(stopped: LiveKiosk, with_key: bool) -> None:
    config, state = stopped.directory.config, stopped.directory.state
    make_live(config)
    (state / CHOICE).write_text("training\n")
    setup = app.load(config)
    journal, _ = app.open_journal(setup, app.make_clock(setup), facts.Digests("", "", ""))
    journal.close()
    (state / CHOICE).unlink()
    (state / "journal-training.db").rename(state / "journal-live.db")
    if with_key:
        (state / "journal-training.key").rename(state / "journal-live.key")
    before = (state / "journal-live.db").read_bytes()
    done = run_kiosk("run", "--config", str(config))
    assert done.returncode == 1
    assert "renamed or copied" in done.stderr
    assert "Traceback" not in done.stderr
    assert (state / "journal-live.db").read_bytes() == before


@pytest.mark.parametrize("choice", ["live", "garbage"])
def test_a_choice_that_does_not_fit_stops_the_start_with_one_clear_line(choice: str) -> None:
    with process_kiosk() as kiosk:
        kiosk.wait("idle")
        assert kiosk.terminate() == 0
        (kiosk.directory.state / CHOICE).write_text(choice)
        done = run_kiosk("run", "--config", str(kiosk.directory.config))
        assert done.returncode == 1
        assert str(kiosk.directory.state / CHOICE) in done.stderr
        assert "Traceback" not in done.stderr


def test_the_page_that_checks_receipts_says_specimen_and_never_genuine() -> None:
    with live_kiosk() as kiosk:
        kiosk.pay_fifteen()
        (slip,) = [each for each in kiosk.facts() if isinstance(each.fact.body, facts.ReceiptIssued)]
        line = seal(slip, kiosk.kernel.parts.key)
        assert kiosk.running is not None
        told = app.page_verdict(app.receipt_checker(kiosk.running.setup))
        assert told is not None
        verdict = told(line)
        assert (verdict.genuine, verdict.specimen, verdict.reason) == (False, True, "")
        passed_off = told(line.replace("|demo|", "|live|"))
        assert (passed_off.genuine, passed_off.specimen, passed_off.reason) == (False, False, "unknown_key")
        page = check_page(kiosk, line)
        assert "SPECIMEN" in page
        assert "genuine" not in page
        assert "SPECIMEN" in kiosk.ask("/health")[1] or "demo" in kiosk.ask("/health")[1]


def test_a_key_that_the_hub_revoked_proves_no_receipt_from_that_moment_on() -> None:
    with live_kiosk() as kiosk:
        kiosk.pay_fifteen()
        (slip,) = [each for each in kiosk.facts() if isinstance(each.fact.body, facts.ReceiptIssued)]
        line = seal(slip, kiosk.kernel.parts.key)
        assert kiosk.running is not None
        setup = kiosk.running.setup
        checked = app.receipt_checker(setup)
        assert checked is not None
        assert checked(line).reason == "specimen"
        with sqlite3.connect(setup.replica_path) as replica:
            told = f"{'0' * 64}\n{kiosk.kernel.parts.key.public_hex}\n".encode()
            replica.execute("INSERT INTO documents VALUES ('keys_revoked', 1, '', 'city-hall', ?, 0)", (told,))
        assert checked(line).reason == "revoked"
        with sqlite3.connect(setup.replica_path) as replica:
            replica.execute("UPDATE documents SET version = 2, body = ?", (b"0" * 64,))
        assert checked(line).reason == "specimen"


def check_page(kiosk: LiveKiosk, line: str) -> str:
    """Post a receipt's line to the page, as a browser on the machine would."""
    parts = urlsplit(kiosk.address())
    origin = f"http://{parts.hostname}:{parts.port}"
    request = Request(f"{origin}/verify", urlencode({"receipt": line}).encode(), {"Origin": origin})
    with urlopen(request, timeout=10) as answer:
        found: str = answer.read().decode("utf-8")
        return found


def make_live_with_admin(kiosk: KioskAtHand) -> None:
    """Make the kiosk of a test a live one, of a city of its own, with one admin."""
    config = kiosk.directory.config
    make_live(config)
    pack = kiosk.root / "pack"
    shutil.copytree(Path(__file__).resolve().parents[2] / "config", pack)
    city = (pack / "city.toml").read_text("utf-8")
    (pack / "city.toml").write_text(city.replace("example = true", "example = false"), "utf-8")
    person = f'[[people]]\nid = "p99"\nroles = ["admin"]\npin = "{hash_of("2580")}"\n'
    text = config.read_text("utf-8").replace("[paths]", '[paths]\ncity_data = "pack"')
    config.write_text(f"{text}\n{person}", "utf-8")


def test_an_admin_changes_the_realm_at_the_screen_and_the_same_process_comes_back() -> None:
    kiosk = ProcessKiosk()
    try:
        make_live_with_admin(kiosk)
        kiosk.hardware.start()
        kiosk.start()
        pid = kiosk.process.pid
        for realm in ("training", "live"):
            kiosk.screen.touch("call_operator", ())
            kiosk.screen.touch("enter_pin", ("p99", "2580"))
            kiosk.wait("attended")
            kiosk.screen.touch("change_realm", (realm,))
            kiosk.screen.wait_for("the other realm", lambda shot, realm=realm: shot["realm"] == realm, 30_000)  # type: ignore[misc]
            assert kiosk.process.pid == pid
            if realm == "training":
                kiosk.wait("idle")  # training needs no commissioning
        assert kiosk.terminate() == 0
        for realm, starts in (("live", 2), ("training", 1)):
            path = kiosk.directory.state / f"journal-{realm}.db"
            assert len(kinds(path, facts.Started)) == len(kinds(path, facts.Stopped)) == starts
            (act,) = kinds(path, facts.OperatorActed)
            assert act.act == "realm"
            with Reader(path) as reader:
                assert verify(reader) == []
    finally:
        kiosk.stage.stop()
        kiosk.process.stop()
        kiosk.hardware.stop()
        shutil.rmtree(kiosk.root, ignore_errors=True)


def test_a_live_kiosk_takes_no_money_before_a_person_put_it_into_service(stopped: LiveKiosk) -> None:
    config = stopped.directory.config
    make_live_with_admin(stopped)
    stopped.hardware.start()
    try:
        stopped.start()
        until(lambda: reasons(stopped) == ["out.not_commissioned"], "only the commissioning is missing")
        stopped.stop()
        pin = stopped.root / "pin"
        pin.write_text("2580\n")
        pin.chmod(0o600)
        done = run_kiosk(
            "commission", "--config", str(config), "--person", "p99", "--box", "B-0001", "--pin-file", str(pin)
        )
        assert done.returncode == 0, done.stdout + done.stderr
        stopped.start()
        until(lambda: reasons(stopped) == [], "it is in service")
        assert stopped.kernel.books.box_number == "B-0001"
    finally:
        stopped.stop()
        stopped.stage.stop()
        stopped.hardware.stop()


def reasons(kiosk: LiveKiosk) -> list[str]:
    return [each.id for each in kiosk.kernel.model.out_of_service]
