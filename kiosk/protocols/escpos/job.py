"""One print job on its way through preflight, ready, (recheck,) sending and barrier (devices sheet §1.5).

A checkpoint is a queued question after a chunk.  Only a few chunks are out without an answer, so the printer's receive
buffer never fills: status questions and the clearing of the buffer always get through, also when the paper ends in
the middle, and a model that cannot clear its buffer holds no more than those few chunks of an old receipt.
"""

from __future__ import annotations

from collections import deque

from kiosk.protocols.escpos.setting import PrintStream

_SECOND = 1_000_000_000
#: No byte of a job left for this long (XOFF held, line stuck): the job is unknown.
STALL = 10 * _SECOND
#: Barrier: 5 s, and 1 s for each 100 mm of paper.
BARRIER_FLOOR = 5 * _SECOND
#: Phases after Confirm: every way out but an answered barrier is unknown.
CONFIRMED = ("recheck", "sending", "barrier")


class PrintJob:
    """Owns the bytes of one job and how far they have come; owns neither the printer's state nor the line."""

    def __init__(self, name: str, stream: PrintStream, wanted_at: int) -> None:
        self.name = name
        self.stream = stream
        #: ``preflight``, ``ready``, ``recheck``, ``sending`` or ``barrier``.
        self.phase = "preflight"
        #: Only a status asked at or after this time counts for the job.
        self.wanted_at = wanted_at
        #: State for which the job was last reported as held; empty for none.
        self.held = ""
        self.token = 0
        #: Bytes handed to the line, and those of them that the line has taken.
        self.handed = 0
        self.sent = 0
        #: When the present wait of sending or barrier is over; only these two phases have one.
        self.limit: int | None = None
        #: Mark of the completion id; empty where the queued status is the barrier.
        self.mark = b""
        self._next = 0
        #: Sizes of the chunks whose checkpoints the printer has not answered, oldest first.
        self._unproved: deque[int] = deque()

    @property
    def confirmed(self) -> bool:
        """`Confirm` was given: `PrintStarted` is committed."""
        return self.phase in CONFIRMED

    def start(self, now: int) -> None:
        """Begin to send."""
        self.phase, self.limit = "sending", now + STALL

    @property
    def handed_out(self) -> bool:
        """Every command has been handed to the line."""
        return self._next == len(self.stream.commands)

    @property
    def unproved(self) -> bool:
        """The printer has not yet answered every checkpoint."""
        return bool(self._unproved)

    @property
    def awaits_queued(self) -> bool:
        """An answer to ``1D 72 01`` is wanted: for a checkpoint, or for the barrier where it is one."""
        return self.unproved or (self.phase == "barrier" and not self.mark)

    def has_room(self, most: int, window: int) -> bool:
        """Tell whether a chunk may follow without filling the printer's receive buffer; 0 is a window without end."""
        return not self._unproved or not window or sum(self._unproved) + most <= window

    def checkpoint_asked(self, count: int) -> None:
        """A queued question follows the `count` bytes just handed out."""
        self._unproved.append(count)

    def checkpoint_answered(self, now: int) -> bool:
        """The printer has consumed the oldest unproved chunk; False where none was open."""
        if not self._unproved:
            return False
        self._unproved.popleft()
        if self.phase == "sending":
            self.limit = now + STALL
        return True

    def next_chunk(self, most: int) -> bytes:
        """Take whole commands of at most `most` bytes together, or one longer command; empty at the end."""
        commands = self.stream.commands
        chunk = bytearray()
        while self._next < len(commands) and (not chunk or len(chunk) + len(commands[self._next]) <= most):
            chunk += commands[self._next]
            self._next += 1
        self.handed += len(chunk)
        return bytes(chunk)

    def progressed(self, count: int, now: int) -> None:
        """The line has taken `count` more bytes."""
        self.sent += count
        self.limit = now + STALL

    def begin_barrier(self, mark: bytes, now: int) -> None:
        """All bytes have left; the barrier is about to follow them."""
        self.phase, self.mark, self.limit = "barrier", mark, now + STALL

    def barrier_left(self, now: int, extra: int) -> None:
        """The barrier has left: from now on the printer has its time for the paper, and `extra` nanoseconds."""
        self.limit = now + BARRIER_FLOOR + -(-self.stream.length_mm // 100) * _SECOND + extra
