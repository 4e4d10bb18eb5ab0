"""A scripted SSP unit and a rig for the driver: virtual time, whole frames, no port.

It is not the simulator: it keeps the rules of the line (flag, repeats, session) and hands out exactly the events it is
told to, also impossible ones.
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
from kiosk.drivers.ssp_acceptor import SspAcceptor, SspOptions
from kiosk.protocols.ssp.codes import ACKNOWLEDGED, Command
from kiosk.protocols.ssp.crypto import Opened as OpenedBlock
from kiosk.protocols.ssp.crypto import aes_key, intermediate, open_block, seal
from kiosk.protocols.ssp.frames import Decoder, Frame, encode
from kiosk.protocols.ssp.payloads import Channel, Counters, Setup, build_counters, build_setup

MS = 1_000_000
EUR = tuple(Channel(k + 1, value, "EUR") for k, value in enumerate((5, 10, 20, 50, 100)))
READ0, READ3, CREDIT3 = b"\xef\x00", b"\xef\x03", b"\xee\x03"
STACKING, STACKED, REJECTING, REJECTED, DISABLED, RESET = b"\xcc", b"\xeb", b"\xed", b"\xec", b"\xe8", b"\xf1"


def eur(major: int) -> Money:
    return Money(major * 100, "EUR")


class Unit:
    """Answers as a validator would; `script` holds the events of the polls to come, one entry a new poll."""

    def __init__(self) -> None:
        self.setup = Setup(0, "0333", "EUR", 0, EUR, 100, 6)
        self.highest_version = 8
        self.serial, self.stacked = 1234567, 17
        self.script: list[bytes] = []
        #: Handed out in every poll behind the script's entry.
        self.always = b""
        self.enabled = False
        self.inhibits = b"\x00\x00"
        self.escrow = False
        #: Command → answer instead, b"" for silence.
        self.replies: dict[int, bytes] = {}
        self.mute = self.demands_key = False
        self.key: bytes | None = None
        self.has_encryption = True
        self.count = 0
        self.heard: list[bytes] = []
        #: As `heard`, but repeats too, and whether each was sealed.
        self.frames: list[tuple[int, bool]] = []
        self.lose = 0
        self._last_flag, self._last_reply = 1, b""
        self._decoder = Decoder()
        self._generator = self._modulus = 0
        self._unacked: bytes | None = None

    def forget(self) -> None:
        """What a power cut takes."""
        self.key, self.count, self.enabled, self._unacked, self.escrow = None, 0, False, None, False
        self._last_flag, self._last_reply = 1, b""
        self.setup = msgspec.structs.replace(self.setup, protocol=6)

    def hear(self, data: bytes) -> bytes:
        out = b""
        for frame in self._decoder.feed(data):
            assert isinstance(frame, Frame), frame
            out += self._frame(frame)
        return out

    def _frame(self, frame: Frame) -> bytes:
        sealed = frame.data[0] == 0x7E
        self.frames.append((frame.flag, sealed))
        if frame.flag == self._last_flag and frame.data != b"\x11":
            return self._out(self._last_reply)
        data = frame.data
        if sealed:
            opened = open_block(self.key, data) if self.key else None
            if self.key is None:
                return self._done(frame, b"\xfa", False)
            if not isinstance(opened, OpenedBlock) or opened.count != self.count:
                return b""
            data = opened.data
            if self.replies.get(data[0]) == b"":
                return b""
            self.count += 1
        self.heard.append(data)
        if self.demands_key and not sealed and data[0] not in (0x11, 0x06, 0x4A, 0x4B, 0x4C):
            return self._done(frame, b"\xfa", False)
        answer = self.replies.get(data[0], None)
        if answer == b"":
            return b""
        return self._done(frame, self.answer(data) if answer is None else answer, sealed)

    def _done(self, frame: Frame, reply: bytes, sealed: bool) -> bytes:
        if frame.data == b"\x11":
            self._last_flag = 1
        else:
            self._last_flag = frame.flag
        if sealed and self.key:
            reply = seal(self.key, self.count, reply, lambda n: bytes(n))
        self._last_reply = encode(frame.address, frame.flag, reply)
        return self._out(self._last_reply)

    def _out(self, raw: bytes) -> bytes:
        if self.lose:
            self.lose -= 1
            return b""
        return b"" if self.mute else raw

    def answer(self, data: bytes) -> bytes:
        code = data[0]
        if code in (Command.POLL, Command.POLL_WITH_ACK):
            return b"\xf0" + self._poll(code)
        if code == Command.EVENT_ACK:
            had, self._unacked = self._unacked, None
            return b"\xf0" if had is not None else b"\xf5"
        if code in (Command.REJECT, Command.HOLD):
            had_note = self.escrow
            self.escrow = self.escrow and code == Command.HOLD
            return b"\xf0" if had_note else b"\xf5"
        if code == Command.HOST_PROTOCOL_VERSION:
            if data[1] > self.highest_version:
                return b"\xf8"
            self.setup = msgspec.structs.replace(self.setup, protocol=data[1])
        if code == Command.SETUP_REQUEST:
            return b"\xf0" + build_setup(self.setup)
        if code == Command.GET_SERIAL_NUMBER:
            return b"\xf0" + self.serial.to_bytes(4, "big")
        if code == Command.GET_COUNTERS:
            return b"\xf0" + build_counters(Counters(self.stacked, 0, 0, 0, 3))
        if code == Command.LAST_REJECT_CODE:
            return b"\xf0\x0c"
        if code in (Command.ENABLE, Command.DISABLE):
            self.enabled = code == Command.ENABLE
        if code == Command.SET_INHIBITS:
            self.inhibits = data[1:]
        if code in (Command.SET_GENERATOR, Command.SET_MODULUS, Command.REQUEST_KEY_EXCHANGE):
            return self._exchange(code, int.from_bytes(data[1:], "little"))
        return b"\xf0"

    def _exchange(self, code: int, number: int) -> bytes:
        if not self.has_encryption:
            return b"\xf2"
        if code == Command.SET_GENERATOR:
            self._generator = number
        elif code == Command.SET_MODULUS:
            self._modulus = number
        else:
            secret = 75272595
            self.key = aes_key(0x0123456701234567, intermediate(number, secret, self._modulus))
            self.count = 0
            return b"\xf0" + intermediate(self._generator, secret, self._modulus).to_bytes(8, "little")
        return b"\xf0"

    def _poll(self, code: int) -> bytes:
        if code == Command.POLL_WITH_ACK and self._unacked is not None:
            return self._unacked
        self.escrow = False
        events = (self.script.pop(0) if self.script else b"") + self.always
        if not events and not self.enabled:
            events = DISABLED
        self.escrow = events.endswith((READ3, b"\xe5"))
        if code == Command.POLL_WITH_ACK and any(byte in ACKNOWLEDGED for byte in events):
            self._unacked = events
        return events

    def sent(self, *codes: int) -> list[int]:
        """Commands heard of these codes, in order."""
        return [data[0] for data in self.heard if data[0] in codes]


class Rig:
    """One driver on one unit; `auto` commits every money-critical event at once."""

    def __init__(self, unit: Unit | None = None, open_note: OpenNote | None = None, *, auto: bool = True,
                 serial: int = 0, mark: str = "", **options: object) -> None:  # fmt: skip
        self.unit = unit or Unit()
        options = {"encryption": "never", **options}
        self.driver = SspAcceptor(msgspec.convert(options, SspOptions), DriverTools("EUR"))
        self.events: list[DeviceEvent] = []
        self.now = 5_000 * MS
        self.auto = auto
        marks = {"note_serial": str(serial), "device": "acceptor", "device_mark": mark}
        self.driver.remember(marks, open_note, bytes(range(32)))
        self.driver.port(Opened({}), self.now)
        self.drain()

    def drain(self) -> None:
        for _ in range(80):
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

    def run(self, ms: int = 1_000) -> None:
        end = self.now + ms * MS
        while (due := self.driver.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.driver.tick(self.now)
            self.drain()
        self.now = max(self.now, end)

    def play(self, *entries: bytes, ms: int = 0) -> None:
        """Let the next polls hand out these events."""
        self.unit.script += entries
        self.run(ms or 300 * (len(entries) + 1))

    def order(self, cmd: DeviceCommand) -> None:
        self.driver.command(cmd, self.now)
        self.drain()

    def told(self, *kinds: type) -> list[DeviceEvent]:
        return [event for event in self.events if isinstance(event, kinds)]

    def feed(self) -> NoteEscrowed:
        """Bring a note of 20 EUR into escrow and return what the driver said of it."""
        self.play(READ0, READ3)
        escrowed = self.told(NoteEscrowed)[-1]
        assert isinstance(escrowed, NoteEscrowed)
        return escrowed


def ready(**options: object) -> Rig:
    """A rig whose unit has taken its settings and accepts 10, 20 and 50 EUR."""
    rig = Rig(**options)  # type: ignore[arg-type]
    rig.order(EnableNotes((eur(10), eur(20), eur(50))))
    rig.run(12_000)
    return rig
