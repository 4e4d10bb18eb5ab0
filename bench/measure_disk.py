"""The disk's own limit: one 4 KiB write and fdatasync.

That is the least that any durable store can do for one fact, so it is measured between the figures that stand
beside it, in the same run and on the same file system.  It is measured in two ways, because on most file systems one
costs twice the other: into a file whose blocks are there already, and at the end of a file that grows with each write.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType

BLOCK = 4096
_BLOCKS = 256


class BareDisk:
    """Owns two files: one of 1 MiB whose blocks are written round and round, and one that only grows."""

    def __init__(self, directory: Path) -> None:
        self._paths = (directory / "bare-disk", directory / "bare-disk-growing")
        self._there, self._growing = (os.open(path, os.O_RDWR | os.O_CREAT, 0o600) for path in self._paths)
        os.write(self._there, bytes(BLOCK * _BLOCKS))
        os.fsync(self._there)
        self._at = 0
        self._block = os.urandom(BLOCK)

    def write(self) -> int:
        """Write one block over an old one, durably; return how long it took, nanoseconds."""
        begun = time.perf_counter_ns()
        os.pwrite(self._there, self._block, self._at)
        os.fdatasync(self._there)
        took = time.perf_counter_ns() - begun
        self._at = (self._at + BLOCK) % (BLOCK * _BLOCKS)
        return took

    def append(self) -> int:
        """Write one block at the end of the growing file, durably; return how long it took, nanoseconds."""
        begun = time.perf_counter_ns()
        os.write(self._growing, self._block)
        os.fdatasync(self._growing)
        return time.perf_counter_ns() - begun

    def __enter__(self) -> BareDisk:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for handle, path in zip((self._there, self._growing), self._paths, strict=True):
            os.close(handle)
            path.unlink()
