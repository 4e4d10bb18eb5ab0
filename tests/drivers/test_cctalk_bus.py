"""A coin acceptor, a hopper and a bill validator on one line, each with its own driver, in turns."""

from __future__ import annotations

import pytest

from kiosk.api import (
    CoinAccepted,
    Dispense,
    DriverTools,
    EnableCoins,
    EnableNotes,
    Money,
    NoteEscrowed,
    NoteStacked,
    PayoutEnded,
    ProtocolFault,
    StackNote,
)
from kiosk.drivers.cctalk_bill_validator import CctalkBillOptions
from kiosk.drivers.cctalk_bill_validator import CctalkBillValidator as BillDriver
from kiosk.drivers.cctalk_coin_acceptor import CctalkCoinAcceptor as CoinDriver
from kiosk.drivers.cctalk_coin_acceptor import CctalkCoinOptions
from kiosk.drivers.cctalk_hopper import CctalkHopper as HopperDriver
from kiosk.drivers.cctalk_hopper import CctalkHopperOptions
from kiosk.protocols.cctalk.device_bill import CctalkBillValidator
from kiosk.protocols.cctalk.device_bus import CctalkBus
from kiosk.protocols.cctalk.device_coin import CctalkCoinAcceptor
from kiosk.protocols.cctalk.device_hopper import CctalkHopper
from tests.drivers.cctalk_bench import Bench, Role

TOOLS = DriverTools("USD")


@pytest.mark.parametrize("echo", [False, True])
def test_three_units_on_one_line_are_driven_side_by_side(echo: bool) -> None:
    coin, hopper, bill = CctalkCoinAcceptor(), CctalkHopper(coins=30), CctalkBillValidator()
    line = Role(CctalkBus([coin, hopper, bill], echo=echo))
    coins = Bench(CoinDriver(CctalkCoinOptions(), TOOLS), line, shared=True)
    payouts = Bench(HopperDriver(CctalkHopperOptions(security="serial"), TOOLS), line, shared=True)
    notes = Bench(BillDriver(CctalkBillOptions(), TOOLS), line, shared=True)
    benches = (coins, payouts, notes)

    def run(ms: int) -> None:
        for _ in range(ms // 20):
            now = max(bench.now for bench in benches)
            for bench in benches:
                bench.now = max(bench.now, now)
                bench.run(20)

    for bench in benches:
        bench.open()
    run(4000)
    coins.order(EnableCoins((Money(25, "USD"), Money(100, "USD"))))
    notes.order(EnableNotes(tuple(Money(minor, "USD") for minor in bill.values)))
    run(1500)
    payouts.order(Dispense("p1", 4))
    coin.insert_coin(25)
    bill.insert(500)
    run(1000)
    coin.insert_coin(100)
    notes.order(StackNote(notes.told(NoteEscrowed)[0].note))
    run(4000)
    assert [accepted.value for accepted in coins.told(CoinAccepted)] == [Money(25, "USD"), Money(100, "USD")]
    assert [stacked.value for stacked in notes.told(NoteStacked)] == [Money(500, "USD")]
    assert [end.paid for end in payouts.told(PayoutEnded)] == [4]
    assert (coin.accepted, len(hopper.paid_out), bill.cashbox) == ([25, 100], 4, [500])
    assert not [fault for bench in benches for fault in bench.told(ProtocolFault)]
    assert all(bench.turns.count("turn") == bench.turns.count("turn_over") for bench in benches)
