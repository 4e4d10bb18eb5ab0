"""A scripted CCNET unit and a rig for the driver: virtual time, whole frames, no port.

It is not the simulator: it shows exactly the state it is told to show, also impossible sequences of them.
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
    NotesKnown,
    NoteStacked,
    Opened,
    OpenNote,
    Sent,
    Write,
)
from kiosk.drivers.ccnet_acceptor import CcnetAcceptor, CcnetOptions
from kiosk.protocols.ccnet.frames import Decoder, Frame, encode
from kiosk.protocols.ccnet.payloads import BillSlot, encode_bill_table

MS = 1_000_000
#: Types 0 to 6: 5 to 500 euros; type 0 is there on purpose.
EUR = encode_bill_table(
    BillSlot(at, digit, "EUR", power)
    for at, (digit, power) in enumerate([(5, 0), (1, 1), (2, 1), (5, 1), (1, 2), (2, 2), (5, 2)])
)
WHO = b"SM-EU1234  1.05" + b"07KI41AS7482" + bytes.fromhex("75ed8dc8033f7b")
#: States by the names of the sheet.
POWER_UP, IN_VALIDATOR, IN_STACKER, INITIALIZE, IDLING, ACCEPTING = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15
STACKING, RETURNING, DISABLED, HOLDING, BUSY, REJECTING = 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C
FULL, OUT, JAM_V, JAM_S, CHEATED, PAUSE, FAILURE = range(0x41, 0x48)
ESCROW, STACKED, RETURNED = 0x80, 0x81, 0x82
RESET, POLL, ENABLE, STACK, RETURN, WHO_ARE_YOU, HOLD, TABLE = 0x30, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x41
ACK, NAK, ILLEGAL = b"\x00", b"\xff", b"\x30"
_ASKABLE = (POWER_UP, IN_VALIDATOR, IN_STACKER, INITIALIZE, DISABLED, *range(0x41, 0x48))


def eur(major: int) -> Money:
    return Money(major * 100, "EUR")


class Unit:
    """Shows `state`; answers settings and queries well; what it answers otherwise is put into `replies`."""

    def __init__(self) -> None:
        self.state: bytes | None = bytes((DISABLED,))
        self.table, self.who = EUR, WHO
        #: Command → what is answered instead, b"" for silence; a list is used up one by one.
        self.replies: dict[int, bytes | list[bytes]] = {}
        self.heard: list[bytes] = []
        #: Whole frames that go out in place of the next replies, as they are.
        self.raw: list[bytes] = []
        self.mask: bytes | None = None
        #: IDLING and UNIT DISABLED follow the mask.
        self.follows = True
        self.echo = False
        self._decoder = Decoder()

    def hear(self, data: bytes) -> bytes:
        out = data if self.echo else b""
        for frame in self._decoder.feed(data):
            assert isinstance(frame, Frame), frame
            self.heard.append(frame.data)
            reply = self.answer(frame.data)
            if reply and self.raw:
                out += self.raw.pop(0)
            elif reply:
                out += encode(reply, frame.address)
        return out

    def answer(self, data: bytes) -> bytes:
        command = data[0]
        planned = self.replies.get(command)
        if isinstance(planned, list) and planned:
            return planned.pop(0)
        if isinstance(planned, bytes):
            return planned
        if self.state is None or data in (ACK, NAK):
            return b""
        if command == POLL:
            return self.state
        if command in (WHO_ARE_YOU, TABLE):
            return ILLEGAL if self.state[0] not in _ASKABLE else self.who if command == WHO_ARE_YOU else self.table
        if command == ENABLE:
            self.mask = data[1:]
            if self.follows and self.state[0] in (IDLING, DISABLED):
                self.state = bytes((IDLING if any(self.mask[:3]) else DISABLED,))
        return ACK

    def commands(self) -> list[int]:
        """What was heard that moves a note or forgets one."""
        return [data[0] for data in self.heard if data[0] in (RESET, STACK, RETURN, HOLD)]


class Rig:
    """One driver on one unit; `auto` commits every money-critical event at once."""

    def __init__(self, unit: Unit | None = None, open_note: OpenNote | None = None, *, auto: bool = True,
                 opened: bool = True, serial: int = 0, currency: str = "EUR", **options: object) -> None:  # fmt: skip
        self.unit = unit or Unit()
        self.driver = CcnetAcceptor(msgspec.convert(options, CcnetOptions), DriverTools(currency))
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
        """Let the unit show one state after the other, each for some polls."""
        for code in codes:
            self.unit.state = bytes((code,)) + data
            self.run(ms)

    def order(self, cmd: DeviceCommand) -> None:
        self.driver.command(cmd, self.now)
        self.drain()

    def told(self, *kinds: type) -> list[DeviceEvent]:
        return [event for event in self.events if isinstance(event, kinds)]

    def feed(self, bill_type: int = 2) -> NoteEscrowed:
        """Bring a note into escrow and return what the driver said of it."""
        self.show(IDLING, ACCEPTING)
        self.show(ESCROW, data=bytes((bill_type,)))
        escrowed = self.told(NoteEscrowed)[-1]
        assert isinstance(escrowed, NoteEscrowed)
        return escrowed


def ready(*, enable: bool = True, **options: object) -> Rig:
    """A rig whose unit has taken its settings and takes every note."""
    rig = Rig(**options)  # type: ignore[arg-type]
    rig.run(1_500)
    if enable:
        known = rig.told(NotesKnown)[-1]
        assert isinstance(known, NotesKnown)
        rig.order(EnableNotes(known.values))
        rig.run(500)
        assert rig.unit.state == bytes((IDLING,))
    rig.unit.heard.clear()
    return rig
