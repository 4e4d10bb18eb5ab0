"""Enrolment: how a kiosk and a hub come to trust each other, without ever trusting whoever answers first.

    operator   kiosk hub enrol K07      a one-time code (128 bit, one day), the hub's key, its fingerprint
    technician kiosk.toml               address and fingerprint of the hub
               kiosk sync enrol --hub-key KEY --code CODE
    kiosk      ENROL  both public keys, HMAC with the code, signature of the journal key
    hub        pending, and six words; the operator compares them with those at the kiosk, and approves
    kiosk      the hub's keys are kept; from here on the journal's port admits the kiosk

CURVE needs the server's key before the first byte, so the key travels with the code, and the fingerprint in the
configuration, which took another way, must agree with it.  The signed bytes name the hub's key: an ENROL that one
hub was given is of no use at another.  A connection that was refused never tries again by itself (sync sheet §4),
so every question is a new socket.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

import msgspec
import zmq

from kiosk.errors import SyncError
from kiosk.sync import wire
from kiosk.sync.keys import TransportKey, fingerprint, raw_key
from kiosk.sync.messages import Enrol, Enrolment

#: What the signed bytes begin with; the core signs nothing else for this purpose.
DOMAIN = b"kiosk-enrol-v1\0"
_PROOF_DOMAIN = b"kiosk-enrol-proof-v1\0"
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ = {letter: at for at, letter in enumerate(_LETTERS)} | {"O": 0, "I": 1, "L": 1}
#: Bytes of a one-time code, and letters of its written form with its check.
CODE_BYTES, CODE_LETTERS = 16, 28
#: Milliseconds that one question may take, with the handshake.
PATIENCE_MS = 10_000

#: Signs bytes that begin with `DOMAIN` with the journal's key: the core, or the key's file where the core stands still.
Sign = Callable[[bytes], bytes]


def new_code() -> bytes:
    """Return 128 bits by chance."""
    return secrets.token_bytes(CODE_BYTES)


def write_code(code: bytes) -> str:
    """Return a code as seven groups of four letters, twelve bits of a check at the end.

    >>> write_code(bytes(16))
    '0000-0000-0000-0000-0000-0000-02T6'
    """
    number = int.from_bytes(code, "big") << 12 | _check(code)
    letters = "".join(_LETTERS[number >> shift & 31] for shift in range(5 * (CODE_LETTERS - 1), -1, -5))
    return "-".join(letters[at : at + 4] for at in range(0, CODE_LETTERS, 4))


def read_code(text: str) -> bytes:
    """Read a code as people write it: small letters, spaces, O for 0, I and L for 1.

    Raises:
        SyncError: it is no code; says whether a letter is missing or wrong.
    """
    letters = [letter for letter in text.upper() if letter not in "- \t\n"]
    if len(letters) != CODE_LETTERS:
        raise SyncError(f"the code has {CODE_LETTERS} letters and digits, not {len(letters)}", hint="copy it whole")
    number = 0
    for letter in letters:
        if letter not in _READ:
            raise SyncError(
                "the code holds a letter that codes do not have", hint="digits, and letters without I L O U"
            )
        number = number << 5 | _READ[letter]
    code = (number >> 12).to_bytes(CODE_BYTES, "big")
    if number & 0xFFF != _check(code):
        raise SyncError("a letter of the code is wrong", hint="compare it with the operator's, group by group")
    return code


def _check(code: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"kiosk-enrol-code-v1\0" + code).digest()[:2], "big") >> 4


def enrol_message(hub_key: str, request: Enrol) -> bytes:
    """Return the bytes that the journal's key signs and the code proves."""
    texts = (hub_key, request.kiosk, request.realm, request.transport_key, request.journal_key)
    return DOMAIN + b"".join(text.encode() + b"\0" for text in texts) + request.epoch.to_bytes(8, "big")


def proof_of(code: bytes, message: bytes) -> bytes:
    """Return HMAC-SHA-256 with the code over the signed bytes."""
    return hmac.new(code, _PROOF_DOMAIN + message, hashlib.sha256).digest()


def proves(code: bytes, message: bytes, proof: bytes) -> bool:
    """Tell, in constant time, whether whoever made the proof knew the code."""
    return hmac.compare_digest(proof_of(code, message), proof)


def checked_hub_key(hub_key: str, pinned: str) -> str:
    """Return the hub's key where its fingerprint is the one of the configuration.

    Raises:
        SyncError: it is not a key, or another hub's.
    """
    if not hmac.compare_digest(fingerprint(hub_key), pinned):
        raise SyncError(
            "the hub's key is not the one whose fingerprint stands in the configuration",
            hint="compare sync.hub.fingerprint with `kiosk hub keys`, digit by digit; do not go on before they agree",
        )
    return hub_key


def request_of(
    kiosk: str, realm: str, transport_key: str, journal_key: str, epoch: int,
    *, hub_key: str, code: bytes, sign: Sign, software: str = "",
) -> Enrol:  # fmt: skip
    """Return a signed and proven ENROL."""
    bare = Enrol(kiosk, realm, transport_key, journal_key, epoch, b"", b"", software)
    message = enrol_message(hub_key, bare)
    return msgspec.structs.replace(bare, proof=proof_of(code, message), signature=sign(message))


def ask(endpoint: str, hub_key: str, key: TransportKey, request: Enrol, *, patience_ms: int = PATIENCE_MS) -> Enrolment:
    """Ask the hub once, on a socket of its own.

    Raises:
        SyncError: nobody answered who holds the hub's key (`transient`), or the answer cannot be used.
    """
    raw_key(hub_key)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.DEALER)
    try:
        socket.linger = 0
        socket.maxmsgsize = wire.WORTH_COMPRESSING << 4
        socket.setsockopt(zmq.HANDSHAKE_IVL, patience_ms)
        key.use_on(socket, hub_key)
        socket.connect(endpoint)
        socket.send_multipart(wire.encode(request, session=0, number=1))
        if not socket.poll(patience_ms):
            raise SyncError(
                f"no hub with this key answers at {endpoint}",
                hint="is the hub running, is the address its enrolment port, and did its key change?",
                transient=True,
            )
        _, answer = wire.decode(socket.recv_multipart(), wire.ENROL_DOWN)
    except zmq.ZMQError as error:
        raise SyncError(f"{endpoint}: {error.strerror}", hint="check sync.hub.enrol", transient=True) from error
    finally:
        socket.close(0)
        context.term()
    assert isinstance(answer, Enrolment)
    if answer.state == "later":
        raise SyncError("the hub has no time for it now", hint="wait, it is asked again", transient=True)
    return answer


def wait_ms(tries: int, chance: float) -> int:
    """Return how long to wait before the next question: 2 s, doubling to 60 s, a quarter of it by `chance` (0 to 1)."""
    longest = min(60_000, 2_000 << min(tries, 5))
    return longest * 3 // 4 + int(longest / 4 * chance)
