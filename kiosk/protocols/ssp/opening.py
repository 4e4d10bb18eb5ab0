"""How a conversation with an SSP unit begins, and how its settings are kept (SSP sheet §3, §6, §7, §9, §13).

Theory of operation.  `Opening` is a list of questions in the order that the money needs: Sync, because nothing is known
of the flag; Reject, because a note may lie in escrow and the first Poll would take it; then the key, the protocol
version (before any event is read, because it gives their sizes), the set-up with the values of the channels, the
serial number, the counters, and Disable, so that nothing new is drawn in.  Only then the caller polls.  Settings are
sent after that, when no note is inside.

Each question is a `yield`, its answer the value of it; a line that gives up throws the whole list away and begins anew.
What went wrong stands in `problem`: the unit is then polled for what lies in it, and stays inhibited.
"""

from __future__ import annotations

from collections.abc import Generator

from kiosk.errors import FrameError
from kiosk.model.device_events import Identified
from kiosk.model.money import Money, minor_digits
from kiosk.protocols.ssp.codes import UNIT_TYPES, Command, Response
from kiosk.protocols.ssp.crypto import Randomness, draw_exchange
from kiosk.protocols.ssp.host import Answer, HostLine
from kiosk.protocols.ssp.options import MS, SIZED_VERSIONS, SspOptions
from kiosk.protocols.ssp.payloads import Counters, Setup, inhibit_mask, parse_counters, parse_serial, parse_setup

Questions = Generator[bytes, Answer, None]
#: Answers that say "not this version" (sheet §6, §7).
_UNSUPPORTED = (Response.FAIL, Response.PARAMETER_OUT_OF_RANGE)


def read_table(setup: Setup, currency: str, options: SspOptions) -> tuple[dict[int, Money], str]:
    """Read the channels into values by channel, and a problem ("" for none).

    Channels of another country are left out, so they can never be enabled.
    """
    own = options.country or currency
    channels = [channel for channel in setup.channels if channel.value and channel.country == own]
    if not channels:
        seen = ", ".join(sorted({channel.country for channel in setup.channels if channel.value})) or "nothing"
        return {}, f"dataset: the unit reads {seen}, not {own}"
    by_currency = int(10 ** minor_digits(currency))
    if options.value_scale == "agree" and setup.real_multiplier != by_currency:
        return {}, f"dataset: a unit of {own} would have {setup.real_multiplier} parts and not {by_currency}"
    scale = by_currency if options.value_scale == "currency" else setup.real_multiplier
    if not scale:
        return {}, "dataset: the multiplier of its values is 0"
    return {channel.number: Money(channel.value * scale, currency) for channel in channels}, ""


class Opening:
    """Owns what is known of the unit and what it was told; asks nothing by itself."""

    def __init__(self, options: SspOptions, currency: str, line: HostLine, randomness: Randomness) -> None:
        self._options, self._currency, self._line, self._randomness = options, currency, line, randomness
        self._wanted: tuple[Money, ...] = ()
        self._talk: Questions | None = None
        #: The next question of what is going on; None while nothing is.
        self.asks: bytes | None = None
        #: Everything was asked that must be known before the first poll.
        self.done = False
        self.forget()

    def forget(self) -> None:
        """The port was opened: perhaps it is another unit."""
        #: Values by channel.
        self.table: dict[int, Money] = {}
        self.setup: Setup | None = None
        #: None where the unit does not tell them.
        self.serial: int | None = None
        self.counters: Counters | None = None
        self._retry_at = 0
        #: The unit demanded a key.
        self.key_demanded = False
        self.unset()

    def unset(self) -> None:
        """The unit has lost its settings, or may have."""
        self.problem = ""
        #: Channels that the unit was told to take; None where that is not known.
        self.applied: frozenset[int] | None = None
        #: Neither OK nor "nothing there" was the answer to Reject: a note may still lie in escrow.
        self.escrow_unsure = False

    # --- questions in their order -----------------------------------------------------------------------------

    def begin(self, now: int) -> None:
        """Start with Sync."""
        self.done = False
        self._talk = self._questions(now)
        self.asks = next(self._talk)

    def tell(self, now: int) -> None:
        """Start to tell the unit its settings."""
        self._talk = self._settings(now)
        self.asks = next(self._talk)

    def answered(self, answer: Answer) -> bool:
        """Take the answer to the question; True where the beginning is over with it."""
        if self._talk is None:
            return False
        try:
            self.asks = self._talk.send(answer)
            return False
        except StopIteration:
            self._talk = self.asks = None
        first, self.done = not self.done, True
        return first

    # --- the beginning ----------------------------------------------------------------------------------------

    def _questions(self, now: int) -> Questions:
        """Ask everything that must be known before the first poll."""
        options = self._options
        self.unset()
        self._line.close_session()
        yield bytes((Command.SYNC,))
        answer = yield bytes((Command.REJECT,))
        if self.key_demanded or options.encryption != "never" or answer.response == Response.KEY_NOT_SET:
            yield from self._key()
        if answer.response == Response.KEY_NOT_SET:
            self.key_demanded = True
            answer = yield bytes((Command.REJECT,))
        self.escrow_unsure = answer.response not in (Response.OK, Response.CANNOT_BE_PROCESSED)
        yield from self._version()
        yield from self._identity()
        yield bytes((Command.DISABLE,))
        if self.problem:
            self._retry_at = now + options.setup_retry_ms * MS

    def _key(self) -> Questions:
        needed = self.key_demanded or self._options.encryption == "require"
        if self._options.encryption == "never":
            self.problem = "the unit demands eSSP, which the configuration excludes"
            return
        exchange = draw_exchange(self._randomness)
        answer: Answer | None = None
        for command, number in (
            (Command.SET_GENERATOR, exchange.generator),
            (Command.SET_MODULUS, exchange.modulus),
            (Command.REQUEST_KEY_EXCHANGE, exchange.host_intermediate),
        ):
            answer = yield bytes((command,)) + number.to_bytes(8, "little")
            if not answer.ok:
                break
        data = answer.data if answer is not None else None
        if answer is not None and answer.ok and data is not None and len(data) >= 9:
            self._line.open_session(exchange.key(int.from_bytes(data[1:9], "little"), self._options.fixed))
        elif needed:
            self.problem = "the unit takes no part in a key exchange"

    def _version(self) -> Questions:
        yield from self._ask_setup()
        in_force = self.setup.protocol if self.setup else 0
        for version in self._options.versions:
            if version == in_force:
                return
            answer = yield bytes((Command.HOST_PROTOCOL_VERSION, version))
            if answer.ok:
                yield from self._ask_setup()
                return
            if answer.response not in _UNSUPPORTED:
                break
        if in_force not in SIZED_VERSIONS and not self.problem:
            self.problem = f"protocol version {in_force} is in force and none of ours is supported"

    def _ask_setup(self) -> Questions:
        answer = yield bytes((Command.SETUP_REQUEST,))
        self.setup = None
        try:
            self.setup = parse_setup(answer.data[1:]) if answer.ok and answer.data else None
        except FrameError as error:
            self.problem = self.problem or f"set-up: {error.message}"
            return
        if self.setup is None:
            self.problem = self.problem or f"set-up: the unit answers {answer.response:02x}"
            return
        self.table, problem = read_table(self.setup, self._currency, self._options)
        self.problem = self.problem or problem

    def _identity(self) -> Questions:
        answer = yield bytes((Command.GET_SERIAL_NUMBER,))
        self.serial = None
        if answer.ok and answer.data and len(answer.data) >= 5:
            self.serial = parse_serial(answer.data[1:])
        if self._options.counters:
            self.counted((yield bytes((Command.GET_COUNTERS,))))

    def counted(self, answer: Answer) -> int | None:
        """Take the answer to Get Counters and return the figure that grows by one with each credit."""
        try:
            self.counters = parse_counters(answer.data[1:]) if answer.ok and answer.data else None
        except FrameError:  # a unit with other counters tells none that could be compared
            self.counters = None
        return self.count

    @property
    def count(self) -> int | None:
        """Return the figure that grows by one with each credit; None where the unit tells none."""
        if self.counters is None:
            return None
        return self.counters.stacked + (self.counters.stored if self._options.count_stored else 0)

    # --- what the unit is ---------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """Return the protocol version by which events are sized."""
        return self.setup.protocol if self.setup else 0

    @property
    def pollable(self) -> bool:
        """True where the sizes of this unit's events are known."""
        return self.setup is not None and self.setup.protocol in SIZED_VERSIONS

    @property
    def identity(self) -> Identified | None:
        """Return who the unit is; None while it has not said so."""
        if self.setup is None:
            return None
        kind = UNIT_TYPES.get(self.setup.unit_type, f"unit type {self.setup.unit_type:02x}")
        serial = "" if self.serial is None else str(self.serial)
        return Identified(kind, self.setup.firmware, serial, f"dataset {self.setup.country}")

    def values(self) -> tuple[Money, ...]:
        """Return the distinct values the unit can read, ascending."""
        return tuple(Money(minor, self._currency) for minor in sorted({value.minor for value in self.table.values()}))

    # --- settings -----------------------------------------------------------------------------------------------

    def want(self, values: tuple[Money, ...], now: int) -> None:
        """Say which notes should be taken; empty for none.  A failed set-up is tried again at once."""
        self._wanted = values
        if values:
            self._retry_at = now

    @property
    def _channels(self) -> frozenset[int]:
        wanted = {(value.minor, value.currency) for value in self._wanted}
        return frozenset(at for at, value in self.table.items() if (value.minor, value.currency) in wanted)

    @property
    def enabled(self) -> bool:
        """True where the unit was told to take something."""
        return bool(self.applied)

    def settings_due(self, now: int) -> bool:
        """Tell whether the unit should be told something."""
        return not self.problem and self.applied != self._channels and now >= self._retry_at

    def retry_due(self, now: int) -> bool:
        """Tell whether a set-up that failed should begin again."""
        return bool(self.problem) and now >= self._retry_at

    def _settings(self, now: int) -> Questions:
        """Tell the unit which channels to take: the mask first, then whether it takes anything."""
        options, channels = self._options, self._channels
        if channels:
            highest = max((channel.number for channel in self.setup.channels), default=0) if self.setup else 0
            size = options.inhibit_bytes or min(max((highest + 7) // 8, 2), 3)
            asked = [("inhibits", bytes((Command.SET_INHIBITS,)) + inhibit_mask(set(channels), size))]
            if options.barcode_inhibit is not None:
                asked.append(("", bytes((Command.SET_BARCODE_INHIBIT, options.barcode_inhibit))))
            asked.append(("enable", bytes((Command.ENABLE,))))
        else:
            asked = [("disable", bytes((Command.DISABLE,)))]
        for name, data in asked:
            answer = yield data
            if not answer.ok and name:
                self.applied = None
                self.problem, self._retry_at = (
                    f"{name}: the unit answers {answer.response:02x}",
                    now + options.setup_retry_ms * MS,
                )
                return
        self.applied = channels
