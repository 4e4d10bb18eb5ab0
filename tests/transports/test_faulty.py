"""The misbehaving path misbehaves as ordered, and the same way for the same seed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kiosk.errors import TransportError
from kiosk.transports.faulty import Faults, FaultyPath
from kiosk.transports.loopback import Loopback

TEXT = bytes(range(256)) * 4


@pytest.fixture
def wire() -> Iterator[Loopback]:
    made = Loopback()
    made.open()
    yield made
    made.close()


def pulled(wire: Loopback, faults: Faults) -> list[bytes]:
    """Send the text and return what the faulty path makes of it, read by read."""
    path = FaultyPath(wire, faults)
    wire.device_wrote(TEXT)
    return [piece for piece in (path.read() for _ in range(300)) if piece]


def test_without_faults_nothing_changes(wire: Loopback) -> None:
    assert pulled(wire, Faults()) == [TEXT]


def test_splitting_changes_the_pieces_and_not_the_bytes(wire: Loopback) -> None:
    pieces = pulled(wire, Faults(seed=1, split=1000))
    assert len(pieces) > 3
    assert b"".join(pieces) == TEXT


def test_delay_keeps_bytes_back_and_gives_them_later(wire: Loopback) -> None:
    path = FaultyPath(wire, Faults(delay=1000))
    wire.device_wrote(b"late")
    assert path.read() == b""
    assert path.read() == b"late"


def test_dropping_doubling_and_garbling_change_the_bytes(wire: Loopback) -> None:
    assert len(b"".join(pulled(wire, Faults(seed=2, drop=200)))) < len(TEXT)
    assert len(b"".join(pulled(wire, Faults(seed=2, duplicate=200)))) > len(TEXT)
    garbled = b"".join(pulled(wire, Faults(seed=2, garble=200)))
    assert len(garbled) == len(TEXT)
    assert garbled != TEXT


def test_the_same_seed_makes_the_same_faults(wire: Loopback) -> None:
    faults = Faults(seed=7, split=300, drop=50, garble=50, duplicate=50)
    assert pulled(wire, faults) == pulled(wire, faults)


def test_a_cut_loses_the_line(wire: Loopback) -> None:
    with pytest.raises(TransportError, match="cut as ordered"):
        pulled(wire, Faults(cut_after=100))
    assert wire.fileno() == -1


def test_writes_are_spoiled_but_counted_as_good(wire: Loopback) -> None:
    path = FaultyPath(wire, Faults(drop=1000))
    assert path.write(b"all gone") == 8
    assert wire.device_reads() == b""
