"""A virtual printer under a clock that moves only when told."""

from __future__ import annotations

from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.protocols.escpos.device_model import EPSON, PrinterModel

MS = 1_000_000
STATUS = (b"\x10\x04\x01", b"\x10\x04\x02", b"\x10\x04\x03", b"\x10\x04\x04")


class PrinterRig:
    """Sends bytes, lets the mechanism run, collects answers."""

    def __init__(self, model: PrinterModel = EPSON) -> None:
        self.printer = EscposPrinter(model)
        self.now = 0

    def send(self, data: bytes | str) -> bytes:
        """Hand bytes over at this moment and return what is answered at once; unspaced hex in a string is decoded."""
        raw = bytes.fromhex(data) if isinstance(data, str) else data
        self.printer.received(raw, self.now)
        return self.answers()

    def answers(self) -> bytes:
        return b"".join(self.printer.take_outbound())

    def run(self) -> bytes:
        """Let the mechanism work until it has nothing to do."""
        answers = self.answers()
        while (due := self.printer.deadline()) is not None:
            self.now = max(self.now, due)
            self.printer.tick(self.now)
            answers += self.answers()
        return answers

    def print(self, data: bytes) -> bytes:
        """Send as much as fits, again and again, until all is consumed."""
        answers = b""
        while data:
            room = self.printer.room()
            assert room, "the printer takes no more"
            answers += self.send(data[:room]) + self.run()
            data = data[room:]
        return answers

    def status(self) -> str:
        return b"".join(self.send(request) for request in STATUS).hex()
