"""What comes out of a virtual receipt printer: printed lines as data, and slips of them.

Dots are 1/8 mm (203 dpi), as on the common 80 mm printers with 576 dots a line.
"""

from __future__ import annotations

import msgspec

DOTS_PER_MM = 8


class Printed(msgspec.Struct, frozen=True, tag_field="printed", tag=True, kw_only=True):
    """Root of everything that takes paper."""

    #: Length of paper it took, in dots.
    dots: int = 0
    #: ``left``, ``centre`` or ``right``.
    align: str = "left"


class Run(msgspec.Struct, frozen=True):
    """Letters of one look."""

    text: str
    bold: bool = False
    underline: bool = False
    inverted: bool = False
    #: Size factors, 1 to 8.
    width: int = 1
    height: int = 1
    #: The narrow font (9 dots a letter instead of 12).
    narrow: bool = False

    @property
    def dots(self) -> int:
        """Return the width on paper."""
        return len(self.text) * (9 if self.narrow else 12) * self.width


class TextLine(Printed, frozen=True, tag="text", kw_only=True):
    """One line of text."""

    runs: tuple[Run, ...] = ()

    @property
    def text(self) -> str:
        """Return the letters alone."""
        return "".join(run.text for run in self.runs)


class RasterBlock(Printed, frozen=True, tag="raster", kw_only=True):
    """A bitmap: packed rows, most significant bit left, a set bit is black."""

    width_bytes: int
    height: int
    data: bytes


class QrSymbol(Printed, frozen=True, tag="qr", kw_only=True):
    """A QR code that the printer made itself."""

    data: bytes
    #: Module size in dots.
    module: int
    #: Error correction: L, M, Q or H.
    level: str


class BarcodeSymbol(Printed, frozen=True, tag="barcode", kw_only=True):
    """A linear barcode that the printer made itself."""

    #: ``code128``, ``code39``, ``ean13`` …
    symbology: str
    text: str
    height: int
    #: Module width in dots.
    module: int
    #: Readable text: 0 none, 1 above, 2 below, 3 both.
    readable: int


class Blank(Printed, frozen=True, tag="blank", kw_only=True):
    """Paper fed without print."""


class CutMark(Printed, frozen=True, tag="cut", kw_only=True):
    """The knife."""

    partial: bool = False


AnyPrinted = TextLine | RasterBlock | QrSymbol | BarcodeSymbol | Blank | CutMark


class Receipt(msgspec.Struct, frozen=True):
    """One piece of paper that left the printer."""

    lines: tuple[AnyPrinted, ...]
    #: True where the knife ended it, False where a hand tore it off.
    cut: bool
    #: Commands in it that this printer does not know, in hexadecimal.
    unknown: tuple[str, ...] = ()

    @property
    def mm(self) -> int:
        """Return its length."""
        return sum(line.dots for line in self.lines) // DOTS_PER_MM

    @property
    def text(self) -> str:
        """Return the text lines alone."""
        return "\n".join(line.text for line in self.lines if isinstance(line, TextLine))
