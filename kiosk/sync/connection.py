"""One hub's line and session together: frames in and out, lanes, bandwidth, the silence between two connections.

The live lane goes first: STATUS (the latest wins), PING, DONE.  PULL waits for bandwidth.  Rows go last, and only into
a socket that takes them, so a backlog never stands in front of an alarm.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import zmq

from kiosk.errors import WireError
from kiosk.sync import wire
from kiosk.sync.bandwidth import Bandwidth
from kiosk.sync.keys import TransportKey
from kiosk.sync.line import Line
from kiosk.sync.messages import Ahead, Journal, Message, Pull, Snap, Status
from kiosk.sync.messages import Delta as Changes

#: A line with a longer round trip is worth the time that compression takes, nanoseconds.
WORTH_PACKING_NS = 20_000_000
#: Messages that may wait in the live lane: what a hub asks for in a burst.
MOST_WAITING = 256


class Connection:
    """A line that is open or not, and what waits to go over it."""

    def __init__(self, context: zmq.Context[Any], bandwidth: Bandwidth, *, metered: bool) -> None:
        self._context, self._bandwidth, self._metered = context, bandwidth, metered
        self.line: Line | None = None
        self.session = 0
        self.round_trip_ns = 0
        self._number = 0
        self._live: deque[Message] = deque()
        self._pulls: deque[Message] = deque()

    def open(self, endpoint: str, server_key: str, key: TransportKey) -> None:
        """Begin to connect anew.  Raises zmq.ZMQError where the address cannot be used."""
        self.close()
        self.line = Line(self._context, endpoint, server_key, key)

    def close(self) -> None:
        """Give the line up, with everything that waited for it: the next connection begins anew."""
        if self.line is not None:
            self.line.close()
        self.line, self.session, self._number = None, 0, 0
        self._live.clear()
        self._pulls.clear()

    def post(self, message: Message) -> None:
        """Put a message into its lane."""
        if isinstance(message, Pull):
            self._pulls.append(message)
            return
        if isinstance(message, Status):
            self._live = deque(each for each in self._live if not isinstance(each, Status))
        if len(self._live) < MOST_WAITING:
            self._live.append(message)

    def pump(self, now: int) -> bool:
        """Send what waits; True where rows may follow."""
        while self._live:
            if not self._send(self._live[0], now):
                return False
            self._live.popleft()
        while self._pulls and self._bandwidth.is_free(now):
            if not self._send(self._pulls[0], now):
                return False
            self._pulls.popleft()
        return self.takes_rows(now)

    def takes_rows(self, now: int) -> bool:
        """Tell whether the socket and the bandwidth take rows now."""
        if self.line is None or not self._bandwidth.is_free(now):
            return False
        return bool(self.line.socket.getsockopt(zmq.EVENTS) & zmq.POLLOUT)

    def send_rows(self, message: Message, now: int) -> bool:
        """Send rows; call after `takes_rows`."""
        return self._send(message, now)

    def receive(self, now: int) -> tuple[wire.Head, Message] | WireError | None:
        """Return the next message, what was wrong with it, or None."""
        frames = self.line.receive() if self.line is not None else None
        if frames is None:
            return None
        try:
            head, message = wire.decode(frames, wire.DOWN)
        except WireError as error:
            return error
        if isinstance(message, Snap | Changes):
            self._bandwidth.spend(sum(map(len, frames)), now)
        return head, message

    def has_bandwidth(self, now: int) -> bool:
        """Tell whether the bandwidth lets rows go now."""
        return self._bandwidth.is_free(now)

    def deadline(self, now: int, *, rows: bool) -> int:
        """Return when something that waits may go, 0 for never; `rows` tells whether there are any."""
        waits = self._pulls or rows
        return self._bandwidth.free_at() if waits and not self._bandwidth.is_free(now) else 0

    @property
    def is_blocked(self) -> bool:
        """Whether the socket did not take what waits: poll it for writing."""
        return bool(self._live)

    def good_bytes(self, wanted: int) -> int:
        """Return how large a batch may be within the bandwidth."""
        return self._bandwidth.most_bytes(wanted)

    def _send(self, message: Message, now: int) -> bool:
        if self.line is None:
            return False
        rows = isinstance(message, Journal | Ahead)
        pack = rows and (self._metered or self._bandwidth.limited or self.round_trip_ns > WORTH_PACKING_NS)
        frames = wire.encode(message, session=self.session, number=self._number + 1, pack=pack)
        if not self.line.send(frames):
            return False
        self._number += 1
        if rows:
            self._bandwidth.spend(sum(map(len, frames)), now)
        return True
