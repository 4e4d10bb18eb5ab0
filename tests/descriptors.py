"""Counts this process's open descriptors, although threads of other tests may be closing theirs just then."""

from __future__ import annotations

import os
import time

#: Longest wait for others, seconds.
PATIENCE_S = 10


def open_descriptors() -> int:
    """Return how many descriptors this process has open now."""
    return len(os.listdir("/proc/self/fd"))


def no_more_than(before: int) -> bool:
    """Tell whether no more are open than before; a leak of one's own does not go away by waiting."""
    end = time.monotonic() + PATIENCE_S
    while open_descriptors() > before and time.monotonic() < end:
        time.sleep(0.05)
    return open_descriptors() <= before
