"""Explains one captured CCNET frame (CCNET sheet §2, §3, §5, §6, §8)."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.errors import FrameError
from kiosk.protocols.ccnet.codes import (
    BILL_TO_BILL_COMMANDS,
    BILL_TO_BILL_STATES,
    DeviceState,
    HostCommand,
    Unknown,
    device_state,
    failure_code,
    host_command,
    reject_reason,
)
from kiosk.protocols.ccnet.frames import MAX_LENGTH, MIN_LENGTH, SYNC
from kiosk.protocols.ccnet.payloads import (
    IDENTIFICATION_SIZE,
    MASK_SIZE,
    TABLE_SIZE,
    mask_types,
    parse_bill_table,
    parse_identification,
)
from kiosk.protocols.explained import NO_KEYS, UNKNOWN, Explained, Field, Keys, Sender, refused
from kiosk.protocols.framing import crc16_kermit

_DEVICES = {1: "bill_to_bill", 2: "coin_changer", 3: "bill_validator", 4: "card_reader"}


def explain(raw: bytes, sender: Sender, keys: Keys = NO_KEYS) -> Explained:
    """Say what a frame means; `keys` has nothing for CCNET.

    Replies to IDENTIFICATION, GET BILL TABLE and GET STATUS carry no code: they are known by their length, which no
    state has.
    """
    trouble = _trouble(raw)
    if trouble:
        return refused(trouble, length=len(raw))
    data = raw[3:-2]
    fields: dict[str, Field] = {"address": raw[1], "device": _DEVICES.get(raw[1], UNKNOWN)}
    name, more = _host(data) if sender == "host" else _device(data)
    return Explained(True, name, fields | more)


def _trouble(raw: bytes) -> str:
    if not raw or raw[0] != SYNC:
        return "does not begin with 02"
    if len(raw) < MIN_LENGTH:
        return f"{len(raw)} bytes are too few, a frame has at least {MIN_LENGTH}"
    if raw[2] == 0:
        return "length byte 0: a download block, which is not read here"
    if not MIN_LENGTH <= raw[2] <= MAX_LENGTH:
        return f"the length byte {raw[2]} is impossible"
    if raw[2] != len(raw):
        return f"the length byte says {raw[2]} bytes, there are {len(raw)}"
    right = crc16_kermit(raw[:-2]).to_bytes(2, "little")
    return "" if raw[-2:] == right else f"the CRC is {raw[-2:].hex(' ')}, {right.hex(' ')} is right"


def _host(data: bytes) -> tuple[str, dict[str, Field]]:
    fields: dict[str, Field] = {"code": f"{data[0]:02x}"}
    if len(data) > 1:
        fields["data"] = data[1:].hex()
    found = host_command(data[0])
    if isinstance(found, Unknown):
        family = data[0] in BILL_TO_BILL_COMMANDS
        name = BILL_TO_BILL_COMMANDS.get(data[0], "") or UNKNOWN
        return name, fields | ({"family": "bill_to_bill"} if family else {})
    reader = _HOST_READERS.get(found)
    return found.name.lower(), fields | (reader(data[1:]) if reader else {})


def _device(data: bytes) -> tuple[str, dict[str, Field]]:
    if len(data) in (IDENTIFICATION_SIZE, TABLE_SIZE, 2 * MASK_SIZE, 3 * MASK_SIZE):
        return _reply(data)
    fields: dict[str, Field] = {"code": f"{data[0]:02x}"}
    if len(data) > 1:
        fields["data"] = data[1:].hex()
    found = device_state(data[0])
    if len(data) > 3:  # longer than any state: CRC, options, statistics, a coupon's text
        return UNKNOWN, {"data": data.hex()}
    if isinstance(found, Unknown):
        return UNKNOWN, fields | ({"family": "bill_to_bill"} if data[0] in BILL_TO_BILL_STATES else {})
    reader = _DEVICE_READERS.get(found)
    return found.name.lower(), fields | (reader(data[1:]) if reader and len(data) > 1 else {})


def _reply(data: bytes) -> tuple[str, dict[str, Field]]:
    if len(data) == IDENTIFICATION_SIZE:
        who = parse_identification(data)
        return "identification", {"part": who.part, "serial": who.serial, "asset": who.asset}
    if len(data) == TABLE_SIZE:
        return "bill_table", _table(data)
    fields: dict[str, Field] = {"enabled": _types(data), "high_security": _types(data[MASK_SIZE:])}
    if len(data) > 2 * MASK_SIZE:
        fields["routing"] = data[2 * MASK_SIZE :].hex()
    return "status", fields


def _table(data: bytes) -> dict[str, Field]:
    try:
        slots = parse_bill_table(data)
    except FrameError as error:
        return {"table_error": error.message}
    return {
        "bills": [
            {
                "bill_type": slot.bill_type, "country": slot.country, "currency": slot.currency,
                "value": slot.digit * 10**slot.exponent if slot.exponent >= 0 else f"{slot.digit}E{slot.exponent}",
            }
            for slot in slots
        ]
    }  # fmt: skip


def _types(mask: bytes) -> list[Field]:
    return list(mask_types(mask))


def _enable(data: bytes) -> dict[str, Field]:
    return {"enabled": _types(data), "escrow": _types(data[MASK_SIZE:])} if len(data) == 2 * MASK_SIZE else {}


def _security(data: bytes) -> dict[str, Field]:
    return {"high_security": _types(data)} if len(data) == MASK_SIZE else {}


def _timeouts(data: bytes) -> dict[str, Field]:
    if len(data) != 8:
        return {}
    return {"notes_ms": int.from_bytes(data[:4], "big"), "coupons_ms": int.from_bytes(data[4:], "big")}


def _barcode(data: bytes) -> dict[str, Field]:
    return {"format": f"{data[0]:02x}", "characters": data[1]} if len(data) == 2 else {}


def _bill_type(data: bytes) -> dict[str, Field]:
    return {"bill_type": data[0]}


def _reason(data: bytes) -> dict[str, Field]:
    return {"reason": f"{data[0]:02x}", "reason_name": reject_reason(data[0]).name}


def _failure(data: bytes) -> dict[str, Field]:
    return {"failure": f"{data[0]:02x}", "failure_name": failure_code(data[0]).name}


_Reader = Callable[[bytes], dict[str, Field]]
_HOST_READERS: dict[HostCommand, _Reader] = {
    HostCommand.ENABLE_BILL_TYPES: _enable,
    HostCommand.SET_SECURITY: _security,
    HostCommand.SET_ESCROW_TIMEOUTS: _timeouts,
    HostCommand.SET_BARCODE_PARAMETERS: _barcode,
}
_DEVICE_READERS: dict[DeviceState, _Reader] = {
    DeviceState.ESCROW_POSITION: _bill_type,
    DeviceState.BILL_STACKED: _bill_type,
    DeviceState.BILL_RETURNED: _bill_type,
    DeviceState.REJECTING: _reason,
    DeviceState.FAILURE: _failure,
}
