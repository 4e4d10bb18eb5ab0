"""The line between a kiosk and a hub, with everything that a line can do to a connection.

A TCP relay on the loopback in a thread of its own.  What passes is encrypted and numbered by CURVE, so a byte that is
altered, doubled or swapped ends a connection; what can be doubled, delayed and reordered is whole connections:

    cut      every connection is reset and nobody gets through, until `mend`
    stall    connections stay open and nothing moves (a half-open line), until `mend`
    hold     what is connected now is frozen with the bytes in it; who connects later gets through.  `release` lets the
             frozen bytes go on, long after the new connection has spoken
    delay    every piece waits so many milliseconds
"""

from __future__ import annotations

import random
import selectors
import socket
import struct
import threading
import time
from collections import deque

#: A piece that moves at once, bytes.
PIECE = 16384
#: Bytes that wait in one direction before its sender has to.
ROOM = 1 << 20
_RESET = struct.pack("ii", 1, 0)


class _Way:
    """One direction of a connection: bytes that wait until they may go on."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[float, bytes]] = deque()
        self.size = 0
        self.ended = False


class _Pair:
    """A connection from a kiosk and the one to the hub that belongs to it."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.ends = (near, far)
        #: Bytes on their way to `ends[n]`.
        self.ways = (_Way(), _Way())
        self.frozen = False

    def reset(self) -> None:
        """End both connections without a word."""
        for end in self.ends:
            try:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            except OSError:
                pass  # it is gone already
            end.close()


class Line:
    """Owns the listening socket, the thread and the state of the line."""

    def __init__(self, target: int, seed: int = 0) -> None:
        self._target = target
        self._chance = random.Random(seed)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        self.port: int = self._listening.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[_Pair] = []
        self._cut = self._stalled = self._ending = False
        self._delay_ms = 0
        #: Bytes that went through, both ways.
        self.moved = 0
        self._thread = threading.Thread(target=self._run, name=f"line-{self.port}", daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Reset every connection and let nobody through."""
        with self._lock:
            self._cut = True
            for pair in self._pairs:
                pair.reset()
            self._pairs.clear()

    def stall(self) -> None:
        """Let nothing move; nothing is reset either."""
        with self._lock:
            self._stalled = True

    def hold(self) -> None:
        """Freeze what is connected now."""
        with self._lock:
            for pair in self._pairs:
                pair.frozen = True

    def release(self) -> None:
        """Let what was frozen go on."""
        with self._lock:
            for pair in self._pairs:
                pair.frozen = False

    def delay(self, ms: int) -> None:
        """Let every piece wait so long, give or take a half."""
        with self._lock:
            self._delay_ms = ms

    def mend(self) -> None:
        """Make the line a good one again."""
        with self._lock:
            self._cut = self._stalled = False
            self._delay_ms = 0
            for pair in self._pairs:
                pair.frozen = False

    def close(self) -> None:
        """End everything."""
        self._ending = True
        self._thread.join(5)
        self._listening.close()
        for pair in self._pairs:
            pair.reset()

    def _run(self) -> None:
        while not self._ending:
            with self._lock:
                watched = self._watched()
            with selectors.DefaultSelector() as waiting:
                for end, events in watched.items():
                    waiting.register(end, events)
                ready = waiting.select(0.01)
            with self._lock:
                for key, _ in ready:
                    if key.fileobj is self._listening:
                        self._accept()
                for pair in list(self._pairs):
                    if not self._move(pair):
                        pair.reset()
                        self._pairs.remove(pair)

    def _watched(self) -> dict[socket.socket, int]:
        watched = {self._listening: selectors.EVENT_READ}
        for pair in self._pairs:
            if self._stalled or pair.frozen:
                continue
            for at, end in enumerate(pair.ends):
                events = selectors.EVENT_READ if pair.ways[1 - at].size < ROOM else 0
                if pair.ways[at].waiting and pair.ways[at].waiting[0][0] <= time.monotonic():
                    events |= selectors.EVENT_WRITE
                if events:
                    watched[end] = events
        return watched

    def _accept(self) -> None:
        try:
            near, _ = self._listening.accept()
        except OSError:
            return  # it went before it was taken
        if self._cut:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            near.close()
            return
        try:
            far = socket.create_connection(("127.0.0.1", self._target), 1)
        except OSError:
            near.close()  # the hub is down
            return
        for end in (near, far):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pairs.append(_Pair(near, far))

    def _move(self, pair: _Pair) -> bool:
        """Move what may move; tell whether the connection still lives."""
        if self._stalled or pair.frozen:
            return True
        for at, end in enumerate(pair.ends):
            if not self._take(end, pair.ways[1 - at]) or not self._give(end, pair.ways[at]):
                return False
        return not all(way.ended and not way.waiting for way in pair.ways)

    def _take(self, end: socket.socket, way: _Way) -> bool:
        if way.ended or way.size >= ROOM:
            return True
        try:
            piece = end.recv(PIECE)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not piece:
            way.ended = True
            return bool(way.waiting)
        wait_s = self._delay_ms * self._chance.uniform(0.5, 1.5) / 1000 if self._delay_ms else 0.0
        # A piece never overtakes the one before it: a connection keeps its order whatever the line does.
        due = max(time.monotonic() + wait_s, way.waiting[-1][0] if way.waiting else 0.0)
        way.waiting.append((due, piece))
        way.size += len(piece)
        return True

    def _give(self, end: socket.socket, way: _Way) -> bool:
        while way.waiting and way.waiting[0][0] <= time.monotonic():
            due, piece = way.waiting[0]
            try:
                sent = end.send(piece)
            except BlockingIOError:
                return True
            except OSError:
                return False
            self.moved += sent
            way.size -= sent
            if sent == len(piece):
                way.waiting.popleft()
            else:
                way.waiting[0] = (due, piece[sent:])
        return True
