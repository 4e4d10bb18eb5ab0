"""One write to a printer, or what it answered, in words (devices sheet §1.2, §1.3, §1.7).

The stream has no frames, so `raw` is a piece of it.  A piece that holds one command or answer bears its name; one that
holds more is ``stream`` and lists them.  A piece that ends inside a command is not valid.
"""

from __future__ import annotations

from kiosk.protocols.escpos.device_reader import CommandReader, Op
from kiosk.protocols.escpos.status import (
    Answer,
    Automatic,
    Block,
    Flow,
    Queued,
    RealTime,
    StatusReader,
)
from kiosk.protocols.explained import UNKNOWN, Explained, Field, Keys, Sender, refused

#: Longest piece that is explained; the printer driver writes 512 bytes, or one longer command, at once.
MAX_PIECE = 8_192
#: Most commands or answers of one piece that are listed.
MAX_LISTED = 64

_STATUS = {1: "printer", 2: "off_line_cause", 3: "error", 4: "roll_sensor", 0x11: "print", 0x14: "full", 0x15: "id",
           0x16: "extended"}  # fmt: skip
_RECOVERIES = {1: "retry", 2: "clear"}
_PRESENTER = {2: "retract", 3: "show", 5: "eject", 6: "status"}
_FULL_HEAD = b"\x10\x0f"


def explain(raw: bytes, sender: Sender, keys: Keys) -> Explained:
    """Say what a piece of the stream holds; `keys` are not needed."""
    if not raw:
        return refused("empty")
    if len(raw) > MAX_PIECE:
        return refused("overflow", bytes=len(raw))
    return _commands(raw) if sender == "host" else _answers(raw)


def _one_or_all(found: list[tuple[str, dict[str, Field]]]) -> Explained:
    if len(found) == 1:
        return Explained(True, *found[0])
    listed: list[Field] = [{"name": name, **fields} for name, fields in found[:MAX_LISTED]]
    return Explained(True, "stream", {"count": len(found), "parts": listed})


# --- the host's commands ----------------------------------------------------------------------------------------


def _commands(raw: bytes) -> Explained:
    found: list[tuple[str, dict[str, Field]]] = []
    reader = CommandReader(MAX_PIECE)
    reader.buffer.fill(raw)
    while reader.busy:
        before = reader.buffer.peek(0, 4)
        op = reader.next()
        if op is None:
            return refused("partial", complete=len(found))
        found.append(_real_time(before) if before[:1] == b"\x10" else _command(op, before))
    return _one_or_all(found)


def _real_time(raw: bytes) -> tuple[str, dict[str, Field]]:
    head, argument = raw[:2], raw[2] if len(raw) > 2 else -1
    if head == b"\x10\x04":
        return "ask_status", {"n": argument, "kind": _STATUS.get(argument, UNKNOWN)}
    if head == b"\x10\x05":
        return "recover", {"n": argument, "how": _RECOVERIES.get(argument, UNKNOWN)}
    if raw[:3] == b"\x10\x14\x08":
        return "clear_buffers", {}
    if raw[:3] == b"\x10\x14\x01":
        return "drawer_pulse_now", {"pin": raw[3] if len(raw) > 3 else None}
    return UNKNOWN, {"bytes": head.hex()}


def _command(op: Op, raw: bytes) -> tuple[str, dict[str, Field]]:
    argument = op.args[0] if op.args else 0
    match op.name:
        case "text":
            return "text", {"count": len(op.args), "ascii": op.args.decode("ascii", "replace")[:80]}
        case "status":
            return "ask_queued_status", {"n": argument, "kind": {1: "paper", 2: "drawer"}.get(argument % 0x30, UNKNOWN)}
        case "asb":
            return "automatic_status", {"mask": argument}
        case "page":
            return "code_page", {"number": argument}
        case "presenter":
            steps: dict[str, Field] = {"steps": op.args[1]} if len(op.args) > 1 else {}
            return "presenter", {"n": argument, "what": _PRESENTER.get(argument, UNKNOWN), **steps}
        case "raster":
            width, height = int.from_bytes(op.args[1:3], "little"), int.from_bytes(op.args[3:5], "little")
            return "raster", {"width_bytes": width, "height": height}
        case "barcode":
            return "barcode", {"kind": argument, "ascii": op.payload.decode("ascii", "replace")[:80]}
        case "group_k" if op.payload[1:2] == b"P":
            return "qr_data", {"ascii": op.payload[3:].decode("ascii", "replace")[:80]}
        case "group_k":
            return "qr", {"function": op.payload[1:2].hex(), "value": op.payload[2:].hex()}
        case "group_H":
            return "completion_id", {"mark": op.payload[2:].decode("ascii", "replace")}
        case "ignored":  # known by its length only
            return UNKNOWN, {"bytes": raw[:2].hex()}
        case "unknown" | "unknown_group":
            return UNKNOWN, {"bytes": (op.args or raw[:1]).hex()}
    return op.name, {"arguments": op.args.hex()} if op.args else {}


# --- the printer's answers --------------------------------------------------------------------------------------


def _answers(raw: bytes) -> Explained:
    reader = StatusReader()
    if raw[:2] == _FULL_HEAD and len(raw) == 6:  # it looks like automatic status and two strays
        paper, user, recoverable, fatal = raw[2:]
        fields: dict[str, Field] = {"paper": paper, "user": user, "recoverable": recoverable, "unrecoverable": fatal}
        return Explained(True, "full_status", {**fields, "in_mouth": bool(paper & 0x20)})
    found = [_answer(answer) for answer in reader.feed(raw)]
    if left := reader.reset():
        return refused("partial", complete=len(found), left=left.hex())
    if any(name == "" for name, _ in found):
        return refused("mask", bytes=raw[:64].hex())
    return _one_or_all(found)


def _answer(answer: Answer) -> tuple[str, dict[str, Field]]:
    match answer:
        case RealTime(byte=byte):
            return "real_time_status", {"byte": byte, "bits": byte & 0x6C}
        case Automatic(data=data):
            return "automatic_status", {
                "drawer": bool(data[0] & 0x04), "off_line": bool(data[0] & 0x08), "cover": bool(data[0] & 0x20),
                "cutter": bool(data[1] & 0x08), "unrecoverable": bool(data[1] & 0x20),
                "recoverable": bool(data[1] & 0x44), "near_end": bool(data[2] & 0x03), "end": bool(data[2] & 0x0C),
            }  # fmt: skip
        case Queued(byte=byte):
            return "queued_status", {"byte": byte, "near_end": bool(byte & 0x03), "end": bool(byte & 0x0C)}
        case Flow(go=go):
            return ("xon" if go else "xoff"), {}
        case Block(head=0x37, body=body) if body[:1] == b"\x22":
            return "completion_id", {"mark": body[1:].decode("ascii", "replace")}
        case Block(head=0x37, body=b"\x25"):
            return "buffers_cleared", {}
        case Block(head=0x5F, body=body):
            return "identity", {"text": body.decode("ascii", "replace")}
        case Block(head=head, body=body):
            return UNKNOWN, {"bytes": bytes([head]).hex() + body.hex()}
    return "", {}
