"""The simulated hopper pays what it was asked for, counts what it paid, and keeps both through every accident."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import SimulatorError
from kiosk.protocols.cctalk.device_hopper import USD_QUARTERS, CctalkHopper, HopperUnit
from kiosk.protocols.cctalk.frames import Decoder, Frame, Framing
from kiosk.protocols.cctalk.headers import Header, HopperFlag, hopper_flags
from kiosk.protocols.cctalk.payloads import HopperStatus, number, number_bytes, parse_hopper_status

MS = 1_000_000
SERIAL = number_bytes(USD_QUARTERS.identity.serial)


class Bench:
    """A hopper and a host that asks by hand."""

    def __init__(self, unit: HopperUnit = USD_QUARTERS, *, coins: int = 10, enable: bool = True) -> None:
        self.hopper = CctalkHopper(unit, coins=coins)
        self.now = 0
        if enable:
            assert self.ask(Header.ENABLE_HOPPER, bytes((165,))) == b""

    def ask(self, header: Header, data: bytes = b"") -> bytes | Header | None:
        """Return the data of the reply, NAK, or None for silence."""
        self.hopper.received(Framing().encode(3, header, data), self.now)
        found = Decoder(Framing(), (1,)).feed(b"".join(self.hopper.take_outbound()))
        if not found:
            return None
        (frame,) = found
        assert isinstance(frame, Frame)
        assert frame.source == 3
        return frame.data if frame.header == Header.REPLY else Header(frame.header)

    def dispense(self, coins: int, security: bytes = SERIAL) -> bytes | Header | None:
        return self.ask(Header.DISPENSE_HOPPER_COINS, security + bytes((coins,)))

    def wait(self, ms: int) -> None:
        self.now += ms * MS
        self.hopper.tick(self.now)

    def power_cycle(self) -> None:
        self.hopper.cut_power()
        self.wait(1000)
        self.hopper.restore_power()
        self.wait(1000)

    @property
    def status(self) -> HopperStatus:
        told = self.ask(Header.REQUEST_HOPPER_STATUS)
        assert isinstance(told, bytes)
        return parse_hopper_status(told)

    @property
    def flags(self) -> frozenset[HopperFlag]:
        told = self.ask(Header.TEST_HOPPER)
        assert isinstance(told, bytes)
        return hopper_flags(told)


def test_a_dispense_pays_coin_by_coin_and_names_itself_by_the_event_counter() -> None:
    bench = Bench()
    assert bench.dispense(3) == b"\x01"
    assert bench.status == HopperStatus(1, 3, 0, 0)
    bench.wait(120)
    assert bench.status == HopperStatus(1, 2, 1, 0)
    bench.wait(5000)
    assert bench.status == HopperStatus(1, 0, 3, 0)
    assert bench.hopper.paid_out == [25, 25, 25]
    assert (bench.hopper.coins, bench.ask(Header.REQUEST_HOPPER_DISPENSE_COUNT)) == (7, number_bytes(3))
    assert bench.ask(Header.REQUEST_HOPPER_COIN) == b"US025A"


def test_a_hopper_that_runs_empty_tells_what_it_could_not_pay_and_takes_the_next_dispense() -> None:
    bench = Bench(coins=2)
    bench.dispense(5)
    bench.wait(10_000)
    assert bench.status == HopperStatus(1, 0, 2, 3)
    assert HopperFlag.TIMEOUT in bench.flags
    bench.hopper.fill(20)
    assert bench.dispense(1) == b"\x02"
    bench.wait(1000)
    assert bench.status == HopperStatus(2, 0, 1, 0)
    assert bench.hopper.paid_out == [25] * 3


@pytest.mark.parametrize(("hand", "flag"), [
    ("jam", HopperFlag.OVER_CURRENT), ("block_exit", HopperFlag.BLOCKED_DURING_PAYOUT),
])  # fmt: skip
def test_a_fault_during_a_payout_ends_it_and_refuses_the_next_until_a_reset(hand: str, flag: HopperFlag) -> None:
    bench = Bench()
    bench.dispense(4)
    bench.wait(130)
    getattr(bench.hopper, hand)()
    bench.wait(10_000)
    assert bench.status == HopperStatus(1, 0, 1, 3)
    assert flag in bench.flags
    getattr(bench.hopper, hand)(False)
    assert bench.dispense(3) == Header.NAK
    assert bench.ask(Header.RESET_DEVICE) == b""
    bench.wait(1000)
    assert bench.ask(Header.ENABLE_HOPPER, b"\xa5") == b""
    assert bench.dispense(3) == b"\x01"
    bench.wait(1000)
    assert bench.hopper.paid_out == [25] * 4


def test_power_lost_in_a_payout_stops_it_and_keeps_its_figures_and_the_lifetime_count() -> None:
    bench = Bench()
    bench.dispense(5)
    bench.wait(250)
    bench.power_cycle()
    assert bench.status == HopperStatus(0, 0, 2, 3)
    assert {HopperFlag.POWER_LOST_DURING_PAYOUT, HopperFlag.POWER_UP, HopperFlag.DISABLED} <= bench.flags
    assert (bench.hopper.coins, bench.hopper.paid_out) == (8, [25, 25])
    assert bench.ask(Header.REQUEST_HOPPER_DISPENSE_COUNT) == number_bytes(2)
    assert bench.dispense(1) == Header.NAK, "enabling is lost with the power"


def test_a_lost_reply_to_a_dispense_is_told_by_the_event_counter() -> None:
    bench = Bench()
    bench.hopper.lose_replies(1)
    assert bench.dispense(2) is None
    bench.wait(1000)
    assert bench.status == HopperStatus(1, 0, 2, 0)


def test_a_dispense_that_never_arrived_leaves_the_event_counter_as_it_was() -> None:
    bench = Bench()
    raw = bytearray(Framing().encode(3, Header.DISPENSE_HOPPER_COINS, SERIAL + b"\x02"))
    raw[-1] ^= 1
    bench.hopper.received(bytes(raw), bench.now)
    assert bench.hopper.take_outbound() == []
    assert bench.status == HopperStatus(0, 0, 0, 0)


def test_the_event_counter_goes_from_255_to_1() -> None:
    bench = Bench()
    bench.hopper.set_event_counter(254)
    assert bench.dispense(1) == b"\xff"
    bench.wait(1000)
    assert bench.dispense(1) == b"\x01"


@pytest.mark.parametrize("counts", [False, True])
def test_a_refused_dispense_pays_nothing_whether_or_not_it_is_counted(counts: bool) -> None:
    bench = Bench(msgspec.structs.replace(USD_QUARTERS, counts_refusals=counts))
    assert bench.dispense(2, b"\0\0\0") == Header.NAK
    assert bench.dispense(0) == Header.NAK
    bench.wait(5000)
    assert bench.status == HopperStatus(2 if counts else 0, 0, 0, 0)
    assert bench.hopper.paid_out == []
    assert bench.ask(Header.REQUEST_HOPPER_DISPENSE_COUNT) == number_bytes(0)


def test_a_second_dispense_is_refused_while_one_is_under_way() -> None:
    bench = Bench()
    bench.dispense(3)
    assert bench.dispense(3) == Header.NAK
    bench.wait(5000)
    assert bench.hopper.paid_out == [25] * 3


def test_an_emergency_stop_tells_how_many_coins_were_left() -> None:
    bench = Bench()
    bench.dispense(5)
    bench.wait(250)
    assert bench.ask(Header.EMERGENCY_STOP) == b"\x03"
    bench.wait(5000)
    assert bench.status == HopperStatus(1, 0, 2, 3)
    clearing = Bench(msgspec.structs.replace(USD_QUARTERS, clears_unpaid=True))
    clearing.dispense(5)
    clearing.wait(250)
    clearing.ask(Header.EMERGENCY_STOP)
    assert clearing.status == HopperStatus(1, 0, 2, 0), "some units clear it: the host keeps its own figure"


def test_an_unencrypted_hopper_wants_a_cipher_key_before_each_dispense() -> None:
    bench = Bench(msgspec.structs.replace(USD_QUARTERS, security="none", tells_counter=False))
    assert bench.dispense(1, bytes(8)) == Header.NAK
    for _ in range(2):
        assert bench.ask(Header.PUMP_RNG, bytes(8)) == b""
        key = bench.ask(Header.REQUEST_CIPHER_KEY)
        assert isinstance(key, bytes)
        assert len(key) == 8
        assert bench.dispense(1, bytes(8)) == b"", "an old unit says ACK and no counter"
        bench.wait(1000)
    assert bench.dispense(1, bytes(8)) == Header.NAK
    assert bench.hopper.paid_out == [25, 25]


def test_a_disabled_hopper_and_one_of_single_coins_refuse() -> None:
    assert Bench(enable=False).dispense(1) == Header.NAK
    single = Bench(msgspec.structs.replace(USD_QUARTERS, single_coin=True))
    assert single.dispense(2) == Header.NAK
    assert single.dispense(1) == b"\x01"


def test_the_level_sensors_tell_low_and_high() -> None:
    assert Bench(coins=19).ask(Header.REQUEST_PAYOUT_STATUS) == bytes((0x31,))
    assert Bench(coins=20).ask(Header.REQUEST_PAYOUT_STATUS) == bytes((0x30,))
    assert Bench(coins=400).ask(Header.REQUEST_PAYOUT_STATUS) == bytes((0x32,))
    blind = msgspec.structs.replace(USD_QUARTERS, low_below=None, high_from=None)
    assert Bench(blind, coins=0).ask(Header.REQUEST_PAYOUT_STATUS) == b"\x00"


def test_nobody_takes_coins_out_by_filling() -> None:
    with pytest.raises(SimulatorError, match="puts -1 coins in"):
        CctalkHopper().fill(-1)


_ACTS = st.one_of(
    st.tuples(st.just("dispense"), st.integers(0, 6)),
    st.tuples(st.just("wait"), st.sampled_from([60, 130, 400, 2500])),
    st.sampled_from([("power", 0), ("reset", 0), ("jam", 0), ("free", 0), ("stop", 0), ("fill", 3), ("lose", 0)]),
)


@settings(max_examples=40)
@given(st.lists(_ACTS, max_size=25))
def test_coins_are_inside_or_paid_and_the_lifetime_count_is_what_was_paid(acts: list[tuple[str, int]]) -> None:
    bench = Bench()
    put_in = 10
    for act, figure in acts:
        match act:
            case "dispense":
                bench.dispense(figure)
            case "wait":
                bench.wait(figure)
            case "power":
                bench.power_cycle()
            case "reset":
                bench.ask(Header.RESET_DEVICE)
                bench.wait(1000)
            case "jam" | "free":
                bench.hopper.jam(act == "jam")
            case "stop":
                bench.ask(Header.EMERGENCY_STOP)
            case "fill":
                bench.hopper.fill(figure)
                put_in += figure
            case _:
                bench.hopper.lose_replies(1)
        bench.ask(Header.ENABLE_HOPPER, b"\xa5")
    bench.hopper.lose_replies(0)
    counted = bench.ask(Header.REQUEST_HOPPER_DISPENSE_COUNT)
    assert isinstance(counted, bytes)
    assert number(counted) == len(bench.hopper.paid_out)
    assert bench.hopper.coins + len(bench.hopper.paid_out) == put_in
    assert bench.hopper.paid_out == [25] * len(bench.hopper.paid_out)
