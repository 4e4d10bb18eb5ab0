"""Commits facts: stamps them, appends them to the journal, then lets the books and the listeners know."""

from __future__ import annotations

from collections.abc import Sequence

from kiosk.core.day import BusinessDay
from kiosk.core.parts import KernelParts
from kiosk.core.slipshelf import SlipShelf
from kiosk.model import facts


class Committer:
    """Owns the one way into the journal.  What it returns from is on the disk."""

    def __init__(self, parts: KernelParts, day: BusinessDay) -> None:
        self._parts = parts
        self._day = day
        self.shelf = SlipShelf(parts.journal, parts.books)

    def commit(self, bodies: Sequence[facts.AnyBody], session: str, actor: str) -> None:
        """Commit facts together, made now.

        Raises:
            JournalError: nothing of them was committed.
        """
        parts = self._parts
        stamp = facts.Stamp(
            at=parts.clock.instant(), business_date=self._day.date, actor=actor, session=session,
            box_session=parts.books.box_session, digests=parts.digests, late=self._day.late(),
        )  # fmt: skip
        for committed in parts.journal.append(bodies, stamp):
            parts.books.apply(committed)
            self.shelf.remember(committed)
            parts.committed(committed)
