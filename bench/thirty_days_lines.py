"""The lines of the kiosk of `make thirty-days`: bytes between drivers and simulated devices, cut where a run dies."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from kiosk.core.kernel import Kernel
from kiosk.core.runner import DriverSeat
from kiosk.core.supervisor import DeviceNews
from kiosk.plugins.devices import PortRequest, Reply, Sent, Write
from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.protocols.id003.device import Id003Device

#: An ID003 frame is SYNC, length, code: the code is the third byte.
_CODE = 2


class Died(BaseException):
    """The run of the core ended here, in the middle of whatever it did."""


class Lines:
    """Devices, drivers and what is on its way between them and the kernel."""

    def __init__(self) -> None:
        #: Nanoseconds since the campaign began; all clocks derive from it.
        self.now = 0
        self.acceptor, self.printer = Id003Device(), EscposPrinter()
        self.kernel: Kernel | None = None
        #: The present run dies with the n-th byte of the acceptor's line; 0 for never.
        self.dies_in_bytes = 0
        #: Commands of the host to the acceptor that get lost on the way, and how many did.
        self.lost_commands: set[int] = set()
        self.lost = 0
        #: When the present boot of the machine began.
        self._boot_at = 0
        self._seats: dict[str, DriverSeat] = {}
        self._orders: deque[tuple[str, Any]] = deque()
        self._news: deque[DeviceNews] = deque()
        self._opened = False

    @property
    def _mono(self) -> int:
        return self.now - self._boot_at

    def _told(self, device: str) -> Callable[[Any], None]:
        return lambda event: self._news.append(DeviceNews(device, event, self._mono, 1))

    def post(self, device: str, command: Any, generation: int | None = None) -> bool:
        """Carry an order out at once, down to the wire: a line thread may be that quick, and a kill come after it."""
        self._orders.append((device, command))
        if self._opened:
            self._carry_orders_out()
            self._put_out()
        return True

    def _carry_orders_out(self) -> None:
        while self._orders:
            device, command = self._orders.popleft()
            if device in self._seats:
                self._seats[device].command(command, self._mono)

    def _pump(self) -> None:
        """Let news reach the kernel and orders the drivers until nothing moves."""
        assert self.kernel is not None
        while True:
            while self._news:
                self.kernel.handle_news(self._news.popleft())
            self._carry_orders_out()
            if not self._put_out():
                return

    def _put_out(self) -> bool:
        moved = False
        for name, seat in self._seats.items():
            if seat.dead:
                raise RuntimeError(f"driver {name} died: {seat.dead}")
            for item in seat.take_outbound():
                moved = True
                if isinstance(item, Write):
                    self._write(name, item.data)
                    seat.port(Sent(len(item.data)), self._mono)
                elif isinstance(item, PortRequest):
                    seat.port(Reply(item.id, False), self._mono)
        return moved

    def _write(self, device: str, data: bytes) -> None:
        role = self.acceptor if device == "notes" else self.printer
        if device == "notes" and data[_CODE] in self.lost_commands:
            self.lost += 1
            return
        cut = self._cut_of(device, data)
        role.received(data[:cut], self.now)
        if cut < len(data) or (device == "notes" and self.dies_in_bytes < 0):
            raise Died

    def _receive(self, device: str, data: bytes) -> None:
        cut = self._cut_of(device, data)
        self._seats[device].received(data[:cut], self._mono)
        self._pump()
        if device == "notes" and self.dies_in_bytes < 0:
            raise Died

    def _cut_of(self, device: str, data: bytes) -> int:
        """Return how many of the bytes pass; the fuse is below zero once it has burnt down within them."""
        if device != "notes" or self.dies_in_bytes <= 0:
            return len(data)
        passed = min(len(data), self.dies_in_bytes)
        self.dies_in_bytes -= passed
        if not self.dies_in_bytes:
            self.dies_in_bytes = -1
        return passed
