"""The printer driver against the virtual printer, in virtual time: what lies on the paper and whose it is (PR2-4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kiosk.api import (
    BarCode,
    Cut,
    Feed,
    Identified,
    Lost,
    Opened,
    Pair,
    Print,
    Printed,
    PrintHeld,
    PrintUnknown,
    ProtocolFault,
    QrCode,
    Rule,
    Slip,
    Words,
)
from kiosk.core.drawing import draw_line
from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.protocols.escpos.device_model import CLONE, EPSON, PrinterModel
from kiosk.protocols.escpos.device_print import RasterBlock
from kiosk.protocols.escpos.profile import Profile
from kiosk.simulators.receipt_image import render_png
from tests.drivers.escpos_counter import GENERIC, RECEIPT, SAMPLE, Counter, slip


@pytest.mark.parametrize(
    ("model", "profile"),
    [(EPSON, Profile()), (EPSON, Profile(barrier="completion_id")), (CLONE, GENERIC)],
    ids=["epson", "completion-id", "clone"],
)
def test_a_receipt_lies_whole_and_cut_before_it_counts_as_printed(model: PrinterModel, profile: Profile) -> None:
    counter = Counter(model, profile)
    counter.say(Print("J1", slip("FIRST")))
    for _ in range(100):
        counter.run(100)
        if counter.of(Printed):
            break
        assert not counter.printer.receipts or counter.printer.receipts[-1].cut
    assert counter.of(Printed) == [Printed("J1")]
    (piece,) = counter.printer.receipts
    assert piece.text.split("\n") == ["FIRST", *(f"FIRST line {number}" for number in range(40))]
    assert piece.cut
    assert not counter.printer.unknown
    assert not counter.of(ProtocolFault)


def test_the_printer_is_known_by_its_own_words() -> None:
    counter = Counter()
    counter.run(2_000)
    assert counter.of(Identified) == [Identified(model="TM-T20III", firmware="1.05 ESC/POS", detail="EPSON")]


def test_pr4_every_letter_of_the_sample_reaches_the_paper() -> None:
    """PR4: text where the page holds the letters, a drawing where it does not, a question mark never."""
    counter = Counter()
    lines = (Words("Ayuntamiento de Cádiz · €12,34"), Words(SAMPLE), Pair("Recibo", RECEIPT), Rule(), Feed(1), Cut())
    counter.say(Print("J1", Slip(lines, "es")))
    counter.run(5_000)
    (piece,) = counter.printer.receipts
    assert "Ayuntamiento de Cádiz · €12,34" in piece.text
    assert "?" not in piece.text
    drawn = [line for line in piece.lines if isinstance(line, RasterBlock)]
    assert [line.data for line in drawn] == [
        draw_line(part, 576, False, 1)[1] for part in ("Ayuntamiento de Cádiz · Žluťoučký · Łódź ·", "€12,34")
    ]


@pytest.mark.parametrize(("model", "profile"), [(EPSON, Profile()), (CLONE, GENERIC)], ids=["epson", "clone"])
def test_pr4_codes_read_back_to_the_receipt(model: PrinterModel, profile: Profile, tmp_path: Path) -> None:
    """PR4: an independent reader finds the receipt's number in every code on the picture of the paper."""
    zxingcpp = pytest.importorskip("zxingcpp")
    image = pytest.importorskip("PIL.Image")
    counter = Counter(model, profile)
    lines = (Words("Recibo de Cádiz"), Words(SAMPLE), QrCode(RECEIPT), BarCode(RECEIPT), Words(SAMPLE), Feed(1), Cut())
    counter.say(Print("J1", Slip(lines, "es")))
    counter.run(5_000)
    (piece,) = counter.printer.receipts
    assert any(isinstance(line, RasterBlock) for line in piece.lines)
    render_png(piece, tmp_path / "receipt.png")
    found = zxingcpp.read_barcodes(image.open(tmp_path / "receipt.png"))
    assert {code.text for code in found} == {RECEIPT}
    assert len(found) == 2


@pytest.mark.parametrize("after_ms", range(0, 2_000, 100))
def test_pr2_paper_that_ends_in_mid_receipt_leaves_nothing_for_the_next_citizen(after_ms: int) -> None:
    """PR2: after the refill nothing of that job prints, unless a reprint is asked for."""
    counter = Counter()
    counter.run(2_000)
    counter.say(Print("J1", slip("FIRST", 400)))  # more than the printer's buffer holds
    counter.run(after_ms or 5)
    counter.printer.paper_out()
    counter.run(15_000)
    ended = counter.of(PrintUnknown)
    assert [event.job for event in ended] == ["J1"]
    assert counter.states()[-1] == "paper_out"
    before = counter.printer.used_mm
    counter.printer.load_paper()
    counter.printer.tear_off()
    counter.run(10_000)
    assert counter.printer.used_mm == before, "the refill must not bring the old receipt to life"
    counter.say(Print("J2", slip("COPY 1")))
    counter.run(10_000)
    assert counter.of(Printed) == [Printed("J2")]
    assert "FIRST" not in counter.printer.receipts[-1].text


@pytest.mark.parametrize("after_ms", range(50, 2_000, 150))
def test_pr3_a_core_killed_in_mid_receipt_sends_nothing_again_and_its_rest_does_not_print(after_ms: int) -> None:
    """PR3, the driver's part: a fresh driver finds the line as it is and leaves the old job alone."""
    counter = Counter()
    counter.run(2_000)
    counter.say(Print("J1", slip("FIRST", 120)))
    counter.run(after_ms)
    counter.start()
    counter.events.clear()
    counter.say(Print("J2", slip("SECOND")))
    counter.run(10_000)
    assert counter.of(Printed) == [Printed("J2")]
    assert counter.text().count("SECOND line 39") == 1
    assert counter.text().split("SECOND")[-1].count("FIRST") == 0


@pytest.mark.parametrize("cut_at", range(1, 2_200, 97))
def test_a_drawing_cut_off_in_its_middle_does_not_swallow_the_next_receipt(cut_at: int) -> None:
    counter = Counter(CLONE, GENERIC)  # it cannot clear its buffer
    counter.run(2_000)
    half = b"\x1d\x76\x30\x00\x48\x00\x1e\x00" + bytes(72 * 30)
    counter.printer.received(half[:cut_at], counter.now)
    counter.start()
    counter.say(Print("J2", slip("SECOND", 5)))
    counter.run(30_000)
    assert counter.of(Printed) == [Printed("J2")]
    assert counter.printer.receipts[-1].text.endswith("SECOND line 4")


@pytest.mark.parametrize(
    ("hand", "state"),
    [
        (EscposPrinter.open_cover, "cover"),
        (EscposPrinter.paper_out, "paper_out"),
        (EscposPrinter.jam_cutter, "cutter"),
        (EscposPrinter.overheat, "head_hot"),
        (EscposPrinter.break_down, "fatal"),
        (EscposPrinter.mute, "unknown"),
        (EscposPrinter.cut_power, "unknown"),
        (lambda printer: printer.press_feed(True), "offline"),
    ],
)
def test_what_a_hand_does_to_the_printer_is_seen_and_holds_the_job(hand: Any, state: str) -> None:
    counter = Counter()
    counter.run(2_000)
    hand(counter.printer)
    counter.run(5_000)
    assert counter.states()[-1] == state
    counter.say(Print("J1", slip("FIRST")))
    counter.run(5_000)
    assert counter.of(PrintHeld) == [PrintHeld("J1", state)]
    assert not counter.text()


def test_a_cutter_that_jams_at_the_cut_leaves_the_receipt_unconfirmed() -> None:
    counter = Counter()
    counter.run(2_000)
    counter.printer.jam_cutter(at_next_cut=True)
    counter.say(Print("J1", slip("FIRST")))
    counter.run(10_000)
    assert not counter.of(Printed)
    assert [event.reason for event in counter.of(PrintUnknown)] == ["cutter"]


def test_power_that_fails_in_mid_receipt_leaves_it_unconfirmed() -> None:
    counter = Counter()
    counter.run(2_000)
    counter.say(Print("J1", slip("FIRST", 120)))
    counter.run(500)
    counter.printer.cut_power()
    counter.driver.port(Lost("gone"), counter.now)
    counter.run(100)
    counter.printer.restore_power()
    counter.driver.port(Opened({}), counter.now)
    counter.run(20_000)
    assert [event.reason for event in counter.of(PrintUnknown)] == ["lost"]
    assert "FIRST line 119" not in counter.text()
    assert counter.states()[-1] == "ok"
