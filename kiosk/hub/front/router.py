"""The two ROUTER sockets, bound with the hub's CURVE keys, and what tells of their connections.

Old and new key of the hub at once: one ROUTER is bound twice, each time with the other secret (sync sheet §4).  Routing
ids are libzmq's own random ones; nobody sets one and none is handed over.  A message larger than the limit is cut off
before it is allocated, with its connection: libzmq tells no more of it than that the connection ended, so ended
connections are counted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec
import zmq
from zmq.utils.monitor import parse_monitor_message

from kiosk.errors import HubError
from kiosk.hub.front.connections import Connections, cut
from kiosk.sync.keys import TransportKey

#: Messages that wait for one peer, and from one peer.
DEPTH = 64
#: Milliseconds for a handshake: a peer that dawdles is cut off.
HANDSHAKE_MS = 10_000
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH


class Ended(msgspec.Struct, frozen=True):
    """A connection ended."""

    fd: int
    #: Whether it never got as far as a message.
    silent: bool


class Router:
    """One ROUTER with its monitor.  The thread that made it uses it."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], domain: bytes, largest: int, handshake_ms: int = HANDSHAKE_MS
    ) -> None:
        self.socket = context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.sndhwm = self.socket.rcvhwm = DEPTH
        self.socket.maxmsgsize = largest
        self.socket.setsockopt(zmq.HANDSHAKE_IVL, handshake_ms)
        self.socket.setsockopt(zmq.BACKLOG, 1024)
        # A peer that is gone, or whose queue is full, is an error of the send instead of silence.
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        # A line that went dead without a word is noticed after some four minutes.
        self.socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        self.socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 120)
        self.socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 30)
        self.socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 4)
        self.socket.zap_domain = domain
        self.monitor: zmq.Socket[bytes] = self.socket.get_monitor_socket(_EVENTS)
        #: Public key -> endpoint.
        self.bound: dict[str, str] = {}
        self.connections = Connections()
        self._turned_away = 0

    def bind(self, endpoint: str, pair: TransportKey) -> None:
        """Answer on an endpoint with a key.

        Raises:
            HubError: it cannot be bound.
        """
        self.socket.ipv6 = "[" in endpoint
        pair.use_on(self.socket)
        try:
            self.socket.bind(endpoint)
        except zmq.ZMQError as error:
            raise HubError(
                f"{endpoint} cannot be bound: {error.strerror}", hint="is another program on this port?", transient=True
            ) from error
        self.bound[pair.public] = endpoint

    def unbind(self, key: str) -> None:
        """Answer no more with a key; libzmq ends the connections that are open on it, too."""
        self.socket.unbind(self.bound.pop(key))

    def spoke(self, frame: zmq.Frame) -> int:
        """Return the descriptor that a whole message came by, and note that it did."""
        fd = int(frame.get(zmq.SRCFD))
        self.connections.spoke(fd)
        return fd

    def ended(self) -> Iterator[Ended]:
        """Yield the connections that ended since the last call."""
        while self.monitor.poll(0):
            event = parse_monitor_message(self.monitor.recv_multipart())
            fd = int(event["value"])
            if event["event"] == zmq.EVENT_ACCEPTED:
                self.connections.accepted(fd, time.monotonic())
            elif event["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self._turned_away += 1  # the ZAP handler has told of it already; the value is no descriptor here
            else:
                silent = self.connections.ended(fd)
                if silent and self._turned_away:
                    self._turned_away -= 1
                    silent = False
                yield Ended(fd, silent)

    def cut_endless(self) -> list[int]:
        """Cut the connections whose message has no end, and return them."""
        return [fd for fd in self.connections.endless() if cut(fd)]

    def cut_silent(self) -> None:
        """Cut the connections that were opened and say nothing; each end is told by the monitor."""
        for fd in self.connections.silent(time.monotonic()):
            cut(fd)

    def close(self) -> None:
        """Close the sockets."""
        self.socket.disable_monitor()
        self.monitor.close(0)
        self.socket.close(0)


def user_of(frame: zmq.Frame) -> str:
    """Return the key in Z85 that the connection of a message was authenticated with; "" where there is none."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""
