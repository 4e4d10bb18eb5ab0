"""What the virtual printer puts on paper: letters, looks, codes, pictures; an independent producer agrees."""

from __future__ import annotations

import pytest

from kiosk.protocols.escpos.device_model import CLONE
from kiosk.protocols.escpos.device_print import BarcodeSymbol, CutMark, QrSymbol, RasterBlock, TextLine
from kiosk.protocols.escpos.device_setter import code128_text
from tests.protocols.escpos.printer_rig import PrinterRig


@pytest.fixture
def rig() -> PrinterRig:
    return PrinterRig()


def test_initialise_resets_the_code_page_too(rig: PrinterRig) -> None:
    """The third truth of the devices sheet: accents break silently."""
    words = "façade Übung €5\n".encode("cp1252")
    rig.print(b"\x1bt\x10" + words + b"\x1b@" + words)
    assert rig.printer.hanging.text == "façade Übung €5\nfaτade ▄bung Ç5"


@pytest.mark.parametrize(
    ("number", "codec"), [(0, "cp437"), (2, "cp850"), (18, "cp852"), (19, "cp858"), (16, "cp1252")]
)
def test_each_code_page_has_its_letters(rig: PrinterRig, number: int, codec: str) -> None:
    letters = bytes(range(0xA0, 0xAD))
    rig.print(b"\x1bt" + bytes((number,)) + letters + b"\n")
    assert rig.printer.hanging.text == letters.decode(codec)


def test_a_clone_numbers_its_pages_otherwise() -> None:
    rig = PrinterRig(CLONE)
    rig.print(b"\x1bt\x03" + "€\n".encode("cp858") + b"\x1bt\x13")
    assert rig.printer.hanging.text == "€"
    assert rig.printer.unknown == {"1b7413": 1}


def test_looks_are_kept_with_the_letters(rig: PrinterRig) -> None:
    rig.print(b"a\x1bE\x01b\x1bE\x00\x1b-\x01c\x1b-\x00\x1dB\x01d\x1dB\x00\x1d!\x11e\x1d!\x00\x1bM\x01f\n")
    (line,) = rig.printer.hanging.lines
    assert isinstance(line, TextLine)
    looks = [(r.text, r.bold, r.underline, r.inverted, r.width, r.height, r.narrow) for r in line.runs]
    assert looks == [
        ("a", False, False, False, 1, 1, False), ("b", True, False, False, 1, 1, False),
        ("c", False, True, False, 1, 1, False), ("d", False, False, True, 1, 1, False),
        ("e", False, False, False, 2, 2, False), ("f", False, False, False, 1, 1, True),
    ]  # fmt: skip
    assert line.dots == 48


def test_a_line_longer_than_the_paper_goes_on_in_the_next(rig: PrinterRig) -> None:
    rig.print(b"x" * 50 + b"\n\x1d!\x10" + b"y" * 30 + b"\n")
    assert [len(line.text) for line in rig.printer.hanging.lines if isinstance(line, TextLine)] == [48, 2, 24, 6]


def test_a_cut_ends_a_receipt_and_feeds_first(rig: PrinterRig) -> None:
    rig.print(b"one\n\x1dVB\x10two\n\x1dV\x00")
    first, second = rig.printer.receipts
    assert (first.text, second.text) == ("one", "two")
    assert [line.partial for line in (*first.lines, *second.lines) if isinstance(line, CutMark)] == [True, False]
    assert first.mm == (30 + 16) // 8
    assert rig.printer.used_mm == (30 + 16 + 30) // 8


def test_a_code_128_needs_its_code_set_and_counts_it(rig: PrinterRig) -> None:
    rig.print(b"\x1dh\x50\x1dw\x02\x1dH\x02\x1dkI\x0d{BK07-1-00041" + b"\x1dkI\x03K07")
    (symbol,) = rig.printer.hanging.lines
    assert isinstance(symbol, BarcodeSymbol)
    assert (symbol.symbology, symbol.text, symbol.height, symbol.module) == ("code128", "K07-1-00041", 80, 2)
    assert rig.printer.unknown == {"1d6b494b3037": 1}
    assert code128_text(b"{C\x0c\x22{Bx{{") == "1234x{"
    assert code128_text(b"{Z1") is None


def test_a_qr_is_stored_and_printed_with_its_size_and_level(rig: PrinterRig) -> None:
    rig.print(
        bytes.fromhex("1d286b0400314132001d286b03003143061d286b0300314532") + b"\x1d(k\x08\x001P0hello\x1d(k\x03\x001Q0"
    )
    (symbol,) = rig.printer.hanging.lines
    assert isinstance(symbol, QrSymbol)
    assert (symbol.data, symbol.module, symbol.level) == (b"hello", 6, "Q")


def test_a_picture_larger_than_the_buffer_is_printed_whole(rig: PrinterRig) -> None:
    data = bytes(range(256)) * 72
    rig.print(b"\x1dv0\x00\x48\x00\x00\x01" + data)
    (block,) = rig.printer.hanging.lines
    assert isinstance(block, RasterBlock)
    assert (block.width_bytes, block.height, block.data) == (72, 256, data)


def test_an_unknown_command_is_counted_and_told_with_the_receipt(rig: PrinterRig) -> None:
    rig.print(b"a\x1b\xfeb\n\x1d(Z\x02\x00xy\x1dV\x00")
    assert rig.printer.unknown == {"1bfe": 1, "1d285a": 1}
    assert rig.printer.receipts[0].unknown == ("1bfe", "1d285a")
    assert rig.printer.receipts[0].text == "ab"


def test_an_independent_producer_is_understood(rig: PrinterRig) -> None:
    escpos = pytest.importorskip("escpos.printer")
    producer = escpos.Dummy()
    producer.hw("INIT")
    producer.set(align="center", bold=True, double_width=True, double_height=True)
    producer.text("City of Example\n")
    producer.set(align="left", bold=False, normal_textsize=True)
    producer.text("Total USD 45.00\n")
    producer.qr("K07-1-000412-9f3c", native=True, size=5)
    producer.barcode("{BK07-1-000412", "CODE128", function_type="B")
    producer.qr("K07-1-000412-9f3c", size=4)
    producer.cut()
    rig.print(producer.output)
    (receipt,) = rig.printer.receipts
    assert rig.printer.unknown == {}
    kinds = [type(line).__name__ for line in receipt.lines]
    assert {"TextLine", "QrSymbol", "BarcodeSymbol", "RasterBlock", "CutMark"} <= set(kinds)
    head, total = [line for line in receipt.lines if isinstance(line, TextLine)][:2]
    assert (head.text, head.align, head.runs[0].bold, head.runs[0].width) == ("City of Example", "centre", True, 2)
    assert (total.text, total.align, total.runs[0].bold) == ("Total USD 45.00", "left", False)
    assert [line.data for line in receipt.lines if isinstance(line, QrSymbol)] == [b"K07-1-000412-9f3c"]
    assert [line.text for line in receipt.lines if isinstance(line, BarcodeSymbol)] == ["K07-1-000412"]
