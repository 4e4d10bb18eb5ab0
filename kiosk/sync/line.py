"""One ZeroMQ connection to a hub: a DEALER under CURVE, watched by its monitor, opened once and never mended.

libzmq would reconnect for ever without a word, and a client that was refused would never be let in again on the same
socket (sync sheet §4).  So its own reconnecting is off, and whoever owns a line opens a new one with a back-off of
its own.  No routing id is set: the hub knows a kiosk by its authenticated key.
"""

from __future__ import annotations

from typing import Any

import msgspec
import zmq
from zmq.utils.monitor import recv_monitor_message

from kiosk.sync.keys import TransportKey
from kiosk.sync.wire import LARGEST

#: Messages that may wait in the socket in each direction (sync sheet §3).
HIGH_WATER = 64
#: How long a TCP connection and the handshake on it may take, milliseconds.
CONNECT_MS, HANDSHAKE_MS = 10_000, 10_000
_EVENTS = (
    zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_CONNECT_RETRIED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)  # fmt: skip
_LOST = zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_CONNECT_RETRIED


class LineEvent(msgspec.Struct, frozen=True):
    """What became of a line: ``opened``, or why it is gone: a code of `sync.standing`."""

    code: str
    detail: str = ""


class Line:
    """A socket and its monitor; used by one thread only."""

    def __init__(self, context: zmq.Context[Any], endpoint: str, server_key: str, key: TransportKey) -> None:
        """Begin to connect; `events` tells how that ends."""
        self.endpoint, self.server_key = endpoint, server_key
        self._connected = self._opened = self._over = False
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
        socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
        socket.setsockopt(zmq.MAXMSGSIZE, LARGEST)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.setsockopt(zmq.IPV6, 1)
        socket.setsockopt(zmq.RECONNECT_IVL, -1)
        socket.setsockopt(zmq.CONNECT_TIMEOUT, CONNECT_MS)
        socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        key.use_on(socket, server_key)
        self.socket = socket
        self.monitor = socket.get_monitor_socket(_EVENTS)
        self.monitor.setsockopt(zmq.LINGER, 0)
        socket.connect(endpoint)

    def events(self) -> list[LineEvent]:
        """Return what happened to the connection; after a loss the line is of no use."""
        told: list[LineEvent] = []
        while not self._over and self.monitor.poll(0):
            event = recv_monitor_message(self.monitor)
            kind, value = int(event["event"]), int(event["value"])
            if kind == zmq.EVENT_CONNECTED:
                self._connected = True
            elif kind == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._opened = True
                told.append(LineEvent("opened"))
            elif kind == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                told.append(self._end("not_admitted"))
            elif kind == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                told.append(self._end("handshake_failed", f"protocol error {value:#x}"))
            elif kind == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL or kind & _LOST:
                told.append(self._end(self._loss()))
        return told

    def send(self, frames: list[bytes]) -> bool:
        """Hand a message to the socket; False where it takes none now."""
        try:
            self.socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def receive(self) -> list[bytes] | None:
        """Return the next message's frames, or None."""
        try:
            frames: list[bytes] = self.socket.recv_multipart(zmq.NOBLOCK)
            return frames
        except zmq.Again:
            return None

    def close(self) -> None:
        """Give everything back."""
        self._over = True
        self.socket.disable_monitor()
        self.monitor.close()
        self.socket.close()

    def _end(self, code: str, detail: str = "") -> LineEvent:
        self._over = True
        return LineEvent(code, detail)

    def _loss(self) -> str:
        """Name a loss by how far the connection had come.

        A server that cannot open the first box of a client hangs up without a word: the pinned key is not its key.
        """
        if self._opened:
            return "cut"
        return "other_key" if self._connected else "unreachable"
