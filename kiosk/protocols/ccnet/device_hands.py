"""What people do to a simulated CCNET unit: feed and pull notes, jam, open, cheat, mend.

These acts are physical: they work on where things are, and the wire only shows what follows.
"""

from __future__ import annotations

from kiosk.protocols.ccnet.codes import BARCODE_TYPE, POWER_UPS
from kiosk.protocols.ccnet.codes import DeviceState as S
from kiosk.protocols.ccnet.device_path import CONVEYING, MS, Note, NotePath, Place

#: Stages out of which a hand can still pull a note that is not past the point of no return.
_PULLABLE = frozenset({S.ACCEPTING, S.ESCROW_POSITION, S.HOLDING, S.STACKING, S.RETURNING})


class HandledNotePath(NotePath):
    """A note path within reach of hands.  Owns no state of its own beyond the path's."""

    @property
    def free(self) -> bool:
        """True where the unit would draw a note in now."""
        return self.stage is S.IDLING and self.note is None and self.level is None

    def insert(self, minor: int, force: bool, coupon: bytes | None = None) -> bool:
        """Feed a note or a coupon; False where the unit does not draw it in."""
        forced = force and self.stage is S.UNIT_DISABLED and self.note is None and self.level is None
        if not self.free and not forced:
            return False
        self.note = Note(minor, self.unit.type_of(minor) if coupon is None else BARCODE_TYPE, coupon)
        self.enter(S.ACCEPTING, self.unit.speeds.accepting_ms)
        return True

    def pull_back(self, powered: bool) -> bool:
        """Pull the note out again; possible until it is past the point of no return."""
        note = self.note
        if note is None or note.place not in (Place.PATH, Place.MOUTH):
            return False
        if powered and (self.level is not None or self.stage not in _PULLABLE):
            return self.take_rejected()
        self.out()
        if powered:
            self.enter(S.REJECTING, self.unit.speeds.rejecting_ms, bytes((CONVEYING,)))
        return True

    def take_rejected(self) -> bool:
        """Take the note that is, or is about to be, at the mouth."""
        if self.note is None or self.stage is not S.REJECTING or self.level is not None:
            return False
        if self.note.place is not Place.MOUTH:
            self._hand_waits = True
            return True
        self.out()
        self.rest()
        return True

    def jam(self, where: str) -> None:
        """Block the path: ``acceptor`` or ``stacker``."""
        self.jammed = S.DROP_CASSETTE_JAMMED if where == "stacker" else S.VALIDATOR_JAMMED
        self.blocked = True
        self.freeze()

    def clear_jam(self, outcome: str) -> None:
        """Open the path.  The unit goes on at once, or stays jammed until RESET, by its habit."""
        if not self.blocked:
            return
        self.blocked = False
        note = self.note
        if note is not None and note.place in (Place.PATH, Place.MOUTH):
            if outcome == "take":
                self.out()
            elif outcome == "stack" and note.stacking:
                note.place = Place.PAST  # pushed on by the hand that cleared the path
        if not self.unit.jam_needs_reset:
            self.jammed = None
            self._recover()

    def put_box(self, present: bool, empty: bool) -> None:
        """Take the box out or put one in; an empty one means that the old one's notes went away with a person."""
        if self.box_in == present:
            return
        self.box_in = present
        if not present:
            self.freeze()
            return
        if empty:
            self.collected += self.cashbox
            self.cashbox.clear()
            self.full = False
        if self.unit.power_up_at_cassette and not self.starting:
            self.forget()
            self.power_up()
        else:
            self._recover()

    def _recover(self) -> None:
        """Initialise after trouble, unless the unit waits at a power-up state for its RESET."""
        if self.stage not in POWER_UPS:
            self.initialize()

    def set_failure(self, code: int | None) -> None:
        """Break the unit, or mend it (None); mended it initialises."""
        mended = self.failure is not None and code is None
        self.failure = code
        if mended:
            self._recover()
        else:
            self.freeze()

    def cheat(self) -> bool:
        """Catch somebody manipulating: a returnable note leaves with them.  False where the unit does not look."""
        if self.starting:
            return False
        if self.note is not None and self.note.place in (Place.PATH, Place.MOUTH):
            self.out()
        self.cheated = True
        self._cheat_due = self.now + self.unit.speeds.cheated_ms * MS
        self.freeze()
        return True

    def put_second_note(self, present: bool) -> None:
        """Hold another note at the mouth, or take it away."""
        self.second_note = present
        if not present and self.note is not None and self.stage in (S.IDLING, S.UNIT_DISABLED):
            self._recover()  # it kept the note from being resolved after INITIALIZE
        else:
            self.freeze()
