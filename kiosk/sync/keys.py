"""Transport keys: CURVE pairs in files that only their owner reads, and the hubs that a kiosk knows.

A pair is made on the machine that uses it and its secret half never leaves it: never a key shared by a fleet
(sync sheet §4).  The file holds the secret half in Z85 and one line end; the public half is computed from it.

What a kiosk knows of a hub came over a connection to a key whose fingerprint stands in kiosk.toml, or is signed by
the hub's signing key that came that way.  It is kept in one file, written whole, beside the transport key.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import struct
from pathlib import Path

import msgspec
import zmq
from zmq.utils import z85

from kiosk.errors import SyncError
from kiosk.journal.keys import sync_directory, verify
from kiosk.sync.messages import Enrolment, Welcome
from kiosk.sync.receipts import next_key_message

#: Names in the kiosk's state directory: the pair in use, the one that a ROTATE announced, the one whose enrolment is
#: under way, and the hubs.
CURRENT, NEXT, ENROLLING, KNOWN_HUBS = (
    "transport.key", "transport-next.key", "transport-enrolling.key", "known-hubs.json",
)  # fmt: skip
_LARGEST_FILE = 64 << 10
_SIGNING_KEY = re.compile(r"[0-9a-f]{64}")


class TransportKey:
    """A CURVE pair in memory.  It never shows its secret."""

    def __init__(self, secret: str) -> None:
        """Raises SyncError where `secret` is not the Z85 text of a key."""
        raw_key(secret)
        self._secret = secret
        self.public = zmq.curve_public(secret.encode()).decode()

    def __repr__(self) -> str:
        return f"TransportKey({self.public[:8]}…)"

    @classmethod
    def generate(cls) -> TransportKey:
        """Make a pair that exists in memory only."""
        return cls(zmq.curve_keypair()[1].decode())

    @classmethod
    def create(cls, path: Path) -> TransportKey:
        """Make a pair and store it, mode 0600, on the disk for certain.

        Raises:
            SyncError: the file exists already, or cannot be written.
        """
        key = cls.generate()
        key.store(path)
        return key

    def store(self, path: Path) -> None:
        """Write the pair into a new file, mode 0600, on the disk for certain.

        Raises:
            SyncError: the file exists already, or cannot be written.
        """
        _write_new(path, self._secret + "\n")

    @classmethod
    def load(cls, path: Path) -> TransportKey:
        """Read a pair from its file.

        Raises:
            SyncError: missing, readable by everybody, or not a key.
        """
        try:
            mode = path.stat().st_mode
            text = path.read_bytes()[:100]
        except FileNotFoundError:
            raise SyncError(f"transport key {path} does not exist", hint="enrol: kiosk sync enrol") from None
        except OSError as error:
            raise SyncError(f"transport key {path}: {error.strerror}", hint="run as the owner of the file") from error
        if mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise SyncError(
                f"transport key {path} is open to others (mode {mode & 0o777:04o})", hint=f"chmod 600 {path}"
            )
        try:
            return cls(text.decode("ascii").strip())
        except (UnicodeDecodeError, SyncError):
            raise SyncError(f"transport key {path} is not a key", hint="remove it and enrol anew") from None

    def use_on(self, socket: zmq.Socket[bytes], server_key: str = "") -> None:
        """Set this pair on a socket: as a client of the server with that key, or, without one, as the server."""
        if server_key:
            socket.curve_publickey = self.public.encode()
            socket.curve_serverkey = server_key.encode()
        else:
            socket.curve_server = 1
        socket.curve_secretkey = self._secret.encode()


def raw_key(key: str) -> bytes:
    """Return the 32 bytes of a key in Z85.

    Raises:
        SyncError: it is not one.
    """
    try:
        raw: bytes = z85.decode(key.encode("ascii")) if len(key) == 40 else b""
    except (ValueError, KeyError, struct.error) as error:  # the last: five letters that stand for more than 32 bits
        raise SyncError("a CURVE key is 40 letters of Z85", hint="copy it whole, in quotes") from error
    if len(raw) != 32:
        raise SyncError(f"a CURVE key has 40 letters of Z85, not {len(key)}", hint="copy it whole, in quotes")
    return raw


def fingerprint(key: str) -> str:
    """Return SHA-256 over the 32 bytes of a key in Z85: 64 hexadecimal digits.

    Raises:
        SyncError: it is not a key.
    """
    return hashlib.sha256(raw_key(key)).hexdigest()


class KnownHub(msgspec.Struct, frozen=True, kw_only=True):
    """A hub that took this kiosk in."""

    hub: str
    #: What kiosk.toml says, by which the hub is found here; it stays when the hub changes its key.
    fingerprint: str
    #: The id under which the hub knows this kiosk.
    kiosk: str
    #: CURVE key that answers now, and where; "" for the endpoint of kiosk.toml.
    server_key: str
    endpoint: str = ""
    #: Announced and signed, to be tried where the first one no longer answers; "" for none.
    next_key: str = ""
    next_endpoint: str = ""
    #: Ed25519 key of the hub, hexadecimal: it signs receipts, commands, manifests and its next key.
    signing_key: str

    def announced(self, welcome: Welcome) -> KnownHub:
        """Return what is known after a WELCOME: its next key, where the hub's signature vouches for it.

        Raises:
            SyncError: the signature is not the hub's, or another signing key is told than the pinned one.
        """
        if welcome.signing_key != self.signing_key:
            raise SyncError(
                f"hub {self.hub} tells another signing key than it had", hint="enrol again, with a new code"
            )
        if not welcome.next_key:
            return self
        told = next_key_message(self.hub, welcome.next_key, welcome.next_endpoint)
        raw_key(welcome.next_key)
        if not verify(self.signing_key, told, welcome.next_signature):
            raise SyncError(f"the next key of hub {self.hub} is not signed by it", hint="tell the hub's operator")
        return msgspec.structs.replace(self, next_key=welcome.next_key, next_endpoint=welcome.next_endpoint)

    def moved(self) -> KnownHub:
        """Return what is known once the next key has answered: it is the key now."""
        return msgspec.structs.replace(
            self, server_key=self.next_key, endpoint=self.next_endpoint, next_key="", next_endpoint=""
        )


def approved_hub(kiosk: str, pinned: str, server_key: str, answer: Enrolment) -> KnownHub:
    """Return the hub of an approved enrolment, which came over a connection to `server_key`.

    Raises:
        SyncError: the answer names another key than the one that gave it.
    """
    if answer.server_key != server_key:
        raise SyncError("the hub names another key than the one it answered with", hint="tell the hub's operator")
    if answer.next_key:
        raw_key(answer.next_key)
    if not _SIGNING_KEY.fullmatch(answer.signing_key) or not answer.hub:
        raise SyncError("the hub's answer names no hub or no signing key", hint="tell the hub's operator")
    return KnownHub(
        hub=answer.hub, fingerprint=pinned, kiosk=kiosk, server_key=server_key, next_key=answer.next_key,
        next_endpoint=answer.endpoints[1] if answer.next_key and len(answer.endpoints) > 1 else "",
        signing_key=answer.signing_key,
    )  # fmt: skip


def load_hubs(state: Path) -> dict[str, KnownHub]:
    """Return the known hubs of a kiosk by the fingerprint in its configuration; none where there is no file.

    Raises:
        SyncError: the file cannot be read or is damaged.
    """
    path = state / KNOWN_HUBS
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_FILE)
        found = msgspec.json.decode(text, type=tuple[KnownHub, ...])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SyncError(f"{path}: {error.strerror}", hint="run as the kiosk's user") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SyncError(f"{path} is damaged: {str(error)[:100]}", hint="remove it and enrol again") from error
    if not all(_SIGNING_KEY.fullmatch(known.signing_key) for known in found):
        raise SyncError(f"{path} holds a signing key that is none", hint="remove it and enrol again")
    return {known.fingerprint: known for known in found}


def keep_hub(state: Path, known: KnownHub) -> None:
    """Write what is known of a hub, whole and for certain; the other hubs stay.

    Raises:
        SyncError: the file cannot be written.
    """
    hubs = {**load_hubs(state), known.fingerprint: known}
    path = state / KNOWN_HUBS
    fresh = path.with_suffix(".new")
    try:
        fresh.unlink(missing_ok=True)
        _write_new(fresh, msgspec.json.format(msgspec.json.encode(tuple(hubs.values())), indent=1).decode() + "\n")
        fresh.replace(path)
        sync_directory(state)
    except OSError as error:
        raise SyncError(f"{path}: {error.strerror}", hint="check disk and owner of the state directory") from error


def take_into_use(state: Path, name: str = NEXT) -> TransportKey:
    """Make the announced pair, or the enrolled one, the one in use; the old one is gone for good.

    Raises:
        SyncError: it is not there, or the directory takes no change.
    """
    try:
        (state / name).replace(state / CURRENT)
        if name != NEXT:  # the hub has retired what it was told before
            (state / NEXT).unlink(missing_ok=True)
        sync_directory(state)
    except OSError as error:
        raise SyncError(f"{state / name}: {error.strerror}", hint="ask the hub for another ROTATE") from error
    return TransportKey.load(state / CURRENT)


def _write_new(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SyncError(f"{path} exists already", hint="a key is never overwritten") from None
    except OSError as error:
        raise SyncError(f"{path}: {error.strerror}", hint="give a directory that its user owns") from error
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(path.parent)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise SyncError(f"{path}: {error.strerror}", hint="check the disk") from error
