"""What people do to a simulated ID003 unit: feed and pull notes, jam, open, cheat, mend.

These acts are physical: they work on where things are, and the wire only shows what follows.
"""

from __future__ import annotations

from kiosk.protocols.id003.codes import BARCODE_TICKET, POWER_UPS, REJECT_INHIBITED, HostCommand
from kiosk.protocols.id003.codes import DeviceStatus as S
from kiosk.protocols.id003.notepath import MS, Note, NotePath, Place

#: Stages out of which a hand can still pull a note that has not passed the lever.
_PULLABLE = frozenset({S.ACCEPTING, S.ESCROW, S.HOLDING, S.STACKING, S.RETURNING})


class HandledNotePath(NotePath):
    """A note path within reach of hands.  Owns no state of its own beyond the path's."""

    def insert(self, minor: int, direction: int, force: bool, ticket: bytes | None = None) -> bool:
        """Feed a note or a ticket; False where the unit does not draw it in."""
        free = self.stage is S.IDLING or (force and self.stage is S.DISABLED)
        if not free or self.note is not None or self.level is not None:
            return False
        self.note = Note(minor, self.unit.code_of(minor) if ticket is None else BARCODE_TICKET, ticket)
        if self.settings[HostCommand.SET_DIRECTION][0] & direction:
            self.reject_next = REJECT_INHIBITED
        self._enter(S.ACCEPTING, self.unit.speeds.accepting_ms)
        return True

    def pull_back(self, powered: bool) -> bool:
        """Pull the note out again; possible until it has passed the lever."""
        note = self.note
        if note is None or note.place not in (Place.PATH, Place.MOUTH):
            return False
        if powered and (self.level is not None or self.stage not in _PULLABLE):
            return self.take_rejected()
        self._out()
        if powered:
            self._enter(S.REJECTING, self.unit.speeds.rejecting_ms, b"\x75")
        return True

    def take_rejected(self) -> bool:
        """Take the note that is, or is about to be, at the mouth."""
        if self.note is None or self.stage is not S.REJECTING or self.level is not None:
            return False
        if self.note.place is not Place.MOUTH:
            self._hand_waits = True
            return True
        self._out()
        self.rest()
        return True

    def jam(self, where: str) -> None:
        """Block the path: ``acceptor`` or ``stacker``."""
        self.jammed = S.JAM_IN_STACKER if where == "stacker" else S.JAM_IN_ACCEPTOR
        self._freeze()

    def clear_jam(self, outcome: str) -> None:
        """Open the path: a returnable note is pushed back, stacked (only if it was stacking) or taken by hand."""
        if self.jammed is None:
            return
        self.jammed = None
        note = self.note
        if outcome == "take" and note is not None and note.place in (Place.PATH, Place.MOUTH):
            self._out()
            self._recover()
        elif note is not None and note.forgotten:
            self._recover()
        elif note is not None and note.place is Place.PATH and (outcome == "return" or not note.stacking):
            self._frozen = None
            self._reject(0x75)
        else:
            self._freeze()

    def put_box(self, present: bool, empty: bool) -> None:
        """Take the box out or put one in; an empty one means that the old one's notes went away with a person."""
        if self.box_in == present:
            return
        self.box_in = present
        if not present:
            self._freeze()
            return
        if empty:
            self.collected += self.cashbox
            self.cashbox.clear()
            self.full = False
        self._recover()

    def _recover(self) -> None:
        """Initialise after a fault, unless the unit waits at a power-up status for its RESET."""
        if self.stage not in POWER_UPS:
            self.initialize()

    def set_failure(self, code: int | None) -> None:
        """Break the unit, or mend it (None); mended it initialises."""
        mended = self.failure is not None and code is None
        self.failure = code
        if mended:
            self._recover()
        else:
            self._freeze()

    def cheat(self) -> bool:
        """Catch somebody manipulating: a returnable note leaves with them.  False where the unit does not look."""
        if self.stage in POWER_UPS or self.stage is S.INITIALIZE:
            return False
        if self.note is not None and self.note.place in (Place.PATH, Place.MOUTH):
            self._out()
        self.cheated = True
        self._cheat_due = self.now + self.unit.speeds.cheated_ms * MS
        self._freeze()
        return True

    def put_second_note(self, present: bool) -> None:
        """Hold another note at the mouth, or take it away."""
        self.second_note = present
        if not present and self.note is not None and self.stage in (S.IDLING, S.DISABLED):
            self._recover()  # it kept the note from being resolved after INITIALIZE
        else:
            self._freeze()
