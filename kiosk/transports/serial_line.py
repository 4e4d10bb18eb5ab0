"""Serial ports, by pyserial: real UARTs, USB adapters, CDC devices and ptys.

pyserial opens and sets the port; afterwards bytes move by `os.read` and `os.write` on its descriptor, which is
non-blocking, and the settings are never touched again.  A port is ours alone: a lock that other programs with
manners see, and TIOCEXCL for the rest.  Modem lines that an adapter does not have are an answer, not a fault.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import termios

import msgspec
import serial

from kiosk.errors import TransportError
from kiosk.plugins.devices import PortRequest, Reply
from kiosk.transports import identity
from kiosk.transports.path import READ_SIZE, closed, not_supported, trouble

#: Everything that pyserial and the kernel raise; `termios.error` is no OSError (rigs sheet §4).
_FAULTS = (OSError, serial.SerialException, termios.error, ValueError)


class SerialSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Line settings of a serial port, as in the configuration."""

    #: A path (best below /dev/serial/by-id), ``serial:XYZ``, ``usb:VID:PID[:SERIAL]`` or ``usbport:1-1.2``, a socket.
    port: str
    #: Bits per second.
    baud: int = 9600
    #: Data bits, 5 to 8.
    bits: int = 8
    #: ``N``, ``E``, ``O``, ``M`` or ``S``.
    parity: str = "N"
    #: Stop bits, 1 or 2.
    stop: int = 1
    #: Hardware hand-shake by RTS and CTS.
    rtscts: bool = False
    #: Software hand-shake by XON and XOFF.
    xonxoff: bool = False

    def __post_init__(self) -> None:
        if self.parity not in ("N", "E", "O", "M", "S"):
            raise ValueError(f"parity is {self.parity!r}, not one of N, E, O, M, S")
        if self.bits not in (5, 6, 7, 8):
            raise ValueError(f"bits is {self.bits}, not 5 to 8")
        if self.stop not in (1, 2):
            raise ValueError(f"stop is {self.stop}, not 1 or 2")
        if not 50 <= self.baud <= 4_000_000:
            raise ValueError(f"baud is {self.baud}, not within 50 to 4000000")


class SerialPath:
    """Owns one open serial port."""

    def __init__(self, settings: SerialSettings) -> None:
        self.settings = settings
        self.label = settings.port
        self._port: serial.Serial | None = None
        self._fd = -1
        self._poll = select.poll()

    def open(self) -> dict[str, str]:
        """Open the port exclusively, apply the settings and throw away what waited in it."""
        self.close()
        found = identity.serial_port(self.settings.port)
        try:
            port = self._opened(found.path)
        except _FAULTS as error:
            raise _explain(self.label, error) from error
        fd = port.fileno()
        self._port, self._fd = port, fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        return {"path": found.path, "kind": "serial", **found.facts}

    def _opened(self, path: str) -> serial.Serial:
        try:
            port = self._configured(path)
        except termios.error as error:
            if error.args[0] != errno.EINVAL or not _is_pty(path):
                raise
            # A pty drops parity and 7 bits, and the C library then calls settings that it meets again a
            # failure (rigs sheet §4); with another speed in between they count as new.
            _unsettle(path)
            port = self._configured(path)
        if not _is_pty(path):
            try:
                fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
            except _FAULTS:
                port.close()
                raise
        return port

    def _configured(self, path: str) -> serial.Serial:
        s = self.settings
        return serial.Serial(
            path, s.baud, s.bits, s.parity, s.stop, timeout=0, write_timeout=0, rtscts=s.rtscts, xonxoff=s.xonxoff,
            dsrdtr=False, exclusive=True,
        )  # fmt: skip

    def fileno(self) -> int:
        """Return the port's descriptor, -1 while closed."""
        return self._fd

    def read(self) -> bytes:
        """Return what has arrived."""
        fd = self._need()
        ready = self._poll.poll(0)
        if not ready:
            return b""
        _, flags = ready[0]
        if not flags & select.POLLIN:
            raise trouble(self.label, "reading", OSError(errno.EIO, "hung up"))
        try:
            data = os.read(fd, READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise trouble(self.label, "reading", error) from error
        if not data:  # readable and yet nothing: the kernel's way to say that the port is gone
            raise trouble(self.label, "reading", OSError(errno.ENODEV, "gone"))
        return data

    def write(self, data: bytes) -> int:
        """Hand over what the kernel's buffer takes."""
        try:
            return os.write(self._need(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise trouble(self.label, "writing", error) from error

    def drop_output(self) -> None:
        """Throw away what waits in the kernel's buffer."""
        if self._fd >= 0:
            try:
                termios.tcflush(self._fd, termios.TCOFLUSH)
            except termios.error as error:
                raise trouble(self.label, "flushing", error) from error

    def request(self, request: PortRequest) -> Reply:
        """Set modem lines (bit 0 RTS, bit 1 DTR; answer bit 0 CTS, 1 DSR, 2 CD) or flush the input."""
        port = self._port
        if port is None:
            return not_supported(request)
        try:
            if request.kind == "modem_lines":
                if request.data:
                    port.rts = bool(request.data[0] & 1)
                    port.dtr = bool(request.data[0] & 2)
                return Reply(request.id, True, _lines_in(port))
            if request.kind == "flush_input":
                port.reset_input_buffer()
                return Reply(request.id, True)
        except _FAULTS:
            # ENOTTY on adapters and ptys without such lines; a lost port shows at the next read.
            return not_supported(request)
        return not_supported(request)

    def present(self) -> bool | None:
        """Tell whether the port can be found."""
        return identity.serial_present(self.settings.port)

    def close(self) -> None:
        """Close the port."""
        port, self._port, self._fd = self._port, None, -1
        if port is None:
            return
        try:
            if self.settings.rtscts or self.settings.xonxoff:
                # Else the kernel waits up to 30 s for a device that holds its hand up.
                termios.tcflush(port.fileno(), termios.TCOFLUSH)
        except _FAULTS:
            pass  # unplugged: nothing waits any more
        try:
            port.close()
        except _FAULTS as error:
            raise trouble(self.label, "closing", error) from error

    def _need(self) -> int:
        if self._fd < 0:
            raise closed(self.label)
        return self._fd


def _lines_in(port: serial.Serial) -> bytes:
    try:
        return bytes([port.cts | port.dsr << 1 | port.cd << 2])
    except _FAULTS:
        return b""  # set, but not to be read back: an adapter with output lines only


def _explain(label: str, error: BaseException) -> TransportError:
    text = str(error)
    if "exclusively lock" in text or getattr(error, "errno", None) in (errno.EBUSY, errno.EAGAIN):
        return TransportError(
            f"{label}: another program holds this port",
            hint="two processes must not share a port: find the other with `fuser -v`, or is a kiosk running already?",
            transient=True,
        )
    return trouble(label, "opening", error)


def _is_pty(path: str) -> bool:
    return os.path.realpath(path).startswith("/dev/pts/")


def _unsettle(path: str) -> None:
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        attributes = termios.tcgetattr(fd)
        other = termios.B300 if attributes[4] != termios.B300 else termios.B600
        attributes[4] = attributes[5] = other
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
    finally:
        os.close(fd)
