"""The life of a note as a table: the phase of a note, what the unit shows, and the rule that follows (ID003 sheet §7).

Phases are about *our books*, not the unit: whether the stack command may have gone out, and whether the outcome is
written down.  What the unit shows is folded into `Seen`, because many codes mean the same for a note.  The rules are
carried out by `note_watch.NoteWatch`; a pair that is missing here is a defect, and a test walks them all.

Rules that must stay true (money):

* Credit once per note, at its credit point: VEND VALID, or 0x42 for a note whose stack command may have gone out, or
  STACKED of such a note (then VEND VALID was missed, and the unit says that the note is in the box).  Never on ESCROW,
  never on the ACK of STACK.
* 0x42 credits *before* RESET, because RESET makes the unit forget: the note is past the point of return, so it cannot
  come back, and a kill at any moment finds either 0x42 again (nothing committed, so it is credited now) or a credited
  note (so only RESET is sent).  A VEND VALID that follows is the same note: it is acknowledged, not credited.
* 0x41 returns the note, written down before RESET.  A VEND VALID that follows all the same becomes a note without a
  name and with the known value: a returned note is final in the books.
* A note with its stack command out that ends at rest without a credit point was returned (sheet §7), also after a
  plain POWER UP or an INITIALIZE: a unit that has a note past the point of return says so, by 0x42 or VEND VALID.
  Where units are not to be trusted in that, such a note can be made a dispute (`Limits.dispute_forgotten`).
* ESCROW again after STACK, with the same code and no gap in the polls, is the same note: stacked again under its name.
"""

from __future__ import annotations

import enum

import msgspec

from kiosk.model.ids import NoteId
from kiosk.model.money import Money
from kiosk.protocols.id003.codes import DeviceStatus, HostCommand, Unknown


class Phase(enum.Enum):
    """Where a note stands in our books."""

    #: No note is known.
    NONE = "none"
    #: In escrow, no stack command intended.
    ESCROWED = "escrowed"
    #: The stack command is committed and may have gone out.
    INTENDED = "intended"
    #: The outcome was told and waits for its commit.
    BOOKING = "booking"
    #: The outcome is committed; the unit may still show the note.
    BOOKED = "booked"


class Seen(enum.Enum):
    """What a status says about a note."""

    #: IDLING, DISABLE, ACCEPTING: no earlier note is on its way any more.
    AT_REST = "at rest"
    #: ESCROW, HOLDING.
    IN_ESCROW = "in escrow"
    #: STACKING.
    MOVING = "moving"
    VEND_VALID = "vend valid"
    STACKED = "stacked"
    #: REJECTING, RETURNING.
    GOING_BACK = "going back"
    #: 0x40: the unit has lost its memory and feels no note.
    POWER_UP = "power up"
    #: 0x41.
    UP_IN_ACCEPTOR = "power up, note in acceptor"
    #: 0x42.
    UP_IN_STACKER = "power up, note in stacker"
    INITIALIZING = "initializing"
    #: Faults, pauses, refusals and unknown codes: they tell nothing about the note.
    NOTHING = "nothing"


class Rule(enum.Enum):
    """What is done about it."""

    WAIT = "wait"
    #: A note not seen before lies in escrow.
    BEGIN = "begin"
    #: The unit pushed back a note that never reached escrow.
    REJECTED = "rejected"
    #: A stacked note that nobody announced.
    STRAY = "stray"
    #: Escrow goes on: command again what is ordered, or send the note back when time is up.
    DECIDE = "decide"
    #: On its way to the stacker.
    FOLLOW = "follow"
    #: On its way out; remember why.
    LEAVING = "leaving"
    RETURNED = "returned"
    #: Returned, to be committed before RESET.
    RETURNED_BEFORE_RESET = "returned before reset"
    #: At rest after the stack command: returned (or disputed, as configured, where the unit lost its memory).
    ENDED = "ended"
    CREDIT = "credit"
    CREDIT_BEFORE_RESET = "credit before reset"
    #: The unit feels no note and has lost its memory: returned (or disputed, as configured), committed before RESET.
    FELT_NO_NOTE = "felt no note"
    DISPUTE = "dispute"
    #: The unit forgot the note; only a credit point can still tell.
    FORGOTTEN = "forgotten"
    #: Over on the wire before its commit is confirmed.
    GONE_EARLY = "gone early"
    #: The commit stands: acknowledge VEND VALID.
    ACKNOWLEDGE = "acknowledge"
    GONE = "gone"
    #: Another note lies in escrow, so the booked one is over.
    GONE_AND_BEGIN = "gone and begin"


_SEEN = {
    DeviceStatus.IDLING: Seen.AT_REST,
    DeviceStatus.DISABLED: Seen.AT_REST,
    DeviceStatus.ACCEPTING: Seen.AT_REST,
    DeviceStatus.ESCROW: Seen.IN_ESCROW,
    DeviceStatus.HOLDING: Seen.IN_ESCROW,
    DeviceStatus.STACKING: Seen.MOVING,
    DeviceStatus.VEND_VALID: Seen.VEND_VALID,
    DeviceStatus.STACKED: Seen.STACKED,
    DeviceStatus.REJECTING: Seen.GOING_BACK,
    DeviceStatus.RETURNING: Seen.GOING_BACK,
    DeviceStatus.POWER_UP: Seen.POWER_UP,
    DeviceStatus.POWER_UP_BILL_IN_ACCEPTOR: Seen.UP_IN_ACCEPTOR,
    DeviceStatus.POWER_UP_BILL_IN_STACKER: Seen.UP_IN_STACKER,
    DeviceStatus.INITIALIZE: Seen.INITIALIZING,
}


def seen(status: DeviceStatus | Unknown) -> Seen:
    """Return what a status says about a note; faults and unknown codes say nothing."""
    return Seen.NOTHING if isinstance(status, Unknown) else _SEEN.get(status, Seen.NOTHING)


#: (phase, what is seen) → rule.  Complete: every pair has a row.
RULES: dict[tuple[Phase, Seen], Rule] = {
    (phase, sight): rule
    for phase, row in {
        Phase.NONE: {
            Seen.AT_REST: Rule.WAIT,
            Seen.IN_ESCROW: Rule.BEGIN,
            Seen.MOVING: Rule.WAIT,
            Seen.VEND_VALID: Rule.STRAY,
            Seen.STACKED: Rule.WAIT,
            Seen.GOING_BACK: Rule.REJECTED,
            Seen.POWER_UP: Rule.WAIT,
            Seen.UP_IN_ACCEPTOR: Rule.WAIT,
            Seen.UP_IN_STACKER: Rule.STRAY,
            Seen.INITIALIZING: Rule.WAIT,
            Seen.NOTHING: Rule.WAIT,
        },
        Phase.ESCROWED: {
            Seen.AT_REST: Rule.RETURNED,
            Seen.IN_ESCROW: Rule.DECIDE,
            Seen.MOVING: Rule.FOLLOW,
            Seen.VEND_VALID: Rule.CREDIT,
            Seen.STACKED: Rule.DISPUTE,
            Seen.GOING_BACK: Rule.LEAVING,
            Seen.POWER_UP: Rule.RETURNED,
            Seen.UP_IN_ACCEPTOR: Rule.RETURNED_BEFORE_RESET,
            Seen.UP_IN_STACKER: Rule.CREDIT_BEFORE_RESET,
            Seen.INITIALIZING: Rule.WAIT,
            Seen.NOTHING: Rule.WAIT,
        },
        Phase.INTENDED: {
            Seen.AT_REST: Rule.ENDED,
            Seen.IN_ESCROW: Rule.DECIDE,
            Seen.MOVING: Rule.FOLLOW,
            Seen.VEND_VALID: Rule.CREDIT,
            Seen.STACKED: Rule.CREDIT,
            Seen.GOING_BACK: Rule.LEAVING,
            Seen.POWER_UP: Rule.FELT_NO_NOTE,
            Seen.UP_IN_ACCEPTOR: Rule.RETURNED_BEFORE_RESET,
            Seen.UP_IN_STACKER: Rule.CREDIT_BEFORE_RESET,
            Seen.INITIALIZING: Rule.FORGOTTEN,
            Seen.NOTHING: Rule.WAIT,
        },
        Phase.BOOKING: {
            Seen.AT_REST: Rule.GONE_EARLY,
            Seen.IN_ESCROW: Rule.WAIT,
            Seen.MOVING: Rule.WAIT,
            Seen.VEND_VALID: Rule.WAIT,
            Seen.STACKED: Rule.GONE_EARLY,
            Seen.GOING_BACK: Rule.WAIT,
            Seen.POWER_UP: Rule.WAIT,
            Seen.UP_IN_ACCEPTOR: Rule.WAIT,
            Seen.UP_IN_STACKER: Rule.WAIT,
            Seen.INITIALIZING: Rule.WAIT,
            Seen.NOTHING: Rule.WAIT,
        },
        Phase.BOOKED: {
            Seen.AT_REST: Rule.GONE,
            Seen.IN_ESCROW: Rule.GONE_AND_BEGIN,
            Seen.MOVING: Rule.WAIT,
            Seen.VEND_VALID: Rule.ACKNOWLEDGE,
            Seen.STACKED: Rule.GONE,
            Seen.GOING_BACK: Rule.WAIT,
            Seen.POWER_UP: Rule.WAIT,
            Seen.UP_IN_ACCEPTOR: Rule.WAIT,
            Seen.UP_IN_STACKER: Rule.WAIT,
            Seen.INITIALIZING: Rule.WAIT,
            Seen.NOTHING: Rule.WAIT,
        },
    }.items()
    for sight, rule in row.items()
}


class Limits(msgspec.Struct, frozen=True):
    """Times of a note's life, nanoseconds, and the stack command."""

    stack: HostCommand
    #: From the first sight in escrow until the driver sends the note back by itself.
    decide: int
    #: HOLD is repeated this often.
    hold_repeat: int
    #: Longest time a note is held at all.
    hold: int
    #: Silence, or only INITIALIZE, for this long makes the fate of an intended note a dispute.
    resolve: int
    #: A gap without answers after which a note in escrow may be another note.
    gap: int
    #: An acknowledged command that shows no effect is repeated after this.
    repeat: int
    #: STACK is tried this often before the note is sent back.
    stack_tries: int
    #: A note whose stack command is out is a dispute where the unit lost its memory, not a return.
    dispute_forgotten: bool
    #: VEND VALID without a commit for this long is a finding.
    unconfirmed: int


class Note:
    """The note in the unit: mutable, owned by `note_watch.NoteWatch` alone."""

    def __init__(self, note: NoteId | None, value: Money | None, code: int, phase: Phase, now: int) -> None:
        #: None for a note that has no name in our books; such a note has no value either, unless it is known.
        self.id, self.value = note, value
        #: Escrow code, 0 where it was not seen in this run.
        self.code = code
        self.phase = phase
        #: When it came, or when its outcome was told, ns.
        self.since = now
        #: What is commanded as long as the unit shows it in escrow.
        self.order: HostCommand | None = None
        self.hold = self.held = False
        #: STACKING was seen; it was told to the kernel; REJECTING or RETURNING was seen.
        self.moving = self.told_moving = self.leaving = False
        #: From an earlier run or connection; the unit lost its memory of it.
        self.carried = self.forgotten = False
        #: Over on the wire before its commit; a finding about it was told.
        self.over = self.warned = False
        self.reason = ""
        #: How often the present order was written, when last, and whether the unit acknowledged it.
        self.tries, self.sent_at, self.acked = 0, 0, False
        #: ``credited``, ``disputed`` or ``returned``; means something from BOOKING on.
        self.fate = "credited"

    @property
    def may_have_moved(self) -> bool:
        """True where a stack command may have reached the unit and nothing showed the note on its way out."""
        return self.phase is Phase.INTENDED and (self.carried or self.tries > 0 or self.moving) and not self.leaving
