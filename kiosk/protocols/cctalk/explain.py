"""Explains one captured ccTalk frame (ccTalk sheet §2, §4 to §6, §12).

The form of the frame is told by `keys`: the checksum a unit is set to, and the key of an encrypted one.  A reply names
no request, so its data is told as what it can be: text where it is printable, an event buffer where it has eleven
bytes, otherwise the bare bytes and, for the sizes of serials and counters, the number they would be.
"""

from __future__ import annotations

from collections.abc import Callable

from kiosk.errors import FrameError
from kiosk.protocols.cctalk.event_buffer import DEPTH, parse_events
from kiosk.protocols.cctalk.frames import BROADCAST, MIN_LENGTH, FrameFault, Framing
from kiosk.protocols.cctalk.headers import (
    HOPPER_ENABLE,
    REPLY_HEADERS,
    ROUTE_EXTEND,
    ROUTE_RETURN,
    ROUTE_STACK,
    Header,
    address_name,
    header_name,
)
from kiosk.protocols.cctalk.payloads import accepted, number
from kiosk.protocols.explained import NO_KEYS, UNKNOWN, Explained, Field, Keys, Sender, refused

_ROUTES = {ROUTE_RETURN: "return", ROUTE_STACK: "stack", ROUTE_EXTEND: "extend_escrow"}


def explain(raw: bytes, sender: Sender, keys: Keys = NO_KEYS) -> Explained:
    """Say what a frame means."""
    try:
        framing = Framing("crc" if keys.checksum == "crc" else "simple", keys.cctalk)
    except FrameError as error:
        return refused(error.message, length=len(raw))
    frame = framing.decode(raw)
    if isinstance(frame, FrameFault):
        return refused(_trouble(raw, framing), length=len(raw))
    fields: dict[str, Field] = {"destination": frame.destination, "destination_name": address_name(frame.destination)}
    if frame.source is not None:
        fields["source"] = frame.source
    fields["header"] = frame.header
    if frame.data:
        fields["data"] = frame.data.hex()
    if framing.encrypted:
        fields["encrypted"] = True
    if sender == "device":
        name = _reply_name(frame.header, frame.data)
        return Explained(True, name, fields | (_reply(frame.data) if name == "reply" else {}))
    name = UNKNOWN if frame.header in REPLY_HEADERS else header_name(frame.header)
    fields |= _request(frame.header, frame.data)
    if frame.destination == BROADCAST and name == "reset_device" and frame.data:
        fields["suspicious"] = "a reset with data: noise before another frame makes one, and units ignore it"
    return Explained(True, name, fields)


def _trouble(raw: bytes, framing: Framing) -> str:
    if len(raw) < MIN_LENGTH:
        return f"shorter than {MIN_LENGTH} bytes"
    if len(raw) != MIN_LENGTH + raw[1]:
        return f"the length byte announces {MIN_LENGTH + raw[1]} bytes, there are {len(raw)}"
    if framing.encrypted:
        return "the CRC is wrong, or the key is another one"
    mine, other = ("checksum", "CRC") if framing.checksum == "simple" else ("CRC", "simple checksum")
    fits = not isinstance(Framing("crc" if framing.checksum == "simple" else "simple").decode(raw), FrameFault)
    return f"the {mine} is wrong" + (f", but the {other} would be right" if fits else "")


# --- replies ----------------------------------------------------------------------------------------------------


def _reply_name(header: int, data: bytes) -> str:
    if header == Header.REPLY:
        return "reply" if data else "ack"
    return {Header.NAK: "nak", Header.BUSY: "busy"}.get(Header(header), UNKNOWN) if header in REPLY_HEADERS else UNKNOWN


def _reply(data: bytes) -> dict[str, Field]:
    if len(data) >= 3 and all(0x20 <= byte < 0x7F for byte in data):
        return {"text": data.decode("ascii")} | _number(data)
    if len(data) == 1 + 2 * DEPTH:
        buffer = parse_events(data)
        pairs: list[Field] = [[first, second] for first, second in buffer.pairs]
        return {"event_counter": buffer.counter, "events_newest_first": pairs}
    return _number(data)


def _number(data: bytes) -> dict[str, Field]:
    if len(data) == 1:
        return {"value": data[0]}
    return {"number_low_byte_first": number(data)} if len(data) in (2, 3, 4) else {}


# --- requests ---------------------------------------------------------------------------------------------------


def _one(name: str) -> Callable[[bytes], dict[str, Field]]:
    return lambda data: {name: data[0]}


def _flag(data: bytes) -> dict[str, Field]:
    return {"accepts": bool(data[0] & 1)}


def _mode(data: bytes) -> dict[str, Field]:
    return {"stacker": bool(data[0] & 1), "escrow": bool(data[0] & 2)}


def _dispense(data: bytes) -> dict[str, Field]:
    return {"coins": data[-1], "security": data[:-1].hex()}


_REQUESTS: dict[int, Callable[[bytes], dict[str, Field]]] = {
    Header.REQUEST_COIN_ID: _one("coin_position"),
    Header.REQUEST_BILL_ID: _one("bill_type"),
    Header.ADDRESS_CHANGE: _one("new_address"),
    Header.SET_ACCEPT_LIMIT: _one("coins"),
    Header.REQUEST_SORTER_PATHS: _one("coin_position"),
    Header.MODIFY_INHIBIT: lambda data: {"accepted": list(accepted(data))},
    Header.MODIFY_MASTER_INHIBIT: _flag,
    Header.MODIFY_BILL_OPERATING_MODE: _mode,
    Header.ROUTE_BILL: lambda data: {"route": data[0], "route_name": _ROUTES.get(data[0], UNKNOWN)},
    Header.REQUEST_COUNTRY_SCALING_FACTOR: lambda data: {"country": data[:2].decode("ascii", "replace")},
    Header.ENABLE_HOPPER: lambda data: {"enables": data[0] == HOPPER_ENABLE},
    Header.DISPENSE_HOPPER_COINS: _dispense,
}


def _request(header: int, data: bytes) -> dict[str, Field]:
    reader = _REQUESTS.get(header)
    return reader(data) if reader is not None and data else {}
