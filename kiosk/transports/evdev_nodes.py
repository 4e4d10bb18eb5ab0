"""Keyboard-wedge scanners through the kernel's event nodes, by evdev.

All nodes of one scanner are watched (it may show a keyboard and a consumer interface), each grabbed so that the
label is not typed into the browser as well; grabbed only when no key is down, because otherwise its release is
lost and a modifier sticks (devices sheet §2.1).  What the driver reads are records of eight bytes,
little-endian: node index (B), event type (B), code (H), value (i).

Where the kernel had to drop events the driver gets the record (type 0, code 3) and, after the next report, the
keys that are down, so that both agree again.
"""

from __future__ import annotations

import errno
import os
import select
import struct
from typing import Any

import msgspec

from kiosk.errors import TransportError
from kiosk.plugins.devices import PortRequest, Reply
from kiosk.transports import identity
from kiosk.transports.path import closed, not_supported, trouble

RECORD = struct.Struct("<BBHi")
EV_SYN, EV_KEY = 0, 1
SYN_REPORT, SYN_DROPPED = 0, 3
#: Nodes of one device that are watched.
MOST_NODES = 8


class EvdevSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which scanner."""

    #: A path below ``/dev/input/by-id`` or ``by-path``, or ``usb:VID:PID[:SERIAL]`` for all its nodes.
    port: str
    #: Keep the scanner's keys from everybody else.
    grab: bool = True

    def __post_init__(self) -> None:
        if not identity.is_path(self.port) and identity.usb_name(self.port) is None:
            raise ValueError(f"port {self.port[:60]!r} is neither a path nor usb:VID:PID[:SERIAL]")


class _Node:
    """One event node."""

    def __init__(self, device: Any) -> None:
        self.device = device
        self.grabbed = False
        #: True between SYN_DROPPED and the next report.
        self.dropping = False


class EvdevPath:
    """Owns the open nodes of one scanner."""

    def __init__(self, settings: EvdevSettings) -> None:
        self.settings = settings
        self.label = settings.port
        self._nodes: dict[int, tuple[int, _Node]] = {}
        self._epoll: select.epoll | None = None

    def open(self) -> dict[str, str]:
        """Open all nodes of the scanner, and grab those on which no key is down."""
        self.close()
        evdev = _evdev()
        devices: list[Any] = []
        try:
            devices = self._devices(evdev)
            first = devices[0]
            facts = {
                "path": self.label, "kind": "evdev", "name": str(first.name)[:80], "nodes": str(len(devices)),
                "vendor": f"{first.info.vendor:04x}", "product": f"{first.info.product:04x}",
            }  # fmt: skip
            if first.uniq:
                facts["serial"] = str(first.uniq)[:80]
            self._epoll = select.epoll()
            for index, device in enumerate(devices):
                self._epoll.register(device.fd, select.EPOLLIN)
                self._nodes[device.fd] = (index, _Node(device))
            for _, node in self._nodes.values():
                self._grab(node)
        except OSError as error:
            self.close()
            for device in devices:
                device.close()
            raise trouble(self.label, "opening", error) from error
        return facts

    def _devices(self, evdev: Any) -> list[Any]:
        name = identity.usb_name(self.settings.port)
        if name is None:
            return self._siblings(evdev, self.settings.port)
        found = []
        for path in sorted(evdev.list_devices()):
            device = _opened(evdev, path)
            if device is None:
                continue
            ids = (device.info.vendor, device.info.product)
            if ids == (name.vendor, name.product) and name.serial in (None, device.uniq):
                found.append(device)
            else:
                device.close()
        physical = {_physical(device) for device in found}
        if not found or len(physical) > 1 or len(found) > MOST_NODES:
            for device in found:
                device.close()
            # One device may have several nodes; two devices of one kind are not to be guessed between.
            identity.one(self.settings.port, [identity.FoundPort(each) for each in sorted(physical)])
            raise TransportError(f"{self.label}: has {len(found)} nodes", hint=f"at most {MOST_NODES} are watched")
        return found

    def _siblings(self, evdev: Any, path: str) -> list[Any]:
        if not os.path.exists(path):
            raise identity.missing(path)
        first = evdev.InputDevice(path)
        found = [first]
        own = os.path.realpath(path)
        for other in sorted(evdev.list_devices()):
            if os.path.realpath(other) == own or not first.phys or len(found) >= MOST_NODES:
                continue
            device = _opened(evdev, other)
            if device is None:
                continue
            if _physical(device) == _physical(first):
                found.append(device)
            else:
                device.close()
        return found

    def fileno(self) -> int:
        """Return one descriptor that is readable when any node is, -1 while closed."""
        return self._epoll.fileno() if self._epoll is not None else -1

    def read(self) -> bytes:
        """Return records of what was typed."""
        if self._epoll is None:
            raise closed(self.label)
        out = bytearray()
        for fd, _ in self._epoll.poll(0):
            index, node = self._nodes[fd]
            try:
                for event in node.device.read():
                    self._record(out, index, node, event)
                self._grab(node)
            except BlockingIOError:
                continue
            except OSError as error:
                # ENODEV: unplugged.  The dead descriptor would stay readable for ever: drop it at once.
                self.close()
                raise trouble(self.label, "reading", error) from error
        return bytes(out)

    def _record(self, out: bytearray, index: int, node: _Node, event: Any) -> None:
        if event.type == EV_SYN and event.code == SYN_DROPPED:
            node.dropping = True
            out += RECORD.pack(index, EV_SYN, SYN_DROPPED, 0)
        elif node.dropping:
            if event.type == EV_SYN and event.code == SYN_REPORT:
                node.dropping = False
                out += RECORD.pack(index, EV_SYN, SYN_REPORT, 0)
                for key in sorted(node.device.active_keys()):
                    out += RECORD.pack(index, EV_KEY, key & 0xFFFF, 1)
        elif 0 <= event.type <= 0xFF:
            out += RECORD.pack(index, event.type, event.code & 0xFFFF, event.value)

    def _grab(self, node: _Node) -> None:
        if node.grabbed or not self.settings.grab or node.device.active_keys():
            return
        node.device.grab()
        if node.device.active_keys():
            node.device.ungrab()  # pressed in this very moment: its release would be lost to everybody else
            return
        node.grabbed = True

    def write(self, data: bytes) -> int:
        """Nothing can be written to a keyboard; it is taken and forgotten."""
        return len(data)

    def drop_output(self) -> None:
        """Nothing waits."""

    def request(self, request: PortRequest) -> Reply:
        """Only flushing the input is known."""
        if request.kind == "flush_input" and self._epoll is not None:
            try:
                self.read()
            except TransportError:
                return not_supported(request)  # lost in this moment; the next read tells
            return Reply(request.id, True)
        return not_supported(request)

    def present(self) -> bool | None:
        """Tell whether the node is there, by path or in /sys."""
        if identity.is_path(self.settings.port):
            return os.path.exists(self.settings.port)
        return identity.usb_present(self.settings.port)

    def close(self) -> None:
        """Close all nodes; the kernel ends the grab with them."""
        nodes, self._nodes = self._nodes, {}
        poll, self._epoll = self._epoll, None
        if poll is not None:
            poll.close()
        for _, node in nodes.values():
            try:
                node.device.close()
            except OSError:
                pass  # unplugged: closing a dead node may fail, and it is closed all the same


def _opened(evdev: Any, path: str) -> Any:
    """Open one of the nodes that were listed a moment ago; None where it went meanwhile, or is not for us."""
    try:
        return evdev.InputDevice(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EACCES):
            return None
        raise


def _physical(device: Any) -> str:
    # "usb-0000:00:14.0-1/input0" -> the socket it is plugged into, the same for all its nodes
    return str(device.phys).rsplit("/", 1)[0] if device.phys else str(device.path)


def _evdev() -> Any:
    try:
        import evdev
    except ImportError as error:
        raise TransportError(
            f"keyboard-wedge scanners need the package evdev: {str(error)[:100]}",
            hint="apt-get install python3-evdev, or `make evdev` in the source tree",
        ) from error
    return evdev
