"""ID003 codes by direction: host commands, device statuses, settings, reject reasons, failures (sheet §4, §5).

Several codes are byte-identical in both directions and mean different things, so every look-up here names its
direction.  A code that no table holds becomes an explicit `Unknown`, never an exception and never a guess.
"""

from __future__ import annotations

import enum

import msgspec


class HostCommand(enum.IntEnum):
    """What the host may send."""

    STATUS_REQUEST = 0x11
    RESET = 0x40
    STACK_1 = 0x41
    STACK_2 = 0x42
    RETURN = 0x43
    HOLD = 0x44
    WAIT = 0x45
    STACK_3 = 0x49
    ACK = 0x50
    GET_DENOMINATION = 0x80
    GET_SECURITY = 0x81
    GET_COMMUNICATION_MODE = 0x82
    GET_INHIBIT = 0x83
    GET_DIRECTION = 0x84
    GET_OPTIONAL_FUNCTION = 0x85
    GET_BARCODE_FUNCTION = 0x86
    GET_BAR_INHIBIT = 0x87
    VERSION_REQUEST = 0x88
    BOOT_VERSION_REQUEST = 0x89
    CURRENCY_ASSIGN_REQUEST = 0x8A
    SET_DENOMINATION = 0xC0
    SET_SECURITY = 0xC1
    SET_COMMUNICATION_MODE = 0xC2
    SET_INHIBIT = 0xC3
    SET_DIRECTION = 0xC4
    SET_OPTIONAL_FUNCTION = 0xC5
    SET_BARCODE_FUNCTION = 0xC6
    SET_BAR_INHIBIT = 0xC7
    SET_ESCROW_LIMIT = 0xCD
    PROGRAM_SIGNATURE = 0xDC
    EXTENSION = 0xF0


class DeviceStatus(enum.IntEnum):
    """What the device may answer, apart from echoes of settings and answers to queries."""

    ENQ = 0x05
    IDLING = 0x11
    ACCEPTING = 0x12
    ESCROW = 0x13
    STACKING = 0x14
    VEND_VALID = 0x15
    STACKED = 0x16
    REJECTING = 0x17
    RETURNING = 0x18
    HOLDING = 0x19
    DISABLED = 0x1A
    INITIALIZE = 0x1B
    POWER_UP = 0x40
    POWER_UP_BILL_IN_ACCEPTOR = 0x41
    POWER_UP_BILL_IN_STACKER = 0x42
    STACKER_FULL = 0x43
    STACKER_OPEN = 0x44
    JAM_IN_ACCEPTOR = 0x45
    JAM_IN_STACKER = 0x46
    PAUSE = 0x47
    CHEATED = 0x48
    FAILURE = 0x49
    COMMUNICATION_ERROR = 0x4A
    INVALID_COMMAND = 0x4B
    ACK = 0x50


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


def device_status(code: int) -> DeviceStatus | Unknown:
    """Name a code that came from the device.

    >>> device_status(0x40).name, host_command(0x40).name, device_status(0x7F).name
    ('POWER_UP', 'RESET', 'UNKNOWN_7F')
    """
    try:
        return DeviceStatus(code)
    except ValueError:
        return Unknown(code)


#: Statuses in which `RESET` or power-off makes the device forget a note: journal them first (sheet §7).
POWER_UPS = frozenset(
    {DeviceStatus.POWER_UP, DeviceStatus.POWER_UP_BILL_IN_ACCEPTOR, DeviceStatus.POWER_UP_BILL_IN_STACKER}
)
#: Levels that stay until a person or the unit solves them (sheet §9).
FAULT_LEVELS = frozenset(
    {
        DeviceStatus.STACKER_FULL,
        DeviceStatus.STACKER_OPEN,
        DeviceStatus.JAM_IN_ACCEPTOR,
        DeviceStatus.JAM_IN_STACKER,
        DeviceStatus.PAUSE,
        DeviceStatus.CHEATED,
        DeviceStatus.FAILURE,
    }
)
#: The escrow data byte that says "a barcode ticket follows" instead of a note code.
BARCODE_TICKET = 0x6F
#: The first note code; bit 0 of byte 1 of SET DENOMINATION stands for it.
FIRST_NOTE_CODE = 0x61


class Setting(msgspec.Struct, frozen=True):
    """A setting that the host sends and the device confirms by an echo; lost by power-off and RESET."""

    set_code: HostCommand
    get_code: HostCommand
    name: str
    #: Data lengths that units take, the usual one first.
    sizes: tuple[int, ...]
    #: What a unit holds after power-on.
    default: bytes


SETTINGS: tuple[Setting, ...] = (
    Setting(HostCommand.SET_DENOMINATION, HostCommand.GET_DENOMINATION, "denomination", (2,), b"\x00\x00"),
    Setting(HostCommand.SET_SECURITY, HostCommand.GET_SECURITY, "security", (2,), b"\x00\x00"),
    Setting(HostCommand.SET_COMMUNICATION_MODE, HostCommand.GET_COMMUNICATION_MODE, "mode", (1,), b"\x00"),
    Setting(HostCommand.SET_INHIBIT, HostCommand.GET_INHIBIT, "inhibit", (1,), b"\x01"),
    Setting(HostCommand.SET_DIRECTION, HostCommand.GET_DIRECTION, "direction", (1,), b"\x00"),
    Setting(
        HostCommand.SET_OPTIONAL_FUNCTION, HostCommand.GET_OPTIONAL_FUNCTION, "optional function", (2, 1), b"\x00\x00"
    ),
    Setting(HostCommand.SET_BARCODE_FUNCTION, HostCommand.GET_BARCODE_FUNCTION, "barcode function", (2,), b"\x01\x12"),
    Setting(HostCommand.SET_BAR_INHIBIT, HostCommand.GET_BAR_INHIBIT, "bar inhibit", (1,), b"\xfe"),
)
SETTING_BY_SET_CODE = {setting.set_code: setting for setting in SETTINGS}
SETTING_BY_GET_CODE = {setting.get_code: setting for setting in SETTINGS}


class RejectReason(msgspec.Struct, frozen=True):
    """Why a note was pushed back."""

    code: int
    name: str
    #: ``insertion``, ``recognition``, ``denomination_inhibited``, ``transport``, ``length``, ``ticket``, ``unknown``.
    generic: str


#: Reject reason 79: inhibited, wrong direction, or the escrow time limit.
REJECT_INHIBITED = 0x79

REJECT_REASONS: dict[int, RejectReason] = {
    code: RejectReason(code, name, generic)
    for code, name, generic in (
        (0x71, "insertion", "insertion"),
        (0x72, "magnetic pattern", "recognition"),
        (0x73, "note remaining, or a sensor active while idle", "transport"),
        (0x74, "compensation", "recognition"),
        (0x75, "conveying", "transport"),
        (0x76, "denomination assessment", "recognition"),
        (0x77, "photo pattern 1", "recognition"),
        (0x78, "photo level", "recognition"),
        (0x79, "inhibited, wrong direction or escrow time limit", "denomination_inhibited"),
        (0x7A, "reserved", "unknown"),
        (0x7B, "operation", "transport"),
        (0x7C, "note remaining in the stacker path", "transport"),
        (0x7D, "length", "length"),
        (0x7E, "photo pattern 2 (colour)", "recognition"),
        (0x7F, "true-bill check", "recognition"),
        (0x91, "barcode function not set", "ticket"),
        (0x92, "barcode unknown", "ticket"),
        (0x93, "barcode length", "ticket"),
        (0x94, "barcode start", "ticket"),
        (0x95, "barcode stop", "ticket"),
        (0x96, "barcode not set", "ticket"),
        (0x98, "several notes", "insertion"),
        (0x9B, "ticket upside down", "ticket"),
        (0x9D, "ticket length", "ticket"),
    )
}


def reject_reason(code: int) -> RejectReason:
    """Name a reject reason; one that no table holds has the generic reason ``unknown``."""
    return REJECT_REASONS.get(code) or RejectReason(code, f"unknown reason {code:02X}", "unknown")


class FailureCode(msgspec.Struct, frozen=True):
    """What broke inside the unit."""

    code: int
    name: str
    #: ``warn`` where a person at the kiosk can cure it, ``fault`` where the unit needs service.
    severity: str


FAILURE_CODES: dict[int, FailureCode] = {
    code: FailureCode(code, name, severity)
    for code, name, severity in (
        (0xA2, "stack motor", "fault"),
        (0xA5, "transport speed", "fault"),
        (0xA6, "transport motor", "fault"),
        (0xA7, "aligning motor", "fault"),
        (0xAB, "cash box not ready", "warn"),
        (0xAC, "optical", "fault"),
        (0xAD, "magnetic", "fault"),
        (0xAF, "validator head removed", "warn"),
        (0xB0, "boot ROM", "fault"),
        (0xB1, "external ROM", "fault"),
        (0xB2, "ROM", "fault"),
        (0xB3, "external ROM write", "fault"),
    )
}


def failure_code(code: int) -> FailureCode:
    """Name a failure; one that no table holds is a fault all the same."""
    return FAILURE_CODES.get(code) or FailureCode(code, f"unknown failure {code:02X}", "fault")
