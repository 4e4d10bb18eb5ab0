"""The device role of CCNET: a whole simulated bill validator, sans-I/O (CCNET sheet).

Bytes and the time come in by `received` and `tick`, bytes go out by `take_outbound`; `deadline` tells when `tick` is
wanted.  Each good command is answered once: with data, with ACK, or with ILLEGAL COMMAND where the state does not allow
it.  A host's ACK gets no answer, a host's NAK brings the last data reply again, a damaged command for this address is
answered with NAK, a frame for another address with nothing (§2, §3).

BILL STACKED and BILL RETURNED are kept until the ACK that follows *the very reply that carried them*: an ACK with
anything else between, or behind a reply that showed something else, confirms nothing (§3).

People's hands are methods (`insert`, `jam`, `cut_power` …); a hand acts at the time last told, so a player calls
`tick(now)` first.  Scripted faults (`lose_replies`, `lose_acks` …) misbehave on purpose.  `cashbox`, `returned` and
`inside` are the observable truth: they are kept across power cuts and nothing on the wire can touch them.
"""

from __future__ import annotations

from kiosk.errors import SimulatorError
from kiosk.protocols.ccnet.codes import ACKED_COMMANDS, DeviceState, HostCommand, host_command
from kiosk.protocols.ccnet.device_answers import ILLEGAL, Answers
from kiosk.protocols.ccnet.device_hands import HandledNotePath
from kiosk.protocols.ccnet.device_path import MS
from kiosk.protocols.ccnet.frames import Decoder, Frame, FrameFault, encode
from kiosk.protocols.ccnet.units import USD_UNIT, Unit

_NAK = bytes((DeviceState.NAK,))
_S = DeviceState
#: State → where the unit stands, in words that every protocol has; trouble is "fault", the start is "starting".
_STAGES = {
    _S.IDLING: "idle", _S.UNIT_DISABLED: "inhibited", _S.ACCEPTING: "accepting", _S.ESCROW_POSITION: "escrow",
    _S.HOLDING: "escrow", _S.STACKING: "stacking", _S.BILL_STACKED: "credit", _S.RETURNING: "returning",
    _S.BILL_RETURNED: "returning", _S.REJECTING: "rejecting",
}  # fmt: skip


class CcnetDevice:
    """One bill validator on one line.  Owns the wire and the power; the note path owns notes and stages."""

    def __init__(self, unit: Unit = USD_UNIT, *, powered: bool = True) -> None:
        self.unit = unit
        self.powered = powered
        #: What the unit heard and said, counted: ``frames``, ``faults``, ``replies``, ``refused``, ``lost``.
        self.counters: dict[str, int] = {"frames": 0, "faults": 0, "replies": 0, "refused": 0, "lost": 0}
        self._path = HandledNotePath(unit)
        self._answers = Answers(unit, self._path)
        self._decoder = Decoder()
        self._now = 0
        self._heard_at = 0
        self._boot_due: int | None = None
        self._outbound: list[bytes] = []
        #: The last data reply, for a NAK; the next frame may confirm the event that it carried.
        self._last_data = b""
        self._confirmable = False
        self._lose = 0
        self._garble = 0
        self._garbled = 0
        self._lose_acks = 0
        self._mute = False
        self._unknown: list[int] = []

    # --- the observable truth ---------------------------------------------------------------------------------------

    @property
    def currency(self) -> str:
        """ISO 4217 code of the unit's note set."""
        return self.unit.currency

    @property
    def values(self) -> tuple[int, ...]:
        """Minor values of the notes the unit knows, ascending."""
        return tuple(sorted(self.unit.minor(slot) for slot in self.unit.slots))

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
    def state(self) -> DeviceState | None:
        """What a poll would see now; None without power and while the unit boots."""
        return self._path.shown()[0] if self._on() else None

    @property
    def shown(self) -> str:
        """What the unit shows now, in one or two words for people."""
        return "no power" if self.state is None else self.state.name.lower().replace("_", " ")

    @property
    def stage(self) -> str:
        """Where the unit stands now, in words that every protocol has."""
        if not self.powered:
            return "off"
        if self.state is None or self._path.starting:
            return "starting"
        return _STAGES.get(self.state, "fault")

    @property
    def can_insert(self) -> bool:
        """Tell whether the unit would draw a note in now."""
        return self._on() and self._path.free

    # --- bytes and time ---------------------------------------------------------------------------------------------

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the host, split anywhere."""
        self.tick(now)
        if self._on():
            self._heard_at = self._now
            self._take(self._decoder.feed(data))

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
        self._path.advance(self._now)
        if self._decoder.pending and self._now - self._heard_at >= self.unit.speeds.inter_byte_ms * MS:
            self._take(self._decoder.abandon())

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

    # --- frames -----------------------------------------------------------------------------------------------------

    def _take(self, items: list[Frame | FrameFault]) -> None:
        for item in items:
            if isinstance(item, FrameFault):
                self.counters["faults"] += 1
                if item.address == self.unit.address and self.unit.naks_damaged:
                    self._confirmable = False
                    self._say(_NAK)
            elif item.address == self.unit.address:
                self.counters["frames"] += 1
                self._hear(item)

    def _hear(self, frame: Frame) -> None:
        command, data = host_command(frame.code), frame.data[1:]
        confirmable, self._confirmable = self._confirmable, False
        if command is HostCommand.ACK:
            if confirmable and self._lose_acks and self._path.pending:
                self._lose_acks -= 1
            elif confirmable:
                self._path.acknowledge()
        elif command is HostCommand.NAK:
            if self._last_data and self.unit.resends_on_nak:
                self._confirmable = confirmable
                self._say(self._last_data)
        elif not self._answers.legal(command, data):
            self._refuse()
        elif isinstance(command, HostCommand) and command in ACKED_COMMANDS:
            answer = self._answers.obey(command, data)
            self._last_data = b""
            self.counters["refused"] += int(answer == ILLEGAL)
            self._say(answer)
        elif isinstance(command, HostCommand):
            self._tell(command)

    def _tell(self, command: HostCommand) -> None:
        """Answer with data; an event among them can be confirmed by the very next frame."""
        polled = command is HostCommand.POLL
        if polled and self._unknown:
            self._last_data = bytes((self._unknown.pop(0),))
        else:
            self._last_data = self._answers.data(command)
            self._confirmable = polled and self._path.pending and self._path.level is None
        self._say(self._last_data)

    def _refuse(self) -> None:
        self._last_data = b""
        self.counters["refused"] += 1
        self._say(ILLEGAL)

    def _say(self, data: bytes) -> None:
        raw = encode(data, self.unit.address)
        if self._mute or self._lose:
            self._lose = max(self._lose - 1, 0)
            self._confirmable = False  # nobody can confirm what nobody heard
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

    # --- people's hands ---------------------------------------------------------------------------------------------

    def insert(self, minor_value: int, *, force: bool = False) -> bool:
        """Feed a note; False where the unit does not take it.  `force` pushes it into a unit that is inhibited."""
        return self._on() and self._path.insert(minor_value, force)

    def insert_ticket(self, barcode: str) -> bool:
        """Feed a barcode coupon, which is no money; False where the unit does not take it."""
        return self._on() and self._path.insert(0, False, barcode.encode("ascii", "replace")[:24])

    def pull_back(self) -> bool:
        """Pull the note out, or take it from the mouth; False once it cannot come back."""
        return self._path.pull_back(self._on())

    def take_rejected(self) -> bool:
        """Take the rejected note, now or as soon as it lies at the mouth; False where none comes."""
        return self._path.take_rejected() if self._on() else self._path.pull_back(False)

    def reject_next(self, reason: int = 0x66) -> None:
        """Find the next note bad, for a reason of the sheet's §6."""
        self._path.reject_next = reason & 0xFF

    def jam(self, where: str) -> None:
        """Block the path in the ``acceptor`` or in the ``stacker``."""
        if where not in ("acceptor", "stacker"):
            raise SimulatorError(f"there is no {where[:40]!r} to jam", hint="jam the acceptor or the stacker")
        self._path.jam(where)

    def clear_jam(self, outcome: str | None = None) -> None:
        """Open the path.  A note that can still come back is ``return``ed, ``stack``ed (only if it was stacking) or
        ``take``n out by hand; without `outcome` as `after_fault` says."""
        if outcome not in (None, "return", "stack", "take"):
            raise SimulatorError(f"a jam cannot end as {outcome[:40]!r}", hint="say return, stack or take")
        self._path.clear_jam(outcome or self._path.after_fault)

    def after_fault(self, outcome: str) -> None:
        """Say what becomes of a stacking note that a fault stopped: ``return`` or ``stack``."""
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
        """Break something inside, with a failure code of the sheet's §6; stays until `mend`."""
        self._path.set_failure(code & 0xFF)

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
            self._last_data, self._confirmable = b"", False
            self._answers.options = self.unit.options
            self._path.forget()
            self._path.power_up()

    def restore_power(self) -> None:
        """Give the power back; the unit is silent while it boots, then shows a power-up state until RESET."""
        if not self.powered:
            self.powered = True
            self._boot_due = self._now + self.unit.speeds.boot_ms * MS

    def _on(self) -> bool:
        return self.powered and self._boot_due is None

    # --- scripted faults --------------------------------------------------------------------------------------------

    def lose_replies(self, count: int) -> None:
        """Carry out the next `count` commands that have a reply, and lose the replies."""
        self._lose = count

    def garble_replies(self, count: int) -> None:
        """Flip one bit in each of the next `count` replies."""
        self._garble = count

    def mute(self, on: bool = True) -> None:
        """Hear and act, but say nothing."""
        self._mute = on

    def lose_acks(self, count: int) -> None:
        """Miss the next `count` ACKs of an event, so that it is told again."""
        self._lose_acks = count

    def show_unknown(self, code: int) -> None:
        """Answer the next poll with a code of no table."""
        self._unknown.append(code & 0xFF)

    def stack_by_itself(self) -> bool:
        """Stack the note in escrow without being told to; False where none is there."""
        if not self._on() or self._path.escrowed is None:
            return False
        self._path.stack()
        return True
