"""Follows the one note inside a unit and tells its fate; carries out the rules of `note_life`, for every protocol.

The watch hears every sight of a note, every order of the kernel and the time.  It says in turn what should be commanded
(`wanted`), whether the credit point shown last may be acknowledged (`acknowledge`) and whether RESET may be sent
(`may_reset`); it writes nothing to the line itself.  Money-critical events carry a token; until `confirm` nothing that
makes the unit forget may go out.

Time limits: a unit gives an escrowed note back by itself after some seconds, so an undecided note is returned a margin
earlier; without polls for some seconds a unit may give the note back unreported, so after such a gap a note in escrow
is never stacked (it may be another one) but returned.
"""

from __future__ import annotations

from kiosk.model.device_events import (
    DeviceEvent,
    NoteDisputed,
    NoteEscrowed,
    NoteGone,
    NoteHeld,
    NoteRejected,
    NoteReturned,
    NoteStacked,
    NoteStacking,
    ProtocolFault,
)
from kiosk.model.ids import NoteId
from kiosk.model.money import Money
from kiosk.protocols.note_life import RULES, Limits, Note, Order, Phase, Rule, Seen, Sight


class NoteWatch:
    """Owns the note in the unit, its serials and the tokens that wait for a commit."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        #: A note lies in escrow and its value cannot be told before the currency table is read.
        self.table_wanted = False
        #: The unit does not tell its table: an unknown note then goes back without a name.
        self.table_hopeless = False
        self._note: Note | None = None
        self._device = ""
        self._serial = 0
        self._token = 0
        self._waiting: tuple[int, Note] | None = None
        self._departed: Money | None = None
        self._last: Sight | None = None
        self._answered_at = self._heard_at = 0
        self._only = ""
        self.events: list[DeviceEvent] = []

    # --- what the driver asks ---------------------------------------------------------------------------------

    @property
    def in_flight(self) -> bool:
        """True while any note, booked or not, may be in the unit."""
        return self._note is not None

    @property
    def may_reset(self) -> bool:
        """True where RESET can make the unit forget nothing that is not committed."""
        return self._note is None or self._note.phase is Phase.BOOKED

    @property
    def booking(self) -> bool:
        """True while the outcome of a note waits for its commit: nothing may make the unit forget it."""
        return self._waiting is not None

    @property
    def acknowledge(self) -> bool:
        """True where the last sight was a credit point and the outcome of that note is committed."""
        note = self._note
        return note is not None and note.phase is Phase.BOOKED and self._shows(Seen.CREDIT_POINT)

    def wanted(self, now: int) -> Order | None:
        """Return the command to send to the note in escrow now; only right after a status showed it there."""
        note, limits = self._note, self._limits
        if note is None or not self._shows(Seen.IN_ESCROW) or note.phase not in (Phase.ESCROWED, Phase.INTENDED):
            return None
        order = note.order
        if order is None:
            due = note.hold and (not note.tries or now - note.sent_at >= limits.hold_repeat)
            return Order.HOLD if due else None
        if note.tries and note.acked and now - note.sent_at < limits.repeat:
            return None
        return order

    def sent(self, order: Order, now: int) -> None:
        """The order was written; nothing more is commanded before the next sight shows what it did."""
        if self._note is not None:
            self._note.tries += 1
            self._note.sent_at, self._note.acked = now, False
        self._last = None

    def answered(self, order: Order, acked: bool, refused: bool) -> bool:
        """The order was acknowledged, refused or lost.  Return True where holding turns out to be absent."""
        note = self._note
        if note is None or order not in (note.order, Order.HOLD):
            return False
        note.acked = acked
        if acked and order is Order.STACK:
            self._tell_moving(note)
        if refused and order is Order.STACK:
            note.refusals += 1
        if order is Order.HOLD and refused:
            note.hold = False
            return True
        return False

    # --- what the kernel orders; a refusal is returned as its reason ------------------------------------------------

    def stack(self, note_id: NoteId, now: int) -> str:
        """Order it into the box; the intent is committed."""
        note = self._named(note_id)
        if note is None:
            return "the note has departed"
        if note.phase is not Phase.ESCROWED:
            return "the note is not waiting in escrow"
        if note.order is not None or note.leaving:
            return "the note is already on its way back"
        note.phase, note.hold = Phase.INTENDED, False
        self._order(note, Order.STACK)
        return ""

    def give_back(self, note_id: NoteId) -> str:
        """Order it back."""
        note = self._named(note_id)
        if note is None:
            return "the note has departed"
        if note.phase is not Phase.ESCROWED:
            return "the stack command was sent"
        if note.order is None:
            self._send_back(note, "commanded")
        return ""

    def hold(self, note_id: NoteId) -> str:
        """Keep the note in escrow."""
        note = self._named(note_id)
        if note is None:
            return "the note has departed"
        if note.phase is not Phase.ESCROWED or note.order is not None:
            return "the note is not waiting in escrow"
        note.hold = True
        return ""

    def held_note(self) -> NoteId | None:
        """Return the id of the note in the unit, for a refusal."""
        return self._note.id if self._note else None

    def confirm(self, token: int) -> bool:
        """The fact of this token is committed.  Return False for a token that is not waited for."""
        if self._waiting is None or self._waiting[0] != token:
            return False
        note, self._waiting = self._waiting[1], None
        note.phase = Phase.BOOKED
        if note.fate == "returned":
            self._note = None
        elif note.over:
            self._gone(note)
        return True

    # --- what is heard ----------------------------------------------------------------------------------------------

    def remember(self, device: str, last_serial: int, note: NoteId | None, value: Money | None, phase: str) -> None:
        """Take what survived a restart: the last serial and the note in flight (``stack_sent`` or ``credited``)."""
        self._device, self._serial = device, max(last_serial, note.serial if note else 0)
        if note is not None:
            booked = phase == "credited"
            self._note = Note(note, value, 0, Phase.BOOKED if booked else Phase.INTENDED, 0)
            self._note.carried = True

    def opened(self, now: int) -> None:
        """The byte path is open again: what lies in escrow now may be another note than before."""
        self._answered_at = self._heard_at = now
        self._last, self._only = None, ""
        if self._note is not None:
            self._carry(self._note)

    def unheard(self) -> None:
        """Forget the last sight: it is too old to command by."""
        self._last = None

    def saw(self, sight: Sight, now: int) -> None:
        """Take what a status or an event shows and follow the rule for it."""
        note = self._note
        fresh = self._last is None or sight.name != self._last.name
        nameless = sight.seen is Seen.IN_ESCROW and not sight.key
        if note is not None and now - self._answered_at >= (self._limits.swap if nameless else self._limits.gap):
            self._carry(note)
        self._answered_at = now
        self._only = f"only {sight.name.lower()}" if sight.stuck or sight.seen is Seen.INITIALIZING else ""
        if not self._only:
            self._heard_at = now
        if note is not None and sight.doubt and note.may_have_moved and note.order is not Order.RETURN:
            note.doubted = True
        if sight.seen in (Seen.DRAWING_IN, Seen.IN_ESCROW):
            self._departed = None
        self._last = sight
        if note is not None and note.phase is Phase.BOOKING and sight.seen is not Seen.NOTHING:
            note.over = False
        self._follow(RULES[note.phase if note else Phase.NONE, sight.seen], note, sight, now, fresh)

    def check(self, now: int) -> None:
        """Look at the time: a note whose fate nothing tells any more, a commit that does not come."""
        note, limits = self._note, self._limits
        if note is None:
            return
        if note.phase in (Phase.ESCROWED, Phase.INTENDED) and now - self._heard_at >= limits.resolve:
            why = self._only or "no answer"
            if note.may_have_moved or note.doubted:
                self._dispute(note, why, Sight(Seen.NOTHING))
            else:
                self._return(note, note.reason or why, "")
        elif note.phase is Phase.BOOKING and not note.warned and now - note.since >= limits.unconfirmed:
            note.warned = True
            self.events.append(ProtocolFault("unconfirmed", "the unit waits and the fact is not committed"))

    # --- the rules --------------------------------------------------------------------------------------------------

    def _follow(self, rule: Rule, note: Note | None, sight: Sight, now: int, fresh: bool) -> None:
        raw = sight.raw
        if note is None:
            if rule is Rule.BEGIN:
                self._begin(sight, now)
            elif rule is Rule.REJECTED and fresh and sight.rejected:
                self.events.append(NoteRejected(sight.rejected, raw))
            elif rule is Rule.STRAY and sight.blank:
                self._finding("a stacked note is told that nobody fed", raw, fresh)
            elif rule is Rule.STRAY:
                self._stray(sight, now)
        elif rule is Rule.DECIDE:
            self._decide(note, sight, now)
        elif rule is Rule.FOLLOW:
            if note.phase is Phase.ESCROWED and not note.moving:
                self.events.append(ProtocolFault("unexpected", "the unit stacks a note without a command", raw))
            note.moving = True
            self._tell_moving(note)
        elif rule is Rule.LEAVING:
            note.leaving = True
            if sight.rejected:
                note.reason = f"rejected:{sight.rejected_raw}" if sight.rejected_raw else "rejected"
        elif rule is Rule.FORGOTTEN:
            note.forgotten = True
        elif rule in (Rule.CREDIT, Rule.CREDIT_BEFORE_RESET):
            self._credit_point(rule, note, sight, now, fresh)
        elif rule is Rule.DISPUTE or (rule is Rule.RETURNED and note.doubted and sight.seen is not Seen.RETURNED):
            self._dispute(note, "blank_stack" if note.doubted else "stacked_without_command", sight)
        elif rule is Rule.RETURNED:
            self._return(note, note.reason or ("returned" if sight.seen is Seen.RETURNED else "idle"), raw)
        elif rule is Rule.RETURNED_BEFORE_RESET:
            self._return_before_reset(note, "power_up_in_acceptor", now, raw)
        elif rule is Rule.FELT_NO_NOTE:
            if note.doubted or (note.may_have_moved and self._limits.dispute_forgotten):
                self._dispute(note, "power_up_without_note", sight)
            else:
                self._return_before_reset(note, note.reason or "power_up_without_note", now, raw)
        elif rule is Rule.ENDED and note.doubted:
            self._dispute(note, "ended_in_doubt", sight)
        elif rule is Rule.ENDED and note.may_have_moved and note.forgotten and self._limits.dispute_forgotten:
            self._dispute(note, "initialized_without_credit", sight)
        elif rule is Rule.ENDED:
            self._return(note, note.reason or ("idle_after_restart" if note.carried else "idle_without_credit"), raw)
        elif rule is Rule.GONE_EARLY:
            note.over = True
        elif rule is Rule.CONTRADICTED:
            self._finding(f"the unit gives a note back that is {note.fate}", raw, fresh)
        elif rule is Rule.ACKNOWLEDGE:
            if None not in (note.shown, sight.value) and note.shown != sight.value:  # two notes in a row
                self._gone(note)
                self._stray(sight, now)
            elif note.fate == "disputed" and not note.warned:
                note.warned = True
                self.events.append(ProtocolFault("unexpected", "a credit point for a disputed note", raw))
        elif rule in (Rule.GONE, Rule.GONE_AND_BEGIN):
            self._gone(note)
            if rule is Rule.GONE_AND_BEGIN:
                self._begin(sight, now)

    def _credit_point(self, rule: Rule, note: Note, sight: Sight, now: int, fresh: bool) -> None:
        if sight.blank and not note.may_have_moved:
            note.doubted = note.doubted or not note.leaving
            self._finding("a stacked note is told without a value, and none was commanded", sight.raw, fresh)
        elif sight.blank and self._limits.dispute_blank and note.unwatched:
            self._dispute(note, "blank_stack", sight)
        elif sight.value is not None and note.value is not None and sight.value != note.value:
            self._dispute(note, f"escrow and credit differ: {note.value} and {sight.value}", sight)
        else:
            note.value = note.value or sight.value
            self._credit(note, now, sight, recovered=note.carried or note.forgotten or rule is Rule.CREDIT_BEFORE_RESET)

    def _stray(self, sight: Sight, now: int) -> None:
        self._note = note = Note(None, sight.value or self._departed, 0, Phase.ESCROWED, now)
        self._credit(note, now, sight, recovered=True)

    def _finding(self, message: str, raw: str, fresh: bool) -> None:
        if fresh:
            self.events.append(ProtocolFault("unexpected", message, raw))

    def _begin(self, sight: Sight, now: int) -> None:
        if sight.unread and not self.table_hopeless:
            self.table_wanted = True  # a note found at the start: its value first, so that no note is ever nameless
            return
        self.table_wanted = False
        value = None if sight.ticket else sight.value
        self._serial += int(value is not None)
        note_id = NoteId(self._device, self._serial) if value is not None else None
        self._note = note = Note(note_id, value, sight.key, Phase.ESCROWED, now)
        if note_id is not None and value is not None:
            self.events.append(NoteEscrowed(note_id, value, now + self._limits.decide, sight.mark))
        else:
            self._send_back(note, sight.unwanted)

    def _decide(self, note: Note, sight: Sight, now: int) -> None:
        other = bool(sight.key) and bool(note.key) and sight.key != note.key
        if note.doubted and note.leaving:
            self._dispute(note, "ended_in_doubt", sight)
            return
        elsewhere, note.doubted = note.moving or note.unwatched, False
        if other or note.leaving:  # the unit shows a second life: the first has ended without credit
            self._return(note, note.reason or "escrow_of_another_note", sight.raw)
            self._begin(sight, now)
            return
        if sight.held and note.hold and not note.held and note.id is not None:
            note.held = True
            self.events.append(NoteHeld(note.id))
        limits = self._limits
        if note.moving:  # it fell back into escrow: what was acknowledged is void
            note.moving = note.acked = False
        if elsewhere and note.order is Order.STACK and not limits.restack_moved:
            self._send_back(note, "escrow_after_moving")
        if note.phase is Phase.INTENDED:
            if note.order is None:
                self._send_back(note, "escrow_after_restart")
            elif note.order is Order.STACK and note.tries >= limits.stack_tries:
                self._send_back(note, "stack_refused")
        elif note.order is None and now - note.since >= (limits.hold if note.hold else limits.decide):
            self._send_back(note, "escrow_limit")

    def _order(self, note: Note, order: Order) -> None:
        note.order, note.tries, note.refusals, note.acked = order, 0, 0, False

    def _send_back(self, note: Note, reason: str) -> None:
        tried = note.tries > note.refusals
        self._order(note, Order.RETURN)
        note.reason = reason
        if note.phase is Phase.INTENDED and tried:
            note.carried = True  # a stack command went out: only a status may say where the note ended

    def _carry(self, note: Note) -> None:
        if note.phase is Phase.INTENDED and (note.carried or note.tries > note.refusals or note.moving):
            note.carried, note.order, note.moving = True, None, False
        elif note.phase is Phase.INTENDED or (note.phase is Phase.ESCROWED and note.order is None):
            self._send_back(note, "line_gap")

    def _tell_moving(self, note: Note) -> None:
        if not note.told_moving and note.id is not None:
            self.events.append(NoteStacking(note.id))
        note.told_moving = True

    def _book(self, note: Note, fate: str, now: int) -> int:
        self._token += 1
        note.phase, note.fate, note.since = Phase.BOOKING, fate, now
        note.shown = self._last.value if self._last is not None and self._shows(Seen.CREDIT_POINT) else None
        self._waiting = (self._token, note)
        return self._token

    def _credit(self, note: Note, now: int, sight: Sight, *, recovered: bool) -> None:
        token = self._book(note, "credited", now)
        note.over = self._shows(Seen.STACKED)
        self.events.append(
            NoteStacked(token, note.id, note.value, recovered=recovered, device_mark=sight.mark, raw=sight.raw)
        )

    def _dispute(self, note: Note, reason: str, sight: Sight) -> None:
        if note.id is None or note.value is None:
            self._credit(note, self._answered_at, sight, recovered=True)  # one without a value can only be told
            return
        token = self._book(note, "disputed", self._answered_at)
        self.events.append(NoteDisputed(token, note.id, note.value, reason, sight.raw, sight.mark))

    def _shows(self, seen: Seen) -> bool:
        return self._last is not None and self._last.seen is seen

    def _return_before_reset(self, note: Note, reason: str, now: int, raw: str) -> None:
        self._departed = note.value
        self.events.append(NoteReturned(note.id, reason, self._book(note, "returned", now), raw))

    def _return(self, note: Note, reason: str, raw: str) -> None:
        if note.may_have_moved:
            self._departed = note.value
        self.events.append(NoteReturned(note.id, reason, raw=raw))
        self._note = None

    def _gone(self, note: Note) -> None:
        if note.id is not None and note.fate == "credited":
            self.events.append(NoteGone(note.id))
        self._note = None

    def _named(self, note_id: NoteId) -> Note | None:
        return self._note if self._note is not None and self._note.is_called(note_id) else None
