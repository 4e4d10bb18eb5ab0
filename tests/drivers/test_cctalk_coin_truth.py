"""What the coin driver tells is what fell into the unit, whatever happens to line, power and kiosk."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.api import CoinAccepted, Confirm, DriverTools, EnableCoins, Money, ProtocolFault
from kiosk.drivers.cctalk_coin_acceptor import CctalkCoinAcceptor as Driver
from kiosk.drivers.cctalk_coin_acceptor import CctalkCoinOptions
from kiosk.protocols.cctalk.device_coin import CctalkCoinAcceptor
from tests.drivers.cctalk_bench import SECOND, Bench, Role


class Kiosk:
    """The kernel in a few lines: commits what is told, and starts again from what was committed."""

    def __init__(self) -> None:
        self.unit = CctalkCoinAcceptor()
        self.marks: dict[str, str] = {}
        self.credited: list[int] = []
        #: The driver said that something is not known.
        self.doubt = False
        self.committing = True
        self.start(10 * SECOND)

    def start(self, now: int) -> None:
        driver = Driver(CctalkCoinOptions(), DriverTools("USD"))
        self.bench = Bench(driver, Role(self.unit))
        self.bench.confirming, self.bench.now = False, now
        driver.remember(self.marks, None, bytes(32))
        self.bench.plug()
        self.bench.order(EnableCoins(tuple(Money(minor, "USD") for minor in self.unit.values)))
        self.run(10)

    def run(self, ms: int) -> None:
        for _ in range(max(ms // 50, 1)):
            self.bench.run(min(ms, 50))
            while self.bench.events:
                event = self.bench.events.pop(0)
                if isinstance(event, ProtocolFault):
                    self.doubt |= event.kind in ("events_lost", "restarted")
                if isinstance(event, CoinAccepted) and self.committing:
                    assert event.value is not None
                    self.credited.append(event.value.minor)
                    self.marks = {"device_mark": event.device_mark, "note_serial": str(event.coin.serial)}
                    self.bench.order(Confirm(event.token))

    def die(self) -> None:
        # Without a mark of this unit what it took before is not told, by the rule: the sheet's "take over".
        self.doubt |= not self.marks
        self.committing = True
        self.start(self.bench.now)

    def feed(self, much: int) -> None:
        for which in range(much % 4 + 1):
            self.unit.insert_coin(self.unit.values[(much + which) % len(self.unit.values)])


TROUBLE: dict[str, Any] = {
    "feed": lambda kiosk, much: kiosk.feed(much),
    "reject": lambda kiosk, much: kiosk.unit.reject_next(3),
    "lose": lambda kiosk, much: kiosk.unit.lose_replies(1 + much % 5),
    "garble": lambda kiosk, much: kiosk.unit.garble_replies(1 + much % 4),
    "mute": lambda kiosk, much: kiosk.unit.mute(bool(much % 2)),
    "busy": lambda kiosk, much: kiosk.unit.be_busy(1 + much % 3),
    "cut": lambda kiosk, much: (kiosk.unit.cut_power(), setattr(kiosk, "doubt", True)),
    "restore": lambda kiosk, much: kiosk.unit.restore_power(),
    "die": lambda kiosk, much: kiosk.die(),
    "no commits": lambda kiosk, much: setattr(kiosk, "committing", False),
    "unplug": lambda kiosk, much: (kiosk.bench.unplug(), kiosk.bench.plug()),
    "count on": lambda kiosk, much: kiosk.run(2000),
}
MINE = ["feed", "feed", "feed", *sorted(TROUBLE)]


@given(
    st.lists(st.tuples(st.sampled_from(MINE), st.integers(0, 60), st.integers(0, 900)), max_size=10),
    st.integers(0, 254),
)
@settings(max_examples=15, deadline=None)
def test_no_coin_is_credited_that_did_not_fall_and_none_fell_unheard_unless_that_is_said(
    story: list[tuple[str, int, int]], counter: int
) -> None:
    kiosk = Kiosk()
    if counter:
        kiosk.unit.count_on(counter)
    kiosk.run(3000)
    kiosk.doubt = False
    for name, much, wait in story:
        kiosk.unit.tick(kiosk.bench.now)
        TROUBLE[name](kiosk, much)
        kiosk.run(wait)
    kiosk.unit.mute(False)
    kiosk.unit.restore_power()
    if not kiosk.committing:
        kiosk.die()
    kiosk.run(20_000)
    fallen = list(kiosk.unit.accepted)
    if kiosk.doubt:
        for minor in kiosk.credited:
            fallen.remove(minor)  # each credit is a coin that fell
    else:
        assert kiosk.credited == fallen
