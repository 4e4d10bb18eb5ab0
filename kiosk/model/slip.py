"""A slip as data: lines that any receipt printer can set.  Layouts build it; drivers turn it into bytes."""

from __future__ import annotations

import msgspec


class SlipLine(msgspec.Struct, frozen=True, tag_field="line", tag=True):
    """Root of all slip lines."""


class Words(SlipLine, frozen=True, tag="words"):
    """A line of text; wrapped by the layout, never by the driver."""

    text: str
    #: ``left``, ``centre`` or ``right``.
    align: str = "left"
    bold: bool = False
    #: Character size factor, 1 or 2.
    size: int = 1


class Pair(SlipLine, frozen=True, tag="pair"):
    """A label at the left edge and an amount at the right edge of one line."""

    left: str
    right: str
    bold: bool = False


class Rule(SlipLine, frozen=True, tag="rule"):
    """A horizontal line."""


class Feed(SlipLine, frozen=True, tag="feed"):
    """Empty lines."""

    lines: int = 1


class QrCode(SlipLine, frozen=True, tag="qr"):
    """A QR code, error correction M."""

    data: str
    #: Module size in dots, 1 to 16.
    size: int = 4


class BarCode(SlipLine, frozen=True, tag="barcode"):
    """A Code 128 label, set B, with readable text below."""

    data: str


class Cut(SlipLine, frozen=True, tag="cut"):
    """Feed and cut."""

    partial: bool = True


class Slip(msgspec.Struct, frozen=True):
    """What is handed to the printer as one job."""

    lines: tuple[Words | Pair | Rule | Feed | QrCode | BarCode | Cut, ...]
    #: Language tag, chooses the code page.
    language: str = "en"
