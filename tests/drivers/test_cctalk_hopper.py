"""A payout of a ccTalk hopper: figures first, one order, and an end that the figures prove."""

from __future__ import annotations

import pytest

from kiosk.api import (
    CheckHealth,
    CommandRefused,
    Confirm,
    DeviceState,
    Dispense,
    DriverTools,
    DropPayout,
    HopperKnown,
    HopperLevel,
    InhibitCoins,
    PayoutDisputed,
    PayoutEnded,
    PayoutProgress,
    PayoutReady,
)
from kiosk.drivers.cctalk_hopper import CctalkHopper, CctalkHopperOptions
from kiosk.protocols.cctalk.event_buffer import next_counter
from kiosk.protocols.cctalk.headers import Header as H
from kiosk.protocols.cctalk.payloads import HopperStatus, encode_hopper_status, number_bytes
from tests.drivers.cctalk_bench import ACK, NAK, SECOND, SILENT, Bench, Unit, eur

SERIAL = CctalkHopperOptions(security="serial")


class Hopper(Unit):
    """Pays one coin with each reading of its status."""

    def __init__(self) -> None:
        super().__init__(3, "Payout")
        self.status, self.lifetime, self.flags = HopperStatus(0, 0, 0, 0), 100, b"\x80\x00\x00"
        self.pays = 255
        self.key_given = False
        self.handlers |= {
            H.REQUEST_HOPPER_COIN: lambda data: b"EU050A",
            H.TEST_HOPPER: lambda data: self.flags,
            H.REQUEST_HOPPER_STATUS: self._turn,
            H.REQUEST_HOPPER_DISPENSE_COUNT: lambda data: number_bytes(self.lifetime),
            H.REQUEST_PAYOUT_STATUS: lambda data: b"\x30",
            H.ENABLE_HOPPER: lambda data: ACK,
            H.REQUEST_CIPHER_KEY: lambda data: bytes(8),
            H.PUMP_RNG: lambda data: ACK,
            H.DISPENSE_HOPPER_COINS: self._dispense,
            H.EMERGENCY_STOP: self._stop,
            H.RESET_DEVICE: self._reset,
        }

    def _turn(self, data: bytes) -> bytes:
        told, status = encode_hopper_status(self.status), self.status
        if status.remaining and self.pays > 0:
            self.pays -= 1
            self.lifetime += 1
            self.status = HopperStatus(status.counter, status.remaining - 1, status.paid + 1, 0)
        elif status.remaining and self.pays == 0:
            self.flags = b"\x02\x00\x00"
            self.status = HopperStatus(status.counter, 0, status.paid, status.remaining)
        return told

    def _dispense(self, data: bytes) -> bytes:
        self.status = HopperStatus(next_counter(self.status.counter), data[-1], 0, 0)
        return bytes((self.status.counter,))

    def _stop(self, data: bytes) -> bytes:
        left = self.status.remaining
        self.status = HopperStatus(self.status.counter, 0, self.status.paid, left)
        return bytes((left,))

    def _reset(self, data: bytes) -> bytes:
        self.flags = b"\xc0\x00\x00"
        self.status = HopperStatus(0, 0, self.status.paid, self.status.unpaid)
        return ACK


def bench(unit: Hopper | None = None, options: CctalkHopperOptions = SERIAL, **marks: str) -> tuple[Hopper, Bench]:
    unit = unit or Hopper()
    rig = Bench(CctalkHopper(options, DriverTools("EUR")), unit).open(**marks)
    rig.run(2000)
    return unit, rig


def ended(rig: Bench) -> list[tuple[int, int, str]]:
    return [(end.paid, end.unpaid, end.reason) for end in rig.told(PayoutEnded)]


def started(mark: str, coins: int = 3) -> dict[str, str]:
    return {"payout": "p1", "payout_coins": str(coins), "payout_phase": "started", "payout_mark": mark}


def test_the_hopper_tells_its_coin_and_level() -> None:
    _, rig = bench()
    assert rig.told(HopperKnown) == [HopperKnown(eur(50))]
    assert [level.level for level in rig.told(HopperLevel)] == ["ok"]
    assert rig.told(DeviceState)[-1].state == "idling"


def test_no_order_goes_out_before_the_figures_are_committed() -> None:
    unit, rig = bench()
    rig.confirming = False
    rig.order(Dispense("p1", 3))
    rig.run(20_000)
    assert [ready.device_mark for ready in rig.told(PayoutReady)] == ["12345678:0:0:0:100:0"]
    assert not unit.count(H.DISPENSE_HOPPER_COINS)
    assert not unit.count(H.ENABLE_HOPPER)
    rig.order(Confirm(rig.told(PayoutReady)[0].token))
    rig.run(3000)
    assert unit.count(H.DISPENSE_HOPPER_COINS) == 1
    assert ended(rig) == [(3, 0, "done")]
    assert [progress.paid for progress in rig.told(PayoutProgress)] == [1, 2, 3]


def test_the_serial_number_is_the_security_where_that_is_configured() -> None:
    unit, rig = bench()
    rig.order(Dispense("p1", 3))
    rig.run(2000)
    assert unit.last(H.DISPENSE_HOPPER_COINS) == number_bytes(12345678) + b"\x03"
    assert not unit.count(H.REQUEST_CIPHER_KEY)


@pytest.mark.parametrize("pump", [False, True])
def test_eight_bytes_that_mean_nothing_follow_a_request_of_the_cipher_key(pump: bool) -> None:
    unit, rig = bench(options=CctalkHopperOptions(security="none", pump_rng=pump))
    rig.order(Dispense("p1", 3))
    rig.run(2000)
    assert unit.last(H.DISPENSE_HOPPER_COINS) == bytes(8) + b"\x03"
    order = [header for header, _ in unit.heard if header in (160, 161, 164, 167)]
    assert order == [164, *([161] if pump else []), 160, 167]


@pytest.mark.parametrize(
    ("options", "spoil", "says"),
    [
        (CctalkHopperOptions(), {}, "security"),
        (SERIAL, {H.REQUEST_SERIAL_NUMBER: SILENT}, "serial number"),
        (SERIAL, {H.REQUEST_HOPPER_COIN: SILENT}, "option coin"),
        (SERIAL, {H.REQUEST_HOPPER_COIN: b"GB050A"}, "GB050A"),
        (CctalkHopperOptions(security="serial", coin=20), {}, "20 is configured"),
        (SERIAL, {H.REQUEST_EQUIPMENT_CATEGORY: b"Coin Acceptor"}, "Coin Acceptor"),
    ],
)
def test_a_hopper_that_could_only_be_guessed_at_pays_nothing(
    options: CctalkHopperOptions, spoil: dict[int, bytes | None], says: str
) -> None:
    unit = Hopper()
    for header, told in spoil.items():
        unit.handlers[header] = lambda data, told=told: told  # type: ignore[misc]
    unit, rig = bench(unit, options)
    rig.run(3000)
    rig.order(Dispense("p1", 3))
    rig.run(3000)
    assert says in rig.told(DeviceState)[-1].detail
    assert (rig.told(CommandRefused)[0].command, rig.told(CommandRefused)[0].payout) == ("dispense", "p1")
    assert not unit.count(H.DISPENSE_HOPPER_COINS)


@pytest.mark.parametrize("executed", [True, False])
def test_an_order_whose_reply_is_lost_is_never_sent_again(executed: bool) -> None:
    unit, rig = bench()
    if executed:
        unit.lose[H.DISPENSE_HOPPER_COINS] = 1
    else:
        unit.handlers[H.DISPENSE_HOPPER_COINS] = lambda data: SILENT
    rig.order(Dispense("p1", 3))
    rig.run(20_000)
    assert unit.count(H.DISPENSE_HOPPER_COINS) == 1
    assert ended(rig) == [(3, 0, "done") if executed else (0, 3, "not_executed")]


def test_one_reading_alone_proves_nothing_about_an_order_whose_reply_was_lost() -> None:
    unit, rig = bench()
    late = {"readings": 0}

    def stale(data: bytes) -> bytes:
        late["readings"] += 1
        before = HopperStatus(0, 0, 0, 0)
        return encode_hopper_status(before) if late["readings"] == 1 else unit._turn(data)

    def paid(data: bytes) -> bytes:
        return number_bytes(100 if late["readings"] == 1 else unit.lifetime)

    unit.lose[H.DISPENSE_HOPPER_COINS] = 1
    rig.confirming = False
    rig.order(Dispense("p1", 3))
    rig.run(500)
    unit.handlers |= {H.REQUEST_HOPPER_STATUS: stale, H.REQUEST_HOPPER_DISPENSE_COUNT: paid}
    rig.confirming = True
    rig.order(Confirm(rig.told(PayoutReady)[0].token))
    rig.run(10_000)
    assert ended(rig) == [(3, 0, "done")]


def test_a_refused_order_pays_nothing_even_where_the_unit_counts_it() -> None:
    unit, rig = bench()

    def refuse(data: bytes) -> str:
        unit.status = HopperStatus(unit.status.counter + 1, 0, 0, 0)
        return NAK

    unit.handlers[H.DISPENSE_HOPPER_COINS] = refuse
    rig.order(Dispense("p1", 3))
    rig.run(5000)
    assert ended(rig) == [(0, 3, "refused")]


def test_an_arming_that_fails_sends_no_order() -> None:
    unit, rig = bench()
    unit.handlers[H.ENABLE_HOPPER] = lambda data: NAK
    rig.order(Dispense("p1", 3))
    rig.run(3000)
    assert ended(rig) == [(0, 3, "refused")]
    assert not unit.count(H.DISPENSE_HOPPER_COINS)


def test_a_hopper_that_runs_empty_tells_what_it_paid() -> None:
    unit, rig = bench()
    unit.pays = 2
    rig.order(Dispense("p1", 5))
    rig.run(5000)
    assert ended(rig) == [(2, 3, "empty")]


def test_a_payout_that_was_finished_is_answered_and_never_paid_twice() -> None:
    unit, rig = bench()
    rig.order(Dispense("p1", 3))
    rig.run(3000)
    rig.order(Dispense("p1", 3))
    rig.run(3000)
    assert ended(rig) == [(3, 0, "done")] * 2
    assert unit.count(H.DISPENSE_HOPPER_COINS) == 1
    assert not rig.told(CommandRefused)


def test_one_payout_at_a_time() -> None:
    _, rig = bench()
    rig.confirming = False
    rig.order(Dispense("p1", 3))
    rig.order(Dispense("p1", 3))
    rig.order(Dispense("p2", 3))
    assert [(refused.payout, refused.reason) for refused in rig.told(CommandRefused)] == [
        ("p2", "another payout is under way")
    ]


@pytest.mark.parametrize(("name", "coins"), [("", 3), ("p", 0), ("p", -1), ("p", 10_001)])
def test_no_payout_without_a_name_or_a_sensible_number(name: str, coins: int) -> None:
    unit, rig = bench()
    rig.order(Dispense(name, coins))
    rig.run(1000)
    assert rig.told(CommandRefused)
    assert not unit.count(H.ENABLE_HOPPER)


def test_more_coins_than_an_order_holds_are_several_orders_each_with_its_own_figures() -> None:
    unit, rig = bench()
    unit.pays = 300
    rig.order(Dispense("p1", 300))
    rig.run(60_000)
    assert ended(rig) == [(300, 0, "done")]
    assert [ready.device_mark for ready in rig.told(PayoutReady)] == [
        "12345678:0:0:0:100:0", "12345678:1:255:0:355:255",
    ]  # fmt: skip
    assert [data[-1] for header, data in unit.heard if header == H.DISPENSE_HOPPER_COINS] == [255, 45]


def test_a_hopper_in_single_coin_mode_gets_single_orders() -> None:
    unit, rig = bench()
    unit.flags = b"\x80\x02\x00"
    rig.order(Dispense("p1", 3))
    rig.run(10_000)
    assert ended(rig) == [(3, 0, "done")]
    assert [data[-1] for header, data in unit.heard if header == H.DISPENSE_HOPPER_COINS] == [1, 1, 1]


@pytest.mark.parametrize("resets", [True, False])
def test_fault_flags_are_reset_once_before_the_figures_are_read(resets: bool) -> None:
    unit, rig = bench(options=CctalkHopperOptions(security="serial", reset_faults=resets))
    unit.flags = b"\x20\x00\x00"
    rig.order(Dispense("p1", 3))
    rig.run(10_000)
    assert unit.count(H.RESET_DEVICE) == int(resets)
    assert ended(rig) == [(3, 0, "done") if resets else (0, 3, "jammed")]


def test_a_payout_that_stalls_is_stopped_and_ends_with_its_figures() -> None:
    unit, rig = bench(options=CctalkHopperOptions(security="serial", stall_ms=2000))
    unit.pays = -1
    rig.order(Dispense("p1", 3))
    rig.run(10_000)
    assert unit.count(H.EMERGENCY_STOP) == 1
    assert ended(rig) == [(0, 3, "stopped")]


def test_figures_that_contradict_each_other_are_a_dispute() -> None:
    unit, rig = bench()
    unit.handlers[H.REQUEST_HOPPER_DISPENSE_COUNT] = lambda data: number_bytes(100 + int(unit.status.counter > 0))
    rig.order(Dispense("p1", 3))
    rig.run(10_000)
    assert [(d.at_least, d.at_most) for d in rig.told(PayoutDisputed)] == [(1, 3)]
    assert not ended(rig)


def test_a_hopper_that_falls_silent_in_a_payout_is_a_dispute_in_the_end() -> None:
    unit, rig = bench()
    rig.order(Dispense("p1", 200))
    rig.run(1000)
    unit.deaf = True
    paid = rig.told(PayoutProgress)[-1].paid
    rig.run(130_000)
    assert [(d.at_least, d.at_most, d.reason) for d in rig.told(PayoutDisputed)] == [(paid, 200, "no answer")]


def test_a_payout_is_a_dispute_in_the_end_where_the_port_never_returns() -> None:
    _, rig = bench()
    rig.order(Dispense("p1", 200))
    rig.run(1000)
    rig.unplug()
    rig.run(130_000)
    assert rig.told(PayoutDisputed)


def test_a_hopper_lost_before_the_commit_pays_nothing_afterwards() -> None:
    unit, rig = bench()
    rig.confirming = False
    rig.order(Dispense("p1", 3))
    rig.run(500)
    rig.unplug()
    rig.plug()
    rig.run(3000)
    rig.order(Confirm(rig.told(PayoutReady)[0].token))
    rig.run(3000)
    assert ended(rig) == [(0, 3, "not_executed")]
    assert not unit.count(H.DISPENSE_HOPPER_COINS)


def test_a_payout_that_is_dropped_before_its_commit_never_goes_out() -> None:
    unit, rig = bench()
    rig.confirming = False
    rig.order(Dispense("p1", 3))
    rig.order(DropPayout("p1"))
    rig.order(Confirm(1))
    rig.run(3000)
    assert rig.told(CommandRefused)[0].command == "confirm"
    assert not unit.count(H.ENABLE_HOPPER)
    rig.confirming = True
    rig.order(Dispense("p2", 2))
    rig.run(3000)
    assert ended(rig) == [(2, 0, "done")]


def test_a_payout_that_is_dropped_between_two_orders_ends_with_what_the_first_paid() -> None:
    unit, rig = bench()
    unit.flags = b"\x80\x02\x00"
    rig.confirming = False
    rig.order(Dispense("p1", 3))
    rig.run(1000)
    rig.order(Confirm(rig.told(PayoutReady)[0].token))
    rig.run(3000)
    assert len(rig.told(PayoutReady)) == 2
    rig.order(DropPayout("p1"))
    rig.run(3000)
    assert ended(rig) == [(1, 2, "not_executed")]
    assert unit.count(H.DISPENSE_HOPPER_COINS) == 1


def test_what_a_hopper_does_not_do_is_refused() -> None:
    _, rig = bench()
    rig.order(InhibitCoins())
    rig.order(Confirm(99))
    assert [refused.command for refused in rig.told(CommandRefused)] == ["inhibit_coins", "confirm"]


# --- a new run --------------------------------------------------------------------------------------------------


def test_a_payout_that_was_only_intended_is_ended_without_a_coin() -> None:
    unit, rig = bench(payout="p1", payout_coins="3", payout_phase="intended")
    assert ended(rig) == [(0, 3, "not_executed")]
    assert rig.told(PayoutEnded)[0].recovered
    assert not unit.count(H.ENABLE_HOPPER)


@pytest.mark.parametrize(
    ("status", "lifetime", "says"),
    [
        ((7, 0, 3, 0), 103, (3, 0, "done")),
        ((7, 0, 1, 2), 101, (1, 2, "stopped")),
        ((6, 0, 2, 0), 100, (0, 3, "not_executed")),
        ((0, 0, 1, 2), 101, (1, 2, "power_lost")),
        ((7, 2, 1, 0), 101, (3, 0, "done")),
    ],
)
def test_an_order_of_an_earlier_run_is_judged_by_its_figures_and_never_repeated(
    status: tuple[int, int, int, int], lifetime: int, says: tuple[int, int, str]
) -> None:
    unit = Hopper()
    unit.status, unit.lifetime = HopperStatus(*status), lifetime
    unit, rig = bench(unit, **started("12345678:6:2:0:100:0"))
    rig.run(5000)
    assert ended(rig) == [says]
    assert not unit.count(H.DISPENSE_HOPPER_COINS)
    rig.order(Dispense("p1", 3))
    rig.run(1000)
    assert ended(rig) == [says] * 2
    assert not unit.count(H.DISPENSE_HOPPER_COINS)


@pytest.mark.parametrize("mark", ["", "nonsense", "999:6:2:0:100:0"])
def test_an_order_of_an_earlier_run_without_its_figures_is_a_dispute(mark: str) -> None:
    _, rig = bench(**started(mark))
    assert [(d.at_least, d.at_most) for d in rig.told(PayoutDisputed)] == [(0, 3)]


def test_the_coins_of_earlier_orders_of_a_payout_are_part_of_its_end() -> None:
    unit = Hopper()
    unit.status, unit.lifetime = HopperStatus(7, 0, 45, 0), 400
    _, rig = bench(unit, **started("12345678:6:255:0:355:255", 300))
    rig.run(3000)
    assert ended(rig) == [(300, 0, "done")]


def test_a_recovered_payout_is_not_carried_on() -> None:
    unit = Hopper()
    unit.status, unit.lifetime = HopperStatus(1, 0, 255, 0), 355
    unit, rig = bench(unit, **started("12345678:0:0:0:100:0", 300))
    rig.run(3000)
    assert ended(rig) == [(255, 45, "stopped")]
    assert not unit.count(H.DISPENSE_HOPPER_COINS)


def test_a_hopper_whose_port_is_not_there_at_the_start_gets_its_time_to_appear() -> None:
    unit = Hopper()
    unit.status, unit.lifetime = HopperStatus(7, 0, 3, 0), 103
    rig = Bench(CctalkHopper(SERIAL, DriverTools("EUR")), unit)
    rig.now = 90_000 * SECOND
    rig.driver.remember(started("12345678:6:2:0:100:0"), None, bytes(32))
    rig.order(CheckHealth())
    rig.run(5000)
    assert not rig.told(PayoutDisputed)
    rig.plug()
    rig.run(5000)
    assert ended(rig) == [(3, 0, "done")]


def test_a_payout_of_an_earlier_run_is_a_dispute_in_the_end_where_the_port_never_opens() -> None:
    rig = Bench(CctalkHopper(SERIAL, DriverTools("EUR")), Hopper())
    rig.driver.remember(started("12345678:6:2:0:100:0"), None, bytes(32))
    rig.run(200_000)
    assert [(d.at_least, d.at_most) for d in rig.told(PayoutDisputed)] == [(0, 3)]


def test_a_hopper_that_says_by_turns_that_it_pays_and_that_it_does_not_is_a_dispute_in_the_end() -> None:
    unit, rig = bench()
    said = [False]

    def fickle(data: bytes) -> bytes:
        said[0] = not said[0]
        return encode_hopper_status(HopperStatus(1, int(said[0]), 0, 0))

    rig.order(Dispense("p1", 3))
    rig.run(30)
    unit.handlers[H.REQUEST_HOPPER_STATUS] = fickle
    rig.run(600_000)
    assert len(rig.told(PayoutDisputed)) + len(rig.told(PayoutEnded)) == 1


@pytest.mark.parametrize(("flags", "told"), [(b"\xc0\x00\x00", (0, 3)), (b"\x00\x00\x00", None)])
def test_the_same_figures_prove_nothing_where_a_power_cut_may_have_put_the_counter_back(
    flags: bytes, told: tuple[int, int] | None
) -> None:
    unit = Hopper()
    unit.handlers[H.REQUEST_HOPPER_DISPENSE_COUNT] = lambda data: SILENT
    unit.status, unit.flags = HopperStatus(0, 0, 3, 0), flags
    _, rig = bench(unit, **started("12345678:0:3:0:-:0"))
    rig.run(8000)
    assert [(d.at_least, d.at_most) for d in rig.told(PayoutDisputed)] == ([told] if told else [])
    assert ended(rig) == ([] if told else [(0, 3, "not_executed")])
