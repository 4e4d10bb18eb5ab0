"""The connections of kiosks: which is the newest one of a kiosk, and what it may say next.

A routing id names a connection as long as it lives; whose it is says the authenticated key alone.  The table holds
kiosks that are registered and no one else, and at most as many connections as the configuration allows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec

#: Nanoseconds without a message after which a connection is forgotten; longer than any heartbeat.
FORGOTTEN_NS = 900_000_000_000
#: Connections of one kiosk at a time: a new one beside one that went dead, and the look whether the hub is back.
MOST_OF_ONE = 8
#: Answers to commands that one connection may give in a second: each is a transaction.
MOST_ANSWERS = 32
#: Connections of one kiosk that end within `UNSTABLE_NS` before it is a finding.
UNSTABLE, UNSTABLE_NS = 5, 60_000_000_000


class Peer(msgspec.Struct):
    """One connection."""

    id: bytes
    key: str
    kiosk: str
    fd: int
    #: Number of its newest message.
    number: int = 0
    #: Session fence of the WELCOME that went to it; 0 before.
    session: int = 0
    #: Number of the newest message to it.
    told: int = 0
    #: Monotonic clock of its newest message: a hub whose wall clock is put right forgets nobody.
    seen_ns: int = 0
    #: Whether it claimed to be somebody else: nothing but a HELLO is taken from it.
    barred: bool = False
    #: Command -> when it went out on this connection, monotonic.
    commands: dict[str, int] = {}
    #: Answers to commands within the present second, and when it began.
    answers: int = 0
    second_ns: int = 0

    def may_answer(self, now_ns: int) -> bool:
        """Count one answer to a command; False where there are too many in this second."""
        if now_ns - self.second_ns >= 1_000_000_000:
            self.second_ns, self.answers = now_ns, 0
        self.answers += 1
        return self.answers <= MOST_ANSWERS


class Peers:
    """All connections that sent something."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_id: dict[bytes, Peer] = {}
        self._by_fd: dict[int, Peer] = {}
        #: Kiosk -> the connection of its newest WELCOME.
        self._welcomed: dict[str, Peer] = {}
        self._endings: dict[str, deque[int]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, peer: bytes) -> Peer | None:
        """Return a connection by its routing id."""
        return self._by_id.get(peer)

    def meet(self, peer: bytes, key: str, kiosk: str, fd: int) -> Peer | None:
        """Return a new connection; None where there are too many."""
        if len(self._by_id) >= self._most:
            return None
        met = Peer(peer, key, kiosk, fd, commands={})
        self._by_id[peer] = met
        self._by_fd[fd] = met
        return met

    def oldest_of(self, kiosk: str) -> Peer | None:
        """Return the connection of a kiosk that said nothing for longest, where it has as many as it may."""
        mine = [peer for peer in self._by_id.values() if peer.kiosk == kiosk]
        return min(mine, key=lambda peer: peer.seen_ns) if len(mine) >= MOST_OF_ONE else None

    def welcome(self, peer: Peer, session: int) -> None:
        """Note that a connection got its session: commands and news go here from now on."""
        peer.session = session
        self._welcomed[peer.kiosk] = peer

    def of_kiosk(self, kiosk: str) -> Peer | None:
        """Return the connection that a kiosk is reached by."""
        return self._welcomed.get(kiosk)

    def welcomed(self) -> Iterator[Peer]:
        """Yield the connection of each kiosk that is reached."""
        yield from tuple(self._welcomed.values())

    def kiosk_at(self, fd: int) -> str:
        """Return whose connection a descriptor is; "" where it said nothing yet."""
        found = self._by_fd.get(fd)
        return found.kiosk if found is not None else ""

    def forget(self, peer: Peer) -> None:
        """Forget a connection."""
        self._by_id.pop(peer.id, None)
        if self._by_fd.get(peer.fd) is peer:
            del self._by_fd[peer.fd]
        if self._welcomed.get(peer.kiosk) is peer:
            del self._welcomed[peer.kiosk]

    def ended(self, fd: int, now: int) -> tuple[str, bool]:
        """Forget the connection of a descriptor; return its kiosk, and whether its line is unstable."""
        peer = self._by_fd.get(fd)
        if peer is None:
            return "", False
        self.forget(peer)
        endings = self._endings.setdefault(peer.kiosk, deque(maxlen=UNSTABLE))
        endings.append(now)
        return peer.kiosk, len(endings) == UNSTABLE and now - endings[0] < UNSTABLE_NS

    def sweep(self, now_ns: int) -> None:
        """Forget connections that said nothing for long; the monitor may have missed their end."""
        for peer in [peer for peer in self._by_id.values() if now_ns - peer.seen_ns > FORGOTTEN_NS]:
            self.forget(peer)
