"""Tells the core of documents that a hub sent whole: not more often than it can bear, and again until it has them."""

from __future__ import annotations

from collections.abc import Callable

from kiosk.errors import KioskError
from kiosk.sync.allowance import Allowance
from kiosk.sync.parts import Core
from kiosk.sync.traffic import SECOND

#: Documents that the core adopts.
ADOPTED = ("people", "pack")
#: So many changes of one document at once, and one more in each minute: each costs the core a moment and a fact.
AT_ONCE, EVERY_NS = 5, 60 * SECOND
#: Between two tries where the core did not take it.
AGAIN_NS = 5 * SECOND


class Adoption:
    """Owns which documents the core has still to be told of."""

    def __init__(self, core: Core, note: Callable[[str, str], None]) -> None:
        self._core, self._note = core, note
        self._digests: dict[str, str] = {}
        #: Name -> when to tell the core, monotonic.
        self._due: dict[str, int] = {}
        self._allowed = {name: Allowance(AT_ONCE, EVERY_NS) for name in ADOPTED}

    def came(self, name: str, digest: str) -> None:
        """A data set is here whole."""
        if name in ADOPTED and self._digests.get(name) != digest:
            self._digests[name] = digest
            self._due.setdefault(name, 0)

    def act(self, now: int) -> None:
        """Tell the core what is due."""
        for name in [name for name, at in self._due.items() if now >= at]:
            if not self._allowed[name].take(now):
                self._due[name] = now + AGAIN_NS
                continue
            try:
                self._core.adopt(name)
            except KioskError as error:
                self._note("journal_away" if error.transient else "malformed", error.message)
                if error.transient:
                    self._due[name] = now + AGAIN_NS
                    continue
            del self._due[name]
