"""One process writes a journal: an advisory lock on a file beside it, with the holder's process id inside.

The lock is not taken on the database file: closing any other handle on that file would drop SQLite's own locks.
The kernel releases it with the process, so a crash leaves nothing to clean up.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from kiosk.errors import JournalError, JournalLocked, JournalReadOnly
from kiosk.journal.faults import on_read_only_disk


class WriterLock:
    """The right to write one journal."""

    def __init__(self, journal: Path) -> None:
        """Take the lock.

        Raises:
            JournalLocked: another process, or another journal object of this one, holds it.
            JournalReadOnly, JournalError: the lock file cannot be made.
        """
        self.path = journal.with_name(journal.name + ".lock")
        try:
            self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            told = f"{self.path}: {error.strerror}"
            if on_read_only_disk(journal):
                raise JournalReadOnly(told, hint="remount the journal's partition writable") from error
            raise JournalError(told, hint="check path, owner and mode; run as the kiosk's user") from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._handle)
            raise JournalLocked(
                f"{journal} is in use by process {holder}",
                hint=f"`ps -p {holder}` shows it; stop that kiosk first"
                if holder.isdigit()
                else "stop the other kiosk first",
            ) from None
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError:
            pass  # a full disk must not keep the owner out: only the holder's number is missing then

    @property
    def held(self) -> bool:
        """True until `release`."""
        return self._handle >= 0

    def release(self) -> None:
        """Give the lock back.  Safe to call twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
