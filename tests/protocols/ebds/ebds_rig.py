"""A simulated acceptor under a host of a few lines and a clock that moves only when told."""

from __future__ import annotations

from kiosk.protocols.ebds.codes import Condition, MessageType, Operation, Report, Setting, State, Subtype
from kiosk.protocols.ebds.device import EbdsDevice
from kiosk.protocols.ebds.frames import Decoder, Frame, encode
from kiosk.protocols.ebds.payloads import Command, NoteRecord, Status, parse_record, parse_status
from kiosk.protocols.ebds.units import USD_UNIT, Unit

MS = 1_000_000
NOTHING = Operation(0)
BASE = Operation.ESCROW | Operation(0x0C)
POLICY = {"A": Setting(0), "B": Setting(0x04), "C": Setting(0x08)}


class Host:
    """Asks with the right toggle; time passes only when told."""

    def __init__(self, unit: Unit = USD_UNIT, *, policy: str = "B", extended: bool = True) -> None:
        self.device = EbdsDevice(unit)
        self.now = 0
        self.toggle = 0
        self.enabled = 0x7F
        self.setting = POLICY[policy] | (Setting.EXTENDED_NOTE if extended else Setting(0))
        self.sent = b""
        self._decoder = Decoder()
        #: Note record bytes of the last extended answer; b"" where it was a plain one.
        self.record = b""

    # --- the wire -----------------------------------------------------------------------------------------------

    def send(self, raw: bytes) -> Frame | None:
        self.sent = raw
        self.device.received(raw, self.now)
        return self.answer()

    def answer(self) -> Frame | None:
        frames = [item for raw in self.device.take_outbound() for item in self._decoder.feed(raw)]
        assert len(frames) <= 1, "a device answers once"
        return frames[0] if frames and isinstance(frames[0], Frame) else None

    def ask(self, kind: int, data: bytes) -> Frame | None:
        """Send something new: the toggle flips after its answer."""
        answer = self.send(encode(kind, self.toggle, data))
        if answer is not None:
            assert answer.toggle == self.toggle
            self.toggle ^= 1
        return answer

    def again(self) -> Frame | None:
        """Send the same bytes again, as after a lost reply."""
        return self.send(self.sent)

    # --- the protocol -------------------------------------------------------------------------------------------

    def command(self, operation: Operation = NOTHING) -> bytes:
        return Command(self.enabled, BASE | operation, self.setting).data

    def poll(self, operation: Operation = NOTHING) -> Status:
        answer = self.ask(MessageType.COMMAND, self.command(operation))
        assert answer is not None, "no answer"
        return self.read(answer)

    def read(self, answer: Frame) -> Status:
        self.record = b""
        data = answer.data
        if answer.kind == MessageType.EXTENDED:
            self.record = data[7:] if data[0] == Subtype.NOTE else b""
            data = data[1:]
        status = parse_status(data)
        assert status is not None
        return status

    def extended(self, subtype: int, rest: bytes = b"") -> Frame:
        answer = self.ask(MessageType.EXTENDED, bytes((subtype,)) + self.command() + rest)
        assert answer is not None
        return answer

    def query(self, number: int) -> bytes:
        answer = self.ask(MessageType.AUXILIARY, bytes((0, 0, number)))
        assert answer is not None
        assert answer.kind == MessageType.AUXILIARY
        return answer.data

    # --- time -----------------------------------------------------------------------------------------------------

    def wait(self, ms: int, *, polling: bool = False) -> None:
        end = self.now + ms * MS
        while self.now < end:
            self.now = min(self.now + 100 * MS, end)
            self.device.tick(self.now)
            if polling:
                self.poll()

    def until(self, bit: State | Condition, limit_ms: int = 30_000) -> Status:
        """Poll until a bit of state or condition shows; return that status."""
        for _ in range(limit_ms // 100):
            status = self.poll()
            if (status.state if isinstance(bit, State) else status.condition) & bit:
                return status
            self.wait(100)
        raise AssertionError(f"{bit!r} never came; the unit shows {self.device.shown}")

    def booted(self) -> Status:
        """Poll from the first answer on until power up is over."""
        self.wait(self.device.unit.speeds.boot_ms)
        for _ in range(300):
            status = self.poll()
            if not status.report & Report.POWER_UP:
                return status
            self.wait(100)
        raise AssertionError("power up never ends")

    def ready(self) -> Host:
        assert self.booted().state & State.IDLING
        return self

    def escrow(self, minor: int = 2000) -> Host:
        assert self.device.insert(minor)
        self.until(State.ESCROWED)
        return self

    def power_cycle(self, *, policy: str | None = None) -> Status:
        self.device.cut_power()
        self.wait(1000)
        self.device.restore_power()
        if policy is not None:
            self.setting = self.setting & ~Setting.POWER_UP_POLICY | POLICY[policy]
        self.toggle = 0
        return self.booted()

    @property
    def note(self) -> NoteRecord | None:
        return parse_record(self.record)

    def accounted(self) -> int:
        device = self.device
        return sum(device.cashbox) + sum(device.collected) + sum(device.returned) + (device.inside or 0)
