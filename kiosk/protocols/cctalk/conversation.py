"""What every ccTalk driver does alike: find its unit, learn who it is, notice that it fell silent, tell what it knows.

Theory of operation.  A driver owns one `Conversation`.  As long as the unit was not met, a simple poll goes out every
second; once that is answered the set-up runs: who are you (sheet §8, §9), then the steps of the driver.  A step that is
needed and fails ends the set-up with a reason, and it is tried again later; one that is not needed may stay silent, as
units do for headers they do not know (§2).  The category must be the right one, so that a hopper at a wrong address is
never driven as a coin acceptor.  Answers to anything else are the driver's.  After `device_lost_after` unanswered
requests in a row the unit counts as lost and is looked for again; what it told is then forgotten.

Events are collected here, in order, for all parts of a driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from kiosk.model.device_events import DeviceEvent, DeviceState, Identified, ProtocolFault
from kiosk.protocols.cctalk.frames import FrameFault, Framing
from kiosk.protocols.cctalk.headers import Header
from kiosk.protocols.cctalk.host import Answer, Heard, HostLine, Outcome, Stray
from kiosk.protocols.cctalk.options import MS, LineOptions
from kiosk.protocols.cctalk.payloads import number, text
from kiosk.protocols.cctalk.request import ACK, Request, Step

#: No answer, or a port that is gone.
UNKNOWN_STATE = ("unknown", "unknown")
#: The unit must not be used: it is another kind of unit, or its table is not ours.
MISCONFIGURED_STATE = ("misconfigured", "fault")
#: Tries for a question that a unit need not understand.
_OPTIONAL_TRIES = 2
#: Findings told in one call; the rest is counted.
_MAX_FAULTS_A_CALL = 8
_NS = 1_000_000_000


def pin_steps(pin: str) -> list[Step]:
    """List what unlocks a unit that is silent until its PIN is entered (sheet §4); nothing for a unit without."""
    return [Step(Request(Header.ENTER_PIN, pin.encode("ascii"), sizes=ACK), "PIN")] if pin else []


def identity_steps(categories: Iterable[str]) -> list[Step]:
    """List the questions that every unit is asked first; the category is compared by `Conversation`."""
    wanted = " or ".join(categories)
    return [
        Step(Request(Header.REQUEST_EQUIPMENT_CATEGORY), f"category {wanted}"),
        Step(Request(Header.REQUEST_SERIAL_NUMBER, sizes=(3, 4)), "serial number", needed=False),
        Step(Request(Header.REQUEST_MANUFACTURER), "manufacturer", needed=False),
        Step(Request(Header.REQUEST_PRODUCT_CODE), "product code", needed=False),
        Step(Request(Header.REQUEST_SOFTWARE_REVISION), "software revision", needed=False),
        Step(Request(Header.REQUEST_BUILD_CODE), "build code", needed=False),
        Step(Request(Header.REQUEST_COMMS_REVISION, sizes=(3,)), "comms revision", needed=False),
    ]


class Conversation:
    """Owns the line to one unit, its set-up and what was told about it; knows no money."""

    def __init__(self, options: LineOptions, categories: tuple[str, ...], steps: Callable[[], list[Step]]) -> None:
        """Begin; `steps` gives the driver's own part of the set-up."""
        self.options = options
        self.events: list[DeviceEvent] = []
        self.line = HostLine(
            options.address,
            Framing(options.checksum, options.encryption_key or None),
            echo=options.echo,
            rest_ns=options.rest_ms * MS,
        )
        self._categories, self._own_steps = categories, steps
        self._told: tuple[str, str, str] | None = None
        self._state_raw = ""
        self._faults = 0
        self._identified: Identified | None = None
        self.is_open = False
        self._begin(0)

    def _begin(self, now: int) -> None:
        #: The set-up went through; the driver may work.
        self.ready = False
        #: Why it did not; "" while nothing is wrong.
        self.problem = ""
        #: Replies of the set-up by header: (data asked, data of the reply), in order.
        self.replies: dict[int, list[tuple[bytes, bytes]]] = {}
        self._plan: list[Step] = []
        self._met, self._silent, self._asking = False, 0, False
        self._next_at = now

    # --- the port -----------------------------------------------------------------------------------------------------

    def opened(self, now: int) -> None:
        """The byte path is open: perhaps it is another unit."""
        self.line.reset(now)
        self._begin(now)
        self.is_open = True

    def lost(self, reason: str, now: int) -> None:
        """The byte path is gone."""
        self.line.reset(now)
        self._begin(now)
        self.is_open = False
        self.state(*UNKNOWN_STATE, f"port lost: {reason[:80]}")

    def received(self, data: bytes, now: int) -> list[Answer]:
        """Take bytes; return the answers that are the driver's."""
        return self._heard(self.line.received(data, now), now) if self.is_open else []

    def tick(self, now: int) -> list[Answer]:
        """Look at the clock; return the answers that are the driver's."""
        return self._heard(self.line.tick(now), now) if self.is_open else []

    def not_written(self, now: int) -> list[Answer]:
        """The port did not take our bytes in time; return the answers that are the driver's."""
        return self._heard(self.line.give_up(now), now) if self.is_open else []

    # --- asking -------------------------------------------------------------------------------------------------------

    def ask(self, request: Request, now: int) -> None:
        """Write a request of the driver's."""
        options = self.options
        timeout = options.slow_timeout_ms if request.slow else options.reply_timeout_ms
        self.line.ask(
            request.header, request.data, now, timeout * MS, sizes=request.sizes, tries=request.tries or options.tries
        )

    def set_up(self, now: int) -> bool:
        """Go on with the set-up while the line is free; return True where the driver has to wait for it."""
        if self.ready:
            return False
        if self.line.busy or now < self._next_at:
            return True
        if not self._met:
            self._asking = True
            self.ask(Request(Header.SIMPLE_POLL, sizes=ACK, tries=1), now)
            return True
        step, self._asking = self._plan[0], True
        request = step.request
        if not step.needed:
            request = msgspec.structs.replace(request, tries=request.tries or _OPTIONAL_TRIES)
        self.ask(request, now)
        return True

    def set_up_at(self) -> int:
        """Return when the set-up goes on."""
        return self._next_at

    def again(self, now: int, *, wait: bool = False, problem: str = "") -> None:
        """Begin the set-up anew, after the configured time where something was wrong with the unit."""
        self._begin(now)
        self.problem = problem
        if wait:
            self._next_at = now + self.options.setup_retry_ms * MS
        if problem:
            self.state(*MISCONFIGURED_STATE, problem)

    def serial(self) -> int | None:
        """Return the serial number the unit told; None where it tells none."""
        told = self.reply(Header.REQUEST_SERIAL_NUMBER)
        return number(told) if told else None

    def reply(self, header: int) -> bytes | None:
        """Return what the unit told in the set-up; None where it did not."""
        told = self.replies.get(header)
        return told[0][1] if told else None

    # --- telling ------------------------------------------------------------------------------------------------------

    def call_begins(self) -> None:
        """A new call of the core: findings are counted from 0."""
        self._faults = 0

    def call_ends(self) -> None:
        """Tell how many findings of this call were left out."""
        if self._faults > _MAX_FAULTS_A_CALL:
            left_out = self._faults - _MAX_FAULTS_A_CALL
            self.events.append(ProtocolFault("overflow", f"{left_out} more findings at once"))
            self._faults = 0

    def fault(self, kind: str, detail: str, raw: str = "") -> None:
        """Tell trouble on the line."""
        self._faults += 1
        if self._faults <= _MAX_FAULTS_A_CALL:
            self.events.append(ProtocolFault(kind, detail, raw))

    def state(self, state: str, severity: str, detail: str = "", raw: str = "") -> None:
        """Tell the unit's condition where it changed."""
        self._state_raw = raw
        if self._told != (state, severity, detail):
            self._told = (state, severity, detail)
            self.events.append(DeviceState(state, severity, raw, detail))

    def tell_again(self) -> None:
        """Tell the present condition once more."""
        state, severity, detail = self._told or (*UNKNOWN_STATE, "no answer yet")
        self.events.append(DeviceState(state, severity, self._state_raw, detail))

    def take_events(self) -> list[DeviceEvent]:
        """Hand over what happened, once."""
        events, self.events[:] = list(self.events), []
        return events

    # --- answers ------------------------------------------------------------------------------------------------------

    def _heard(self, found: list[Heard], now: int) -> list[Answer]:
        own: list[Answer] = []
        for item in found:
            if isinstance(item, FrameFault):
                self.fault(item.kind, f"{item.count} bytes", item.raw)
            elif isinstance(item, Stray):
                self.fault(item.kind, item.detail, item.raw)
            elif self._asking:
                self._asking = False
                self._set_up_answer(item, now)
            else:
                self._count_silence(item, now)
                own.append(item)
        return own

    def _count_silence(self, answer: Answer, now: int) -> None:
        if answer.outcome is not Outcome.SILENCE:
            self._silent = 0
            return
        self._silent += 1
        if self._silent == 1:
            self.fault("timeout", f"no answer to header {answer.header}")
        if self._silent >= self.options.device_lost_after:
            self._begin(now)
            self.state(*UNKNOWN_STATE, "the unit does not answer")

    def _set_up_answer(self, answer: Answer, now: int) -> None:
        if not self._met:
            if answer.outcome is Outcome.SILENCE:
                if self._told is None or not self.problem:
                    self.state(*UNKNOWN_STATE, "the unit does not answer")
                self._next_at = now + _NS
                return
            self._met, self.problem = True, ""
            self._plan = [*pin_steps(self.options.pin), *identity_steps(self._categories), *self._own_steps()]
            return
        step = self._plan.pop(0)
        if answer.outcome is Outcome.REPLY:
            self.replies.setdefault(answer.header, []).append((answer.asked, answer.data))
        elif step.needed:
            refusal = "no answer" if answer.outcome is Outcome.SILENCE else f"the unit answers {answer.outcome.value}"
            self.again(now, wait=True, problem=f"{step.name}: {refusal}")
            return
        if answer.header == Header.REQUEST_EQUIPMENT_CATEGORY:
            category = text(answer.data)
            if category not in self._categories:
                told = f"the unit at address {self.options.address} is a {category[:30] or 'nothing'}"
                self.again(now, wait=True, problem=f"{told}, not a {self._categories[0]}")
                return
        if not self._plan:
            self.ready, self._silent = True, 0
            self._tell_identity()

    def _tell_identity(self) -> None:
        words = {header: text(self.reply(header) or b"")[:60] for header in _TEXTS}
        revision = ".".join(str(byte) for byte in self.reply(Header.REQUEST_COMMS_REVISION) or b"")
        serial = self.serial()
        identified = Identified(
            model=" ".join(filter(None, (words[Header.REQUEST_MANUFACTURER], words[Header.REQUEST_PRODUCT_CODE]))),
            firmware=words[Header.REQUEST_SOFTWARE_REVISION],
            serial="" if serial is None else str(serial),
            detail=f"{words[Header.REQUEST_EQUIPMENT_CATEGORY]} {words[Header.REQUEST_BUILD_CODE]} {revision}".strip(),
        )
        if identified != self._identified:
            self._identified = identified
            self.events.append(identified)


_TEXTS = (
    Header.REQUEST_EQUIPMENT_CATEGORY, Header.REQUEST_MANUFACTURER, Header.REQUEST_PRODUCT_CODE,
    Header.REQUEST_SOFTWARE_REVISION, Header.REQUEST_BUILD_CODE,
)  # fmt: skip
