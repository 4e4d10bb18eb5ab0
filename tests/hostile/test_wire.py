"""Bytes that are no frames, on the wire of a real kernel and driver on a virtual clock: no cent goes astray.

The simulated acceptor and its money are whole; only what it says reaches the kiosk broken: cut at every byte,
flipped, preceded by rubbish, replaced by it, in pieces, longer than any buffer.  Three answers in ten are hit, so
that a payment can go on between them.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.crash_core import Plan, Word
from bench.crash_scenarios import BY_NAME, make_city
from bench.crash_world import World
from kiosk.app import Setup
from kiosk.drivers.escpos_printer import SPEC as PRINTER
from kiosk.drivers.id003_acceptor import SPEC as ACCEPTOR
from kiosk.drivers.line_scanner import SPEC as SCANNER
from kiosk.model.device_events import NoteEscrowed, NoteStacked, Printed, Scanned
from kiosk.plugins.conformance import check_driver
from kiosk.plugins.devices import DriverTools, Opened

#: What becomes of one answer: the pieces in which it arrives.
Mangle = Callable[[bytes, random.Random], list[bytes]]


def cut(at: int) -> Mangle:
    """Only the first bytes arrive."""
    return lambda data, chance: [data[: at % len(data)]]


def tail(at: int) -> Mangle:
    """The first bytes are lost."""
    return lambda data, chance: [data[at % len(data) :]]


def pieces(at: int) -> Mangle:
    """It arrives whole, in two pieces."""
    return lambda data, chance: [data[: at % len(data)], data[at % len(data) :]]


def flipped(at: int) -> Mangle:
    """One byte is another one."""

    def mangle(data: bytes, chance: random.Random) -> list[bytes]:
        place = at % len(data)
        return [data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]]

    return mangle


MANGLES: dict[str, Mangle] = {
    **{f"cut at byte {at}": cut(at) for at in range(1, 7)},
    **{f"without its first {at}": tail(at) for at in range(1, 5)},
    **{f"in two pieces at {at}": pieces(at) for at in range(1, 6)},
    **{f"byte {at} flipped": flipped(at) for at in range(6)},
    "rubbish": lambda data, chance: [chance.randbytes(len(data))],
    "rubbish before": lambda data, chance: [chance.randbytes(40) + data],
    "rubbish behind": lambda data, chance: [data + chance.randbytes(40)],
    "longer than the buffer": lambda data, chance: [b"\xfc\xff" * 400],
    "a length that never ends": lambda data, chance: [b"\xfc\xff\x11"],
    "nothing but SYNC": lambda data, chance: [b"\xfc" * 700],
    "twice": lambda data, chance: [data, data],
}


class Mangled(World):
    """A world whose acceptor is heard badly."""

    mangle: Mangle

    def _exchange(self) -> None:
        for _ in range(64):
            self._tick_devices()
            spoken = False
            for name, device in (("notes", self.acceptor), ("receipt", self.printer)):
                for data in device.take_outbound():
                    spoken = True
                    parts = [data]
                    if name == "notes" and self.chance.random() < 0.3:
                        self.hits = getattr(self, "hits", 0) + 1
                        parts = self.mangle(data, self.chance)
                    for part in parts:
                        self.tell(Word("bytes", self.now, name, part))
            if not spoken or not self.alive:
                return


@pytest.fixture(scope="module")
def city() -> Iterator[tuple[Setup, Path, Path]]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as where:
        setup, replica = make_city(Path(where) / "city")
        yield setup, replica, Path(where)


@pytest.mark.parametrize("name", list(MANGLES))
def test_a_payment_over_a_broken_wire_loses_no_cent(city: tuple[Setup, Path, Path], name: str) -> None:
    setup, replica, room = city
    state = Path(tempfile.mkdtemp(dir=room))
    world = Mangled(setup, BY_NAME["exact"], state, replica, seed=7)
    world.mangle = MANGLES[name]
    outcome = world.play((Plan(),))
    assert outcome.differences == ()
    assert outcome.kills == 0
    assert outcome.box_minor == outcome.credited_minor + outcome.suspended_minor + outcome.disputed_minor
    assert world.hits > 10
    assert (outcome.credited_minor, outcome.disputed_minor, outcome.receipts) == (2500, 0, 1)


@pytest.mark.parametrize("spec", [ACCEPTOR, PRINTER, SCANNER], ids=lambda spec: spec.name)
def test_a_driver_survives_any_bytes_in_any_pieces_and_believes_no_money_in_them(spec: object) -> None:
    chance = random.Random(20)
    for _ in range(8):
        driver = spec.build(spec.options(), DriverTools("USD"))  # type: ignore[attr-defined]
        driver.remember({}, None, bytes(32))
        driver.port(Opened({}), 0)
        now = 0
        for _ in range(40):
            now += chance.randrange(1, 200) * 1_000_000
            driver.received(chance.randbytes(chance.choice((1, 2, 5, 64, 700, 5000))), now)
            driver.tick(now)
            driver.take_outbound()
            for event in driver.take_events():
                assert not isinstance(event, NoteStacked | NoteEscrowed | Printed)
                if isinstance(event, Scanned):
                    assert len(event.label) <= 512
    assert check_driver(spec, [b"\xfc" * 600, b"\x00" * 2000, bytes(range(256)) * 4]) == []  # type: ignore[arg-type]
