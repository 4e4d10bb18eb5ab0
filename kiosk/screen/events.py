"""The stream of server-sent events: each event is a whole screen, so that any one of them is enough.

A snapshot tells everything, so resuming needs no memory: a client that names the event it saw last (`Last-Event-ID`)
gets the present one at once if that differs, and nothing if it does not.  Snapshots that follow one another faster
than the client reads are left out.  A beat every few seconds lets the page notice a stream that died silently.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from kiosk.core.snapshot import SnapshotBoard

#: Seconds between beats of an idle stream; the page calls the stream lost after three.
BEAT_S = 5
#: Streams at one time: the kiosk's own page, a reload that overlaps, a person's second tab, and a few more.
MOST_STREAMS = 8


def frame(event: str, data: bytes, identity: str = "") -> bytes:
    """One event as it goes over the wire (HTML standard, server-sent events).  `data` holds no line break.

    >>> frame("beat", b"{}")
    b'event: beat\\ndata: {}\\n\\n'
    """
    head = f"id: {identity}\n" if identity else ""
    return f"{head}event: {event}\n".encode() + b"data: " + data + b"\n\n"


class Streams:
    """Hands the board's snapshots to the open streams, each at its own pace."""

    def __init__(self, board: SnapshotBoard, draw: Callable[[], tuple[str, dict[str, object]] | None]) -> None:
        self._board = board
        #: Draws the present screen: (event id, data).
        self._draw = draw
        self.open = 0

    @property
    def full(self) -> bool:
        """Whether no further stream is served now."""
        return self.open >= MOST_STREAMS

    async def follow(self, seen: str) -> AsyncIterator[bytes]:
        """Yield the present screen unless it is the one `seen`, then every later one."""
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(changed.set)
            except RuntimeError:
                # The loop was closed between the server's stop and the end of this stream; nobody waits any more.
                end()

        end = self._board.subscribe(wake)
        self.open += 1
        try:
            yield b"retry: 1000\n\n"
            while True:
                changed.clear()
                drawn = self._draw()
                if drawn is not None and drawn[0] != seen:
                    seen = drawn[0]
                    yield frame("screen", msgspec.json.encode(drawn[1]), seen)
                try:
                    await asyncio.wait_for(changed.wait(), BEAT_S)
                except TimeoutError:
                    yield frame("beat", b"{}")
        finally:
            self.open -= 1
            end()
