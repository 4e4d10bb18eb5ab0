"""Killed at any moment of a payout, the kiosk has booked the coins that left the hopper: no coin twice, none forgotten.

The kernel is the real one on a real journal, the hopper's driver is the real one on a simulated unit; the kiosk dies
before an effect, between a commit and its confirmation, or with frames on the line, and starts again from its journal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.independent_verifier import examine
from kiosk.api import DriverTools
from kiosk.checkout import intents
from kiosk.checkout.effects import Record
from kiosk.drivers.cctalk_hopper import CctalkHopper as Driver
from kiosk.drivers.cctalk_hopper import CctalkHopperOptions
from kiosk.model import facts
from kiosk.protocols.cctalk.device_hopper import USD_QUARTERS, CctalkHopper, HopperUnit
from tests.core.kernel_rig import Rig
from tests.core.test_kernel_properties import PLACE
from tests.core.test_kernel_properties import hold as sound
from tests.drivers.cctalk_bench import Bench, Role
from tests.tariff.example_city import chart

MS = 1_000_000
OPTIONS = CctalkHopperOptions(security="serial")
#: 1.83 too much: seven quarters, and eight cents that no coin pays.
COINS = 7
Trouble = Callable[["Till"], None]


class Killed(Exception):
    """The process is gone."""


class Till:
    """A kiosk with one hopper, and what is in the world around it."""

    def __init__(self, place: Path, unit: HopperUnit = USD_QUARTERS, coins: int = 40) -> None:
        self.hopper = CctalkHopper(unit, coins=coins)
        self.rig = Rig(place, change=True)
        self.rig.fill("quarters", coins)
        self.kill_at = 0
        self.points = 0
        self.paying = False
        self.rig.on_effect = self._effect
        self.connect()

    def connect(self) -> None:
        """Start the hopper's driver with what the journal remembers."""
        marks, open_note, _ = self.rig.kernel.memory("quarters")
        assert open_note is None
        self.bench = Bench(Driver(OPTIONS, DriverTools("USD")), Role(self.hopper))
        self.bench.confirming, self.bench.now = False, self.rig.time.mono
        self.bench.open(**marks)
        keep = self.rig.devices.post

        def post(device: str, command: Any, generation: int | None = None) -> bool:
            if device == "quarters":
                self.point()
                self.bench.order(command)
                self.bench.run(200)  # a quick line: what was ordered happens before the next effect
            return keep(device, command, generation)

        self.rig.devices.post = post  # type: ignore[method-assign]

    def point(self) -> None:
        """A moment at which the process may die."""
        if self.paying:
            self.points += 1
            if self.points == self.kill_at:
                raise Killed

    def _effect(self, effect: Any) -> None:
        if isinstance(effect, Record) and any(isinstance(body, facts.Settled) for body in effect.bodies):
            self.paying = True
        self.point()

    def step(self, ms: int = 40) -> None:
        """Let a little time pass, and tell the kernel what the hopper told."""
        self.bench.run(ms)
        self.rig.time.mono += ms * MS
        self.point()
        events, self.bench.events = self.bench.events, []
        for event in events:
            self.rig.news("quarters", event)
        if self.rig.kernel.due() <= self.rig.time.mono:
            self.rig.kernel.tick()

    def again(self) -> None:
        """Start again after the kill."""
        self.paying = False
        self.rig.restart()
        self.connect()

    def overpay(self) -> None:
        self.rig.pay()
        for minor in (5000, 2000, 1000):
            self.rig.feed(minor)
        note = self.rig.escrow(500)
        self.rig.tap(intents.AgreeExcess())
        self.rig.stacked(note, 500)

    @property
    def over(self) -> bool:
        books = self.rig.kernel.books
        waits = any(page.phase in ("intended", "started") for page in books.payouts.values())
        return bool(self.rig.bodies(facts.Settled)) and not waits and books.deferred is None

    def finish(self) -> None:
        for _ in range(9000):
            if self.over:
                return
            self.step()
        raise AssertionError(f"never over: {self.rig.state}")


@contextmanager
def till(unit: HopperUnit = USD_QUARTERS, coins: int = 40) -> Iterator[Till]:
    with tempfile.TemporaryDirectory(dir=PLACE) as place:
        made = Till(Path(place), unit, coins)
        try:
            for _ in range(100):
                made.step()
            yield made
        finally:
            made.rig.close()


def play(made: Till, trouble: Trouble | None = None, kill_at: int = 0) -> None:
    """Pay with change, die once, and come to an end."""
    made.kill_at = kill_at
    try:
        if trouble is not None:
            trouble(made)
        made.overpay()
        made.finish()
    except Killed:
        made.again()
        made.finish()
    made.hopper.restore_power()


def hold(made: Till) -> None:
    """Coins that left are the coins that the journal says were paid, or lie within its doubt."""
    rig, left = made.rig, len(made.hopper.paid_out)
    sound(rig)
    assert examine(rig.path)["findings"] == []
    ends = rig.bodies(facts.PayoutEnded)
    doubts = rig.bodies(facts.PayoutDisputed)
    paid = sum(body.paid for body in ends) + sum(body.at_least for body in doubts)
    assert paid <= left <= paid + sum(body.at_most - body.at_least for body in doubts)
    roles = chart().roles
    balances = rig.kernel.books.balances["USD"]
    assert balances.get(roles.hopper_float, 0) == made.rig.float("quarters") * 25
    assert -balances.get(roles.overpayment, 0) - balances.get(roles.disputed_claims, 0) == 183 - paid * 25
    slips = [body for body in rig.bodies(facts.ReceiptIssued) if body.slip == "receipt"]
    assert len(slips) == 1


def points(trouble: Trouble | None = None, unit: HopperUnit = USD_QUARTERS, coins: int = 40) -> int:
    with till(unit, coins) as made:
        play(made, trouble)
        hold(made)
        return made.points


def test_seven_quarters_come_out_and_are_booked() -> None:
    with till() as made:
        play(made)
        assert made.hopper.paid_out == [25] * COINS
        assert [(body.paid, body.reason) for body in made.rig.bodies(facts.PayoutEnded)] == [(COINS, "done")]
        hold(made)


#: What goes wrong besides the kill, told when the payment begins.
TROUBLES: dict[str, tuple[Trouble | None, HopperUnit, int]] = {
    "nothing": (None, USD_QUARTERS, 40),
    "a lost reply": (lambda made: _at_order(made, lambda: made.hopper.lose_replies(1)), USD_QUARTERS, 40),
    "an empty hopper": (lambda made: _keep(made, 3), USD_QUARTERS, 40),
    "a jam": (lambda made: _after(made, 3, made.hopper.jam), USD_QUARTERS, 40),
    "a power cut of the hopper": (lambda made: _after(made, 3, lambda: _cut(made)), USD_QUARTERS, 40),
    "one coin an order": (None, msgspec.structs.replace(USD_QUARTERS, single_coin=True), 40),
}


def _keep(made: Till, coins: int) -> None:
    """Somebody took coins without a word."""
    made.hopper.take_out()
    made.hopper.fill(coins)


def _at_order(made: Till, act: Callable[[], object]) -> None:
    """Act when the order to pay reaches the hopper."""
    whole = made.hopper._handlers[167]

    def dispense(data: bytes) -> Any:
        answer = whole(data)
        act()
        made.hopper._handlers[167] = whole
        return answer

    made.hopper._handlers[167] = dispense


def _after(made: Till, coins: int, act: Callable[[], object]) -> None:
    """Act when so many coins have left."""
    whole, done = made.step, [False]

    def step(ms: int = 40) -> None:
        if not done[0] and len(made.hopper.paid_out) >= coins:
            done[0] = True
            act()
        whole(ms)

    made.step = step  # type: ignore[method-assign]


def _cut(made: Till) -> None:
    made.hopper.cut_power()
    made.hopper.restore_power()


@pytest.mark.parametrize("name", TROUBLES)
def test_a_kill_at_any_moment_leaves_the_coins_and_the_books_as_one(name: str) -> None:
    """Every effect and every order is a point; of the moments between, a few: a campaign takes them all."""
    trouble, unit, coins = TROUBLES[name]
    count = points(trouble, unit, coins)
    assert count > 20
    stride = max(1, count // 6)
    for kill_at in sorted({*range(1, 10), *range(10, count + 1, stride), count}) if name == "nothing" else sorted(
        {*range(3, count + 1, max(1, count // 4))}
    ):  # fmt: skip
        with till(unit, coins) as made:
            play(made, trouble, kill_at)
            hold(made)
