"""What every byte path is, whatever the hardware behind it.

A path is opened, read, written and closed by one line thread.  It never blocks except in `open`, and there
never without a limit.  The thread waits on `fileno()`: readable means "call `read`".  Whatever goes wrong
becomes a `TransportError`; after one, the path is closed by its owner and may be opened again from scratch.

Rules that must stay true: a path touches its settings only while opening (a pty refuses later changes with
a bare `termios.error`, rigs sheet §4), and closing twice is harmless.
"""

from __future__ import annotations

import errno
import os
from typing import Protocol

from kiosk.errors import TransportError
from kiosk.plugins.devices import PortRequest, Reply

#: Largest piece taken from the operating system in one read.
READ_SIZE = 4096


class BytePath(Protocol):
    """One way to one device."""

    #: For people: the port as configured, e.g. ``/dev/serial/by-id/usb-…`` or ``tcp 10.0.0.5:9100``.
    label: str

    def open(self) -> dict[str, str]:
        """Open and return the facts of `Opened`: ``path``, ``kind`` and what is known of the device.

        Raises:
            TransportError: the port is missing, busy, refused by permissions, or does not take its settings.
        """

    def fileno(self) -> int:
        """Return the descriptor to wait on; -1 while closed."""

    def read(self) -> bytes:
        """Return what has arrived, b"" for nothing yet.

        Raises:
            TransportError: the path is lost.
        """

    def write(self, data: bytes) -> int:
        """Hand over as much of `data` as is taken now and return how many bytes that were, 0 for none.

        Raises:
            TransportError: the path is lost.
        """

    def drop_output(self) -> None:
        """Forget what was accepted and has not left; called after a write time-out."""

    def request(self, request: PortRequest) -> Reply:
        """Do something that is not bytes; a kind that this path lacks is answered with ``ok=False``."""

    def present(self) -> bool | None:
        """Tell whether the device is plugged in, without touching it; None where that cannot be told."""

    def close(self) -> None:
        """Close; harmless when closed already."""


def trouble(label: str, doing: str, error: BaseException) -> TransportError:
    """Turn what the operating system or a library raised into an error with a hint."""
    code = getattr(error, "errno", None)
    if code is None and error.args and isinstance(error.args[0], int):
        code = error.args[0]  # termios.error carries (errno, text) and no attribute
    hint, transient = _HINTS.get(code if isinstance(code, int) else 0, _ANY_HINT)
    text = os.strerror(code) if isinstance(code, int) and code else str(error)[:200] or type(error).__name__
    return TransportError(f"{label}: {doing} failed: {text}", hint=hint, transient=transient)


_ANY_HINT = ("look at the cable and at `kiosk devices`", True)
_HINTS: dict[int, tuple[str, bool]] = {
    errno.ENOENT: ("the port is not there: is the device plugged in and the path right?", True),
    errno.ENODEV: ("the device was unplugged", True),
    errno.ENXIO: ("the device was unplugged", True),
    errno.EIO: ("the line was hung up: unplugged, or its other end closed", True),
    errno.EPIPE: ("the other end closed the line", True),
    errno.EACCES: ("no permission: put the service's user into the group of the device (udev rules)", False),
    errno.EPERM: ("no permission: put the service's user into the group of the device (udev rules)", False),
    errno.EBUSY: ("another program holds the device; a kiosk opens its ports alone", True),
    errno.EAGAIN: ("another program holds the port; a kiosk opens its ports alone", True),
    errno.EINVAL: ("the port does not take these line settings (speed, parity, bits)", False),
    errno.ECONNREFUSED: ("nothing listens there: is the device on and the port number right?", True),
    errno.EHOSTUNREACH: ("the host cannot be reached: look at the network cable and the address", True),
    errno.ETIMEDOUT: ("no answer in time: is the device on and the address right?", True),
}


def closed(label: str) -> TransportError:
    """Say that the path is not open."""
    return TransportError(f"{label}: the port is closed", hint="it is opened again by itself", transient=True)


def not_supported(request: PortRequest) -> Reply:
    """Answer a request that this path cannot carry out."""
    return Reply(request.id, False)
