"""The messages between a kiosk and a hub: typed, bounded, and read without ever trusting a length or a name.

A message is two frames, ``[head][payload]``, both MessagePack arrays (sync sheet §3).  The head tells the version
of the protocol, the type, the session fence that the hub gave with WELCOME (0 before), a number that grows with
every message of a connection, and whether the payload is compressed.  The types are a closed table; for each side
and each port it says what may arrive there.  Journal rows travel as the exact bytes that were hashed.

Nothing in a message says whose it is: that is the CURVE key of the connection, told by the socket.
"""

from __future__ import annotations

import zlib
from typing import Any, TypeVar

import msgspec

from kiosk.errors import WireError
from kiosk.sync.messages import (
    Ack,
    Ahead,
    Command,
    Delta,
    Done,
    End,
    Enrol,
    Enrolment,
    Hello,
    Journal,
    Message,
    Nack,
    Nudge,
    Ping,
    Pong,
    Pull,
    Seen,
    Snap,
    Status,
    Welcome,
)

#: Oldest and newest version of the protocol that this software speaks.
OLDEST, NEWEST = 1, 1
#: Bytes of one message, both frames; ZMQ_MAXMSGSIZE holds each frame to it before it is allocated (sync sheet §3).
LARGEST = 8 << 20
#: Most rows and most bytes of rows in one batch, before compression.
MOST_ROWS, MOST_BYTES = 1000, 512 << 10
#: What a head may weigh.
LARGEST_HEAD = 64
#: Compress from here on, where compression is asked for at all.
WORTH_COMPRESSING = 512

UP, DOWN, ENROL_UP, ENROL_DOWN = "up", "down", "enrol up", "enrol down"

#: Number on the wire -> (message, where it may arrive).
TYPES: dict[int, tuple[type[Message], str]] = {
    1: (Hello, UP), 2: (Welcome, DOWN), 3: (Journal, UP), 4: (Ack, DOWN), 5: (Nack, DOWN), 6: (Status, UP),
    7: (Ping, UP), 8: (Pong, DOWN), 9: (Pull, UP), 10: (Snap, DOWN), 11: (Delta, DOWN), 12: (End, DOWN),
    13: (Nudge, DOWN), 14: (Command, DOWN), 15: (Done, UP), 16: (Ahead, UP), 17: (Seen, DOWN),
    32: (Enrol, ENROL_UP), 33: (Enrolment, ENROL_DOWN),
}  # fmt: skip
_NUMBER = {message: number for number, (message, _) in TYPES.items()}
_DECODERS = {number: msgspec.msgpack.Decoder(message) for number, (message, _) in TYPES.items()}

M = TypeVar("M", bound=Message)


class Head(msgspec.Struct, frozen=True, array_like=True):
    """The first frame."""

    version: int
    type: int
    #: Session fence of the WELCOME that this connection got; 0 before.
    session: int
    #: Grows with every message of one sender on one connection, from 1.
    number: int
    #: Whether the payload is one zlib stream.
    packed: bool = False


_encoder = msgspec.msgpack.Encoder()
_head_decoder = msgspec.msgpack.Decoder(Head)


def encode(message: Message, *, session: int, number: int, pack: bool = False, version: int = NEWEST) -> list[bytes]:
    """Return the two frames of a message; `pack` compresses the payload where that makes it smaller."""
    payload = _encoder.encode(message)
    packed = False
    if pack and len(payload) >= WORTH_COMPRESSING:
        smaller = zlib.compress(payload, 1)
        if len(smaller) < len(payload):
            payload, packed = smaller, True
    return [_encoder.encode(Head(version, _NUMBER[type(message)], session, number, packed)), payload]


def read_head(frames: list[bytes], way: str) -> Head:
    """Read the first of exactly two frames and check that such a message may arrive this way.

    Raises:
        WireError: names what is wrong; `code` is what a NACK answers.
    """
    if len(frames) != 2:
        raise WireError(f"a message of {len(frames)} frames, not 2", code="malformed")
    if len(frames[0]) > LARGEST_HEAD or len(frames[0]) + len(frames[1]) > LARGEST:
        raise WireError(f"a message of {len(frames[0]) + len(frames[1])} bytes", code="too_large")
    try:
        head = _head_decoder.decode(frames[0])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"the head cannot be read: {str(error)[:120]}", code="malformed") from error
    if not OLDEST <= head.version <= NEWEST:
        raise WireError(f"version {head.version} of the protocol, not {OLDEST} to {NEWEST}", code="version")
    known = TYPES.get(head.type)
    if known is None or known[1] != way:
        raise WireError(f"a message of type {head.type} does not go {way}", code="malformed")
    return head


def read_payload(head: Head, payload: bytes) -> Message:
    """Read the second frame.

    Raises:
        WireError: it cannot be unpacked within `LARGEST` bytes, or is not the message that the head names.
    """
    if head.packed:
        payload = _unpacked(payload)
    try:
        message: Message = _DECODERS[head.type].decode(payload)
        return message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # the last: arrays within arrays
        name = TYPES[head.type][0].__name__
        raise WireError(f"{name} cannot be read: {str(error)[:160]}", code="malformed") from error


def decode(frames: list[bytes], way: str) -> tuple[Head, Message]:
    """Read a whole message that arrived this way.

    Raises:
        WireError: see `read_head` and `read_payload`.
    """
    head = read_head(frames, way)
    return head, read_payload(head, frames[1])


def _unpacked(payload: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        whole = stream.decompress(payload, LARGEST)
    except zlib.error as error:
        raise WireError(f"the payload cannot be unpacked: {str(error)[:80]}", code="malformed") from error
    if not stream.eof or stream.unused_data:
        raise WireError("the payload unpacks to more than is taken, or is not whole", code="too_large")
    return whole


def describe(message: Any) -> str:
    """Return the name of a message for logs and findings."""
    return type(message).__name__.upper()
