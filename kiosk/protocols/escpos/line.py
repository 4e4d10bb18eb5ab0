"""The line to one printer: who it is, how it is, whether its queue is settled, whether a slip waits in its mouth.

Everything that is known of the printer without a job.  Questions are written between commands only; what the answers
mean for a job is left to whoever prints: `received`, `reply` and `tick` hand out what concerns it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

import msgspec

from kiosk.model.device_events import DeviceEvent, DeviceState, Identified, ProtocolFault, SlipPresented
from kiosk.protocols.escpos import commands, condition
from kiosk.protocols.escpos.look import Look
from kiosk.protocols.escpos.presenter import ERROR, IN_MOUTH, JAM, PresenterWatch
from kiosk.protocols.escpos.profile import Profile
from kiosk.protocols.escpos.settling import Settling
from kiosk.protocols.escpos.status import Answer, Automatic, Block, Flow, Full, Queued, Raw, RealTime, StatusReader
from kiosk.protocols.escpos.written import Written

_MS = 1_000_000
#: Never look more often than this, whatever the line says.
_BREATH = 100 * _MS


class Looked(msgspec.Struct, frozen=True):
    """A look at the printer has ended."""

    state: str
    #: When its questions went out; None where the line failed instead.
    asked: int | None


class ClassRequest(msgspec.Struct, frozen=True):
    """A USB control IN request to be made: bmRequestType, bRequest, wValue, wIndex, wLength, little-endian."""

    id: int
    data: bytes


Concern = Looked | Queued | Block
#: Bytes that answer no question, of which so many are told; the rest is only counted.
_STRAYS_KEPT = 16


class PrinterLine:
    """Owns all questions and what they told; owns no job.  Reports to `events`, writes to `outbound`."""

    def __init__(self, profile: Profile, poll: int, events: list[DeviceEvent]) -> None:
        """Prepare for a printer of `profile`, looked at every `poll` nanoseconds."""
        self.outbound: list[bytes | ClassRequest] = []
        self.is_open = False
        self._profile = profile
        self._poll = poll
        self._events = events
        self._reported: tuple[str, str] | None = None
        self._report_again = False
        self._requests = 0
        self._mouth: PresenterWatch | None = None
        self._begin({}, 0)

    def _begin(self, facts: Mapping[str, str], now: int) -> None:
        """Forget everything that belongs to one opening of the line."""
        self.outbound.clear()
        #: XON: the printer takes bytes.
        self.go = True
        self.readable = facts.get("in_endpoint", "yes") != "no"
        self.written = Written()
        self._interface = int(facts["interface"]) if facts.get("interface", "").isdecimal() else 0
        self._reader = StatusReader()
        self._look = Look(now, self._poll)
        self._strays, self._stray_count = b"", 0
        self._identified = False
        self.leave_slip("unknown")
        self.unsettle()

    # --- what is known --------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The printer's state; one that answers its status but takes no commands is unknown."""
        seen = self._look.state
        if seen in condition.PRINTABLE and self._jammed:
            return "fatal"
        return "unknown" if seen in condition.PRINTABLE and self._settling.mute else seen

    @property
    def _jammed(self) -> bool:
        return self._mouth is not None and self._mouth.slip == "jammed"

    @property
    def settled(self) -> bool:
        """No answer to an older question is on its way, and no slip is in the way of the next one."""
        return self._settling.settled and not (self._mouth is not None and self._mouth.in_the_way)

    def fresh(self, now: int, age: int) -> bool:
        """Tell whether a job may begin on what was seen at most `age` nanoseconds ago."""
        seen = self._look.looked_at
        return self.settled and self.state in condition.PRINTABLE and seen is not None and now - seen <= age

    # --- what happens to it ---------------------------------------------------------------------------------------

    def opened(self, facts: Mapping[str, str], now: int) -> None:
        """The byte path is open; what an earlier life left in the printer must not print."""
        self._begin(facts, now)
        self.is_open = True
        if self._profile.clear_buffer == "realtime":
            self.write(commands.CLEAR_BUFFERS)

    def lost(self, reason: str, now: int) -> None:
        """The byte path is gone."""
        self.is_open = False
        self._begin({}, now)
        self._show(b"", f"the line is gone: {reason[:80]}" if reason else "the line is gone")

    def stuck(self, now: int) -> list[Looked]:
        """The line took no more bytes in time; what had not left was dropped."""
        self.unsettle()
        return [self._finish("unknown", bytes(self._look.answers), now, "the line takes no bytes")]

    def received(self, data: bytes, now: int) -> Iterator[Concern]:
        """Take bytes; hand out one by one what concerns a job: a finished look, an answer that may be a barrier's."""
        for answer in self._reader.feed(data):
            yield from self._answered(answer, now)

    def reply(self, number: int, answer: bytes, now: int) -> list[Looked]:
        """Take the answer to a `ClassRequest`; empty where the port could not ask."""
        if number == self._requests and self._look.asked is not None:
            state = condition.from_port_status(answer) if self._profile.class_status else "unknown"
            return [self._finish(state, answer[:4], now, "")]
        self._events.append(ProtocolFault("unexpected", "a late reply of the port", answer[:4].hex()))
        return []

    def tick(self, now: int) -> list[Looked]:
        """Let every wait end that is over."""
        looked: list[Looked] = []
        if self._look.overdue(now):
            self.stray(self._reader.reset())
            answers = bytes(self._look.answers)
            if self._look.state != "unknown":
                self._events.append(ProtocolFault("timeout", "no whole status within 2 s", answers.hex()))
            looked.append(self._finish("unknown", answers, now, "no answer"))
        if self._mouth is not None and self._mouth.overdue(now):
            self._reader.reset()
            self._events.append(ProtocolFault("timeout", "no presenter status within 2 s"))
        if self._settling.tick(now):
            self._introduce()
            self.hasten(now)
        return looked

    # --- what it is asked -----------------------------------------------------------------------------------------

    def ask(self, now: int, *, printing: bool, wanted: bool) -> None:
        """Write the questions that are due; `printing`: a job has begun, `wanted`: one waits for its turn."""
        if not self.is_open:
            return
        if wanted and self._mouth is not None:
            self._mouth.hurry(now)
        if self._look.state in condition.PRINTABLE and not printing and self._settling.wanted(now):
            self.write(self._settling.begin(now, identify=not self._identified))
        mouth = self._mouth
        if self._look.wanted(now) and (mouth is None or mouth.asked is None):
            self._look.begin(now)
            if not self.readable:
                self._requests += 1
                question = struct.pack("<BBHHH", 0xA1, 0x01, 0, self._interface, 1)  # GET_PORT_STATUS, sheet §1.8
                self.outbound.append(ClassRequest(self._requests, question))
            elif self._profile.full_status == "custom":
                self._reader.expect_full()
                self.write(commands.ASK_ALL_STATUS + commands.CUSTOM_FULL_STATUS)
            else:
                self.write(commands.ASK_ALL_STATUS)
        elif self._mouth_asks and mouth is not None and not printing and self._look.asked is None and mouth.wanted(now):
            mouth.ask(now)
            self._reader.expect_raw()
            self.write(commands.PRESENTER_STATUS)

    def write(self, data: bytes, kind: str = "aside") -> None:
        """Write whole commands; kinds are those of `Written`."""
        self.outbound.append(data)
        self.written.add(kind, len(data))

    def hasten(self, when: int) -> None:
        """Look at the printer at `when` if the next look would come later."""
        self._look.hasten(when)

    def report_again(self, now: int) -> None:
        """Report the state with the next look, even if unchanged."""
        self._report_again = True
        self.hasten(now)
        if not self.is_open:
            self._show(b"", "the line is not open")

    def unsettle(self) -> None:
        """A job has ended with its barrier open: an answer may still come."""
        self._settling = Settling()
        self._settling.settled = not self.readable or self._profile.barrier == "none"

    def clear_buffers(self) -> None:
        """Clear what the printer still holds, if it can."""
        clear = {"realtime": commands.CLEAR_BUFFERS, "recover": commands.RECOVER_CLEAR}
        if self.is_open and self._profile.clear_buffer in clear:
            self.write(clear[self._profile.clear_buffer])

    def follow_slip(self, job: str, now: int) -> None:
        """The slip of `job` was shown in the presenter's mouth, if there is one."""
        profile = self._profile
        if profile.presenter == "custom" and self.readable:
            self._mouth = PresenterWatch(job, now, profile.retract_after_ms * _MS, profile.untaken)

    def leave_slip(self, outcome: str = "ejected") -> None:
        """Nobody follows the last slip any longer: the next one pushes it out, or the line is gone."""
        mouth, self._mouth = self._mouth, None
        if mouth is not None and (told := mouth.give_up(outcome)):
            self._events.append(SlipPresented(mouth.job, told))

    def stray(self, data: bytes) -> None:
        """Count bytes that answer no question, and keep the first of them; told with the next look."""
        self._stray_count += len(data)
        self._strays += data[: _STRAYS_KEPT - len(self._strays)]

    @property
    def _mouth_asks(self) -> bool:
        """The mouth is asked by itself; otherwise the full status tells of it."""
        return self._profile.full_status == "none"

    def deadline(self, *, printing: bool) -> int | None:
        """When `tick` or `ask` is wanted."""
        if not self.is_open:
            return None
        waits = [self._settling.deadline()]
        mouth_asked = self._mouth is not None and self._mouth.asked is not None
        if self._look.asked is not None or not mouth_asked:
            waits.append(self._look.deadline())
        free = not printing and self._look.asked is None and self._mouth_asks
        if self._mouth is not None and (mouth_asked or free):
            waits.append(self._mouth.deadline())
        return min((wait for wait in waits if wait is not None), default=None)

    # --- answers --------------------------------------------------------------------------------------------------

    def _answered(self, answer: Answer, now: int) -> list[Concern]:
        match answer:
            case RealTime() if self._look.asked is not None:
                if not self._look.answered:
                    self._look.answers.append(answer.byte)
                    return self._look_taken(now)
                self.stray(bytes([answer.byte]))
            case Full(data=data) if self._look.asked is not None:
                self._look.full = data
                return self._look_taken(now)
            case Flow(go=go):
                self.go = go
            case Automatic():  # turned off while settling; where it comes all the same it only asks for a look
                self.hasten(now + _BREATH)
            case Queued():
                self.go = True  # it has consumed everything: an XON that got lost must not hold it up for ever
                return [] if self._settling.queued(now) else [answer]
            case Block(head=0x5F, body=body) if self._settling.text(body):
                pass
            case Block(head=0x37, body=b"\x25"):
                pass  # the buffers were cleared, as asked
            case Block():
                return [answer]
            case Raw(byte=byte):
                self._mouth_told(bool(byte & IN_MOUTH), bool(byte & (JAM | ERROR)), now)
                self._show(bytes([byte]), "")
            case RealTime(byte=byte):
                self.stray(bytes([byte]))
            case _:
                self.stray(answer.data)
        return []

    def _look_taken(self, now: int) -> list[Concern]:
        """End the look if every answer is there."""
        profile, answers, full = self._profile, bytes(self._look.answers), self._look.full
        if not self._look.answered or (profile.full_status == "custom" and not full):
            return []
        state = condition.from_real_time(
            answers, mechanical_harmless=profile.mechanical_harmless, near_end_sensor=profile.near_end_sensor
        )
        if full:
            mask = profile.full_status_mask
            if not profile.near_end_sensor:
                mask &= ~(condition.FULL_NEAR_END << 24)
            state = condition.worse(state, condition.from_full_status(full, mask))
            jammed = bool(full[2] & mask >> 8 & condition.FULL_JAM)
            self._mouth_told(bool(full[0] & condition.FULL_IN_MOUTH), jammed, now)
        return [self._finish(state, answers + full, now, "")]

    def _finish(self, state: str, raw: bytes, now: int, detail: str) -> Looked:
        asked = self._look.finish(state, now)
        if self._stray_count:
            told = f"{self._stray_count} bytes that answer no question"
            self._events.append(ProtocolFault("unexpected", told, self._strays.hex()))
            self._strays, self._stray_count = b"", 0
        if state not in condition.PRINTABLE:
            self._settling.excuse()
        self._show(raw, detail)
        return Looked(self.state, asked)

    def _show(self, raw: bytes, detail: str) -> None:
        state = self.state
        if self._settling.mute:
            detail = detail or "it does not answer 1D 72 01"
        elif self._mouth is not None:
            detail = detail or ("the presenter is jammed" if self._jammed else f"slip {self._mouth.slip}")
        if self._reported != (state, detail) or self._report_again:
            self._reported, self._report_again = (state, detail), False
            self._events.append(DeviceState(state, condition.SEVERITY[state], raw.hex(), detail))

    def _introduce(self) -> None:
        """Tell who the printer is, once in one opening, when its queue has settled."""
        if self._settling.settled and not self._identified and self._settling.texts:
            self._identified = True
            firmware, maker, model = (*(text.decode("ascii") for text in self._settling.texts), "", "", "")[:3]
            self._events.append(Identified(model=model, firmware=firmware, detail=maker))

    def _mouth_told(self, in_mouth: bool, jammed: bool, now: int) -> None:
        mouth = self._mouth
        if mouth is None:
            return
        if mouth.told(in_mouth, jammed, now):
            retract = self._profile.untaken == "retract"
            self.write(commands.PRESENTER_RETRACT if retract else commands.PRESENTER_EJECT)
        if outcome := mouth.outcome():
            self._events.append(SlipPresented(mouth.job, outcome))
        if mouth.over:
            self._mouth = None
            self.hasten(now)
