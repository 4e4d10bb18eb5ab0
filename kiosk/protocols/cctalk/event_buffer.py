"""The event buffer of coin acceptors and bill validators, headers 229 and 159 (ccTalk sheet §6).

A counter and the five newest events, newest first.  Reading consumes nothing, so a lost reply is simply read again;
what is new is told by the counter alone: 0 after power-up or reset, then 1 to 255, and *from 255 back to 1*.  So the
difference is taken modulo 255, not 256.

`EventLog` is the host's side: it knows the counter up to which events were taken, and of which unit (by its serial),
and gives out what is new, oldest first, each with the counter that stands after it.  That pair, serial and counter, is
the mark that is stored in the same fact as the credit (house §1.1): with it, a host that starts again credits what fell
meanwhile once and nothing twice.  Without a mark of this very unit it takes over the counter and credits nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from kiosk.errors import FrameError

#: Events in a reply.
DEPTH = 5
#: After this counter comes 1.
MAX_COUNTER = 255
_MARK = re.compile(r"([0-9]{1,10}):([0-9]{1,3})")

Pair = tuple[int, int]


class EventBuffer(msgspec.Struct, frozen=True):
    """Answer to header 229 or 159."""

    counter: int
    #: (A, B), newest first, five of them.
    pairs: tuple[Pair, ...]


def parse_events(data: bytes) -> EventBuffer:
    """Read the eleven bytes.

    >>> parse_events(bytes.fromhex("02 0105 0105 0000 0000 0000")).pairs[:3]
    ((1, 5), (1, 5), (0, 0))

    Raises:
        FrameError: there are not eleven of them; the specification's own text holds one such misprint (sheet §13).
    """
    if len(data) != 1 + 2 * DEPTH:
        raise FrameError(f"an event buffer of {len(data)} bytes is none", hint="read it again")
    return EventBuffer(data[0], tuple((data[at], data[at + 1]) for at in range(1, 2 * DEPTH, 2)))


def encode_events(counter: int, newest_first: Sequence[Pair]) -> bytes:
    """Build the eleven bytes from the counter and the newest events, (0, 0) where there are fewer than five."""
    pairs = [*newest_first[:DEPTH], *[(0, 0)] * (DEPTH - len(newest_first))]
    return bytes((counter, *(byte for pair in pairs for byte in pair)))


def next_counter(counter: int) -> int:
    """Return the counter after one more event.

    >>> next_counter(0), next_counter(254), next_counter(255)
    (1, 255, 1)
    """
    return counter % MAX_COUNTER + 1


def steps(counter: int, last: int) -> int:
    """Return how many events lie between `last` and `counter`, both of one life of the unit.

    >>> [steps(*pair) for pair in ((23, 23), (104, 102), (1, 255), (3, 253), (54, 48), (4, 0))]
    [0, 2, 1, 5, 6, 4]
    """
    return counter if last == 0 else (counter - last) % MAX_COUNTER


class Happened(msgspec.Struct, frozen=True):
    """One new event."""

    kind: int
    code: int
    #: The unit's counter after it, stored with the credit.
    mark: str
    #: It happened before this run listened.
    recovered: bool = False

    @property
    def raw(self) -> str:
        """Return it as it was on the wire."""
        return f"{self.kind:02x}{self.code:02x}"


class News(msgspec.Struct, frozen=True):
    """What one reading of the buffer tells."""

    #: New events, oldest first.
    events: tuple[Happened, ...] = ()
    #: How many more there were that the buffer did not keep.
    lost: int = 0
    #: The unit was reset or lost its power: everything it was told is forgotten.
    restarted: bool = False
    #: There was no counter of this unit to go by: its present one was taken over and nothing was told.
    adopted: bool = False
    #: The event before the new ones, which was taken earlier; None where the buffer does not hold it any more.
    standing: Happened | None = None


class EventLog:
    """Owns the counter up to which the events of one unit were taken."""

    def __init__(self) -> None:
        self._serial: int | None = None
        self._taken: int | None = None
        self._fresh_start = True

    def remember(self, mark: str) -> None:
        """Take the mark of the last committed credit; one that is none of ours is as good as none."""
        match = _MARK.fullmatch(mark)
        if match and int(match[2]) <= MAX_COUNTER:
            self._serial, self._taken = int(match[1]), int(match[2])

    def identified(self, serial: int | None) -> bool:
        """Take the serial of the unit on the line; return True where the counter known is of this very unit.

        A unit that tells no serial is the same as before only as long as the byte path was not opened anew.
        """
        alike = serial == self._serial and (serial is not None or not self._fresh_start)
        same = alike and self._taken is not None
        if not same:
            self._serial, self._taken = serial, None
        return same

    def opened(self) -> None:
        """The byte path was opened: what is found next happened while nobody listened."""
        self._fresh_start = True

    def leaps(self, buffer: EventBuffer) -> bool:
        """Tell whether the counter moved by more than the buffer keeps: events were lost, or this is an old reply."""
        return self._taken is not None and buffer.counter > 0 and steps(buffer.counter, self._taken) > DEPTH

    def moved(self, buffer: EventBuffer) -> bool:
        """Tell whether a reading would tell anything new."""
        return self._taken is not None and buffer.counter != self._taken

    def read(self, buffer: EventBuffer) -> News:
        """Take a reading and return what is new; the events given out count as taken."""
        last, self._taken = self._taken, buffer.counter
        recovered, self._fresh_start = self._fresh_start, False
        if last is None:
            return News(adopted=True)
        if buffer.counter == 0:
            return News(restarted=last > 0)
        found = steps(buffer.counter, last)
        fresh = min(found, DEPTH)
        counters = [buffer.counter]
        while len(counters) < fresh:
            counters.append(counters[-1] - 1 or MAX_COUNTER)
        events = tuple(
            Happened(kind, code, self._mark(counter), recovered)
            for (kind, code), counter in zip(buffer.pairs[:fresh], counters, strict=False)
        )
        standing = Happened(*buffer.pairs[found], self._mark(last), recovered) if found < len(buffer.pairs) else None
        return News(events[::-1], found - fresh, standing=standing)

    def _mark(self, counter: int) -> str:
        """Say where the counter stands; without a serial too, or an older mark would stand for what is booked now."""
        return f"{self._serial if self._serial is not None else '-'}:{counter}"
