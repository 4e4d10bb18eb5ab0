"""kiosk-sync's link to a running core: how the kiosk is, commands, signatures, documents."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.core.people import hash_of
from kiosk.core.snapshot import DeviceView
from kiosk.core.verbs_hub import ENROL_DOMAIN, _device
from kiosk.errors import ControlError, JournalFull
from kiosk.journal.encoding import head_message
from kiosk.journal.keys import verify
from kiosk.journal.reader import Reader
from kiosk.journal.verify import verify as verify_journal
from kiosk.model import facts
from kiosk.sync import enrolment
from kiosk.sync.corelink import CoreLink, CoreState
from kiosk.sync.messages import Command, DeviceState, Status
from kiosk.sync.receipts import kiosk_key_message
from tests.app.live_kiosk import LiveKiosk, live_kiosk, said, until

WORDS = "Water in the hall. City Hall, Main Street 1, is open until 6 pm."


@pytest.fixture(scope="module")
def kiosk() -> Iterator[LiveKiosk]:
    with live_kiosk() as found:
        found.wait("idle")
        yield found
        with Reader(found.directory.journal) as reader:
            assert verify_journal(reader) == []


def state(kiosk: LiveKiosk) -> CoreState:
    found = CoreLink(kiosk.socket).state()
    assert found is not None
    return found


def command(kiosk: LiveKiosk, name: str, command: str, argument: str = "", reason: str = "") -> str:
    return CoreLink(kiosk.socket, "city-hall").command(Command(name, command, argument, reason, "o7")).outcome


def test_what_a_device_fills_its_words_up_with_keeps_no_status_from_the_hub() -> None:
    told = _device(DeviceView("notes", "BillAcceptor", "d", "ready", "ok", "ID-003 v1\0\0\0"))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=DeviceState) == told


def test_the_state_has_everything_for_a_status_and_no_sum(kiosk: LiveKiosk) -> None:
    told = until(lambda: found if (found := state(kiosk)).paper == "plenty" else None, "the printer speaks")
    assert (told.state, told.reasons, told.alarms) == ("open", (), ())
    assert {each.device_class for each in told.devices} == {"BillAcceptor", "POSPrinter", "Scanner"}
    assert {each.severity for each in told.devices} <= {"ok", "warning", "error", "unknown"}
    assert (told.kiosk, told.realm, told.epoch) == ("K07", "demo", 1)
    assert told.clock.trusted
    status = Status(
        1, told.state, told.reasons, told.devices, told.paper, told.stacker_permille, 0, 0, told.clock, told.software,
        told.alarms,
    )  # fmt: skip
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(status), type=Status) == status
    names = {field.name for field in msgspec.structs.fields(CoreState)}
    assert not {name for name in names if "minor" in name or "sum" in name or "amount" in name}


def test_the_level_of_the_box_is_told_in_steps(kiosk: LiveKiosk) -> None:
    kernel = kiosk.kernel
    before = kernel.parts.stacker_notes
    try:
        kernel.parts.stacker_notes = 0  # nobody said how many notes the box holds
        assert state(kiosk).stacker_permille is None
        kernel.parts.stacker_notes = 100
        kernel.books.box_unknown = 37
        assert state(kiosk).stacker_permille == 350
    finally:
        kernel.books.box_unknown, kernel.parts.stacker_notes = 0, before


def test_only_an_enrolment_and_the_own_transport_key_are_signed(kiosk: LiveKiosk) -> None:
    link = CoreLink(kiosk.socket)
    key = link.journal_key()
    assert ENROL_DOMAIN == enrolment.DOMAIN
    for message in (ENROL_DOMAIN + b"anything", kiosk_key_message("K07", "k" * 40)):
        assert verify(key, message, link.sign(message))
    for message in (
        head_message("K07", 1, 9, bytes(32)), b"", b"kiosk-enrol-v1", b"kiosk-enrol-v12\0", b" " + ENROL_DOMAIN,
        kiosk_key_message("K08", "k" * 40), kiosk_key_message("K071", "k" * 40), b"kiosk-hub-receipt-v1\0",
        ENROL_DOMAIN + bytes(3000),
    ):  # fmt: skip
        with pytest.raises(ControlError):
            link.sign(message)


def test_the_hubs_shutter_waits_for_a_payment_and_says_its_words(kiosk: LiveKiosk) -> None:
    kiosk.to_accepting()
    kiosk.insert(10)
    kiosk.wait_inserted(1000)
    assert command(kiosk, "c1", "shutter", "closed", WORDS) == "waiting"
    kiosk.insert(5)
    kiosk.stage.expect_receipt(True)
    shot = kiosk.wait("out_of_service")
    assert said(shot) == ["out.hub"]
    assert WORDS in str(shot["messages"])
    told = state(kiosk)
    assert (told.state, told.reasons) == ("closed", ("out.hub",))
    assert [(each.id, each.outcome) for each in told.commands] == [("c1", "done")]
    kinds = [type(each.fact.body) for each in kiosk.facts()]
    assert kinds.index(facts.Settled) < kinds.index(facts.ShutterChanged)
    kiosk.stop()
    assert CoreLink(kiosk.socket).state() is None
    kiosk.start()
    until(lambda: said(kiosk.shot()) == ["out.hub"], "the hub's words are the one reason again")
    assert command(kiosk, "c1", "shutter", "closed", WORDS) == "done"
    assert command(kiosk, "c2", "shutter", "open") == "done"
    kiosk.wait("idle")
    assert len(kiosk.bodies(facts.HubCommanded)) == 3


def test_a_journal_that_takes_nothing_is_no_refusal(kiosk: LiveKiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise JournalFull("no space is left")

    with monkeypatch.context() as changed, pytest.raises(ControlError) as caught:
        changed.setattr(kiosk.kernel.hub, "take", full)
        command(kiosk, "c9", "rotate")
    assert caught.value.transient
    with pytest.raises(ControlError) as caught:
        command(kiosk, "no command's id", "rotate")
    assert not caught.value.transient


def test_the_hubs_people_are_taken_at_a_nudge(kiosk: LiveKiosk) -> None:
    body = f'[[people]]\nid = "p20"\nroles = ["operate"]\npin = "{hash_of("8520")}"\n'.encode()
    with sqlite3.connect(kiosk.directory.state / "sync.db") as database:
        database.execute(
            "INSERT INTO documents (name, version, digest, source, body, received_ns) VALUES (?, 7, '', '', ?, 0)",
            ("people", body),
        )
    CoreLink(kiosk.socket).adopt("people")
    (told,) = kiosk.bodies(facts.PeopleAdopted)
    assert (told.version, told.people) == (7, ("p20",))
    assert {"p01", "p02"} <= set(told.conflicts)
    kiosk.screen.touch("call_operator", ())
    kiosk.screen.touch("enter_pin", ("p20", "8520"))
    kiosk.wait("attended")
    kiosk.screen.touch("sign_out", ())
    kiosk.wait("idle")


def test_a_core_that_never_answers_holds_nobody_for_half_a_second(tmp_path: Path) -> None:
    path = tmp_path / "core.sock"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen(4)
        began = time.monotonic()
        assert CoreLink(path).state() is None
        assert time.monotonic() - began < 2  # 0.4 s, and room for a busy machine
        drip = threading.Thread(target=_drip, args=(mute,), daemon=True)
        drip.start()
        began = time.monotonic()
        assert CoreLink(path).state() is None
        assert time.monotonic() - began < 2
        drip.join(5)


def _drip(mute: socket.socket) -> None:
    """Answer one byte at a time and never end the line."""
    for _ in range(2):
        caller, _ = mute.accept()
        with caller:
            try:
                for _ in range(40):
                    caller.sendall(b" ")
                    time.sleep(0.05)
            except OSError:
                continue
