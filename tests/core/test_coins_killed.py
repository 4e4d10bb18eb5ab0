"""Killed at any moment, the kiosk has booked each coin that fell, once: the real driver on a simulated acceptor."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.independent_verifier import examine
from kiosk.api import DriverTools
from kiosk.checkout import intents
from kiosk.drivers.cctalk_coin_acceptor import CctalkCoinAcceptor as Driver
from kiosk.drivers.cctalk_coin_acceptor import CctalkCoinOptions
from kiosk.model import facts
from kiosk.protocols.cctalk.device_coin import CctalkCoinAcceptor
from kiosk.protocols.cctalk.units import USD_COINS
from tests.core.kernel_rig import PARKING, Rig
from tests.core.test_kernel_properties import PLACE
from tests.core.test_kernel_properties import hold as sound
from tests.drivers.cctalk_bench import Bench, Role

MS = 1_000_000
#: What the person drops in after the first coin: 5.00 remain, and one coin more falls than is due.
COINS = (100, 100, 25, 25, 100, 50, 100, 25)


class Killed(Exception):
    """The process is gone."""


class Slot:
    """A kiosk with a coin acceptor, and a hand that drops coins in."""

    def __init__(self, place: Path) -> None:
        self.unit = CctalkCoinAcceptor(USD_COINS)
        self.rig = Rig(place, change=True)
        self.kill_at = self.points = 0
        self.counting = False
        self.rig.on_effect = lambda effect: self.point()
        self.connect()

    def connect(self) -> None:
        marks, open_note, _ = self.rig.kernel.memory("coins")
        assert open_note is None
        self.bench = Bench(Driver(CctalkCoinOptions(), DriverTools("USD")), Role(self.unit))
        self.bench.confirming, self.bench.now = False, self.rig.time.mono
        self.bench.open(**marks)
        keep = self.rig.devices.post

        def post(device: str, command: Any, generation: int | None = None) -> bool:
            if device == "coins":
                self.point()
                self.bench.order(command)
                self.bench.run(150)
            return keep(device, command, generation)

        self.rig.devices.post = post  # type: ignore[method-assign]

    def point(self) -> None:
        """A moment at which the process may die."""
        if self.counting:
            self.points += 1
            if self.points == self.kill_at:
                raise Killed

    def run(self, ms: int) -> None:
        for _ in range(ms // 50):
            self.bench.run(50)
            self.rig.time.mono += 50 * MS
            self.point()
            events, self.bench.events = self.bench.events, []
            for event in events:
                self.rig.news("coins", event)
            if self.rig.kernel.due() <= self.rig.time.mono:
                self.rig.kernel.tick()

    def pay(self) -> None:
        self.rig.pay(PARKING)
        self.rig.feed(2000)
        self.rig.feed(500)
        self.run(1000)
        assert self.unit.insert_coin(5)
        self.run(1000)
        assert self.rig.model.credited_minor == 2505
        self.counting = True
        for minor in COINS:
            self.unit.insert_coin(minor)
            self.run(450)
        self.run(1000)


@contextmanager
def slot() -> Iterator[Slot]:
    with tempfile.TemporaryDirectory(dir=PLACE) as place:
        made = Slot(Path(place))
        try:
            made.run(3000)
            yield made
        finally:
            made.rig.close()


def hold(made: Slot) -> None:
    """What lies in the coin box is what the journal says of coins, one by one."""
    sound(made.rig)
    assert examine(made.rig.path)["findings"] == []
    coins = [body.value.minor for body in made.rig.bodies(facts.NoteCredited) if body.means == "coin"]
    kept = [body.value.minor for body in made.rig.bodies(facts.NoteSuspended) if body.device == "coins"]
    assert sorted(coins + kept) == sorted(made.unit.accepted)
    settled = made.rig.bodies(facts.Settled)
    assert sum(body.tender_minor for body in settled) in (0, 2500 + sum(coins))


def play(kill_at: int) -> int:
    with slot() as made:
        made.kill_at = kill_at
        try:
            made.pay()
        except Killed:
            made.counting = False
            made.rig.restart()
            made.connect()
            made.run(4000)
            made.rig.tap(intents.Finish())
            made.run(1000)
        hold(made)
        return made.points


def test_a_kill_at_any_moment_loses_no_coin_and_credits_none_twice() -> None:
    count = play(0)
    assert count > 60
    for kill_at in sorted({*range(1, count + 1, max(1, count // 9)), 2, 3, 4, 5}):
        play(kill_at)
