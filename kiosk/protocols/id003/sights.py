"""What an ID003 status shows of a note, in the words of `kiosk.protocols.note_life` (ID003 sheet §5, §7)."""

from __future__ import annotations

from collections.abc import Mapping

from kiosk.model.money import Money
from kiosk.protocols.id003.codes import BARCODE_TICKET, DeviceStatus, Unknown, reject_reason
from kiosk.protocols.note_life import Seen, Sight

_SEEN = {
    DeviceStatus.IDLING: Seen.AT_REST,
    DeviceStatus.DISABLED: Seen.AT_REST,
    DeviceStatus.ACCEPTING: Seen.DRAWING_IN,
    DeviceStatus.ESCROW: Seen.IN_ESCROW,
    DeviceStatus.HOLDING: Seen.IN_ESCROW,
    DeviceStatus.STACKING: Seen.MOVING,
    DeviceStatus.VEND_VALID: Seen.CREDIT_POINT,
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


def sight(status: DeviceStatus | Unknown, data: bytes, table: Mapping[int, Money]) -> Sight:
    """Return the sight of a status answer; `table` gives the values of the unit's note codes, {} while unread."""
    code = status.code if isinstance(status, Unknown) else int(status)
    key = data[0] if data and status is DeviceStatus.ESCROW else 0
    reason = ""
    if status is DeviceStatus.REJECTING:
        reason = reject_reason(data[0]).generic if data else "unknown"
    return Sight(
        seen(status), status.name, bytes((code,)).hex() + data[:8].hex(), key, table.get(key),
        unread=bool(key) and key != BARCODE_TICKET and not table,
        ticket=key == BARCODE_TICKET,
        held=status is DeviceStatus.HOLDING,
        rejected=reason,
        rejected_raw=data[:1].hex() if reason else "",
    )  # fmt: skip
