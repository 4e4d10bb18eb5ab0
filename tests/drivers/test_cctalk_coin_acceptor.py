"""The way of a coin through a ccTalk acceptor: told once, in order, with its counter, and never by guess."""

from __future__ import annotations

import pytest

from kiosk.api import (
    CheckHealth,
    CoinAccepted,
    CoinRejected,
    CoinsKnown,
    CommandRefused,
    Confirm,
    DeviceState,
    Dispense,
    DriverTools,
    EnableCoins,
    InhibitCoins,
    ProtocolFault,
)
from kiosk.drivers.cctalk_coin_acceptor import CctalkCoinAcceptor, CctalkCoinOptions
from kiosk.protocols.cctalk.headers import Header as H
from tests.drivers.cctalk_bench import NAK, SILENT, Bench, Unit, eur

COINS = {1: b"EU200A", 2: b"EU100A", 3: b"EU050A", 4: b"Token ", 5: b"GB100A"}
ALL = (eur(50), eur(100), eur(200))


class Acceptor(Unit):
    def __init__(self) -> None:
        super().__init__(2, "Coin Acceptor")
        self.handlers[H.REQUEST_COIN_ID] = lambda data: COINS.get(data[0], b"......")
        self.handlers[H.READ_BUFFERED_CREDIT] = self.events
        self.handlers[H.REQUEST_OPTION_FLAGS] = lambda data: b"\x00"


def bench(
    unit: Acceptor | None = None, options: CctalkCoinOptions | None = None, *, echo: bool = False, shared: bool = False,
    **marks: str,
) -> tuple[Acceptor, Bench]:  # fmt: skip
    unit = unit or Acceptor()
    driver = CctalkCoinAcceptor(options or CctalkCoinOptions(), DriverTools("EUR"))
    rig = Bench(driver, unit, echo=echo, shared=shared).open(**marks)
    rig.run(3000)
    return unit, rig


def accepting(options: CctalkCoinOptions | None = None) -> tuple[Acceptor, Bench]:
    unit, rig = bench(options=options)
    rig.order(EnableCoins(ALL))
    rig.run(1000)
    rig.forget()
    return unit, rig


def told(rig: Bench) -> list[tuple[int, int | None, str]]:
    return [(c.coin.serial, c.value.minor if c.value else None, c.device_mark) for c in rig.told(CoinAccepted)]


# --- set-up -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("echo", [False, True])
def test_the_table_is_read_and_only_wanted_coins_are_let_in(echo: bool) -> None:
    unit, rig = bench(echo=echo)
    assert rig.told(CoinsKnown) == [CoinsKnown(ALL)]
    assert not unit.master
    rig.order(EnableCoins((eur(50), eur(200))))
    rig.run(1000)
    assert (unit.mask, unit.master) == (b"\x05\x00", True)
    assert rig.told(DeviceState)[-1].state == "idling"
    rig.order(InhibitCoins())
    rig.run(1000)
    assert not unit.master
    assert rig.told(DeviceState)[-1].state == "inhibited"


def test_a_table_of_another_currency_enables_nothing() -> None:
    unit = Acceptor()
    unit.handlers[H.REQUEST_COIN_ID] = lambda data: b"GB100A"
    unit, rig = bench(unit)
    rig.order(EnableCoins(ALL))
    rig.run(15_000)
    assert not unit.master
    assert rig.told(DeviceState)[-1].state == "misconfigured"
    assert "GB" in rig.told(CommandRefused)[0].reason


def test_ids_that_are_configured_must_be_told_by_position() -> None:
    _, rig = bench(options=CctalkCoinOptions(coin_ids=("EU200A", "EU050A")))
    assert "position 2 is EU100A, not EU050A" in rig.told(DeviceState)[-1].detail


def test_coins_the_unit_does_not_tell_are_refused() -> None:
    _, rig = bench()
    rig.order(EnableCoins((eur(1),)))
    assert rig.told(CommandRefused)[0].command == "enable_coins"


def test_a_unit_that_does_not_take_its_masks_is_misconfigured() -> None:
    unit, rig = bench()
    unit.handlers[H.MODIFY_INHIBIT] = lambda data: NAK
    rig.order(EnableCoins(ALL))
    rig.run(1000)
    assert rig.told(DeviceState)[-1].state == "misconfigured"
    assert not unit.master


def test_what_a_coin_acceptor_does_not_do_is_refused() -> None:
    _, rig = bench()
    rig.order(Dispense("p", 1))
    assert rig.told(CommandRefused)[0].command == "dispense"


# --- coins ------------------------------------------------------------------------------------------------------


def test_coins_are_told_one_at_a_time_in_order_with_their_counters() -> None:
    unit, rig = accepting()
    rig.confirming = False
    unit.happen((1, 1), (0, 1), (3, 2), (2, 1))
    rig.run(2000)
    assert told(rig) == [(1, 200, "12345678:1")]
    assert not rig.told(CoinRejected)
    rig.order(Confirm(1))
    assert told(rig)[1:] == [(2, 50, "12345678:3")]
    assert [coin.reason for coin in rig.told(CoinRejected)] == ["recognition"]
    rig.order(Confirm(2))
    rig.order(Confirm(3))
    assert told(rig)[2:] == [(3, 100, "12345678:4")]


def test_a_confirm_that_nobody_waits_for_is_refused() -> None:
    _, rig = accepting()
    rig.order(Confirm(5))
    rig.order(Confirm(0))
    assert len(rig.told(CommandRefused)) == 2


def test_a_lost_reading_loses_no_coin_and_counts_none_twice() -> None:
    unit, rig = accepting()
    for count in (1, 2, 3):
        unit.lose[H.READ_BUFFERED_CREDIT] = count
        unit.happen((1, 0))
        rig.run(2000)
    assert [mark for _, _, mark in told(rig)] == ["12345678:1", "12345678:2", "12345678:3"]


def test_the_counter_goes_from_255_back_to_1() -> None:
    unit, rig = bench(Acceptor())
    unit.counter = 0
    for _ in range(260):
        unit.happen((3, 0))
        rig.run(220)
    coins = rig.told(CoinAccepted)
    assert len(coins) == 260
    assert [coin.device_mark for coin in coins[253:257]] == [f"12345678:{at}" for at in (254, 255, 1, 2)]


def test_a_position_without_a_value_is_a_coin_without_a_value() -> None:
    unit, rig = accepting()
    unit.happen((4, 0), (9, 0))
    rig.run(500)
    assert [value for _, value, _ in told(rig)] == [None, None]
    assert [fault.kind for fault in rig.told(ProtocolFault)] == ["unknown_code"] * 2


@pytest.mark.parametrize(
    ("flags", "codes", "values"),
    [(b"\x01", "auto", [100, 200, None, None]), (b"\x00", "cvf", [100, 200, None, None]),
     (b"\x01", "position", [None, None, None, None])],
)  # fmt: skip
def test_credit_codes_mean_values_only_where_the_unit_or_the_configuration_says_so(
    flags: bytes, codes: str, values: list[int | None]
) -> None:
    unit = Acceptor()
    unit.handlers[H.REQUEST_OPTION_FLAGS] = lambda data: flags
    unit, rig = bench(unit, CctalkCoinOptions(credit_codes=codes))  # type: ignore[arg-type]
    unit.happen((100, 1), (148, 1), (178, 1), (255, 1))
    rig.run(500)
    assert [value for _, value, _ in told(rig)] == values


@pytest.mark.parametrize(
    ("code", "reason"),
    [(2, "denomination_inhibited"), (130, "denomination_inhibited"), (20, "fraud"), (8, "transport")],
)
def test_a_coin_that_came_back_is_told_with_its_reason(code: int, reason: str) -> None:
    unit, rig = accepting()
    unit.happen((0, code))
    rig.run(500)
    assert [coin.reason for coin in rig.told(CoinRejected)] == [reason]


# --- trouble ----------------------------------------------------------------------------------------------------


def test_more_than_five_events_are_a_loss_and_the_five_are_told() -> None:
    unit, rig = accepting()
    unit.happen(*[(2, 0)] * 7)
    rig.run(1000)
    assert len(told(rig)) == 5
    assert "events_lost" in [fault.kind for fault in rig.told(ProtocolFault)]
    assert ("events_lost", "warn") in [(state.state, state.severity) for state in rig.told(DeviceState)]


def test_a_reset_unit_is_set_up_again_and_told_its_masks() -> None:
    unit, rig = accepting()
    unit.happen((1, 0))
    rig.run(500)
    unit.reset()
    rig.run(3000)
    assert (unit.mask, unit.master) == (b"\x07\x00", True)
    assert "restarted" in [fault.kind for fault in rig.told(ProtocolFault)]
    unit.happen((2, 0))
    rig.run(500)
    assert told(rig)[-1][1:] == (100, "12345678:1")


def test_masks_are_told_again_where_the_unit_calls_a_coin_inhibited() -> None:
    unit, rig = accepting()
    unit.mask, unit.master = b"\x00\x00", False
    unit.happen((0, 2))
    rig.run(1000)
    assert (unit.mask, unit.master) == (b"\x07\x00", True)


def test_a_reset_that_no_counter_shows_is_found_by_comparing() -> None:
    unit, rig = accepting()
    unit.handlers[H.REQUEST_MASTER_INHIBIT] = lambda data: bytes((int(unit.master),))
    unit.happen((0, 1))
    rig.run(500)
    unit.reset()
    unit.happen((0, 0))
    rig.run(12_000)
    assert (unit.mask, unit.master) == (b"\x07\x00", True)
    assert rig.told(ProtocolFault)[-1].detail == "the unit has forgotten what it may take"


def test_a_unit_that_cannot_be_compared_is_asked_once() -> None:
    unit, rig = accepting()
    rig.run(60_000)
    assert unit.count(H.REQUEST_MASTER_INHIBIT) == 1
    assert rig.told(DeviceState) == []


def test_a_unit_in_trouble_is_asked_for_its_self_check_until_it_is_well() -> None:
    unit, rig = accepting()
    unit.fault = 3
    unit.happen((0, 14))
    rig.run(3000)
    assert (rig.told(DeviceState)[-1].state, rig.told(DeviceState)[-1].detail) == ("failure", "credit_sensor")
    unit.fault = 0
    rig.run(3000)
    assert rig.told(DeviceState)[-1].state == "idling"
    unit.happen((1, 0))
    rig.run(500)
    assert told(rig)


def test_silence_makes_the_state_unknown_and_the_unit_is_found_again() -> None:
    unit, rig = accepting()
    unit.deaf = True
    rig.run(5000)
    assert rig.told(DeviceState)[-1].state == "unknown"
    unit.deaf = False
    unit.happen((1, 0))
    rig.run(5000)
    assert rig.told(DeviceState)[-1].state == "idling"
    assert len(told(rig)) == 1


def test_while_too_many_coins_wait_the_buffer_is_not_read() -> None:
    unit, rig = accepting()
    rig.confirming = False
    for _ in range(30):
        unit.happen((1, 0), (1, 0), (1, 0))
        rig.run(250)
    rig.forget()
    rig.run(5000)
    assert unit.count(H.READ_BUFFERED_CREDIT) == 0


def test_a_unit_that_knows_no_self_check_is_not_asked_for_ever() -> None:
    unit = Acceptor()
    unit.handlers[H.PERFORM_SELF_CHECK] = lambda data: SILENT
    unit, rig = bench(unit)
    rig.run(3000)
    unit.happen((0, 14), (1, 0))
    rig.run(5000)
    assert len(told(rig)) == 1
    rig.forget()
    rig.run(2000)
    assert not unit.count(H.PERFORM_SELF_CHECK)


def test_health_is_told_again_on_demand() -> None:
    _, rig = accepting()
    rig.order(CheckHealth())
    assert [state.state for state in rig.told(DeviceState)] == ["idling"]


# --- a new run, a shared line -----------------------------------------------------------------------------------


def test_what_fell_while_nobody_listened_is_credited_once() -> None:
    unit = Acceptor()
    unit.counter = 253
    unit.happen((1, 0), (0, 1), (2, 0), (3, 0))
    _, rig = bench(unit, device_mark="12345678:253", note_serial="9")
    assert told(rig) == [(10, 200, "12345678:254"), (11, 100, "12345678:1"), (12, 50, "12345678:2")]
    assert all(coin.recovered for coin in rig.told(CoinAccepted))
    _, again = bench(unit, device_mark="12345678:2", note_serial="12")
    assert not told(again)


@pytest.mark.parametrize("mark", ["", "99:253", "nonsense"])
def test_without_a_mark_of_this_unit_nothing_old_is_credited(mark: str) -> None:
    unit = Acceptor()
    unit.counter = 253
    unit.happen((1, 0))
    _, rig = bench(unit, device_mark=mark)
    assert not told(rig)
    unit.happen((2, 0))
    rig.run(500)
    assert [value for _, value, _ in told(rig)] == [100]


def test_a_kiosk_that_dies_between_two_commits_credits_the_second_coin_after_its_start() -> None:
    unit, rig = accepting()
    rig.confirming = False
    unit.happen((1, 0), (3, 0))
    rig.run(500)
    first = rig.told(CoinAccepted)[0]
    _, again = bench(unit, device_mark=first.device_mark, note_serial="1")
    assert told(again) == [(2, 50, "12345678:2")]


def test_every_exchange_on_a_shared_line_has_its_turn() -> None:
    _, rig = bench(shared=True)
    assert rig.turns.count("turn") == rig.turns.count("turn_over") > 10


def test_a_line_that_others_use_is_waited_for() -> None:
    unit, rig = bench(shared=True)
    rig.forget()
    rig.taken = True
    rig.run(500)
    assert unit.heard == []
    rig.taken = False
    unit.happen((1, 0))
    rig.run(500)
    assert len(told(rig)) == 1


def test_replies_that_come_one_place_late_in_both_readings_give_no_table() -> None:
    unit = Acceptor()
    before = [0]

    def late(data: bytes) -> bytes:
        asked, before[0] = before[0] if data[0] == 2 else data[0], data[0]
        return COINS.get(asked, b"......")

    unit.handlers[H.REQUEST_COIN_ID] = late
    _, rig = bench(unit)
    assert not rig.told(CoinsKnown)
    assert "number 2 was told as" in rig.told(DeviceState)[-1].detail


def test_a_coin_booked_while_no_serial_was_heard_is_not_found_again_by_an_older_mark() -> None:
    unit = Acceptor()
    unit.counter = 4
    serial = unit.handlers[H.REQUEST_SERIAL_NUMBER]
    unit.handlers[H.REQUEST_SERIAL_NUMBER] = lambda data: SILENT
    unit, rig = bench(unit, device_mark="12345678:4")
    rig.order(EnableCoins(ALL))
    rig.run(1000)
    unit.happen((1, 1))
    rig.run(1000)
    (coin,) = rig.told(CoinAccepted)
    unit.handlers[H.REQUEST_SERIAL_NUMBER] = serial
    _, again = bench(unit, device_mark=coin.device_mark or "12345678:4")  # an empty mark replaces none in the books
    again.run(2000)
    assert not again.told(CoinAccepted)
