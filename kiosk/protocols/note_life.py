"""The life of a note as a table: the phase of a note, what the unit shows, and the rule that follows.

One table for every cash protocol: phases are about *our books*, not the unit, and what a unit shows is folded into
`Seen`, because many codes mean the same for a note.  A driver makes a `Sight` of each status or event of its protocol;
the rules are carried out by `note_watch.NoteWatch`; a pair that is missing here is a defect, and a test walks them all.

What is the credit point: VEND VALID (ID003), BILL STACKED (CCNET), the stacked bit (EBDS), Credit (SSP), event (n,0)
(ccTalk).  Rules that must stay true (money; ID003 sheet §7, CCNET sheet §7, EBDS sheet §8, SSP sheet §10, ccTalk §9):

* Credit once per note, at its credit point, or at "power up, note in stacker" for a note whose stack command may have
  gone out, or at STACKED of such a note (then the credit point was missed, and the unit says that the note is in the
  box).  Never in escrow, never on the acknowledgement of the stack command.
* "Power up, note in stacker" credits *before* RESET, because RESET makes the unit forget: the note is past the point of
  return, so it cannot come back, and a kill at any moment finds either that status again (nothing committed, so it is
  credited now) or a credited note (so only RESET is sent).  A credit point that follows is the same note: it is
  acknowledged, not credited.
* "Power up, note in acceptor" returns the note, written down before RESET.  A credit point that follows all the same
  becomes a note without a name and with the known value: a returned note is final in the books.
* A note with its stack command out that ends at rest without a credit point was returned, also after a plain power-up
  or an initialisation: a unit that has a note past the point of return says so.  Where units are not to be trusted in
  that, such a note can be made a dispute (`Limits.dispute_forgotten`).
* Escrow again after the stack command, with the same code and no gap in the polls, is the same note: stacked again
  under its name.
* A credit point whose value differs from the one seen in escrow is a dispute, never a choice between the two.
* A credit point of another value right behind that of a booked note is another note, which nobody announced.
* A note whose stack command is out and that met a jam or a manipulation is a dispute if nothing more is told of it.
* A credit point that names no value (a *blank* one, EBDS sheet §8) credits a note whose stack command may have gone
  out, and is a finding otherwise: units tell one when a box is put back.  A note that nobody ordered in and that is
  gone from escrow behind one is a dispute: units that finish such a note after a power cut do not name it.  Where a
  unit is known to name its notes, a blank one that was not seen happening is a dispute (`Limits.dispute_blank`).
"""

from __future__ import annotations

import enum

import msgspec

from kiosk.model.ids import NoteId
from kiosk.model.money import Money


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


class Order(enum.Enum):
    """What can be commanded of a note in escrow."""

    STACK = "stack"
    RETURN = "return"
    HOLD = "hold"


class Seen(enum.Enum):
    """What a status or an event says about a note."""

    #: Idle or inhibited: no earlier note is on its way any more.
    AT_REST = "at rest"
    #: A new note is being drawn in: an earlier one is over just as well.
    DRAWING_IN = "drawing in"
    #: In escrow, or held there.
    IN_ESCROW = "in escrow"
    #: On its way to the stacker.
    MOVING = "moving"
    #: The protocol's credit point.
    CREDIT_POINT = "credit point"
    #: In the box, told beside or after the credit point.
    STACKED = "stacked"
    #: On its way out.
    GOING_BACK = "going back"
    #: The unit says that the note went back.
    RETURNED = "returned"
    #: The unit has lost its memory and feels no note.
    POWER_UP = "power up"
    UP_IN_ACCEPTOR = "power up, note in acceptor"
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
    #: The commit stands: acknowledge the credit point.
    ACKNOWLEDGE = "acknowledge"
    #: The unit says that a note went back whose outcome is told already: a finding, nothing is undone.
    CONTRADICTED = "contradicted"
    GONE = "gone"
    #: Another note lies in escrow, so the booked one is over.
    GONE_AND_BEGIN = "gone and begin"


class Sight(msgspec.Struct, frozen=True):
    """What one status or event shows of a note, in the words of every protocol."""

    seen: Seen
    #: Name of the status; the same one twice in a row is one sight.
    name: str = ""
    #: Status as the device sent it, hexadecimal.
    raw: str = ""
    #: The unit's own code for this kind of note (a bill type, a channel); 0 where it tells none.
    key: int = 0
    #: What it is worth; None where the code is no money of ours.
    value: Money | None = None
    #: The value cannot be told before the unit's table is read.
    unread: bool = False
    #: A barcode ticket, which is no money.
    ticket: bool = False
    #: The unit confirms that it holds the note longer.
    held: bool = False
    #: The unit pushes it back by its own will: the generic reason, "" otherwise.
    rejected: str = ""
    #: Detail of that, hexadecimal: the unit's own code of the reason.
    rejected_raw: str = ""
    #: A credit point that names no note (EBDS sheet §8).
    blank: bool = False
    #: The unit's counters, stored with the credit.
    mark: str = ""
    #: A jam, a manipulation, a rejection on the way to the stacker: what follows at rest proves no return of a note
    #: whose stack command is out, and the note stays open for an operator (CCNET sheet §7).
    doubt: bool = False
    #: Nothing follows by itself: the unit waits for a RESET, which waits for the fate of the note.  Counts as silence.
    stuck: bool = False

    @property
    def unwanted(self) -> str:
        """Return why a note in escrow goes back at once."""
        return "ticket" if self.ticket else f"value_unknown:{f'{self.key:02x}' if self.key else ''}"


#: (phase, what is seen) → rule.  Complete: every pair has a row.
RULES: dict[tuple[Phase, Seen], Rule] = {
    (phase, sight): rule
    for phase, row in {
        Phase.NONE: {
            Seen.AT_REST: Rule.WAIT,
            Seen.DRAWING_IN: Rule.WAIT,
            Seen.IN_ESCROW: Rule.BEGIN,
            Seen.MOVING: Rule.WAIT,
            Seen.CREDIT_POINT: Rule.STRAY,
            Seen.STACKED: Rule.WAIT,
            Seen.GOING_BACK: Rule.REJECTED,
            Seen.RETURNED: Rule.WAIT,
            Seen.POWER_UP: Rule.WAIT,
            Seen.UP_IN_ACCEPTOR: Rule.WAIT,
            Seen.UP_IN_STACKER: Rule.STRAY,
            Seen.INITIALIZING: Rule.WAIT,
            Seen.NOTHING: Rule.WAIT,
        },
        Phase.ESCROWED: {
            Seen.AT_REST: Rule.RETURNED,
            Seen.DRAWING_IN: Rule.RETURNED,
            Seen.IN_ESCROW: Rule.DECIDE,
            Seen.MOVING: Rule.FOLLOW,
            Seen.CREDIT_POINT: Rule.CREDIT,
            Seen.STACKED: Rule.DISPUTE,
            Seen.GOING_BACK: Rule.LEAVING,
            Seen.RETURNED: Rule.RETURNED,
            Seen.POWER_UP: Rule.RETURNED,
            Seen.UP_IN_ACCEPTOR: Rule.RETURNED_BEFORE_RESET,
            Seen.UP_IN_STACKER: Rule.CREDIT_BEFORE_RESET,
            Seen.INITIALIZING: Rule.WAIT,
            Seen.NOTHING: Rule.WAIT,
        },
        Phase.INTENDED: {
            Seen.AT_REST: Rule.ENDED,
            Seen.DRAWING_IN: Rule.ENDED,
            Seen.IN_ESCROW: Rule.DECIDE,
            Seen.MOVING: Rule.FOLLOW,
            Seen.CREDIT_POINT: Rule.CREDIT,
            Seen.STACKED: Rule.CREDIT,
            Seen.GOING_BACK: Rule.LEAVING,
            Seen.RETURNED: Rule.RETURNED,
            Seen.POWER_UP: Rule.FELT_NO_NOTE,
            Seen.UP_IN_ACCEPTOR: Rule.RETURNED_BEFORE_RESET,
            Seen.UP_IN_STACKER: Rule.CREDIT_BEFORE_RESET,
            Seen.INITIALIZING: Rule.FORGOTTEN,
            Seen.NOTHING: Rule.WAIT,
        },
        Phase.BOOKING: {
            Seen.AT_REST: Rule.GONE_EARLY,
            Seen.DRAWING_IN: Rule.GONE_EARLY,
            Seen.IN_ESCROW: Rule.WAIT,
            Seen.MOVING: Rule.WAIT,
            Seen.CREDIT_POINT: Rule.WAIT,
            Seen.STACKED: Rule.GONE_EARLY,
            Seen.GOING_BACK: Rule.WAIT,
            Seen.RETURNED: Rule.CONTRADICTED,
            Seen.POWER_UP: Rule.WAIT,
            Seen.UP_IN_ACCEPTOR: Rule.WAIT,
            Seen.UP_IN_STACKER: Rule.WAIT,
            Seen.INITIALIZING: Rule.WAIT,
            Seen.NOTHING: Rule.WAIT,
        },
        Phase.BOOKED: {
            Seen.AT_REST: Rule.GONE,
            Seen.DRAWING_IN: Rule.GONE,
            Seen.IN_ESCROW: Rule.GONE_AND_BEGIN,
            Seen.MOVING: Rule.WAIT,
            Seen.CREDIT_POINT: Rule.ACKNOWLEDGE,
            Seen.STACKED: Rule.GONE,
            Seen.GOING_BACK: Rule.WAIT,
            Seen.RETURNED: Rule.CONTRADICTED,
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
    """Times of a note's life, nanoseconds."""

    #: From the first sight in escrow until the driver sends the note back by itself.
    decide: int
    #: The order to hold is repeated this often.
    hold_repeat: int
    #: Longest time a note is held at all.
    hold: int
    #: Silence, or only an initialising unit, for this long makes the fate of an intended note a dispute.
    resolve: int
    #: A gap without answers after which a note in escrow may be another note.
    gap: int
    #: An acknowledged command that shows no effect is repeated after this.
    repeat: int
    #: The stack command is tried this often before the note is sent back.
    stack_tries: int
    #: A note whose stack command is out is a dispute where the unit lost its memory, not a return.
    dispute_forgotten: bool
    #: A credit point without a commit for this long is a finding.
    unconfirmed: int
    #: The same as `gap` for a held note whose code the unit does not repeat: in this time a person can pull a note and
    #: feed another, and the unit would hold that one and show the same.
    swap: int = 1_000_000_000
    #: A note that was seen moving and lies in escrow again may be ordered in once more; otherwise it goes back, because
    #: it could be another note (EBDS sheet §8).
    restack_moved: bool = True
    #: A blank credit point after trouble, a restart or a power cut is a dispute: this unit names its notes (EBDS §8).
    dispute_blank: bool = False


class Note:
    """The note in the unit: mutable, owned by `note_watch.NoteWatch` alone."""

    def __init__(self, note: NoteId | None, value: Money | None, key: int, phase: Phase, now: int) -> None:
        #: None for a note that has no name in our books; such a note has no value either, unless it is known.
        self.id, self.value = note, value
        #: The unit's code of it in escrow, 0 where it was not seen in this run.
        self.key = key
        self.phase = phase
        #: When it came, or when its outcome was told, ns.
        self.since = now
        #: What is commanded as long as the unit shows it in escrow.
        self.order: Order | None = None
        self.hold = self.held = False
        #: It was seen moving; that was told to the kernel; it was seen going back.
        self.moving = self.told_moving = self.leaving = False
        #: From an earlier run or connection; the unit lost its memory of it.
        self.carried = self.forgotten = False
        #: Over on the wire before its commit; a finding about it was told.
        self.over = self.warned = False
        #: Something happened on its way that makes "at rest" no proof of a return.
        self.doubted = False
        #: What the credit point said when the outcome was told; None where it named no value.
        self.shown: Money | None = None
        self.reason = ""
        #: How often the present order was written, when last, and whether the unit acknowledged it.
        self.tries, self.sent_at, self.acked = 0, 0, False
        #: How often the unit refused the stack command: such an order did nothing.
        self.refusals = 0
        #: ``credited``, ``disputed`` or ``returned``; means something from BOOKING on.
        self.fate = "credited"

    @property
    def unwatched(self) -> bool:
        """True where a restart, a power cut or trouble lies between the order and what is seen now."""
        return self.carried or self.forgotten or self.doubted

    @property
    def may_have_moved(self) -> bool:
        """True where a stack command may have reached the unit and nothing showed the note on its way out."""
        moved = self.carried or self.tries > self.refusals or self.moving
        return self.phase is Phase.INTENDED and moved and not self.leaving

    def is_called(self, name: NoteId) -> bool:
        """Tell whether the kernel means this note; the device's name may not be known here yet."""
        own = self.id
        if own is None or own.serial != name.serial:
            return False
        return own.device == name.device or not own.device or not name.device
