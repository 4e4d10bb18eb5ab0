"""The line to one printer: who it is, how it is, whether its queue is settled, whether a slip waits in its mouth.

Everything that is known of the printer without a job.  Questions are written between commands only; what the answers
mean for a job is left to whoever prints: `received`, `reply` and `tick` hand out what concerns it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

import msgspec

from kiosk.model.device_events import DeviceEvent, DeviceState, Identified, ProtocolFault
from kiosk.protocols.escpos import commands, condition
from kiosk.protocols.escpos.look import Look
from kiosk.protocols.escpos.presenter import PresenterWatch
from kiosk.protocols.escpos.profile import Profile
from kiosk.protocols.escpos.settling import Settling
from kiosk.protocols.escpos.status import Answer, Automatic, Block, Flow, Queued, Raw, RealTime, StatusReader
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
        self._strays = bytearray()
        self._identified = False
        self.unsettle()

    # --- what is known --------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The printer's state; one that answers its status but takes no commands is unknown."""
        mute = self._look.state in condition.PRINTABLE and self._settling.mute
        return "unknown" if mute else self._look.state

    @property
    def settled(self) -> bool:
        """No answer to an older question is on its way."""
        return self._settling.settled

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
            return [self._finish(condition.from_port_status(answer), answer[:4], now, "")]
        self._events.append(ProtocolFault("unexpected", "a late reply of the port", answer[:4].hex()))
        return []

    def tick(self, now: int) -> list[Looked]:
        """Let every wait end that is over."""
        looked: list[Looked] = []
        if self._look.overdue(now):
            self._strays += self._reader.reset()
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

    def ask(self, now: int, *, printing: bool, idle: bool) -> None:
        """Write the questions that are due; `printing`: a job has begun, `idle`: there is none at all."""
        if not self.is_open:
            return
        if self._look.state in condition.PRINTABLE and not printing and self._settling.wanted(now):
            self.write(self._settling.begin(now, identify=not self._identified))
        mouth = self._mouth
        if self._look.wanted(now) and (mouth is None or mouth.asked is None):
            self._look.begin(now)
            if self.readable:
                self.write(commands.ASK_ALL_STATUS)
            else:
                self._requests += 1
                question = struct.pack("<BBHHH", 0xA1, 0x01, 0, self._interface << 8, 1)  # GET_PORT_STATUS, sheet §1.8
                self.outbound.append(ClassRequest(self._requests, question))
        elif mouth is not None and idle and self._look.asked is None and mouth.wanted(now):
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
        self._settling.settled = not self.readable
        self._mouth: PresenterWatch | None = None

    def clear_buffers(self) -> None:
        """Clear what the printer still holds, if it can."""
        clear = {"realtime": commands.CLEAR_BUFFERS, "recover": commands.RECOVER_CLEAR}
        if self.is_open and self._profile.clear_buffer in clear:
            self.write(clear[self._profile.clear_buffer])

    def follow_slip(self, now: int) -> None:
        """A slip was shown in the presenter's mouth, if there is one."""
        if self._profile.presenter == "custom":
            self._mouth = PresenterWatch(now, self._profile.retract_after_ms * _MS)

    def leave_slip(self) -> None:
        """The next slip pushes the last one out; nobody follows it any longer."""
        self._mouth = None

    def stray(self, data: bytes) -> None:
        """Count bytes that answer no question; told with the next look."""
        self._strays += data

    def deadline(self, *, idle: bool) -> int | None:
        """When `tick` or `ask` is wanted."""
        if not self.is_open:
            return None
        waits = [self._settling.deadline()]
        mouth_asked = self._mouth is not None and self._mouth.asked is not None
        if self._look.asked is not None or not mouth_asked:
            waits.append(self._look.deadline())
        if self._mouth is not None and (mouth_asked or (idle and self._look.asked is None)):
            waits.append(self._mouth.deadline())
        return min((wait for wait in waits if wait is not None), default=None)

    # --- answers --------------------------------------------------------------------------------------------------

    def _answered(self, answer: Answer, now: int) -> list[Concern]:
        match answer:
            case RealTime() if self._look.asked is not None:
                return self._real_time(answer.byte, now)
            case Flow(go=go):
                self.go = go
            case Automatic():  # turned off while settling; where it comes all the same it only asks for a look
                self.hasten(now + _BREATH)
            case Queued():
                return [] if self._settling.queued(now) else [answer]
            case Block(head=0x5F, body=body) if self._settling.text(body):
                pass
            case Block(head=0x37, body=b"\x25"):
                pass  # the buffers were cleared, as asked
            case Block():
                return [answer]
            case Raw(byte=byte):
                self._mouth_told(byte, now)
            case RealTime(byte=byte):
                self.stray(bytes([byte]))
            case _:
                self.stray(answer.data)
        return []

    def _real_time(self, byte: int, now: int) -> list[Concern]:
        if not self._look.take(byte):
            return []
        answers = bytes(self._look.answers)
        state = condition.from_real_time(
            answers,
            mechanical_harmless=self._profile.mechanical_harmless,
            near_end_sensor=self._profile.near_end_sensor,
        )
        return [self._finish(state, answers, now, "")]

    def _finish(self, state: str, raw: bytes, now: int, detail: str) -> Looked:
        asked = self._look.finish(state, now)
        if self._strays:
            told = f"{len(self._strays)} bytes that answer no question"
            self._events.append(ProtocolFault("unexpected", told, bytes(self._strays[:16]).hex()))
            self._strays.clear()
        if state not in condition.PRINTABLE:
            self._settling.excuse()
        self._show(raw, detail)
        return Looked(self.state, asked)

    def _show(self, raw: bytes, detail: str) -> None:
        state = self.state
        if self._settling.mute:
            detail = detail or "it does not answer 1D 72 01"
        elif self._mouth is not None:
            detail = detail or f"slip {self._mouth.slip}"
            if self._mouth.slip == "jammed" and state in condition.PRINTABLE:
                state, detail = "fatal", "the presenter is jammed"
        if self._reported != (state, detail) or self._report_again:
            self._reported, self._report_again = (state, detail), False
            self._events.append(DeviceState(state, condition.SEVERITY[state], raw.hex(), detail))

    def _introduce(self) -> None:
        """Tell who the printer is, once in one opening, when its queue has settled."""
        if self.settled and not self._identified and self._settling.texts:
            self._identified = True
            firmware, maker, model = (*(text.decode("ascii") for text in self._settling.texts), "", "", "")[:3]
            self._events.append(Identified(model=model, firmware=firmware, detail=maker))

    def _mouth_told(self, byte: int, now: int) -> None:
        if self._mouth is None:
            return
        if self._mouth.told(byte, now):
            self.write(commands.PRESENTER_RETRACT)
        self._show(bytes([byte]), "")
        if self._mouth.over:
            self._mouth = None
