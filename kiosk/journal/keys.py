"""The journal's signing key: Ed25519, one per kiosk, in a file that only its owner reads.

The core alone holds the private half; whatever faces the network never does.  The file is PKCS#8 in PEM, so
that standard tools read it.  Public keys are written as 64 hexadecimal digits.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from kiosk.errors import JournalError


class SigningKey:
    """A private key in memory.  It never shows its secret."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self._public_hex = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def __repr__(self) -> str:
        return f"SigningKey({self._public_hex[:16]}…)"

    @classmethod
    def generate(cls) -> SigningKey:
        """Make a key that exists in memory only."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """Make the key that belongs to 32 secret bytes."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def create(cls, path: Path) -> SigningKey:
        """Make a key and store it, mode 0600, on the disk for certain.

        Raises:
            JournalError: the file exists already, or cannot be written.
        """
        key = cls.generate()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise JournalError(f"signing key {path} exists already", hint="a key is never overwritten") from None
        except OSError as error:
            raise JournalError(
                f"signing key {path}: {error.strerror}", hint="give a directory the kiosk owns"
            ) from error
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(key._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
                file.flush()
                os.fsync(file.fileno())
            sync_directory(path.parent)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise JournalError(f"signing key {path}: {error.strerror}", hint="check the disk") from error
        return key

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read a key from its file.

        Raises:
            JournalError: missing, readable by everybody, or not an Ed25519 key.
        """
        try:
            mode = path.stat().st_mode
            text = path.read_bytes()
        except FileNotFoundError:
            raise JournalError(f"signing key {path} does not exist", hint="restore it, or start a new epoch") from None
        except OSError as error:
            raise JournalError(f"signing key {path}: {error.strerror}", hint="run as the kiosk's user") from error
        if mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise JournalError(
                f"signing key {path} is open to others (mode {mode & 0o777:04o})", hint=f"chmod 600 {path}"
            )
        try:
            private = load_pem_private_key(text, password=None)
        except (ValueError, TypeError) as error:
            raise JournalError(
                f"signing key {path} is not a key: {str(error)[:80]}", hint="restore it from its copy"
            ) from error
        if not isinstance(private, Ed25519PrivateKey):
            raise JournalError(f"signing key {path} is not an Ed25519 key", hint="restore it from its copy")
        return cls(private)

    @property
    def public_hex(self) -> str:
        """The public half: 64 hexadecimal digits."""
        return self._public_hex

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature over `message`."""
        return self._private.sign(message)


class VerifyingKey:
    """A public key, kept ready for many signatures."""

    def __init__(self, public_hex: str) -> None:
        """Raises JournalError where `public_hex` is not a public key."""
        try:
            self._public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))
        except ValueError:
            raise JournalError(
                f"{public_hex[:70]!r} is not an Ed25519 public key", hint="64 hexadecimal digits"
            ) from None

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Tell whether `signature` was made over `message` by the owner of this key."""
        try:
            self._public.verify(signature, message)
        except InvalidSignature:
            return False
        return True


def verify(public_hex: str, message: bytes, signature: bytes) -> bool:
    """Tell whether `signature` over `message` was made with the key `public_hex`.

    Raises:
        JournalError: `public_hex` is not a public key.
    """
    return VerifyingKey(public_hex).verifies(message, signature)


def sync_directory(path: Path) -> None:
    """Make a created, renamed or removed name in this directory survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
