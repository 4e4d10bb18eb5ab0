"""Puts into the journal what becomes of the wall clock: jumps, doubts and their ends, so that a restart knows them.

Whoever ends a doubt leaves a fact before it ends: a person, the time service, or the clock that came back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kiosk.core.parts import KernelParts
from kiosk.model import facts


class ClockWatch:
    """Owns the way from the clock's judgement to facts."""

    def __init__(self, parts: KernelParts, append: Callable[[Sequence[facts.AnyBody], str, str], None]) -> None:
        self._clock = parts.clock
        self._books = parts.books
        self._append = append
        #: Jumps that are not committed yet, milliseconds.
        self._untold_ms = 0

    def begin(self) -> tuple[facts.AnyBody, ...]:
        """Hold the clock against the last fact and return what the start must tell of it."""
        books, now = self._books, self._clock.instant()
        if not books.trusted_wall_ns:
            return ()
        gone_ns = now.mono_ns - books.last_mono_ns if now.boot_id == books.last_boot else 0
        doubted = books.clock_doubt_ns != 0
        jump = self._clock.held_against(books.trusted_wall_ns, gone_ns=max(0, gone_ns), doubted=doubted)
        if jump:
            return (facts.ClockJumped(jump, facts.AGAINST_LAST_FACT),)
        return (facts.ClockTrusted(0, "came back"),) if doubted else ()

    def look(self, *, recording: bool) -> None:
        """Look at the clock; `recording` is False while the journal takes nothing.

        Raises:
            JournalError: what is to be told could not be committed; it is told at a later look.
        """
        self._untold_ms += self._clock.watch()
        if not recording:
            return
        if self._untold_ms:
            self._append((facts.ClockJumped(self._untold_ms, "while running"),), "", "kiosk")
            self._untold_ms = 0
        if not self._clock.unsure:
            return
        if self._clock.came_back():
            self.believe("came back")
        elif self._clock.vouched_for(self._books.trusted_wall_ns):
            self.believe("time service")

    def believe(self, by: str) -> None:
        """Commit that somebody believes the wall clock, then believe it.

        Raises:
            JournalError: it could not be committed; the doubt stays.
        """
        actor = by if by.startswith("admin:") else "kiosk"
        self._append((facts.ClockTrusted(self._clock.off_ms(), by),), "", actor)
        self._clock.trust()
