"""`kiosk run` is told to end, or is killed, in the middle of a payment: the next start goes on with the same credit."""

from __future__ import annotations

import pytest

from kiosk.journal.reader import Reader
from kiosk.journal.verify import verify
from kiosk.model import facts
from kiosk.protocols.id003.codes import DeviceStatus
from kiosk.workbench.screen_hand import amount
from tests.app.live_kiosk import ProcessKiosk, process_kiosk, until


def inhibited(kiosk: ProcessKiosk) -> bool:
    with kiosk.hardware.acceptor.hands() as unit:
        return unit.status is DeviceStatus.DISABLED


def go_on(kiosk: ProcessKiosk) -> None:
    """Take up the interrupted payment, finish it, and compare box and books."""
    shot = kiosk.wait("resuming")
    assert amount(shot["inserted"]).minor == 1000
    assert amount(shot["due"]).minor == 1500
    # The unit hears that it must take nothing until the person has answered.
    until(lambda: inhibited(kiosk), "the acceptor takes nothing")
    kiosk.stage.touch("keep_paying", ())
    kiosk.wait("accepting")
    kiosk.insert(5)
    kiosk.stage.expect_receipt(True)
    assert kiosk.in_box == kiosk.booked() == 1500
    (settled,) = kiosk.bodies(facts.Settled)
    assert [part.outcome for part in settled.allocations] == ["full"]
    with Reader(kiosk.directory.journal) as reader:
        assert verify(reader) == []


@pytest.mark.parametrize("way", ["SIGTERM", "SIGKILL"])
def test_a_payment_goes_on_after_the_process_ended(way: str) -> None:
    with process_kiosk() as kiosk:
        kiosk.to_accepting()
        kiosk.insert(10)
        kiosk.wait_inserted(1000)
        if way == "SIGTERM":
            assert kiosk.terminate() == 0
            assert not kiosk.socket.exists()
            assert not kiosk.directory.screen_url.exists()
        else:
            kiosk.kill()
        kiosk.start()
        kiosk.wait("resuming")
        assert [each.unclean for each in kiosk.bodies(facts.Started)] == [False, way == "SIGKILL"]
        go_on(kiosk)


def test_a_note_in_escrow_when_the_process_is_told_to_end_comes_back() -> None:
    with process_kiosk() as kiosk:
        kiosk.to_accepting()
        kiosk.insert(20)  # above what is due: held until somebody answers
        kiosk.wait("note_held")
        assert kiosk.terminate() == 0
        kiosk.start()
        until(lambda: kiosk.hardware.acceptor.role.returned == [2000], "the note is back in its owner's hand")
        kiosk.wait("idle")
        assert kiosk.in_box == kiosk.booked() == 0


def test_a_note_on_its_way_when_the_process_is_told_to_end_is_credited_once() -> None:
    with process_kiosk() as kiosk:
        kiosk.to_accepting()
        kiosk.insert(10)
        kiosk.wait("stacking")
        assert kiosk.terminate() == 0
        kiosk.start()
        kiosk.screen.wait_for("the credit", lambda shot: amount(shot["inserted"]).minor == 1000, 20_000)
        go_on(kiosk)
        assert len(kiosk.bodies(facts.NoteCredited)) == 2
