"""Keeps what happened while the journal takes nothing, bounded, until it can be committed."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from kiosk.checkout.intents import Intent
from kiosk.model.device_events import (
    NoteAccepting,
    NoteHeld,
    NoteRejected,
    NoteStacking,
    PrintHeld,
    PrintProgress,
    Scanned,
    ScanRefused,
)

#: An event, the device it came from ("" for none) and the life of its driver.
Waiting = tuple[Any, str, int]
#: Items kept; a device repeats what is not acknowledged, so more would tell nothing new.
LIMIT = 1024
#: Told again or of no consequence later: not worth a place among what must not be lost.
_PASSING = (NoteAccepting, NoteHeld, NoteStacking, NoteRejected, PrintProgress, PrintHeld, Scanned, ScanRefused)


class Stall:
    """Owns the items that wait.  A person's tap does not wait: by then somebody else may be in front."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._kept: deque[Waiting] = deque()

    def keep(self, item: Waiting) -> None:
        """Keep an item behind the others."""
        if isinstance(item[0], Intent):
            self._counts["intents.dropped"] += 1
        elif isinstance(item[0], _PASSING):
            self._counts["stalled.passing"] += 1
        elif len(self._kept) < LIMIT:
            self._kept.append(item)
        else:
            self._counts["stalled.dropped"] += 1

    def take(self) -> list[Waiting]:
        """Hand over everything, in order."""
        kept = list(self._kept)
        self._kept.clear()
        return kept
