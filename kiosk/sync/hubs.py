"""Which hub to speak to, and by which key: the first of the configuration that answers.

A hub that was unreachable for a while gives way to the next one; the first is tried again from time to time, beside
the line that stands, and is returned to when its handshake succeeds.  A watermark is kept for each hub, so neither a
change nor a return asks for more than what that hub lacks.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from kiosk.sync.keys import KnownHub, load_hubs
from kiosk.sync.settings import HubAddress

SECOND = 1_000_000_000
#: How long a hub may be unreachable before the next one is tried.
GIVE_WAY_NS = 30 * SECOND
#: Between two looks whether the first hub is back; doubled by each return that did not last.
LOOK_BACK_NS, MOST_LOOK_BACK_NS = 60 * SECOND, 960 * SECOND


class Target(msgspec.Struct, frozen=True):
    """Where to connect to, and the key that must answer there."""

    known: KnownHub
    endpoint: str
    server_key: str
    #: Whether it is the key that the hub announced as its next.
    next: bool = False


class HubOrder:
    """The enrolled hubs in the order of preference, and the one that is spoken to."""

    def __init__(
        self, addresses: tuple[HubAddress, ...], state: Path, give_way_ns: int = GIVE_WAY_NS,
        look_back_ns: int = LOOK_BACK_NS,
    ) -> None:  # fmt: skip
        self._addresses, self._state, self._give_way = addresses, state, give_way_ns
        self._look_back = self._look_back_first = look_back_ns
        self._at = 0
        self._tries = 0
        self._down_ns: int | None = None
        self._look_ns = 0
        self._hubs: list[tuple[HubAddress, KnownHub]] = []

    def read(self) -> None:
        """Read anew which hubs have taken this kiosk in.

        Raises:
            SyncError: the file of the known hubs cannot be used.
        """
        known = load_hubs(self._state)
        self._hubs = [(each, known[each.fingerprint]) for each in self._addresses if each.fingerprint in known]
        if self._at >= len(self._hubs):
            self._at = 0

    def target(self) -> Target | None:
        """Return where to connect to now; None while no hub has taken this kiosk in."""
        targets = self._targets(self._at)
        return targets[self._tries % len(targets)] if targets else None

    def failed(self, now: int) -> None:
        """The target was not reached, or turned this kiosk away."""
        self._tries += 1
        if self._down_ns is None:
            self._down_ns = now
        elif now - self._down_ns >= self._give_way and len(self._hubs) > 1:
            self._at, self._tries, self._down_ns = (self._at + 1) % len(self._hubs), 0, now
            self._look_ns = now + self._look_back

    def refused(self, now: int) -> bool:
        """The target turned this kiosk away and will for long; return whether there is another hub to go to."""
        self._tries += 1
        if len(self._hubs) < 2:
            return False
        self._at, self._tries, self._down_ns = (self._at + 1) % len(self._hubs), 0, None
        self._look_ns = now + self._look_back
        return self._at != 0

    def reached(self) -> None:
        """The hub welcomed this kiosk."""
        self._down_ns, self._tries = None, 0
        if self._at == 0:
            self._look_back = self._look_back_first

    def look_back(self, now: int) -> Target | None:
        """Return the first hub where it is time to see whether it is back, else None."""
        if self._at == 0 or now < self._look_ns:
            return None
        self._look_ns = now + self._look_back
        targets = self._targets(0)
        return targets[0] if targets else None

    def is_back(self) -> None:
        """The first hub answers: return to it."""
        self._at, self._tries, self._down_ns = 0, 0, None
        self._look_back = min(2 * self._look_back, MOST_LOOK_BACK_NS)

    def deadline(self) -> int:
        """Return when to look back, monotonic nanoseconds; 0 for never."""
        return self._look_ns if self._at else 0

    def _targets(self, at: int) -> list[Target]:
        if at >= len(self._hubs):
            return []
        address, known = self._hubs[at]
        found = [Target(known, known.endpoint or address.endpoint, known.server_key)]
        if known.next_key:
            found.append(Target(known, known.next_endpoint or address.endpoint, known.next_key, True))
        return found
