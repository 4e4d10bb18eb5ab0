"""Between a fact and the bytes that are stored, hashed, signed and sent.

A row is the JSON text of one fact, fields in the order of their declaration, without spaces.  Its exact bytes
are hashed and never made again: a reader hashes what is stored and a hub stores what it was sent, so a later
version of this module can never break an old hash.  The format is described for strangers in
`docs/journal-format.md`, together with a verifier that needs nothing but Python itself.

    hash(n) = SHA-256(hash(n-1) || row(n));  hash(0) of the first epoch is 32 zero bytes
    signed  = "kiosk-journal-head-v1" NUL kiosk NUL epoch(8 bytes, big-endian) seq(8) hash(32)

The first row of a later epoch chains on the last row of the epoch before, and its body names that hash too.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

import msgspec

from kiosk.errors import JournalDamaged, JournalError
from kiosk.model.facts import FACT_VERSION, Fact

#: What the very first row chains on.
ROOT_HASH = bytes(32)

_HEAD_DOMAIN = b"kiosk-journal-head-v1\0"

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Fact)


class Row(NamedTuple):
    """One stored row, byte for byte.  `epoch`, `seq` and `kind` repeat what the hashed bytes say, for look-ups."""

    epoch: int
    seq: int
    kind: str
    #: The exact bytes that are hashed.
    row: bytes
    hash: bytes
    #: Ed25519 over `head_message`; None except on the last row of each commit.
    signature: bytes | None


def kind_of(fact: Fact) -> str:
    """Return the tag of a fact's body, e.g. ``note_credited``."""
    return str(fact.body.__struct_config__.tag)


def encode(fact: Fact) -> bytes:
    """Return the row bytes of a fact."""
    return _encoder.encode(fact)


def decode(row: bytes) -> Fact:
    """Read a fact back from its row bytes.

    Raises:
        JournalDamaged: the bytes are not a fact.
        JournalError: the fact was written by a newer version of this software.
    """
    try:
        fact = _decoder.decode(row)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # the last: arrays within arrays
        raise _unreadable(row, error) from error
    if fact.version not in (FACT_VERSION, FACT_VERSION - 1):
        raise _too_new(fact.version, fact.epoch, fact.seq)
    return fact


def chain(previous: bytes, row: bytes) -> bytes:
    """Return the hash of a row that follows the hash `previous`."""
    return sha256(previous + row).digest()


def head_message(kiosk: str, epoch: int, seq: int, digest: bytes) -> bytes:
    """Return the bytes that are signed to vouch for everything up to and including (epoch, seq)."""
    return b"".join((_HEAD_DOMAIN, kiosk.encode(), b"\0", epoch.to_bytes(8, "big"), seq.to_bytes(8, "big"), digest))


def _unreadable(row: bytes, error: Exception) -> JournalError:
    try:
        rough = msgspec.json.decode(row)
        version = rough["version"]
        if type(version) is int and version > FACT_VERSION:
            return _too_new(version, rough["epoch"], rough["seq"])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        pass  # not even the envelope can be read: the general answer below stands
    return JournalDamaged(
        f"a row of the journal is not a fact: {str(error)[:200]}",
        hint="run `kiosk journal verify`; restore the last backup if it finds a broken chain",
    )


def _too_new(version: int, epoch: int, seq: int) -> JournalError:
    return JournalError(
        f"fact {epoch}/{seq} has version {version}, this software reads up to {FACT_VERSION}",
        hint="install the software version that wrote this journal, or a later one",
    )
