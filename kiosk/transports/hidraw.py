"""HID devices through the kernel's hidraw node: one report a read, as it comes, with its report id.

The kernel keeps the device, so nothing is detached or claimed; the node is opened non-blocking.  Empty reports
are skipped: the first one after opening can be empty (rigs sheet §2).
"""

from __future__ import annotations

import errno
import fcntl
import os
import select

import msgspec

from kiosk.plugins.devices import PortRequest, Reply
from kiosk.transports import identity
from kiosk.transports.path import READ_SIZE, closed, not_supported, trouble


class HidrawSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which device."""

    #: Path of the node, best a link made by a udev rule.
    port: str

    def __post_init__(self) -> None:
        if not identity.is_path(self.port):
            raise ValueError(f"port {self.port[:60]!r} is not a path")


class HidrawPath:
    """Owns one open hidraw node."""

    def __init__(self, settings: HidrawSettings) -> None:
        self.settings = settings
        self.label = settings.port
        self._fd = -1
        self._poll = select.poll()

    def open(self) -> dict[str, str]:
        """Open the node; a lock keeps a second kiosk away."""
        self.close()
        if not os.path.exists(self.settings.port):
            raise identity.missing(self.settings.port)
        fd = -1
        try:
            fd = os.open(self.settings.port, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if fd >= 0:
                os.close(fd)
            raise trouble(self.label, "opening", error) from error
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        return {"path": self.label, "kind": "hidraw"}

    def fileno(self) -> int:
        """Return the node's descriptor, -1 while closed."""
        return self._fd

    def read(self) -> bytes:
        """Return one report."""
        fd = self._need()
        ready = self._poll.poll(0)
        if not ready:
            return b""
        try:
            data = os.read(fd, READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise trouble(self.label, "reading", error) from error
        if not data and ready[0][1] & (select.POLLHUP | select.POLLERR):
            raise trouble(self.label, "reading", OSError(errno.ENODEV, "gone"))
        return data

    def write(self, data: bytes) -> int:
        """Send one output report."""
        try:
            return os.write(self._need(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise trouble(self.label, "writing", error) from error

    def drop_output(self) -> None:
        """Nothing waits: a report is taken whole or not at all."""

    def request(self, request: PortRequest) -> Reply:
        """Only flushing the input is known."""
        if request.kind != "flush_input" or self._fd < 0:
            return not_supported(request)
        try:
            while os.read(self._fd, READ_SIZE):
                pass
        except BlockingIOError:
            return Reply(request.id, True)
        except OSError:
            return not_supported(request)  # a lost node shows at the next read
        return Reply(request.id, True)

    def present(self) -> bool | None:
        """Tell whether the node is there."""
        return os.path.exists(self.settings.port)

    def close(self) -> None:
        """Close the node."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _need(self) -> int:
        if self._fd < 0:
            raise closed(self.label)
        return self._fd
