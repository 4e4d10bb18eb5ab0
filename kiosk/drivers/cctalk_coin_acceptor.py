"""ccTalk coin acceptors: the driver.

Theory of operation.  The unit only answers: the driver reads its event buffer (header 229) every `poll_ms`.  A coin has
no escrow: what the buffer shows is past the point of return.  `event_buffer.EventLog` tells what is new; it stands in
a queue, oldest first, and each coin waits for its `Confirm` before the next one is told, so that the counter in the
fact of a coin never speaks of a later one.  `conversation.Conversation` does the set-up.  Standard: ccTalk sheet.

Rules that must stay true:

* A coin's value is what the unit tells of its position (184) or in its code (CVF); otherwise it is None, never a guess.
* With a stored counter of the same serial number, what fell meanwhile is credited once; without one, nothing is.
* More than five new events, or a counter of 0 where it was not, is a loss and told as one.
* Without a table of our currency nothing is enabled.  After a reset the whole set-up runs again: masks are forgotten.
* The queue is bounded: while it is full the buffer is not read, and a unit that is not polled takes no coins (§7).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from kiosk.api import (
    Capabilities,
    CheckHealth,
    CoinAccepted,
    CoinRejected,
    CoinsKnown,
    CommandRefused,
    Confirm,
    DeviceCommand,
    DeviceEvent,
    DriverSpec,
    DriverTools,
    EnableCoins,
    FrameError,
    InhibitCoins,
    Lost,
    Money,
    NoteId,
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
from kiosk.protocols.cctalk.coins import COIN_HARDWARE, COIN_NOTICES, coin_reject_reason, read_coins
from kiosk.protocols.cctalk.conversation import MISCONFIGURED_STATE, UNKNOWN_STATE, Conversation
from kiosk.protocols.cctalk.event_buffer import EventLog, Happened, parse_events
from kiosk.protocols.cctalk.headers import COIN_CATEGORY, FAULTS, Header, coin_error_name
from kiosk.protocols.cctalk.host import Answer, Outcome
from kiosk.protocols.cctalk.inhibits import SETTINGS, Inhibits
from kiosk.protocols.cctalk.options import MS, CctalkCoinOptions, country_of
from kiosk.protocols.cctalk.payloads import cvf_minor, mask
from kiosk.protocols.cctalk.request import ACK, Request, Step

#: Events that wait for their turn; then the buffer is not read any more.
MAX_WAITING = 64
_EVENTS = Request(Header.READ_BUFFERED_CREDIT, sizes=(11,))
_CHECK = Request(Header.PERFORM_SELF_CHECK, sizes=(1, 2, 3), tries=1, slow=True)
_CALM = ("idling", "inhibited")


class CctalkCoinAcceptor:
    """Owns the coins that wait to be told; leaves the line, the set-up and the counter to others."""

    def __init__(self, options: CctalkCoinOptions, tools: DriverTools) -> None:
        self._options, self._currency = options, tools.currency
        #: What the event buffer tells anew is read twice: eight bits of checksum let a damaged reply by now and then.
        self._twice = options.checksum == "simple" and not options.encryption_key
        self._country = country_of(tools.currency, options.country)
        self._talk = Conversation(options, (COIN_CATEGORY,), self._steps)
        self._log, self._inhibits = EventLog(), Inhibits(options.compare_ms * MS)
        self._queue: deque[Happened] = deque()
        self._device, self._serial, self._token = "", 0, 0
        #: Token of the coin that waits for its commit, 0 for none.
        self._waiting = 0
        self._wanted: tuple[Money, ...] = ()
        self._table: dict[int, Money] = {}
        self._wake: int | None = None
        self._forget(0)

    def _forget(self, now: int) -> None:
        self._known = self._based = self._cvf = False
        self._first_reading = b""
        self._inhibits.forget()
        self._poll_due = self._check_due = self._repeat_at = now
        #: Fault code of the last self check, None while there is no reason to ask.
        self._checking: int | None = None

    def _steps(self) -> list[Step]:
        ids = [
            Step(Request(Header.REQUEST_COIN_ID, bytes((position,)), sizes=(6,)), f"coin id {position}", needed=False)
            for position in range(1, self._options.positions + 1)
        ]
        return [
            Step(Request(Header.MODIFY_MASTER_INHIBIT, b"\x00", sizes=ACK), "master inhibit"),
            Step(Request(Header.REQUEST_OPTION_FLAGS, sizes=(1,)), "option flags", needed=False),
            *(*ids, *ids[::-1]),  # replies that come late move the two readings apart
            Step(_CHECK, "self check", needed=False),
        ]

    # --- the eight names ----------------------------------------------------------------------------------------------

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Take the last coin's serial and the unit's counter after it."""
        serial = marks.get("note_serial", "0")
        self._serial = int(serial) if serial.isdecimal() else 0
        self._device = marks.get("device", "")
        self._log.remember(marks.get("device_mark", ""))

    def port(self, event: PortEvent, now: int) -> None:
        """Begin when the port opens; keep the coins that wait when it is lost."""
        talk = self._talk
        talk.call_begins()
        if isinstance(event, Opened):
            talk.opened(now)
            self._forget(now)
            self._log.opened()
        elif isinstance(event, Lost):
            talk.lost(event.reason, now)
            self._forget(now)
            self._wake = None
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
        self._go_on(now)

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """Take an order of the kernel."""
        if isinstance(cmd, Confirm):
            if cmd.token == self._waiting and cmd.token:
                self._waiting = 0
                self._tell()
            else:
                self._refuse("confirm", f"token {cmd.token} is not waited for")
        elif isinstance(cmd, EnableCoins):
            self._wanted = cmd.values
            if self._talk.problem:
                self._refuse("enable_coins", self._talk.problem)
            elif self._known and cmd.values and not self._positions():
                self._refuse("enable_coins", "the unit tells none of these coins")
        elif isinstance(cmd, InhibitCoins):
            self._wanted = ()
        elif isinstance(cmd, CheckHealth):
            self._talk.tell_again()
        else:
            self._refuse(str(cmd.__struct_config__.tag), "a coin acceptor does not do this", cmd)
        self._go_on(now)

    def deadline(self) -> int | None:
        """Return when the line wants attention."""
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
            if answer.header == Header.READ_BUFFERED_CREDIT and answer.outcome is Outcome.REPLY:
                self._read(answer.data, now)
            elif answer.header == Header.PERFORM_SELF_CHECK:  # a unit that does not know it has nothing to tell
                self._checked(answer.data[0] if answer.data else 0)
            elif answer.header in SETTINGS:
                self._set(answer, now)
            elif answer.outcome in (Outcome.NAK, Outcome.BUSY):
                self._talk.fault("refused", f"header {answer.header}: {answer.outcome.value}")

    def _read(self, data: bytes, now: int) -> None:
        try:
            buffer = parse_events(data)
            doubtful = self._log.moved(buffer) if self._twice else self._log.leaps(buffer)
            if doubtful and data != self._first_reading:  # reading costs nothing, and eight bits of checksum are few
                self._first_reading, self._poll_due = data, now
                return
            news, self._first_reading = self._log.read(buffer), b""
        except FrameError as error:  # its size was checked, so this is a unit that cannot be understood
            self._talk.fault("unexpected", error.message, data.hex())
            return
        self._based = True
        self._queue.extend(news.events)
        if news.lost:
            self._talk.fault("events_lost", f"{news.lost} events were not kept by the unit", data.hex())
            self._talk.state("events_lost", "warn", f"{news.lost} events lost", data.hex())
            self._inhibits.forget()  # it may have been reset meanwhile
        if news.restarted:
            self._talk.fault("restarted", "the unit was reset: what it took since the last reading is not known")
            self._talk.again(now)
            self._forget(now)
        self._tell()
        if any(not event.kind and event.code == 2 for event in news.events) and now >= self._repeat_at:
            self._repeat_at = now + self._options.repeat_ms * MS
            self._inhibits.forget()
        if not news.lost and self._known:
            self._tell_state(data[:1].hex())

    def _checked(self, code: int) -> None:
        if code == 0:
            self._checking = None
            self._inhibits.forget()  # a unit in trouble may have inhibited itself
            return
        self._checking = code
        self._talk.state("failure", "fault", FAULTS.get(code, f"fault {code}"), f"{code:02x}")

    def _set(self, answer: Answer, now: int) -> None:
        if self._inhibits.answered(answer):
            self._talk.fault("unexpected", "the unit has forgotten what it may take")
        refused = answer.outcome in (Outcome.NAK, Outcome.BUSY)
        if refused and answer.header != Header.REQUEST_MASTER_INHIBIT:
            self._talk.again(now, wait=True, problem="the unit does not take its inhibit settings")
            self._forget(now)

    # --- coins --------------------------------------------------------------------------------------------------------

    def _know(self, now: int) -> None:
        """The set-up went through: read its replies."""
        talk = self._talk
        table, problem = read_coins(
            talk.replies.get(Header.REQUEST_COIN_ID, []), self._currency, self._country, self._options.coin_ids
        )
        if problem:
            talk.again(now, wait=True, problem=problem)
            self._forget(now)
            return
        flags = talk.reply(Header.REQUEST_OPTION_FLAGS) or b"\x00"
        codes = self._options.credit_codes
        self._cvf = codes == "cvf" or (codes == "auto" and bool(flags[0] & 1))
        if not self._log.identified(talk.serial()):
            talk.state("initializing", "warn", "no counter of this unit is known: what it took before is not told")
        self._table, self._known = table, True
        check = talk.reply(Header.PERFORM_SELF_CHECK)
        if check and check[0]:
            self._checked(check[0])
        values = sorted({value.minor for value in table.values()})
        talk.events.append(CoinsKnown(tuple(Money(minor, self._currency) for minor in values)))

    def _tell(self) -> None:
        """Tell what happened, oldest first, up to a coin that waits for its commit."""
        while self._queue and not self._waiting:
            event = self._queue.popleft()
            if event.kind:
                self._serial, self._token = self._serial + 1, self._token + 1
                self._waiting = self._token
                self._talk.events.append(
                    CoinAccepted(
                        self._token, NoteId(self._device, self._serial), self._value(event.kind),
                        event.recovered, event.mark, event.raw,
                    )
                )  # fmt: skip
            elif event.code:
                self._refused_coin(event)

    def _value(self, code: int) -> Money | None:
        value: Money | None
        if self._cvf:
            minor = cvf_minor(code)
            value = next((known for known in self._table.values() if known.minor == minor), None)
        else:
            value = self._table.get(code)
        if value is None:
            self._talk.fault("unknown_code", f"a coin with credit code {code} has no value here")
        return value

    def _refused_coin(self, event: Happened) -> None:
        reason = coin_reject_reason(event.code)
        if reason:
            self._talk.events.append(CoinRejected(reason, event.raw))
        else:
            kind = "unexpected" if event.code in COIN_HARDWARE or event.code in COIN_NOTICES else "unknown_code"
            self._talk.fault(kind, coin_error_name(event.code), event.raw)
        if event.code in COIN_HARDWARE:
            self._checking = self._checking or event.code

    # --- whose turn it is ---------------------------------------------------------------------------------------------

    def _go_on(self, now: int) -> None:
        talk = self._talk
        if not talk.is_open:
            return
        if not talk.line.busy:
            if talk.set_up(now):
                self._known = self._based = False
                self._inhibits.forget()
            else:
                request = self._choose(now)
                if request is not None:
                    talk.ask(request, now)
        self._wake = talk.line.deadline() if talk.line.busy else self._next_look(now)

    def _next_look(self, now: int) -> int:
        if not self._talk.ready:
            return self._talk.set_up_at()
        return self._check_due if self._checking else self._poll_due

    def _choose(self, now: int) -> Request | None:
        if not self._known:
            self._know(now)
            if not self._known:
                return None
        if self._checking:
            if now < self._check_due:
                return None
            self._check_due = now + self._options.check_ms * MS
            return _CHECK
        if self._based:
            size = 2 if self._options.positions <= 16 else 4
            setting = self._inhibits.next(mask(self._positions(), size), now)
            if setting is not None:
                return setting
        if now < self._poll_due:
            return None
        self._poll_due = now + self._options.poll_ms * MS
        return _EVENTS if len(self._queue) < MAX_WAITING else None

    def _positions(self) -> list[int]:
        wanted = set(self._wanted)
        return [position for position, value in self._table.items() if value in wanted]

    # --- telling ------------------------------------------------------------------------------------------------------

    def _tell_state(self, raw: str) -> None:
        if not self._checking:
            self._talk.state(_CALM[0] if self._inhibits.enabled else _CALM[1], "ok", "", raw)

    def _refuse(self, command: str, reason: str, cmd: DeviceCommand | None = None) -> None:
        self._talk.events.append(CommandRefused(command, reason, getattr(cmd, "note", None), getattr(cmd, "job", "")))


SPEC = DriverSpec(
    name="cctalk_coin_acceptor",
    device_class="CoinAcceptor",
    transports=("serial", "tcp"),
    options=CctalkCoinOptions,
    build=CctalkCoinAcceptor,
    summary="coin acceptors that speak ccTalk, also on a bus with others",
    capabilities=Capabilities(shares_line=True),
    line={"serial": {"baud": 9600, "parity": "N", "bits": 8, "stop": 1}},
    states=(*_CALM, "initializing", "events_lost", "failure", UNKNOWN_STATE[0], MISCONFIGURED_STATE[0]),
    protocol="cctalk",
)
