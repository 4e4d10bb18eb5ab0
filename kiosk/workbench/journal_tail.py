"""Follows the demonstration's journal, so that the bench shows each fact when it is on the disk.

It reads as any stranger may: read-only, beside the kiosk that writes.  While the kiosk is down or just starting there
may be nothing to read; that is waited for, not told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from kiosk.errors import JournalError, KioskError
from kiosk.journal.encoding import kind_of
from kiosk.journal.reader import Reader
from kiosk.model.facts import Committed, ReceiptIssued
from kiosk.model.money import Money

_LOOK_S = 0.6
#: Fields of a fact that are worth a word, in this order.
_WORTH = ("device", "number", "note", "reason", "outcome", "state", "name")


class JournalTail:
    """Owns a thread that tells new facts in plain words."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self._path = path
        self._tell = tell
        self._at = (0, 0)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="journal-tail", daemon=True)
        #: Why following ended by itself, or None.
        self.trouble: KioskError | None = None

    def start(self) -> None:
        """Begin with the first fact."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _follow(self) -> None:
        while not self._ended.wait(_LOOK_S):
            try:
                self._look()
            except JournalError as error:
                self.trouble = error  # the kiosk is down, or its journal was just made; the next look tells

    def _look(self) -> None:
        epoch, seq = self._at
        with Reader(self._path) as reader:
            for committed in reader.read(seq, epoch, checked=False):
                self._at = (committed.fact.epoch, committed.fact.seq)
                self._tell(words(committed))
        self.trouble = None


def words(committed: Committed) -> str:
    """Tell one fact in a few words.

    The kind comes first, then what it is about and its amount.
    """
    fact = committed.fact
    body: dict[str, Any] = msgspec.to_builtins(fact.body)
    parts = [f"fact {fact.seq}: {kind_of(fact).replace('_', ' ')}"]
    if isinstance(fact.body, ReceiptIssued):
        return f"{parts[0]} {fact.body.number:06d} ({fact.body.slip})"
    value = getattr(fact.body, "value", None)
    if isinstance(value, Money):
        parts.append(str(value))
    for name in _WORTH:
        told = body.get(name)
        if isinstance(told, str | int) and told != "" and not isinstance(told, bool):
            parts.append(str(told)[:60])
    return " ".join(parts[:4])
