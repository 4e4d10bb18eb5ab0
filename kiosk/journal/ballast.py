"""Room kept for the last notes: a file of a few MiB whose space is given back when the disk is full.

A note that is already moving cannot be refused any more.  So a ballast file lies beside the journal, its blocks
really allocated; when a commit finds the disk full the ballast is removed and the commit runs once more.
Acceptance stops long before: `Journal.below_reserve`.
"""

from __future__ import annotations

import os
from pathlib import Path

from kiosk.journal.keys import sync_directory

#: Enough for several thousand facts: 4 MiB.
BALLAST_BYTES = 4 << 20
#: Below this much free space the kiosk takes no new cash: 32 MiB.
RESERVE_BYTES = 32 << 20


class Ballast:
    """One ballast file.  Knows nothing of SQLite."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size

    @property
    def present(self) -> bool:
        """True while the whole ballast lies on the disk."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return found.st_size >= self.size and found.st_blocks * 512 >= self.size

    def free(self) -> bool:
        """Give the space back; return False where there was none to give."""
        try:
            gave = self.path.stat().st_blocks > 0
            self.path.unlink()
            sync_directory(self.path.parent)  # ext4 hands freed blocks out only after its own commit
        except OSError:
            return False
        return gave

    def put(self) -> bool:
        """Allocate the ballast; return False where the space is not there."""
        if self.present:
            return True
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(handle, 0, self.size)
                os.fsync(handle)
            finally:
                os.close(handle)
            sync_directory(self.path.parent)
        except OSError:
            try:
                self.path.unlink(missing_ok=True)
            except OSError:
                pass  # a disk that takes no write keeps a short ballast: `present` says so
            return False
        return True
