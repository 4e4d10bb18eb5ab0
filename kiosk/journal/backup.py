"""Backup and restore: one consistent file with a manifest, checked after it was written, and a new epoch afterwards.

A backup is a compact copy of the database made while the core goes on writing, plus a JSON manifest with its
SHA-256 and the head of its chain.  It counts as made only after the copy itself was verified from first to last
fact.  A restore never overwrites anything and always begins a new epoch: what the lost machine committed after
the backup may exist on paper and at the hub, so its numbers must not be given again.  Restore the same backup
twice only with an `epoch` above every epoch that was ever used (the hub knows it).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

import msgspec

from kiosk.errors import JournalDamaged, JournalError
from kiosk.journal.encoding import decode
from kiosk.journal.faults import translate_os
from kiosk.journal.files import build, signed_row
from kiosk.journal.keys import SigningKey, sync_directory
from kiosk.journal.reader import Reader
from kiosk.journal.verify import Examination, examine
from kiosk.model.facts import FACT_VERSION, EpochStarted, Fact, Stamp


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds; stored beside it as ``NAME.json``."""

    #: Always ``kiosk-journal-backup-1``.
    schema: str
    kiosk: str
    realm: str
    #: Place and hash (hexadecimal) of the last fact.
    epoch: int
    seq: int
    head: str
    facts: int
    #: Local time of the last fact, ISO 8601.
    last_fact_at: str
    #: Public key of the last epoch, hexadecimal.
    public_key: str
    #: Length in bytes and SHA-256 (hexadecimal) of the file.
    size: int
    sha256: str


_SCHEMA = "kiosk-journal-backup-1"


def manifest_path(backup_file: Path) -> Path:
    """Return where the manifest of a backup lies."""
    return backup_file.with_name(backup_file.name + ".json")


def backup(path: Path, target: Path) -> Manifest:
    """Copy the journal at `path`, live or not, to the new file `target`; verify it; write its manifest.

    Raises:
        JournalError: the target exists, or the journal cannot be read now.
        JournalDamaged: the copy has errors; nothing is left at the target.
        JournalFull, JournalReadOnly: the target's disk does not take it.
    """
    if target.exists() or manifest_path(target).exists():
        raise JournalError(f"{target} exists already", hint="a backup is never overwritten: choose another name")
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with Reader(path) as reader:
            reader.copy_into(part)
        handle = os.open(part, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        manifest = _describe(part)
        note = manifest_path(target)
        with open(os.open(note, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        part.rename(target)
        sync_directory(target.parent)
    except OSError as error:
        _discard(part)
        raise translate_os(error, target) from error
    except JournalError:
        _discard(part)
        raise
    return manifest


def check(source: Path, published_keys: Collection[str] | None = None) -> Manifest:
    """Hold a backup against its manifest and verify it from first to last fact; return the manifest.

    Raises:
        JournalError: file or manifest are missing.
        JournalDamaged: they differ, or the journal inside has errors.
    """
    note = manifest_path(source)
    try:
        manifest = msgspec.json.decode(note.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise JournalError(f"{note} is missing", hint="a backup is two files: bring both") from None
    except (OSError, msgspec.DecodeError) as error:
        raise JournalError(f"{note} cannot be read: {str(error)[:200]}", hint="take another backup") from error
    if manifest.schema != _SCHEMA:
        raise JournalError(f"{note} is a {manifest.schema[:40]!r}", hint=f"this software restores {_SCHEMA}")
    if not source.exists():
        raise JournalError(f"{source} does not exist", hint="a backup is two files: bring both")
    found = _describe(source, published_keys)
    if found != manifest:
        raise JournalDamaged(f"{source} is not the file its manifest tells of", hint="take another backup")
    return manifest


def restore(
    source: Path,
    target: Path,
    *,
    stamp: Stamp,
    key: SigningKey,
    reason: str,
    epoch: int | None = None,
    published_keys: Collection[str] | None = None,
) -> Manifest:
    """Make the journal `target` out of a backup and begin a new epoch in it; return the backup's manifest.

    The new epoch is signed with `key`, which may be another one than before; its first fact names the last hash
    of the old epoch, and the sequence starts at 1 again.  `epoch` (above the backup's) sets its number.

    Raises:
        JournalError: the target exists, a part of the backup is missing, or the epoch was used.
        JournalDamaged: the backup is not sound; nothing is left at the target.
        JournalFull, JournalReadOnly: the target's disk does not take it.
    """
    if target.exists() or target.with_name(target.name + "-wal").exists():
        raise JournalError(
            f"{target} exists already", hint="a restore never overwrites: move the old journal away, keep it"
        )
    manifest = check(source, published_keys)
    _begin_epoch(source, target, stamp=stamp, key=key, reason=reason, epoch=epoch)
    return manifest


def _begin_epoch(
    source: Path, target: Path, *, stamp: Stamp, key: SigningKey, reason: str, epoch: int | None = None
) -> None:
    """Make `target` as a copy of the backup file `source` with a new epoch begun.

    Raises:
        JournalError: the epoch was used, the source is empty, or the target exists.
    """
    with Reader(source) as reader:
        last = reader.last()
    if last is None:
        raise JournalDamaged(f"{source} holds no fact", hint="take another backup")
    old = decode(last.row)
    number = last.epoch + 1 if epoch is None else epoch
    if number <= last.epoch:
        raise JournalError(f"epoch {number} was used already", hint=f"it must be above {last.epoch}")
    body = EpochStarted(
        previous_epoch=last.epoch,
        previous_seq=last.seq,
        previous_hash=last.hash.hex(),
        public_key=key.public_hex,
        reason=reason,
    )
    fact = Fact(version=FACT_VERSION, kiosk=old.kiosk, epoch=number, seq=1, realm=old.realm, stamp=stamp, body=body)
    build(target, [signed_row(fact, last.hash, key)], source)


def _describe(file: Path, published_keys: Collection[str] | None = None) -> Manifest:
    """Verify a journal file and return the manifest that belongs to it."""
    with Reader(file) as reader:
        found: Examination = examine(reader, published_keys=published_keys)
        errors = [finding for finding in found.findings if finding.severity == "error"]
        if errors:
            raise JournalDamaged(
                f"{file} has {len(errors)} errors, the first: {errors[0]}",
                hint="run `kiosk journal verify` on it; keep it as evidence",
            )
        last = reader.last()
        keys = reader.public_keys()
    if last is None:  # `examine` reports an empty journal as an error
        raise JournalDamaged(f"{file} holds no fact", hint="take another backup")
    fact = decode(last.row)
    digest = hashlib.sha256()
    try:
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
        size = file.stat().st_size
    except OSError as error:
        raise translate_os(error, file) from error
    return Manifest(
        schema=_SCHEMA,
        kiosk=fact.kiosk,
        realm=fact.realm,
        epoch=last.epoch,
        seq=last.seq,
        head=last.hash.hex(),
        facts=found.facts,
        last_fact_at=fact.stamp.at.iso(),
        public_key=keys[last.epoch],
        size=size,
        sha256=digest.hexdigest(),
    )


def _discard(part: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        try:
            part.with_name(part.name + suffix).unlink(missing_ok=True)
        except OSError:
            pass  # the disk takes no write at all: the caller's error says so
