"""The ZAP handler: decides at the handshake who may open a connection (RFC 27/ZAP).

libzmq asks over an inproc socket of the same context, once a handshake, and names the domain that the listening
socket was given; a domain that is not ours is refused.  The answer's user id, the key in Z85, comes back with every
message of that connection as ``User-Id``.  The handshake is a first sieve only: it runs once, so the loop looks the
key up again for every message (sync sheet §4).
"""

from __future__ import annotations

import zmq
from zmq.utils import z85

from kiosk.hub.front.refusals import Refusals
from kiosk.hub.front.registry import Registry

ADDRESS = "inproc://zeromq.zap.01"
JOURNAL, ENROL = b"kiosk-journal", b"kiosk-enrol"
#: Standing of a registered key -> code of the finding.
_FINDINGS = {"revoked": "revoked_key", "pending": "pending_key"}


def open_handler(context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    """Open the handler's socket; before any socket with a ZAP domain is bound."""
    socket = context.socket(zmq.REP)
    socket.linger = 0
    socket.bind(ADDRESS)
    return socket


def answer(request: list[bytes], registry: Registry, refusals: Refusals) -> list[bytes]:
    """Return the answer to one request."""
    if len(request) < 6 or request[0] != b"1.0":
        return [b"1.0", request[1] if len(request) > 1 else b"", b"500", b"not a request", b"", b""]
    version, number, domain, address, _, mechanism, *credentials = request
    if mechanism != b"CURVE" or len(credentials) != 1 or len(credentials[0]) != 32:
        return [version, number, b"400", b"CURVE only", b"", b""]
    key: bytes = z85.encode(credentials[0])
    if domain == ENROL:
        return [version, number, b"200", b"OK", key, b""]
    if domain != JOURNAL:
        return [version, number, b"400", b"no such domain", b"", b""]
    found = registry.keys.get(key.decode())
    if found is not None and found.standing == "approved":
        return [version, number, b"200", b"OK", key, b""]
    where = address.decode("ascii", "replace")[:60]
    if found is None:
        refusals.note("unknown_key", detail=f"key {key.decode()[:10]}… is not registered", where=where)
    else:
        refusals.note(_FINDINGS[found.standing], found.kiosk, f"key {key.decode()[:10]}… from {where}")
    return [version, number, b"400", b"not admitted", b"", b""]
