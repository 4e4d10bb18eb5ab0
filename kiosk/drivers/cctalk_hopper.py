"""ccTalk coin hoppers: the driver.

Theory of operation.  A hopper does nothing by itself.  `payout.PayoutWatch` follows one payout from the figures before
it to the figures after it and says what is to be sent; between payouts the driver looks at flags and level.
`conversation.Conversation` does the set-up.  Standard: ccTalk sheet §10.

Rules that must stay true:

* The order to pay (167) goes out once, after the commit of `PayoutReady`, and is never written again: what became of it
  is told by the hopper's counters, and where they cannot tell, it is a dispute.
* The kind of security bytes and the value of the coin are told, by the configuration or the unit, and never guessed.
* An unfinished payout of an earlier run is ended before anything else is paid.
"""

from __future__ import annotations

from collections.abc import Mapping

from kiosk.api import (
    Capabilities,
    CheckHealth,
    CommandRefused,
    Confirm,
    DeviceCommand,
    DeviceEvent,
    Dispense,
    DriverSpec,
    DriverTools,
    DropPayout,
    HopperKnown,
    HopperLevel,
    Lost,
    Money,
    Opened,
    OpenNote,
    Outbound,
    PortEvent,
    PortRequest,
    Reply,
    Sent,
    Write,
    WriteTimedOut,
)
from kiosk.protocols.cctalk.conversation import MISCONFIGURED_STATE, UNKNOWN_STATE, Conversation
from kiosk.protocols.cctalk.headers import HOPPER_CATEGORY, Header
from kiosk.protocols.cctalk.hopper_words import HOPPER_STATES, flag_words, hopper_coin, level_word
from kiosk.protocols.cctalk.host import Answer, Outcome
from kiosk.protocols.cctalk.options import MS, CctalkHopperOptions, country_of
from kiosk.protocols.cctalk.payout import PayoutWatch
from kiosk.protocols.cctalk.payout_stages import COUNT, FLAGS, STATUS, Unit
from kiosk.protocols.cctalk.request import Request, Step

_COIN = Request(Header.REQUEST_HOPPER_COIN)
_LEVEL = Request(Header.REQUEST_PAYOUT_STATUS, sizes=(1,))


class CctalkHopper:
    """Owns the conversation with one hopper; leaves the money of a payout to `PayoutWatch`."""

    def __init__(self, options: CctalkHopperOptions, tools: DriverTools) -> None:
        self._options, self._currency = options, tools.currency
        self._country = country_of(tools.currency, options.country)
        self._talk = Conversation(options, (HOPPER_CATEGORY,), self._steps)
        self._watch = PayoutWatch(options, self._talk.events)
        self._level: str | None = None
        self._value: Money | None = None
        self._wake: int | None = None
        #: The set-up went through and was read.
        self._known = False
        #: The request that is out belongs to the payout.
        self._paying = False
        self._begin(0)

    def _begin(self, now: int) -> None:
        self._look_at, self._looks = now, 0

    def _steps(self) -> list[Step]:
        return [
            Step(_COIN, "coin", needed=False),
            Step(FLAGS, "flags"),
            Step(STATUS, "status"),
            Step(COUNT, "lifetime count", needed=False),
            Step(_LEVEL, "level", needed=False),
        ]

    # --- the eight names ----------------------------------------------------------------------------------------------

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Take an unfinished payout."""
        self._watch.remember(marks, entropy)
        if self._watch.busy:
            self._wake = 0  # its time begins now, whether the port is there or not

    def port(self, event: PortEvent, now: int) -> None:
        """Begin when the port opens; keep the payout when it is lost."""
        talk = self._talk
        talk.call_begins()
        if isinstance(event, Opened):
            talk.opened(now)
            self._gone(now)
            self._watch.opened(now)
        elif isinstance(event, Lost):
            talk.lost(event.reason, now)
            self._gone(now)
        elif isinstance(event, Sent):
            talk.line.sent(now)
        elif isinstance(event, Reply):
            talk.line.turn_answered(event.id, event.ok, event.data, now)
        elif isinstance(event, WriteTimedOut):
            self._take(talk.not_written(now), now)
        self._go_on(now)

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the unit."""
        self._talk.call_begins()
        self._take(self._talk.received(data, now), now)
        self._go_on(now)

    def tick(self, now: int) -> None:
        """Look at the clock."""
        self._talk.call_begins()
        self._take(self._talk.tick(now), now)
        self._watch.check(now)
        self._go_on(now)

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """Take an order of the kernel."""
        if isinstance(cmd, Confirm):
            if not self._watch.confirm(cmd.token, now):
                self._refuse("confirm", f"token {cmd.token} is not waited for")
        elif isinstance(cmd, Dispense):
            refused = self._watch.dispense(cmd.payout, cmd.coins, self._trouble(), now)
            if refused:
                self._refuse("dispense", refused, cmd.payout)
        elif isinstance(cmd, DropPayout):
            self._watch.drop(cmd.payout)
        elif isinstance(cmd, CheckHealth):
            self._talk.tell_again()
            self._look_at = now
        else:
            name = str(cmd.__struct_config__.tag)
            refusal = CommandRefused(name, "a hopper does not do this", getattr(cmd, "note", None))
            self._talk.events.append(refusal)
        self._go_on(now)

    def deadline(self) -> int | None:
        """Return when the line, or a payout that waits for it, wants attention."""
        return self._wake

    def take_outbound(self) -> list[Outbound]:
        """Hand over bytes and turns of the line, in order."""
        steps = self._talk.line.take_steps()
        return [Write(s) if isinstance(s, bytes) else PortRequest(s.id, s.kind, s.data) for s in steps]

    def take_events(self) -> list[DeviceEvent]:
        """Hand over what happened."""
        self._talk.call_ends()
        return self._talk.take_events()

    # --- answers ------------------------------------------------------------------------------------------------------

    def _take(self, answers: list[Answer], now: int) -> None:
        for answer in answers:
            if self._paying:
                self._paying = False
                self._watch.answered(answer, now)
            elif answer.outcome is Outcome.REPLY and answer.header == Header.TEST_HOPPER:
                self._tell_flags(answer.data)
            elif answer.outcome is Outcome.REPLY and answer.header == Header.REQUEST_PAYOUT_STATUS:
                self._tell_level(answer.data)

    def _gone(self, now: int) -> None:
        """The unit has to be met again."""
        if self._known or self._paying:
            self._watch.unit_lost(now)
        self._known = self._paying = False
        self._begin(now)

    def _know(self, now: int) -> None:
        """The set-up went through: read its replies."""
        talk, options = self._talk, self._options
        minor, problem = hopper_coin(talk.reply(Header.REQUEST_HOPPER_COIN), self._country, options.coin)
        if not options.security:
            problem = "the kind of security bytes is not configured (option security)"
        elif options.security == "serial" and talk.serial() is None:
            problem = "the unit tells no serial number, and its order to pay needs it"
        if problem:
            talk.again(now, wait=True, problem=problem)
            return
        self._known = True
        value = Money(minor, self._currency)
        if value != self._value:
            self._value = value
            talk.events.append(HopperKnown(value))
        self._tell_flags(talk.reply(Header.TEST_HOPPER) or b"")
        self._tell_level(talk.reply(Header.REQUEST_PAYOUT_STATUS))
        counts = talk.reply(Header.REQUEST_HOPPER_DISPENSE_COUNT) is not None
        self._watch.met(Unit(talk.serial(), counts))

    def _trouble(self) -> str:
        if self._known:
            return ""
        return self._talk.problem or "the hopper does not answer"

    # --- whose turn it is ---------------------------------------------------------------------------------------------

    def _go_on(self, now: int) -> None:
        talk = self._talk
        if not talk.is_open:
            self._wake = self._watch.limit()
            return
        if not talk.line.busy:
            if talk.ready and self._watch.set_up_wanted and self._known:
                talk.again(now)
            if talk.set_up(now):
                if self._known:
                    self._gone(now)
            else:
                self._ask(now)
        self._wake = talk.line.deadline() if talk.line.busy else self._next_look()

    def _ask(self, now: int) -> None:
        if not self._known:
            self._know(now)
            if not self._known:
                return
        request = self._watch.next(now)
        if request is not None:
            self._paying = True
            self._watch.sent(request)
        elif not self._watch.busy and now >= self._look_at:
            request = self._look(now)
        if request is not None:
            self._talk.ask(request, now)

    def _look(self, now: int) -> Request:
        """Return what is asked while nothing is paid: flags and level by turns."""
        self._looks += 1
        has_level = self._talk.reply(Header.REQUEST_PAYOUT_STATUS) is not None
        if has_level and not self._looks % 2:
            return _LEVEL
        self._look_at = now + self._options.poll_ms * MS if not has_level or self._looks % 2 else now
        return FLAGS

    def _next_look(self) -> int | None:
        if not self._talk.ready:
            return self._talk.set_up_at()
        due = self._watch.due()
        if due is not None:
            return due
        return self._watch.limit() if self._watch.busy else self._look_at

    # --- telling ------------------------------------------------------------------------------------------------------

    def _tell_flags(self, registers: bytes) -> None:
        state, severity, detail = flag_words(registers)
        self._talk.state(state, severity, detail, registers.hex())

    def _tell_level(self, data: bytes | None) -> None:
        level = level_word(data, empty=self._watch.empty)
        if level != self._level:
            self._level = level
            self._talk.events.append(HopperLevel(level, (data or b"").hex()))

    def _refuse(self, command: str, reason: str, payout: str = "") -> None:
        self._talk.events.append(CommandRefused(command, reason, payout=payout))


SPEC = DriverSpec(
    name="cctalk_hopper",
    device_class="CoinDispenser",
    transports=("serial", "tcp"),
    options=CctalkHopperOptions,
    build=CctalkHopper,
    summary="coin hoppers that speak ccTalk, also on a bus with others",
    capabilities=Capabilities(shares_line=True),
    line={"serial": {"baud": 9600, "parity": "N", "bits": 8, "stop": 1}},
    states=(*HOPPER_STATES, UNKNOWN_STATE[0], MISCONFIGURED_STATE[0]),
    protocol="cctalk",
)
