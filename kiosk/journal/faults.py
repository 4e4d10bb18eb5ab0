"""What SQLite and the operating system report, turned into the journal's errors: what broke and what to do.

`SQLITE_FULL` is the only fault that leaves the journal usable: the transaction is rolled back and nothing is in
doubt.  After any other write fault the state of the file on the disk is not known (a failed fsync drops the
dirty pages and reports it once), so the journal object refuses all further work and the process starts anew.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from kiosk.errors import JournalDamaged, JournalError, JournalFull, JournalLocked, JournalReadOnly

_READ_ONLY_HINT = "look for disk errors (`dmesg`), remount the partition writable, then restart the kiosk"
_FULL_HINT = "free space on the journal's partition; the kiosk takes no cash until then"


def primary(error: sqlite3.Error) -> int:
    """Return the primary SQLite result code of an error (extended codes keep it in the low byte)."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


def translate(error: sqlite3.Error, path: Path, doing: str) -> JournalError:
    """Return the journal error that tells what `error` means while `doing` something with `path`."""
    code = primary(error)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    told = f"{path}: {doing} failed: {str(error)[:200]} ({name})"
    if code == sqlite3.SQLITE_FULL:
        return JournalFull(told, hint=_FULL_HINT, transient=True)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalLocked(told, hint="close the other program that has the journal open", transient=True)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return JournalDamaged(told, hint="keep the file as evidence; restore the last backup on a new disk")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM) or (
        code == sqlite3.SQLITE_IOERR and on_read_only_disk(path)
    ):
        return JournalReadOnly(told, hint=_READ_ONLY_HINT)
    if code == sqlite3.SQLITE_CANTOPEN:
        if on_read_only_disk(path):
            return JournalReadOnly(told, hint=_READ_ONLY_HINT)
        return JournalError(told, hint="check path, owner and mode; run as the kiosk's user", transient=True)
    if code == sqlite3.SQLITE_IOERR:
        return JournalDamaged(
            told, hint="the disk reports errors: check it (`dmesg`), replace the card, restart the kiosk"
        )
    return JournalError(told, hint="restart the kiosk; if it happens again, report this line")


def on_read_only_disk(path: Path) -> bool:
    """Tell whether the file's directory lies on a file system mounted read-only."""
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False  # not even the directory answers: the caller's general message stands


def translate_os(error: OSError, path: Path) -> JournalError:
    """Return the journal error for a fault of the operating system around `path`."""
    told = f"{path}: {error.strerror}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return JournalFull(told, hint=_FULL_HINT, transient=True)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return JournalReadOnly(told, hint="remount the partition writable, or run as the kiosk's user")
    return JournalError(told, hint="check the disk (`dmesg`)")
