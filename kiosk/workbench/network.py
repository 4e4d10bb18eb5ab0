"""The network between a demonstration's kiosk and its hub: a cable that can be pulled, or that stops carrying.

Each port of the hub has a port of ours before it.  *Joined*, bytes pass both ways.  *Cut*, every connection dies and
nobody listens any more.  *Stalled*, connections stay and nothing arrives: what a congested radio line looks like.  One
thread moves the bytes of all connections; a side that does not read holds back the other one.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Sequence
from typing import Any

from kiosk.errors import SimulatorError

MODES = ("joined", "cut", "stalled")
#: Bytes that may wait in one direction of one connection.
HELD = 256 * 1024
_PIECE = 64 * 1024
#: Connections at the same time.
MOST = 64
#: Seconds after which the thread looks at its orders without having been woken.
_LOOK_S = 0.5


class _End:
    """One side of a connection: what it still has to be sent, and the other side."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.out = bytearray()
        self.other: _End | None = None
        #: Nothing more comes for it: it is closed when `out` is empty.
        self.last = False


class Network:
    """Owns the listening ports and every connection through them."""

    def __init__(self, targets: Sequence[int]) -> None:
        """`targets` are ports of this machine; `ports` are ours before them, in the same order."""
        self._targets = tuple(targets)
        self._listening = [_bound(0, listening=True) for _ in targets]
        self.ports = tuple(int(each.getsockname()[1]) for each in self._listening)
        self.mode = "joined"
        #: Bytes that passed, both ways.
        self.carried = 0
        self._ends: set[_End] = set()
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = socket.socketpair()
        self._ended = threading.Event()
        self._settled = threading.Condition()
        self._applied = self.mode
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)

    def start(self) -> None:
        """Begin to carry."""
        for line in (*self._listening, self._woken):
            line.setblocking(False)
            self._selector.register(line, selectors.EVENT_READ)
        self._thread.start()

    def stop(self) -> None:
        """End every connection and give the ports back."""
        self._ended.set()
        self._wake.send(b"\0")
        if self._thread.is_alive():
            self._thread.join(5)
        for line in (*self._listening, self._woken, self._wake):
            line.close()
        self._selector.close()

    def set(self, mode: str) -> None:
        """Cut, stall or join; returns when it is so.

        Raises:
            SimulatorError: there is no such state.
        """
        if mode not in MODES:
            raise SimulatorError(f"a network is not {mode[:20]!r}", hint=f"one of {', '.join(MODES)}")
        self.mode = mode
        self._wake.send(b"\0")
        with self._settled:
            self._settled.wait_for(lambda: self._applied == mode or not self._thread.is_alive(), 5)

    @property
    def connections(self) -> int:
        """How many connections there are now."""
        return len(self._ends) // 2

    # --- the thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended.is_set():
            for key, events in self._selector.select(_LOOK_S):
                self._serve(key, events)
            if self.mode != self._applied:
                self._apply(self.mode)
        for end in list(self._ends):
            self._close(end)

    def _serve(self, key: selectors.SelectorKey, events: int) -> None:
        if key.fileobj is self._woken:
            self._woken.recv(64)
        elif key.fileobj in self._listening:
            self._take(self._listening.index(key.fileobj))
        elif key.data in self._ends and self._applied == "joined":
            self._carry(key.data, events)

    def _apply(self, mode: str) -> None:
        if mode == "cut":
            for end in list(self._ends):
                self._close(end)
            for at, line in enumerate(self._listening):
                self._selector.unregister(line)
                line.close()
                # Bound and not listening: the port stays ours, and whoever calls is refused.
                self._listening[at] = _bound(self.ports[at], listening=False)
        elif self._applied == "cut":
            for line in self._listening:
                line.listen()
                line.setblocking(False)
                self._selector.register(line, selectors.EVENT_READ)
        with self._settled:
            self._applied = mode
            self._settled.notify_all()
        for end in list(self._ends):
            self._watch(end)

    def _take(self, at: int) -> None:
        try:
            line, _ = self._listening[at].accept()
        except OSError:
            return  # it went away while it waited
        if self.connections >= MOST:
            line.close()
            return
        try:
            beyond = socket.create_connection(("127.0.0.1", self._targets[at]), 1)
        except OSError:
            line.close()  # nobody listens there: the hub is down
            return
        ends = _End(line), _End(beyond)
        ends[0].other, ends[1].other = ends[1], ends[0]
        for end in ends:
            end.line.setblocking(False)
            end.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ends.add(end)
            self._selector.register(end.line, selectors.EVENT_READ, end)
            self._watch(end)

    def _carry(self, end: _End, events: int) -> None:
        other = end.other
        try:
            if events & selectors.EVENT_WRITE and end.out:
                del end.out[: end.line.send(end.out)]
            if events & selectors.EVENT_READ and other is not None and len(other.out) < HELD:
                more = end.line.recv(_PIECE)
                other.out += more
                self.carried += len(more)
                other.last = other.last or not more
        except BlockingIOError:
            pass
        except OSError:
            self._close(end)
            return
        for each in (end, other):
            if each is not None and each in self._ends:
                if each.last and not each.out:
                    self._close(each)
                    return
                self._watch(each)

    def _watch(self, end: _End) -> None:
        """Ask for what can be done now; a stalled network asks for nothing."""
        wanted = 0
        if self._applied == "joined":
            room = end.other is not None and len(end.other.out) < HELD and not end.other.last
            wanted = (selectors.EVENT_READ if room else 0) | (selectors.EVENT_WRITE if end.out else 0)
        known: Any = self._selector.get_map().get(end.line)
        if not wanted:
            if known is not None:
                self._selector.unregister(end.line)
        elif known is None:
            self._selector.register(end.line, wanted, end)
        elif known.events != wanted:
            self._selector.modify(end.line, wanted, end)

    def _close(self, end: _End) -> None:
        for each in (end, end.other):
            if each is not None and each in self._ends:
                self._ends.discard(each)
                if self._selector.get_map().get(each.line) is not None:
                    self._selector.unregister(each.line)
                each.line.close()


def _bound(port: int, *, listening: bool) -> socket.socket:
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    line.bind(("127.0.0.1", port))
    if listening:
        line.listen()
    return line
