"""A part's end of the PAIR to the front.

A PAIR that connects while the front still holds the one of a part that died is never served, and never told.  So a
long quiet is taken for that, and the part meets the front anew; whatever is lost at that moment is asked or sent again
by the kiosk that it was from.
"""

from __future__ import annotations

import time

import zmq

from kiosk.hub.bus import DEPTH

#: Seconds without any message after which the front is met anew, and its time to let the old meeting go.
QUIET_S, REST_S = 15.0, 0.5


class Meeting:
    """Owns the socket; used by one thread."""

    def __init__(self, address: str, *, answers: int) -> None:
        """Meet the front at an address; `answers` may wait for it before one is given up."""
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._address = address
        self._answers = answers
        self._socket = self._met()
        self._heard_s = time.monotonic()

    def _met(self) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.PAIR)
        socket.linger = 0
        # A full queue towards the front loses an answer, which costs a repetition; a wait for it would stop the part.
        socket.rcvhwm, socket.sndhwm = DEPTH, self._answers
        socket.connect(self._address)
        return socket

    def wait(self, milliseconds: int) -> bool:
        """Wait so long for a message; tell whether there is one."""
        if self._socket.poll(milliseconds):
            self._heard_s = time.monotonic()
            return True
        if time.monotonic() - self._heard_s > QUIET_S:
            self._socket.close()
            time.sleep(REST_S)
            self._socket = self._met()
            self._heard_s = time.monotonic()
        return False

    def take(self) -> list[bytes] | None:
        """Return the next message; None where none waits."""
        try:
            return self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None

    def give(self, frames: list[bytes]) -> bool:
        """Send an answer; tell whether the front, or the queue towards it, took it."""
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def close(self) -> None:
        """Leave."""
        self._socket.close()
        self._context.term()
