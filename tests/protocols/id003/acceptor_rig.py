"""A simulated acceptor under a host of three lines and a clock that moves only when told."""

from __future__ import annotations

from kiosk.protocols.id003.codes import DeviceStatus as S
from kiosk.protocols.id003.codes import HostCommand
from kiosk.protocols.id003.device import Id003Device
from kiosk.protocols.id003.frames import Decoder, Frame, encode
from kiosk.protocols.id003.units import USD_UNIT, Unit

MS = 1_000_000


class Rig:
    """A host of three lines: it asks, and time passes only when told."""

    def __init__(self, unit: Unit = USD_UNIT) -> None:
        self.device = Id003Device(unit)
        self.now = 0
        self.decoder = Decoder()

    def ask(self, cmd: int, data: bytes = b"") -> tuple[int, bytes] | None:
        self.device.received(encode(cmd, data), self.now)
        return self.answer()

    def answer(self) -> tuple[int, bytes] | None:
        frames = [item for raw in self.device.take_outbound() for item in self.decoder.feed(raw)]
        assert len(frames) <= 1, "a device answers once"
        return (frames[0].cmd, frames[0].data) if frames and isinstance(frames[0], Frame) else None

    def poll(self) -> tuple[int, bytes] | None:
        return self.ask(HostCommand.STATUS_REQUEST)

    def status(self) -> int | None:
        answer = self.poll()
        return answer[0] if answer else None

    def wait(self, ms: int, *, polling: bool = True) -> None:
        end = self.now + ms * MS
        while self.now < end:
            self.now = min(self.now + 200 * MS, end)
            self.device.tick(self.now)
            if polling:
                self.poll()

    def until(self, status: S, limit_ms: int = 20_000) -> bytes:
        for _ in range(limit_ms // 50):
            answer = self.poll()
            if answer and answer[0] == status:
                return answer[1]
            self.now += 50 * MS
        raise AssertionError(f"{status.name} never came; the unit shows {self.device.status!r}")

    def ready(self) -> Rig:
        assert self.ask(HostCommand.RESET) == (S.ACK, b"")
        assert self.status() == S.INITIALIZE
        assert self.ask(HostCommand.SET_INHIBIT, b"\x00") == (HostCommand.SET_INHIBIT, b"\x00")
        self.until(S.IDLING)
        return self

    def escrow(self, minor: int = 2000) -> Rig:
        assert self.device.insert(minor)
        assert self.status() == S.ACCEPTING
        self.until(S.ESCROW)
        return self

    def accounted(self) -> int:
        device = self.device
        return sum(device.cashbox) + sum(device.collected) + sum(device.returned) + (device.inside or 0)
