"""ID003 statuses in the words of the house: a generic state and a severity each (devices sheet §4, ID003 sheet §5)."""

from __future__ import annotations

from kiosk.protocols.id003.codes import DeviceStatus, Unknown, failure_code, reject_reason

#: status → (state, severity).
_WORDS: dict[DeviceStatus, tuple[str, str]] = {
    DeviceStatus.IDLING: ("idling", "ok"),
    DeviceStatus.ACCEPTING: ("accepting", "ok"),
    DeviceStatus.ESCROW: ("escrow_position", "ok"),
    DeviceStatus.STACKING: ("stacking", "ok"),
    DeviceStatus.VEND_VALID: ("vend_valid", "ok"),
    DeviceStatus.STACKED: ("stacked", "ok"),
    DeviceStatus.REJECTING: ("rejecting", "ok"),
    DeviceStatus.RETURNING: ("returning", "ok"),
    DeviceStatus.HOLDING: ("held", "ok"),
    DeviceStatus.DISABLED: ("inhibited", "ok"),
    DeviceStatus.INITIALIZE: ("initializing", "warn"),
    DeviceStatus.POWER_UP: ("power_up", "warn"),
    DeviceStatus.POWER_UP_BILL_IN_ACCEPTOR: ("power_up_with_note_in_acceptor", "warn"),
    DeviceStatus.POWER_UP_BILL_IN_STACKER: ("power_up_with_note_in_stacker", "warn"),
    DeviceStatus.STACKER_FULL: ("stacker_full", "fault"),
    DeviceStatus.STACKER_OPEN: ("cassette_removed", "fault"),
    DeviceStatus.JAM_IN_ACCEPTOR: ("acceptor_jammed", "fault"),
    DeviceStatus.JAM_IN_STACKER: ("stacker_jammed", "fault"),
    DeviceStatus.PAUSE: ("paused", "warn"),
    DeviceStatus.CHEATED: ("cheated", "warn"),
    DeviceStatus.FAILURE: ("failure", "fault"),
}
#: No answer, an unknown code, or a port that is gone.
UNKNOWN_STATE = ("unknown", "unknown")
#: The unit must not be enabled: a setting did not take, or its table is not ours.
MISCONFIGURED_STATE = ("misconfigured", "fault")
#: Every state that can be told.
STATES = (*(state for state, _ in _WORDS.values()), UNKNOWN_STATE[0], MISCONFIGURED_STATE[0])


def words(status: DeviceStatus | Unknown, data: bytes) -> tuple[str, str, str]:
    """Return state, severity and detail of a status.

    >>> words(DeviceStatus.FAILURE, bytes([0xA2]))
    ('failure', 'fault', 'stack motor')
    """
    if isinstance(status, Unknown) or status not in _WORDS:
        return (*UNKNOWN_STATE, f"the unit shows {status.name}")
    state, severity = _WORDS[status]
    if status is DeviceStatus.FAILURE:
        return state, "fault", failure_code(data[0]).name if data else "no code given"
    if status is DeviceStatus.REJECTING:
        return state, severity, reject_reason(data[0]).name if data else "no reason given"
    return state, severity, ""
