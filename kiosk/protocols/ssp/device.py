"""The device role of SSP: a whole simulated note validator, sans-I/O (SSP sheet).

Bytes and the time come in by `received` and `tick`, bytes go out by `take_outbound`; `deadline` tells when `tick`
is wanted.  It answers each good packet of its address once; a packet with the flag of the last one is not carried out
again, its answer goes out once more byte for byte; a bad CRC, a foreign address and a broken packet get silence.  Sync
is always carried out, and flag 0 is expected behind it (sheet §3).

People's hands are methods (`insert`, `jam`, `cut_power` …); a hand acts at the time last told, so a player calls
`tick(now)` first.  `cashbox`, `returned` and `inside` are the observable truth: they are kept across power cuts and
nothing on the wire can touch them.
"""

from __future__ import annotations

from kiosk.errors import SimulatorError
from kiosk.protocols.ssp.codes import Command, EventCode, Response
from kiosk.protocols.ssp.crypto import STEX, Randomness
from kiosk.protocols.ssp.device_answers import Answers
from kiosk.protocols.ssp.device_hands import HandledNotePath
from kiosk.protocols.ssp.device_path import MS, Place, Stage
from kiosk.protocols.ssp.device_session import Session
from kiosk.protocols.ssp.frames import Decoder, Frame, FrameFault, encode
from kiosk.protocols.ssp.units import USD_UNIT, SspUnit

_STAGES = {
    Stage.STARTING: "starting",
    Stage.SCANNING: "accepting",
    Stage.ESCROW: "escrow",
    Stage.RETURNING: "returning",
    Stage.REJECTING: "rejecting",
}


class SspDevice:
    """One validator on one line.  Owns the wire and the power; the note path owns notes and stages."""

    def __init__(self, unit: SspUnit = USD_UNIT, *, powered: bool = True, entropy: bytes = b"a unit") -> None:
        self.unit = unit
        self.powered = powered
        #: What the unit heard and said, counted; ``replayed`` are answers that went out once more.
        self.counters: dict[str, int] = {
            "frames": 0, "faults": 0, "replies": 0, "refused": 0, "lost": 0, "replayed": 0, "ignored": 0,
        }  # fmt: skip
        self._path = HandledNotePath(unit)
        self._session = Session(unit, Randomness(entropy))
        self._answers = Answers(unit, self._path, self._session)
        self._decoder = Decoder()
        self._now = 0
        self._boot_due: int | None = None
        self._outbound: list[bytes] = []
        self._flag: int | None = None
        self._last_reply = b""
        self._lose = self._garble = self._garbled = self._lose_acks = self._truncate = 0
        self._mute = False
        self._scripted: list[int] = []
        if powered:
            self._path.power_up()

    # --- the observable truth -----------------------------------------------------------------------------------------

    @property
    def currency(self) -> str:
        """ISO 4217 code of the unit's note set."""
        return self.unit.currency

    @property
    def values(self) -> tuple[int, ...]:
        """Minor values of the notes the unit knows, ascending."""
        return tuple(sorted(self.unit.values))

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
        if self._boot_due is not None:
            return "starting"
        if path.stopped or path.full or self._session.dead:
            return "fault"
        if any(code == EventCode.CREDIT for code, _ in (*path.pending, *self._answers.held)):
            return "credit"
        if path.stage is Stage.STACKING:
            return "credit" if path.note is not None and path.note.place is Place.PAST else "stacking"
        if path.stage is Stage.READY:
            return "idle" if path.enabled and any(path.mask) else "inhibited"
        return _STAGES[path.stage]

    @property
    def shown(self) -> str:
        """What the unit shows now, for people."""
        path = self._path
        trouble = (
            ("no power", not self.powered),
            (f"jam in the {path.jammed}", bool(path.jammed)),
            ("cash box out", not path.box_in),
            ("note path open", path.path_open),
            ("stacker full", path.full),
        )
        return next((words for words, there in trouble if there), self.stage)

    @property
    def can_insert(self) -> bool:
        """Tell whether the unit would draw a note in now."""
        return self._on() and self._path.takes

    # --- bytes and time -----------------------------------------------------------------------------------------------

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the host, split anywhere."""
        self.tick(now)
        if not self._on():
            return
        for item in self._decoder.feed(data):
            if isinstance(item, FrameFault):
                self.counters["faults"] += 1
            elif item.address != self.unit.address:
                self.counters["ignored"] += 1
            elif self._on():  # Reset restarts the unit, and the rest of the bytes find nobody
                self._take(item)

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

    def deadline(self) -> int | None:
        """Return when `tick` is wanted next; None for never."""
        if not self.powered:
            return None
        return self._path.deadline() if self._boot_due is None else self._boot_due

    def take_outbound(self) -> list[bytes]:
        """Hand over what is to be written, once."""
        outbound, self._outbound = self._outbound, []
        return outbound

    # --- packets ------------------------------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        self.counters["frames"] += 1
        code = frame.data[0]
        dead, sync = self._session.dead, code == Command.SYNC
        if dead and code != Command.RESET:
            return
        if not (sync or dead) and frame.flag == self._flag and self._last_reply:
            self.counters["replayed"] += 1
            self._path.heard()
            self._send(self._last_reply)
            return
        sealed = code == STEX
        command: bytes | None = frame.data
        if sealed and self._session.key is not None:
            command = self._session.unseal(frame.data)
        elif sealed:
            command = None if self.unit.sealed_without_key == "silence" else b""
        if command is None:
            self.counters["ignored"] += 1
            return
        if command[:1] == bytes((Command.EVENT_ACK,)) and self._lose_acks and self._answers.held:
            self._lose_acks -= 1
            return
        self._flag = 1 if sync else frame.flag
        self._last_reply = encode(frame.address, frame.flag, self._reply(command, sealed))
        self._send(self._last_reply)
        if self._answers.restart:
            self._restart()

    def _reply(self, command: bytes, sealed: bool) -> bytes:
        if not command:
            return bytes((Response.KEY_NOT_SET,))
        reply = bytes((self._scripted.pop(0),)) if self._scripted else self._answers.answer(command, sealed)
        self.counters["refused"] += reply[0] != Response.OK
        polled = command[0] in (Command.POLL, Command.POLL_WITH_ACK)
        credit = polled and any(code == EventCode.CREDIT for code in reply[1:])
        return self._session.seal(reply) if sealed or (credit and self.unit.seals_credits) else reply

    def _send(self, raw: bytes) -> None:
        if self._mute or self._lose:
            self._lose = max(self._lose - 1, 0)
            self.counters["lost"] += 1
            return
        if self._garble:
            self._garble -= 1
            bad = bytearray(raw)
            bad[1 + self._garbled % (len(bad) - 1)] ^= 0x10  # one bit, at another place each time
            self._garbled += 1
            raw = bytes(bad)
        if self._truncate:
            self._truncate -= 1
            raw = raw[: len(raw) // 2]
        self.counters["replies"] += 1
        self._outbound.append(raw)

    def _restart(self) -> None:
        """Reset: a full restart; encryption and volatile settings are lost."""
        self._forget()
        self._boot_due = self._now + self.unit.speeds.boot_ms * MS

    def _forget(self) -> None:
        self._decoder = Decoder()
        self._flag, self._last_reply = None, b""
        self._answers.forget()

    # --- people's hands -----------------------------------------------------------------------------------------------

    def insert(self, minor_value: int, *, force: bool = False) -> bool:
        """Feed a note; False where the unit does not take it.  `force` pushes it into a unit that is inhibited."""
        return self._on() and self._path.insert(minor_value, force)

    def insert_ticket(self, barcode: str) -> bool:
        """Feed a barcode ticket, which is no money; False where the unit does not take it."""
        return self._on() and self._path.insert(0, False, barcode.encode("ascii", "replace")[:24])

    def pull_back(self) -> bool:
        """Pull the note out, or take it from the mouth; False once it is past the point of return."""
        return self._path.pull_back(self._on())

    def take_rejected(self) -> bool:
        """Take the rejected note, now or as soon as it lies at the mouth; False where none comes."""
        return self._path.take_rejected() if self._on() else self._path.pull_back(False)

    def jam(self, where: str) -> None:
        """Block the path in the ``acceptor`` (unsafe jam) or in the ``stacker`` (safe jam)."""
        if where not in ("acceptor", "stacker"):
            raise SimulatorError(f"there is no {where[:40]!r} to jam", hint="jam the acceptor or the stacker")
        self._path.jam(where)

    def clear_jam(self, outcome: str | None = None) -> None:
        """Open the path.  A stacking note that can still come back is then ``return``ed or ``stack``ed by the unit, or
        ``take``n out by hand; without `outcome` as `after_fault` says."""
        self._path.clear_jam(outcome or self._path.after_fault)

    def after_fault(self, outcome: str) -> None:
        """Say what becomes of a stacking note that a fault or a power cut stopped: ``return`` or ``stack``."""
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
        self._path.fill()

    def open_path(self) -> None:
        """Open the note path, as staff does."""
        self._path.open_path(True)

    def close_path(self) -> None:
        """Close the note path again."""
        self._path.open_path(False)

    def cheat(self) -> None:
        """Manipulate the note and be caught; a note that can come out does."""
        if self._on():
            self._path.cheat()

    def cut_power(self) -> None:
        """Take the power away: what the unit was told is lost, notes stay where they are."""
        if self.powered:
            self.powered = False
            self._boot_due = None
            self._outbound.clear()
            self._forget()

    def restore_power(self) -> None:
        """Give the power back; the unit is silent while it boots, then tells Slave Reset."""
        if not self.powered:
            self.powered = True
            self._boot_due = self._now + self.unit.speeds.boot_ms * MS

    def _on(self) -> bool:
        return self.powered and self._boot_due is None

    # --- scripted faults ----------------------------------------------------------------------------------------------

    def lose_replies(self, count: int) -> None:
        """Carry out the next `count` requests that have a reply, and lose the replies."""
        self._lose = count

    def garble_replies(self, count: int) -> None:
        """Flip one bit in each of the next `count` replies."""
        self._garble = count

    def truncate_replies(self, count: int) -> None:
        """Break each of the next `count` replies off in the middle."""
        self._truncate = count

    def mute(self, on: bool = True) -> None:
        """Hear and act, but say nothing."""
        self._mute = on

    def lose_acks(self, count: int) -> None:
        """Do not hear the next `count` Event Acks, so that the credit is told again."""
        self._lose_acks = count

    def stack_by_itself(self) -> bool:
        """Stack the note in escrow without being told to; False where none is there."""
        if not self._on() or self._path.stage is not Stage.ESCROW:
            return False
        self._path.accept()
        return True

    def answer_next(self, response: int, count: int = 1) -> None:
        """Answer the next `count` new commands with a generic response, and carry nothing out."""
        self._scripted += [response] * count

    def tell_event(self, code: int, data: bytes = b"") -> None:
        """Put an event of any kind into the next poll reply."""
        self._path.tell(code, *data)

    def reject_next(self, code: int) -> None:
        """Find the next note bad, with a last reject code."""
        self._path.reject_next = code
