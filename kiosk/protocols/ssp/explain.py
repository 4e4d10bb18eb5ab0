"""One captured SSP frame, explained for people (SSP sheet §2, §5 to §8, §13).

A reply does not repeat the command it answers, so what follows F0 can only be told as bytes, and *also* as poll events
where it reads as such; ``read_as_protocol`` says at which protocol version it did.  A sealed frame is opened with the
session's key and its inside explained in the same words; without a key it is a good frame named ``encrypted_block``.
"""

from __future__ import annotations

from kiosk.protocols.explained import Explained, Field, Keys, Sender, refused
from kiosk.protocols.ssp.codes import PARAMETERS, Command, EventCode, Response, event_rule, name_of
from kiosk.protocols.ssp.crypto import BLOCK, STEX, BlockFault, open_block
from kiosk.protocols.ssp.frames import Decoder, Frame
from kiosk.protocols.ssp.payloads import Event, Reading, amounts, channels_of, read_events

#: Protocol versions in the order in which a reply is tried: the sizes of 6 to 8 are the same.
_VERSIONS = (8, 5, 9)
#: From here on addresses belong to units that pay out coins.
_FIRST_HOPPER = 0x10
#: What a frame's fault means to whoever has the bytes in front of them.
_FAULTS = {
    "checksum": "checksum: the CRC does not fit the bytes",
    "length": "length: the length byte is 0",
    "address": "address: above 7D",
    "noise": "noise: bytes before the 7F that a frame begins with, or behind its CRC",
    "partial": "partial: the frame ends before its CRC, or a single 7F begins another one in it",
}
#: The same of an encrypted block.
_BLOCK_FAULTS = {
    "checksum": "encrypted block: checksum: another key, or a damaged block",
    "inner_length": "encrypted block: inner_length: another key, or a damaged block",
}
_BAUD = {0: 9600, 1: 38400, 2: 115200}


def explain(raw: bytes, sender: Sender, keys: Keys) -> Explained:
    """Explain one frame as it was on the wire, stuffing included."""
    decoder = Decoder()
    found = decoder.feed(raw)
    if len(found) == 1 and not decoder.pending and isinstance(found[0], Frame) and found[0].raw == raw:
        return _frame(found[0], sender, keys)
    if not raw:
        return refused("no bytes")
    kinds = [item.kind for item in found if not isinstance(item, Frame)]
    if kinds:
        return refused(_FAULTS.get(kinds[0], kinds[0]))
    return refused("more than one frame" if found else _FAULTS["partial"])


def _frame(frame: Frame, sender: Sender, keys: Keys) -> Explained:
    fields: dict[str, Field] = {"address": frame.address, "sequence": frame.flag}
    if frame.data[0] != STEX:
        name, inner = _inside(frame.data, sender, frame.address)
        return Explained(True, name, {**fields, "encrypted": False, **inner})
    fields["encrypted"] = True
    if (len(frame.data) - 1) % BLOCK or len(frame.data) == 1:
        return refused("not whole cipher blocks", **fields)
    if keys.essp is None:
        return Explained(True, "encrypted_block", {**fields, "blocks": (len(frame.data) - 1) // BLOCK})
    if len(keys.essp) != 16:
        return refused("an eSSP key has 16 bytes", **fields)
    opened = open_block(keys.essp, frame.data)
    if isinstance(opened, BlockFault):
        return refused(_BLOCK_FAULTS.get(opened.kind, f"encrypted block: {opened.kind}"), **fields)
    name, inner = _inside(opened.data, sender, frame.address)
    return Explained(True, name, {**fields, "count": opened.count, **inner})


def _inside(data: bytes, sender: Sender, address: int) -> tuple[str, dict[str, Field]]:
    code = data[0]
    if sender == "device":
        return name_of(code, Response), {"code": f"{code:02x}", **_reply(code, data[1:], address)}
    fields: dict[str, Field] = {"code": f"{code:02x}"}
    if data[1:]:
        fields["data"] = data[1:].hex()
    low, high = PARAMETERS.get(code, (0, 0))
    if code in Command._value2member_map_ and not low <= len(data) - 1 <= high:
        fields["wrong_number_of_parameters"] = True
    elif code in Command._value2member_map_:
        fields.update(_parameters(code, data[1:]))
    return name_of(code, Command), fields


def _parameters(code: int, data: bytes) -> dict[str, Field]:
    number = int.from_bytes(data, "little")
    if code == Command.SET_INHIBITS:
        return {"channels": [*channels_of(data)]}
    if code == Command.HOST_PROTOCOL_VERSION:
        return {"version": data[0]}
    if code == Command.SET_GENERATOR:
        return {"generator": number}
    if code == Command.SET_MODULUS:
        return {"modulus": number}
    if code == Command.REQUEST_KEY_EXCHANGE:
        return {"host_intermediate": number}
    if code == Command.SET_BAUD_RATE:
        return {"baud": _BAUD.get(data[0]), "persistent": bool(data[1])}
    if code == Command.SET_ENCRYPTION_KEY:
        return {"fixed_key": f"{number:016x}"}
    if code == Command.CONFIGURE_BEZEL:
        return {"red": data[0], "green": data[1], "blue": data[2], "stored": bool(data[3])}
    if code == Command.SET_BARCODE_INHIBIT:  # a clear bit enables (sheet §12)
        return {"currency": not data[0] & 1, "barcode": not data[0] & 2}
    return {}


def _reply(code: int, data: bytes, address: int) -> dict[str, Field]:
    if not data:
        return {}
    fields: dict[str, Field] = {"data": data.hex()}
    if code == Response.CANNOT_BE_PROCESSED:
        fields["error_code"] = data[0]
    if code != Response.OK or event_rule(data[0]) is None:
        return fields
    version, reading, payout = _best(data, address)
    fields["read_as_protocol"] = version
    fields["events"] = [_event(event, version, payout) for event in reading.events]
    if reading.problem:
        fields[reading.problem] = reading.rest[:1].hex()
    return fields


def _best(data: bytes, address: int) -> tuple[int, Reading, bool]:
    """Read at the first version at which everything fits; where none does, at the first one."""
    hopper = address >= _FIRST_HOPPER
    tries = [(version, payout) for payout in (hopper, not hopper) for version in _VERSIONS]
    readings = [(version, read_events(data, version, payout=payout), payout) for version, payout in tries]
    return next((reading for reading in readings if not reading[1].problem), readings[0])


def _event(event: Event, version: int, payout: bool) -> dict[str, Field]:
    told: dict[str, Field] = {"event": event.name, "code": f"{event.code:02x}"}
    money = amounts(event, version, payout=payout)
    if money:
        told["amounts"] = [{"minor": minor, "country": country} for minor, country in money]
    elif event.code in (EventCode.READ, EventCode.CREDIT, EventCode.FRAUD_ATTEMPT) or event.code in (0xE1, 0xE2):
        told["channel"] = event.channel
    elif event.data:
        told["data"] = event.data.hex()
    return told
