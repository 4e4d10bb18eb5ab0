"""What an ID003 status tells beside the note when it begins: a note drawn in, the cash box out or back (sheet §5)."""

from __future__ import annotations

from kiosk.model.device_events import CashboxInserted, CashboxRemoved, DeviceEvent, NoteAccepting
from kiosk.protocols.id003.codes import DeviceStatus, Unknown

#: Statuses that do not say that a cash box is in the unit again.
_NO_CASHBOX = (DeviceStatus.STACKER_OPEN, DeviceStatus.FAILURE)


class Edges:
    """Owns whether the box is out, also while the port is lost; knows no note."""

    def __init__(self) -> None:
        self._box_out = False

    def take(
        self, status: DeviceStatus | Unknown, before: DeviceStatus | Unknown | None, raw: str
    ) -> list[DeviceEvent]:
        """Return what a status tells that the one before it did not."""
        out: list[DeviceEvent] = []
        if status is DeviceStatus.ACCEPTING and status is not before:
            out.append(NoteAccepting())
        if status is DeviceStatus.STACKER_OPEN and not self._box_out:
            self._box_out = True
            out.append(CashboxRemoved(raw))
        elif self._box_out and status not in _NO_CASHBOX and not isinstance(status, Unknown):
            self._box_out = False
            out.append(CashboxInserted())
        return out
