"""The acceptance checks of the devices sheet, section 6, that concern the line to a printer (PR1, PR4, PR5, PR6)."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image, ImageChops

from kiosk.api import (
    Cut,
    DeviceState,
    Lost,
    Opened,
    Print,
    Printed,
    PrintHeld,
    PrintUnknown,
    ProtocolFault,
    Slip,
    Words,
)
from kiosk.core.drawing import draw_line
from kiosk.protocols.escpos.condition import STATES
from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.simulators.receipt_image import image_of
from kiosk.transports.usb_printer import UsbSettings
from tests.descriptors import no_more_than, open_descriptors
from tests.drivers.escpos_counter import MS, SAMPLE, Counter, slip

#: (question, answer) of §1.3 and the state of §1.4; the other three answers are those of an idle printer.
FAULTS = [
    (1, 0x12, "ok"), (1, 0x16, "ok"), (1, 0x1A, "offline"), (2, 0x16, "cover"), (2, 0x1A, "offline"),
    (2, 0x32, "paper_out"), (2, 0x52, "offline"), (3, 0x16, "fatal"), (3, 0x1A, "cutter"), (3, 0x32, "fatal"),
    (3, 0x52, "head_hot"), (4, 0x1E, "near_end"), (4, 0x72, "paper_out"), (4, 0x7E, "paper_out"), (4, 0x16, "near_end"),
    (4, 0x1A, "near_end"), (4, 0x32, "paper_out"), (4, 0x52, "paper_out"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "byte", "state"), FAULTS)
def test_pr1_each_fault_byte_shows_exactly_one_state(kind: int, byte: int, state: str) -> None:
    counter = Counter()
    counter.printer.answer_instead(kind, byte)
    counter.run(3_000)
    assert state in STATES
    assert counter.states() == [state]
    raw = counter.of(DeviceState)[-1].raw
    assert bytes.fromhex(raw)[kind - 1] == byte, "the raw byte stays beside the state"


@pytest.mark.parametrize("byte", [0x00, 0x02, 0x11, 0x93, 0x92, 0xFF, 0x10])
@pytest.mark.parametrize("kind", [1, 4])
def test_pr1_a_byte_that_fails_its_mask_gives_unknown(kind: int, byte: int) -> None:
    counter = Counter()
    counter.run(1_000)
    counter.printer.answer_instead(kind, byte)
    counter.run(6_000)
    assert counter.states() == ["ok", "unknown"]
    counter.say(Print("J1", slip("FIRST")))
    counter.run(3_000)
    assert counter.of(PrintHeld) == [PrintHeld("J1", "unknown")]
    counter.printer.answer_instead(kind, None)
    counter.run(10_000)
    assert counter.of(Printed) == [Printed("J1")]


def test_pr1_a_stop_sign_instead_of_a_status_is_unknown_and_holds_up_no_later_job() -> None:
    counter = Counter()
    counter.run(1_000)
    counter.printer.answer_instead(1, 0x13)
    counter.run(6_000)
    assert counter.states() == ["ok", "unknown"]
    counter.printer.answer_instead(1, None)
    counter.say(Print("J1", slip("FIRST")))
    counter.run(20_000)
    assert [(event.job, event.reason) for event in counter.of(PrintUnknown)] == [("J1", "stalled")]
    counter.say(Print("J2", slip("SECOND")))
    counter.run(10_000)
    assert counter.of(Printed) == [Printed("J2")]


def test_pr1_two_seconds_of_silence_give_unknown_and_not_a_moment_less() -> None:
    counter = Counter()
    counter.run(1_000)
    counter.printer.mute()
    counter.run(1_900)
    assert counter.states() == ["ok"]
    counter.run(2_000)
    assert counter.states() == ["ok", "unknown"]


def test_pr4_no_two_letters_of_the_sample_look_alike_on_paper_and_none_is_missing() -> None:
    """Read off the picture of the paper, cell by cell: what the drawing is said to hold is not asked."""
    letters = sorted({letter for letter in SAMPLE if letter != " "})
    counter = Counter()
    # One letter in one line, and a letter outside of every page beside it, so that all of them are drawn.
    counter.say(Print("J1", Slip((*(Words(f"{letter}ł€ž") for letter in letters), Cut()), "es")))
    counter.run(20_000)
    (piece,) = counter.printer.receipts
    picture = image_of(piece)
    cells: dict[bytes, str] = {}
    top = 32
    for letter, line in zip(letters, piece.lines, strict=False):
        cell = picture.crop((32, top, 32 + 12, top + line.dots))
        assert ImageChops.invert(cell).getbbox(), f"{letter} left no ink"
        alike = cells.setdefault(cell.tobytes(), letter)
        assert alike == letter, f"{letter} looks like {alike}"
        top += line.dots
    assert len(cells) == len(letters)
    height, rows = draw_line("\U0010ffff", 576, False, 1)  # what the font shows for a letter that it lacks
    box = Image.frombytes("1", (576, height), rows).convert("L").crop((0, 0, 12, height))
    assert ImageChops.invert(box).tobytes() not in cells


def test_pr5_a_printer_that_comes_and_goes_a_hundred_times_is_there_each_time_within_three_seconds() -> None:
    counter = Counter()
    counter.run(1_000)
    descriptors = open_descriptors()
    for _ in range(100):
        counter.driver.port(Lost("unplugged"), counter.now)
        counter.pending.clear()
        counter.printer.cut_power()
        counter.run(50)
        assert counter.states()[-1] == "unknown"
        counter.printer.restore_power()
        counter.driver.port(Opened({"kind": "usb_printer"}), counter.now)
        counter.run(1_000)
        assert counter.states()[-1] == "ok"
    assert counter.states() == ["ok", *["unknown", "ok"] * 100], "told once each time"
    assert no_more_than(descriptors)
    counter.say(Print("J1", slip("FIRST")))
    counter.run(5_000)
    assert counter.of(Printed) == [Printed("J1")]


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_pr6_a_drawing_that_holds_a_status_request_does_not_shift_the_status(kind: int) -> None:
    counter = Counter()
    counter.run(1_000)
    picture = b"\x1d\x76\x30\x00\x03\x00\x01\x00" + bytes((0x10, 0x04, kind))
    counter.printer.received(picture * 5, counter.now)  # as from a program that does not look into its pictures
    counter.run(5_000)
    assert counter.states() == ["ok"]
    told = counter.of(ProtocolFault)
    assert [fault.kind for fault in told] == ["unexpected"], "five strays, counted once"
    counter.printer.open_cover()
    counter.run(2_000)
    assert counter.states() == ["ok", "cover"]
    counter.printer.close_cover()
    counter.say(Print("J1", slip("FIRST")))
    counter.run(5_000)
    assert counter.of(Printed) == [Printed("J1")]


@pytest.mark.parametrize("hand", [EscposPrinter.open_cover, EscposPrinter.paper_out, EscposPrinter.overheat])
def test_a_printer_without_a_way_back_tells_no_more_than_its_class_status(hand: Any) -> None:
    printer = EscposPrinter()
    assert printer.port_status() == b"\x18"
    hand(printer)
    assert printer.port_status()[0] & 0x18 != 0x18


def test_the_driver_waits_no_longer_than_it_says() -> None:
    """A deadline that has passed without a write or an event would make the line spin."""
    counter = Counter()
    counter.run(1_000)
    due = counter.driver.deadline()
    assert due is not None
    assert counter.now < due <= counter.now + 2_000 * MS


def test_a_printer_is_named_by_vendor_and_product() -> None:
    assert UsbSettings(port="usb:0dd4:0205").port == "usb:0dd4:0205"
