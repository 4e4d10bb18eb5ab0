"""The presenter of a virtual printer: what holds a slip between the knife and the hand (devices sheet §1.7).

A cut slip lies in the path until it is shown; the next cut pushes an older one out.  Taken, drawn back and fallen
slips are physical: no power cut changes where they are.
"""

from __future__ import annotations

from kiosk.protocols.escpos.device_print import Receipt
from kiosk.protocols.escpos.presenter import ERROR, IN_MOUTH, JAM, NEAR_END, PAPER_END

#: `n` of ``1D 65 n`` (KPM210/216 p. 76).
RETRACT, SHOW, EJECT, STATUS = 2, 3, 5, 6


class Presenter:
    """Owns at most one slip; refuses to know paper sensors and the wire."""

    def __init__(self) -> None:
        self.slip: Receipt | None = None
        #: ``path`` (cut and not shown), ``mouth`` or "" without a slip.
        self.where = ""
        self.jammed = False
        #: Slips a hand took, slips drawn back into the printer, slips that fell out with nobody there: oldest first.
        self.taken: list[Receipt] = []
        self.retracted: list[Receipt] = []
        self.fallen: list[Receipt] = []
        self._jam_at_next = False

    def cut(self, slip: Receipt) -> None:
        """A new slip arrives from the knife."""
        self._leave(self.fallen)
        self.slip, self.where = slip, "path"

    def order(self, what: int) -> None:
        """Carry out ``1D 65 n``; a jam holds the slip where it is."""
        if self._jam_at_next and self.slip is not None and what in (RETRACT, SHOW, EJECT):
            self.jammed, self._jam_at_next = True, False
        if self.jammed:
            return
        if what == SHOW and self.slip is not None:
            self.where = "mouth"
        elif what == RETRACT:
            self._leave(self.retracted)
        elif what == EJECT:
            self._leave(self.fallen)

    def status(self, *, near_end: bool, paper_end: bool) -> int:
        """Return the byte that answers ``1D 65 06``."""
        bits = NEAR_END * near_end | PAPER_END * paper_end | IN_MOUTH * self.in_mouth
        return bits | (ERROR | JAM) * self.jammed

    @property
    def in_mouth(self) -> bool:
        """Tell whether the sensor in the mouth sees a slip."""
        return self.where == "mouth"

    # --- people's hands -------------------------------------------------------------------------------------------

    def take(self) -> Receipt | None:
        """Take the slip from the mouth; None where none can be taken."""
        if self.jammed or not self.in_mouth:
            return None
        return self._leave(self.taken)

    def jam(self, *, at_next: bool = False) -> None:
        """Block the path: now, or when the slip is moved next."""
        if at_next:
            self._jam_at_next = True
        else:
            self.jammed = True

    def clear(self) -> None:
        """Open the path and take out by hand what lies in it."""
        self.jammed = self._jam_at_next = False
        self._leave(self.taken)

    def _leave(self, to: list[Receipt]) -> Receipt | None:
        slip, self.slip, self.where = self.slip, None, ""
        if slip is not None:
            to.append(slip)
        return slip
