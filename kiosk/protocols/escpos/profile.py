"""What a printer model can do, as data (config/printers/*.toml); a pure struct that nothing here loads.

The defaults describe an Epson TM-T20III on 80 mm paper.  Numbers of code pages differ between makers, so they belong
to the profile and never to the driver.  Sources: devices sheet §1.2, §1.4, §1.5, §1.7; each TOML file cites its own.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kiosk.protocols.escpos.condition import FULL_STATUS_MASK

_Positive = Annotated[int, msgspec.Meta(ge=1)]
_Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]

#: TM-L90, TM-H5000: page name to the number in ``1B 74 n``.
EPSON_PAGES = {
    "cp437": 0, "cp850": 2, "cp860": 3, "cp863": 4, "cp865": 5, "cp1252": 16, "cp866": 17, "cp852": 18, "cp858": 19,
}  # fmt: skip
#: One page per language; a language that is not named here uses `Profile.default_page`.
PAGE_OF_LANGUAGE = {
    "cs": "cp852", "hr": "cp852", "hu": "cp852", "pl": "cp852", "ro": "cp852", "sk": "cp852", "sl": "cp852",
    "be": "cp866", "bg": "cp866", "ru": "cp866", "uk": "cp866",
}  # fmt: skip


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One printer model with one paper width."""

    #: For people.
    name: str = "Epson TM-T20III, 80 mm"
    #: Letters of size 1 in a line (Font A, 12 dots a letter).
    columns: Annotated[int, msgspec.Meta(ge=16, le=120)] = 48
    #: Printable width in dots.
    dots: Annotated[int, msgspec.Meta(ge=192, le=2400)] = 576
    #: Dots in a millimetre along the paper; 8 at 203 dpi.
    dots_per_mm: _Positive = 8
    #: Height of a text line of size 1 in dots, with its spacing.
    line_dots: _Positive = 30
    #: Code pages: Python codec name to the printer's number.
    code_pages: dict[str, _Byte] = msgspec.field(default_factory=EPSON_PAGES.copy)
    #: Language tag to code page name.
    languages: dict[str, str] = msgspec.field(default_factory=PAGE_OF_LANGUAGE.copy)
    #: Page of every other language.
    default_page: str = "cp858"
    #: What the blade can do; ``none`` feeds past the tear bar instead.
    cutter: Literal["full", "partial", "none"] = "partial"
    #: Motion units to feed before the cut, or lines to feed where there is no cutter.
    cut_feed: _Byte = 3
    #: Prints QR codes and Code 128 by itself; otherwise both are drawn as a QR bitmap.
    native_codes: bool = True
    #: Most rows in one raster block; clones take 256.
    raster_rows: Annotated[int, msgspec.Meta(ge=1, le=256)] = 256
    #: Bytes that may be out without the printer's answer; less than its receive buffer less one drawn line (2.4 KB).
    #: 0 sends without checkpoints.
    window_bytes: Annotated[int, msgspec.Meta(ge=0, le=1_048_576)] = 1536
    #: What proves that a job was consumed: ``queued_status`` (``1D 72 01``), ``completion_id`` (``1D 28 48``, Epson) or
    #: ``none``: then no job is ever confirmed and there are no checkpoints.
    barrier: Literal["queued_status", "completion_id", "none"] = "queued_status"
    #: Its USB class status tells the truth; false: a printer without an IN endpoint is then always unknown.
    class_status: bool = True
    #: Has a near-end sensor; without one its bits are noise.
    near_end_sensor: bool = True
    #: Bit 0x04 of ``10 04 03`` means nothing on this model.
    mechanical_harmless: bool = False
    #: Has Custom's full status (``10 04 14``), which is then asked with every look.
    full_status: Literal["none", "custom"] = "none"
    #: Bits of the full status that count on this model: its four bytes paper, user, recoverable, unrecoverable.
    full_status_mask: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)] = FULL_STATUS_MASK
    #: How buffers are cleared: ``realtime`` (``10 14 08``, Epson), ``recover`` (``10 05 02``, only after an error the
    #: printer can recover from) or ``none``.
    clear_buffer: Literal["realtime", "recover", "none"] = "realtime"
    #: Presenter command set, if there is one.
    presenter: Literal["none", "custom"] = "none"
    #: How far a slip is shown, in steps of 0.625 mm.
    presenter_steps: _Byte = 96
    #: A slip that nobody took goes after this time, in milliseconds; 0 leaves it until the next one pushes it out.
    retract_after_ms: Annotated[int, msgspec.Meta(ge=0)] = 60_000
    #: Where it goes: ``retract`` draws it back into the printer, ``eject`` lets it fall.
    untaken: Literal["retract", "eject"] = "retract"

    def __post_init__(self) -> None:
        if self.default_page not in self.code_pages:
            raise ValueError(f"default_page {self.default_page[:40]!r} has no number in [code_pages]")
        for page in self.code_pages:
            if not _is_code_page(page):
                raise ValueError(f"{page[:40]!r} in [code_pages] is no code page of one byte a letter")
        for language, page in self.languages.items():
            if page not in self.code_pages and PAGE_OF_LANGUAGE.get(language) != page:
                raise ValueError(f"the page {page[:40]!r} of language {language[:20]!r} has no number in [code_pages]")
        if self.columns * 12 > self.dots:
            raise ValueError(f"{self.columns} columns of 12 dots are wider than {self.dots} dots")
        if self.presenter != "none" and self.cutter == "none":
            raise ValueError("a presenter needs a cutter: nothing can be shown that was not cut")

    def page_for(self, language: str) -> str:
        """Name the code page for a language tag such as ``es`` or ``es-MX``."""
        exact = self.languages.get(language) or self.languages.get(language.split("-")[0].split("_")[0])
        return exact if exact in self.code_pages else self.default_page


def _is_code_page(name: str) -> bool:
    try:
        return "A".encode(name) == b"A" and len("\u20ac".encode(name, "replace")) == 1
    except LookupError:
        return False
