"""The typesetting half of a virtual printer: modes, the line being built, and the paper that comes out.

What is on paper stays on paper: neither a reset nor a power cut unprints a line.
"""

from __future__ import annotations

import msgspec

from kiosk.protocols.escpos.device_model import PrinterModel
from kiosk.protocols.escpos.device_print import (
    DOTS_PER_MM,
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
from kiosk.protocols.escpos.device_reader import Op

_DEFAULT_SPACING = 30
_ALIGN = ("left", "centre", "right")
_QR_LEVELS = {0x30: "L", 0x31: "M", 0x32: "Q", 0x33: "H"}
_BARCODES = {
    0: "upca", 1: "upce", 2: "ean13", 3: "ean8", 4: "code39", 5: "itf", 6: "codabar",
    65: "upca", 66: "upce", 67: "ean13", 68: "ean8", 69: "code39", 70: "itf", 71: "codabar", 72: "code93",
    73: "code128",
}  # fmt: skip


class _Modes(msgspec.Struct):
    """Everything ``1B 40`` puts back."""

    page: int = 0
    align: int = 0
    bold: bool = False
    underline: bool = False
    inverted: bool = False
    width: int = 1
    height: int = 1
    narrow: bool = False
    spacing: int = _DEFAULT_SPACING
    bar_height: int = 162
    bar_width: int = 3
    bar_text: int = 0
    qr_module: int = 3
    qr_level: int = 0x30
    qr_data: bytes = b""


class Typesetter:
    """Owns modes, the unfinished line and the paper; refuses to know sensors, time and the wire."""

    def __init__(self, model: PrinterModel) -> None:
        self.model = model
        #: Paper left on the roll, in dots.
        self.roll = model.roll_mm * DOTS_PER_MM
        self.used_dots = 0
        #: Pieces of paper that left the printer, oldest first.
        self.receipts: list[Receipt] = []
        #: Printed since the last cut.
        self.hanging: list[AnyPrinted] = []
        #: Commands this printer does not know, counted by their bytes in hexadecimal.
        self.unknown: dict[str, int] = {}
        self._hanging_unknown: list[str] = []
        self._modes = _Modes()
        self._line: list[Run] = []

    def reset(self) -> None:
        """Put every mode back and drop the unfinished line, as ``1B 40`` and power-on do; the code page too."""
        self._modes = _Modes()
        self._line = []

    @property
    def line_begun(self) -> bool:
        """Tell whether letters wait for a line feed."""
        return bool(self._line)

    def note_unknown(self, raw: bytes) -> None:
        """Count a command that is not known and remember it with the paper it fell on."""
        key = raw.hex()
        self.unknown[key] = self.unknown.get(key, 0) + 1
        self._hanging_unknown.append(key)

    def set(self, op: Op) -> int:
        """Carry one operation out and return the dots of paper it moved."""
        before = self.used_dots
        handler = getattr(self, f"_do_{op.name}", None)
        if handler is None:
            self.note_unknown(op.args)
        else:
            handler(op)
        return self.used_dots - before

    def tear(self) -> Receipt | None:
        """Tear off what hangs uncut; None where nothing does."""
        return self._finish(cut=False) if self.hanging else None

    # --- text -------------------------------------------------------------------------------------------------

    def _do_text(self, op: Op) -> None:
        codec = self.model.pages[self._modes.page]
        for letter in op.args.decode(codec, "replace"):
            modes = self._modes
            run = Run(letter, modes.bold, modes.underline, modes.inverted, modes.width, modes.height, modes.narrow)
            if sum(done.dots for done in self._line) + run.dots > self.model.width_dots:
                self._end_line()
            last = self._line[-1] if self._line else None
            if last is not None and msgspec.structs.replace(last, text=letter) == run:
                self._line[-1] = msgspec.structs.replace(last, text=last.text + letter)
            else:
                self._line.append(run)

    def _do_line(self, op: Op) -> None:
        self._end_line()

    def _end_line(self) -> None:
        tallest = max((run.height for run in self._line), default=1)
        dots = max(self._modes.spacing, 24 * tallest if self._line else 0)
        runs, self._line = tuple(self._line), []
        self._put(TextLine(runs=runs, dots=dots, align=_ALIGN[self._modes.align]))

    def _put(self, printed: AnyPrinted) -> None:
        self.hanging.append(printed)
        self.used_dots += printed.dots
        self.roll = max(self.roll - printed.dots, 0)

    def _flush(self) -> None:
        if self._line:
            self._end_line()

    def _do_tab(self, op: Op) -> None:
        columns = sum(len(run.text) for run in self._line)
        self._do_text(Op("text", b" " * (8 - columns % 8)))

    def _do_return(self, op: Op) -> None:
        """A carriage return does nothing unless the panel says so."""

    def _do_ignored(self, op: Op) -> None:
        """Known, without an effect on this model."""

    def _do_cancel(self, op: Op) -> None:
        self._line = []

    def _do_initialise(self, op: Op) -> None:
        self.reset()

    def _do_page(self, op: Op) -> None:
        if op.args[0] in self.model.pages:
            self._modes.page = op.args[0]
        else:
            self.note_unknown(b"\x1bt" + op.args)

    def _do_align(self, op: Op) -> None:
        self._modes.align = op.args[0] % 0x30 if op.args[0] % 0x30 < 3 else self._modes.align

    def _do_bold(self, op: Op) -> None:
        self._modes.bold = bool(op.args[0] & 1)

    def _do_underline(self, op: Op) -> None:
        self._modes.underline = op.args[0] % 0x30 in (1, 2)

    def _do_invert(self, op: Op) -> None:
        self._modes.inverted = bool(op.args[0] & 1)

    def _do_font(self, op: Op) -> None:
        self._modes.narrow = op.args[0] % 0x30 == 1

    def _do_size(self, op: Op) -> None:
        self._modes.width, self._modes.height = (op.args[0] >> 4 & 7) + 1, (op.args[0] & 7) + 1

    def _do_mode(self, op: Op) -> None:
        bits, modes = op.args[0], self._modes
        modes.narrow, modes.bold, modes.underline = bool(bits & 1), bool(bits & 8), bool(bits & 0x80)
        modes.height, modes.width = 2 if bits & 0x10 else 1, 2 if bits & 0x20 else 1

    def _do_spacing(self, op: Op) -> None:
        self._modes.spacing = op.args[0]

    def _do_spacing_default(self, op: Op) -> None:
        self._modes.spacing = _DEFAULT_SPACING

    def _do_feed_lines(self, op: Op) -> None:
        self._flush()
        self._put(Blank(dots=op.args[0] * self._modes.spacing))

    def _do_feed_dots(self, op: Op) -> None:
        self._flush()
        self._put(Blank(dots=op.args[0]))

    # --- knife --------------------------------------------------------------------------------------------------

    def _do_cut(self, op: Op) -> None:
        kind = op.args[0]
        if len(op.args) > 1:
            self._flush()
            self._put(Blank(dots=op.args[1]))
        # A bare cut right after text goes through the text: the unfinished line stays for the next piece.
        self._put(CutMark(partial=kind in (0x01, 0x31, 0x42, 0x62, 0x68)))
        self._finish(cut=True)

    def _do_cut_full(self, op: Op) -> None:
        self._do_cut(Op("cut", b"\x00"))

    def _do_cut_part(self, op: Op) -> None:
        self._do_cut(Op("cut", b"\x01"))

    def _finish(self, *, cut: bool) -> Receipt:
        receipt = Receipt(tuple(self.hanging), cut, tuple(self._hanging_unknown))
        self.hanging, self._hanging_unknown = [], []
        self.receipts.append(receipt)
        return receipt

    # --- pictures and codes ---------------------------------------------------------------------------------------

    def _do_raster(self, op: Op) -> None:
        width, height = int.from_bytes(op.args[1:3], "little"), int.from_bytes(op.args[3:5], "little")
        if op.truncated or not width or not height:
            self.note_unknown(b"\x1dv0" + op.args)
            return
        self._flush()
        scale = 2 if op.args[0] & 2 else 1  # m = 2, 3: double height
        self._put(
            RasterBlock(
                width_bytes=width, height=height, data=op.payload, dots=height * scale, align=_ALIGN[self._modes.align]
            )
        )

    def _do_columns(self, op: Op) -> None:
        deep = op.args[0] >= 32
        columns, stride, height = int.from_bytes(op.args[1:3], "little"), 3 if deep else 1, 24 if deep else 8
        width = (columns + 7) // 8
        rows = bytearray(width * height)
        for x in range(columns):
            for y in range(height):
                if op.payload[x * stride + y // 8] >> (7 - y % 8) & 1:
                    rows[y * width + x // 8] |= 0x80 >> x % 8
        self._put(
            RasterBlock(
                width_bytes=width, height=height, data=bytes(rows), dots=height, align=_ALIGN[self._modes.align]
            )
        )

    def _do_bar_height(self, op: Op) -> None:
        self._modes.bar_height = op.args[0] or self._modes.bar_height

    def _do_bar_width(self, op: Op) -> None:
        self._modes.bar_width = op.args[0] or self._modes.bar_width

    def _do_bar_text(self, op: Op) -> None:
        self._modes.bar_text = op.args[0] % 0x30 & 3

    def _do_barcode(self, op: Op) -> None:
        symbology, modes = _BARCODES.get(op.args[0], ""), self._modes
        text = code128_text(op.payload) if symbology == "code128" else op.payload.decode("latin-1")
        if not symbology or text is None:
            self.note_unknown(b"\x1dk" + op.args + op.payload[:8])  # a real printer prints nothing either
            return
        self._flush()
        readable = modes.bar_text
        dots = modes.bar_height + 30 * (bool(readable & 1) + bool(readable & 2))
        self._put(
            BarcodeSymbol(
                symbology=symbology, text=text, height=modes.bar_height, module=modes.bar_width, readable=readable,
                dots=dots, align=_ALIGN[modes.align],
            )
        )  # fmt: skip

    def _do_group_k(self, op: Op) -> None:
        body, modes = op.payload, self._modes
        if len(body) < 3 or body[0] != 0x31:
            self.note_unknown(b"\x1d(k" + body[:2])
        elif body[1] == 0x41:
            pass  # model 2 is what every QR reader expects; nothing else is drawn
        elif body[1] == 0x43:
            modes.qr_module = min(max(body[2], 1), 16)
        elif body[1] == 0x45 and body[2] in _QR_LEVELS:
            modes.qr_level = body[2]
        elif body[1] == 0x50:
            modes.qr_data = body[3:]
        elif body[1] == 0x51 and modes.qr_data:
            self._flush()
            # The size follows from the data; 21 modules is the smallest, each version has 4 more.
            modules = 21 + 4 * (len(modes.qr_data) // 14)
            self._put(
                QrSymbol(
                    data=modes.qr_data, module=modes.qr_module, level=_QR_LEVELS[modes.qr_level],
                    dots=modules * modes.qr_module, align=_ALIGN[modes.align],
                )
            )  # fmt: skip
        else:
            self.note_unknown(b"\x1d(k" + body[:3])


def code128_text(data: bytes) -> str | None:
    """Read the data of a Code 128 command: ``{A``, ``{B``, ``{C`` choose the set; None where the printer refuses it.

    >>> code128_text(b"{BK07-1"), code128_text(b"K07")
    ('K07-1', None)
    """
    if data[:2] not in (b"{A", b"{B", b"{C"):
        return None
    out, at, code_set = [], 0, ""
    while at < len(data):
        if data[at] == 0x7B:
            follow = data[at + 1 : at + 2]
            if follow in (b"A", b"B", b"C"):
                code_set = follow.decode("ascii")
            elif follow == b"{":
                out.append("{")
            else:
                return None
            at += 2
        elif code_set == "C":
            if data[at] > 99:
                return None
            out.append(f"{data[at]:02d}")
            at += 1
        else:
            if data[at] > 127:
                return None
            out.append(chr(data[at]))
            at += 1
    return "".join(out) or None
