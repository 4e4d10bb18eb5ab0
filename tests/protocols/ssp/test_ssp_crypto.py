"""eSSP: the captured exchange and the captured blocks of the sheet, and what must stay closed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import FrameError
from kiosk.protocols.ssp.crypto import (
    FACTORY_FIXED_KEY,
    MAX_INNER,
    BlockFault,
    KeyExchange,
    Opened,
    Randomness,
    aes_key,
    decrypt,
    draw_exchange,
    intermediate,
    is_prime,
    open_block,
    seal,
)

SEALED: list[dict[str, Any]] = [
    row for row in json.loads(
        (Path(__file__).parents[2] / "vectors" / "ssp" / "vectors.json").read_text("utf-8")
    )["frames"] if row.get("key")
]  # fmt: skip
KEY = bytes(range(16))


def padding(count: int) -> bytes:
    return bytes(count)


def test_the_captured_exchange_gives_the_captured_key() -> None:
    """Sheet §16: the numbers of the vendor's C library."""
    generator, modulus, device_secret = 1708327109, 1710787681, 75272595
    slave = intermediate(generator, device_secret, modulus)
    assert slave == 1695568233
    shared = intermediate(1086093992, device_secret, modulus)
    assert shared == 1019053744
    assert aes_key(FACTORY_FIXED_KEY, shared).hex() == "6745230167452301b086bd3c00000000"


def test_both_ends_of_an_exchange_come_to_the_same_key() -> None:
    exchange = draw_exchange(Randomness(b"one"))
    secret = 123456789
    slave = intermediate(exchange.generator, secret, exchange.modulus)
    shared = intermediate(exchange.host_intermediate, secret, exchange.modulus)
    assert exchange.key(slave) == aes_key(FACTORY_FIXED_KEY, shared)


def test_an_exchange_keeps_to_the_sizes_of_the_sheet_and_is_never_drawn_twice() -> None:
    randomness = Randomness(b"seed")
    drawn = [draw_exchange(randomness) for _ in range(3)]
    for exchange in drawn:
        assert is_prime(exchange.generator)
        assert is_prime(exchange.modulus)
        assert exchange.modulus < exchange.generator < 2**32
        assert 2**30 <= exchange.secret < 2**31
    assert len(set(drawn)) == 3
    assert draw_exchange(Randomness(b"other")) != draw_exchange(Randomness(b"seed"))
    assert isinstance(drawn[0], KeyExchange)


@pytest.mark.parametrize("row", SEALED, ids=lambda row: row["hex"][12:35])
def test_a_captured_block_opens_to_its_counter_and_command(row: dict[str, Any]) -> None:
    key, data = bytes.fromhex(row["key"]), bytes.fromhex(row["data"])
    assert decrypt(key, data) == bytes.fromhex(row["block"])
    inner = bytes.fromhex(row["inner"])
    assert open_block(key, data) == Opened(row["count"], inner)
    pad = bytes.fromhex(row["block"])[5 + len(inner) : -2]
    assert seal(key, row["count"], inner, lambda count: pad[:count]) == data


@settings(max_examples=40)
@given(st.binary(min_size=1, max_size=MAX_INNER), st.integers(0, 2**32 - 1))
def test_what_is_sealed_opens_again_and_fits_a_frame(data: bytes, count: int) -> None:
    sealed = seal(KEY, count, data, padding)
    assert len(sealed) <= 255
    assert open_block(KEY, sealed) == Opened(count, data)


def test_another_key_is_told_by_the_checksum_and_a_cut_block_by_its_length() -> None:
    sealed = seal(KEY, 1, b"\x07", padding)
    assert open_block(bytes(16), sealed) == BlockFault("checksum")
    assert open_block(KEY, sealed[:-1]) == BlockFault("length")
    assert open_block(KEY, b"\x7e") == BlockFault("length")
    assert open_block(KEY, b"\xf0" + sealed[1:]) == BlockFault("length")


@pytest.mark.parametrize("size", [0, MAX_INNER + 1])
def test_what_does_not_fit_a_block_is_refused(size: int) -> None:
    with pytest.raises(FrameError):
        seal(KEY, 0, bytes(size), padding)


def test_primes_are_told_from_what_looks_like_one() -> None:
    assert [n for n in range(40) if is_prime(n)] == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37]
    assert not is_prime(3215031751)  # a strong pseudoprime to the bases 2, 3, 5 and 7
    assert is_prime(2**61 - 1)
