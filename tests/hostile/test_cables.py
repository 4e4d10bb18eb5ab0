"""Each device is unplugged, falls silent or dies in the middle of a payment: nothing is lost, and it comes back."""

from __future__ import annotations

import pytest

from kiosk.model import facts
from kiosk.protocols.id003.codes import DeviceStatus
from kiosk.workbench.screen_hand import amount
from tests.app.live_kiosk import LiveKiosk, live_kiosk, said, until


def device(kiosk: LiveKiosk, name: str) -> dict[str, object]:
    """One device as the health page has it."""
    return next(each for each in kiosk.health()["devices"] if each["name"] == name)


def notes_taken_back(kiosk: LiveKiosk) -> int:
    """Take a note that lies at the mouth, as its owner would; return how many came back so far."""
    with kiosk.hardware.acceptor.hands() as unit:
        unit.take_rejected()
        return len(unit.returned)


def note_on_its_way(kiosk: LiveKiosk) -> None:
    """Wait until the unit itself moves the note: the screen says so before the command has reached the wire."""
    kiosk.wait("stacking")
    past_recall = (DeviceStatus.STACKING, DeviceStatus.VEND_VALID, DeviceStatus.STACKED)
    until(lambda: kiosk.hardware.acceptor.role.status in past_recall, "the unit stacks the note")


def finish(kiosk: LiveKiosk) -> None:
    """Feed the missing five, and compare box, books and screen."""
    for _ in range(3):
        kiosk.wait("accepting")
        back = len(kiosk.hardware.acceptor.role.returned)
        kiosk.insert(5)
        # A note fed while the unit is just being told its rules comes back, and its owner feeds it again.
        until(
            lambda back=back: kiosk.bodies(facts.Settled) or notes_taken_back(kiosk) > back,
            "settled, or the note came back",
        )
        if kiosk.bodies(facts.Settled):
            break
    assert len(kiosk.bodies(facts.Settled)) == 1
    assert kiosk.in_box == kiosk.booked() == 1500
    until(lambda: amount(kiosk.shot()["inserted"]).minor in (0, 1500), "the screen counts the same")


@pytest.mark.parametrize("name", ["notes", "receipt", "scanner"])
def test_a_cable_pulled_and_put_back_in_the_middle_of_a_payment_costs_nothing(name: str) -> None:
    with live_kiosk() as kiosk:
        kiosk.to_accepting()
        kiosk.insert(10)
        kiosk.wait_inserted(1000)
        kiosk.stage.unplug(name)
        until(lambda: device(kiosk, name)["severity"] in ("fault", "unknown"), "the loss is on the health page")
        shot = kiosk.shot()
        assert amount(shot["inserted"]).minor == 1000
        if name == "receipt":
            until(lambda: kiosk.shot()["no_paper"] is True, "the screen says that there will be no paper")
        kiosk.stage.replug(name)
        until(lambda: device(kiosk, name)["severity"] == "ok", "it is back")
        finish(kiosk)
        kiosk.stage.expect_receipt(True)
        assert device(kiosk, name)["restarts"] == 0  # a loss of the port is no death of the driver


def test_the_acceptor_unplugged_with_a_note_on_its_way_counts_the_note_once() -> None:
    with live_kiosk() as kiosk:
        kiosk.to_accepting()
        kiosk.insert(10)
        note_on_its_way(kiosk)
        kiosk.stage.unplug("notes")
        shown = kiosk.shot()["inserted"][0]
        assert shown <= kiosk.booked()  # the screen counts nothing that is not on the disk
        until(lambda: device(kiosk, "notes")["severity"] != "ok", "the loss is seen")
        kiosk.stage.replug("notes")
        kiosk.wait_inserted(1000)
        finish(kiosk)
        assert len(kiosk.bodies(facts.NoteCredited)) == 2


def test_the_printer_unplugged_at_the_receipt_changes_nothing_about_the_money() -> None:
    with live_kiosk() as kiosk:
        kiosk.to_accepting()
        kiosk.insert(10)
        kiosk.wait_inserted(1000)
        kiosk.stage.unplug("receipt")
        until(lambda: device(kiosk, "receipt")["severity"] != "ok", "the loss is seen")
        finish(kiosk)
        slip = until(lambda: kiosk.shot()["slips"], "the slip is on the screen")[0]
        assert slip["number"].startswith("K07-1-000001-")
        assert slip["qr"]
        assert slip["state"] != "printed"
        assert len(kiosk.bodies(facts.ReceiptIssued)) == 1
        kiosk.stage.replug("receipt")
        assert said(kiosk.wait("idle", 30)) == []
        assert kiosk.in_box == kiosk.booked() == 1500


def test_a_mute_printer_is_unknown_and_no_new_cash_is_taken_until_it_speaks() -> None:
    with live_kiosk() as kiosk:
        kiosk.wait("idle")
        with kiosk.hardware.printer.hands() as printer:
            printer.mute(True)
        shot = kiosk.wait("out_of_service", 40)
        assert "out.printer" in said(shot)
        assert device(kiosk, "receipt")["severity"] == "unknown"
        until(lambda: not kiosk.can_insert, "the mouth closes", 20)
        with kiosk.hardware.printer.hands() as printer:
            printer.mute(False)
        kiosk.wait("idle", 40)
        assert kiosk.to_accepting()["no_paper"] is False


@pytest.mark.parametrize("at", ["accepting", "stacking"])
def test_an_acceptor_that_falls_silent_and_speaks_again_loses_no_note(at: str) -> None:
    with live_kiosk() as kiosk:
        kiosk.to_accepting()
        kiosk.insert(10)
        if at == "accepting":
            kiosk.wait_inserted(1000)
        else:
            note_on_its_way(kiosk)
        kiosk.stage.acceptor_speech(False)
        until(lambda: device(kiosk, "notes")["severity"] != "ok", "its silence is seen")
        kiosk.stage.acceptor_speech(True)
        until(lambda: device(kiosk, "notes")["severity"] == "ok", "it is back")
        kiosk.wait_inserted(1000)
        finish(kiosk)
        assert len(kiosk.bodies(facts.NoteCredited)) == 2


def test_an_acceptor_that_stays_silent_ends_the_session_with_a_slip_for_what_was_fed() -> None:
    with live_kiosk() as kiosk:
        kiosk.to_accepting()
        kiosk.insert(10)
        kiosk.wait_inserted(1000)
        kiosk.stage.acceptor_speech(False)
        until(lambda: kiosk.shot()["screen"] in ("timed_out", "stopping", "accepting"), "the person is not thrown out")
        kiosk.stage.touch("finish", ())
        kiosk.stage.expect_receipt(True)
        (settled,) = kiosk.bodies(facts.Settled)
        assert sum(part.minor for part in settled.allocations) + settled.overpayment_minor == 1000
        assert "out.acceptor" in said(kiosk.wait("out_of_service", 40))
        assert kiosk.in_box == kiosk.booked() == 1000


def test_a_driver_that_dies_in_the_middle_of_a_payment_is_replaced_and_the_payment_goes_on() -> None:
    with live_kiosk() as kiosk:
        kiosk.to_accepting()
        kiosk.insert(10)
        note_on_its_way(kiosk)

        def die(now: int) -> None:
            raise RuntimeError("a fault nobody thought of")

        kiosk.core.supervisor._posts["notes"].worker._seat._driver.tick = die
        until(lambda: device(kiosk, "notes")["restarts"] == 1, "a new driver is there")
        kiosk.wait_inserted(1000)
        finish(kiosk)
        assert len(kiosk.bodies(facts.NoteCredited)) == 2
        changed = [each for each in kiosk.bodies(facts.DeviceChanged) if each.state == "driver_failed"]
        assert "a fault nobody thought of" in changed[0].detail
