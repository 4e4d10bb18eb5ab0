"""The bounded buffer and the checksums that framed protocols share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import FrameError
from kiosk.protocols.framing import BoundedBuffer, crc16_kermit


def test_the_kermit_crc_has_its_published_check_value() -> None:
    assert crc16_kermit(b"123456789") == 0x2189


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_a_crc_goes_on_from_a_part(head: bytes, tail: bytes) -> None:
    assert crc16_kermit(tail, crc16_kermit(head)) == crc16_kermit(head + tail)


@given(st.binary(max_size=80))
def test_the_residue_over_data_and_its_crc_is_zero(data: bytes) -> None:
    assert crc16_kermit(data + crc16_kermit(data).to_bytes(2, "little")) == 0


def test_a_buffer_never_holds_more_than_its_limit_and_gives_the_rest_back() -> None:
    buffer = BoundedBuffer(4)
    assert buffer.fill(b"abcdef") == b"ef"
    assert (len(buffer), buffer.room(), buffer.peek()) == (4, 0, b"abcd")
    assert buffer.take(2) == b"ab"
    assert buffer.fill(b"ef") == b""
    assert buffer.find(ord("e")) == 2
    assert buffer.clear() == b"cdef"
    assert len(buffer) == 0


def test_a_buffer_of_nothing_is_refused() -> None:
    with pytest.raises(FrameError):
        BoundedBuffer(0)
