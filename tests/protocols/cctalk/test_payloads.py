"""Values of coins and notes: what the unit tells, whole minor units, and nothing by guess."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.api import FrameError, Money
from kiosk.protocols.cctalk.bills import read_bills
from kiosk.protocols.cctalk.coins import coin_reject_reason, read_coins
from kiosk.protocols.cctalk.headers import (
    BILL_EVENTS,
    COIN_ERRORS,
    HopperFlag,
    coin_error_name,
    hopper_flags,
    hopper_registers,
)
from kiosk.protocols.cctalk.hopper_words import HOPPER_STATES, flag_words, hopper_coin
from kiosk.protocols.cctalk.payloads import (
    Scaling,
    accepted,
    cvf_minor,
    encode_bill_id,
    encode_coin_id,
    encode_scaling,
    mask,
    number,
    number_bytes,
    parse_bill_id,
    parse_coin_id,
    parse_scaling,
)


@pytest.mark.parametrize(
    ("told", "country", "minor"),
    [
        (b"EU200A", "EU", 200), (b"EU010A", "EU", 10), (b"GB100A", "GB", 100), (b"......", "", None),
        (b"Token ", "", None), (b"TK001A", "TK", None), (b"EU2.5A", "", None), (b"EU000A", "EU", None),
        (b"EU200", "", None), (b"\xff\x00\x01\x02\x03\x04", "", None),
    ],
)  # fmt: skip
def test_a_coin_id_is_money_only_as_a_whole_number_of_minor_units(told: bytes, country: str, minor: int | None) -> None:
    coin = parse_coin_id(told)
    assert (coin.country, coin.minor) == (country, minor)


@pytest.mark.parametrize(
    ("told", "scaling", "digits", "minor"),
    [
        (b"EU0005A", Scaling(100, 2), 2, 500), (b"EU0500A", Scaling(100, 2), 2, 50_000),
        (b"JP1000A", Scaling(1, 0), 0, 1000), (b"KW0005A", Scaling(1000, 3), 3, 5000),
        (b"US0005A", Scaling(1, 0), 2, 500), (b"XX0005A", Scaling(1, 3), 2, None), (b"XX0050A", Scaling(1, 3), 2, 5),
        (b".......", Scaling(100, 2), 2, None), (b"EU0005A", Scaling(0, 2), 2, None),
    ],
)  # fmt: skip
def test_a_bill_is_worth_its_text_times_the_scaling_factor(
    told: bytes, scaling: Scaling, digits: int, minor: int | None
) -> None:
    assert parse_bill_id(told).minor(scaling, digits) == minor


@given(st.integers(1, 999), st.integers(1, 9999), st.integers(0, 65_535), st.integers(0, 6))
@settings(max_examples=40)
def test_what_a_unit_tells_is_read_as_it_was_meant(coin: int, bill: int, factor: int, decimals: int) -> None:
    assert parse_coin_id(encode_coin_id("EU", coin)).minor == coin
    assert parse_bill_id(encode_bill_id("EU", bill)).value == bill
    assert parse_scaling(encode_scaling(Scaling(factor, decimals))) == Scaling(factor, decimals)


@pytest.mark.parametrize("data", [b"", b"\x64\x00", b"\x64\x00\x02\x00", b"\x64\x00\xff"])
def test_a_wild_scaling_factor_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        parse_scaling(data)


@pytest.mark.parametrize(
    ("code", "minor"), [(100, 100), (148, 200), (178, 500), (255, None), (0, None), (128, None), (127, 127)]
)
def test_the_worked_cvf_codes_come_out(code: int, minor: int | None) -> None:
    assert cvf_minor(code) == minor


@given(st.sets(st.integers(1, 32)))
@settings(max_examples=40)
def test_a_mask_accepts_exactly_what_was_put_in(positions: set[int]) -> None:
    assert accepted(mask(positions, 4)) == tuple(sorted(positions))


def test_a_position_outside_the_mask_is_refused() -> None:
    with pytest.raises(FrameError):
        mask([17], 2)


@given(st.binary(min_size=1, max_size=4))
@settings(max_examples=30)
def test_numbers_are_low_byte_first(data: bytes) -> None:
    assert number_bytes(number(data), len(data)) == data


@given(st.sets(st.sampled_from(list(HopperFlag))))
@settings(max_examples=40)
def test_flags_survive_their_registers(flags: set[HopperFlag]) -> None:
    registers = hopper_registers(flags)
    assert hopper_flags(registers) == flags
    assert flag_words(registers)[0] in HOPPER_STATES


def test_a_shorter_answer_has_fewer_flags() -> None:
    assert hopper_flags(b"\x02") == {HopperFlag.TIMEOUT}
    assert hopper_flags(b"") == frozenset()


def test_every_code_of_a_coin_that_came_back_has_a_reason_and_every_code_a_name() -> None:
    for code in range(256):
        name, reason = coin_error_name(code), coin_reject_reason(code)
        assert name
        assert reason == "" or name != "unknown"
    assert len(COIN_ERRORS) == 44
    assert set(BILL_EVENTS) == set(range(22))


def test_a_table_leaves_out_what_is_not_ours() -> None:
    coins = [(b"\x01", b"EU200A"), (b"\x02", b"GB100A"), (b"\x03", b"Token "), (b"\x05", b"EU050A")] * 2
    assert read_coins(coins, "EUR", "EU", ()) == ({1: Money(200, "EUR"), 5: Money(50, "EUR")}, "")
    assert "GB" in read_coins(coins[1:3] * 2, "EUR", "EU", ())[1]
    assert "position 2 is GB100A" in read_coins(coins, "EUR", "EU", ("EU200A", "EU100A"))[1]
    bills = [(b"\x01", b"EU0005A"), (b"\x02", b"GB0005A")] * 2
    assert read_bills(bills, b"\x64\x00\x02", "EUR", "EU", ()) == ({1: Money(500, "EUR")}, "")
    assert read_bills(bills, None, "EUR", "EU", ())[1]


def test_a_table_whose_two_readings_differ_gives_no_value_at_all() -> None:
    """A reply that came twice moves every value one place further, and the notes would be booked at a wrong value."""
    once = [(b"\x01", b"EU0005A"), (b"\x02", b"EU0010A")]
    moved = [(b"\x01", b"EU0005A"), (b"\x02", b"EU0005A")]
    assert read_bills(once + moved, b"\x64\x00\x02", "EUR", "EU", ())[0] == {}
    assert "only once" in read_bills(once, b"\x64\x00\x02", "EUR", "EU", ())[1]
    coins = [(b"\x01", b"EU200A"), (b"\x02", b"EU100A"), (b"\x01", b"EU200A"), (b"\x02", b"EU200A")]
    assert "number 2" in read_coins(coins, "EUR", "EU", ())[1]


@pytest.mark.parametrize(
    ("told", "configured", "problem"),
    [(b"EU050A", 0, ""), (None, 50, ""), (b"EU050A", 50, ""), (b"EU050A", 20, "configured"), (None, 0, "not tell"),
     (b"GB050A", 50, "not a coin of EU"), (b"??????", 50, "")],
)  # fmt: skip
def test_the_coin_of_a_hopper_is_told_twice_alike_or_not_at_all(
    told: bytes | None, configured: int, problem: str
) -> None:
    minor, said = hopper_coin(told, "EU", configured)
    assert (minor == 50) is (problem == "")
    assert problem in said
