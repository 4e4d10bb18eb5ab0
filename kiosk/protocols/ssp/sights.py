"""What an SSP event shows of a note, and what a reply shows of the unit, in the words of the house (SSP sheet §8, §9).

Some conditions are told once, others in each poll, and for some no text says which.  So a condition that was told is
kept until an event ends it, or until it is missing in a poll after it stood in two polls running: then this unit
repeats it, and its absence means that it is over.
"""

from __future__ import annotations

from collections.abc import Mapping

from kiosk.model.money import Money
from kiosk.protocols.note_life import Seen, Sight
from kiosk.protocols.ssp.codes import REJECTS, EventCode
from kiosk.protocols.ssp.payloads import Event

_SEEN = {
    EventCode.SLAVE_RESET: Seen.INITIALIZING,
    EventCode.INITIALISING: Seen.INITIALIZING,
    EventCode.STACKING: Seen.MOVING,
    EventCode.CREDIT: Seen.CREDIT_POINT,
    EventCode.STACKED: Seen.STACKED,
    EventCode.NOTE_STORED: Seen.STACKED,
    EventCode.REJECTING: Seen.GOING_BACK,
    EventCode.REJECTED: Seen.RETURNED,
    EventCode.BARCODE_VALIDATED: Seen.IN_ESCROW,
    EventCode.CLEARED_INTO_CASHBOX: Seen.UP_IN_STACKER,
    EventCode.CLEARED_FROM_FRONT: Seen.UP_IN_ACCEPTOR,
}
#: A note on its way that meets one of these is not taken for returned (sheet §9.6).
DOUBTS = (EventCode.SAFE_JAM, EventCode.UNSAFE_JAM, EventCode.FRAUD_ATTEMPT)
#: Behind these a unit takes no notes before it is enabled again (sheet §8, §9.7).
STOPPING = frozenset(
    {
        EventCode.DISABLED, EventCode.FRAUD_ATTEMPT, EventCode.CASHBOX_REMOVED, EventCode.CASHBOX_REPLACED,
        EventCode.STACKER_FULL, EventCode.NOTE_PATH_OPEN,
    }
)  # fmt: skip


def sight(event: Event, table: Mapping[int, Money], mark: str, *, readable: bool = True) -> Sight:
    """Return what an event shows; `table` gives the values of the unit's channels, `readable` that it was read."""
    seen = _SEEN.get(EventCode(event.code), Seen.NOTHING) if event.code in _CODES else Seen.NOTHING
    key = event.channel if event.code in _VALUED else 0
    if event.code == EventCode.READ:
        seen = Seen.IN_ESCROW if event.channel else Seen.DRAWING_IN
    return Sight(
        seen,
        event.name,
        event.raw,
        key,
        table.get(key) if key else None,
        unread=event.code == EventCode.READ and bool(key) and not readable,
        ticket=event.code == EventCode.BARCODE_VALIDATED,
        mark=mark,
        doubt=event.code in DOUBTS,
    )


_CODES = frozenset(EventCode)
_VALUED = frozenset(
    {EventCode.READ, EventCode.CREDIT, EventCode.CLEARED_INTO_CASHBOX, EventCode.CLEARED_FROM_FRONT}
)  # fmt: skip


def rejected_sight(reason: int | None) -> Sight:
    """Return the sight of a note on its way out, with what the unit says is the reason; 08 is our own order."""
    generic = REJECTS.get(reason, ("", "unknown"))[1] if reason is not None else "unknown"
    if generic == "commanded":
        return Sight(Seen.GOING_BACK, "rejected_by_host", "17:08")
    raw = "" if reason is None else f"{reason:02x}"
    return Sight(Seen.GOING_BACK, "rejected", raw, rejected=generic, rejected_raw=raw)


#: code → (state, severity) of what a unit is doing; told in each poll while it lasts.
_DOING = {
    EventCode.SLAVE_RESET: ("power_up", "warn"),
    EventCode.CLEARED_INTO_CASHBOX: ("power_up_with_note_in_stacker", "warn"),
    EventCode.CLEARED_FROM_FRONT: ("power_up_with_note_in_acceptor", "warn"),
    EventCode.INITIALISING: ("initializing", "warn"),
    EventCode.STACKING: ("stacking", "ok"),
    EventCode.CREDIT: ("vend_valid", "ok"),
    EventCode.STACKED: ("stacked", "ok"),
    EventCode.NOTE_STORED: ("stacked", "ok"),
    EventCode.REJECTING: ("rejecting", "ok"),
    EventCode.REJECTED: ("rejecting", "ok"),
    EventCode.BARCODE_VALIDATED: ("escrow_position", "ok"),
    EventCode.BARCODE_ACKNOWLEDGE: ("stacked", "ok"),
    EventCode.DISABLED: ("inhibited", "ok"),
    EventCode.CHANNEL_DISABLE: ("inhibited", "ok"),
    EventCode.JAM_RECOVERY: ("paused", "warn"),
}
#: Codes that tell something is wrong → (state, severity); the first in this order is shown.
_WRONG = {
    EventCode.UNSAFE_JAM: ("acceptor_jammed", "fault"),
    EventCode.SAFE_JAM: ("stacker_jammed", "fault"),
    EventCode.CASHBOX_REMOVED: ("cassette_removed", "fault"),
    EventCode.STACKER_FULL: ("stacker_full", "fault"),
    0xCF: ("stacker_full", "fault"),
    0x83: ("failure", "fault"),
    0x90: ("failure", "fault"),
    0xC6: ("failure", "fault"),
    EventCode.NOTE_PATH_OPEN: ("failure", "fault"),
    EventCode.FRAUD_ATTEMPT: ("cheated", "warn"),
}
#: Wrongs that stay until something ends them; a fraud attempt is over when it is told.
_KEPT = frozenset(code for code in _WRONG if code != EventCode.FRAUD_ATTEMPT)
#: Wrongs that the sheet says are told in each poll while they last: missing means over.
_REPEATED = frozenset({EventCode.UNSAFE_JAM, EventCode.NOTE_PATH_OPEN})
#: A note that moves again ends every jam and a full stacker.
_MOVING_AGAIN = frozenset({EventCode.READ, EventCode.STACKED, EventCode.JAM_RECOVERY})
#: These end when a note came out, too.
_JAMS = (EventCode.UNSAFE_JAM, EventCode.SAFE_JAM)

#: No answer, or a port that is gone.
UNKNOWN_STATE = ("unknown", "unknown")
#: The unit must not be enabled.
MISCONFIGURED_STATE = ("misconfigured", "fault")
#: Every state that can be told.
STATES = (
    "idling", "accepting", "escrow_position", "held",
    *dict.fromkeys(state for state, _ in (*_DOING.values(), *_WRONG.values())),
    UNKNOWN_STATE[0], MISCONFIGURED_STATE[0],
)  # fmt: skip


class Condition:
    """Owns what is wrong with the unit, as far as it was told."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Another unit may be there."""
        #: Code → how many polls running it was told in.
        self._wrong: dict[int, int] = {}
        self.box_out = False

    def told(self, events: tuple[Event, ...]) -> None:
        """Take the events of one poll reply."""
        codes = [event.code for event in events]
        for code in list(self._wrong):
            if code not in codes and (code in _REPEATED or self._wrong[code] > 1):
                del self._wrong[code]
        for code in codes:
            if code in _KEPT:
                self._wrong[code] = self._wrong.get(code, 0) + 1
            elif code == EventCode.SLAVE_RESET:  # whatever is still wrong is told anew; a box may have come meanwhile
                self._wrong.clear()
            elif code == EventCode.REJECTED:
                self._wrong = {kept: n for kept, n in self._wrong.items() if kept not in _JAMS}
            elif code in _MOVING_AGAIN:
                self._wrong = {kept: n for kept, n in self._wrong.items() if kept == EventCode.CASHBOX_REMOVED}
            elif code == EventCode.CASHBOX_REPLACED:
                for ended in (EventCode.CASHBOX_REMOVED, EventCode.STACKER_FULL, 0xCF, 0x90):
                    self._wrong.pop(ended, None)
        self.box_out = EventCode.CASHBOX_REMOVED in self._wrong

    @property
    def blocked(self) -> bool:
        """True while a note may be stuck inside."""
        return any(code in self._wrong for code in _JAMS)

    def words(self, events: tuple[Event, ...], *, enabled: bool) -> tuple[str, str, str]:
        """Return state, severity and detail after a poll reply."""
        wrong = next((code for code in _WRONG if code in self._wrong), None)
        if wrong is None and any(event.code == EventCode.FRAUD_ATTEMPT for event in events):
            wrong = EventCode.FRAUD_ATTEMPT
        if wrong is not None:
            return *_WRONG[EventCode(wrong) if wrong in _CODES else wrong], _DETAILS.get(wrong, "")
        for event in reversed(events):
            if event.code == EventCode.READ:
                return "escrow_position" if event.channel else "accepting", "ok", ""
            if event.code in _CODES and EventCode(event.code) in _DOING:
                return *_DOING[EventCode(event.code)], _DETAILS.get(event.code, "")
        return "idling" if enabled else "inhibited", "ok", ""


_DETAILS = {
    int(EventCode.NOTE_PATH_OPEN): "note path open",
    int(EventCode.CHANNEL_DISABLE): "every channel is inhibited",
    int(EventCode.JAM_RECOVERY): "clearing a jam",
    0x83: "calibration failed",
    0x90: "cash box out of service",
    0xC6: "payout out of service",
}
