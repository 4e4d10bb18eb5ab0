"""CCNET states in the words of the house: a generic state and a severity each (devices sheet §4, CCNET sheet §6)."""

from __future__ import annotations

from kiosk.protocols.ccnet.codes import DeviceState, Unknown, failure_code, reject_reason

#: state → (generic state, severity).
_WORDS: dict[DeviceState, tuple[str, str]] = {
    DeviceState.IDLING: ("idling", "ok"),
    DeviceState.ACCEPTING: ("accepting", "ok"),
    DeviceState.ESCROW_POSITION: ("escrow_position", "ok"),
    DeviceState.STACKING: ("stacking", "ok"),
    DeviceState.BILL_STACKED: ("stacked", "ok"),
    DeviceState.REJECTING: ("rejecting", "ok"),
    DeviceState.RETURNING: ("returning", "ok"),
    DeviceState.BILL_RETURNED: ("returned", "ok"),
    DeviceState.HOLDING: ("held", "ok"),
    DeviceState.UNIT_DISABLED: ("inhibited", "ok"),
    DeviceState.INITIALIZE: ("initializing", "warn"),
    DeviceState.DEVICE_BUSY: ("initializing", "warn"),
    DeviceState.POWER_UP: ("power_up", "warn"),
    DeviceState.POWER_UP_BILL_IN_VALIDATOR: ("power_up_with_note_in_acceptor", "warn"),
    DeviceState.POWER_UP_BILL_IN_STACKER: ("power_up_with_note_in_stacker", "warn"),
    DeviceState.DROP_CASSETTE_FULL: ("stacker_full", "fault"),
    DeviceState.DROP_CASSETTE_OUT_OF_POSITION: ("cassette_removed", "fault"),
    DeviceState.VALIDATOR_JAMMED: ("acceptor_jammed", "fault"),
    DeviceState.DROP_CASSETTE_JAMMED: ("stacker_jammed", "fault"),
    DeviceState.PAUSE: ("paused", "warn"),
    DeviceState.CHEATED: ("cheated", "warn"),
    DeviceState.SUSPECTED_HELD: ("cheated", "warn"),
    DeviceState.COUNTERFEIT_HELD: ("cheated", "warn"),
    DeviceState.FAILURE: ("failure", "fault"),
}
#: No answer, an unknown code, or a port that is gone.
UNKNOWN_STATE = ("unknown", "unknown")
#: The unit must not be enabled: a setting did not take, or its table is not ours.
MISCONFIGURED_STATE = ("misconfigured", "fault")
#: The unit has been rejecting for so long that something is stuck in its mouth (sheet §7).
STUCK_STATE = ("acceptor_jammed", "fault")
#: Every state that can be told.
STATES = (*dict.fromkeys(state for state, _ in _WORDS.values()), UNKNOWN_STATE[0], MISCONFIGURED_STATE[0])

_DETAILS = {
    DeviceState.DEVICE_BUSY: "busy",
    DeviceState.SUSPECTED_HELD: "a suspected note is held",
    DeviceState.COUNTERFEIT_HELD: "a counterfeit is held",
}


def words(state: DeviceState | Unknown, data: bytes, *, stuck: bool = False, problem: str = "") -> tuple[str, str, str]:
    """Return generic state, severity and detail; `data` is what follows the code.

    `stuck`: the state has stood for longer than its motor can run; `problem`: why the unit must not be enabled.

    >>> words(DeviceState.FAILURE, bytes([0x50]))
    ('failure', 'fault', 'stacker motor')
    """
    if problem:
        return (*MISCONFIGURED_STATE, problem)
    if stuck and state is DeviceState.REJECTING:
        return (*STUCK_STATE, "a note is stuck in the mouth")
    if isinstance(state, Unknown) or state not in _WORDS:
        return (*UNKNOWN_STATE, f"the unit shows {state.name}")
    generic, severity = _WORDS[state]
    if state is DeviceState.FAILURE:
        return generic, "fault", failure_code(data[0]).name if data else "no code given"
    if state is DeviceState.REJECTING:
        return generic, severity, reject_reason(data[0]).name if data else "no reason given"
    return generic, severity, _DETAILS.get(state, "")
