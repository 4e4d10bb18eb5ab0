"""The journal's way to the line: hears that it grew, cuts what the session has room for, hands it over."""

from __future__ import annotations

from pathlib import Path

from kiosk.errors import JournalDamaged, JournalError
from kiosk.sync import wire
from kiosk.sync.connection import Connection
from kiosk.sync.doorbell import Doorbell
from kiosk.sync.messages import Mark
from kiosk.sync.outbox import Outbox
from kiosk.sync.session import Session
from kiosk.sync.traffic import Output, Room, Told, journal_of

#: Batches in one turn, before the line is listened to again.
MOST_A_TURN = 8


class Stream:
    """Owns the outbox and the doorbell."""

    def __init__(self, journal: Path) -> None:
        self.outbox, self.doorbell = Outbox(journal), Doorbell(journal)
        #: Newest row that was seen; nothing while the journal could never be read.
        self.head = Mark()
        #: Why the journal cannot be read now, "" where it can.
        self.away = "not read yet"
        #: What the last `pump` stopped at: ``turn``, ``socket`` or ``bandwidth`` where rows could follow; "" else.
        self.stopped_at = ""
        self._oldest: tuple[Mark, int] = (Mark(), 0)
        self._unsynced = 0

    def close(self) -> None:
        """Let the journal go."""
        self.outbox.close()
        self.doorbell.close()

    def look(self, now: int, session: Session | None) -> list[Output]:
        """See whether the journal grew, came or went."""
        self.doorbell.listen(now)
        if not self.doorbell.due(now):
            return []
        try:
            # Another file under the name is another journal until the hub has compared it: greet anew.
            if not self.outbox.still_there() and session is not None:
                session.unread(now)
            head = self.outbox.head()
        except JournalDamaged as error:
            self._lost(str(error))
            return session.unreadable(str(error), None) if session else []
        except JournalError as error:
            self._lost(str(error))
            return session.unread(now) if session else []
        self.away = ""
        if head == self.head and (session is None or (session.head == head and not session.away)):
            return []
        self.doorbell.found()
        self.head = head
        if session is None:
            return []
        told = session.grew(head, now)
        if session.beside.is_stuck:
            told += session.unreadable("", self.outbox.beyond_damage(session.place))
        return told

    def held(self, mark: Mark) -> bytes | None:
        """Return the hash that the journal has at a mark, None where it has none or cannot be read (`away` tells)."""
        try:
            return self.outbox.hash_at(mark)
        except JournalError as error:
            self._lost(str(error))
            return None

    def pump(self, session: Session, connection: Connection, now: int) -> list[Output]:
        """Send the rows that session, socket and bandwidth have room for."""
        told: list[Output] = []
        if session.probe():
            self._show_end(connection, now)
        for _ in range(MOST_A_TURN):
            self.stopped_at = ""
            room = session.room(now, self.outbox.count_after(session.place))
            if room is None:
                break
            if not connection.takes_rows(now):
                self.stopped_at = "socket" if connection.has_bandwidth(now) else "bandwidth"
                break
            good = connection.good_bytes(room.good_bytes)
            try:
                batch = self.outbox.cut(Room(room.after, room.most_rows, room.most_bytes, good, room.ahead))
            except JournalDamaged as error:
                told += session.unreadable(str(error), self.outbox.beyond_damage(room.after))
                if session.beside.is_stuck:
                    break
                continue
            except JournalError as error:
                self._lost(str(error))
                told += session.unread(now)
                break
            if batch is None:
                if session.under_way == (0, 0):
                    told.append(Told("too_large", f"the commit after {room.after.epoch}/{room.after.seq}"))
                break
            if not connection.send_rows(session.sent(batch, now, ahead=room.ahead), now):
                told += session.lost(now, "cut", "the socket took no rows")
                break
            self.stopped_at = "turn"
        return told

    def unsynced(self, acked: Mark) -> tuple[int, int]:
        """Return how many facts follow a mark, and the wall clock of the oldest of them."""
        if self.away:
            return self._unsynced, self._oldest[1]
        self._unsynced = count = self.outbox.count_after(acked)
        if not count:
            return 0, 0
        if self._oldest[0] != acked or not self._oldest[1]:
            try:
                self._oldest = (acked, self.outbox.written_ns(acked))
            except JournalError as error:
                self._lost(str(error))
                return count, 0
        return count, self._oldest[1]

    def oldest(self) -> Mark:
        """Return the oldest row that is here; nothing where the journal cannot be read."""
        try:
            return self.outbox.oldest()
        except JournalError as error:
            self._lost(str(error))
            return Mark()

    def _show_end(self, connection: Connection, now: int) -> None:
        """Show the hub the journal's end, so that it keeps apart what contradicts its copy."""
        try:
            room = Room(Mark(), wire.MOST_ROWS, wire.MOST_BYTES, wire.MOST_BYTES)
            batch = self.outbox.cut(self.outbox.end_room(room))
        except JournalError as error:
            self._lost(str(error))
            return
        if batch is not None:
            connection.send_rows(journal_of(batch), now)

    def _lost(self, why: str) -> None:
        self.away = why or "it cannot be read"
        self.outbox.close()
