"""Pictures and plain text of what a simulated printer printed.

Letters are set on the printer's grid, one in each cell, so that columns stand where they stand on paper whatever the
font.  Symbols are drawn from their data, module by module: a reader can check the picture.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import segno
from PIL import Image, ImageDraw, ImageFont

from kiosk.errors import SimulatorError
from kiosk.protocols.escpos.device_print import (
    AnyPrinted,
    BarcodeSymbol,
    Blank,
    CutMark,
    QrSymbol,
    RasterBlock,
    Receipt,
    Run,
    TextLine,
)
from kiosk.simulators import code128

_MARGIN = 32
_WHITE, _BLACK = 255, 0
_QUIET_MODULES = 4
_HRI_DOTS = 30
_FONTS = {
    False: ("DejaVuSansMono.ttf", "NotoSansMono-Regular.ttf", "LiberationMono-Regular.ttf"),
    True: ("DejaVuSansMono-Bold.ttf", "NotoSansMono-Bold.ttf", "LiberationMono-Bold.ttf"),
}


@cache
def _font(bold: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in _FONTS[bold]:
        try:
            return ImageFont.truetype(name, 20)
        except OSError:
            continue  # not on this machine; the next one may be
    return ImageFont.load_default(20)


@cache
def _cell(letter: str, bold: bool, narrow: bool) -> Image.Image:
    width, height = (9, 17) if narrow else (12, 24)
    image = Image.new("L", (12, 24), _WHITE)
    font = _font(bold)
    ImageDraw.Draw(image).text((6, 19), letter, font=font, fill=_BLACK, anchor="ms")
    image = image.resize((width, height)) if narrow else image
    return image.point(lambda value: _BLACK if value < 150 else _WHITE)


def _run(run: Run) -> Image.Image:
    width, height = (9, 17) if run.narrow else (12, 24)
    image = Image.new("L", (max(width * len(run.text), 1), 24), _WHITE)
    for at, letter in enumerate(run.text):
        image.paste(_cell(letter, run.bold, run.narrow), (at * width, 24 - height))
    if run.underline:
        ImageDraw.Draw(image).rectangle((0, 22, image.width, 23), fill=_BLACK)
    if run.inverted:
        image = image.point(lambda value: _WHITE - value)
    return image.resize((image.width * run.width, image.height * run.height), Image.Resampling.NEAREST)


def _text(line: TextLine) -> Image.Image:
    parts = [_run(run) for run in line.runs]
    image = Image.new("L", (max(sum(part.width for part in parts), 1), max(line.dots, 1)), _WHITE)
    at, foot = 0, max((part.height for part in parts), default=0)
    for part in parts:
        image.paste(part, (at, foot - part.height))
        at += part.width
    return image


def _grid(rows: list[list[bool]], module: int) -> Image.Image:
    image = Image.new("L", (len(rows[0]), len(rows)), _WHITE)
    image.putdata([_BLACK if dot else _WHITE for row in rows for dot in row])
    return image.resize((image.width * module, image.height * module), Image.Resampling.NEAREST)


def _qr(symbol: QrSymbol) -> Image.Image:
    code = segno.make(symbol.data, error=symbol.level, micro=False, boost_error=False)
    return _grid([[bool(dot) for dot in row] for row in code.matrix_iter(border=_QUIET_MODULES)], symbol.module)


def _barcode(symbol: BarcodeSymbol) -> Image.Image:
    if symbol.symbology == "code128":
        bars = code128.modules(symbol.text)
        quiet = [False] * 10
        image = _grid([[*quiet, *bars, *quiet]], symbol.module).resize(
            (symbol.module * (len(bars) + 20), symbol.height), Image.Resampling.NEAREST
        )
    else:  # no receipt of ours uses another one: named, not drawn
        image = Image.new("L", (288, symbol.height), _WHITE)
        ImageDraw.Draw(image).rectangle((0, 0, 287, symbol.height - 1), outline=_BLACK)
        ImageDraw.Draw(image).text((8, 8), symbol.symbology, font=_font(False), fill=_BLACK)
    if not symbol.readable:
        return image
    label = _run(Run(symbol.text))
    above, below = symbol.readable & 1, symbol.readable >> 1 & 1
    whole = Image.new("L", (max(image.width, label.width), image.height + _HRI_DOTS * (above + below)), _WHITE)
    whole.paste(image, ((whole.width - image.width) // 2, _HRI_DOTS * above))
    for wanted, top in ((above, 0), (below, image.height + _HRI_DOTS * above + 4)):
        if wanted:
            whole.paste(label, ((whole.width - label.width) // 2, top))
    return whole


def _raster(block: RasterBlock) -> Image.Image:
    data = block.data.ljust(block.width_bytes * block.height, b"\0")
    image = Image.frombytes("1", (block.width_bytes * 8, block.height), data).convert("L")
    image = image.point(lambda value: _WHITE - value)  # on paper a set bit is black
    return image.resize((image.width, block.dots), Image.Resampling.NEAREST) if block.dots != block.height else image


def _draw(printed: AnyPrinted, width: int) -> Image.Image:
    if isinstance(printed, TextLine):
        return _text(printed)
    if isinstance(printed, QrSymbol):
        return _qr(printed)
    if isinstance(printed, BarcodeSymbol):
        return _barcode(printed)
    if isinstance(printed, RasterBlock):
        return _raster(printed)
    image = Image.new("L", (width, max(printed.dots, 1)), _WHITE)
    if isinstance(printed, CutMark):
        image = Image.new("L", (width, 3), _WHITE)
        gap = width // 2 if printed.partial else width
        for x in range(0, width, 12):
            if abs(x - width // 2) < gap:
                ImageDraw.Draw(image).line((x, 1, x + 6, 1), fill=150)
    return image


def image_of(receipt: Receipt, *, width: int = 576) -> Image.Image:
    """Draw a receipt as it lies on the counter, one pixel a dot, with a margin."""
    pieces = [(_draw(line, width), line.align) for line in receipt.lines]
    height = sum(piece.height for piece, _ in pieces)
    if height > 60_000:
        raise SimulatorError(f"a receipt of {height // 8} mm is too long to draw", hint="print less at once")
    sheet = Image.new("L", (width + 2 * _MARGIN, height + 2 * _MARGIN), _WHITE)
    top = _MARGIN
    for piece, align in pieces:
        free = width - piece.width
        left = {"left": 0, "centre": free // 2, "right": free}[align]
        sheet.paste(piece.crop((0, 0, min(piece.width, width), piece.height)), (_MARGIN + max(left, 0), top))
        top += piece.height
    return sheet


def render_png(receipt: Receipt, path: Path | str, *, width: int = 576) -> None:
    """Write the picture of a receipt to a PNG file."""
    image_of(receipt, width=width).save(path, "PNG")


def render_text(receipt: Receipt, *, columns: int = 48) -> str:
    """Write a receipt as plain text; what is no text is named in brackets."""
    lines = []
    for printed in receipt.lines:
        if isinstance(printed, TextLine):
            text = printed.text.rstrip()
            spare = max(columns - sum(run.dots for run in printed.runs) // 12, 0)
        elif isinstance(printed, QrSymbol):
            text, spare = f"[QR {printed.data.decode('utf-8', 'replace')}]", 0
        elif isinstance(printed, BarcodeSymbol):
            text, spare = f"[{printed.symbology} {printed.text}]", 0
        elif isinstance(printed, RasterBlock):
            text, spare = f"[picture {printed.width_bytes * 8} x {printed.height} dots]", 0
        elif isinstance(printed, CutMark):
            text, spare = ("- " * (columns // 2)).rstrip(), 0
        else:
            text, spare = "", 0
        if isinstance(printed, Blank) and not printed.dots:
            continue
        lead = {"left": 0, "centre": spare // 2, "right": spare}[printed.align]
        lines.append((" " * lead + text).rstrip())
    if receipt.unknown:
        lines.append(f"[unknown commands: {', '.join(receipt.unknown)}]")
    return "\n".join(lines) + "\n"
