"""Devices on the network: a plain TCP connection, e.g. a receipt printer on port 9100.

Connecting is the one thing that waits, with a limit.  Keep-alive finds a peer that went without a word within
about half a minute; a device that is merely mute is the driver's to notice.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct

import msgspec

from kiosk.plugins.devices import PortRequest, Reply
from kiosk.transports.path import READ_SIZE, closed, not_supported, trouble

#: Keep-alive: first probe after so many seconds of silence, then every so many, so many times.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))


class TcpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the device listens."""

    host: str
    port: int = 9100
    #: Milliseconds that connecting may take; the line thread stands still meanwhile.
    connect_timeout_ms: int = 3000
    #: Let the kernel probe a silent peer.
    keepalive: bool = True

    def __post_init__(self) -> None:
        if not self.host or not 0 < self.port < 65536:
            raise ValueError(f"{self.host}:{self.port} is not an address of a device")
        if not 0 < self.connect_timeout_ms <= 8000:
            raise ValueError(f"connect_timeout_ms is {self.connect_timeout_ms}, not within 1 to 8000")


class TcpPath:
    """Owns one connection."""

    def __init__(self, settings: TcpSettings) -> None:
        self.settings = settings
        self.label = f"tcp {settings.host}:{settings.port}"
        self._socket: socket.socket | None = None

    def open(self) -> dict[str, str]:
        """Connect within the limit."""
        self.close()
        s = self.settings
        made: socket.socket | None = None
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(s.host, s.port, type=socket.SOCK_STREAM)[0]
            made = socket.socket(family, kind, protocol)
            made.setblocking(False)
            self._connect(made, address)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if s.keepalive:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for option, value in _KEEPALIVE:
                    made.setsockopt(socket.IPPROTO_TCP, option, value)
        except OSError as error:
            if made is not None:
                made.close()
            raise trouble(self.label, "connecting", error) from error
        self._socket = made
        return {"path": self.label, "kind": "tcp"}

    def _connect(self, made: socket.socket, address: tuple[object, ...]) -> None:
        code = made.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        poll = select.poll()
        poll.register(made, select.POLLOUT)
        if not poll.poll(self.settings.connect_timeout_ms):
            raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        if code := made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, os.strerror(code))

    def fileno(self) -> int:
        """Return the socket's descriptor, -1 while closed."""
        return self._socket.fileno() if self._socket is not None else -1

    def read(self) -> bytes:
        """Return what has arrived."""
        try:
            data = self._need().recv(READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise trouble(self.label, "reading", error) from error
        if not data:
            raise trouble(self.label, "reading", OSError(errno.EPIPE, os.strerror(errno.EPIPE)))
        return data

    def write(self, data: bytes) -> int:
        """Hand over what the kernel's buffer takes."""
        try:
            return self._need().send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise trouble(self.label, "writing", error) from error

    def drop_output(self) -> None:
        """Break the connection off: bytes in the kernel's buffer cannot be taken back any other way."""
        if self._socket is not None:
            # Linger 0 makes close discard the buffer and reset the connection.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()
        raise trouble(self.label, "writing", OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))

    def request(self, request: PortRequest) -> Reply:
        """Flush the input; a connection has nothing else."""
        if request.kind != "flush_input" or self._socket is None:
            return not_supported(request)
        try:
            while self._socket.recv(READ_SIZE):
                pass
        except BlockingIOError:
            return Reply(request.id, True)
        except OSError:
            return not_supported(request)  # a lost connection shows at the next read
        return not_supported(request)

    def present(self) -> bool | None:
        """Nobody can tell without connecting."""
        return None

    def _need(self) -> socket.socket:
        if self._socket is None:
            raise closed(self.label)
        return self._socket

    def close(self) -> None:
        """Close the connection."""
        made, self._socket = self._socket, None
        if made is not None:
            made.close()
