"""A slip set into commands for one printer model.

The result is a list of whole commands, so that whoever sends them can stop or ask for a status between any two.
Every job begins with initialise and its code page, because initialise resets the page (devices sheet §1.1).  A text
with a letter that the page does not hold becomes a drawn line; its neighbours stay text.  Wrapping is the layout's
work; here a line that is too long is wrapped rather than cut off.

A line that reads from right to left begins at the right edge, its pair's amount stands at the left, and it is drawn.
A line without a letter of its own follows the line above it.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kiosk.errors import DriverError
from kiosk.model.slip import BarCode, Cut, Feed, Pair, QrCode, Rule, Slip, Words
from kiosk.protocols.escpos import commands, letters
from kiosk.protocols.escpos.profile import Profile

#: (text, width in dots, bold, size factor) -> (height in dots, packed rows).
DrawLine = Callable[[str, int, bool, int], tuple[int, bytes]]
#: (data, module size in dots) -> (width in bytes, height in dots, packed rows).
DrawQr = Callable[[str, int], tuple[int, int, bytes]]

#: Most lines of one job: 2 m of paper.  A slip beyond it is a mistake, not a receipt.
MAX_LINES = 600
_BAR_HEIGHT = 64
#: Most bytes of one raster block: a drawn line of an 80 mm printer, and little beside a receive buffer of 4 KB.
_BLOCK_BYTES = 2400


class PrintStream(msgspec.Struct, frozen=True):
    """One job as whole commands, in order."""

    commands: tuple[bytes, ...]
    #: Paper that it takes, in millimetres, rounded up.
    length_mm: int

    @property
    def total(self) -> int:
        """Bytes of the job, the barrier not counted."""
        return sum(map(len, self.commands))


def set_slip(
    slip: Slip, profile: Profile, *, draw_line: DrawLine | None = None, draw_qr: DrawQr | None = None
) -> PrintStream:
    """Set a slip for a printer.

    Raises:
        DriverError: the slip cannot be printed on this model (its code page is unknown, a letter must be drawn and
            nothing draws, a code is too large, the slip is endless).
    """
    setter = _Setter(profile, profile.page_for(slip.language), draw_line, draw_qr)
    for line in slip.lines:
        setter.put(line)
    return PrintStream(tuple(setter.out), -(-setter.dots // profile.dots_per_mm))


class _Setter:
    """Owns the commands of one job while they are made."""

    def __init__(self, profile: Profile, page: str, draw_line: DrawLine | None, draw_qr: DrawQr | None) -> None:
        self.profile = profile
        self.page = page
        self.draw_line = draw_line
        self.draw_qr = draw_qr
        self.out = [commands.INITIALISE, commands.code_page(profile.code_pages[page])]
        self.dots = 0
        self.lines = 0
        #: Whether the last line with a letter of its own read from right to left.
        self.rightward = False
        #: Openings of isolated pieces that the line above left open: a layout wraps without knowing of them.
        self.open = ""

    def put(self, line: Words | Pair | Rule | Feed | QrCode | BarCode | Cut) -> None:
        if not isinstance(line, Words):
            self.open = ""
        match line:
            case Words():
                columns = self.profile.columns // max(line.size, 1)
                text = self.open + letters.tidy(line.text)
                self.open = letters.unclosed(text)
                lines = [letters.pad(part, columns, line.align) for part in letters.wrap(text, columns)]
                self._text(self._sided(lines, text, columns), line.bold, line.size)
            case Pair():
                left, right = letters.tidy(line.left), letters.tidy(line.right)
                # The amount is a piece of its own: what stands around it must not turn its sign or its digits.
                if letters.has_rightward(left + right):
                    right = f"\u2068{right}\u2069"
                lines = letters.pair(left, right, self.profile.columns)
                self._text(self._sided(lines, left, self.profile.columns), line.bold, 1)
            case Rule():
                self._text(["-" * self.profile.columns], False, 1)
            case Feed():
                self._count(line.lines)
                if line.lines > 0:
                    self.out.append(commands.feed(line.lines))
                    self.dots += line.lines * self.profile.line_dots
            case QrCode():
                self._count(1)
                self._qr(line.data, line.size)
            case BarCode():
                self._count(1)
                self._barcode(line.data)
            case Cut():
                self._cut(line.partial)

    def _sided(self, lines: list[str], text: str, columns: int) -> list[str]:
        """Give the lines of a text their side of the paper."""
        reads = letters.reads_rightward(text)
        self.rightward = self.rightward if reads is None else reads
        return [letters.toward(line, columns) for line in lines] if self.rightward else lines

    def _count(self, lines: int) -> None:
        self.lines += max(lines, 0)
        if self.lines > MAX_LINES:
            raise DriverError(f"The slip is longer than {MAX_LINES} lines", hint="Check the receipt layout.")

    def _text(self, lines: list[str], bold: bool, size: int) -> None:
        """Put lines of one style: as text where the page holds every letter of all of them, else drawn."""
        if size not in (1, 2):
            raise DriverError(f"A slip has letters of size {size}", hint="A layout uses size 1 or 2.")
        self._count(len(lines))
        encoded = [letters.encode(line, self.page) for line in lines]
        if any(line is None for line in encoded) or any(map(letters.has_rightward, lines)):
            self._drawn(lines, bold, size)
            return
        style = (commands.emphasise(True) if bold else b"") + (commands.character_size(size) if size > 1 else b"")
        plain = (commands.character_size(1) if size > 1 else b"") + (commands.emphasise(False) if bold else b"")
        if style:
            self.out.append(style)
        self.out += [(line or b"").rstrip(b" ") + commands.LINE_END for line in encoded]
        if plain:
            self.out.append(plain)
        self.dots += len(lines) * self.profile.line_dots * size

    def _drawn(self, lines: list[str], bold: bool, size: int) -> None:
        if self.draw_line is None:
            raise DriverError(
                f"A letter is not in code page {self.page} and nothing can draw it",
                hint="Install Pillow and the bundled font, or choose a page that holds the letters.",
            )
        for line in lines:
            height, rows = self.draw_line(line, self.profile.dots, bold, size)
            self._raster((self.profile.dots + 7) // 8, height, rows)

    def _raster(self, width_bytes: int, height: int, rows: bytes) -> None:
        if len(rows) != width_bytes * height:
            raise DriverError("A drawing does not have the size it claims", hint="Report this; it is a fault here.")
        block_rows = min(self.profile.raster_rows, max(_BLOCK_BYTES // width_bytes, 1))
        self.out += commands.raster(width_bytes, rows, block_rows=block_rows)
        self.dots += height

    def _qr(self, data: str, module: int) -> None:
        module = self._qr_module(data, module)
        self.out.append(commands.align("centre"))
        if self.profile.native_codes:
            self.out.append(commands.qr_code(data, module=module))
            self.dots += _qr_side(data) * module
        elif self.draw_qr is not None:
            self._raster(*self.draw_qr(data, module))
        else:
            raise DriverError("The printer has no QR codes and nothing can draw one", hint="Install segno.")
        self.out.append(commands.align("left"))

    def _qr_module(self, data: str, module: int) -> int:
        """Shrink the modules until the code and its quiet zone fit the paper."""
        module = min(max(module, 1), 16)
        while module > 1 and (_qr_side(data) + 8) * module > self.profile.dots:
            module -= 1
        return module

    def _barcode(self, data: str) -> None:
        """Print the label, or the same data as a QR code with its text where bars do not fit the paper or the set."""
        printable = bool(data) and all(" " <= letter <= "~" for letter in data)
        # Start, check and stop take 35 modules, each letter 11, the quiet zones 20.
        modules = 11 * len(data) + 35 + 20
        module = next((width for width in (3, 2) if modules * width <= self.profile.dots), 0)
        if self.profile.native_codes and printable and module:
            self.out += [commands.align("centre"), commands.code128(data, height=_BAR_HEIGHT, module=module)]
            self.out.append(commands.align("left"))
            self.dots += _BAR_HEIGHT + self.profile.line_dots
        else:
            self._qr(data, 4)
            columns = self.profile.columns
            self._text([letters.pad(part, columns, "centre") for part in letters.wrap(letters.tidy(data), columns)],
                       False, 1)  # fmt: skip

    def _cut(self, partial: bool) -> None:
        if self.profile.cutter == "none":
            self.out.append(commands.feed(self.profile.cut_feed))
            self.dots += self.profile.cut_feed * self.profile.line_dots
            return
        self.out.append(commands.cut(partial or self.profile.cutter == "partial", self.profile.cut_feed))
        self.dots += 15 * self.profile.dots_per_mm  # from the print line to the blade
        if self.profile.presenter != "none":
            self.out.append(commands.presenter_show(self.profile.presenter_steps))


#: Bytes that a QR code of version 1 to 40 holds at correction M, byte mode (ISO/IEC 18004 table 7).
_QR_BYTES = (
    14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412, 450, 504, 560, 624, 666, 711, 779, 857, 911,
    997, 1059, 1125, 1190, 1264, 1370, 1452, 1538, 1628, 1722, 1809, 1911, 1989, 2099, 2213, 2331,
)  # fmt: skip


def _qr_side(data: str) -> int:
    """Count the modules of a QR code's side at correction M, in byte mode, which is the largest it can be."""
    size = len(data.encode("utf-8"))
    version = next((number for number, most in enumerate(_QR_BYTES, 1) if size <= most), 40)
    return 17 + 4 * version
