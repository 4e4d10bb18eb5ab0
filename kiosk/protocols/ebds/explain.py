"""Explains one captured EBDS frame (EBDS sheet §2 to §7)."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from kiosk.model.money import MINOR_DIGITS
from kiosk.protocols.ebds.codes import (
    COMMAND_BYTES,
    ENQ,
    MAX_NOTE_VALUE,
    MODELS,
    RETRIEVED,
    STATUS_BYTES,
    Classification,
    Condition,
    Facility,
    MessageType,
    Operation,
    PowerUpPolicy,
    Query,
    Report,
    Setting,
    State,
    Subtype,
    Unknown,
    message_type,
    query,
    subtype,
)
from kiosk.protocols.ebds.frames import Frame, fault_in, frame_of, seven_bits
from kiosk.protocols.ebds.payloads import (
    BARCODE_BYTES,
    RECORD_BYTES,
    NoteRecord,
    Status,
    auxiliary_text,
    barcode_text,
    enabled_notes,
    is_blank,
    is_crc_reply,
    parse_command,
    parse_part_number,
    parse_record,
    parse_status,
    parse_value_table,
)
from kiosk.protocols.explained import NO_KEYS, UNKNOWN, Explained, Field, Keys, Sender, refused

#: Kind of a `FrameFault` → why the frame is refused.
_TROUBLE = {
    "noise": "does not begin with 02",
    "partial": "shorter than the length byte says",
    "length": "the length byte does not fit the frame",
    "end": "03 does not stand before the checksum",
    "checksum": "the checksum is wrong",
}
#: More than any frame.
_MAX_BYTES = 256
_SOFT_RESET = bytes((0x7F, 0x7F, Query.SOFT_RESET))
#: The state that names a reply, the first that is set: events come with idling.
_NAMING = (
    State.STACKED, State.RETURNED, State.ESCROWED, State.STACKING, State.RETURNING, State.ACCEPTING, State.IDLING,
)  # fmt: skip


def explain(raw: bytes, sender: Sender, keys: Keys = NO_KEYS) -> Explained:
    """Say what a frame means; `keys` has nothing for EBDS."""
    masked = seven_bits(raw[:_MAX_BYTES])
    if masked == bytes((ENQ,)) and sender == "device":
        return Explained(True, "enquiry")
    fault = fault_in(masked)
    if fault:
        return refused(_TROUBLE[fault], length=len(raw))
    frame = frame_of(masked)
    name, told = _message(frame, sender)
    fields: dict[str, Field] = {"toggle": frame.toggle}
    if frame.device:
        fields["device_type"] = "recycler" if frame.device == 1 else frame.device
    return Explained(True, name, fields | told)


def _message(frame: Frame, sender: Sender) -> tuple[str, dict[str, Field]]:
    kind = message_type(frame.kind)
    if kind is MessageType.COMMAND:
        return _command(frame.data)
    if kind is MessageType.REPLY:
        return _reply(frame.data)
    if kind is MessageType.AUXILIARY:
        return _auxiliary(frame.data, sender)
    if kind is MessageType.EXTENDED:
        return _extended(frame.data, sender)
    told: dict[str, Field] = {"message_type": frame.kind, "data": frame.data.hex()}
    return (UNKNOWN if isinstance(kind, Unknown) else kind.name.lower()), told


def _words(bits: int, names: Iterable[enum.IntFlag]) -> list[Field]:
    return [str(flag.name).lower() for flag in names if bits & flag]


def _command(data: bytes) -> tuple[str, dict[str, Field]]:
    command = parse_command(data)
    if command is None or len(data) != COMMAND_BYTES:
        return UNKNOWN, {"data": data.hex()}
    name = {
        Operation.STACK: "stack", Operation.RETURN: "return", Operation.STACK | Operation.RETURN: "stack_and_return",
    }.get(command.operation & (Operation.STACK | Operation.RETURN), "poll")  # fmt: skip
    return name, _orders(data)


def _orders(data: bytes) -> dict[str, Field]:
    """Tell the three bytes that each command of the host carries."""
    command = parse_command(data)
    if command is None:
        return {}
    policies: dict[int, Field] = {int(policy): policy.name for policy in PowerUpPolicy}
    return {
        "enabled": [bit + 1 for bit in range(MAX_NOTE_VALUE) if command.enabled >> bit & 1],
        "orientation": command.orientation,
        "escrow": bool(command.operation & Operation.ESCROW),
        "power_up_policy": policies.get(command.policy, command.policy),
        "extended_note": bool(command.setting & Setting.EXTENDED_NOTE),
        "barcode": bool(command.setting & Setting.BARCODE),
    }


def _reply(data: bytes) -> tuple[str, dict[str, Field]]:
    status = parse_status(data)
    if status is None or len(data) != STATUS_BYTES:
        return UNKNOWN, {"data": data.hex()}
    return _state_name(status), _status(status)


def _state_name(status: Status) -> str:
    for state in _NAMING:
        if state in status.state:
            return str(state.name).lower()
    return "power_up" if Report.POWER_UP in status.report else "out_of_service"


def _status(status: Status) -> dict[str, Field]:
    reports = (Report.POWER_UP, Report.INVALID_COMMAND, Report.FAILURE, Report.TRANSPORT_OPEN)
    told: dict[str, Field] = {
        "state": _words(status.state, State),
        "condition": _words(status.condition, Condition) + _words(status.report, reports),
        "facility": _words(status.facility, Facility),
        "model": f"{status.model:02x}",
        "revision": f"{status.revision:02x}",
    }
    if status.model in MODELS:
        told["model_name"] = MODELS[status.model]
    if status.note_value:
        told["note_value"] = status.note_value
    return told


def _auxiliary(data: bytes, sender: Sender) -> tuple[str, dict[str, Field]]:
    if sender == "host":
        if data == _SOFT_RESET:
            return "soft_reset", {}
        asked = query(data[2]) if len(data) == 3 and not any(data[:2]) else Unknown(0)
        return (UNKNOWN, {"data": data.hex()}) if isinstance(asked, Unknown) else (f"query_{asked.name.lower()}", {})
    if is_crc_reply(data):
        return "software_crc", {"crc": "".join(f"{nibble:x}" for nibble in data[:4])}
    part = parse_part_number(data)
    if part is not None:
        return "part_number", {"project": part.project, "check": part.check, "version": part.version, "text": part.text}
    return "auxiliary_reply", {"text": auxiliary_text(data), "data": data.hex()}


def _extended(data: bytes, sender: Sender) -> tuple[str, dict[str, Field]]:
    kind = subtype(data[0]) if data else Unknown(0)
    if isinstance(kind, Unknown):
        return UNKNOWN, {"data": data.hex()}
    name = f"extended_{kind.name.lower()}"
    if sender == "host":
        rest = data[1 + COMMAND_BYTES :]
        return name, _orders(data[1:]) | _asked(kind, rest)
    status, rest = parse_status(data[1:]), data[1 + STATUS_BYTES :]
    if status is None:
        return UNKNOWN, {"data": data.hex()}
    return name, _status(status) | _answered(kind, rest)


def _asked(kind: Subtype, rest: bytes) -> dict[str, Field]:
    if kind is Subtype.NOTE and rest:
        return {"index": rest[0]}
    if kind is Subtype.INHIBITS:
        return {"enabled_notes": list(enabled_notes(rest))}
    if kind is Subtype.ESCROW_TIMEOUT and len(rest) >= 2:
        return {"note_timeout_s": rest[0], "barcode_timeout_s": rest[1]}
    if kind is Subtype.NOTE_RETRIEVED and rest:
        return {"wanted": bool(rest[0])}
    return {"data": rest.hex()} if rest else {}


def _answered(kind: Subtype, rest: bytes) -> dict[str, Field]:
    if kind is Subtype.NOTE and len(rest) >= RECORD_BYTES:
        if is_blank(rest[:RECORD_BYTES]):
            return {"index": rest[0], "blank": True}
        record = parse_record(rest)
        return {"data": rest.hex()} if record is None else _note(record, rest[15])
    if kind is Subtype.VALUE_TABLE:
        rows: list[Field] = [{"note_value": row.value, **_kind(row.record)} for row in parse_value_table(rest)]
        return {"values": rows}
    if kind is Subtype.BARCODE:
        return {"barcode": barcode_text(rest[:BARCODE_BYTES])}
    if kind is Subtype.NOTE_RETRIEVED and rest:
        return {"event": {RETRIEVED: "retrieved", 0: "refused", 1: "accepted"}.get(rest[0], UNKNOWN)}
    return {"data": rest.hex()} if rest else {}


def _kind(record: NoteRecord) -> dict[str, Field]:
    told: dict[str, Field] = {"currency": record.currency, "base": record.base, "exponent": record.exponent}
    whole, digits = record.minor(0), MINOR_DIGITS.get(record.currency)
    if whole is not None:
        told["value"] = whole
    if digits is not None:
        told["value_minor"] = record.minor(digits)
    return told


def _note(record: NoteRecord, classification: int) -> dict[str, Field]:
    names = {int(kind): kind.name.lower() for kind in Classification}
    return {
        "index": record.index,
        **_kind(record),
        "orientation": record.orientation,
        "version": record.version,
        "classification": names.get(classification, UNKNOWN),
    }
