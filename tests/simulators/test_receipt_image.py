"""A drawn receipt can be read back by a reader that knows nothing of us."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from kiosk.errors import SimulatorError
from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.protocols.escpos.device_model import PrinterModel
from kiosk.protocols.escpos.device_print import Receipt
from kiosk.simulators import code128
from kiosk.simulators.receipt_image import image_of, render_png, render_text

JOB = (
    b"\x1b@\x1ba\x01\x1d!\x11City of Example\n\x1d!\x00\x1ba\x00Total                                  USD 45.00\n"
    + b"\x1d(k\x03\x001C\x05\x1d(k\x03\x001E1\x1d(k\x14\x001P0K07-1-000412-9f3c\x1d(k\x03\x001Q0"
    + b"\x1dh\x50\x1dw\x02\x1dH\x02\x1dkI\x13{BK07-1-000412-9f3c"
    + b"\x1dv0\x00\x02\x00\x02\x00\xff\xff\x80\x01\x1b\xfe\x1dVB\x10"
)


@pytest.fixture
def receipt() -> Receipt:
    printer = EscposPrinter(PrinterModel(dots_per_second=0))
    printer.received(JOB, 0)
    (receipt,) = printer.receipts
    return receipt


def test_an_independent_reader_finds_both_codes(receipt: Receipt) -> None:
    zxing = pytest.importorskip("zxingcpp")
    found = {(str(code.format), code.text) for code in zxing.read_barcodes(image_of(receipt))}
    assert found == {("QR Code", "K07-1-000412-9f3c"), ("Code 128", "K07-1-000412-9f3c")}


def test_every_letter_of_set_b_can_be_read_back() -> None:
    zxing = pytest.importorskip("zxingcpp")
    letters = "".join(map(chr, range(32, 127)))
    for at in range(0, len(letters), 12):
        text = letters[at : at + 12]
        bars = [False] * 10 + code128.modules(text) + [False] * 10
        image = Image.new("L", (len(bars), 1))
        image.putdata([0 if bar else 255 for bar in bars])
        found = zxing.read_barcodes(image.resize((len(bars) * 3, 80), Image.Resampling.NEAREST))
        assert [code.text for code in found] == [text]
    with pytest.raises(SimulatorError):
        code128.modules("Ł")


def test_the_text_form_keeps_alignment_and_names_what_is_no_text(receipt: Receipt) -> None:
    lines = render_text(receipt).splitlines()
    assert lines[0] == " " * 9 + "City of Example"
    assert lines[1].endswith("USD 45.00")
    assert "[QR K07-1-000412-9f3c]" in lines
    assert "[code128 K07-1-000412-9f3c]" in lines
    assert "[picture 16 x 2 dots]" in lines
    assert lines[-1] == "[unknown commands: 1bfe]"


def test_the_picture_is_as_wide_as_the_paper_and_black_where_the_bits_are(receipt: Receipt, tmp_path: Path) -> None:
    path = tmp_path / "receipt.png"
    render_png(receipt, path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.width == 576 + 64
        assert image.getextrema() == (0, 255)
        top = image.height - 32 - 3 - 16 - 2
        assert [image.getpixel((32 + x, top + 1)) for x in (0, 1, 15)] == [0, 255, 0]
