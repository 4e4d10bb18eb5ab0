"""Plays a USB receipt printer for one command: umockdev-wrapper /usr/bin/python3 mock_printer.py FAULT COMMAND...

libusb in the command sees 04b8:0202 with a printer interface; each of its requests to the kernel (usbfs ioctls) is
answered here.  FAULT: ``none``, ``nak`` (bulk OUT never completes) or ``unplug`` (after 20 bytes).  At the end it
prints ``paper`` and what was written, in hexadecimal.
"""

import struct
import subprocess
import sys
import threading

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import GLib, UMockdev  # noqa: E402

NODE = "/dev/bus/usb/001/002"


def ioctl(direction: int, number: int, size: int) -> int:
    """The number of a usbfs ioctl, as linux/usbdevice_fs.h builds it."""
    return direction << 30 | size << 16 | ord("U") << 8 | number


SUBMIT, REAP, REAP_NOW, DISCARD = ioctl(2, 10, 56), ioctl(1, 12, 8), ioctl(1, 13, 8), ioctl(0, 11, 0)
CAPABILITIES, DRIVER, RESET = ioctl(2, 26, 4), ioctl(1, 8, 260), ioctl(0, 20, 0)
HARMLESS = (ioctl(2, 15, 4), ioctl(2, 16, 4), ioctl(2, 5, 4), ioctl(2, 21, 4))  # claim, release, set config, clear halt

DEVICE = struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x200, 0, 0, 0, 64, 0x04B8, 0x0202, 0x100, 0, 0, 0, 1)
INTERFACE = struct.pack("<BBBBBBBBB", 9, 4, 0, 0, 2, 7, 1, 2, 0)
ENDPOINTS = struct.pack("<BBBBHB", 7, 5, 0x82, 2, 64, 0) + struct.pack("<BBBBHB", 7, 5, 0x01, 2, 64, 0)
BODY = INTERFACE + ENDPOINTS
DESCRIPTORS = (DEVICE + struct.pack("<BBHBBBBB", 9, 2, 9 + len(BODY), 1, 1, 0, 0xC0, 1) + BODY).hex().upper()
BUS = "/devices/pci0000:00/0000:00:14.0/usb1"
ROOT_HUB = "12010002090001406B1D020012050302010109021900010100E0000904000001090000000705810304000C"


def device(path: str, number: int, vendor: str, product: str, descriptors: str) -> str:
    """One USB device in umockdev's words."""
    return f"""P: {path}
N: bus/usb/001/00{number}={descriptors}
E: DEVNAME=/dev/bus/usb/001/00{number}
E: DEVTYPE=usb_device
E: BUSNUM=001
E: DEVNUM=00{number}
E: MAJOR=189
E: MINOR={number - 1}
E: SUBSYSTEM=usb
A: bConfigurationValue=1
A: busnum=1
A: devnum={number}
H: descriptors={descriptors}
A: idVendor={vendor}
A: idProduct={product}
A: speed=12

"""


class Printer:
    """Answers transfers; what cannot be answered yet waits to be discarded."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.done: list[tuple[object, int, int]] = []
        self.waiting: list[object] = []
        self.paper = bytearray()
        self.answers = bytearray()

    def heard(self, _handler: object, client: object) -> bool:
        """Answer one ioctl."""
        number, arg = client.get_request() & 0xFFFFFFFF, client.get_arg()
        if number == SUBMIT:
            self.submitted(client, arg)
        elif number in (REAP, REAP_NOW):
            self.reaped(client, arg)
        elif number == DISCARD:
            if self.waiting:
                self.done.append((self.waiting.pop(0), -2, 0))
            client.complete(0, 0)
        elif number == CAPABILITIES:
            arg.resolve(0, 4).update(0, bytes(4))
            client.complete(0, 0)
        elif number == RESET:
            print("reset", flush=True)
            client.complete(0, 0)
        elif number in HARMLESS:
            client.complete(0, 0)
        else:
            client.complete(-1, 61 if number == DRIVER else 25)
        return True

    def submitted(self, client: object, arg: object) -> None:
        """Take a transfer: type, endpoint, buffer and length lie at fixed places of `struct usbdevfs_urb`."""
        urb = arg.resolve(0, 56)
        raw = bytes(urb.retrieve())
        kind, endpoint, length = raw[0], raw[1], int.from_bytes(raw[24:28], "little")
        buffer = urb.resolve(16, length) if length else None
        if self.fault == "unplug" and len(self.paper) > 20:
            client.complete(-1, 19)
            return
        count = 0
        if kind == 3 and not endpoint & 0x80:
            if self.fault == "nak":
                self.waiting.append(urb)
                client.complete(0, 0)
                return
            self.printed(bytes(buffer.retrieve()))
            count = length
        elif kind == 3:
            if not self.answers:
                self.waiting.append(urb)
                client.complete(0, 0)
                return
            answer = bytes(self.answers[:length])
            del self.answers[:length]
            buffer.update(0, answer)
            count = len(answer)
        elif kind == 2:
            setup = bytes(buffer.retrieve())[:8]
            answer = b"\x18" if setup[:2] == b"\xa1\x01" else b""
            if answer:
                buffer.update(8, answer)
            count = len(answer)
        self.done.append((urb, 0, count))
        client.complete(0, 0)

    def printed(self, data: bytes) -> None:
        """Take print data; a real-time status request in it is answered."""
        self.paper += data
        self.answers += b"\x12" * data.count(b"\x10\x04")

    def reaped(self, client: object, arg: object) -> None:
        """Hand back a finished transfer: only status (at 4) and length (at 28) may be written."""
        if not self.done:
            client.complete(-1, 11)
            return
        urb, status, count = self.done.pop(0)
        urb.update(4, status.to_bytes(4, "little", signed=True))
        urb.update(28, count.to_bytes(4, "little"))
        arg.resolve(0, 8).set_ptr(0, urb)
        client.complete(0, 0)


def main() -> int:
    """Play until the command ends."""
    bed = UMockdev.Testbed.new()
    bed.add_from_string(device(BUS, 1, "1d6b", "0002", ROOT_HUB))
    bed.add_from_string(device(f"{BUS}/1-2", 2, "04b8", "0202", DESCRIPTORS))
    printer = Printer(sys.argv[1])
    handler = UMockdev.IoctlBase.new()
    handler.connect("handle-ioctl", printer.heard)
    bed.attach_ioctl(NODE, handler)
    loop, codes = GLib.MainLoop(), []

    def run() -> None:
        codes.append(subprocess.call(sys.argv[2:]))
        GLib.idle_add(loop.quit)

    threading.Thread(target=run, daemon=True).start()
    loop.run()
    print("paper", bytes(printer.paper).hex(), flush=True)
    return codes[0]


sys.exit(main())
