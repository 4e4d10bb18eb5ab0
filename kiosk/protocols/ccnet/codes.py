"""CCNET codes by direction: host commands, device states, reject reasons, failures (CCNET sheet §3, §5, §6).

0x30 is RESET from the host and ILLEGAL COMMAND from the device, and 0x41 differs as well, so every look-up
names its direction.  A code that no table holds becomes an explicit `Unknown`, never an exception and never a guess.
"""

from __future__ import annotations

import enum

import msgspec


class HostCommand(enum.IntEnum):
    """What the host may send: first data byte (sheet §3, §5)."""

    ACK = 0x00
    RESET = 0x30
    GET_STATUS = 0x31
    SET_SECURITY = 0x32
    POLL = 0x33
    ENABLE_BILL_TYPES = 0x34
    STACK = 0x35
    RETURN = 0x36
    IDENTIFICATION = 0x37
    HOLD = 0x38
    SET_BARCODE_PARAMETERS = 0x39
    EXTRACT_BARCODE_DATA = 0x3A
    GET_BILL_TABLE = 0x41
    DOWNLOAD = 0x50
    GET_CRC32 = 0x51
    MODULE_IDENTIFICATION = 0x54
    SET_ESCROW_TIMEOUTS = 0x5A
    STACKED_BILLS_COUNTER = 0x5B
    RELEASE_DATE = 0x5C
    REQUEST_STATISTICS = 0x60
    SET_OPTIONS = 0x68
    GET_OPTIONS = 0x69
    NAK = 0xFF


#: Commands of bill-to-bill units, which no validator takes (sheet §5, single source); "" where no source names it.
BILL_TO_BILL_COMMANDS: dict[int, str] = {
    0x3B: "recycling_cassette_status",
    0x3C: "",
    0x3D: "unload",
    0x3E: "",
    0x3F: "escrow_cassette_unload",
    0x40: "",
    0x62: "",
    0x66: "",
    0x67: "",
}


class DeviceState(enum.IntEnum):
    """What the device may answer with a code: acknowledgements (sheet §3) and the states of POLL (sheet §6)."""

    ACK = 0x00
    POWER_UP = 0x10
    POWER_UP_BILL_IN_VALIDATOR = 0x11
    POWER_UP_BILL_IN_STACKER = 0x12
    INITIALIZE = 0x13
    IDLING = 0x14
    ACCEPTING = 0x15
    STACKING = 0x17
    RETURNING = 0x18
    UNIT_DISABLED = 0x19
    HOLDING = 0x1A
    DEVICE_BUSY = 0x1B
    REJECTING = 0x1C
    ILLEGAL_COMMAND = 0x30
    DROP_CASSETTE_FULL = 0x41
    DROP_CASSETTE_OUT_OF_POSITION = 0x42
    VALIDATOR_JAMMED = 0x43
    DROP_CASSETTE_JAMMED = 0x44
    CHEATED = 0x45
    PAUSE = 0x46
    FAILURE = 0x47
    ESCROW_POSITION = 0x80
    BILL_STACKED = 0x81
    BILL_RETURNED = 0x82
    SUSPECTED_HELD = 0x84
    COUNTERFEIT_HELD = 0x90
    NAK = 0xFF


#: States of bill-to-bill units, which a validator never shows (sheet §6).
BILL_TO_BILL_STATES = frozenset({0x1D, 0x1E, 0x21, 0x25, 0x26, 0x28, 0x29})


class Unknown(msgspec.Struct, frozen=True):
    """A code that the tables do not hold: to be recorded and treated as "not available", never as money."""

    code: int

    @property
    def name(self) -> str:
        """Return a name for people."""
        return f"UNKNOWN_{self.code:02X}"


def host_command(code: int) -> HostCommand | Unknown:
    """Name a code that came from the host."""
    try:
        return HostCommand(code)
    except ValueError:
        return Unknown(code)


def device_state(code: int) -> DeviceState | Unknown:
    """Name a code that came from the device.

    >>> device_state(0x30).name, host_command(0x30).name, device_state(0x16).name
    ('ILLEGAL_COMMAND', 'RESET', 'UNKNOWN_16')
    """
    try:
        return DeviceState(code)
    except ValueError:
        return Unknown(code)


#: Stay until RESET; RESET makes the device forget a note, so journal it first (sheet §7).
POWER_UPS = frozenset(
    {DeviceState.POWER_UP, DeviceState.POWER_UP_BILL_IN_VALIDATOR, DeviceState.POWER_UP_BILL_IN_STACKER}
)
#: States with one byte behind the code.
WITH_BILL_TYPE = frozenset({DeviceState.ESCROW_POSITION, DeviceState.BILL_STACKED, DeviceState.BILL_RETURNED})
#: States that stay until a person or the unit solves them (sheet §7).
FAULT_LEVELS = frozenset(
    {
        DeviceState.DROP_CASSETTE_FULL,
        DeviceState.DROP_CASSETTE_OUT_OF_POSITION,
        DeviceState.VALIDATOR_JAMMED,
        DeviceState.DROP_CASSETTE_JAMMED,
        DeviceState.CHEATED,
        DeviceState.PAUSE,
        DeviceState.FAILURE,
    }
)
#: The states in which IDENTIFICATION and GET BILL TABLE are answered; elsewhere ILLEGAL COMMAND (sheet §5).
ASKABLE = frozenset(
    {
        DeviceState.POWER_UP,
        DeviceState.POWER_UP_BILL_IN_VALIDATOR,
        DeviceState.POWER_UP_BILL_IN_STACKER,
        DeviceState.INITIALIZE,
        DeviceState.UNIT_DISABLED,
        *FAULT_LEVELS,
    }
)
#: Commands that the device answers with ACK (sheet §3): the host sends nothing after it.
ACKED_COMMANDS = frozenset(
    {
        HostCommand.RESET,
        HostCommand.SET_SECURITY,
        HostCommand.ENABLE_BILL_TYPES,
        HostCommand.STACK,
        HostCommand.RETURN,
        HostCommand.HOLD,
        HostCommand.SET_BARCODE_PARAMETERS,
        HostCommand.SET_ESCROW_TIMEOUTS,
        HostCommand.SET_OPTIONS,
    }
)
#: Commands that the device answers with data, which the host confirms by ACK (sheet §3).
DATA_COMMANDS = frozenset(
    {
        HostCommand.POLL,
        HostCommand.GET_STATUS,
        HostCommand.IDENTIFICATION,
        HostCommand.EXTRACT_BARCODE_DATA,
        HostCommand.GET_BILL_TABLE,
        HostCommand.GET_CRC32,
        HostCommand.MODULE_IDENTIFICATION,
        HostCommand.STACKED_BILLS_COUNTER,
        HostCommand.RELEASE_DATE,
        HostCommand.REQUEST_STATISTICS,
        HostCommand.GET_OPTIONS,
    }
)
#: Bill types a table and a mask can hold (sheet §5, §8).
BILL_TYPES = 24
#: The bill type of a barcode coupon (sheet §8, single source).
BARCODE_TYPE = 23


class RejectReason(msgspec.Struct, frozen=True):
    """Why a note was pushed back."""

    code: int
    name: str
    #: ``insertion``, ``recognition``, ``denomination_inhibited``, ``transport``, ``length``, ``ticket``, ``unknown``.
    generic: str


#: A type that is not enabled (sheet §5).
REJECT_INHIBITED = 0x68

REJECT_REASONS: dict[int, RejectReason] = {
    code: RejectReason(code, name, generic)
    for code, name, generic in (
        (0x60, "insertion", "insertion"),
        (0x61, "magnetic or dielectric", "recognition"),
        (0x62, "note remaining in head", "transport"),
        (0x63, "multiplying (compensation)", "recognition"),
        (0x64, "conveying", "transport"),
        (0x65, "identification", "recognition"),
        (0x66, "verification", "recognition"),
        (0x67, "optic", "recognition"),
        (0x68, "inhibited type", "denomination_inhibited"),
        (0x69, "capacitance", "recognition"),
        (0x6A, "operation", "transport"),
        (0x6C, "length", "length"),
        (0x6D, "ultraviolet", "recognition"),
        (0x92, "barcode unrecognised", "ticket"),
        (0x93, "barcode character count", "ticket"),
        (0x94, "barcode start", "ticket"),
        (0x95, "barcode stop", "ticket"),
    )
}


def reject_reason(code: int) -> RejectReason:
    """Name a reject reason; one that no table holds (there is no 6B) has the generic reason ``unknown``."""
    return REJECT_REASONS.get(code) or RejectReason(code, f"unknown reason {code:02X}", "unknown")


class FailureCode(msgspec.Struct, frozen=True):
    """What broke inside the unit."""

    code: int
    name: str
    #: ``warn`` where a person at the kiosk can cure it, ``fault`` where the unit needs service.
    severity: str


#: Sheet §6; 65 to 67 and the rows from 10 on are single sources.
FAILURE_CODES: dict[int, FailureCode] = {
    code: FailureCode(code, name, severity)
    for code, name, severity in (
        (0x50, "stacker motor", "fault"),
        (0x51, "transport speed", "fault"),
        (0x52, "transport motor", "fault"),
        (0x53, "aligning motor", "fault"),
        (0x54, "initial cassette status", "warn"),
        (0x55, "optic", "fault"),
        (0x56, "magnetic", "fault"),
        (0x5F, "capacitance", "fault"),
        (0x65, "optic", "fault"),
        (0x66, "magnetic", "fault"),
        (0x67, "capacitance", "fault"),
        *((code, "firmware object error", "fault") for code in range(0x10, 0x16)),
        (0x22, "recovery", "fault"),
        (0x23, "calibration", "fault"),
        (0x30, "boot", "fault"),
        *((code, "sensor board", "fault") for code in (0x57, 0x58, 0x59, 0x60)),
        (0xF4, "unknown stacker", "fault"),
        (0xFE, "cover open", "warn"),
    )
}


def failure_code(code: int) -> FailureCode:
    """Name a failure; one that no table holds is a fault all the same."""
    return FAILURE_CODES.get(code) or FailureCode(code, f"unknown failure {code:02X}", "fault")
