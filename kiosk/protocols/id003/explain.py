"""Explains one captured ID003 frame (ID003 sheet §2, §4 to §6)."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.errors import FrameError
from kiosk.protocols.explained import NO_KEYS, UNKNOWN, Explained, Field, Keys, Sender, refused
from kiosk.protocols.framing import crc16_kermit
from kiosk.protocols.id003.codes import (
    BARCODE_TICKET,
    FIRST_NOTE_CODE,
    SETTINGS,
    DeviceStatus,
    HostCommand,
    Unknown,
    device_status,
    failure_code,
    host_command,
    reject_reason,
)
from kiosk.protocols.id003.frames import MIN_LENGTH, SYNC
from kiosk.protocols.id003.payloads import parse_currency_table, parse_version

#: What the unit repeats or answers under the code of the request: settings and queries.
_REPEATED = {
    *(setting.set_code for setting in SETTINGS),
    *(setting.get_code for setting in SETTINGS),
    HostCommand.VERSION_REQUEST,
    HostCommand.BOOT_VERSION_REQUEST,
    HostCommand.CURRENCY_ASSIGN_REQUEST,
    HostCommand.SET_ESCROW_LIMIT,
    HostCommand.PROGRAM_SIGNATURE,
    HostCommand.EXTENSION,
}


def explain(raw: bytes, sender: Sender, keys: Keys = NO_KEYS) -> Explained:
    """Say what a frame means; `keys` has nothing for ID003."""
    trouble = _trouble(raw)
    if trouble:
        return refused(trouble, length=len(raw))
    code, data = raw[2], raw[3:-2]
    found = host_command(code) if sender == "host" else _answer(code)
    fields: dict[str, Field] = {"code": f"{code:02x}"}
    if data:
        fields["data"] = data.hex()
    if isinstance(found, Unknown):
        return Explained(True, UNKNOWN, fields)
    reader = _READERS.get((sender, int(found)))
    if reader is not None:
        fields |= reader(data)
    return Explained(True, found.name.lower(), fields)


def _trouble(raw: bytes) -> str:
    if not raw or raw[0] != SYNC:
        return "does not begin with FC"
    if len(raw) < 2 or raw[1] < MIN_LENGTH:
        return "the length byte is missing or below 5"
    if raw[1] != len(raw):
        return f"the length byte says {raw[1]} bytes, there are {len(raw)}"
    right = crc16_kermit(raw[:-2]).to_bytes(2, "little")
    return "" if raw[-2:] == right else f"the CRC is {raw[-2:].hex(' ')}, {right.hex(' ')} is right"


def _answer(code: int) -> DeviceStatus | HostCommand | Unknown:
    command = host_command(code)
    return command if command in _REPEATED and not isinstance(command, Unknown) else device_status(code)


def _escrow(data: bytes) -> dict[str, Field]:
    if not data:
        return {}
    if data[0] == BARCODE_TICKET:
        return {"ticket": data[1:].decode("ascii", "backslashreplace")}
    return {"note_code": f"{data[0]:02x}"}


def _rejecting(data: bytes) -> dict[str, Field]:
    return {"reason": f"{data[0]:02x}", "reason_name": reject_reason(data[0]).name} if data else {}


def _failure(data: bytes) -> dict[str, Field]:
    return {"failure": f"{data[0]:02x}", "failure_name": failure_code(data[0]).name} if data else {}


def _version(data: bytes) -> dict[str, Field]:
    found = parse_version(data)
    return {"text": found.text, "model": found.model, "country": found.country, "firmware": found.firmware}


def _currency(data: bytes) -> dict[str, Field]:
    if not data:
        return {}
    try:
        slots = parse_currency_table(data)
    except FrameError as error:
        return {"table_error": error.message}
    return {
        "notes": [
            {
                "note_code": f"{slot.code:02x}", "country": f"{slot.country:02x}", "currency": slot.currency,
                "value": slot.base * 10**slot.exponent,
            }
            for slot in slots
            if slot.used
        ]
    }  # fmt: skip


def _denomination(data: bytes) -> dict[str, Field]:
    disabled: list[Field] = [
        f"{FIRST_NOTE_CODE + 8 * at + bit:02x}" for at, byte in enumerate(data) for bit in range(8) if byte >> bit & 1
    ]
    return {"disabled_note_codes": disabled} if data else {}


def _inhibit(data: bytes) -> dict[str, Field]:
    return {"inhibited": bool(data[0] & 1)} if data else {}


_READERS: dict[tuple[Sender, int], Callable[[bytes], dict[str, Field]]] = {
    ("device", DeviceStatus.ESCROW): _escrow,
    ("device", DeviceStatus.REJECTING): _rejecting,
    ("device", DeviceStatus.FAILURE): _failure,
    ("device", HostCommand.VERSION_REQUEST): _version,
    ("device", HostCommand.CURRENCY_ASSIGN_REQUEST): _currency,
    ("device", HostCommand.SET_DENOMINATION): _denomination,
    ("device", HostCommand.GET_DENOMINATION): _denomination,
    ("host", HostCommand.SET_DENOMINATION): _denomination,
    ("device", HostCommand.SET_INHIBIT): _inhibit,
    ("device", HostCommand.GET_INHIBIT): _inhibit,
    ("host", HostCommand.SET_INHIBIT): _inhibit,
}
