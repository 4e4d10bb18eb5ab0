"""The device role of ID003: a whole simulated acceptor, sans-I/O (ID003 sheet).

Bytes and the time come in by `received` and `tick`, bytes go out by `take_outbound`; `deadline` tells when `tick`
is wanted.  It answers each good request once, an ACK never, and a frame with a wrong CRC with COMMUNICATION ERROR.

People's hands are methods (`insert`, `jam`, `cut_power` …); a hand acts at the time last told, so a player calls
`tick(now)` first.  Scripted faults (`lose_replies`, `repeat_escrow` …) misbehave on purpose.  `cashbox`, `returned` and
`inside` are the observable truth: they are kept across power cuts and nothing on the wire can touch them.
"""

from __future__ import annotations

from kiosk.errors import SimulatorError
from kiosk.protocols.id003.codes import (
    POWER_UPS,
    SETTING_BY_GET_CODE,
    SETTING_BY_SET_CODE,
    DeviceStatus,
    HostCommand,
    Unknown,
    host_command,
)
from kiosk.protocols.id003.frames import Decoder, Frame, FrameFault, encode
from kiosk.protocols.id003.hands import HandledNotePath
from kiosk.protocols.id003.notepath import MS
from kiosk.protocols.id003.payloads import encode_currency_table
from kiosk.protocols.id003.units import USD_UNIT, Unit

_OPERATIONS = frozenset(
    {HostCommand.STACK_1, HostCommand.STACK_2, HostCommand.RETURN, HostCommand.HOLD, HostCommand.WAIT}
)
_UNSUPPORTED_MODE = b"\x02"
_STAGES = {
    DeviceStatus.POWER_UP: "starting",
    DeviceStatus.POWER_UP_BILL_IN_ACCEPTOR: "starting",
    DeviceStatus.POWER_UP_BILL_IN_STACKER: "starting",
    DeviceStatus.INITIALIZE: "starting",
    DeviceStatus.IDLING: "idle",
    DeviceStatus.DISABLED: "inhibited",
    DeviceStatus.ACCEPTING: "accepting",
    DeviceStatus.ESCROW: "escrow",
    DeviceStatus.HOLDING: "escrow",
    DeviceStatus.STACKING: "stacking",
    DeviceStatus.VEND_VALID: "credit",
    DeviceStatus.STACKED: "credit",
    DeviceStatus.RETURNING: "returning",
    DeviceStatus.REJECTING: "rejecting",
}


class Id003Device:
    """One acceptor on one line.  Owns the wire and the power; the note path owns notes and stages."""

    def __init__(self, unit: Unit = USD_UNIT, *, powered: bool = True) -> None:
        self.unit = unit
        self.powered = powered
        #: What the unit heard and said, counted: ``frames``, ``faults``, ``replies``, ``refused``, ``lost``.
        self.counters: dict[str, int] = {"frames": 0, "faults": 0, "replies": 0, "refused": 0, "lost": 0}
        self._path = HandledNotePath(unit)
        self._decoder = Decoder()
        self._now = 0
        self._heard_at = 0
        self._boot_due: int | None = None
        self._outbound: list[bytes] = []
        self._shown: tuple[DeviceStatus, bytes] | None = None
        self._lose = 0
        self._garble = 0
        self._garbled = 0
        self._lose_acks = 0
        self._mute = False
        self._unknown: list[int] = []

    # --- the observable truth -------------------------------------------------------------------------------

    @property
    def currency(self) -> str:
        """ISO 4217 code of the unit's note set."""
        return self.unit.currency

    @property
    def values(self) -> tuple[int, ...]:
        """Minor values of the notes the unit knows, ascending."""
        return tuple(sorted(self.unit.minor(slot) for slot in self.unit.slots if slot.used))

    @property
    def shown(self) -> str:
        """What the unit shows now, for people."""
        return "no power" if self.status is None else self.status.name

    @property
    def cashbox(self) -> list[int]:
        """Minor values of the notes in the box that belongs to the unit, in order."""
        return list(self._path.cashbox)

    @property
    def collected(self) -> list[int]:
        """Minor values of the notes that left with a box that was exchanged for an empty one."""
        return list(self._path.collected)

    @property
    def returned(self) -> list[int]:
        """Minor values of the notes that people got back."""
        return list(self._path.returned)

    @property
    def inside(self) -> int | None:
        """Minor value of the note that is on its way, or None."""
        return self._path.inside

    @property
    def status(self) -> DeviceStatus | None:
        """What a poll would see now; None without power."""
        return self._path.shown()[0] if self.powered and self._boot_due is None else None

    @property
    def stage(self) -> str:
        """Where the unit stands, in words that every protocol has."""
        return "off" if not self.powered else _STAGES.get(self.status, "fault") if self.status else "starting"

    @property
    def can_insert(self) -> bool:
        """Tell whether the unit would draw a note in now."""
        return self.status is DeviceStatus.IDLING and self._path.note is None

    # --- bytes and time ---------------------------------------------------------------------------------------

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the host, split anywhere."""
        self.tick(now)
        if not self.powered or self._boot_due is not None:
            return
        self._heard_at = self._now
        self._take(self._decoder.feed(data))
        self._notice()

    def tick(self, now: int) -> None:
        """The time is `now`, integer nanoseconds of any clock that never goes back."""
        self._now = max(self._now, now)
        if not self.powered:
            return
        if self._boot_due is not None:
            if self._boot_due > self._now:
                return
            self._path.advance(self._boot_due)
            self._boot_due = None
            self._path.power_up()
        self._path.advance(self._now)
        if self._decoder.pending and self._now - self._heard_at >= self.unit.speeds.inter_byte_ms * MS:
            self._take(self._decoder.abandon())
        self._notice()

    def deadline(self) -> int | None:
        """Return when `tick` is wanted next; None for never."""
        if not self.powered:
            return None
        if self._boot_due is not None:
            return self._boot_due
        due = self._path.deadline()
        if self._decoder.pending:
            still = self._heard_at + self.unit.speeds.inter_byte_ms * MS
            due = still if due is None else min(due, still)
        return due

    def take_outbound(self) -> list[bytes]:
        """Hand over what is to be written, once."""
        outbound, self._outbound = self._outbound, []
        return outbound

    # --- requests ---------------------------------------------------------------------------------------------

    def _take(self, items: list[Frame | FrameFault]) -> None:
        for item in items:
            if isinstance(item, Frame):
                self.counters["frames"] += 1
                self._path.heard()
                self._answer(item)
            else:
                self.counters["faults"] += 1
                if item.kind == "checksum" and not self._path.hung:
                    self._reply(DeviceStatus.COMMUNICATION_ERROR)

    def _answer(self, frame: Frame) -> None:
        command, path = host_command(frame.cmd), self._path
        if path.hung and command is not HostCommand.RESET:
            return
        if command is HostCommand.ACK:
            if self._lose_acks and path.stage is DeviceStatus.VEND_VALID:
                self._lose_acks -= 1
            else:
                path.acknowledge()
        elif isinstance(command, Unknown) or command in self.unit.lacks:
            self._refuse()
        elif command in SETTING_BY_SET_CODE:
            self._set(command, frame.data)
        elif frame.data:
            self._refuse()
        elif command in _OPERATIONS:
            if path.operate(command):
                self._reply(DeviceStatus.ACK)
            else:
                self._refuse()
        else:
            self._query(command)

    def _query(self, command: HostCommand) -> None:
        path = self._path
        if command is HostCommand.STATUS_REQUEST:
            if self._unknown:
                self._reply(self._unknown.pop(0))
            else:
                self._reply(*path.shown())
        elif command is HostCommand.RESET:
            path.forget()
            path.initialize()
            self._reply(DeviceStatus.ACK)
        elif command is HostCommand.VERSION_REQUEST:
            self._reply(command, self.unit.version.encode("ascii"))
        elif command is HostCommand.BOOT_VERSION_REQUEST:
            self._reply(command, self.unit.boot_version.encode("ascii"))
        elif command is HostCommand.CURRENCY_ASSIGN_REQUEST:
            self._reply(command, encode_currency_table(self.unit.slots))
        elif command in SETTING_BY_GET_CODE:
            self._reply(command, path.settings[SETTING_BY_GET_CODE[command].set_code])
        else:
            self._refuse()

    def _set(self, command: HostCommand, data: bytes) -> None:
        too_early = self._path.stage in POWER_UPS
        bad_mode = command is HostCommand.SET_COMMUNICATION_MODE and data >= _UNSUPPORTED_MODE
        if too_early or bad_mode or len(data) not in SETTING_BY_SET_CODE[command].sizes:
            self._refuse()
            return
        self._path.set(command, data)
        self._reply(command, data)

    def _refuse(self) -> None:
        self.counters["refused"] += 1
        self._reply(DeviceStatus.INVALID_COMMAND)

    def _reply(self, code: int, data: bytes = b"") -> None:
        raw = encode(code, data)
        if self._mute or self._lose:
            self._lose = max(self._lose - 1, 0)
            self.counters["lost"] += 1
            return
        if self._garble:
            self._garble -= 1
            bad = bytearray(raw)
            bad[self._garbled % len(bad)] ^= 0x10  # one bit, at another place each time; a CRC always sees it
            self._garbled += 1
            raw = bytes(bad)
        self.counters["replies"] += 1
        self._outbound.append(raw)

    def _notice(self) -> None:
        """In interrupt mode 1, say ENQ on each change of status (sheet §8)."""
        shown = self._path.shown()
        if shown != self._shown:
            self._shown = shown
            if self._path.settings[HostCommand.SET_COMMUNICATION_MODE] == b"\x01":
                self._reply(DeviceStatus.ENQ)

    # --- people's hands -----------------------------------------------------------------------------------------

    def insert(self, minor_value: int, *, direction: int = 1, force: bool = False) -> bool:
        """Feed a note; False where the unit does not take it.  `force` pushes it into a unit that is inhibited."""
        return self._on() and self._path.insert(minor_value, direction, force)

    def insert_ticket(self, barcode: str) -> bool:
        """Feed a barcode ticket, which is no money; False where the unit does not take it."""
        return self._on() and self._path.insert(0, 1, False, barcode.encode("ascii", "replace")[:24])

    def pull_back(self) -> bool:
        """Pull the note out, or take it from the mouth; False once it has passed the lever."""
        return self._path.pull_back(self._on())

    def take_rejected(self) -> bool:
        """Take the rejected note, now or as soon as it lies at the mouth; False where none comes."""
        return self._path.take_rejected() if self._on() else self._path.pull_back(False)

    def jam(self, where: str) -> None:
        """Block the path in the ``acceptor`` or in the ``stacker``."""
        if where not in ("acceptor", "stacker"):
            raise SimulatorError(f"there is no {where[:40]!r} to jam", hint="jam the acceptor or the stacker")
        self._path.jam(where)

    def clear_jam(self, outcome: str | None = None) -> None:
        """Open the path.  A stacking note that can still come back is then ``return``ed or ``stack``ed by the unit, or
        ``take``n out by hand; without `outcome` as `after_fault` says."""
        self._path.clear_jam(outcome or self._path.after_fault)

    def after_fault(self, outcome: str) -> None:
        """Say what becomes of a stacking note that a fault stopped before the lever: ``return`` or ``stack``."""
        if outcome not in ("return", "stack"):
            raise SimulatorError(f"a note cannot end as {outcome[:40]!r} after a fault", hint="say return or stack")
        self._path.after_fault = outcome

    def remove_cashbox(self) -> None:
        """Take the cash box out; its notes stay in it."""
        self._path.put_box(False, False)

    def insert_cashbox(self, *, empty: bool = False) -> None:
        """Put the same box back, or an empty one in its stead (then its notes count as `collected`)."""
        self._path.put_box(True, empty)

    def fill_stacker(self) -> None:
        """Let the box be full, until an empty one is put in."""
        self._path.full = True

    def cheat(self) -> None:
        """Manipulate the note and be caught; a note that can come out does."""
        if self._on():
            self._path.cheat()

    def fail(self, code: int) -> None:
        """Break something inside, with an ID003 failure code; stays until `mend`."""
        self._path.set_failure(code)

    def mend(self) -> None:
        """Repair what `fail` broke."""
        self._path.set_failure(None)

    def push_second_note(self) -> None:
        """Hold a second note at the mouth: PAUSE."""
        self._path.put_second_note(True)

    def take_second_note(self) -> None:
        """Take the second note away."""
        self._path.put_second_note(False)

    def cut_power(self) -> None:
        """Take the power away: what the unit was told is lost, notes stay where they are."""
        if self.powered:
            self.powered = False
            self._boot_due = None
            self._decoder = Decoder()
            self._outbound.clear()
            self._path.forget()
            self._path.power_up()

    def restore_power(self) -> None:
        """Give the power back; the unit is silent while it boots, then shows a power-up status until RESET."""
        if not self.powered:
            self.powered = True
            self._boot_due = self._now + self.unit.speeds.boot_ms * MS

    def _on(self) -> bool:
        return self.powered and self._boot_due is None

    # --- scripted faults ----------------------------------------------------------------------------------------

    def lose_replies(self, count: int) -> None:
        """Carry out the next `count` requests that have a reply, and lose the replies."""
        self._lose = count

    def garble_replies(self, count: int) -> None:
        """Flip one bit in each of the next `count` replies."""
        self._garble = count

    def mute(self, on: bool = True) -> None:
        """Hear and act, but say nothing."""
        self._mute = on

    def repeat_escrow(self) -> None:
        """Fall back to ESCROW once after the next stack command: the same note is reported twice."""
        self._path.escrow_again = True

    def lose_acks(self, count: int) -> None:
        """Miss the next `count` ACKs of VEND VALID, so that it is repeated."""
        self._lose_acks = count

    def stack_by_itself(self) -> bool:
        """Stack the note in escrow without being told to; False where none is there."""
        if not self._on() or self._path.stage not in (DeviceStatus.ESCROW, DeviceStatus.HOLDING):
            return False
        self._path.stack()
        return True

    def answer_unknown(self, code: int, count: int = 1) -> None:
        """Answer the next `count` polls with a code that no table holds."""
        self._unknown += [code] * count

    def reject_next(self, reason: int) -> None:
        """Find the next note bad, with an ID003 reject reason."""
        self._path.reject_next = reason
