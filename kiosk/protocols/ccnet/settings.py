"""Set-up of a CCNET unit: disable, ask who it is and what it reads, enable what is wanted (CCNET sheet §5, §7, §8).

IDENTIFICATION and GET BILL TABLE are answered only in a few states, so the set-up first disables every type, waits for
UNIT DISABLED and asks there.  Settings are lost by power-off and RESET (`unset`), and then the whole set-up runs again.
ILLEGAL COMMAND to an optional step means that the unit lacks the feature; refusal or silence for a needed step ends the
set-up with a problem, and while there is a problem nothing is enabled.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kiosk.errors import FrameError
from kiosk.model.money import Money, minor_digits
from kiosk.protocols.ccnet.codes import POWER_UPS, DeviceState, HostCommand
from kiosk.protocols.ccnet.host import Answer
from kiosk.protocols.ccnet.options import MS, CcnetOptions
from kiosk.protocols.ccnet.payloads import COUNTRIES, MASK_SIZE, parse_bill_table, type_mask

#: States in which settings may be sent.
SETTLED = (DeviceState.IDLING, DeviceState.UNIT_DISABLED)
#: States that only RESET ends once staff has cleared the path (sheet §7).
NEEDS_RESET = (DeviceState.VALIDATOR_JAMMED, DeviceState.DROP_CASSETTE_JAMMED, DeviceState.FAILURE)
#: States behind which the settings are sent again (sheet §7).
FORGETFUL = (DeviceState.DROP_CASSETTE_FULL, DeviceState.DROP_CASSETTE_OUT_OF_POSITION, *NEEDS_RESET)
#: States that do not prove that a cash box is in the unit again.
NO_CASHBOX = (
    DeviceState.DROP_CASSETTE_OUT_OF_POSITION, DeviceState.FAILURE, DeviceState.INITIALIZE, DeviceState.DEVICE_BUSY,
    *POWER_UPS,
)  # fmt: skip
_NOTHING = bytes(2 * MASK_SIZE)


class Step(msgspec.Struct, frozen=True):
    """One command of a set-up."""

    command: HostCommand
    data: bytes
    #: Words for a finding, e.g. ``bill table``.
    name: str
    #: Without it the unit must not be enabled.
    needed: bool = True

    @property
    def asks(self) -> bool:
        """True where the unit answers in UNIT DISABLED only."""
        return self.command in (HostCommand.IDENTIFICATION, HostCommand.GET_BILL_TABLE)


def setup_steps(options: CcnetOptions, identified: bool) -> list[Step]:
    """List the whole set-up: disable first, so that nothing is drawn in while the rest is sent."""
    steps = [Step(HostCommand.ENABLE_BILL_TYPES, _NOTHING, "no bill types")]
    if not identified:
        steps.append(Step(HostCommand.IDENTIFICATION, b"", "identification", needed=False))
    steps.append(Step(HostCommand.GET_BILL_TABLE, b"", "bill table"))
    if options.security_types is not None:
        mask = type_mask(options.security_types)
        steps.append(Step(HostCommand.SET_SECURITY, mask, "security", needed=False))
    if options.set_escrow_ms:
        limit = options.set_escrow_ms.to_bytes(4, "big") * 2
        steps.append(Step(HostCommand.SET_ESCROW_TIMEOUTS, limit, "escrow time-outs"))
    return steps


def read_table(data: bytes, currency: str, options: CcnetOptions) -> tuple[dict[int, Money], str]:
    """Read the bill table into values by bill type, and a problem ("" for none) that forbids to enable anything."""
    own = {letters.upper() for letters in options.country} or {
        currency, *(letters for letters, code in COUNTRIES.items() if code == currency),
    }  # fmt: skip
    table: dict[int, Money] = {}
    foreign = set()
    try:
        for slot in parse_bill_table(data, signed=options.signed_exponent):
            if slot.bill_type == options.coupon_type or slot.bill_type in options.coin_types:
                continue
            if slot.country.upper() in own:
                table[slot.bill_type] = Money(slot.minor(minor_digits(currency)), currency)
            else:
                foreign.add(slot.country)
    except FrameError as error:
        return {}, f"bill table: {error.message}"
    if foreign and (options.foreign_types == "refuse" or not table):
        return {}, f"bill table: the unit reads {', '.join(sorted(foreign))}, not {currency}"
    return table, "" if table else f"bill table: the unit reads nothing, not {currency}"


class UnitSettings:
    """Owns what the unit was told and what it should be told; decides nothing about when the line is free."""

    def __init__(self, currency: str, options: CcnetOptions) -> None:
        self._currency, self._options = currency, options
        self._wanted: tuple[Money, ...] = ()
        self.begin(0)

    def begin(self, now: int) -> None:
        """The port was opened, or the unit powered up: perhaps it is another unit."""
        #: Values by bill type, as the unit tells them.
        self.table: dict[int, Money] = {}
        self._retry_at = self._applied_at = now
        self.unset()

    def unset(self) -> None:
        """The unit has lost its settings, or may have."""
        #: The set-up went through.
        self.ready = False
        #: Why the unit must not be enabled; "" for no reason.
        self.problem = ""
        self._steps: list[Step] | None = None
        self._tries = 0
        self._begun_at: int | None = None
        self._applied: frozenset[int] | None = None
        self._data = b""

    @property
    def enabled(self) -> frozenset[int] | None:
        """Return the types that were enabled; None where that is not known."""
        return self._applied

    def want(self, values: tuple[Money, ...], now: int) -> None:
        """Say which notes should be taken; empty for none.  A failed set-up is tried again at once."""
        self._wanted = values
        if values:
            self._retry_at = now

    def values(self) -> tuple[Money, ...]:
        """Return the distinct values the unit can read, ascending."""
        return tuple(Money(m, self._currency) for m in sorted({value.minor for value in self.table.values()}))

    def early_table(self, data: bytes) -> None:
        """Take a bill table that was asked for ahead of the set-up, to know a note found at power-up."""
        if not self.table:
            self.table, _ = read_table(data, self._currency, self._options)

    def next_step(self, state: object, identified: bool, now: int) -> Step | None:
        """Return the command that is due in a settled state; None where nothing is."""
        if self._steps is None:
            self._steps = self._begin(state, identified, now)
        if not self._steps:
            self._steps = None
            return None
        step = self._steps[0]
        if step.asks and state is not DeviceState.UNIT_DISABLED:
            if self._begun_at is not None and now - self._begun_at >= self._options.setup_retry_ms * MS:
                self._fail(f"{step.name}: the unit does not show UNIT DISABLED", now)
            return None
        return step

    def _begin(self, state: object, identified: bool, now: int) -> list[Step]:
        if not self.ready:
            if now < self._retry_at:
                return []
            self._begun_at, self._tries, self._data = now, 0, b""
            return setup_steps(self._options, identified)
        types = self._types(self._wanted)
        wrong = state is DeviceState.UNIT_DISABLED if types else state is DeviceState.IDLING
        if types == self._applied and not (wrong and now - self._applied_at >= self._options.repeat_ms * MS):
            return []
        self._tries = 0
        mask = type_mask(types)
        return [Step(HostCommand.ENABLE_BILL_TYPES, mask + mask, "bill types")]  # escrow for every enabled type

    def _types(self, values: Iterable[Money]) -> frozenset[int]:
        wanted = set(values)
        return frozenset(bill_type for bill_type, value in self.table.items() if value in wanted)

    def answer(self, answer: Answer, now: int) -> None:
        """Take the answer to a settings command."""
        if not self._steps or self._steps[0].command is not answer.command:
            return
        step = self._steps[0]
        if answer.kind in ("ack", "data"):
            self._done(step, answer, now)
            return
        self._tries += 1
        if step.command is HostCommand.ENABLE_BILL_TYPES and answer.kind == "silence":
            self._applied = None  # the unit may have taken it all the same
        if answer.kind == "illegal" and step.asks and self._tries < self._options.tries:
            return  # the unit has left UNIT DISABLED; a state shows when to ask again
        if answer.kind != "illegal" and self._tries < self._options.tries:
            return
        if step.needed:
            said = {"illegal": "the unit does not take this command", "nak": "the unit reads our frames wrong"}
            self._fail(f"{step.name}: {said.get(answer.kind, 'no answer')}", now)
        else:
            self._next()

    def _done(self, step: Step, answer: Answer, now: int) -> None:
        if step.command is HostCommand.GET_BILL_TABLE and answer.frame is not None:
            self._data = answer.frame.data
        if self.ready:
            self._applied, self._applied_at = self._types(self._wanted), now
            if type_mask(self._applied) * 2 != step.data:  # the wish changed while the command was out
                self._applied = None
        elif step.command is HostCommand.ENABLE_BILL_TYPES:
            self._applied, self._applied_at = frozenset(), now
        self._next()
        if not self._steps and not self.ready:
            self._steps = None
            table, problem = read_table(self._data, self._currency, self._options)
            if problem:
                self._fail(problem, now)
            else:
                self.problem, self.ready, self.table = "", True, table

    def _next(self) -> None:
        self._tries = 0
        if self._steps:
            self._steps = self._steps[1:]

    def _fail(self, problem: str, now: int) -> None:
        self.unset()
        self.problem, self._retry_at = problem, now + self._options.setup_retry_ms * MS
