"""What a session is asked, what it answers, and what passes between it, the outbox and the line.  Structs only."""

from __future__ import annotations

from enum import Enum

import msgspec

from kiosk.sync.messages import Journal, Mark, Message

SECOND = 1_000_000_000


class State(Enum):
    """Where a connection stands."""

    CLOSED = "closed"
    GREETING = "greeting"
    STREAMING = "streaming"
    #: Connected, and the journal is not taken: status and reference data go on.
    HALTED = "halted"


class Send(msgspec.Struct, frozen=True):
    """A message for the live lane."""

    message: Message


class Reopen(msgspec.Struct, frozen=True):
    """Close the socket; open a new one after so many nanoseconds."""

    after_ns: int
    #: A code of `sync.standing`.
    code: str
    detail: str = ""


class Acked(msgspec.Struct, frozen=True):
    """The hub has everything up to the mark on its disk; its signature, or b""."""

    mark: Mark
    receipt: bytes = b""


class Told(msgspec.Struct, frozen=True):
    """Something that people should know; `code` as in `sync.standing`."""

    code: str
    detail: str = ""


Output = Send | Reopen | Acked | Told


class Batch(msgspec.Struct, frozen=True):
    """Rows that the outbox cut: whole commits of one epoch."""

    previous: bytes
    rows: tuple[bytes, ...]
    signature: bytes
    #: Place and hash of the last row.
    last: Mark
    size: int

    @property
    def first(self) -> int:
        """Number of the first row within its epoch."""
        return self.last.seq - len(self.rows) + 1


class Room(msgspec.Struct, frozen=True):
    """Which rows may go now."""

    after: Mark
    most_rows: int
    #: Never more bytes than this …
    most_bytes: int
    #: … and more than this only where one commit is bigger.
    good_bytes: int
    ahead: bool = False


class Habits(msgspec.Struct, frozen=True):
    """What the configuration says of the line."""

    heartbeat_ns: int = 10 * SECOND
    #: Rows behind from which fresh ones go beside the backlog.
    ahead_from: int = 5000
    #: How long fresh rows wait for each other.
    gather_ns: int = 0


def order(mark: Mark) -> tuple[int, int]:
    """Return what marks are compared by."""
    return mark.epoch, mark.seq


def journal_of(batch: Batch) -> Journal:
    """Return the message that carries rows in the stream."""
    return Journal(batch.last.epoch, batch.first, batch.previous, batch.rows, batch.signature)
