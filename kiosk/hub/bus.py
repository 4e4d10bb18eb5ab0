"""What the front hands to the hub's other processes, and what comes back.

The front binds one ``ipc`` PAIR for each worker and one for the librarian in the runtime directory, so that nothing
has a routing id.  Forwarded: ``[Envelope][head][payload]``; back: ``[Envelope][head][payload]`` for one peer, or an
envelope alone.  ZAP metadata is lost when a message is forwarded (sync sheet §3), so the envelope carries who it was:
the id that the front looked up for the authenticated key of *this* message, never a field of it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

#: Messages that wait for a worker before the front answers BUSY.
DEPTH = 64


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """Around every message between the front and a worker."""

    #: Routing id that the ROUTER gave the connection; names it as long as it lives.
    peer: bytes
    #: Registered id of the authenticated key.
    kiosk: str
    realm: str
    #: Z85 key that was authenticated.
    key: str
    received_ns: int
    #: From a worker: this session is fenced off or ended, the front may forget the peer.
    ended: bool = False


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Envelope)


def pack(envelope: Envelope) -> bytes:
    """Return the first frame."""
    return _encoder.encode(envelope)


def unpack(frame: bytes) -> Envelope:
    """Read the first frame of a message between the hub's own processes."""
    return _decoder.decode(frame)


def worker_address(runtime: Path, worker: int) -> str:
    """Return where the front meets a worker."""
    return f"ipc://{runtime}/worker-{worker}"


def librarian_address(runtime: Path) -> str:
    """Return where the front meets the librarian."""
    return f"ipc://{runtime}/librarian"
