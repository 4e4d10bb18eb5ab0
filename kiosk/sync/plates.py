"""Licence plates, of which only keyed hashes are kept: one form for every way to write them, and the city's key.

**Form.** Upper case, and of that only A to Z and 0 to 9: ``exm-101``, ``EXM 101`` and ``Exm101`` are one plate.  A
state or province (import field ``plate_state``) is brought into the same form and put before the plate with a
colon, ``NY:EXM101``; without one the plate stands alone.

**Hash.** The first 96 bits of HMAC-SHA256 over that form under the city's key.  A bare hash would be worthless: all
plates there can be are tried within minutes (domain sheet §11).

**Key.** 32 random bytes in `plate.key` beside the replica, as 64 hexadecimal digits, for the kiosk's user alone.
All kiosks of a city use the same one where data with hashes are to be exchanged between them.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from kiosk.errors import ReplicaError

#: Name of the key's file, beside the replica.
KEY_FILE = "plate.key"
#: Letters and digits of a plate that a person may look for.
SHORTEST, LONGEST = 2, 8
_KEY_BYTES = 32
_HASH_BYTES = 12
_FORM = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def normal_form(written: str) -> str:
    """Return what counts of a plate, or of a state: A to Z and 0 to 9, in upper case.

    >>> normal_form(" exm-101 ")
    'EXM101'
    """
    return "".join(letter for letter in written.upper() if letter in _FORM)


def plate_hash(plate: str, key: bytes, state: str = "") -> bytes:
    """Return the keyed hash of a plate, 12 bytes."""
    plain, where = normal_form(plate), normal_form(state)
    whole = f"{where}:{plain}" if where else plain
    return hmac.new(key, whole.encode("ascii"), hashlib.sha256).digest()[:_HASH_BYTES]


def key_id(key: bytes) -> str:
    """Return a name for a key that tells nothing of it: hashes under another key can never be found."""
    return hmac.new(key, b"plate key", hashlib.sha256).hexdigest()[:16]


def key_beside(replica: Path) -> Path:
    """Return where the key of a replica's plates lies."""
    return replica.with_name(KEY_FILE)


def read_key(path: Path) -> bytes:
    """Read the key from its file.

    Raises:
        ReplicaError: missing, open to others, or not a key.
    """
    try:
        mode = path.stat().st_mode
        told = path.read_bytes()[: 4 * _KEY_BYTES]
    except FileNotFoundError:
        raise ReplicaError(f"plate key {path} does not exist", hint="an import that maps a plate makes it") from None
    except OSError as fault:
        raise ReplicaError(f"plate key {path}: {fault.strerror}", hint="run as the kiosk's user") from fault
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ReplicaError(f"plate key {path} is open to others (mode {mode & 0o777:04o})", hint=f"chmod 600 {path}")
    try:
        key = bytes.fromhex(told.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ReplicaError(f"plate key {path} is not 64 hexadecimal digits", hint="restore it from its copy")
    return key


def read_or_make_key(path: Path) -> bytes:
    """Read the key; make it, on the disk for certain, where there is none.

    Raises:
        ReplicaError: it cannot be read, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return read_key(path)
    except OSError as fault:
        raise ReplicaError(f"plate key {path}: {fault.strerror}", hint="check its directory and disk") from fault
    key = secrets.token_bytes(_KEY_BYTES)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key.hex().encode("ascii") + b"\n")
            if os.geteuid() == 0:  # an import by root must not leave a key that the kiosk cannot read
                owner = path.parent.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as fault:
        path.unlink(missing_ok=True)
        raise ReplicaError(f"plate key {path}: {fault.strerror}", hint="check the disk") from fault
    return key
