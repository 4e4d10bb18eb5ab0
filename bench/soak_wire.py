"""A bad line on a virtual clock: what is written arrives later, in pieces, damaged, twice, or not at all.

One piece is what one end wrote at once, which for these protocols is a frame.  At most one byte of a piece is damaged:
what two damaged bytes do to an eight-bit checksum is arithmetic, not a property of a driver.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter

import msgspec

MS = 1_000_000


class Faults(msgspec.Struct, frozen=True):
    """How bad the line is: chances for each piece, 0 to 1."""

    lose: float = 0.0
    #: One byte is lost, so that the rest of the frame moves up.
    lose_byte: float = 0.0
    garble: float = 0.0
    duplicate: float = 0.0
    #: The piece arrives in two, the second part late.
    split: float = 0.0
    delay: float = 0.0
    #: Longest extra delay of a delayed piece.
    delay_ms: int = 400
    #: Rubbish before the piece.
    noise: float = 0.0


CLEAN = Faults()
BAD = Faults(lose=0.01, lose_byte=0.005, garble=0.01, duplicate=0.005, split=0.05, delay=0.01, noise=0.005)


class Way:
    """One direction of a line."""

    def __init__(self, chance: random.Random, byte_ns: int, faults: Faults, counts: Counter[str]) -> None:
        self.faults = faults
        self._chance = chance
        self._byte_ns = byte_ns
        self._counts = counts
        self._free_at = 0
        self._number = 0
        self._waiting: list[tuple[int, int, bytes]] = []

    def put(self, piece: bytes, now: int) -> None:
        """Write a piece; bytes of one direction never overtake one another unless they were delayed."""
        faults, chance = self.faults, self._chance
        if chance.random() < faults.lose:
            self._counts["lost"] += 1
            return
        if piece and chance.random() < faults.lose_byte:
            at = chance.randrange(len(piece))
            piece = piece[:at] + piece[at + 1 :]
            self._counts["short"] += 1
        elif piece and chance.random() < faults.garble:
            at = chance.randrange(len(piece))
            piece = piece[:at] + bytes((piece[at] ^ chance.randrange(1, 256),)) + piece[at + 1 :]
            self._counts["garbled"] += 1
        if chance.random() < faults.noise:
            piece = chance.randbytes(chance.randrange(1, 4)) + piece
            self._counts["noise"] += 1
        start = max(now, self._free_at)
        if chance.random() < faults.delay:
            start += chance.randrange(faults.delay_ms * MS)
            self._counts["delayed"] += 1
        parts = [piece]
        if len(piece) > 1 and chance.random() < faults.split:
            at = chance.randrange(1, len(piece))
            parts = [piece[:at], piece[at:]]
            self._counts["split"] += 1
        for part in parts:
            start += len(part) * self._byte_ns
            self._send(start, part)
            if len(parts) > 1:
                start += chance.randrange(20 * MS)
        if chance.random() < faults.duplicate:
            self._send(start + chance.randrange(30 * MS), piece)
            self._counts["duplicated"] += 1
        self._free_at = max(self._free_at, start)

    def _send(self, at: int, part: bytes) -> None:
        self._number += 1
        heapq.heappush(self._waiting, (at, self._number, part))

    def due(self) -> int | None:
        """Return when the next bytes arrive."""
        return self._waiting[0][0] if self._waiting else None

    def take(self, now: int) -> bytes:
        """Return what has arrived, in order."""
        out = bytearray()
        while self._waiting and self._waiting[0][0] <= now:
            out += heapq.heappop(self._waiting)[2]
        return bytes(out)
