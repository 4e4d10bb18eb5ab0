"""What the hopper driver tells is what left the hopper, whatever happens to line, power and kiosk.

A simulated hopper is paid out of while hands and cables do their worst; the kiosk dies and starts again from what was
committed.  In the end each payout is told exactly, or as a dispute whose limits hold.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.api import CommandRefused, Confirm, Dispense, DriverTools, PayoutDisputed, PayoutEnded, PayoutReady
from kiosk.drivers.cctalk_hopper import CctalkHopper as Driver
from kiosk.drivers.cctalk_hopper import CctalkHopperOptions
from kiosk.protocols.cctalk.device_hopper import CctalkHopper, HopperUnit
from kiosk.protocols.cctalk.units import NodeHabits
from tests.drivers.cctalk_bench import SECOND, Bench, Role

OPTIONS = CctalkHopperOptions(security="serial", resolve_ms=60_000)


class Kiosk:
    """The kernel in ten lines: commits what is told, and starts again from what was committed."""

    def __init__(self, unit: HopperUnit, options: CctalkHopperOptions = OPTIONS, coins: int = 40) -> None:
        self.hopper = CctalkHopper(unit, coins=coins)
        self.options, self.echo = options, unit.habits.echo
        self.marks: dict[str, str] = {}
        self.result: PayoutEnded | PayoutDisputed | None = None
        self.before = 0
        self.names = self.coins = 0
        #: Commit what is told; a kiosk that is about to die does not.
        self.committing = True
        self.start(10 * SECOND)

    def start(self, now: int) -> None:
        self.bench = Bench(Driver(self.options, DriverTools("USD")), Role(self.hopper))
        self.bench.confirming, self.bench.now = False, now
        self.bench.open(**self.marks)
        self.run(10)

    def die(self) -> None:
        self.bench.run(1)
        self.start(self.bench.now)

    def pay(self, coins: int) -> None:
        self.names, self.coins = self.names + 1, coins
        self.before, self.result = len(self.hopper.paid_out), None
        self.marks = {"payout": f"p{self.names}", "payout_coins": str(coins), "payout_phase": "intended"}
        self.bench.order(Dispense(f"p{self.names}", coins))
        self.run(1)

    def run(self, ms: int) -> None:
        """Let time pass in small steps and commit what comes."""
        for _ in range(max(ms // 50, 1)):
            self.bench.run(min(ms, 50))
            self._commit()

    def _commit(self) -> None:
        events, self.bench.events = self.bench.events, []
        for event in events:
            if not self.committing:
                return
            if isinstance(event, PayoutReady):
                self.marks |= {"payout_phase": "started", "payout_mark": event.device_mark}
                self.bench.order(Confirm(event.token))
            elif isinstance(event, CommandRefused) and event.command == "dispense":
                self.result, self.marks = PayoutEnded(0, event.payout, 0, self.coins, "refused"), {}
            elif isinstance(event, PayoutEnded | PayoutDisputed):
                self.result, self.marks = event, {}
                self.bench.order(Confirm(event.token))

    @property
    def left(self) -> int:
        """Coins that left the hopper since the payout was ordered."""
        return len(self.hopper.paid_out) - self.before


def settle(kiosk: Kiosk) -> None:
    """Heal everything and wait for the end."""
    kiosk.committing = True
    kiosk.hopper.mute(False)
    kiosk.hopper.lose_replies(0)
    kiosk.hopper.garble_replies(0)
    kiosk.hopper.jam(False)
    kiosk.hopper.restore_power()
    for _ in range(100):
        if kiosk.result is not None:
            return
        kiosk.run(2000)
    raise AssertionError("the payout never ends")


def hold(kiosk: Kiosk, coins: int) -> None:
    result = kiosk.result
    if isinstance(result, PayoutEnded):
        assert (result.paid, result.unpaid) == (kiosk.left, coins - kiosk.left), result
    else:
        assert isinstance(result, PayoutDisputed)
        assert result.at_least <= kiosk.left <= result.at_most, result
    assert kiosk.left <= coins


TROUBLE: dict[str, Any] = {
    "lose": lambda kiosk, much: kiosk.hopper.lose_replies(1 + much % 5),
    "garble": lambda kiosk, much: kiosk.hopper.garble_replies(1 + much % 4),
    "mute": lambda kiosk, much: kiosk.hopper.mute(bool(much % 2)),
    "busy": lambda kiosk, much: kiosk.hopper.be_busy(1 + much % 3),
    "refuse": lambda kiosk, much: kiosk.hopper.refuse_requests(1 + much % 3),
    "stutter": lambda kiosk, much: kiosk.hopper.stutter(1 + much % 3, 40 + much % 60),
    "cut": lambda kiosk, much: kiosk.hopper.cut_power(),
    "restore": lambda kiosk, much: kiosk.hopper.restore_power(),
    "jam": lambda kiosk, much: kiosk.hopper.jam(bool(much % 2)),
    "empty": lambda kiosk, much: kiosk.hopper.take_out(),
    "die": lambda kiosk, much: kiosk.die(),
    "no commits": lambda kiosk, much: setattr(kiosk, "committing", False),
    "unplug": lambda kiosk, much: (kiosk.bench.unplug(), kiosk.bench.plug()),
    "wait": lambda kiosk, much: kiosk.run(much),
}

troubles = st.lists(st.tuples(st.sampled_from(sorted(TROUBLE)), st.integers(0, 600), st.integers(0, 700)), max_size=7)
units = st.builds(
    lambda counts_refusals, clears_unpaid, tells_counter: HopperUnit(
        counts_refusals=counts_refusals, clears_unpaid=clears_unpaid, tells_counter=tells_counter
    ),
    st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip


@given(units, st.integers(1, 12), troubles, st.integers(0, 255), st.booleans())
@settings(max_examples=25, deadline=None)
def test_each_payout_is_told_as_it_was_or_is_a_dispute_within_limits(
    unit: HopperUnit, coins: int, story: list[tuple[str, int, int]], counter: int, lifetime: bool
) -> None:
    kiosk = Kiosk(unit)
    if not lifetime:
        kiosk.hopper._handlers.pop(168)
    kiosk.hopper.set_event_counter(counter)
    kiosk.run(2500)
    kiosk.pay(2)  # figures of an earlier payout stand in the unit
    settle(kiosk)
    hold(kiosk, 2)
    kiosk.pay(coins)
    for name, much, wait in story:
        TROUBLE[name](kiosk, much)
        kiosk.run(wait)
    if not kiosk.committing:
        kiosk.committing = True
        kiosk.die()
    settle(kiosk)
    hold(kiosk, coins)
    # and the hopper still pays
    if kiosk.hopper.coins >= 3 and not isinstance(kiosk.result, PayoutDisputed):
        kiosk.run(45_000)
        kiosk.pay(3)
        settle(kiosk)
        hold(kiosk, 3)
        assert kiosk.left == 3


@pytest.mark.parametrize("pin", ["", "1234"])
def test_a_hopper_with_a_pin_pays_once_it_was_entered(pin: str) -> None:
    habits = NodeHabits(pin=b"1234")
    kiosk = Kiosk(HopperUnit(habits=habits), msgspec.structs.replace(OPTIONS, pin=pin))
    kiosk.run(6000)
    kiosk.pay(3)
    kiosk.run(3000)
    assert kiosk.left == (3 if pin else 0)


@pytest.mark.parametrize("bad", [{"pin": "12"}, {"encryption_key": "1"}, {"address": 1}, {"tries": 0}, {"coin": -1}])
def test_options_that_no_unit_has_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        CctalkHopperOptions(**bad)
