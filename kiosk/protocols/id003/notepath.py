"""The note path of a simulated ID003 unit: where the note is and what the unit is doing.

Theory of operation.  The unit is in one *stage* (a device status of its own) with at most one timer; a note has a
*place* on the path (`Place`).  Trouble (jam, box out, failure, cheat, second note) lies over the stage as a level:
it stops the timers and is shown instead, until hands solve it.  Power and RESET make the unit forget what it was
told about the note, never where the note is.  `hands` adds what people do.

Kept true here, and by nothing on the wire: a note is in `cashbox` once it is fully in, in `returned` once a
person has it, else `inside`.  Every inserted note is in exactly one of them.
"""

from __future__ import annotations

import enum

from kiosk.protocols.id003.codes import POWER_UPS, REJECT_INHIBITED, SETTINGS, HostCommand
from kiosk.protocols.id003.codes import DeviceStatus as S
from kiosk.protocols.id003.payloads import is_disabled
from kiosk.protocols.id003.units import Unit

MS = 1_000_000


class Place(enum.Enum):
    """Where a note is."""

    #: Returnable: drawn in, in escrow, or on its way before the stacker lever.
    PATH = "path"
    #: Pushed out, waiting at the mouth for a hand.
    MOUTH = "mouth"
    #: Past the lever, not yet fully in the box.
    PAST = "past"
    #: In the box, but VEND VALID is not acknowledged.
    BOX = "box"


class Note:
    """The one note, or barcode ticket, that the unit is busy with."""

    def __init__(self, minor: int, code: int | None, ticket: bytes | None = None) -> None:
        self.minor = minor
        self.code = code
        #: What the barcode of a ticket says; None for a note.  A ticket is no money and is counted nowhere.
        self.ticket = ticket
        self.place = Place.PATH
        #: The unit set out to stack it.
        self.stacking = False
        #: VEND VALID was acknowledged.
        self.acknowledged = False
        #: Power-off or RESET made the unit forget what it was doing with it.
        self.forgotten = False


#: Stages in which a note goes back when the host stops polling (sheet §3).
_WAITING_FOR_HOST = frozenset({S.ACCEPTING, S.ESCROW, S.HOLDING})


class NotePath:
    """Owns notes, stage and levels; refuses to know frames, settings' wire form or scripted line faults."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.now = 0
        self.stage = S.POWER_UP
        self.data = b""
        self.cashbox: list[int] = []
        self.collected: list[int] = []
        self.returned: list[int] = []
        self.note: Note | None = None
        #: Data of each setting by its SET code; lost by power-off, RESET and every INITIALIZE.
        self.settings: dict[HostCommand, bytes] = {}
        self._lose_settings()
        #: The unit was left alone with VEND VALID for too long and answers nothing but RESET.
        self.hung = False
        #: What becomes of a stacking note stopped by a fault: ``return`` or ``stack``.
        self.after_fault = "return"
        self.box_in = True
        self.full = False
        self.failure: int | None = None
        self.jammed: S | None = None
        self.second_note = False
        self.cheated = False
        #: Scripted: the next stack command falls back to ESCROW once; the next note is rejected with this reason.
        self.escrow_again = False
        self.reject_next: int | None = None
        self._hand_waits = False
        self._due: int | None = None
        self._box_due: int | None = None
        self._silence_due: int | None = None
        self._cheat_due: int | None = None
        #: STACK-1 was ordered: VEND VALID comes at the lever, before the note is fully in.
        self._early_vend = False
        self._frozen: tuple[int | None, int | None] | None = None

    # --- what is shown ------------------------------------------------------------------------------------

    @property
    def inside(self) -> int | None:
        """Return the value of the note that is neither in the box nor with a person."""
        note = self.note
        return note.minor if note is not None and note.ticket is None and note.place is not Place.BOX else None

    @property
    def level(self) -> S | None:
        """Return the fault level that lies over the stage, if any."""
        if self.stage in POWER_UPS or self.stage is S.INITIALIZE:
            return None
        if self.failure is not None:
            return S.FAILURE
        if self.cheated:
            return S.CHEATED
        if self.jammed is not None:
            return self.jammed
        if not self.box_in:
            return S.STACKER_OPEN
        if self.second_note:
            return S.PAUSE
        if self.full and self.note is None and self.stage in (S.IDLING, S.DISABLED):
            return S.STACKER_FULL
        return None

    def shown(self) -> tuple[S, bytes]:
        """Return the status a poll would see, and its data."""
        level = self.level
        if level is None:
            return self.stage, self.data
        return level, bytes((self.failure,)) if level is S.FAILURE and self.failure is not None else b""

    # --- time -----------------------------------------------------------------------------------------------

    def deadline(self) -> int | None:
        """Return when `advance` has something to do."""
        timers = (self._due, self._box_due, self._silence_due, self._cheat_due)
        return min((due for due in timers if due is not None), default=None)

    def advance(self, now: int) -> None:
        """Let time pass up to `now`, every due step at its own moment."""
        while (due := self.deadline()) is not None and due <= now:
            self.now = max(self.now, due)
            if self._box_due == due:
                self._box_due = None
                self._into_box()
            elif self._due == due:
                self._due = None
                self._step()
            elif self._cheat_due == due:
                self.cheated = False
                self.initialize()
            else:
                self._silence_due = None
                self._give_back()
        self.now = max(self.now, now)

    def heard(self) -> None:
        """Note that the host was heard: a waiting note stays."""
        if self._silence_due is not None:
            self._silence_due = self.now + self.unit.speeds.unpolled_ms * MS

    def _enter(self, stage: S, ms: int | None = None, data: bytes = b"") -> None:
        self.stage, self.data = stage, data
        self._due = None if ms is None else self.now + ms * MS
        if stage not in _WAITING_FOR_HOST:
            self._silence_due = None
        elif self._silence_due is None:
            self._silence_due = self.now + self.unit.speeds.unpolled_ms * MS
        self._freeze()

    def _freeze(self) -> None:
        """Stop the timers while a fault lies over the path; start them again with what was left."""
        stopped = self.level not in (None, S.STACKER_FULL)
        if stopped and self._frozen is None:
            self._frozen = (
                None if self._due is None else self._due - self.now,
                None if self._box_due is None else self._box_due - self.now,
            )
            self._due = self._box_due = self._silence_due = None
        elif not stopped and self._frozen is not None:
            due, box_due = self._frozen
            self._frozen = None
            if self._due is None and due is not None:
                self._due = self.now + due
            if self._box_due is None and box_due is not None:
                self._box_due = self.now + box_due
            if self.stage in _WAITING_FOR_HOST:
                self._silence_due = self.now + self.unit.speeds.unpolled_ms * MS

    def _step(self) -> None:
        """Do what the stage's timer was set for."""
        note, speeds = self.note, self.unit.speeds
        if self.stage is S.INITIALIZE:
            self._after_initialize()
        elif note is None:
            self.rest()
        elif self.stage is S.ACCEPTING:
            self._judge(note)
        elif self.stage in (S.ESCROW, S.HOLDING):
            self._reject(REJECT_INHIBITED)
        elif self.stage is S.STACKING and self.escrow_again:
            self.escrow_again, note.stacking = False, False
            self._to_escrow(note)
        elif self.stage is S.STACKING and note.place is Place.PATH:
            note.place = Place.PAST
            rest = speeds.stacking_ms - speeds.lever_ms
            if self._early_vend:
                self._box_due = self.now + rest * MS
                self._vend(note)
            else:
                self._enter(S.STACKING, rest)
        elif self.stage is S.STACKING:
            self._into_box()
            self._vend(note)
        elif self.stage is S.REJECTING:
            note.place = Place.MOUTH
            if self._hand_waits:
                self._out()
                self.rest()
        elif self.stage is S.RETURNING:
            self._out()
            self.rest()
        elif self.stage is S.STACKED:
            self.note = None
            self.rest()
        elif self.stage is S.VEND_VALID:
            self.hung = True

    def _judge(self, note: Note) -> None:
        reason, self.reject_next = self.reject_next, None
        disabled = self.settings[HostCommand.SET_DENOMINATION]
        refused = self.settings[HostCommand.SET_BAR_INHIBIT][0] & (1 if note.ticket is None else 2)
        if reason is None and refused:
            reason = REJECT_INHIBITED if note.ticket is None else 0x91
        if reason is None and note.code is None:
            reason = 0x76
        if reason is None and note.code is not None and is_disabled(disabled, note.code):
            reason = REJECT_INHIBITED
        if reason is None:
            self._to_escrow(note)
        else:
            self._reject(reason)

    def _to_escrow(self, note: Note) -> None:
        self._enter(S.ESCROW, self.unit.speeds.escrow_ms, bytes((note.code or 0,)) + (note.ticket or b""))

    def _vend(self, note: Note) -> None:
        data = bytes((note.code or 0,)) if self.unit.vend_valid_with_code else b""
        self._enter(S.VEND_VALID, self.unit.vend_valid_patience_ms, data)

    def _reject(self, reason: int) -> None:
        self._hand_waits = False
        self._enter(S.REJECTING, self.unit.speeds.rejecting_ms, bytes((reason,)))

    def _into_box(self) -> None:
        if self.note is not None and self.note.place is not Place.BOX:
            self.note.place = Place.BOX
            if self.note.ticket is None:
                self.cashbox.append(self.note.minor)

    def _out(self) -> None:
        """The note is with a person now."""
        if self.note is not None:
            if self.note.ticket is None:
                self.returned.append(self.note.minor)
            self.note = None

    def _give_back(self) -> None:
        """Nobody polled: the note goes back and is never reported (sheet §3)."""
        self._out()
        self.rest()

    def rest(self) -> None:
        """Go to IDLING or DISABLE, as the inhibit says."""
        self._enter(S.DISABLED if self.inhibited else S.IDLING)

    # --- what the host asks -----------------------------------------------------------------------------------

    def operate(self, command: HostCommand) -> bool:
        """Carry out STACK, RETURN, HOLD or WAIT; False where it is not valid now."""
        note = self.note
        if self.level is not None or note is None or self.stage not in (S.ESCROW, S.HOLDING):
            return False
        speeds = self.unit.speeds
        if command in (HostCommand.STACK_1, HostCommand.STACK_2):
            self._early_vend = command is HostCommand.STACK_1
            self.stack()
        elif command is HostCommand.RETURN:
            self._enter(S.RETURNING, speeds.returning_ms)
        elif command is HostCommand.HOLD:
            self._enter(S.HOLDING, speeds.escrow_ms)
        else:
            self._enter(self.stage, speeds.escrow_ms, self.data)
        return True

    def stack(self) -> None:
        """Set out to stack the note in escrow."""
        if self.note is not None:
            self.note.stacking = True
            self._enter(S.STACKING, self.unit.speeds.lever_ms)

    def acknowledge(self) -> None:
        """Take the ACK of VEND VALID; anywhere else it means nothing."""
        if self.stage is not S.VEND_VALID or self.level is not None:
            return
        rest = 0 if self._box_due is None else (self._box_due - self.now) // MS + 1
        if self.note is not None:
            self.note.acknowledged = True
        self._enter(S.STACKED, max(self.unit.speeds.stacked_ms, rest))

    @property
    def inhibited(self) -> bool:
        """Tell whether SET INHIBIT refuses everything."""
        return self.settings[HostCommand.SET_INHIBIT] != b"\x00"

    def set(self, setting: HostCommand, data: bytes) -> None:
        """Take a setting; a note inside goes on as it was."""
        self.settings[setting] = data
        if self.stage in (S.IDLING, S.DISABLED):
            self.rest()

    def _lose_settings(self) -> None:
        self.settings = {setting.set_code: setting.default for setting in SETTINGS}

    def forget(self) -> None:
        """Lose what the unit was doing with its note (power-off, RESET)."""
        self._due = self._box_due = self._silence_due = self._cheat_due = self._frozen = None
        self._lose_settings()
        self.cheated = self.hung = self._hand_waits = False
        note = self.note
        if note is not None:
            note.forgotten = True
            if note.place is Place.BOX and note.acknowledged:
                self.note = None

    def power_up(self) -> None:
        """Show where the note was when the power came back."""
        note = self.note
        if note is None:
            self._enter(S.POWER_UP)
        elif note.place in (Place.PATH, Place.MOUTH):
            self._enter(S.POWER_UP_BILL_IN_ACCEPTOR)
        else:
            self._enter(S.POWER_UP_BILL_IN_STACKER)

    def initialize(self) -> None:
        """Start the INITIALIZE time; what is on the path is resolved at its end."""
        self._lose_settings()
        self._frozen = self._box_due = self._cheat_due = None
        self.cheated = False  # its time has ended with this start
        self._enter(S.INITIALIZE, self.unit.speeds.initialize_ms)

    def _after_initialize(self) -> None:
        note = self.note
        self.rest()
        if note is None or self.level not in (None, S.STACKER_FULL):
            return  # a note that a jam or an open stacker holds waits for hands
        if note.place in (Place.PATH, Place.MOUTH):
            if note.forgotten:
                self._out()
                self.rest()
            elif note.stacking and self.after_fault == "stack":
                self.stack()
            else:
                self._reject(0x7C)
            return
        shows_vend = not note.forgotten or self.unit.vend_valid_after_0x42
        self._into_box()
        if shows_vend and not note.acknowledged:
            self._vend(note)
        else:
            self.note = None
            self.rest()
