"""Models of virtual ESC/POS printers as data: identity, code pages, size, what they lack (devices sheet §1.2)."""

from __future__ import annotations

import msgspec

#: Code page number → Python codec, Epson's numbering [TM-L90, TM-H5000].
EPSON_PAGES: dict[int, str] = {
    0: "cp437", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 16: "cp1252", 18: "cp852", 19: "cp858",
}  # fmt: skip
#: An example of a clone that renumbers its pages.
CLONE_PAGES: dict[int, str] = {0: "cp437", 1: "cp850", 2: "cp852", 3: "cp858", 6: "cp1252"}


class PrinterModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model of printer."""

    maker: str = "EPSON"
    name: str = "TM-T20III"
    firmware: str = "1.05 ESC/POS"
    #: One-byte answer to ``1D 49 01``; bits 0x90 are 0.
    model_id: int = 0x20
    pages: dict[int, str] = msgspec.field(default_factory=lambda: EPSON_PAGES)
    #: Dots across the paper.
    width_dots: int = 576
    receive_buffer: int = 4096
    #: Speed of the paper while printing, dots a second; 0 prints in no time.
    dots_per_second: int = 1200
    cut_ms: int = 300
    #: Length of a fresh roll and what is left of it when the near-end sensor trips.
    roll_mm: int = 80_000
    near_end_mm: int = 5_000
    #: Answers the completion id ``1D 28 48`` and takes the real-time clear ``10 14 08`` (Epson only).
    completion_id: bool = True
    real_time_clear: bool = True
    #: Has Custom's presenter (``1D 65 n``) and full status (``10 04 14``).
    presenter: bool = False
    full_status: bool = False


EPSON = PrinterModel()
CLONE = PrinterModel(
    maker="POS", name="POS-80", firmware="V2.1", model_id=0x02, pages=CLONE_PAGES, completion_id=False,
    real_time_clear=False,
)  # fmt: skip
CUSTOM = PrinterModel(
    maker="CUSTOM", name="KPM150", firmware="3.02", model_id=0x02, pages={0: "cp437"}, completion_id=False,
    real_time_clear=False, presenter=True, full_status=True,
)  # fmt: skip
MODELS = {"epson": EPSON, "clone": CLONE, "custom": CUSTOM}
