"""The note path of a simulated ccTalk bill validator: where the note is, and what the event book says of it.

A note is in `cashbox` once it is fully in, in `returned` once a person has it, else `inside`; nothing on the wire
touches these.  Power and reset make the unit forget its orders and its event book, never where the note is (ccTalk
sheet §6, §9).  Trouble (jam, box out) stops the timers until hands solve it.
"""

from __future__ import annotations

import enum

from kiosk.protocols.cctalk.device_node import MS, EventBook
from kiosk.protocols.cctalk.headers import BILL_COUPON, BILL_CREDIT, BILL_PENDING, MODE_ESCROW
from kiosk.protocols.cctalk.payloads import accepted
from kiosk.protocols.cctalk.units import BillUnit

#: Second bytes of status events (sheet §6).
INHIBITED, RETURNED, INVALID, NOT_ALLOWED = 0, 1, 2, 4
JAM_UNSAFE, JAM_STACKER, PULLED_BACK = 6, 7, 8
BOX_OUT, BOX_IN, FULL, JAM_SAFE, STRING, BARCODE = 11, 12, 14, 16, 18, 20


class Stage(enum.Enum):
    """What the unit does with its note."""

    READY = "ready"
    ACCEPTING = "accepting"
    ESCROW = "escrow"
    STACKING = "stacking"
    RETURNING = "returning"


class Note:
    """The one note, or barcode ticket, that the unit is busy with."""

    def __init__(self, minor: int, bill: int | None, ticket: bytes | None = None) -> None:
        self.minor = minor
        #: Bill type, None where the unit does not know it.
        self.bill = bill
        #: What the barcode says; None for a note.  A ticket is no money and is counted nowhere.
        self.ticket = ticket
        #: Past the lever: it cannot come back.
        self.past = False
        self.stacking = False
        #: Its escrow was told, so its end is told too.
        self.told = False
        #: Power-off or reset made the unit forget it.
        self.forgotten = False


class BillPath:
    """Owns notes, stage and trouble; refuses to know frames and addresses."""

    def __init__(self, unit: BillUnit) -> None:
        self.unit = unit
        self.now = 0
        self.book = EventBook()
        self.stage = Stage.READY
        self.note: Note | None = None
        self.cashbox: list[int] = []
        self.collected: list[int] = []
        self.returned: list[int] = []
        self.mask = bytes(unit.mask_bytes)
        #: False is inhibited (sheet §4: 0 is inhibited).
        self.master = False
        self.mode = unit.first_mode
        self.box_in, self.full, self.jammed = True, False, ""
        self.cheated_until = 0
        self.reject_next: int | None = None
        self.barcode = b""
        self._due: int | None = None
        self._left: int | None = None

    # --- what is so -----------------------------------------------------------------------------------------------

    @property
    def inside(self) -> int | None:
        """Return the value of the note that is neither in the box nor with a person."""
        return self.note.minor if self.note is not None and self.note.ticket is None else None

    @property
    def stopped(self) -> bool:
        """True while trouble holds the path."""
        return bool(self.jammed) or not self.box_in

    @property
    def takes(self) -> bool:
        """True where a note would be drawn in."""
        return self.master and any(self.mask) and self._free

    @property
    def _free(self) -> bool:
        busy = self.note is not None or self.stage is not Stage.READY
        return not busy and not self.stopped and not self.full and self.now >= self.cheated_until

    # --- time -----------------------------------------------------------------------------------------------------

    def deadline(self) -> int | None:
        """Return when `advance` has something to do."""
        return self._due

    def advance(self, now: int) -> None:
        """Let time pass up to `now`, every due step at its own moment."""
        while self._due is not None and self._due <= now:
            self.now, self._due = max(self.now, self._due), None
            self._step()
        self.now = max(self.now, now)

    def _enter(self, stage: Stage, ms: int | None = None) -> None:
        self.stage, self._left = stage, None
        self._due = None if ms is None else self.now + ms * MS
        self.freeze()

    def freeze(self) -> None:
        """Stop the timer while trouble holds the path; let it go on afterwards with what was left."""
        if self.stopped and self._due is not None:
            self._left, self._due = self._due - self.now, None
        elif not self.stopped and self._left is not None:
            self._due, self._left = self.now + self._left, None

    def _step(self) -> None:
        note, speeds = self.note, self.unit.speeds
        if note is None:
            self._enter(Stage.READY)
        elif self.stage is Stage.ACCEPTING:
            self._judge(note)
        elif self.stage is Stage.ESCROW:
            self.give_back()
        elif self.stage is Stage.RETURNING:
            self.out(RETURNED if note.told else None)
        elif not note.past:
            note.past = True
            self._enter(Stage.STACKING, speeds.stacking_ms - speeds.lever_ms)
        else:
            self._into_box(note)

    def _judge(self, note: Note) -> None:
        reason, self.reject_next = self.reject_next, None
        if note.ticket is not None:
            self.book.add(0, BARCODE)
            self.barcode = note.ticket
        elif reason is None and note.bill is None:
            reason = INVALID
        elif reason is None and note.bill not in accepted(self.mask):
            reason = NOT_ALLOWED
        if reason is not None:
            self.book.add(0, reason)
            self.give_back()
        elif self.mode & MODE_ESCROW or note.ticket is not None:
            note.told = True
            self.book.add(self._kind(note), BILL_PENDING)
            self._enter(Stage.ESCROW, self.unit.speeds.escrow_ms)
        else:
            self.stack()

    def _kind(self, note: Note) -> int:
        return BILL_COUPON if note.ticket is not None else note.bill or 0

    def _into_box(self, note: Note) -> None:
        if note.ticket is None:
            self.cashbox.append(note.minor)
        if not note.forgotten or self.unit.credits_after_power_up:
            self.book.add(self._kind(note), BILL_CREDIT)
        self.note = None
        self._enter(Stage.READY)

    def give_back(self) -> None:
        """Set out to push the note out."""
        self._enter(Stage.RETURNING, self.unit.speeds.returning_ms)

    def out(self, event: int | None) -> None:
        """The note is with a person now; `event` is told of it."""
        if self.note is not None:
            if self.note.ticket is None:
                self.returned.append(self.note.minor)
            self.note = None
        if event is not None:
            self.book.add(0, event)
        self._enter(Stage.READY)

    # --- orders ---------------------------------------------------------------------------------------------------

    def stack(self) -> None:
        """Set out to stack the note."""
        if self.note is not None:
            self.note.stacking = True
            self._enter(Stage.STACKING, self.unit.speeds.lever_ms)

    def extend(self) -> None:
        """Start the escrow time anew."""
        self._enter(Stage.ESCROW, self.unit.speeds.escrow_ms)

    def inhibit(self) -> None:
        """The unit inhibits itself, and says so once."""
        if self.master:
            self.master = False
            self.book.add(0, INHIBITED)

    def forget(self) -> None:
        """Power-off or reset."""
        self._due = self._left = None
        self.book.clear()
        self.barcode = b""
        self.master, self.mode = False, self.unit.first_mode
        if not self.unit.keeps_masks:
            self.mask = bytes(self.unit.mask_bytes)
        if self.note is not None:
            self.note.forgotten = True

    def started(self) -> None:
        """The unit has booted: what lies on the path goes back, or on into the box."""
        note, speeds = self.note, self.unit.speeds
        if note is None:
            self._enter(Stage.READY)
        elif note.past:
            self._enter(Stage.STACKING, speeds.stacking_ms - speeds.lever_ms)
        else:
            note.told, note.stacking = self.unit.tells_return_after_power_up, False
            self.give_back()

    # --- people's hands -------------------------------------------------------------------------------------------

    def insert(self, note: Note, force: bool) -> bool:
        """Feed a note or a ticket; False where the unit does not draw it in."""
        if not (self.takes or (force and self._free)):
            return False
        self.note = note
        self._enter(Stage.ACCEPTING, self.unit.speeds.accepting_ms)
        return True

    def pull_back(self, powered: bool) -> bool:
        """Pull the note out again; possible until the lever."""
        if self.note is None or self.note.past:
            return False
        coming = self.stage is Stage.RETURNING
        self.out((RETURNED if self.note.told else None) if coming else PULLED_BACK)
        if not powered:
            self.book.clear()
        return True

    def jam(self, where: str, powered: bool) -> None:
        """Block the path; the event tells whether the customer can reach the note."""
        self.jammed = where
        if powered:
            past = self.note is not None and self.note.past
            self.book.add(0, JAM_STACKER if where == "stacker" else JAM_SAFE if past else JAM_UNSAFE)
        self.freeze()

    def clear_jam(self, outcome: str, powered: bool) -> None:
        """Open the path: a returnable note is pushed back, stacked (only if it was stacking) or taken by hand."""
        if not self.jammed:
            return
        self.jammed = ""
        note = self.note
        if note is None or note.past or not powered:
            self.freeze()
        elif outcome == "take":
            self.out(RETURNED if note.told else None)
        elif outcome == "stack" and note.stacking:
            self.freeze()
        else:
            self.give_back()

    def put_box(self, present: bool, empty: bool, powered: bool) -> None:
        """Take the box out or put one in; an empty one means that the old one's notes went away with a person."""
        if self.box_in == present:
            return
        self.box_in = present
        if present and empty:
            self.collected += self.cashbox
            self.cashbox.clear()
            self.full = False
        if powered:
            self.book.add(0, BOX_IN if present else BOX_OUT)
            if not present and self.unit.inhibits_without_box:
                self.inhibit()
        self.freeze()

    def fill(self, powered: bool) -> None:
        """Let the box be full; the unit inhibits itself (sheet §9)."""
        self.full = True
        if powered:
            self.book.add(0, FULL)
            self.inhibit()

    def cheat(self) -> None:
        """Catch somebody manipulating: a returnable note leaves with them."""
        self.cheated_until = self.now + self.unit.speeds.cheated_ms * MS
        self.book.add(0, STRING)
        if self.note is not None and not self.note.past:
            self.out(RETURNED if self.note.told else None)
