"""Whatever people, hoppers, coins, disk and power do: coins and books are one, and no coin is paid twice."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from bench.independent_verifier import examine
from kiosk.checkout import intents
from kiosk.errors import JournalFull
from kiosk.model import commands as c
from kiosk.model import device_events as d
from kiosk.model import facts
from kiosk.model.ids import NoteId
from tests.core.kernel_rig import PARKING, WATER, Rig, usd
from tests.core.test_kernel_properties import PLACE, TAPS
from tests.core.test_kernel_properties import hold as sound
from tests.tariff.example_city import chart

ROLES = chart().roles
HOPPERS = {"quarters": 25, "dollars": 100}


class Hopper:
    """A hopper with an honest driver: it moves coins after a confirmation only, and knows what moved."""

    def __init__(self, rig: Rig, name: str) -> None:
        self.rig, self.name = rig, name
        #: Coins that ever left.
        self.left = 0
        self.seen = 0
        self.start()

    def start(self) -> None:
        """A new life of the driver: it knows what the journal remembers."""
        self.order: c.Dispense | None = None
        self.token = self.mark = 0
        self.recovered = self.told = False
        #: True from the confirmation on: coins may move.
        self.loose = False
        self.seen = 0
        marks = self.rig.kernel.memory(self.name)[0]
        if "payout" in marks:
            self.order = c.Dispense(marks["payout"], int(marks["payout_coins"]))
            self.mark, self.recovered = int(marks["payout_mark"]), True

    def look(self) -> None:
        """Read the orders that came."""
        orders = [command for device, command, _ in self.rig.devices.orders if device == self.name]
        for command in orders[self.seen :]:
            if isinstance(command, c.Dispense):
                if self.order is None:
                    self.order, self.token, self.told = command, 0, False
            elif isinstance(command, c.DropPayout) and not self.loose and not self.recovered:
                if self.order is not None and self.order.payout == command.payout:
                    self.order = None
            elif isinstance(command, c.Confirm) and self.token and command.token == self.token:
                self.token = 0
                if self.told:
                    self.order, self.loose, self.recovered, self.told = None, False, False, False
                else:
                    self.loose = True
        self.seen = len(orders)

    def act(self, what: str) -> None:
        self.look()
        order = self.order
        if order is None or self.told:
            return
        paid = min(self.left - self.mark, order.coins)
        if what == "ready" and not self.token and not self.loose and not self.recovered:
            self.mark, self.token = self.left, self._token()
            self.rig.news(self.name, d.PayoutReady(self.token, order.payout, str(self.mark)))
        elif what == "coin" and self.loose and paid < order.coins:
            self.left += 1
            self.rig.news(self.name, d.PayoutProgress(order.payout, paid + 1, order.coins))
        elif what in ("end", "doubt") and (self.loose or self.recovered):
            self.token, self.told = self._token(), True
            if what == "doubt":
                told: Any = d.PayoutDisputed(
                    self.token, order.payout, max(0, paid - 1), min(order.coins, paid + 1), "x"
                )
            else:
                told = d.PayoutEnded(self.token, order.payout, paid, order.coins - paid, "x", self.recovered)
            self.rig.news(self.name, told)
        self.look()

    def _token(self) -> int:
        self.rig.token += 1
        return self.rig.token


taps = st.sampled_from(TAPS).map(lambda intent: ("tap", intent))
hopping = st.tuples(
    st.sampled_from(sorted(HOPPERS)), st.sampled_from(["ready", "ready", "coin", "coin", "coin", "end", "end", "doubt"])
)
change = st.sampled_from([("overpay", 0), ("overpay", 0), ("coins", 3), ("all", 0), ("all", 0), ("print", 0)])
life = st.sampled_from([("restart", 0), ("full", 0), ("room", 0), ("count", "quarters"), ("count", "dollars"),
                        ("fill", "quarters"), ("wait", 5), ("wait", 61), ("wait", 200)])  # fmt: skip
honest = st.one_of(
    change, change, hopping.map(lambda pair: ("hop", pair)), hopping.map(lambda p: ("hop", p)), life, taps
)
figures = st.tuples(st.sampled_from(sorted(HOPPERS)), st.integers(-1, 4), st.integers(-1, 4), st.booleans())
wild = st.one_of(
    figures.map(lambda told: ("wild_end", told)), figures.map(lambda told: ("wild_doubt", told)),
    st.sampled_from(sorted(HOPPERS)).map(lambda name: ("wild_ready", name)),
    st.tuples(st.integers(1, 5), st.sampled_from([None, 25, 100])).map(lambda coin: ("wild_coin", coin)),
)  # fmt: skip


class Player:
    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        for name in HOPPERS:
            rig.fill(name, 6)
        self.hoppers = {name: Hopper(rig, name) for name in HOPPERS}
        #: Coins that people took out while counting.
        self.taken = dict.fromkeys(HOPPERS, 0)

    def play(self, kind: str, what: Any) -> None:
        rig = self.rig
        match kind:
            case "tap":
                rig.tap(what)
            case "wait":
                rig.wait(what)
            case "print":
                rig.printed()
            case "overpay":
                self._overpay()
            case "coins":
                for _ in range(what):
                    rig.coin(25)
            case "hop":
                self.hoppers[what[0]].act(what[1])
            case "all":
                for _ in range(20):
                    for hopper in self.hoppers.values():
                        for step in ("ready", "coin", "coin", "coin", "coin", "coin", "coin", "end"):
                            hopper.act(step)
            case "restart":
                rig.journal.error = None
                rig.restart()
                for hopper in self.hoppers.values():
                    hopper.start()
            case "full":
                rig.journal.error = JournalFull("full")
            case "room":
                rig.journal.error = None
                rig.wait(3)
            case "count" | "fill":
                self._staff(kind, what)
            case _:
                self._wild(kind, what)

    def _overpay(self) -> None:
        rig = self.rig
        number = PARKING if rig.kernel.books.payments % 2 else WATER
        for intent in (intents.Dismiss(), intents.EnterNumber(number), intents.Pay(), intents.AcceptConditions()):
            rig.tap(intent)
        for minor in (5000, 2000, 1000, 500):
            if rig.state != "accepting" or minor not in [note.minor for note in rig.kernel.accepting]:
                continue
            note = rig.escrow(minor, max([rig.serial, *(n.serial for n in rig.kernel.books.outcomes())]) + 1)
            rig.tap(intents.AgreeExcess())
            if rig.state == "stacking":
                rig.stacked(note, minor)

    def _staff(self, kind: str, name: str) -> None:
        """Somebody counts what is truly in the hopper, or fills it; only where the menu lets them."""
        rig, hopper = self.rig, self.hoppers[name]
        rig.sign_in("p01")
        before = len(rig.bodies(facts.HopperEmptied, facts.HopperFilled))
        if kind == "fill":
            rig.tap(intents.FillHopper(name, 2))
        else:
            filled = sum(body.coins for body in rig.bodies(facts.HopperFilled) if body.device == name)
            there = filled - hopper.left - self.taken[name]
            rig.tap(intents.CountHopper(name, there))
            if len(rig.bodies(facts.HopperEmptied, facts.HopperFilled)) > before:
                self.taken[name] += there
        rig.tap(intents.SignOut())

    def _wild(self, kind: str, what: Any) -> None:
        rig = self.rig
        if kind == "wild_coin":
            serial, minor = what
            rig.token += 1
            coin = d.CoinAccepted(rig.token, NoteId("", serial), usd(minor) if minor else None)
            rig.news("coins", coin)
            return
        name = what if kind == "wild_ready" else what[0]
        orders = [command for device, command, _ in rig.devices.orders
                  if device == name and isinstance(command, c.Dispense)]  # fmt: skip
        payout = orders[-1].payout if orders and (kind == "wild_ready" or what[3]) else "9-9-9"
        rig.token += 1
        if kind == "wild_ready":
            rig.news(name, d.PayoutReady(rig.token, payout, "wild"))
        elif kind == "wild_end":
            rig.news(name, d.PayoutEnded(rig.token, payout, what[1], what[2], "wild"))
        else:
            rig.news(name, d.PayoutDisputed(rig.token, payout, what[1], what[2], "wild"))


def hold(rig: Rig) -> None:
    """Every rule that must be true whatever happened."""
    sound(rig)
    assert examine(rig.path)["findings"] == []
    books = rig.kernel.books
    floats = {name: page.coins for name, page in books.hoppers.items()}
    assert min(floats.values(), default=0) >= 0
    balance = books.balances.get("USD", {}).get(ROLES.hopper_float, 0)
    assert balance == sum(floats[name] * minor for name, minor in HOPPERS.items() if name in floats)
    ids = [body.payout for body in rig.bodies(facts.PayoutIntended)]
    assert len(ids) == len(set(ids))
    assert books.balances.get("USD", {}).get(ROLES.overpayment, 0) <= 0, "nobody got more than was owed"


@settings(max_examples=15)
@given(st.lists(honest, min_size=6, max_size=30))
def test_with_honest_hoppers_every_coin_that_left_is_paid_or_in_doubt(steps: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory(dir=PLACE) as place:
        rig = Rig(Path(place), change=True)
        try:
            player = Player(rig)
            for kind, what in [("overpay", 0), *steps]:
                player.play(kind, what)
            player.play("restart", 0)
            player.play("all", 0)
            hold(rig)
            for name, hopper in player.hoppers.items():
                told = [body for body in rig.bodies(facts.PayoutEnded, facts.PayoutDisputed, facts.PayoutResolved)
                        if body.device == name]  # fmt: skip
                paid = sum(getattr(body, "paid", getattr(body, "at_least", 0)) for body in told)
                doubt = sum(page.disputed for page in rig.kernel.books.payouts.values() if page.device == name)
                assert paid <= hopper.left <= paid + doubt, (name, told)
            assert (
                rig.bodies(facts.HopperEmptied) == [] or rig.kernel.books.balances["USD"].get(ROLES.over_short, 0) == 0
            )
            event(
                f"{sum(h.left for h in player.hoppers.values())} coins, {len(rig.bodies(facts.PayoutDisputed))} doubts"
            )
            rig.wait(700)
            hold(rig)
            assert rig.kernel.books.deferred is None
        finally:
            rig.close()


@settings(max_examples=15)
@given(st.lists(st.one_of(honest, honest, wild), min_size=6, max_size=30))
def test_whatever_hoppers_say_the_journal_stays_sound(steps: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory(dir=PLACE) as place:
        rig = Rig(Path(place), change=True)
        try:
            player = Player(rig)
            for kind, what in steps:
                player.play(kind, what)
            rig.journal.error = None
            hold(rig)
            rig.restart()
            hold(rig)
            rig.wait(1500)
            hold(rig)
            assert rig.kernel.books.deferred is None
            assert rig.state in ("idle", "out_of_service")
        finally:
            rig.close()
