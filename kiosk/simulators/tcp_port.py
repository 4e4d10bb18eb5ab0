"""A device role behind a raw TCP port on the loopback address, as network printers offer at port 9100."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from kiosk.errors import SimulatorError
from kiosk.simulators.role_port import Role, RolePort


class TcpPort(RolePort[Role]):
    """Owns a listening socket and at most one connection; a second program waits, as at a real printer."""

    def __init__(
        self, role: Role, *, port: int = 0, clock: Callable[[], int] = time.monotonic_ns, name: str = "device"
    ) -> None:
        super().__init__(role, clock=clock, name=name)
        #: The port number; known once started, and the same after `replug`.
        self.port = port
        self._listener: socket.socket | None = None
        self._peer: socket.socket | None = None

    def replug(self) -> None:
        """Listen (again) on the port."""
        with self._lock:
            if self._listener is not None:
                return
            try:
                self._listener = socket.create_server(("127.0.0.1", self.port), backlog=1)
            except OSError as error:
                message = f"cannot listen on port {self.port}: {error.strerror}"
                raise SimulatorError(message, hint="take port 0 for any free one") from None
            self._listener.setblocking(False)
            self.port = self._listener.getsockname()[1]
        self.wake()

    def unplug(self) -> None:
        """Close the connection and stop listening."""
        with self._lock:
            self._broken()
            if self._listener is not None:
                self._listener.close()
                self._listener = None
        self.wake()

    def _descriptor(self) -> int | None:
        if self._peer is None and self._listener is not None:
            poll = select.poll()
            poll.register(self._listener, select.POLLIN)
            if poll.poll(0):
                self._peer, _ = self._listener.accept()
                self._peer.setblocking(False)
                self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return None if self._peer is None else self._peer.fileno()

    def _broken(self) -> None:
        self._pending.clear()
        if self._peer is not None:
            self._ended += 1
            self._peer.close()
            self._peer = None
