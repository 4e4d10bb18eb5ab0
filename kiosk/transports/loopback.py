"""A byte path with no hardware: two ends in one process, for tests and simulations.

The far end plays the device: it reads what was written and writes what shall be read; it may pull the plug and
put it back.  A socket pair lies underneath, so that a line thread can wait on it like on any port.
"""

from __future__ import annotations

import errno
import select
import socket

from kiosk.errors import TransportError
from kiosk.plugins.devices import PortRequest, Reply
from kiosk.transports.path import READ_SIZE, closed, not_supported, trouble


class Loopback:
    """Owns both ends; is itself the byte path of the host."""

    def __init__(self, label: str = "loopback") -> None:
        self.label = label
        #: How many times the path was opened.
        self.opens = 0
        self._plugged = True
        self._near: socket.socket | None = None
        self._far: socket.socket | None = None

    # --- the host's end -----------------------------------------------------------------------------------

    def open(self) -> dict[str, str]:
        """Open; fails while unplugged."""
        self.close()
        if not self._plugged:
            raise trouble(self.label, "opening", OSError(errno.ENOENT, "unplugged"))
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self.opens += 1
        return {"path": self.label, "kind": "loopback"}

    def fileno(self) -> int:
        """Return the host's descriptor, -1 while closed."""
        return self._near.fileno() if self._near is not None else -1

    def read(self) -> bytes:
        """Return what the device sent."""
        try:
            data = self._need().recv(READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise trouble(self.label, "reading", error) from error
        if not data:
            raise trouble(self.label, "reading", OSError(errno.ENODEV, "unplugged"))
        return data

    def write(self, data: bytes) -> int:
        """Hand over what the buffer takes."""
        try:
            return self._need().send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise trouble(self.label, "writing", error) from error

    def drop_output(self) -> None:
        """Nothing to forget: what was taken lies with the device."""

    def request(self, request: PortRequest) -> Reply:
        """Flush the input; nothing else is there."""
        if request.kind == "flush_input" and self._near is not None:
            while self.read():
                pass
            return Reply(request.id, True)
        return not_supported(request)

    def present(self) -> bool | None:
        """Tell whether it is plugged in."""
        return self._plugged

    def close(self) -> None:
        """Close the host's end and the device's."""
        for end in (self._near, self._far):
            if end is not None:
                end.close()
        self._near = self._far = None

    def _need(self) -> socket.socket:
        if self._near is None:
            raise closed(self.label)
        return self._near

    # --- the device's end ---------------------------------------------------------------------------------

    def device_wrote(self, data: bytes) -> None:
        """Send bytes to the host."""
        if self._far is None:
            raise TransportError(f"{self.label}: the host has not opened it", hint="wait for `opens`", transient=True)
        self._far.sendall(data)

    def device_reads(self, timeout_ms: int = 0) -> bytes:
        """Return what the host wrote, waiting for the first byte at most `timeout_ms`."""
        far = self._far
        if far is None or not select.select([far], [], [], timeout_ms / 1000)[0]:
            return b""
        try:
            return far.recv(READ_SIZE)
        except OSError:
            return b""  # the host closed while we read: nothing more will come

    def unplug(self) -> None:
        """Pull the plug."""
        self._plugged = False
        if self._far is not None:
            try:
                self._far.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed by the host in this moment: unplugged all the same

    def plug(self) -> None:
        """Put the plug back."""
        self._plugged = True
