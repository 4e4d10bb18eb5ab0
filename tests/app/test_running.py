"""A whole kiosk in one process: a payment from the wire to the receipt, an orderly end, a start that goes on."""

from __future__ import annotations

from kiosk.journal.reader import Reader
from kiosk.journal.verify import verify
from kiosk.model import facts
from kiosk.workbench.screen_hand import amount
from tests.app.live_kiosk import FIFTEEN, live_kiosk, until


def test_a_payment_goes_from_the_wire_to_the_receipt_and_the_books_agree_with_the_box() -> None:
    with live_kiosk() as kiosk:
        kiosk.pay_fifteen()
        until(lambda: [each for each in kiosk.bodies(facts.PrintEnded) if each.outcome == "printed"], "printed")
        assert kiosk.in_box == kiosk.booked() == 1500
        (settled,) = kiosk.bodies(facts.Settled)
        assert [(part.number, part.minor, part.outcome) for part in settled.allocations] == [(FIFTEEN, 1500, "full")]
        assert kiosk.shot()["slips"][0]["number"] in kiosk.hardware.printer.role.receipts[0].text
        assert kiosk.health()["severity"] == "ok"
        with Reader(kiosk.directory.journal) as reader:
            assert verify(reader) == []


def test_an_orderly_end_is_a_fact_and_the_next_start_needs_no_recovery() -> None:
    with live_kiosk() as kiosk:
        kiosk.wait("idle")
        kiosk.stop()
        assert isinstance(kiosk.facts()[-1].fact.body, facts.Stopped)
        kiosk.start()
        assert [each.unclean for each in kiosk.bodies(facts.Started)] == [False, False]
        assert amount(kiosk.wait("idle")["inserted"]).minor == 0
