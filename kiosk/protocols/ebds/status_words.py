"""EBDS status bits in the words of the house: a generic state and a severity each (devices sheet §4, EBDS sheet §5)."""

from __future__ import annotations

from kiosk.protocols.ebds.codes import Condition, Facility, Report, State
from kiosk.protocols.ebds.payloads import Status

#: No answer, bits that contradict each other, or a port that is gone.
UNKNOWN_STATE = ("unknown", "unknown")
#: The unit must not be enabled: a setting did not take, or its table is not ours.
MISCONFIGURED_STATE = ("misconfigured", "fault")
#: Bits that end the service, in the order in which they are told.
_TROUBLE: tuple[tuple[Condition | Report | Facility, str, str, str], ...] = (
    (Report.FAILURE, "failure", "fault", ""),
    (Facility.STALLED, "failure", "fault", "stalled"),
    (Condition.JAMMED, "acceptor_jammed", "fault", ""),
    (Condition.STACKER_FULL, "stacker_full", "fault", ""),
    (Facility.FLASH_DOWNLOAD, "out_of_service", "fault", "flash download"),
    (Condition.CALIBRATION, "out_of_service", "warn", "calibration"),
    (Condition.PAUSED, "paused", "warn", ""),
)
#: What the unit does, in the order in which it is told: events come with idling.
_STATES: tuple[tuple[State, str], ...] = (
    (State.STACKED, "stacked"),
    (State.RETURNED, "returned"),
    (State.ESCROWED, "escrow_position"),
    (State.STACKING, "stacking"),
    (State.RETURNING, "returning"),
    (State.ACCEPTING, "accepting"),
)
#: Every state that can be told.
STATES = tuple(
    dict.fromkeys(
        (
            *(name for _, name, _, _ in _TROUBLE), *(name for _, name in _STATES), "cassette_removed", "power_up",
            "cheated", "rejecting", "idling", "inhibited", "out_of_service", UNKNOWN_STATE[0], MISCONFIGURED_STATE[0],
        )
    )
)  # fmt: skip


def words(status: Status, *, enabled: bool) -> tuple[str, str, str]:
    """Return state, severity and detail of a status; `enabled`: the host lets notes in.

    >>> words(Status(State.STACKED | State.IDLING, Condition.CASSETTE_ATTACHED | Condition.CHEATED), enabled=True)
    ('stacked', 'ok', 'with cheated: perhaps the stacker is nearly full')
    >>> words(Status(State(0), Condition.STACKER_FULL | Condition.CASSETTE_ATTACHED), enabled=True)
    ('stacker_full', 'fault', '')
    """
    state, condition = status.state, status.condition
    for bit, name, severity, detail in _TROUBLE:
        if _holds(status, bit):
            return name, severity, detail
    doing = next((name for bit, name in _STATES if bit in state), "")
    if doing == "stacked" and Condition.CHEATED in condition:  # single source (sheet §8)
        return doing, "ok", "with cheated: perhaps the stacker is nearly full"
    if doing:
        return doing, "ok", ""
    if Condition.CASSETTE_ATTACHED not in condition:
        return "cassette_removed", "fault", ""
    if Report.POWER_UP in status.report:
        return "power_up", "warn", ""
    if Condition.CHEATED in condition:
        return "cheated", "warn", ""
    if Condition.REJECTED in condition:
        return "rejecting", "ok", ""
    if State.IDLING in state:
        detail = "the path was opened while off" if Report.TRANSPORT_OPEN in status.report else ""
        return ("idling" if enabled else "inhibited"), "ok", detail
    if Facility.DISABLED in status.facility or not enabled:
        return "inhibited", "ok", ""
    return "out_of_service", "fault", ""


def _holds(status: Status, bit: Condition | Report | Facility) -> bool:
    if isinstance(bit, Condition):
        return bit in status.condition
    return bit in status.report if isinstance(bit, Report) else bit in status.facility
