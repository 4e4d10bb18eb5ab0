"""The device role of EBDS: a whole simulated acceptor, sans-I/O (EBDS sheet).

Bytes and the time come in by `received` and `tick`, bytes go out by `take_outbound`; `deadline` tells when `tick`
is wanted.  Each good frame is answered once and with its own toggle; a frame that repeats the last toggle is not
carried out but answered with the last reply again, whatever it holds (§3).  A new toggle acknowledges what the last
reply told, so an event is told in exactly one reply and in its repeats.  A bad frame, an echo and SOFT RESET get no
answer.

People's hands are methods (`insert`, `jam`, `cut_power` …); a hand acts at the time last told, so a player calls
`tick(now)` first.  Scripted faults (`lose_replies`, `lose_acks` …) misbehave on purpose.  `cashbox`, `returned` and
`inside` are the observable truth: they are kept across power cuts and nothing on the wire can touch them.
"""

from __future__ import annotations

from kiosk.errors import SimulatorError
from kiosk.protocols.ebds.codes import COMMAND_BYTES, ENQ, MessageType, Operation
from kiosk.protocols.ebds.device_answers import Answers
from kiosk.protocols.ebds.device_hands import HandledNotePath
from kiosk.protocols.ebds.device_note import Place, Stage
from kiosk.protocols.ebds.device_path import MS
from kiosk.protocols.ebds.frames import Decoder, Frame, FrameFault, encode
from kiosk.protocols.ebds.payloads import parse_command
from kiosk.protocols.ebds.units import USD_UNIT, Unit

_STAGES = {
    Stage.ACCEPTING: "accepting", Stage.ESCROWED: "escrow", Stage.HELD: "escrow", Stage.STACKING: "stacking",
    Stage.RETURNING: "returning", Stage.REJECTING: "rejecting",
}  # fmt: skip


class EbdsDevice:
    """One acceptor on one line.  Owns the wire and the power; the note path owns notes and stages."""

    def __init__(self, unit: Unit = USD_UNIT, *, powered: bool = True) -> None:
        self.unit = unit
        self.powered = powered
        #: What the unit heard and said, counted: ``frames``, ``faults``, ``replies``, ``repeats``, ``lost``.
        self.counters: dict[str, int] = {"frames": 0, "faults": 0, "replies": 0, "repeats": 0, "lost": 0}
        self._path = HandledNotePath(unit)
        self._answers = Answers(unit, self._path)
        self._decoder = Decoder()
        self._now = 0
        self._heard_at = 0
        self._boot_due: int | None = None
        self._outbound: list[bytes] = []
        #: Toggle of the last frame and the reply to it; None before the first one since power came.
        self._last: tuple[int, bytes] | None = None
        self._seen = b""
        self._lose = 0
        self._garble = 0
        self._garbled = 0
        self._lose_acks = 0
        self._mute = False
        self._path.power_up()

    # --- the observable truth ---------------------------------------------------------------------------------------

    @property
    def currency(self) -> str:
        """ISO 4217 code of the unit's note set."""
        return self.unit.currency

    @property
    def values(self) -> tuple[int, ...]:
        """Minor values of the notes the unit knows, ascending."""
        return tuple(sorted(self.unit.minor(row) for row in self.unit.rows))

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
    def stage(self) -> str:
        """Where the unit stands, in words that every protocol has."""
        path = self._path
        if not self.powered:
            return "off"
        if not self._on() or path.stage is Stage.POWER_UP:
            return "starting"
        if path.stopped or path.second_note or (path.full and path.resting):
            return "fault"
        if path.stage is not Stage.IDLE:
            return _STAGES[path.stage]
        if self.stacked_unacknowledged:
            return "credit"
        if path.note is not None:
            return "rejecting"
        if path.cheated_polls:
            return "fault"
        return "idle" if path.command.enabled else "inhibited"

    @property
    def shown(self) -> str:
        """What the unit shows now, in one or two words for people."""
        path = self._path
        if not self._on():
            return "no power"
        troubles = (
            (path.failed, "failure"), (path.stalled, "stalled"), (path.jammed, "jammed"),
            (not path.box_in, "cassette out"), (path.cheated_polls > 0, "cheated"), (path.second_note, "paused"),
            (path.full and path.stage is Stage.IDLE, "stacker full"),
            (path.stage is Stage.IDLE and not path.command.enabled, "disabled"),
        )  # fmt: skip
        return next((word for shows, word in troubles if shows), path.stage.value)

    @property
    def can_insert(self) -> bool:
        """Tell whether the unit would draw a note in now."""
        return self._on() and self._path.free and self._path.command.enabled > 0

    # --- bytes and time ---------------------------------------------------------------------------------------------

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the host, split anywhere."""
        self.tick(now)
        if not self._on():
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

    # --- frames -----------------------------------------------------------------------------------------------------

    def _take(self, items: list[Frame | FrameFault]) -> None:
        for item in items:
            if isinstance(item, FrameFault):
                self.counters["faults"] += 1
            elif self._on():  # a SOFT RESET before it left nobody to hear it
                self.counters["frames"] += 1
                self._hear(item)

    def _hear(self, frame: Frame) -> None:
        if frame.kind in (0, MessageType.REPLY) or frame.device:
            return  # an echo, or somebody else's
        last = self._last
        if last is not None and frame.toggle == last[0] and self.unit.repeats_on_equal_toggle:
            self.counters["repeats"] += 1
            self._say(last[1])
            return
        if self._lose_acks and last is not None and self._path.stacked_told:
            self._lose_acks -= 1
            self._say(last[1])
            return
        if last is not None:
            self._path.acknowledge()
        if self._answers.is_soft_reset(frame):
            self._restart()
            return
        kind, data = self._answer(frame)
        raw = encode(kind, frame.toggle, data)
        self._last = (frame.toggle, raw)
        self._say(raw)

    def _answer(self, frame: Frame) -> tuple[int, bytes]:
        answers = self._answers
        if frame.kind in (MessageType.COMMAND, MessageType.BOOKMARK):
            command = parse_command(frame.data)
            exact = len(frame.data) == COMMAND_BYTES or frame.kind == MessageType.BOOKMARK
            if command is None or not exact:
                return answers.refusal()
            obeyed = self._path.obey(command)
            return answers.report(invalid=not obeyed)
        if frame.kind == MessageType.AUXILIARY:
            return answers.query(frame.data)
        if frame.kind == MessageType.EXTENDED:
            return answers.extended(frame.data)
        return answers.refusal()

    def _say(self, raw: bytes) -> None:
        if self._mute or self._lose:
            self._lose = max(self._lose - 1, 0)
            self.counters["lost"] += 1
            return
        if self._garble:
            self._garble -= 1
            bad = bytearray(raw)
            bad[self._garbled % len(bad)] ^= 0x10  # one bit, at another place each time; the check always sees it
            self._garbled += 1
            raw = bytes(bad)
        self.counters["replies"] += 1
        self._outbound.append(raw)

    def _notice(self) -> None:
        """In the obsolete interrupt mode, say ENQ on each change (§4)."""
        seen = self._answers.status().data
        changed, self._seen = seen != self._seen, seen
        if changed and self._on() and self._path.command.operation & Operation.INTERRUPT and not self._mute:
            self._outbound.append(bytes((ENQ,)))

    # --- people's hands ---------------------------------------------------------------------------------------------

    def insert(self, minor_value: int, *, force: bool = False) -> bool:
        """Feed a note; False where the unit does not take it.  `force` pushes it into a unit that is inhibited."""
        return self._on() and self._path.insert(minor_value, force)

    def insert_ticket(self, barcode: str) -> bool:
        """Feed a barcode ticket, which is no money; False where the unit does not take it."""
        return self._on() and self._path.insert(0, False, barcode)

    def pull_back(self) -> bool:
        """Pull the note out, or take it from the mouth; False once it cannot come back."""
        return self._path.pull_back(self._on())

    def take_rejected(self) -> bool:
        """Take the rejected note, now or as soon as it lies at the mouth; False where none comes."""
        return self._path.take_rejected() if self._on() else self._path.pull_back(False)

    def jam(self, where: str) -> None:
        """Block the path in the ``acceptor`` or in the ``stacker``; EBDS has one bit for both."""
        if where not in ("acceptor", "stacker"):
            raise SimulatorError(f"there is no {where[:40]!r} to jam", hint="jam the acceptor or the stacker")
        self._path.set_jam()

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
        out = not self._path.box_in
        self._path.put_box(True, empty)
        if out and self.unit.power_up_at_cassette and self._on():
            self._forget()

    def fill_stacker(self) -> None:
        """Let the box be full, until an empty one is put in."""
        self._path.full = True

    def cheat(self) -> None:
        """Manipulate the note and be caught; a note that can come out does."""
        if self._on():
            self._path.cheat()

    def fail(self, on: bool = True) -> None:
        """Break something inside, or mend it."""
        self._path.set_trouble(failed=on)

    def stall(self, on: bool = True) -> None:
        """Let a motor stall, or free it."""
        self._path.set_trouble(stalled=on)

    def push_second_note(self) -> None:
        """Hold a second note at the mouth: paused."""
        self._path.second_note = True

    def take_second_note(self) -> None:
        """Take the second note away."""
        self._path.second_note = False

    def cut_power(self) -> None:
        """Take the power away: what the unit was told is lost, notes stay where they are."""
        if self.powered:
            self.powered = False
            self._boot_due = None
            self._outbound.clear()
            self._forget()

    def restore_power(self) -> None:
        """Give the power back; the unit is silent while it boots, then shows power up."""
        if not self.powered:
            self.powered = True
            self._boot_due = self._now + self.unit.speeds.boot_ms * MS

    def _restart(self) -> None:
        """SOFT RESET: no reply, then everything as after a power cut (§7)."""
        self._forget()
        self._boot_due = self._now + self.unit.speeds.boot_ms * MS

    def _forget(self) -> None:
        self._decoder, self._last = Decoder(), None
        self._path.forget()
        self._path.power_up()

    def _on(self) -> bool:
        return self.powered and self._boot_due is None

    # --- scripted faults --------------------------------------------------------------------------------------------

    def lose_replies(self, count: int) -> None:
        """Carry out the next `count` requests that have a reply, and lose the replies."""
        self._lose = count

    def garble_replies(self, count: int) -> None:
        """Flip one bit in each of the next `count` replies."""
        self._garble = count

    def mute(self, on: bool = True) -> None:
        """Hear and act, but say nothing."""
        self._mute = on

    def lose_acks(self, count: int) -> None:
        """Take the next `count` new toggles that would acknowledge a stacked event for old ones: it is told again."""
        self._lose_acks = count

    def stack_by_itself(self) -> bool:
        """Stack the note in escrow without being told to; False where none is there."""
        path = self._path
        if not self._on() or path.stopped or path.stage not in (Stage.ESCROWED, Stage.HELD):
            return False
        path.stack()
        return True

    def reject_next(self) -> None:
        """Find the next note bad."""
        self._path.reject_next = True

    @property
    def stacked_unacknowledged(self) -> bool:
        """Tell whether a note lies in the box whose stacked event no new toggle has acknowledged."""
        return self._path.note is not None and self._path.note.place is Place.BOX
