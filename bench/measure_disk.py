"""The disk's own limit: one 4 KiB write and fdatasync, into a file whose blocks are there already.

That is the least that any durable store can do for one fact, so it is measured between the figures that stand
beside it, in the same run and on the same file system.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType

BLOCK = 4096
_BLOCKS = 256


class BareDisk:
    """Owns one file of 1 MiB and writes its blocks one after the other, round and round."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "bare-disk"
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        os.write(self._handle, bytes(BLOCK * _BLOCKS))
        os.fsync(self._handle)
        self._at = 0
        self._block = os.urandom(BLOCK)

    def write(self) -> int:
        """Write one block durably; return how long it took, nanoseconds."""
        begun = time.perf_counter_ns()
        os.pwrite(self._handle, self._block, self._at)
        os.fdatasync(self._handle)
        took = time.perf_counter_ns() - begun
        self._at = (self._at + BLOCK) % (BLOCK * _BLOCKS)
        return took

    def __enter__(self) -> BareDisk:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._handle)
        self._path.unlink()
