"""Keeps what lies in escrow without a Poll, and gets rid of it without one (SSP sheet §9).

The Poll after a Read takes the note.  So an undecided note is kept by Hold, whose answer shows that it is still there,
and given back by Reject.  "Nothing there" to Hold is not believed before Reject said so too, because a Poll would take
the note if it were wrong.  A unit that refuses Reject is left quite alone: without any command it gives the note back
by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kiosk.model.device_events import CommandRefused
from kiosk.model.ids import NoteId
from kiosk.protocols.note_life import Order
from kiosk.protocols.note_watch import NoteWatch
from kiosk.protocols.ssp.codes import Command, Response
from kiosk.protocols.ssp.event_queue import EventQueue
from kiosk.protocols.ssp.host import Answer
from kiosk.protocols.ssp.options import MS, SspOptions

#: Reject is tried this often.
_TRIES = 3
#: A unit left alone is asked again this much after its own limit.
_LATER_MS = 1000


class EscrowKeeper:
    """Owns Hold and Reject; refuses to decide about a note."""

    def __init__(
        self, options: SspOptions, watch: NoteWatch, queue: EventQueue, fault: Callable[[str, str, str], None]
    ) -> None:
        self._options, self._watch, self._queue, self._fault = options, watch, queue, fault
        self.opened()

    def opened(self) -> None:
        """The port was opened: perhaps it is another unit."""
        self._holds = True
        self.restarted()

    def restarted(self) -> None:
        """The conversation begins anew, with a Reject."""
        self._reject_due = False
        self._tries = 0
        #: The note that neither Hold nor Reject found.
        self._denied: tuple[bool, NoteId | None] = (False, None)
        #: The kernel ordered the present Hold.
        self.hold_wanted = False
        #: When Hold is due next; until when nothing at all may be sent.
        self.hold_due = self.quiet_until = 0

    def doubt(self) -> None:
        """A reply could not be read to its end: it may have shown a note in escrow, so Reject before the next Poll."""
        self._reject_due = True

    def leave_alone(self, now: int) -> None:
        """Let a note that we could not reject go back by itself, without a Poll that could take it."""
        self._fault("unexpected", "the unit does not reject what it shows: left alone until it would be back", "")
        self.quiet_until = now + (self._options.escrow_limit_ms + _LATER_MS) * MS

    def ask(self, order: Order | None, now: int) -> bytes | None:
        """Return Reject or Hold if one is due, b"" where something is kept and nothing is due; None for neither."""
        if order is Order.RETURN or self._reject_due:
            self._watch.sent(Order.RETURN, now)
            return bytes((Command.REJECT,))
        if order is not Order.HOLD and (order is Order.STACK or self._queue.escrow is None or self._queue.accepting):
            return None
        if order is None and now < self.hold_due:
            return b""
        self.hold_due, self.hold_wanted = now + self._options.hold_repeat_ms * MS, order is not None
        if order is not None:
            self._watch.sent(order, now)
        return bytes((Command.HOLD if self._holds else Command.GET_SERIAL_NUMBER,))

    def rejected(self, answer: Answer, now: int) -> None:
        """Take the answer to Reject."""
        self._watch.answered(Order.RETURN, answer.ok, False)
        self._tries += 1
        gone = answer.ok or answer.response == Response.CANNOT_BE_PROCESSED
        self._reject_due = not gone and self._tries < _TRIES
        if self._reject_due:
            return
        self._tries, self._queue.escrow = 0, None
        note, before = (self._watch.in_flight, self._watch.held_note()), self._denied
        self._denied = (False, None) if answer.ok else note
        if not gone or (note == before and note[0]):
            self._denied, self._reject_due = (False, None), gone  # it is found again perhaps, where trouble is over
            self.leave_alone(now)

    def held(self, answer: Answer, now: int) -> bool:
        """Take the answer to Hold, or to what stands for it; True where the note is still there."""
        escrow = self._queue.escrow
        if escrow is None:
            return False
        if answer.ok:
            self._denied = (False, None)
            self._watch.saw(msgspec.structs.replace(escrow, held=answer.request == Command.HOLD), now)
            return True
        if answer.response == Response.COMMAND_NOT_KNOWN and answer.request == Command.HOLD:
            self._holds = False  # any other command that is no Poll keeps the note as well
            return True
        note = self._watch.held_note()
        if self._watch.answered(Order.HOLD, False, True) and self.hold_wanted:
            self._watch.events.append(CommandRefused("hold_note", "the note is not in escrow any more", note))
        self._reject_due = True
        return False
