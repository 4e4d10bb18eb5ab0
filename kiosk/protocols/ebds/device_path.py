"""The note path of a simulated EBDS unit: where the note is, what the unit is doing, which event waits to be told.

Theory of operation.  The unit is in one *stage* with at most one timer; a note has a *place*.  Stacked and returned are
events: they wait until a reply has told them and a new toggle has acknowledged that reply, and no further note is drawn
in before (sheet §3, §5).  Trouble lies over the stage and stops its timer until hands solve it.  Power-off and SOFT
RESET make the unit forget what it was doing, never where the note is; what becomes of it then is the power-up policy's
to say, which the first command brings (§8).

Kept true here, and by nothing on the wire: a note is in `cashbox` once it is fully in, in `returned` once a person has
it, else `inside`.  Every inserted note is in exactly one of them.
"""

from __future__ import annotations

from kiosk.protocols.ebds.codes import Operation, PowerUpPolicy, Setting, State
from kiosk.protocols.ebds.device_note import Event, Note, Place, Stage
from kiosk.protocols.ebds.payloads import Command, NoteRecord, enabled_notes
from kiosk.protocols.ebds.units import Unit

MS = 1_000_000


#: Stages that each have their bit in the first status byte.
_BITS = {
    Stage.IDLE: State.IDLING, Stage.ACCEPTING: State.ACCEPTING, Stage.ESCROWED: State.ESCROWED,
    Stage.STACKING: State.STACKING, Stage.RETURNING: State.RETURNING, Stage.REJECTING: State.ACCEPTING,
}  # fmt: skip

#: What goes on after a power cut, by the stage that it struck; stacking is finished whatever struck it (§8).
_RESUMES = {
    Stage.ACCEPTING: Stage.REJECTING, Stage.REJECTING: Stage.REJECTING, Stage.RETURNING: Stage.RETURNING,
    Stage.ESCROWED: Stage.ESCROWED, Stage.HELD: Stage.ESCROWED,
}  # fmt: skip


class NotePath:
    """Owns notes, stage, settings and events; refuses to know frames, toggles and scripted line faults."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.now = 0
        self.stage = Stage.POWER_UP
        self.cashbox: list[int] = []
        self.collected: list[int] = []
        self.returned: list[int] = []
        self.note: Note | None = None
        self.events: list[Event] = []
        #: The last command; it lasts until the next one.
        self.command = Command()
        self.mask = b""
        #: Seconds a note and a ticket wait in escrow, 0 for ever (§6, 0x04).
        self.escrow_limits = (0, 0)
        self.tells_retrieved = False
        #: Trouble.
        self.box_in = True
        self.full = self.jammed = self.failed = self.stalled = self.calibrating = self.second_note = False
        #: The path was opened without power: told once (§5).
        self.opened = False
        #: Replies that still show the edge.
        self.rejected_polls = self.cheated_polls = 0
        #: What becomes of a note that a fault stopped before the point of no return: ``return`` or ``stack``.
        self.after_fault = "return"
        #: Scripted: the next note is found bad.
        self.reject_next = False
        self._hand_waits = False
        #: Power came, and the policy is not known before the first command.
        self._policy_wanted = True
        self._resume: Stage | None = None
        #: The note was past escrow when the power went.
        self._finished = False
        self._due: int | None = None
        self._left: int | None = None
        self._polled_at: int | None = None
        self._lose_settings()

    # --- what is shown ----------------------------------------------------------------------------------------------

    @property
    def inside(self) -> int | None:
        """Return the value of the note that is neither in the box nor with a person."""
        note = self.note
        return note.minor if note is not None and note.ticket is None and note.place is not Place.BOX else None

    @property
    def stopped(self) -> bool:
        """Tell whether trouble keeps the unit from moving anything."""
        return self.jammed or self.failed or self.stalled or self.calibrating or not self.box_in

    @property
    def free(self) -> bool:
        """Tell whether a note could be drawn in, enabled or not."""
        return self.resting and not self.second_note and not self.stopped and not self.full

    @property
    def resting(self) -> bool:
        """Tell whether nothing is on its way and nothing waits to be told."""
        return self.stage is Stage.IDLE and self.note is None and not self.events

    @property
    def state(self) -> State:
        """Return the first status byte without events; trouble shows as all zero (§5, §10)."""
        out_of_service = self.jammed or self.failed or self.stalled or (self.full and self.stage is Stage.IDLE)
        if out_of_service or self.stage is Stage.POWER_UP:
            return State(0)
        if self.stage is Stage.HELD:
            return State.ESCROWED if self.unit.held_shows_escrow else State(0)
        return _BITS[self.stage]

    @property
    def extended(self) -> bool:
        """Tell whether the host asked for extended note reporting."""
        return bool(self.command.setting & Setting.EXTENDED_NOTE)

    def accepts(self, note: Note) -> bool:
        """Tell whether the host has enabled this note."""
        enabled = self.command.enabled
        if note.ticket is not None:
            return bool(self.command.setting & Setting.BARCODE)
        if note.row is None or not enabled:
            return False
        if self.extended:
            return note.row.index in enabled_notes(self.mask)
        value = self.unit.value_of(note.row)
        return value > 0 and bool(enabled >> (value - 1) & 1)

    # --- time -------------------------------------------------------------------------------------------------------

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
        """Stop the timer while trouble lies over the path; start it again with what was left."""
        if self.stage is Stage.POWER_UP:
            return
        if self.stopped and self._due is not None:
            self._left, self._due = max(self._due - self.now, 0), None
        elif not self.stopped and self._left is not None:
            self._due, self._left = self.now + self._left, None

    def _step(self) -> None:
        """Do what the stage's timer was set for."""
        note, speeds = self.note, self.unit.speeds
        if self.stage is Stage.POWER_UP:
            self._powered_up()
        elif note is None:
            self._enter(Stage.IDLE)
        elif self.stage is Stage.ACCEPTING:
            self._judge(note)
        elif self.stage is Stage.ESCROWED:
            self.give_back()
        elif self.stage is Stage.STACKING and note.place is Place.PATH:
            note.place = Place.PAST
            self._enter(Stage.STACKING, speeds.stacking_ms - speeds.lever_ms)
        elif self.stage is Stage.STACKING:
            self._stacked(note)
        elif self.stage is Stage.RETURNING:
            self.out()
            self._tell(Event(State.RETURNED, note.row, note.ticket))
            if self.tells_retrieved:
                self._tell(Event(State(0)))
            self._enter(Stage.IDLE)
        elif self.stage is Stage.REJECTING:
            note.place = Place.MOUTH
            self._enter(Stage.IDLE)
            if self._hand_waits:
                self.out()

    def _judge(self, note: Note) -> None:
        bad, self.reject_next = self.reject_next, False
        if bad or not self.accepts(note):
            self.reject()
        elif self.command.operation & Operation.ESCROW:
            self._escrow(note)
        else:
            self.stack()

    def _escrow(self, note: Note) -> None:
        limit = self.escrow_limits[note.ticket is not None]
        self._enter(Stage.ESCROWED, limit * 1000 or None)

    def _stacked(self, note: Note) -> None:
        note.place = Place.BOX
        if note.ticket is None:
            self.cashbox.append(note.minor)
        if self.unit.cheated_with_stacked:
            self.cheated_polls = self.unit.edge_polls
        self._tell(Event(State.STACKED, self._named(note), note.ticket))
        self._enter(Stage.IDLE)

    def _named(self, note: Note) -> NoteRecord | None:
        """A note that was finished after power-up is named under policy B only (§8)."""
        if not self._finished:
            return note.row
        self._finished = False
        named = self.command.policy == PowerUpPolicy.B and self.unit.value_after_power_up
        return note.row if named else None

    def reject(self) -> None:
        """Push the note to the mouth."""
        self._hand_waits = False
        self.rejected_polls = self.unit.edge_polls
        self._enter(Stage.REJECTING, self.unit.speeds.rejecting_ms)

    def out(self) -> None:
        """The note is with a person now."""
        note, self.note, self._finished = self.note, None, False
        if note is not None and note.ticket is None and note.place is not Place.BOX:
            self.returned.append(note.minor)

    # --- events -----------------------------------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        self.events.append(event)

    @property
    def stacked_told(self) -> bool:
        """Tell whether a stacked event waits for its acknowledgement."""
        return bool(self.events) and self.events[0].told and self.events[0].state is State.STACKED

    def acknowledge(self) -> None:
        """A new toggle came: what the last reply told is known."""
        if self.events and self.events[0].told:
            self.events.pop(0)
            if self.note is not None and self.note.place is Place.BOX:
                self.note = None

    # --- what the host asks -------------------------------------------------------------------------------------------

    def obey(self, command: Command) -> bool:
        """Take a command; False where it contradicts itself (§4: never both)."""
        operation, self.command = command.operation, command
        if self.stage is Stage.POWER_UP:
            self._heard_in_power_up()
        if operation & Operation.STACK and operation & Operation.RETURN:
            return False
        if self.stage in (Stage.ESCROWED, Stage.HELD) and not self.stopped:
            if operation & Operation.STACK:
                self.stack()
            elif operation & Operation.RETURN:
                self.give_back()
        return True

    def stack(self) -> None:
        """Set out to stack the note."""
        self._enter(Stage.STACKING, self.unit.speeds.lever_ms)

    def give_back(self) -> None:
        """Set out to return the note."""
        self._enter(Stage.RETURNING, self.unit.speeds.returning_ms)

    def _lose_settings(self) -> None:
        self.command = Command()
        if not self.unit.keeps_settings or not self.mask:
            self.mask = b"\x7f" * self.unit.mask_bytes
            self.escrow_limits = (0, 0)
        self.tells_retrieved = False

    # --- power --------------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Lose what the unit was doing (power-off, SOFT RESET); the note stays where it is."""
        note = self.note
        if self.stage is not Stage.POWER_UP:  # there nothing was resolved yet: what was known still holds
            past = note is not None and note.place in (Place.PAST, Place.BOX)
            self._finished = past or self.stage is Stage.STACKING
            self._resume = Stage.STACKING if self._finished else _RESUMES.get(self.stage)
        self._due = self._left = None
        self.rejected_polls = self.cheated_polls = 0
        self.events.clear()
        self._lose_settings()

    def power_up(self) -> None:
        """Begin to show power up; it ends when its time is over and the first command told the policy."""
        self._policy_wanted, self._polled_at = True, None
        self._enter(Stage.POWER_UP)

    def _heard_in_power_up(self) -> None:
        speeds, slowest = self.unit.speeds, self.unit.power_up_poll_ms
        slow = slowest is not None and self._polled_at is not None and self.now - self._polled_at > slowest * MS
        self._polled_at = self.now
        if self._policy_wanted or slow:
            self._policy_wanted = False
            wait = speeds.initialize_ms if self.box_in else speeds.initialize_without_box_ms
            self._due = self.now + wait * MS

    def _powered_up(self) -> None:
        note, resume = self.note, self._resume
        self._resume = None
        if self.unit.blank_at_power_up and note is None:
            self._tell(Event(State.STACKED))
        if note is None or resume is None:
            self._enter(Stage.IDLE)  # with a rejected note still at the mouth, perhaps
        elif note.place is Place.BOX:
            self._tell(Event(State.STACKED, self._named(note), note.ticket))
            self._enter(Stage.IDLE)
        elif resume is Stage.STACKING:
            note.place = Place.PAST
            self._enter(Stage.STACKING, self.unit.speeds.stacking_ms)
        elif resume is Stage.REJECTING:
            self.reject()
        elif resume is Stage.RETURNING:
            self.give_back()
        else:
            self._held(note)

    def _held(self, note: Note) -> None:
        """Do with a note at escrow what the policy says; under A what the option says (§8)."""
        way = self.unit.policy_a_escrow if self.command.policy == PowerUpPolicy.A else "hold"
        if way == "return":
            self.give_back()
        elif way == "stack":
            self._finished = True
            note.place = Place.PAST
            self._enter(Stage.STACKING, self.unit.speeds.stacking_ms)
        else:
            self._enter(Stage.HELD)
