"""A scripted EBDS unit and a rig for the driver: virtual time, whole frames, no port.

It is not the simulator: it shows exactly the status it is told to show, also impossible sequences of them.  What it
keeps of the protocol is the toggle: a repeated one is answered with the last reply again.
"""

from __future__ import annotations

import msgspec

from kiosk.api import (
    Confirm,
    DeviceCommand,
    DeviceEvent,
    DriverTools,
    EnableNotes,
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
from kiosk.drivers.ebds_acceptor import EbdsAcceptor, EbdsOptions
from kiosk.protocols.ebds.frames import Decoder, Frame, encode
from kiosk.protocols.ebds.payloads import NoteRecord, ValueRow, value_table

MS = 1_000_000
#: First status byte.
IDLING, ACCEPTING, ESCROWED, STACKING, STACKED, RETURNING, RETURNED = (1 << bit for bit in range(7))
#: Second status byte.
CHEATED, REJECTED, JAMMED, FULL, BOX, PAUSED, CALIBRATION = (1 << bit for bit in range(7))
#: Third status byte.
POWER_UP, INVALID, FAILURE = 1, 2, 4
STACK, RETURN = 0x20, 0x40
VALUES = (1, 2, 5, 10, 20, 50, 100)
TABLE = {row: NoteRecord(row, "USD", value, 0) for row, value in enumerate(VALUES, start=1)}
TWENTY, TEN = NoteRecord(0, "USD", 20, 0), NoteRecord(0, "USD", 10, 0)


def usd(major: int) -> Money:
    return Money(major * 100, "USD")


class Unit:
    """Shows `status`, with `note` in escrow and stacked frames; answers queries and settings well."""

    def __init__(self) -> None:
        self.status = bytes((IDLING, BOX, 0, 0, 0x54, 0x10))
        #: The record that goes with escrowed or stacked; None leaves it to a plain reply, `b""` shows a blank one.
        self.note: NoteRecord | bytes | None = None
        self.table = dict(TABLE)
        self.plain_table: tuple[ValueRow, ...] = tuple(ValueRow(at, "USD", v, 0) for at, v in enumerate(VALUES, 1))
        self.texts = {4: b"SCNL6670R", 5: b"SN4711", 7: b"280000123", 8: b"USA"}
        self.silent = self.stubborn = False
        #: Extended subtypes that are refused; replies that are lost on the way.
        self.refused: set[int] = set()
        self.lose = 0
        self.echo = False
        #: Every good frame; those that were new, by their toggle.
        self.heard: list[Frame] = []
        self.fresh: list[Frame] = []
        self.last: tuple[int, bytes] | None = None
        self._decoder = Decoder()

    def hear(self, data: bytes) -> bytes:
        out = data if self.echo else b""
        for frame in self._decoder.feed(data):
            assert isinstance(frame, Frame), frame
            if self.silent:
                continue
            self.heard.append(frame)
            if self.last is None or self.last[0] != frame.toggle or self.stubborn:
                self.fresh.append(frame)
                self.last = (frame.toggle, self.answer(frame))
            if self.lose:
                self.lose -= 1
            else:
                out += self.last[1]
        return out

    def answer(self, frame: Frame) -> bytes:
        if frame.kind == 6:
            return encode(6, frame.toggle, self.texts.get(frame.data[2], b"\x01\x02\x03\x04\x00\x00"))
        if frame.kind == 7:
            return self.extended(frame)
        return self.report(frame.toggle)

    def report(self, toggle: int) -> bytes:
        if self.note is not None and self.status[0] & (ESCROWED | STACKED):
            record = self.note.data if isinstance(self.note, NoteRecord) else bytes(18)
            return encode(7, toggle, b"\x02" + self.status + record)
        return encode(2, toggle, self.status)

    def extended(self, frame: Frame) -> bytes:
        kind, rest = frame.data[0], frame.data[4:]
        if kind in self.refused:
            return encode(2, frame.toggle, self.status[:2] + bytes((INVALID,)) + self.status[3:])
        more = {
            2: lambda: self.table[rest[0]].data if rest[0] in self.table else bytes((rest[0],)) + bytes(17),
            6: lambda: value_table(self.plain_table),
            11: lambda: b"\x01",
        }.get(kind, lambda: b"")()
        if kind == 3:
            return encode(2, frame.toggle, self.status)
        return encode(7, frame.toggle, bytes((kind,)) + self.status + more)

    def commands(self) -> list[int]:
        """STACK and RETURN bits of the commands that were new, in order."""
        return [frame.data[1] & 0x60 for frame in self.fresh if frame.kind == 1 and frame.data[1] & 0x60]

    def masks(self) -> list[bytes]:
        return [frame.data[4:] for frame in self.fresh if frame.kind == 7 and frame.data[0] == 3]


class Rig:
    """One driver on one unit; `auto` commits every money-critical event at once."""

    def __init__(self, unit: Unit | None = None, open_note: OpenNote | None = None, *, auto: bool = True,
                 opened: bool = True, serial: int = 0, **options: object) -> None:  # fmt: skip
        self.unit = unit or Unit()
        self.driver = EbdsAcceptor(msgspec.convert(options, EbdsOptions), DriverTools("USD"))
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
        for _ in range(200):
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
                    self.now += 5 * MS
                    self.driver.received(answer, self.now)

    def run(self, ms: int = 500) -> None:
        end = self.now + ms * MS
        while (due := self.driver.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.driver.tick(self.now)
            self.drain()
        self.now = max(self.now, end)

    def show(self, state: int, condition: int = BOX, report: int = 0, *, ms: int = 450, facility: int = 0,
             note: NoteRecord | bytes | None = None) -> None:  # fmt: skip
        """Let the unit show a status for some polls."""
        self.unit.status, self.unit.note = bytes((state, condition, report, facility, 0x54, 0x10)), note
        self.run(ms)

    def event(self, state: int, condition: int = BOX, note: NoteRecord | bytes | None = None) -> None:
        """Let the unit tell an event in one reply, and rest afterwards."""
        self.unit.status, self.unit.note = bytes((state, condition, 0, 0, 0x54, 0x10)), note
        seen = len(self.unit.fresh)
        while len(self.unit.fresh) == seen:
            self.run(10)
        self.unit.status, self.unit.note = bytes((IDLING, BOX, 0, 0, 0x54, 0x10)), None

    def order(self, cmd: DeviceCommand) -> None:
        self.driver.command(cmd, self.now)
        self.drain()

    def told(self, *kinds: type) -> list[DeviceEvent]:
        return [event for event in self.events if isinstance(event, kinds)]

    def feed(self, note: NoteRecord = TWENTY) -> NoteEscrowed:
        """Bring a note into escrow and return what the driver said of it."""
        self.show(ACCEPTING)
        self.show(ESCROWED, note=note)
        escrowed = self.told(NoteEscrowed)[-1]
        assert isinstance(escrowed, NoteEscrowed)
        return escrowed


def ready(*values: int, auto: bool = True, unit: Unit | None = None, **options: object) -> Rig:
    """A rig with a unit that is set up and takes all its notes, or `values`."""
    rig = Rig(unit, auto=auto, **options)
    rig.run(3_000)
    rig.order(EnableNotes(tuple(usd(value) for value in values or VALUES)))
    rig.run(600)
    rig.events.clear()
    return rig
