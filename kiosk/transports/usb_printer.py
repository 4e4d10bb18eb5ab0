"""USB receipt printers (class 7), by pyusb over libusb.

pyusb only blocks, so a reader and a writer thread stand between it and the line thread and wake it through a
pipe; no transfer waits longer than a moment, so that closing is quick.  Interface and endpoints come from the
descriptors, never from habit (devices sheet §1.8).  The device is not reset at opening: that would throw away
a receipt under way.  A bulk write that times out does not tell how much went out, so the path then takes
nothing more until the line thread gives up on the job.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from typing import Any

import msgspec

from kiosk.errors import TransportError
from kiosk.plugins.devices import PortRequest, Reply
from kiosk.transports import identity
from kiosk.transports.path import READ_SIZE, closed, not_supported, trouble

#: USB's class of printers.
PRINTER_CLASS = 7
#: Limits of single transfers, milliseconds.
READ_MS = 200
WRITE_MS = 2500
CONTROL_MS = 500
#: Largest piece handed to one bulk write: small, so that a slow printer takes it within the limit.
WRITE_PIECE = 1024
#: Answers kept for the line thread; a status is a few bytes, so more is a broken printer.
MOST_UNREAD = 65_536


class UsbSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which printer."""

    #: ``usb:VID:PID`` or ``usb:VID:PID:SERIAL``, hexadecimal.
    port: str

    def __post_init__(self) -> None:
        if identity.usb_name(self.port) is None:
            raise ValueError(f"port {self.port[:60]!r} is not usb:VID:PID or usb:VID:PID:SERIAL")


class UsbPrinterPath:
    """Owns one claimed printer interface and its two threads."""

    def __init__(self, settings: UsbSettings) -> None:
        self.settings = settings
        self.label = settings.port
        self._open: _Claimed | None = None

    def open(self) -> dict[str, str]:
        """Find the printer, take it from the kernel's own driver and claim its interface."""
        self.close()
        usb = _pyusb()
        try:
            device = self._find(usb)
            self._open, facts = self._claim(usb, device)
        except usb.core.USBError as error:
            raise trouble(self.label, "opening", error) from error
        except NotImplementedError as error:
            raise trouble(self.label, "opening", error) from error
        self._open.start()
        return facts

    def _find(self, usb: Any) -> Any:
        name = identity.usb_name(self.settings.port)
        assert name is not None  # the settings were checked
        try:
            listed = list(usb.core.find(find_all=True, idVendor=name.vendor, idProduct=name.product))
        except usb.core.NoBackendError as error:
            raise _no_library(error) from error
        if name.serial is not None:
            listed = [each for each in listed if _text(usb, each, each.iSerialNumber) == name.serial]
        found = [identity.FoundPort(f"bus {each.bus} device {each.address}") for each in listed]
        identity.one(self.settings.port, found)
        return listed[0]

    def _claim(self, usb: Any, device: Any) -> tuple[_Claimed, dict[str, str]]:
        interface = self._interface(device)
        number = interface.bInterfaceNumber
        try:
            if device.is_kernel_driver_active(number):
                device.detach_kernel_driver(number)  # usblp holds it (devices sheet §1.8)
            usb.util.claim_interface(device, number)
            if interface.bAlternateSetting:
                device.set_interface_altsetting(number, interface.bAlternateSetting)
            bulk = [each for each in interface if each.bmAttributes & 3 == 2]
            out = [each for each in bulk if not each.bEndpointAddress & 0x80]
            back = [each for each in bulk if each.bEndpointAddress & 0x80]
            if not out:
                raise TransportError(f"{self.label}: the printer has no bulk OUT endpoint", hint="it cannot print")
            serial = _text(usb, device, device.iSerialNumber)
        except BaseException:
            usb.util.dispose_resources(device)
            raise
        facts = {
            "path": self.label, "kind": "usb_printer", "interface": str(number),
            "in_endpoint": f"{back[0].bEndpointAddress:02x}" if back else "no",
            "vendor": f"{device.idVendor:04x}", "product": f"{device.idProduct:04x}",
        }  # fmt: skip
        if serial:
            facts["serial"] = serial
        return _Claimed(usb, device, number, out[0], back[0] if back else None, self.label), facts

    def _interface(self, device: Any) -> Any:
        try:
            configuration = device.get_active_configuration()
        except Exception:  # noqa: BLE001  pyusb raises USBError or its own; an unconfigured device is configured once
            device.set_configuration()
            configuration = device.get_active_configuration()
        printers = [each for each in configuration if each.bInterfaceClass == PRINTER_CLASS]
        if not printers:
            raise TransportError(
                f"{self.label}: the device has no printer interface", hint="is it another device, or in another mode?"
            )
        # Bidirectional (protocol 2) before unidirectional (1): only the former answers.
        return max(printers, key=lambda each: each.bInterfaceProtocol == 2)

    def fileno(self) -> int:
        """Return the reading end of the wake pipe, -1 while closed."""
        return self._open.wake_r if self._open is not None else -1

    def read(self) -> bytes:
        """Return what the printer answered."""
        return self._need().take()

    def write(self, data: bytes) -> int:
        """Offer a piece to the writer; return what has left since the last call."""
        return self._need().offer(data)

    def drop_output(self) -> None:
        """Close: how much of the piece under way reached the printer cannot be known, so begin anew."""
        self.close()
        raise trouble(self.label, "writing", OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))

    def request(self, request: PortRequest) -> Reply:
        """Carry out a control IN request (data: its eight set-up bytes), class requests only."""
        if request.kind == "flush_input" and self._open is not None:
            self._open.forget()
            return Reply(request.id, True)
        if request.kind != "usb_class_in" or self._open is None or len(request.data) != 8:
            return not_supported(request)
        return self._open.control(request)

    def present(self) -> bool | None:
        """Tell from /sys whether the printer is plugged in."""
        return identity.usb_present(self.settings.port)

    def close(self) -> None:
        """Stop the threads and give the interface back."""
        claimed, self._open = self._open, None
        if claimed is not None:
            claimed.close()

    def _need(self) -> _Claimed:
        if self._open is None:
            raise closed(self.label)
        return self._open


class _Claimed:
    """One opening: the handle, the pipe and the two threads that block in libusb."""

    def __init__(self, usb: Any, device: Any, number: int, out: Any, back: Any, label: str) -> None:
        self._usb, self._device, self._number = usb, device, number
        self._out, self._back, self._label = out, back, label
        self.wake_r, self._wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._lock = threading.Condition()
        self._closing = False
        self._lost: BaseException | None = None
        self._arrived: deque[bytes] = deque()
        self._unread = 0
        self._piece: bytes | None = None
        self._left = 0
        self._stalled = False
        threads = [self._write_on] + ([self._read_on] if back is not None else [])
        self._threads = [threading.Thread(target=run, name=f"usb {label}"[:60], daemon=True) for run in threads]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    # --- the line thread's side ---------------------------------------------------------------------------

    def take(self) -> bytes:
        with self._lock:
            self._drain_pipe()
            if self._arrived:
                if len(self._arrived) > 1 or self._lost is not None:
                    self._wake()  # there is more to tell
                data = self._arrived.popleft()
                self._unread -= len(data)
                return data
            if self._lost is not None:
                raise trouble(self._label, "talking", self._lost) from self._lost
            return b""

    def offer(self, data: bytes) -> int:
        with self._lock:
            if self._lost is not None:
                raise trouble(self._label, "writing", self._lost) from self._lost
            left, self._left = self._left, 0
            if left:
                return left  # of the piece that was offered before; its bytes are the first of `data`
            if self._piece is None and not self._stalled:
                self._piece = bytes(data[:WRITE_PIECE])
                self._lock.notify_all()
            return 0

    def forget(self) -> None:
        with self._lock:
            self._arrived.clear()
            self._unread = 0

    def control(self, request: PortRequest) -> Reply:
        kind, code = request.data[0], request.data[1]
        value, index, length = (int.from_bytes(request.data[i : i + 2], "little") for i in (2, 4, 6))
        if kind != 0xA1:  # class request to an interface, answer to the host: nothing else may pass
            return not_supported(request)
        try:
            answer = self._device.ctrl_transfer(kind, code, value, index, length, CONTROL_MS)
        except self._usb.core.USBError:
            return not_supported(request)  # not every printer knows it; a lost one shows in the threads
        return Reply(request.id, True, bytes(answer))

    def close(self) -> None:
        with self._lock:
            self._closing = True
            self._lock.notify_all()
        for thread in self._threads:
            thread.join((WRITE_MS + READ_MS) / 1000)
        try:
            self._usb.util.release_interface(self._device, self._number)
        except self._usb.core.USBError:
            pass  # unplugged: there is nothing to give back
        self._usb.util.dispose_resources(self._device)
        with self._lock:
            os.close(self.wake_r)
            os.close(self._wake_w)
            self.wake_r = self._wake_w = -1

    # --- the threads that block ---------------------------------------------------------------------------

    def _read_on(self) -> None:
        while not self._closing:
            try:
                data = bytes(self._back.read(READ_SIZE, READ_MS))
            except self._usb.core.USBTimeoutError:
                continue
            except Exception as error:  # noqa: BLE001  libusb and ctypes raise many; each one ends the opening
                self._lose(error)
                return
            with self._lock:
                if data and self._unread + len(data) <= MOST_UNREAD:
                    self._arrived.append(data)
                    self._unread += len(data)
                    self._wake()

    def _write_on(self) -> None:
        while True:
            with self._lock:
                while self._piece is None and not self._closing and self._lost is None:
                    self._lock.wait()
                if self._closing or self._lost is not None:
                    return
                piece = self._piece or b""
            try:
                count = int(self._out.write(piece, WRITE_MS))
            except self._usb.core.USBTimeoutError:
                with self._lock:
                    self._stalled, self._piece = True, None
                continue
            except Exception as error:  # noqa: BLE001  as above
                self._lose(error)
                return
            with self._lock:
                self._piece, self._left = None, count
                self._wake()

    def _lose(self, error: BaseException) -> None:
        with self._lock:
            if not self._closing:
                self._lost = error
                self._wake()
            self._lock.notify_all()

    def _wake(self) -> None:
        if self._wake_w >= 0:
            try:
                os.write(self._wake_w, b"!")
            except BlockingIOError:
                pass  # full of wake-ups already

    def _drain_pipe(self) -> None:
        if self.wake_r >= 0:
            try:
                os.read(self.wake_r, 4096)
            except BlockingIOError:
                pass  # somebody asked without having been woken


def _pyusb() -> Any:
    try:
        import usb.core
        import usb.util
    except ImportError as error:
        raise _no_library(error) from error
    return usb


def _no_library(error: BaseException) -> TransportError:
    return TransportError(
        f"USB printers need libusb: {str(error)[:100]}", hint="install the packages libusb-1.0-0 and pyusb"
    )


def _text(usb: Any, device: Any, index: int) -> str:
    if not index:
        return ""
    try:
        return str(usb.util.get_string(device, index) or "")
    except (ValueError, usb.core.USBError):
        return ""  # no permission to ask, or no language: the device is then told by its numbers only
