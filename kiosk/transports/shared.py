"""One port for several devices that speak in turns, as on a ccTalk bus.

Theory of operation: a `SharedLine` owns the port; each device's line thread gets a `MemberPath` of its own, a byte
path like any other.  Only the member whose turn it is sees the port's descriptor and bytes and may write; all
others wait on a descriptor of their own, on which they hear that the port was lost.  A driver asks for its turn by
the request ``turn`` and gives it back by ``turn_over``; who had to wait comes first in the order of asking.

Rules that must stay true:

- A member that closes (its driver died, its thread was abandoned) or keeps the turn longer than the limit while
  another one waits has lost it, and hears of it as a lost port.  What it asked may still be answered, so nobody
  gets the next turn before the line had time to fall silent.
- A turn that wrote and heard nothing, or says so itself, is followed by the same silence: a late answer must not
  be taken for the next one's.
- Bytes that arrive in nobody's turn belong to nobody: they are thrown away and counted before the next turn.
- The port is opened by the first member and closed by the last; where it is lost, each member hears why.
- No member waits for another one except while the port is being opened.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from kiosk.errors import TransportError
from kiosk.plugins.devices import PortRequest, Reply
from kiosk.transports.path import BytePath, closed, not_supported

T = TypeVar("T")
MS = 1_000_000
#: The longest turn while another member waits: some ccTalk commands take seconds (ccTalk sheet §1).
TURN_NS = 5_000 * MS
#: Silence after a turn that was taken away: an answer comes within 10 ms, a frame ends after a gap of 50 ms (§1).
QUIET_NS = 250 * MS
#: How long who was refused keeps its place in the queue without asking again.
PLACE_NS = 250 * MS
#: What a driver says with ``turn_over`` where the answer is still out: the line may yet speak.
UNANSWERED = b"unanswered"
#: Reads of stray bytes before a turn; a line that never stops talking gives no clean turn anyway.
STRAY_READS = 16


class TurnLost(TransportError):
    """The member kept the line from the others."""


class SharedCounts(msgspec.Struct):
    """What happened to the turns of one line."""

    turns: int = 0
    #: Turns taken away because they lasted too long.
    overstayed: int = 0
    #: Turns that ended because their member closed.
    abandoned: int = 0
    #: Bytes that arrived in nobody's turn.
    strays: int = 0


class SharedLine:
    """Owns the port and whose turn it is; refuses to know what is spoken on it."""

    def __init__(self, path: BytePath, *, turn_ns: int = TURN_NS, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.path = path
        self.counts = SharedCounts()
        self._turn_ns = turn_ns
        self._clock = clock
        #: Held while the port is opened, which may take long; never asked for while `_lock` is held.
        self._opening = threading.Lock()
        #: Guards everything below; held for moments only.
        self._lock = threading.Lock()
        self._members: set[MemberPath] = set()
        self._facts: dict[str, str] | None = None
        self._holder: MemberPath | None = None
        self._since = 0
        #: Who was refused, in the order of asking, and when it asked last.
        self._queue: dict[MemberPath, int] = {}
        self._quiet_until = 0
        #: Whether the present turn has written, and whether it has heard anything.
        self._wrote = self._heard = False

    def member(self) -> MemberPath:
        """Return a closed path for one more device on this line."""
        return MemberPath(self)

    def holds(self, member: MemberPath) -> bool:
        """Tell whether it is the member's turn."""
        return self._holder is member

    # --- called by members ----------------------------------------------------------------------------------

    def join(self, member: MemberPath) -> dict[str, str]:
        """Take a member in; the first one opens the port.

        Raises:
            TransportError: the port does not open.
        """
        with self._opening:
            with self._lock:
                if self._facts is not None:
                    self._members.add(member)
                    return dict(self._facts)
            facts = self.path.open()
            with self._lock:
                self._facts, self._holder, self._quiet_until = facts, None, 0
                self._queue.clear()
                self._members = {member}
                return dict(facts)

    def leave(self, member: MemberPath) -> int:
        """Let a member go, the last one closes the port; return the member's own descriptor, which is now its last.

        Raises:
            TransportError: the port does not close well.
        """
        with self._lock:
            news, member.news = member.news, -1
            self._queue.pop(member, None)
            if member in self._members:
                self._members.discard(member)
                if self._holder is member:
                    self.counts.abandoned += 1
                    self._take_away()
                if not self._members:
                    self._shut()
            return news

    def ask(self, member: MemberPath, number: int) -> Reply:
        """Give the member its turn, or tell it that others come first."""
        with self._lock:
            now = self._clock()
            if member not in self._members:
                return Reply(number, False, b"busy")
            if self._holder is member:
                return Reply(number, True)
            if self._holder is not None and now - self._since >= self._turn_ns:
                self.counts.overstayed += 1
                self._holder.overstayed()
                self._take_away()
            self._queue = {each: at for each, at in self._queue.items() if now - at <= PLACE_NS or each is member}
            first = next(iter(self._queue), member)
            if self._holder is not None or now < self._quiet_until or first is not member:
                self._queue[member] = now
                return Reply(number, False, b"busy")
            self._queue.pop(member, None)
            try:
                self._drop_strays()
            except TransportError as error:
                self._lost(error)
                return Reply(number, False, b"busy")
            self._holder, self._since, self._wrote, self._heard = member, now, False, False
            self.counts.turns += 1
            return Reply(number, True)

    def give_back(self, member: MemberPath, request: PortRequest) -> Reply:
        """End the member's turn."""
        with self._lock:
            if self._holder is not member:
                return Reply(request.id, False)
            self._holder = None
            if request.data == UNANSWERED or (self._wrote and not self._heard):
                self._quiet_until = self._clock() + QUIET_NS
            return Reply(request.id, True)

    def read(self, member: MemberPath) -> bytes:
        """Return what has arrived in the member's turn, b"" in anybody else's.

        Raises:
            TransportError: the port is lost; every member is told.
        """
        data = self.in_turn(member, lambda path: path.read()) or b""
        self._heard = self._heard or bool(data)
        return data

    def write(self, member: MemberPath, data: bytes) -> int | None:
        """Hand over bytes in the member's turn; None in anybody else's.

        Raises:
            TransportError: the port is lost; every member is told.
        """
        self._wrote = self._wrote or self._holder is member
        return self.in_turn(member, lambda path: path.write(data))

    def in_turn(self, member: MemberPath, act: Callable[[BytePath], T]) -> T | None:
        """Do something with the port in the member's turn; None in anybody else's.

        Raises:
            TransportError: the port is lost; every member is told.
        """
        with self._lock:
            if self._holder is not member:
                return None
            try:
                return act(self.path)
            except TransportError as error:
                self._lost(error)
                raise

    # --- under the lock ---------------------------------------------------------------------------------------

    def _take_away(self) -> None:
        self._holder = None
        self._quiet_until = self._clock() + QUIET_NS

    def _drop_strays(self) -> None:
        for _ in range(STRAY_READS):
            data = self.path.read()
            if not data:
                return
            self.counts.strays += len(data)

    def _lost(self, error: TransportError) -> None:
        members, self._members = self._members, set()
        for member in members:
            member.told(error)
        try:
            self._shut()
        except TransportError:
            pass  # a port that is gone may not even close well; why it is gone has been told

    def _shut(self) -> None:
        self._facts, self._holder = None, None
        self._queue.clear()
        self.path.close()


class MemberPath:
    """One device's byte path on a shared line."""

    def __init__(self, line: SharedLine) -> None:
        self.label = line.path.label
        #: Readable as soon as there is news; -1 while closed.
        self.news = -1
        self._line = line
        self._trouble: TransportError | None = None

    def open(self) -> dict[str, str]:
        """Join the line, opening the port where nobody has it open."""
        self.close()
        self._trouble, self.news = None, os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            return self._line.join(self)
        except TransportError:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the port's descriptor in this member's turn, else its own."""
        return self._line.path.fileno() if self._line.holds(self) else self.news

    def read(self) -> bytes:
        """Return what has arrived in this member's turn."""
        self._check()
        return self._line.read(self)

    def write(self, data: bytes) -> int:
        """Hand over bytes; only in this member's turn."""
        self._check()
        taken = self._line.write(self, data)
        if taken is None:
            self._check()
            raise TransportError(
                f"{self.label}: a driver wrote outside its turn", hint="it must ask for a turn first", transient=True
            )
        return taken

    def drop_output(self) -> None:
        """Forget what waits in the port, if it is this member's."""
        self._line.in_turn(self, lambda path: path.drop_output())

    def request(self, request: PortRequest) -> Reply:
        """Ask for a turn or give it back; everything else reaches the port in this member's turn only."""
        if request.kind == "turn":
            return self._line.ask(self, request.id)
        if request.kind == "turn_over":
            return self._line.give_back(self, request)
        return self._line.in_turn(self, lambda path: path.request(request)) or not_supported(request)

    def present(self) -> bool | None:
        """Tell whether the port can be found."""
        return self._line.path.present()

    def close(self) -> None:
        """Leave the line."""
        news = self._line.leave(self)
        if news >= 0:
            os.close(news)

    # --- called by the line, from another member's thread ---------------------------------------------------

    def told(self, trouble: TransportError) -> None:
        """Hear that the port is gone, or the turn; under the line's lock, which `news` is closed under as well."""
        self._trouble = trouble
        if self.news >= 0:
            os.eventfd_write(self.news, 1)

    def overstayed(self) -> None:
        """Hear that the turn was taken away."""
        self.told(
            TurnLost(
                f"{self.label}: the turn was kept too long and went to another device",
                hint="its driver must give the line back after each exchange", transient=True,
            )
        )  # fmt: skip

    def _check(self) -> None:
        if self._trouble is not None:
            raise self._trouble
        if self.news < 0:
            raise closed(self.label)
