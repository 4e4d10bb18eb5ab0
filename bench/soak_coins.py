"""Coins through a bad line: a coin acceptor that must tell each coin once, a hopper that must pay each payout once.

A coin acceptor keeps the last five events (ccTalk sheet §6): coins beyond them, while nobody hears, are lost to the
wire and must be told as lost, never guessed.  A hopper's payouts are ordered one after the other; what was told as paid
is held against the coins that fell.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec

from bench.note_rigs import BYTE_NS
from bench.soak_wire import BAD
from bench.soak_world import MS, S, World
from kiosk.api import (
    CoinAccepted,
    CoinsKnown,
    CommandRefused,
    Confirm,
    Dispense,
    EnableCoins,
    PayoutDisputed,
    PayoutEnded,
    PayoutReady,
    ProtocolFault,
)
from kiosk.drivers.cctalk_coin_acceptor import SPEC as ACCEPTOR
from kiosk.drivers.cctalk_hopper import SPEC as HOPPER
from kiosk.protocols.cctalk.device_coin import CctalkCoinAcceptor
from kiosk.protocols.cctalk.device_hopper import CctalkHopper
from kiosk.protocols.cctalk.units import COIN_UNITS

#: Most coins of one payout.
MOST_COINS = 40


class CoinWorld(World):
    """A coin acceptor and a desk that books every coin."""

    lost = 0

    def _hear(self, event: Any) -> None:
        if isinstance(event, CoinsKnown):
            self._later(0, EnableCoins(event.values))
        elif isinstance(event, CoinAccepted):
            self._progress_at = self.now
            if str(event.coin) in self._seen:
                self.problems.append(f"{event.coin} was told twice")
            self._seen.add(str(event.coin))
            if event.value is None:
                self.problems.append("a coin without a value")
            else:
                self.credited[event.value.minor] += 1
            self._later(self.chance.randrange(5 * MS, 80 * MS), Confirm(event.token))
        elif isinstance(event, ProtocolFault) and event.kind == "events_lost":
            self.lost += 1


def soak_coins(coins: int, seed: int) -> dict[str, Any]:
    """Feed coins, at most as fast as a hand does; return the counts and differences."""
    unit = CctalkCoinAcceptor(COIN_UNITS["USD"])
    options = msgspec.convert({}, ACCEPTOR.options)
    world = CoinWorld(ACCEPTOR, options, unit, seed=seed, byte_ns=BYTE_NS, faults=BAD)
    chance = random.Random(seed + 1)
    while len(unit.accepted) < coins and not world.problems:
        if unit.can_insert:
            unit.insert_coin(chance.choice(unit.values))
        world.run_until(world.now + chance.randrange(250 * MS, 900 * MS))
        if world.still():
            world.problems.append(f"stood still with the unit showing {unit.shown}")
    world.clean()
    world.run_until(world.now + 30 * S)
    told, fell = world.credited, Counter(unit.accepted)
    if told - fell:
        world.problems.append(f"told and never fallen: {dict(told - fell)}")
    if fell - told and not world.lost:
        world.problems.append(f"fallen and not told: {dict(fell - told)}")
    return {
        "coins": len(unit.accepted), "credited": sum(told.values()), "told_as_lost": world.lost,
        "faults": sum(world.line_counts.values()), "differences": world.problems,
    }  # fmt: skip


class HopperWorld(World):
    """A hopper and a desk that orders payouts."""

    paid = disputes = payouts = 0
    uncertain = refused = 0
    current = ""

    def _hear(self, event: Any) -> None:
        if isinstance(event, CommandRefused) and event.payout == self.current:
            self.refused += 1  # nothing was ordered on the wire
            self.current = ""
        elif isinstance(event, PayoutReady):
            self._later(self.chance.randrange(5 * MS, 80 * MS), Confirm(event.token))
        elif isinstance(event, PayoutEnded | PayoutDisputed):
            self._progress_at = self.now
            if event.payout != self.current:
                self.problems.append(f"{event.payout} ended and {self.current} was ordered")
            if isinstance(event, PayoutEnded):
                self.paid += event.paid
            else:
                self.disputes += 1
                self.paid += event.at_least
                self.uncertain += event.at_most - event.at_least
            self.current = ""
            self._later(self.chance.randrange(5 * MS, 80 * MS), Confirm(event.token))

    def order(self, coins: int) -> None:
        """Order one payout."""
        self.payouts += 1
        self.current = f"p{self.payouts}"
        self._later(0, Dispense(self.current, coins))


def soak_hopper(payouts: int, seed: int, *, power_cuts: bool) -> dict[str, Any]:
    """Order payouts one after the other; return the counts and differences."""
    unit = CctalkHopper(coins=500)
    world = HopperWorld(
        HOPPER, msgspec.convert({"security": "serial"}, HOPPER.options), unit, seed=seed, byte_ns=BYTE_NS, faults=BAD
    )
    chance = random.Random(seed + 1)
    world.run_until(world.now + 5 * S)
    while world.payouts < payouts and not world.problems:
        if chance.random() < 0.1:
            unit.take_out()
        if unit.coins < MOST_COINS and chance.random() < 0.8:
            unit.fill(400)
        world.order(chance.randrange(1, MOST_COINS))
        if power_cuts and chance.random() < 0.05:
            world.run_until(world.now + chance.randrange(4 * S))
            unit.cut_power()
            world.run_until(world.now + chance.randrange(3 * S))
            unit.tick(world.now)
            unit.restore_power()
        begun = world.now
        while world.current and world.now - begun < 300 * S:
            world.run_until(world.now + S)
        if world.current:
            world.problems.append(f"{world.current} never ended; the unit shows {unit.shown}")
        world.run_until(world.now + S)
    if not world.paid <= len(unit.paid_out) <= world.paid + world.uncertain:
        world.problems.append(f"{len(unit.paid_out)} coins fell, {world.paid} to {world.paid + world.uncertain} told")
    return {
        "payouts": world.payouts, "coins": len(unit.paid_out), "told": world.paid, "disputed": world.disputes,
        "refused": world.refused, "faults": sum(world.line_counts.values()), "differences": world.problems,
    }  # fmt: skip
