"""HID devices through the kernel's hidraw node: one report a read, as it comes, with its report id.

The kernel keeps the device, so nothing is detached or claimed; the node is opened non-blocking.  `Opened` tells the
device's ``report_descriptor`` in hexadecimal, because only that says what its reports mean, and its ``vendor``,
``product`` and ``serial``.  Empty reports are skipped: the first one after opening can be empty (rigs sheet §2).
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct

import msgspec

from kiosk.plugins.devices import PortRequest, Reply
from kiosk.transports import hid_nodes, identity
from kiosk.transports.path import READ_SIZE, closed, not_supported, trouble

#: <linux/hidraw.h>: HIDIOCGRDESCSIZE, HIDIOCGRDESC (size and 4096 bytes).
_DESCRIPTOR_SIZE, _DESCRIPTOR = 0x80044801, 0x90044802
_DESCRIPTOR_ROOM = 4096


class HidrawSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which device."""

    #: Path of the node, best a link made by a udev rule, or ``usb:VID:PID[:SERIAL]``.
    port: str
    #: Usage of the interface that is meant where a device has several, page and number in hexadecimal: ``8c:02`` is a
    #: barcode scanner; "" for any.
    usage: str = ""

    def __post_init__(self) -> None:
        if not identity.is_path(self.port) and identity.usb_name(self.port) is None:
            raise ValueError(f"port {self.port[:60]!r} is not a path and not usb:VID:PID[:SERIAL]")
        hid_nodes.usage_number(self.usage)


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
        path = self.settings.port
        if not identity.is_path(path):
            path = hid_nodes.find(path, hid_nodes.usage_number(self.settings.usage)).path
        if not os.path.exists(path):
            raise identity.missing(path)
        fd = -1
        try:
            fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if fd >= 0:
                os.close(fd)
            raise trouble(self.label, "opening", error) from error
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        return {"path": self.label, "kind": "hidraw", **hid_nodes.facts_of(path), **_described(fd)}

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
        """Tell whether the node is there, by path or in /sys."""
        if identity.is_path(self.settings.port):
            return os.path.exists(self.settings.port)
        return bool(hid_nodes.fitting(self.settings.port, hid_nodes.usage_number(self.settings.usage)))

    def close(self) -> None:
        """Close the node."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _need(self) -> int:
        if self._fd < 0:
            raise closed(self.label)
        return self._fd


def _described(fd: int) -> dict[str, str]:
    """Return the report descriptor as the open node itself tells it; {} where it cannot."""
    try:
        (size,) = struct.unpack("i", fcntl.ioctl(fd, _DESCRIPTOR_SIZE, bytes(4)))
        if not 0 < size <= _DESCRIPTOR_ROOM:
            return {}
        told = bytearray(struct.pack(f"I{_DESCRIPTOR_ROOM}x", size))  # Python copies no more than 1024 bytes back
        fcntl.ioctl(fd, _DESCRIPTOR, told)
    except OSError:
        return {}  # no hidraw node, or an older kernel: /sys told it
    return {"report_descriptor": bytes(told[4 : 4 + size]).hex()}
