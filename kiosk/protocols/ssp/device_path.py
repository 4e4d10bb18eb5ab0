"""The note path of a simulated SSP validator: where the note is and what the unit is doing (SSP sheet §9, §10).

Theory of operation.  The unit is in one *stage* with at most one timer; a note has a *place*.  Trouble (jam, box out, a
path that is open) stops the timer until hands solve it.  What happens is told into `pending`, in order of occurrence;
what lasts is told again by each poll (`lasting`).  The accepting is implicit: the poll that follows the one which
showed the note in escrow takes it.  Power and Reset make the unit forget what it was told, never where the note is.

Kept true here, and by nothing on the wire: a note is in `cashbox` once it is in, in `returned` once a person has it,
else `inside`.  Every inserted note is in exactly one of them.
"""

from __future__ import annotations

import enum

from kiosk.protocols.ssp.codes import EventCode as E
from kiosk.protocols.ssp.payloads import channels_of
from kiosk.protocols.ssp.units import SspUnit

MS = 1_000_000
#: Last reject codes that this unit gives (sheet §11).
RECOGNITION, REJECTED_BY_HOST, INHIBITED, STRIMMING = 0x02, 0x08, 0x0C, 0x0E
NO_NOTE, ESCROW_TIMEOUT, BARCODE_FAILED, UNABLE_TO_STACK = 0x10, 0x13, 0x14, 0x1D


class Stage(enum.Enum):
    """What the unit is doing."""

    STARTING = "starting"
    #: Nothing: idle, or disabled.
    READY = "ready"
    SCANNING = "scanning"
    ESCROW = "escrow"
    STACKING = "stacking"
    #: Pushing a note out that the host or the clock sent back: it is gone at the end.
    RETURNING = "returning"
    #: Pushing a note out that the unit does not want: it lies at the mouth at the end.
    REJECTING = "rejecting"


class Place(enum.Enum):
    """Where a note is."""

    #: Returnable.
    PATH = "path"
    #: Pushed out, waiting for a hand.
    MOUTH = "mouth"
    #: Past the point of return, not yet in the box.
    PAST = "past"


class Note:
    """The one note, or barcode ticket, that the unit is busy with."""

    def __init__(self, minor: int, channel: int, ticket: bytes | None = None) -> None:
        self.minor, self.channel = minor, channel
        #: What the barcode of a ticket says; None for a note.  A ticket is no money and is counted nowhere.
        self.ticket = ticket
        self.place = Place.PATH
        #: It was recognised; the unit set out to stack it.
        self.read = self.stacking = False


class NotePath:
    """Owns notes, stage and what is to be told; refuses to know frames, keys and who asks."""

    def __init__(self, unit: SspUnit) -> None:
        self.unit = unit
        self.now = 0
        self.stage = Stage.READY
        self.note: Note | None = None
        self.cashbox: list[int] = []
        self.collected: list[int] = []
        self.returned: list[int] = []
        #: What happened and was not handed out yet: (code, data).
        self.pending: list[tuple[int, bytes]] = []
        #: An event waits for its acknowledgement: no new note is taken (sheet §10).
        self.halted = False
        #: Persistent counters (sheet §6, 58).
        self.stacked = self.rejected = 0
        self.last_reject = 0
        self.box_in, self.full, self.path_open = True, False, False
        #: ``acceptor`` or ``stacker``.
        self.jammed = ""
        #: What becomes of a stacking note that a fault or a power cut stopped: ``return`` or ``stack``.
        self.after_fault = "return"
        #: Scripted: the next note is found bad, with this last reject code.
        self.reject_next: int | None = None
        self._hand_waits = False
        self._due: int | None = None
        self._left: int | None = None
        self._frozen = False
        self.enabled, self.mask, self.barcode_inhibit = False, b"\x00\x00", 0xFE
        #: The last poll showed the note in escrow: the next one takes it.
        self.offered = False

    # --- what is shown ------------------------------------------------------------------------------------------------

    @property
    def inside(self) -> int | None:
        """Return the value of the note that is neither in the box nor with a person."""
        return self.note.minor if self.note is not None and self.note.ticket is None else None

    @property
    def stopped(self) -> bool:
        """True while trouble lies over the path."""
        return bool(self.jammed) or not self.box_in or self.path_open

    @property
    def takes(self) -> bool:
        """True where the unit would draw a note in."""
        free = self.stage is Stage.READY and self.note is None and not self.stopped and not self.full
        return free and not self.halted and self.enabled and any(self.mask)

    def tell(self, code: int, *data: int) -> None:
        """Note down something that happened."""
        self.pending.append((code, bytes(data)))

    def lasting(self) -> list[tuple[int, bytes]]:
        """Return what lasts and stands in every poll."""
        unit, note = self.unit, self.note
        out: list[tuple[int, bytes]] = []
        if self.jammed == "acceptor":
            out.append((E.UNSAFE_JAM, b""))
        elif self.jammed and unit.repeats_safe_jam:
            out.append((E.SAFE_JAM, b""))
        if not self.box_in and unit.repeats_cashbox_removed:
            out.append((E.CASHBOX_REMOVED, b""))
        if self.path_open:
            out.append((E.NOTE_PATH_OPEN, b""))
        if self.stage is Stage.STARTING:
            out.append((E.INITIALISING, b""))
        if self.stage is Stage.SCANNING:
            out.append((E.READ, b"\x00"))
        elif self.stage is Stage.ESCROW and note is not None:
            out.append((E.READ, bytes((note.channel,))) if note.ticket is None else (E.BARCODE_VALIDATED, b""))
        elif self.stage is Stage.STACKING and note is not None and note.place is Place.PATH:
            out.append((E.STACKING, b""))
        elif self.stage is Stage.RETURNING or (self.stage is Stage.REJECTING and self._due is not None):
            out.append((E.REJECTING, b""))
        elif not self.enabled and note is None and unit.repeats_disabled:
            out.append((E.DISABLED, b""))
        return out

    # --- time ---------------------------------------------------------------------------------------------------------

    def deadline(self) -> int | None:
        """Return when `advance` has something to do."""
        return self._due

    def advance(self, now: int) -> None:
        """Let time pass up to `now`, every due step at its own moment."""
        while self._due is not None and self._due <= now:
            self.now = max(self.now, self._due)
            self._due = None
            self._step()
        self.now = max(self.now, now)

    def _enter(self, stage: Stage, ms: int | None = None) -> None:
        self.stage, self._left, self._frozen = stage, None, False
        self._due = None if ms is None else self.now + ms * MS
        self.freeze()

    def freeze(self) -> None:
        """Stop the timer while trouble lies over the path; start it again with what was left."""
        if self.stopped and not self._frozen:
            self._left = None if self._due is None else self._due - self.now
            self._due, self._frozen = None, True
        elif not self.stopped and self._frozen:
            self._due = None if self._left is None else self.now + self._left
            self._left, self._frozen = None, False

    def _step(self) -> None:
        """Do what the stage's timer was set for."""
        note, speeds = self.note, self.unit.speeds
        if self.stage is Stage.STARTING:
            self._resolve()
        elif note is None:
            self.rest()
        elif self.stage is Stage.SCANNING:
            self._judge(note)
        elif self.stage is Stage.ESCROW:
            self.give_back(ESCROW_TIMEOUT)
        elif self.stage is Stage.STACKING and note.place is Place.PATH:
            note.place = Place.PAST
            if note.ticket is None:
                self.tell(E.CREDIT, note.channel)
            else:
                self.tell(E.BARCODE_ACKNOWLEDGE)
            self._enter(Stage.STACKING, speeds.stacking_ms - speeds.lever_ms)
        elif self.stage is Stage.STACKING:
            self.into_box()
            self.tell(E.STACKED)
            self.rest()
        elif self.stage is Stage.RETURNING:
            self.tell(E.REJECTED)
            self.out()
            self.rest()
        elif self.stage is Stage.REJECTING:
            self.tell(E.REJECTED)
            note.place = Place.MOUTH
            if self._hand_waits:
                self.out()
                self.rest()

    def _judge(self, note: Note) -> None:
        reason, self.reject_next = self.reject_next, None
        if reason is None and note.ticket is not None:
            reason = BARCODE_FAILED if self.barcode_inhibit & 2 else None
        elif reason is None and not note.channel:
            reason = RECOGNITION
        elif reason is None and (self.barcode_inhibit & 1 or note.channel not in channels_of(self.mask)):
            reason = INHIBITED
        if reason is not None:
            self.reject(reason)
            return
        note.read, self.offered = True, False
        self._enter(Stage.ESCROW, self.unit.speeds.escrow_ms)

    # --- what the host does -------------------------------------------------------------------------------------------

    def heard(self) -> None:
        """Any command starts the time of a note in escrow anew (sheet §9)."""
        if self.stage is Stage.ESCROW and self._due is not None:
            self._due = self.now + self.unit.speeds.escrow_ms * MS

    def poll(self) -> list[tuple[int, bytes]]:
        """Take the note that the last poll showed in escrow, then tell what happened and what lasts."""
        if self.stage is Stage.ESCROW and self.offered and not self.stopped:
            self.accept()
        events, self.pending = self.pending, []
        events += [event for event in self.lasting() if event not in events]
        self.offered = self.stage is Stage.ESCROW
        return events

    def accept(self) -> None:
        """Set out to stack the note in escrow."""
        if self.note is not None:
            self.note.stacking = True
            self.tell(E.STACKING)
            self._enter(Stage.STACKING, self.unit.speeds.lever_ms)

    def give_back(self, reason: int) -> None:
        """Push the note in escrow out; the person gets it."""
        self.last_reject = reason
        self.rejected += 1
        self.tell(E.REJECTING)
        self._enter(Stage.RETURNING, self.unit.speeds.rejecting_ms)

    def reject(self, reason: int) -> None:
        """Push out a note that the unit does not want; it waits at the mouth."""
        self.last_reject, self._hand_waits = reason, False
        self.rejected += 1
        self.tell(E.REJECTING)
        self._enter(Stage.REJECTING, self.unit.speeds.rejecting_ms)

    def enable(self, on: bool) -> None:
        """Take Enable or Disable; a note inside goes on as it was."""
        if self.enabled and not on and not self.unit.repeats_disabled:
            self.tell(E.DISABLED)
        self.enabled = on
        self._tell_all_inhibited()

    def inhibit(self, mask: bytes) -> None:
        """Take the channels that may pass; those not sent are inhibited."""
        self.mask = mask
        self._tell_all_inhibited()

    def _tell_all_inhibited(self) -> None:
        if self.enabled and not any(self.mask):
            self.tell(E.CHANNEL_DISABLE)

    # --- the note's ends ----------------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Do nothing more."""
        self._enter(Stage.READY)

    def into_box(self) -> None:
        """The note is in the box now."""
        if self.note is not None and self.note.ticket is None:
            self.cashbox.append(self.note.minor)
            self.stacked += 1
        self.note = None

    def out(self) -> None:
        """The note is with a person now."""
        if self.note is not None and self.note.ticket is None:
            self.returned.append(self.note.minor)
        self.note = None

    # --- power --------------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Lose everything volatile (power-off, Reset)."""
        kept = [event for event in self.pending if event[0] == E.CREDIT] if self.unit.keeps_credit else []
        self.pending = kept
        self.enabled, self.mask, self.barcode_inhibit = False, b"\x00\x00", 0xFE
        self.offered = self.halted = self._hand_waits = False
        self._due = self._left = None

    def power_up(self) -> None:
        """Begin to work: Slave Reset first, then whatever lies on the path is cleared (sheet §10)."""
        self.pending.insert(0, (E.SLAVE_RESET, b""))
        if not self.unit.repeats_disabled:
            self.tell(E.DISABLED)
        self._enter(Stage.STARTING, self.unit.speeds.initialize_ms)

    def _resolve(self) -> None:
        note = self.note
        if note is not None:
            channel = note.channel if self.unit.remembers_channel and note.read else 0
            if note.place is Place.PAST or (note.stacking and self.after_fault == "stack"):
                self.into_box()
                self.tell(E.CLEARED_INTO_CASHBOX, channel)
            else:
                self.out()
                self.tell(E.CLEARED_FROM_FRONT, channel)
        self.rest()
