"""Steps of a scenario that speak of coins: the slot they are fed into, the hopper, and the cup where change falls."""

from __future__ import annotations

from kiosk.model.money import Money
from kiosk.simulators.steps import Stage, Step


class InsertCoin(Step, frozen=True):
    """A person puts a coin into the slot."""

    value: Money

    def act(self, stage: Stage) -> None:
        stage.insert_coin(self.value)


class FillHopper(Step, frozen=True):
    """Somebody puts coins into the hopper; what the kiosk is told of it is another step."""

    coins: int

    def act(self, stage: Stage) -> None:
        stage.fill_hopper(self.coins)


class EmptyHopper(Step, frozen=True):
    """Somebody takes all coins out of the hopper."""

    def act(self, stage: Stage) -> None:
        stage.empty_hopper()


class JamHopper(Step, frozen=True):
    """The hopper's disc is stuck, or free again."""

    on: bool

    def act(self, stage: Stage) -> None:
        stage.jam_hopper(self.on)


class LoseDispenseReply(Step, frozen=True):
    """The hopper carries out the next order to pay, and its answer is lost."""

    def act(self, stage: Stage) -> None:
        stage.lose_dispense_reply()


class ExpectCoins(Step, frozen=True):
    """What the hopper has paid out since the beginning."""

    value: Money

    def act(self, stage: Stage) -> None:
        stage.expect_coins(self.value)


#: Steps that need a coin acceptor and a hopper.
COIN_STEPS = (InsertCoin, FillHopper, EmptyHopper, JamHopper, LoseDispenseReply, ExpectCoins)
