"""What the sensors of a virtual printer see, and the status bytes that tell it (devices sheet §1.3, §1.7, §1.8)."""

from __future__ import annotations

import msgspec

from kiosk.protocols.escpos.condition import FULL_CUTTER, FULL_HEAD_HOT, FULL_IN_MOUTH, FULL_JAM, FULL_PAPER_END


class Sensors(msgspec.Struct):
    """One moment of one printer."""

    cover_open: bool = False
    feed_pressed: bool = False
    #: The knife cannot move; the error outlives its cause until it is recovered.
    cutter_blocked: bool = False
    cutter_error: bool = False
    hot: bool = False
    broken: bool = False
    drawer_open: bool = False
    paper_out: bool = False
    near_end: bool = False
    #: A slip lies in the presenter's mouth; the presenter is jammed.
    in_mouth: bool = False
    presenter_jammed: bool = False

    @property
    def error(self) -> bool:
        """Tell whether the printer has an error."""
        return self.cutter_error or self.hot or self.broken

    @property
    def off_line(self) -> bool:
        """Tell whether something keeps it from printing."""
        return self.error or self.cover_open or self.feed_pressed or self.paper_out

    def real_time(self, kind: int) -> int:
        """Return the byte that answers ``10 04 n``."""
        if kind == 1:
            bits = 0x04 * self.drawer_open | 0x08 * self.off_line
        elif kind == 2:
            bits = 0x04 * self.cover_open | 0x08 * self.feed_pressed | 0x20 * self.paper_out | 0x40 * self.error
        elif kind == 3:
            bits = 0x08 * self.cutter_error | 0x20 * self.broken | 0x40 * self.hot
        else:
            bits = 0x0C * self.near_end | 0x60 * self.paper_out
        return 0x12 | bits

    def automatic(self) -> bytes:
        """Return the four bytes of automatic status."""
        first = (
            0x10 | 0x04 * self.drawer_open | 0x08 * self.off_line | 0x20 * self.cover_open | 0x40 * self.feed_pressed
        )
        second = 0x08 * self.cutter_error | 0x20 * self.broken | 0x40 * self.hot
        return bytes((first, second, 0x03 * self.near_end | 0x0C * self.paper_out, 0))

    def full(self) -> bytes:
        """Return what answers ``10 04 14`` [KPM150-H p. 10]; the bits of the last byte are *(recalled)*."""
        paper = FULL_PAPER_END * self.paper_out | 0x04 * self.near_end | FULL_IN_MOUTH * self.in_mouth
        user = 0x02 * self.cover_open | 0x20 * self.feed_pressed
        recoverable = FULL_HEAD_HOT * self.hot | FULL_JAM * self.presenter_jammed
        return bytes((0x10, 0x0F, paper, user, recoverable, FULL_CUTTER * self.cutter_error | 0x04 * self.broken))

    def port_status(self) -> int:
        """Return USB's class status: 0x20 no paper, 0x10 selected, 0x08 no error."""
        selected = not (self.error or self.cover_open or self.feed_pressed)
        return 0x20 * self.paper_out | 0x10 * selected | 0x08 * (selected and not self.paper_out)
