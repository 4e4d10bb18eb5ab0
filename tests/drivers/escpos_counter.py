"""A printer driver at the counter: a virtual printer, the line between them, and a clock that only `run` moves."""

from __future__ import annotations

from typing import Any

from kiosk.api import Confirm, Cut, DeviceState, DriverTools, Opened, PrintReady, Sent, Slip, Words, Write
from kiosk.core.drawing import draw_line, draw_qr
from kiosk.drivers.escpos_printer import EscPosPrinter, Options
from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.protocols.escpos.device_model import EPSON, PrinterModel
from kiosk.protocols.escpos.profile import Profile

MS = 1_000_000
SAMPLE = "Ayuntamiento de Cádiz · Žluťoučký · Łódź · €12,34"
RECEIPT = "K07-1-000412-9f3c"
GENERIC = Profile(
    default_page="cp437", code_pages={"cp437": 0}, languages={}, native_codes=False, clear_buffer="none",
    near_end_sensor=False,
)  # fmt: skip


def slip(title: str, lines: int = 40) -> Slip:
    """An example receipt that names itself."""
    return Slip((Words(title), *(Words(f"{title} line {number}") for number in range(lines)), Cut()), "es")


class Counter:
    """A driver, a virtual printer and the line between them, which takes what the printer has room for."""

    def __init__(self, model: PrinterModel = EPSON, profile: Profile | None = None) -> None:
        self.printer = EscposPrinter(model)
        self.options = Options(profile=profile or Profile())
        self.now = 0
        self.events: list[Any] = []
        self.auto_confirm = True
        self.start()

    def start(self) -> None:
        """Start the driver afresh, as after a kill of the core: it remembers nothing of its jobs."""
        self.pending = bytearray()
        self.driver = EscPosPrinter(self.options, DriverTools("USD", draw_line, draw_qr))
        self.driver.remember({}, None, bytes(32))
        self.driver.port(Opened({"kind": "serial"}), self.now)

    def say(self, command: Any) -> None:
        self.driver.command(command, self.now)

    def run(self, ms: int) -> None:
        """Let virtual time pass in steps of 5 ms."""
        for _ in range(0, ms, 5):
            self.now += 5 * MS
            self.printer.tick(self.now)
            due = self.driver.deadline()
            if due is not None and due <= self.now:
                self.driver.tick(self.now)
            self._exchange()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def states(self) -> list[str]:
        return [event.state for event in self.of(DeviceState)]

    def text(self) -> str:
        return "\n".join(piece.text for piece in [*self.printer.receipts, self.printer.hanging])

    def _exchange(self) -> None:
        for item in self.driver.take_outbound():
            assert isinstance(item, Write)
            self.pending += item.data
        # As with flow control on a real line: a printer without room takes nothing, questions included.
        data = bytes(self.pending[: self.printer.room()])
        if data:
            del self.pending[: len(data)]
            self.printer.received(data, self.now)
            self.driver.port(Sent(len(data)), self.now)
        for answer in self.printer.take_outbound():
            self.driver.received(answer, self.now)
        for event in self.driver.take_events():
            self.events.append(event)
            if isinstance(event, PrintReady) and self.auto_confirm:
                self.say(Confirm(event.token))
