"""Bitmaps for paper: lines of text that no code page holds, and QR codes.

Letters stand on the printer's own grid, 12 dots a column, so that a drawn line lines up with the printed ones above
and below it.  Pillow and segno are imported on the first drawing only: most receipts need neither, and start-up and
memory stay small.  The font is DejaVu Sans Mono, beside this module with its licence.

Right-to-left text comes in the order in which it is read.  It is joined (arabic-reshaper) and put into the order in
which it is seen (python-bidi, the Unicode Bidirectional Algorithm); its paragraph runs as its first strong letter or
mark does.  Isolated pieces keep their own direction, so that an amount or a number never turns round.  A letter that
the font lacks (Chinese, Japanese, Korean, Hebrew) shows as the font's empty box: visibly missing, and never another
letter.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from kiosk.protocols.escpos.letters import cells_of

if TYPE_CHECKING:
    from arabic_reshaper import ArabicReshaper
    from PIL.ImageFont import FreeTypeFont

#: Dots of a column and of a line at size 1: Font A of receipt printers with their default spacing.
CELL_DOTS = 12
LINE_DOTS = 30
#: Font size in dots at size 1: its letters advance 0.602 of it, which is 12 dots.
FONT_DOTS = 20
#: Zero width space and no-break space: boundary neutrals, which never come in a text that was tidied.
_MARKS = "\u200b\ufeff"
_TURNED = re.compile("\ufeff\u200b(.)")
_FONT = "DejaVuSansMono.ttf"


def draw_line(text: str, width_dots: int, bold: bool = False, size: int = 1) -> tuple[int, bytes]:
    """Draw one line of text; return its height in dots and its rows, packed, most significant bit left, 1 is black.

    What does not fit `width_dots` is left off: the caller wraps.
    """
    from PIL import Image, ImageDraw

    cell, height = CELL_DOTS * size, LINE_DOTS * size
    image = Image.new("1", (width_dots, height), 0)
    pen = ImageDraw.Draw(image)
    font = _font(FONT_DOTS * size)
    column = 0
    for cluster, width in _clusters(visual_order(text)):
        for letter in cluster:
            if not letter.isspace():
                # Twice, one dot apart, is how a thermal printer sets bold itself.
                for shift in range(1 + bold * size):
                    pen.text((column * cell + shift, 2 * size), letter, fill=1, font=font)
        column += width
    return height, image.tobytes()


def draw_qr(data: str, module: int) -> tuple[int, int, bytes]:
    """Draw a QR code, correction M, with its quiet zone; return width in bytes, height in dots and packed rows."""
    import segno

    code = segno.make(data, error="m", micro=False, boost_error=False)
    rows = [[cell & 1 for cell in row] for row in code.matrix_iter(scale=module, border=4)]
    width_bytes = (len(rows[0]) + 7) // 8
    packed = bytearray()
    for row in rows:
        bits = int("".join(map(str, row)).ljust(width_bytes * 8, "0"), 2)
        packed += bits.to_bytes(width_bytes, "big")
    return width_bytes, len(rows), bytes(packed)


def visual_order(text: str) -> str:
    """Join right-to-left letters and put them into the order in which they are seen; other texts stay as they are."""
    if not any(unicodedata.bidirectional(letter) in ("R", "AL", "AN", "FSI", "LRI", "RLI") for letter in text):
        return text
    from bidi import get_display
    from bidi.mirror import MIRRORED

    # python-bidi turns no brackets (rule L4).  Two invisible marks behind each one take its level: where they come out
    # the other way round, before it, it stands in a right-to-left run.
    joined = _reshaper().reshape(text)
    marked = "".join(one + _MARKS if unicodedata.mirrored(one) else one for one in joined)
    seen = _TURNED.sub(lambda found: str(MIRRORED.get(found[1], found[1])), str(get_display(marked)))
    return "".join(letter for letter in seen if unicodedata.category(letter) != "Cf")


@lru_cache(maxsize=1)
def _reshaper() -> ArabicReshaper:
    from arabic_reshaper import ArabicReshaper

    # Lam with alef is one letter in every hand; the other ligatures are ornaments that the font lacks.
    ornaments = {"support_ligatures": True, "ARABIC LIGATURE ALLAH": False, "delete_harakat": False}
    return ArabicReshaper(configuration=ornaments)


def _clusters(text: str) -> list[tuple[str, int]]:
    """Group letters with the marks that stand on them; tell the columns of each group."""
    found: list[tuple[str, int]] = []
    for letter in text:
        width = cells_of(letter)
        if width == 0 and found:
            found[-1] = (found[-1][0] + letter, found[-1][1])
        elif width:
            found.append((letter, width))
    return found


@lru_cache(maxsize=2)
def _font(dots: int) -> FreeTypeFont:
    from PIL import ImageFont

    with resources.as_file(resources.files("kiosk.core") / "fonts" / _FONT) as path:
        return ImageFont.truetype(str(path), dots, layout_engine=ImageFont.Layout.BASIC)
