"""What counts in an EBDS status when it begins or ends: some bits stay set for several polls (EBDS sheet §5, §8)."""

from __future__ import annotations

from kiosk.model.device_events import CashboxInserted, CashboxRemoved, DeviceEvent, NoteAccepting, ProtocolFault
from kiosk.protocols.ebds.codes import RETRIEVED, Condition, Report, State
from kiosk.protocols.ebds.payloads import Status
from kiosk.protocols.ebds.sights import MOTION, Reading, contradiction

#: The last byte of a note-retrieved message that the sheet explains: refused, accepted, the customer took the note.
_RETRIEVED_WORDS = (None, 0, 1, RETRIEVED)


class Edges:
    """Owns the last status and whether the box is out; tells what changed."""

    def __init__(self) -> None:
        self._box_out = False
        self.begin()

    def begin(self) -> None:
        """The port was opened: nothing was seen yet."""
        self._before: Status | None = None
        #: By the last reply the unit has lost its memory; by the last reply the box is back.
        self.restarted = self.box_back = False

    def take(self, reading: Reading) -> list[DeviceEvent]:
        """Return what a fresh reply tells that the one before did not."""
        out: list[DeviceEvent] = []
        status, old = reading.status, self._before or Status(State(0))
        self.restarted = (
            self._before is not None and Report.POWER_UP in status.report and Report.POWER_UP not in old.report
        )
        self._before = status
        if Report.INVALID_COMMAND in status.report and Report.INVALID_COMMAND not in old.report:
            out.append(ProtocolFault("refused", "the unit did not take a command", reading.raw))
        if State.ACCEPTING in status.state and State.ACCEPTING not in old.state:
            out.append(NoteAccepting())
        if contradiction(status) and status.state != old.state:
            out.append(ProtocolFault("unexpected", "state bits that cannot be true together", reading.raw))
        if reading.retrieved not in _RETRIEVED_WORDS:
            out.append(ProtocolFault("unknown_code", f"note retrieved {reading.retrieved:02x}", reading.raw))
        here = Condition.CASSETTE_ATTACHED in status.condition
        self.box_back = here and self._box_out
        if not here and not self._box_out and not status.state & MOTION:
            self._box_out = True
            out.append(CashboxRemoved(reading.raw[:12]))
        elif self.box_back:
            self._box_out = False
            out.append(CashboxInserted())
        return out
