"""Counts events that the table has no row for, and turns the first ones of a session into facts."""

from __future__ import annotations

from collections import Counter

from kiosk.checkout.model import Checkout
from kiosk.model.facts import EventRefused

#: Refused device events of one session that become facts; the rest is only counted, so that a broken device or
#: a playful finger cannot fill the journal.
RECORDED = 5


class Refusals:
    """Owns the count of the present session."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._session = ""
        self._seen = 0

    def of(self, model: Checkout, event: object, device: str) -> EventRefused | None:
        """Count a refusal; return its fact while there are few, and only for a device: a tap too late is no fact."""
        name = type(event).__name__
        self._counts[f"refused.{name}"] += 1
        self._seen = self._seen + 1 if model.session == self._session else 1
        self._session = model.session
        return EventRefused(str(model.state), name) if device and self._seen <= RECORDED else None
