"""The note path of a simulated CCNET unit: where the note is, what the unit is doing, which event waits for its ACK.

Theory of operation.  The unit is in one *stage* (a state of the sheet's §6) with at most one timer; a note has a
*place* on the path.  BILL STACKED and BILL RETURNED are stages without a timer: only `acknowledge` ends them, and no
further note is drawn in before (sheet §3).  Trouble (jam, box out, failure, cheat, second note) lies over the stage as
a level: it stops the timer and is shown instead, until hands, time or RESET solve it.  Power and RESET make the unit
forget what it was told, never where the note is.  `device_hands` adds what people do.

Kept true here, and by nothing on the wire: a note is in `cashbox` once it is fully in, in `returned` once a person has
it, else `inside`.  Every inserted note is in exactly one of them.
"""

from __future__ import annotations

import enum

from kiosk.protocols.ccnet.codes import BARCODE_TYPE, POWER_UPS, REJECT_INHIBITED
from kiosk.protocols.ccnet.codes import DeviceState as S
from kiosk.protocols.ccnet.payloads import MASK_SIZE
from kiosk.protocols.ccnet.units import Unit

MS = 1_000_000
#: Reject reasons of the sheet's §6 that the unit gives by itself.
CONVEYING, IDENTIFICATION, REMAINING, BARCODE_LENGTH = 0x64, 0x65, 0x62, 0x93
#: A coupon's length that SET BARCODE PARAMETERS never set.
ANY_LENGTH = 0


class Place(enum.Enum):
    """Where a note is."""

    #: Returnable: drawn in, in escrow, or on its way before the point of no return.
    PATH = "path"
    #: Pushed out, waiting at the mouth for a hand.
    MOUTH = "mouth"
    #: It cannot come back and is not fully in the box.
    PAST = "past"
    #: In the box, but BILL STACKED is not acknowledged.
    BOX = "box"


class Note:
    """The one note, or barcode coupon, that the unit is busy with."""

    def __init__(self, minor: int, bill_type: int | None, coupon: bytes | None = None) -> None:
        self.minor = minor
        #: None for paper that the unit does not know.
        self.bill_type = bill_type
        #: What the barcode says; None for a note.  A coupon is no money and is counted nowhere.
        self.coupon = coupon
        self.place = Place.PATH
        #: The unit set out to stack it.
        self.stacking = False
        #: Power-off or RESET made the unit forget what it was doing with it.
        self.forgotten = False


class NotePath:
    """Owns notes, stage, settings and levels; refuses to know frames, acknowledgements and scripted line faults."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.now = 0
        self.stage = S.POWER_UP
        #: What follows the code of the stage: a bill type, a reject reason.
        self.data = b""
        self.cashbox: list[int] = []
        self.collected: list[int] = []
        self.returned: list[int] = []
        self.note: Note | None = None
        self.lose_settings()
        #: What becomes of a stacking note stopped by a fault: ``return`` or ``stack``.
        self.after_fault = "return"
        self.box_in = True
        self.full = False
        self.failure: int | None = None
        #: A jam is shown; the path is really blocked.
        self.jammed: S | None = None
        self.blocked = False
        self.second_note = False
        self.cheated = False
        #: Scripted: the next note is rejected with this reason.
        self.reject_next: int | None = None
        self._hand_waits = False
        self._due: int | None = None
        self._cheat_due: int | None = None
        self._left: int | None = None

    def lose_settings(self) -> None:
        """Go back to what holds after power-on and RESET (sheet §7)."""
        self.enabled: tuple[int, ...] = ()
        self.in_escrow: tuple[int, ...] = ()
        self.security = bytes(MASK_SIZE)
        #: Lengths of a coupon that is read.
        self.coupon_length = ANY_LENGTH
        #: Escrow limits for notes and coupons, ms.
        self.escrow_limits = (self.unit.speeds.escrow_ms, self.unit.speeds.escrow_ms)

    # --- what is shown ----------------------------------------------------------------------------------------------

    @property
    def inside(self) -> int | None:
        """Return the value of the note that is neither in the box nor with a person."""
        note = self.note
        return note.minor if note is not None and note.coupon is None and note.place is not Place.BOX else None

    @property
    def starting(self) -> bool:
        """True at a power-up state and while it initialises."""
        return self.stage in POWER_UPS or self.stage in (S.INITIALIZE, S.DEVICE_BUSY)

    @property
    def level(self) -> S | None:
        """Return the trouble that lies over the stage, if any."""
        if self.starting:
            return None
        if self.failure is not None:
            return S.FAILURE
        if self.cheated:
            return S.CHEATED
        if self.jammed is not None:
            return self.jammed
        if not self.box_in:
            return S.DROP_CASSETTE_OUT_OF_POSITION
        if self.second_note:
            return S.PAUSE
        if self.full and self.note is None and self.stage in (S.IDLING, S.UNIT_DISABLED):
            return S.DROP_CASSETTE_FULL
        return None

    def shown(self) -> tuple[S, bytes]:
        """Return the state a poll would see, and its data."""
        level = self.level
        if level is None:
            return self.stage, self.data
        return level, bytes((self.failure,)) if level is S.FAILURE and self.failure is not None else b""

    # --- time -------------------------------------------------------------------------------------------------------

    def deadline(self) -> int | None:
        """Return when `advance` has something to do."""
        return min((due for due in (self._due, self._cheat_due) if due is not None), default=None)

    def advance(self, now: int) -> None:
        """Let time pass up to `now`, every due step at its own moment."""
        while (due := self.deadline()) is not None and due <= now:
            self.now = max(self.now, due)
            if self._cheat_due == due:
                self._cheat_due, self.cheated = None, False
                if self.note is None and not self.pending:
                    self.rest()
                self.freeze()
            else:
                self._due = None
                self._step()
        self.now = max(self.now, now)

    def enter(self, stage: S, ms: int | None = None, data: bytes = b"") -> None:
        """Begin a stage; its timer ends it."""
        self.stage, self.data = stage, data
        self._due = None if ms is None else self.now + ms * MS
        self._left = None
        self.freeze()

    def freeze(self) -> None:
        """Stop the timer while trouble lies over the stage; start it again with what was left."""
        stopped = self.level not in (None, S.DROP_CASSETTE_FULL)
        if stopped and self._due is not None:
            self._left, self._due = self._due - self.now, None
        elif not stopped and self._left is not None:
            self._due, self._left = self.now + self._left, None

    def _step(self) -> None:
        """Do what the stage's timer was set for."""
        note, speeds = self.note, self.unit.speeds
        if self.stage in (S.INITIALIZE, S.DEVICE_BUSY):
            self._after_initialize()
        elif note is None:
            self.rest()
        elif self.stage is S.ACCEPTING:
            self._judge(note)
        elif self.stage in (S.ESCROW_POSITION, S.HOLDING):
            self.give_back()
        elif self.stage is S.STACKING and note.place is Place.PATH:
            note.place = Place.PAST
            self.enter(S.STACKING, max(speeds.stacking_ms - speeds.lever_ms, 0))
        elif self.stage is S.STACKING:
            self._into_box(note)
            self.enter(S.BILL_STACKED, data=self._type_byte(note))
        elif self.stage is S.RETURNING:
            self.out()
            self.enter(S.BILL_RETURNED, data=self._type_byte(note))
        elif self.stage is S.REJECTING:
            note.place = Place.MOUTH
            if self._hand_waits:
                self.out()
                self.rest()

    def _judge(self, note: Note) -> None:
        reason, self.reject_next = self.reject_next, None
        if reason is None and note.bill_type is None:
            reason = IDENTIFICATION
        if reason is None and note.coupon is not None and self.coupon_length not in (ANY_LENGTH, len(note.coupon)):
            reason = BARCODE_LENGTH
        if reason is None and note.bill_type not in self.enabled:
            reason = REJECT_INHIBITED
        if reason is not None:
            self.reject(reason)
        elif note.bill_type in self.in_escrow:
            self.enter(S.ESCROW_POSITION, self._escrow_limit(note), self._type_byte(note))
        else:
            self.stack()  # enabled without its escrow bit: the unit stacks by itself (sheet §5)

    def _escrow_limit(self, note: Note) -> int | None:
        return self.escrow_limits[int(note.coupon is not None)] or None

    @staticmethod
    def _type_byte(note: Note) -> bytes:
        return bytes((BARCODE_TYPE if note.bill_type is None else note.bill_type,))

    def _into_box(self, note: Note) -> None:
        if note.place is not Place.BOX:
            note.place = Place.BOX
            if note.coupon is None:
                self.cashbox.append(note.minor)

    def out(self) -> None:
        """The note is with a person now."""
        if self.note is not None:
            if self.note.coupon is None:
                self.returned.append(self.note.minor)
            self.note = None

    def reject(self, reason: int) -> None:
        """Push the note back; a hand must take it."""
        self._hand_waits = False
        self.enter(S.REJECTING, self.unit.speeds.rejecting_ms, bytes((reason,)))

    def rest(self) -> None:
        """Go to IDLING or UNIT DISABLED, as the mask says."""
        self.enter(S.IDLING if self.enabled else S.UNIT_DISABLED)

    # --- what the host asks -----------------------------------------------------------------------------------------

    @property
    def escrowed(self) -> Note | None:
        """Return the note that waits for the host's decision."""
        return self.note if self.stage in (S.ESCROW_POSITION, S.HOLDING) and self.level is None else None

    @property
    def pending(self) -> bool:
        """True while an event waits for its ACK."""
        return self.stage in (S.BILL_STACKED, S.BILL_RETURNED)

    def stack(self) -> None:
        """Set out to stack the note."""
        if self.note is not None:
            self.note.stacking = True
            self.enter(S.STACKING, self.unit.speeds.lever_ms)

    def give_back(self) -> None:
        """Set out to return the note."""
        self.enter(S.RETURNING, self.unit.speeds.returning_ms)

    def hold(self) -> None:
        """Keep the note in escrow for another time."""
        if self.note is not None:
            self.enter(S.HOLDING, self._escrow_limit(self.note))

    def acknowledge(self) -> None:
        """End the event that waits; the note of a stacked one is over."""
        if self.pending and self.level is None:
            self.note = None
            self.rest()

    def enable(self, enabled: tuple[int, ...], in_escrow: tuple[int, ...]) -> None:
        """Take the masks; a note inside goes on as it was."""
        self.enabled, self.in_escrow = enabled, in_escrow
        if self.stage in (S.IDLING, S.UNIT_DISABLED):
            self.rest()

    # --- power and RESET --------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Lose what the unit was doing (power-off, RESET); the note stays where it is."""
        self._due = self._cheat_due = self._left = None
        self.lose_settings()
        self.cheated = self._hand_waits = False
        if not self.blocked:
            self.jammed = None
        if self.note is not None:
            self.note.forgotten = True

    def power_up(self) -> None:
        """Show where the note was when the power came back."""
        note = self.note
        if note is None:
            self.enter(S.POWER_UP)
        elif note.place in (Place.PATH, Place.MOUTH):
            self.enter(S.POWER_UP_BILL_IN_VALIDATOR)
        else:
            self.enter(S.POWER_UP_BILL_IN_STACKER)

    def initialize(self) -> None:
        """Start the INITIALIZE time; what is on the path is resolved at its end."""
        self.lose_settings()
        stage = S.DEVICE_BUSY if self.unit.busy_for_initialize else S.INITIALIZE
        self.enter(stage, self.unit.speeds.initialize_ms)

    def _after_initialize(self) -> None:
        note = self.note
        self.rest()
        if note is None or self.level not in (None, S.DROP_CASSETTE_FULL):
            return  # a note that a jam or a missing box holds waits for hands
        if note.place in (Place.PAST, Place.BOX):
            self._into_box(note)
            if not note.forgotten or self.unit.stacked_after_0x12:
                self.enter(S.BILL_STACKED, data=self._type_byte(note))
            else:
                self.note = None
                self.rest()
        elif note.forgotten and self.unit.returned_after_0x11 and note.place is Place.PATH:
            self.give_back()
        elif note.forgotten:
            self.out()
            self.rest()
        elif note.stacking and self.after_fault == "stack":
            self.stack()
        else:
            self.reject(REMAINING)
