"""The virtual printer answers, waits and fails as the devices sheet says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.protocols.escpos.device_model import CLONE, EPSON, PrinterModel
from kiosk.protocols.escpos.device_print import RasterBlock
from tests.protocols.escpos.printer_rig import MS, PrinterRig

FAST = PrinterModel(dots_per_second=0)


@pytest.fixture
def rig() -> PrinterRig:
    return PrinterRig()


# --- status -----------------------------------------------------------------------------------------------------


def test_an_idle_printer_answers_the_four_idle_bytes(rig: PrinterRig) -> None:
    assert rig.status() == "12121212"


@pytest.mark.parametrize(
    ("hand", "answer"),
    [
        ("paper_out", "1a32127e"),
        ("near_end", "1212121e"),
        ("open_cover", "1a161212"),
        ("jam_cutter", "1a521a12"),
        ("overheat", "1a525212"),
        ("break_down", "1a523212"),
    ],
)
def test_each_fault_shows_its_bits_also_off_line(rig: PrinterRig, hand: str, answer: str) -> None:
    getattr(rig.printer, hand)()
    assert rig.status() == answer
    for byte in bytes.fromhex(rig.status()):
        assert byte & 0x93 == 0x12


def test_the_feed_button_and_the_drawer_show(rig: PrinterRig) -> None:
    rig.printer.press_feed(True)
    assert rig.status() == "1a1a1212"
    rig.printer.press_feed(False)
    rig.send("1b70003232")
    assert rig.status()[:2] == "16"
    rig.printer.close_drawer()
    assert rig.send("1014010001") + rig.send("100401") == b"\x16"


def test_a_mute_printer_prints_and_says_nothing(rig: PrinterRig) -> None:
    rig.printer.mute()
    assert rig.status() == ""
    rig.print(b"hello\n")
    assert rig.printer.hanging.text == "hello"


def test_a_queued_status_is_answered_after_the_paper_has_moved(rig: PrinterRig) -> None:
    assert rig.send(b"line\n" * 10 + b"\x1dr\x01") == b""
    assert rig.run() == b"\x00"
    assert rig.now >= 10 * 30 * 1000 // 1200 * MS
    rig.printer.near_end()
    assert rig.print(b"\x1dr\x01") == b"\x03"


@pytest.mark.parametrize("hand", ["paper_out", "open_cover", "jam_cutter", "overheat", "break_down"])
def test_an_off_line_printer_does_not_answer_a_queued_status(rig: PrinterRig, hand: str) -> None:
    getattr(rig.printer, hand)()
    assert rig.send(b"\x1dr\x01") + rig.run() == b""
    assert rig.send(b"\x10\x04\x01") == b"\x1a"


def test_paper_out_in_the_middle_stops_the_job_and_a_new_roll_goes_on_with_it(rig: PrinterRig) -> None:
    rig.send(b"one\ntwo\nthree\n\x1dVA\x10\x1dr\x01")
    rig.now += 30 * MS
    rig.printer.tick(rig.now)
    rig.printer.paper_out()
    assert rig.run() == b""
    assert rig.printer.receipts == []
    assert "three" not in rig.printer.hanging.text
    rig.printer.load_paper()
    assert rig.run() == b"\x00"
    assert rig.printer.receipts[0].text == "one\ntwo\nthree"


def test_a_roll_that_ends_by_itself_stops_the_printer() -> None:
    rig = PrinterRig(PrinterModel(roll_mm=20, near_end_mm=10))
    rig.send(b"x\n" * 20)
    rig.run()
    assert rig.status()[:2] == "1a"
    assert rig.printer.used_mm < 24


def test_with_the_paper_out_the_buffer_fills_and_then_takes_no_more(rig: PrinterRig) -> None:
    rig.printer.paper_out()
    rig.send(b"x" * 4000)
    assert rig.printer.room() == 96
    rig.send(b"y" * 100)
    assert rig.printer.room() == 0
    assert rig.printer.counters["overrun"] == 4
    assert rig.send(b"\x10\x04\x04") == b"\x7e", "a real-time command is heard even when its bytes do not fit"


def test_automatic_status_tells_changes_the_host_asked_for(rig: PrinterRig) -> None:
    assert rig.send(b"\x1da\x4f") == b"\x10\x00\x00\x00"
    rig.printer.near_end()
    assert rig.answers() == b"\x10\x00\x03\x00"
    rig.printer.open_cover()
    assert rig.answers() == b"\x38\x00\x03\x00"
    rig.printer.close_cover()
    assert rig.answers() == b"\x10\x00\x03\x00"
    rig.send(b"\x1da\x01")
    rig.printer.open_cover()
    assert rig.answers() == b"", "only the drawer was asked for"


def test_a_cutter_error_goes_with_the_recover_command_once_the_knife_is_free(rig: PrinterRig) -> None:
    rig.printer.jam_cutter(at_next_cut=True)
    rig.send(b"slip\n\x1dVB\x00\x1dr\x01")
    assert rig.run() == b""
    assert rig.status() == "1a521a12"
    rig.send(b"\x10\x05\x01")
    assert rig.status() == "1a521a12", "it is still blocked"
    rig.printer.free_cutter()
    assert rig.send(b"\x10\x05\x01") + rig.run() == b"\x00"
    assert rig.status() == "12121212"


def test_recover_with_clear_forgets_the_rest_of_the_job(rig: PrinterRig) -> None:
    rig.printer.jam_cutter()
    rig.send(b"old receipt\n")
    rig.printer.free_cutter()
    rig.send(b"\x10\x05\x02")
    rig.print(b"new\n")
    assert rig.printer.hanging.text == "new"


def test_the_real_time_clear_empties_the_buffer_of_an_epson_and_means_nothing_to_a_clone() -> None:
    for model, text in ((EPSON, "new"), (CLONE, "old\nnew")):
        rig = PrinterRig(model)
        rig.printer.paper_out()
        rig.send(b"old\n")
        answer = rig.send("10140801031401060208")
        assert answer == (b"\x37\x25\x00" if model is EPSON else b"")
        rig.printer.load_paper()
        rig.print(b"new\n")
        assert rig.printer.hanging.text == text
        assert not rig.printer.unknown


def test_the_completion_id_comes_back_after_the_job(rig: PrinterRig) -> None:
    assert rig.send("1d28480600303041424344") + rig.run() == b"\x37\x22ABCD\x00"
    clone = PrinterRig(CLONE)
    assert clone.send("1d28480600303041424344") + clone.run() == b""
    assert clone.printer.unknown == {"1d2848": 1}


def test_a_printer_tells_who_it_is(rig: PrinterRig) -> None:
    assert rig.print(b"\x1dI\x42\x1dI\x43\x1dI\x01") == b"_EPSON\x00_TM-T20III\x00\x20"


def test_a_picture_that_holds_a_status_request_provokes_a_stray_answer_and_prints(rig: PrinterRig) -> None:
    picture = b"\x1dv0\x00\x03\x00\x02\x00" + b"\x10\x04\x01\xff\x00\xff"
    assert rig.print(picture + b"\x1dr\x01") == b"\x12\x00"
    (block,) = rig.printer.hanging.lines
    assert isinstance(block, RasterBlock)
    assert block.data == b"\x10\x04\x01\xff\x00\xff"


def test_a_status_request_inside_a_command_is_eaten_as_its_argument(rig: PrinterRig) -> None:
    assert rig.send(b"\x1b!\x10\x04\x01A\n") == b"\x12"
    rig.run()
    assert rig.printer.unknown == {"04": 1, "01": 1}


def test_a_power_cut_loses_the_buffer_and_keeps_the_paper(rig: PrinterRig) -> None:
    rig.print(b"printed\n")
    rig.now += 1_000 * MS
    rig.send(b"\x1bE\x01half")
    assert rig.printer.room() == 4096
    assert not rig.printer.idle
    rig.printer.cut_power()
    assert rig.printer.room() == 0
    assert rig.send(b"\x10\x04\x01") == b""
    rig.printer.restore_power()
    rig.print(b"after\n")
    assert rig.printer.hanging.text == "printed\nafter"
    assert not rig.printer.hanging.lines[-1].runs[0].bold  # type: ignore[union-attr]


def test_tear_off_takes_what_hangs(rig: PrinterRig) -> None:
    assert rig.printer.tear_off() is None
    rig.print(b"uncut\n")
    torn = rig.printer.tear_off()
    assert torn is not None
    assert (torn.text, torn.cut) == ("uncut", False)
    assert rig.printer.hanging.lines == ()


@given(st.lists(st.binary(max_size=50), max_size=30))
@settings(max_examples=80, deadline=None)
def test_no_bytes_stop_the_printer_from_answering_and_resetting(chunks: list[bytes]) -> None:
    rig = PrinterRig(FAST)
    for chunk in chunks:
        rig.send(chunk)
        rig.run()
    rig.printer.cut_power()
    rig.printer.restore_power()
    rig.printer.close_drawer()
    rig.send(b"\x1b@")
    assert rig.status()[2:6] == "1212"


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_job_prints_the_same_however_it_is_cut_into_writes(data: st.DataObject) -> None:
    job = (
        b"\x1b@\x1bt\x13\x1ba\x01\x1d!\x11Hello\n\x1d!\x00\x1bE\x01" + "Cádiz €5\n".encode("cp858")
        + bytes.fromhex("1d286b0400314132001d286b03003143051d286b0300314531")
        + b"\x1d(k\x06\x001P0ABC\x1d(k\x03\x001Q0\x1dh\x40\x1dw\x02\x1dH\x02\x1dkI\x06{BK07-"
        + b"\x1dv0\x00\x01\x00\x02\x00\xaa\x55\x1bd\x03\x1dVB\x20\x1dr\x01"
    )  # fmt: skip
    whole, parts = EscposPrinter(FAST), EscposPrinter(FAST)
    whole.received(job, 0)
    while job:
        size = data.draw(st.integers(1, len(job)))
        parts.received(job[:size], 0)
        job = job[size:]
    assert parts.receipts == whole.receipts
    assert len(whole.receipts) == 1
    assert parts.take_outbound() == whole.take_outbound() == [b"\x00"]
    assert not whole.unknown
