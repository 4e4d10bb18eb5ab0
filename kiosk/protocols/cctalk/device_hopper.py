"""The device role of a ccTalk coin hopper, sans-I/O (ccTalk sheet §10; what every unit does: `device_node`).

People's hands are methods (`fill`, `jam`, `block_exit`, `cut_power` …); a hand acts at the time last told.  `coins` and
`paid_out` are the observable truth: they are kept across power cuts, and nothing on the wire can touch them but a
dispense that was accepted.  The figures of the last payout and the lifetime count are kept too, as in a real unit's
memory; the event counter, the enabling and the cipher key are lost with power or reset.

What the sheet leaves open (``[?]``, *some units*) is an option of the unit, so that a host can be tried against either.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from kiosk.errors import SimulatorError
from kiosk.protocols.cctalk.device_node import MS, Answer, CctalkNode
from kiosk.protocols.cctalk.event_buffer import next_counter
from kiosk.protocols.cctalk.frames import Framing
from kiosk.protocols.cctalk.headers import (
    HIGH_SENSOR_FITTED,
    HOPPER_CATEGORY,
    HOPPER_ENABLE,
    HOPPER_FAULTS,
    LEVEL_HIGH,
    LEVEL_LOW,
    LOW_SENSOR_FITTED,
    Header,
    HopperFlag,
    hopper_registers,
)
from kiosk.protocols.cctalk.payloads import HopperStatus, encode_coin_id, encode_hopper_status, number_bytes
from kiosk.protocols.cctalk.units import Identity, NodeHabits

#: Security bytes of header 167: the unit's serial number, or eight that mean nothing after a header 160 (sheet §10).
Security = Literal["serial", "none"]
_KEY_BYTES = 8


class HopperUnit(msgspec.Struct, frozen=True, kw_only=True):
    """One model of hopper, fitted with one coin."""

    currency: str = "USD"
    country: str = "US"
    #: Minor value of its coin.
    coin: int = 25
    identity: Identity = Identity(category=HOPPER_CATEGORY, product="SCH2", serial=345_678)
    habits: NodeHabits = NodeHabits()
    security: Security = "serial"
    #: From one coin to the next, and how long it turns in vain before it says that it is empty.
    coin_ms: int = 120
    empty_ms: int = 2000
    #: Header 167 is answered with the event counter (newer units) or with ACK (old ones).
    tells_counter: bool = True
    #: The event counter goes on with a refused dispense too (one product manual, ``[?]``).
    counts_refusals: bool = False
    #: `unpaid` is told as 0 after a stop that was no fault (sheet §10: some units).
    clears_unpaid: bool = False
    #: Takes dispenses of one coin only.
    single_coin: bool = False
    #: Registers of header 163, 1 to 3.
    registers: int = 3
    #: Coins below which the low sensor, and from which the high one, tells; None where it is not fitted.
    low_below: int | None = 20
    high_from: int | None = 400
    #: Tells its coin (header 171); many do not know it.
    tells_coin: bool = True


USD_QUARTERS, USD_DOLLARS = HopperUnit(), HopperUnit(coin=100, identity=Identity(
    category=HOPPER_CATEGORY, product="SCH2", serial=345_679))  # fmt: skip


class CctalkHopper(CctalkNode):
    """One hopper on a line.  Owns its coins and the figures of its last payout."""

    def __init__(
        self, unit: HopperUnit = USD_QUARTERS, *, address: int = 3, coins: int = 0, framing: Framing | None = None,
        powered: bool = True,
    ) -> None:  # fmt: skip
        """Fit the hopper with so many coins."""
        super().__init__(unit.identity, unit.habits, address=address, framing=framing, powered=powered)
        self.unit = unit
        #: Coins inside, and the minor value of each coin that ever left, in order: the physical truth.
        self.coins = coins
        self.paid_out: list[int] = []
        self.event_counter = 0
        self._enabled = self._key_given = self._jammed = self._blocked = self._swallows = False
        self._status = HopperStatus(0, 0, 0, 0)
        #: Coins counted out in the unit's life.
        self._lifetime = 0
        self._flags = {HopperFlag.POWER_UP}
        #: When the next coin falls, or the unit gives up.
        self._due: int | None = None
        self._in_vain = False
        for header, handler in (
            (Header.ENABLE_HOPPER, self._enable), (Header.TEST_HOPPER, self._test),
            (Header.DISPENSE_HOPPER_COINS, self._dispense), (Header.REQUEST_HOPPER_STATUS, self._tell_status),
            (Header.EMERGENCY_STOP, self._stop), (Header.REQUEST_CIPHER_KEY, self._cipher_key),
            (Header.PUMP_RNG, lambda data: b"" if len(data) == _KEY_BYTES else None),
            (Header.REQUEST_HOPPER_DISPENSE_COUNT, lambda data: number_bytes(self._lifetime)),
            (Header.REQUEST_PAYOUT_STATUS, lambda data: bytes((self._level(),))),
        ):  # fmt: skip
            self._on(header, handler)
        if unit.tells_coin:
            self._on(Header.REQUEST_HOPPER_COIN, self._constant(encode_coin_id(unit.country, unit.coin)))

    @property
    def paying(self) -> bool:
        """True while a dispense is not over."""
        return self._status.remaining > 0

    @property
    def dispensed(self) -> int:
        """Coins the unit itself has counted out in its life; header 168 tells them modulo 2**24."""
        return self._lifetime

    @property
    def shown(self) -> str:
        """What the unit does now, for people."""
        if not self.powered:
            return "no power"
        return "paying" if self.paying else "fault" if HOPPER_FAULTS & self._now_flags() else "idle"

    @property
    def jammed(self) -> bool:
        """True while the disc is stuck."""
        return self._jammed

    # --- hands ------------------------------------------------------------------------------------------------

    def fill(self, count: int) -> None:
        """Put coins in."""
        if count < 0:
            raise SimulatorError(f"nobody puts {count} coins in", hint="fill with zero or more")
        self.coins += count

    def take_out(self) -> int:
        """Take all coins out; they were not paid."""
        taken, self.coins = self.coins, 0
        return taken

    def spill(self, count: int = 1) -> None:
        """Coins fall out of the exit that the unit does not count."""
        for _ in range(min(count, self.coins)):
            self._drop()

    def jam(self, on: bool = True) -> None:
        """Have the disc stuck, or free it."""
        self._jammed = on

    def block_exit(self, on: bool = True) -> None:
        """Hold something before the exit sensor."""
        self._blocked = on

    def lose_dispense_reply(self) -> None:
        """Carry out the next order to pay, and lose the answer to it."""
        self._swallows = True

    def set_event_counter(self, counter: int) -> None:
        """Let the unit have made so many dispenses since its reset."""
        self.event_counter = counter
        self._status = msgspec.structs.replace(self._status, counter=counter)

    # --- requests ---------------------------------------------------------------------------------------------

    def _enable(self, data: bytes) -> Answer:
        if len(data) != 1:
            return None
        self._enabled = data[0] == HOPPER_ENABLE
        if not self._enabled and self.paying:
            self._end(self.unit.clears_unpaid)
        return b""

    def _test(self, data: bytes) -> Answer:
        return None if data else hopper_registers(self._now_flags(), self.unit.registers)

    def _now_flags(self) -> set[HopperFlag]:
        flags = set(self._flags)
        flags |= set() if self._enabled else {HopperFlag.DISABLED}
        flags |= {HopperFlag.EXIT_BLOCKED_IDLE} if self._blocked and not self.paying else set()
        flags |= {HopperFlag.SINGLE_COIN_MODE} if self.unit.single_coin else set()
        return flags | (set() if self._unlocked else {HopperFlag.PIN_ACTIVE})

    def _cipher_key(self, data: bytes) -> Answer:
        if data:
            return None
        self._key_given = True
        return bytes.fromhex("61a2394270e64c0b")

    def _dispense(self, data: bytes) -> Answer:
        security, count = data[:-1], data[-1] if data else 0
        right = number_bytes(self.unit.identity.serial) if self.unit.security == "serial" else None
        good = security == right if right is not None else len(security) == _KEY_BYTES and self._key_given
        fits = count > 0 and not (self.unit.single_coin and count > 1)
        able = self._enabled and not self.paying and not HOPPER_FAULTS & self._now_flags()
        self._key_given = False
        accepted = good and fits and able
        if accepted or self.unit.counts_refusals:
            self.event_counter = next_counter(self.event_counter)
        if not accepted:
            if not self.paying:
                self._status = msgspec.structs.replace(self._status, counter=self.event_counter)
            return Header.NAK
        self._flags -= {
            HopperFlag.TIMEOUT, HopperFlag.REVERSED, HopperFlag.POWER_UP, HopperFlag.POWER_LOST_DURING_PAYOUT
        }  # fmt: skip
        self._status = HopperStatus(self.event_counter, count, 0, 0)
        self._plan(self._now)
        if self._swallows:
            self._swallows = False
            self.lose_replies(1)
        return bytes((self.event_counter,)) if self.unit.tells_counter else b""

    def _tell_status(self, data: bytes) -> Answer:
        told = msgspec.structs.replace(self._status, counter=self.event_counter)
        return None if data else encode_hopper_status(told)

    def _stop(self, data: bytes) -> Answer:
        if data:
            return None
        left = self._status.remaining
        if left:
            self._end(self.unit.clears_unpaid)
        return bytes((left,))

    def _level(self) -> int:
        low, high = self.unit.low_below, self.unit.high_from
        bits = 0 if low is None else LOW_SENSOR_FITTED | (LEVEL_LOW if self.coins < low else 0)
        return bits | (0 if high is None else HIGH_SENSOR_FITTED | (LEVEL_HIGH if self.coins >= high else 0))

    # --- time -------------------------------------------------------------------------------------------------

    def _timer(self) -> int | None:
        return self._due

    def _advance(self, now: int) -> None:
        while self._due is not None and self._due <= now:
            if self._in_vain or not self._turns:
                self._give_up(self._due)
            else:
                self._drop()
                self._lifetime += 1
                status = self._status
                self._status = msgspec.structs.replace(status, remaining=status.remaining - 1, paid=status.paid + 1)
                self._plan(self._due)

    @property
    def _turns(self) -> bool:
        return self.coins > 0 and not self._jammed and not self._blocked

    def _plan(self, at: int) -> None:
        """Turn on, if coins are still to be paid."""
        self._in_vain = not self._turns
        waits = self.unit.empty_ms if self._in_vain else self.unit.coin_ms
        self._due = at + waits * MS if self.paying else None

    def _give_up(self, at: int) -> None:
        """The disc turned in vain, or hands interfered: once more for the time of an empty hopper, then the end."""
        if not self._in_vain or self._turns:
            self._plan(at)
            return
        if self._blocked:
            self._flags.add(HopperFlag.BLOCKED_DURING_PAYOUT)
        elif self._jammed:
            self._flags.add(HopperFlag.OVER_CURRENT)
        else:
            self._flags.add(HopperFlag.TIMEOUT)
        self._end(self.unit.clears_unpaid and not HOPPER_FAULTS & self._flags)

    def _drop(self) -> None:
        self.coins -= 1
        self.paid_out.append(self.unit.coin)

    def _end(self, clear: bool) -> None:
        left = self._status.remaining
        self._status = msgspec.structs.replace(self._status, remaining=0, unpaid=0 if clear else left)
        self._due = None

    def _forget(self) -> None:
        """Power or reset: a payout under way stops, and its figures stay."""
        if self.paying:
            self._end(clear=False)
            self._flags.add(HopperFlag.POWER_LOST_DURING_PAYOUT)
        self.event_counter = 0
        self._enabled = self._key_given = False
        self._flags -= HOPPER_FAULTS
        self._flags.add(HopperFlag.POWER_UP)
