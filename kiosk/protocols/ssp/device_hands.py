"""What people do to a simulated SSP validator: feed and pull notes, jam, open, cheat, exchange the box.

These acts are physical: they work on where things are, and the wire only shows what follows.
"""

from __future__ import annotations

from kiosk.protocols.ssp.codes import EventCode as E
from kiosk.protocols.ssp.device_path import NO_NOTE, STRIMMING, UNABLE_TO_STACK, Note, NotePath, Place, Stage


class HandledNotePath(NotePath):
    """A note path within reach of hands.  Owns no state of its own beyond the path's."""

    def insert(self, minor: int, force: bool, ticket: bytes | None = None) -> bool:
        """Feed a note or a ticket; False where the unit does not draw it in."""
        forced = force and self.stage is Stage.READY and self.note is None and not (self.stopped or self.halted)
        if not (self.takes or forced):
            return False
        self.note = Note(minor, self.unit.channel_of(minor) if ticket is None else 0, ticket)
        self._enter(Stage.SCANNING, self.unit.speeds.accepting_ms)
        return True

    def pull_back(self, powered: bool) -> bool:
        """Pull the note out again; possible until the point of return."""
        note = self.note
        if note is None or note.place is Place.PAST:
            return False
        self.out()
        if not powered or self.stopped:
            if powered and self.stage is not Stage.STARTING:
                self._enter(Stage.READY)
            return True
        if self.stage in (Stage.SCANNING, Stage.ESCROW, Stage.STACKING):
            self.rejected += 1
            self.last_reject = STRIMMING if self.stage is Stage.STACKING else NO_NOTE
            self.tell(E.REJECTING)
            self.tell(E.REJECTED)
        elif self.stage is Stage.RETURNING or (self.stage is Stage.REJECTING and note.place is Place.PATH):
            self.tell(E.REJECTED)
        if self.stage is not Stage.STARTING:
            self.rest()
        return True

    def take_rejected(self) -> bool:
        """Take the note that is, or is about to be, at the mouth."""
        if self.note is None or self.stage is not Stage.REJECTING or self.stopped:
            return False
        if self.note.place is not Place.MOUTH:
            self._hand_waits = True
            return True
        self.out()
        self.rest()
        return True

    def jam(self, where: str) -> None:
        """Block the path: ``acceptor`` (the customer reaches the note) or ``stacker`` (nobody does)."""
        self.jammed = where
        if where == "stacker" and not self.unit.repeats_safe_jam:
            self.tell(E.SAFE_JAM)
        self.freeze()

    def clear_jam(self, outcome: str) -> None:
        """Open the path: a returnable note is pushed back, stacked (only if it was stacking) or taken by hand."""
        if not self.jammed:
            return
        self.jammed = ""
        if self.unit.tells_jam_recovery:
            self.tell(E.JAM_RECOVERY)
        note = self.note
        moving = self.stage in (Stage.SCANNING, Stage.ESCROW, Stage.STACKING)
        if note is None or note.place is not Place.PATH:
            self.freeze()
        elif outcome == "take":
            self.out()
            self.last_reject = NO_NOTE
            if self.stage is Stage.STARTING:
                self.freeze()
            else:
                self.rest()
        elif moving and (outcome == "return" or not note.stacking):
            self.give_back(UNABLE_TO_STACK)
        else:
            self.freeze()

    def put_box(self, present: bool, empty: bool) -> None:
        """Take the box out or put one in; an empty one means that the old one's notes went away with a person."""
        if self.box_in == present:
            return
        self.box_in = present
        if not present:
            if not self.unit.repeats_cashbox_removed:
                self.tell(E.CASHBOX_REMOVED)
            self._disable_itself()
        else:
            self.tell(E.CASHBOX_REPLACED)
            if empty:
                self.collected += self.cashbox
                self.cashbox.clear()
                self.full = False
        self.freeze()

    def fill(self) -> None:
        """Let the box be full."""
        self.full = True
        self.tell(E.STACKER_FULL)
        self._disable_itself()

    def open_path(self, is_open: bool) -> None:
        """Open the note path, or close it."""
        self.path_open = is_open
        if is_open:
            self._disable_itself()
        self.freeze()

    def cheat(self) -> None:
        """Catch somebody manipulating: a returnable note leaves with them."""
        note = self.note
        self.tell(E.FRAUD_ATTEMPT, note.channel if note is not None and note.read else 0)
        self._disable_itself()
        if note is not None and note.place is not Place.PAST:
            self.out()
            self.last_reject = STRIMMING
            if self.stage is not Stage.STARTING:
                self.rest()

    def _disable_itself(self) -> None:
        if self.unit.disables_itself:
            self.enable(False)
