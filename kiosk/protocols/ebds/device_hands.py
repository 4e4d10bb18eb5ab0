"""What people do to a simulated EBDS unit: feed and pull notes, jam, open, cheat, mend.

These acts are physical: they work on where things are, and the wire only shows what follows.
"""

from __future__ import annotations

from kiosk.protocols.ebds.codes import State
from kiosk.protocols.ebds.device_note import Event, Note, Place, Stage
from kiosk.protocols.ebds.device_path import NotePath

#: Stages out of which a hand can still pull a note that can come back.
_PULLABLE = frozenset({Stage.ACCEPTING, Stage.ESCROWED, Stage.HELD, Stage.STACKING, Stage.RETURNING})


class HandledNotePath(NotePath):
    """A note path within reach of hands.  Owns no state of its own beyond the path's."""

    def insert(self, minor: int, force: bool, ticket: str | None = None) -> bool:
        """Feed a note or a ticket; False where the unit does not draw it in."""
        enabled = self.command.enabled or force
        if not self.free or not enabled:
            return False
        self.note = Note(minor, self.unit.row_of(minor) if ticket is None else None, ticket)
        self.rejected_polls = 0
        self._enter(Stage.ACCEPTING, self.unit.speeds.accepting_ms)
        return True

    def pull_back(self, powered: bool) -> bool:
        """Pull the note out again; possible while it can come back."""
        note = self.note
        if note is None or note.place not in (Place.PATH, Place.MOUTH):
            return False
        if not powered:
            self.opened = True
            self.out()
            return True
        if note.place is Place.MOUTH or self.stage is Stage.REJECTING:
            return self.take_rejected()
        if self.jammed or self.stage not in _PULLABLE:
            return False
        self.out()
        self.rejected_polls = self.unit.edge_polls
        self._enter(Stage.IDLE)
        return True

    def take_rejected(self) -> bool:
        """Take the note that is, or is about to be, at the mouth."""
        note = self.note
        if note is None or self.jammed:
            return False
        if note.place is Place.MOUTH:
            self.out()
            return True
        if self.stage is not Stage.REJECTING:
            return False
        self._hand_waits = True
        return True

    def set_jam(self) -> None:
        """Block the path."""
        self.jammed = True
        self.freeze()

    def clear_jam(self, outcome: str) -> None:
        """Open the path: a note that can come back is taken by hand, pushed back, or stacked if it was stacking."""
        if not self.jammed:
            return
        self.jammed = False
        note = self.note
        returnable = note is not None and note.place is Place.PATH and self.stage is not Stage.POWER_UP
        if note is not None and outcome == "take" and note.place in (Place.PATH, Place.MOUTH):
            self.out()
            if self.stage is not Stage.POWER_UP:
                self._enter(Stage.IDLE)
        elif not returnable or (self.stage is Stage.STACKING and outcome != "return"):
            self.freeze()
        elif self.stage in (Stage.ESCROWED, Stage.HELD, Stage.RETURNING):
            self.give_back()
        else:
            self.reject()

    def put_box(self, present: bool, empty: bool) -> None:
        """Take the box out or put one in; an empty one means that the old one's notes went away with a person."""
        if self.box_in == present:
            return
        self.box_in = present
        if present:
            if empty:
                self.collected += self.cashbox
                self.cashbox.clear()
                self.full = False
            if self.unit.blank_at_cassette and self.stage is not Stage.POWER_UP and self.note is None:
                self.events.append(Event(State.STACKED))
        self.freeze()

    def set_trouble(self, *, failed: bool | None = None, stalled: bool | None = None) -> None:
        """Break something, or mend it."""
        self.failed = self.failed if failed is None else failed
        self.stalled = self.stalled if stalled is None else stalled
        self.freeze()

    def cheat(self) -> None:
        """Catch somebody manipulating: a note that can come back leaves with them."""
        if self.stage is Stage.POWER_UP:
            return
        if self.note is not None and self.note.place in (Place.PATH, Place.MOUTH):
            self.out()
            self._enter(Stage.IDLE)
        self.cheated_polls = self.unit.edge_polls
