"""Set-up of an ID003 unit as a list of steps, each confirmed by an echo or a query's answer (ID003 sheet §3, §4, §6).

A setting counts only when the unit repeats its code *and* its data.  0x4B to an optional setting means that the unit
lacks the feature, which is no fault; 0x4B, a wrong echo or silence for a needed step ends the sequence with a problem,
and whoever runs it must then leave the unit inhibited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from kiosk.errors import FrameError
from kiosk.model.money import Money, minor_digits
from kiosk.protocols.id003.codes import FIRST_NOTE_CODE, DeviceStatus, HostCommand
from kiosk.protocols.id003.frames import Frame
from kiosk.protocols.id003.payloads import denomination_bits, parse_currency_table

#: Statuses in which settings may be sent.
SETTLED = (DeviceStatus.INITIALIZE, DeviceStatus.DISABLED, DeviceStatus.IDLING)
#: What is applied where nothing may be taken.
_INHIBITED = b""
#: Note codes that SET DENOMINATION has bits for (two bytes).
CONTROLLED_CODES = range(FIRST_NOTE_CODE, FIRST_NOTE_CODE + 16)


class Step(msgspec.Struct, frozen=True):
    """One request of a set-up."""

    code: int
    data: bytes
    #: Words for a finding, e.g. ``inhibit``.
    name: str
    #: Without it the unit must not be enabled.
    needed: bool = True

    @property
    def is_setting(self) -> bool:
        """True where the answer must repeat the data."""
        return self.code >= HostCommand.SET_DENOMINATION


class SetUp:
    """Owns the way through a list of steps; the caller asks, this judges the answers."""

    def __init__(self, steps: Iterable[Step], tries: int = 3) -> None:
        self._steps = tuple(steps)
        self._at = 0
        self._tries_left = self._tries = tries
        #: What went wrong; "" while nothing did.
        self.problem = ""
        #: Names of optional features the unit answered 0x4B to.
        self.absent: list[str] = []
        #: Data of answered queries by code.
        self.answers: dict[int, bytes] = {}

    @property
    def step(self) -> Step | None:
        """Return the step to ask next; None when done or failed."""
        return None if self.problem or self._at >= len(self._steps) else self._steps[self._at]

    def answer(self, frame: Frame | None) -> None:
        """Take the answer to the present step; None is silence."""
        step = self.step
        if step is None:
            return
        if frame is not None and frame.cmd == step.code and (not step.is_setting or frame.data == step.data):
            if not step.is_setting:
                self.answers[step.code] = frame.data
            self._next()
            return
        if frame is not None and frame.cmd == DeviceStatus.INVALID_COMMAND and not step.needed:
            self.absent.append(step.name)
            self._next()
            return
        self._tries_left -= 1
        if self._tries_left > 0 and not (frame is not None and frame.cmd == DeviceStatus.INVALID_COMMAND):
            return
        if step.needed:
            self.problem = f"{step.name}: {_words(frame, step)}"
        else:
            self._next()

    def _next(self) -> None:
        self._at += 1
        self._tries_left = self._tries


def _words(frame: Frame | None, step: Step) -> str:
    if frame is None:
        return "no answer"
    if frame.cmd == DeviceStatus.INVALID_COMMAND:
        return "the unit does not take this command"
    if frame.cmd == DeviceStatus.COMMUNICATION_ERROR:
        return "the unit reads our frames wrong"
    return f"the unit repeated {frame.data[:8].hex()} instead of {step.data.hex()}"


def read_table(data: bytes, currency: str, countries: tuple[int, ...]) -> tuple[dict[int, Money], str]:
    """Read the currency table into values by note code, and a problem ("" for none).

    Entries of another country are left out, so they can never be enabled.  `countries` are the country bytes that
    stand for `currency`; empty means those that the sheet knows.
    """
    try:
        slots = parse_currency_table(data)
    except FrameError as error:
        return {}, f"currency table: {error.message}"
    digits = minor_digits(currency)
    own = [s for s in slots if s.used and (s.country in countries if countries else s.currency == currency)]
    if not own:
        seen = ", ".join(sorted({s.currency or f"country {s.country:02x}" for s in slots if s.used})) or "nothing"
        return {}, f"currency table: the unit reads {seen}, not {currency}"
    return {slot.code: Money(slot.minor(digits), currency) for slot in own}, ""


def enabling_bits(table: Mapping[int, Money], values: Iterable[Money]) -> bytes | None:
    """Return the denomination bits that let exactly `values` pass (a set bit disables); None where none would pass."""
    wanted = {(value.minor, value.currency) for value in values}
    enabled = {
        code for code, value in table.items() if (value.minor, value.currency) in wanted and code in CONTROLLED_CODES
    }
    return denomination_bits(code for code in CONTROLLED_CODES if code not in enabled) if enabled else None


def _enable_steps(bits: bytes) -> list[Step]:
    if not bits:
        return [Step(HostCommand.SET_INHIBIT, b"\x01", "inhibit")]
    return [
        Step(HostCommand.SET_DENOMINATION, bits, "denominations"),
        Step(HostCommand.SET_INHIBIT, b"\x00", "inhibit"),
    ]


class UnitSettings:
    """Owns what the unit was told and what it should be told; decides nothing about when the line is free.

    Settings are lost by power-off and RESET (`unset`), so the whole set-up runs again, inhibited first; then the
    wanted notes are enabled.  While there is a problem nothing is enabled and the set-up is tried again later.
    """

    def __init__(
        self,
        currency: str,
        countries: tuple[int, ...],
        tries: int,
        repeat_ns: int,
        retry_ns: int,
        steps: Callable[[bool], list[Step]],
    ) -> None:
        self._currency, self._countries, self._tries = currency, countries, tries
        self._repeat, self._retry, self._steps = repeat_ns, retry_ns, steps
        self._wanted: tuple[Money, ...] = ()
        self.begin(0)

    def begin(self, now: int) -> None:
        """The port was opened: perhaps it is another unit."""
        #: Values by note code, as the unit tells them.
        self.table: dict[int, Money] = {}
        self._retry_at = self._applied_at = now
        self.unset()

    def unset(self) -> None:
        """The unit has lost its settings, or may have."""
        #: The set-up went through.
        self.ready = False
        #: Why the unit must not be enabled; "" for no reason.
        self.problem = ""
        self._setup: SetUp | None = None
        self._setup_for: bytes | None = None
        self._applied: bytes | None = None

    def want(self, values: tuple[Money, ...], now: int) -> None:
        """Say which notes should be taken; empty for none.  A failed set-up is tried again at once."""
        self._wanted = values
        if values:
            self._retry_at = now

    def values(self) -> tuple[Money, ...]:
        """Return the distinct values the unit can read, ascending."""
        return tuple(Money(m, self._currency) for m in sorted({value.minor for value in self.table.values()}))

    def early_table(self, data: bytes) -> None:
        """Take a currency table that was asked for ahead of the set-up, to know a note found at the start."""
        if not self.table:
            self.table, _ = read_table(data, self._currency, self._countries)

    def next_step(self, status: object, identified: bool, now: int) -> Step | None:
        """Return the request that is due in a settled status; None where nothing is."""
        if self._setup is None and not self.ready:
            if now < self._retry_at:
                return None
            self._setup, self._setup_for = SetUp(self._steps(identified), self._tries), None
        elif self._setup is None:
            bits = enabling_bits(self.table, self._wanted) or _INHIBITED
            wrong = status is DeviceStatus.DISABLED if bits else status is DeviceStatus.IDLING
            if bits == self._applied and not (wrong and now - self._applied_at >= self._repeat):
                return None
            self._setup, self._setup_for = SetUp(_enable_steps(bits), self._tries), bits
        return None if self._setup is None else self._setup.step

    def answer(self, request: int, frame: Frame | None, now: int) -> None:
        """Take the answer to a settings request; None is silence."""
        setup = self._setup
        if setup is None or setup.step is None or setup.step.code != request:
            return
        setup.answer(frame)
        if setup.step is not None:
            return
        whole, problem, table = self._setup_for is None, setup.problem, self.table
        if not problem and whole:
            data = setup.answers.get(HostCommand.CURRENCY_ASSIGN_REQUEST, b"")
            table, problem = read_table(data, self._currency, self._countries)
        applied = self._setup_for or _INHIBITED
        self._setup = None
        if problem:
            self.unset()
            self.problem, self._retry_at = problem, now + self._retry
            return
        self.problem, self.ready, self.table = "", True, table
        self._applied, self._applied_at = applied, now
