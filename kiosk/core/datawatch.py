"""Notices reference data that came, went or changed; a change is a fact before anything is priced with it.

That fact names every data set with generation, cursor and digest.  Each later fact carries the digest over all of them
in its stamp, so of every sale it can be told which state of which data set it was priced with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from kiosk.core.parts import KernelParts
from kiosk.model import facts


class DataWatch:
    """Owns the answer to "is there anything to look up in", as of the last look."""

    def __init__(self, parts: KernelParts, append: Callable[[Sequence[facts.AnyBody], str, str], None]) -> None:
        self._parts = parts
        self._append = append
        self.there = parts.source is not None and parts.source.available

    def look(self) -> None:
        """Look at the data sets now.

        Raises:
            JournalError: they changed and that could not be committed.
        """
        source, old = self._parts.source, self._parts.digests
        self.there = source is not None and source.available
        digest = source.digest() if source is not None and self.there else ""
        if source is not None and digest and digest != old.data:
            digest, lines = source.held()
            self._parts.digests = msgspec.structs.replace(old, data=digest)
            body = facts.ConfigurationChanged(old.software, old.configuration, digest, ("reference data", *lines))
            self._append((body,), "", "kiosk")
