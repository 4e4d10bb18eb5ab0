"""Figures and aims: percentiles of measured times, and what they were meant to be.

All times are whole nanoseconds until they are told; a percentile is one that was measured (nearest rank), never
one worked out between two.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

#: File systems that keep nothing: what is measured there says nothing about a disk.
_IN_MEMORY = ("tmpfs", "ramfs", "overlay")


class Aim(msgspec.Struct, frozen=True):
    """One figure held against what it was meant to be."""

    name: str
    aim: float
    measured: float
    unit: str
    #: Where the aim depends on the machine: the limit measured beside it, in words.
    limit: str = ""
    #: True where more is better.
    at_least: bool = False

    def told(self) -> dict[str, Any]:
        """Return it for the JSON object."""
        met = self.measured >= self.aim if self.at_least else self.measured <= self.aim
        return {"name": self.name, "aim": round(self.aim, 3), "measured": round(self.measured, 3), "unit": self.unit,
                "at_least": self.at_least, "met": met, "limit": self.limit}  # fmt: skip


def percentile(times: Sequence[float], part: float) -> float:
    """Return the nearest-rank percentile of `part` in 0 to 100.

    >>> percentile([4, 1, 3, 2], 50), percentile([4, 1, 3, 2], 99)
    (2, 4)
    """
    ordered = sorted(times)
    return ordered[max(0, ceil(len(ordered) * part / 100) - 1)]


def spread(times_ns: Sequence[float]) -> dict[str, float]:
    """Return count, median and the percentiles of times in milliseconds."""
    told = {"count": float(len(times_ns))}
    for part in (50, 95, 99):
        told[f"p{part}_ms"] = round(percentile(times_ns, part) / 1e6, 3)
    return told | {"max_ms": round(max(times_ns) / 1e6, 3)}


def middle(values: Sequence[float]) -> float:
    """Return the median, rounded for reading."""
    return round(median(values), 3)


def say(text: str) -> None:
    """Tell progress on standard error."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def file_system_of(path: Path) -> str:
    """Return the kind of file system that holds `path`, "" where it cannot be told."""
    number = os.stat(path).st_dev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields[2] == wanted:
            return fields[fields.index("-") + 1]
    return ""


@contextmanager
def room_on_disk() -> Iterator[Path]:
    """Give a directory on a disk that keeps what it is told, and remove it afterwards."""
    asked = os.environ.get("KIOSK_BENCH_DIR", "/var/tmp")
    with TemporaryDirectory(prefix="kiosk-bench-", dir=asked) as room:
        if file_system_of(Path(room)) in _IN_MEMORY:
            say(f"{asked} is in memory: set KIOSK_BENCH_DIR to a directory on a disk")
        yield Path(room)
