"""A scripted ID003 unit and a rig for the driver: virtual time, whole frames, no port.

It is not the simulator: it shows exactly the status it is told to show, also impossible sequences of them.
"""

from __future__ import annotations

import msgspec

from kiosk.api import (
    Confirm,
    DeviceCommand,
    DeviceEvent,
    DriverTools,
    Money,
    NoteDisputed,
    NoteEscrowed,
    NoteReturned,
    NoteStacked,
    Opened,
    OpenNote,
    Sent,
    Write,
)
from kiosk.drivers.id003_acceptor import Id003Acceptor, Id003Options
from kiosk.protocols.id003.frames import Decoder, Frame, encode

MS = 1_000_000
EUR = bytes.fromhex("61 00 00 00 62 E0 05 00 63 E0 0A 00 64 E0 14 00 65 E0 32 00 66 E0 0A 01 67 E0 14 01 68 E0 32 01")
VERSION = b"i(EUR)100-SS ID003-05V280-42 01AUG17 964D"
#: Status codes by the names of the sheet.
IDLING, ACCEPTING, ESCROW, STACKING, VEND_VALID, STACKED = 0x11, 0x12, 0x13, 0x14, 0x15, 0x16
REJECTING, RETURNING, HOLDING, DISABLE, INITIALIZE = 0x17, 0x18, 0x19, 0x1A, 0x1B
POWER_UP, IN_ACCEPTOR, IN_STACKER = 0x40, 0x41, 0x42
FULL, OPEN, JAM_A, JAM_S, PAUSE, CHEATED, FAILURE = range(0x43, 0x4A)
RESET, STACK_2, RETURN, HOLD, ACK, POLL = 0x40, 0x42, 0x43, 0x44, 0x50, 0x11


def eur(major: int) -> Money:
    return Money(major * 100, "EUR")


class Unit:
    """Shows `status`; answers settings and queries well; what it answers otherwise is put into `replies`."""

    def __init__(self) -> None:
        self.status: tuple[int, bytes] | None = (DISABLE, b"")
        self.table, self.version = EUR, VERSION
        #: Code → what is answered instead: a list of (code, data), [] for silence.
        self.replies: dict[int, list[tuple[int, bytes]]] = {}
        self.heard: list[tuple[int, bytes]] = []
        self.echo = False
        self.settings: dict[int, bytes] = {}
        self._decoder = Decoder()

    def hear(self, data: bytes) -> bytes:
        out = data if self.echo else b""
        for frame in self._decoder.feed(data):
            assert isinstance(frame, Frame), frame
            self.heard.append((frame.cmd, frame.data))
            out += b"".join(encode(cmd, body) for cmd, body in self.answer(frame))
        return out

    def answer(self, frame: Frame) -> list[tuple[int, bytes]]:
        if frame.cmd in self.replies:
            return self.replies[frame.cmd]
        if self.status is None or frame.cmd == ACK:
            return []
        if frame.cmd == POLL:
            return [self.status]
        if frame.cmd == 0x88:
            return [(0x88, self.version)]
        if frame.cmd == 0x8A:
            return [(0x8A, self.table)]
        if 0xC0 <= frame.cmd <= 0xC7:
            self.settings[frame.cmd] = frame.data
            return [(frame.cmd, frame.data)]
        return [(0x50, b"")]

    def commands(self) -> list[int]:
        """What was heard that moves a note or forgets one."""
        return [cmd for cmd, _ in self.heard if cmd in (RESET, 0x41, STACK_2, RETURN, HOLD, ACK)]


class Rig:
    """One driver on one unit; `auto` commits every money-critical event at once."""

    def __init__(self, unit: Unit | None = None, open_note: OpenNote | None = None, *, auto: bool = True,
                 opened: bool = True, serial: int = 0, **options: object) -> None:  # fmt: skip
        self.unit = unit or Unit()
        self.driver = Id003Acceptor(msgspec.convert(options, Id003Options), DriverTools("EUR"))
        self.events: list[DeviceEvent] = []
        self.now = 5_000 * MS
        self.auto = auto
        self.driver.remember({"note_serial": str(serial), "device": "acceptor"}, open_note, bytes(32))
        if opened:
            self.open()

    def open(self) -> None:
        self.driver.port(Opened({}), self.now)
        self.drain()

    def drain(self) -> None:
        for _ in range(50):
            fresh = self.driver.take_events()
            self.events += fresh
            for event in fresh:
                if self.auto and isinstance(event, NoteStacked | NoteDisputed | NoteReturned) and event.token:
                    self.driver.command(Confirm(event.token), self.now)
            writes = [item for item in self.driver.take_outbound() if isinstance(item, Write)]
            if not writes and not fresh:
                return
            for write in writes:
                self.driver.port(Sent(len(write.data)), self.now)
                answer = self.unit.hear(write.data)
                if answer:
                    self.now += 10 * MS
                    self.driver.received(answer, self.now)

    def run(self, ms: int = 500) -> None:
        end = self.now + ms * MS
        while (due := self.driver.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.driver.tick(self.now)
            self.drain()
        self.now = max(self.now, end)

    def show(self, *codes: int, ms: int = 450, data: bytes = b"") -> None:
        """Let the unit show one status after the other, each for some polls."""
        for code in codes:
            self.unit.status = (code, data)
            self.run(ms)

    def order(self, cmd: DeviceCommand) -> None:
        self.driver.command(cmd, self.now)
        self.drain()

    def told(self, *kinds: type) -> list[DeviceEvent]:
        return [event for event in self.events if isinstance(event, kinds)]

    def feed(self, code: int = 0x64) -> NoteEscrowed:
        """Bring a note into escrow and return what the driver said of it."""
        self.show(IDLING, ACCEPTING)
        self.show(ESCROW, data=bytes((code,)))
        escrowed = self.told(NoteEscrowed)[-1]
        assert isinstance(escrowed, NoteEscrowed)
        return escrowed


def ready(**options: object) -> Rig:
    """A rig whose unit has taken its settings."""
    rig = Rig(**options)  # type: ignore[arg-type]
    rig.run(1_000)
    return rig
