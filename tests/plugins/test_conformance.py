"""The conformance kit finds what is broken, and finds nothing in the drivers that come with the kiosk."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import msgspec
import pytest

from kiosk.model.commands import DeviceCommand
from kiosk.model.device_events import CommandRefused, DeviceEvent, DeviceState, Scanned
from kiosk.plugins.builtins import BUILT_IN
from kiosk.plugins.conformance import check_driver
from kiosk.plugins.devices import DriverSpec, OpenNote, Outbound, PortEvent, Sent, Write
from kiosk.protocols.id003.frames import encode

#: What each device sends in real life; the drivers' own tests know far more.
VECTORS: Mapping[str, tuple[bytes, ...]] = {
    "id003_acceptor": (encode(0x11), encode(0x40), encode(0x1B), encode(0x13, b"\x63"), encode(0x15)),
    "line_scanner": (b"4711-0815\r\n", b"\x02]C0PK-1234567\x03\r"),
    "wedge_scanner": (bytes.fromhex("0001 0200 01000000 0001 0200 00000000 0001 1c00 01000000".replace(" ", "")),),
    "escpos_printer": (b"\x16\x12\x12\x12", b"\x37\x22\x31\x00"),
}


class Options(msgspec.Struct, frozen=True):
    pass


class Echo:
    """A well-behaved scanner of lines; the tests below break it in one place each."""

    def __init__(self) -> None:
        self.buffer = b""
        self.events: list[DeviceEvent] = []
        self.outbound: list[Outbound] = []

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None: ...

    def port(self, event: PortEvent, now: int) -> None: ...

    def received(self, data: bytes, now: int) -> None:
        self.buffer += data
        while b"\n" in self.buffer:
            line, _, self.buffer = self.buffer.partition(b"\n")
            self.events.append(Scanned(line.decode("latin-1")))
        self.buffer = self.buffer[-100:]

    def tick(self, now: int) -> None: ...

    def command(self, cmd: DeviceCommand, now: int) -> None:
        self.events.append(CommandRefused(str(cmd.__struct_config__.tag), "a scanner"))

    def deadline(self) -> int | None:
        return None

    def take_outbound(self) -> list[Outbound]:
        taken, self.outbound = self.outbound, []
        return taken

    def take_events(self) -> list[DeviceEvent]:
        taken, self.events = self.events, []
        return taken


def spec_of(driver: type[Any]) -> DriverSpec:
    return DriverSpec(
        name="echo", device_class="Scanner", transports=("serial",), options=Options,
        build=lambda options, tools: driver(), states=("ready",),
    )  # fmt: skip


class ForgetsSplits(Echo):
    def received(self, data: bytes, now: int) -> None:
        if data.endswith(b"\n"):
            self.events.append(Scanned(data[:-1].decode("latin-1")))


class DiesOfGarbage(Echo):
    def received(self, data: bytes, now: int) -> None:
        data.decode("ascii")


class Spins(Echo):
    def deadline(self) -> int | None:
        return 5


class Swallows(Echo):
    def command(self, cmd: DeviceCommand, now: int) -> None: ...


class Invents(Echo):
    def port(self, event: PortEvent, now: int) -> None:
        self.events.append(DeviceState("splendid", "ok"))


class Floods(Echo):
    def received(self, data: bytes, now: int) -> None:
        self.outbound.append(Write(bytes(5_000_000)))


class NeverEnds(Echo):
    def port(self, event: PortEvent, now: int) -> None:
        self.outbound.append(Write(b"x") if isinstance(event, Sent) else Write(b"y"))


class Fractions(Echo):
    def deadline(self) -> int | None:
        return 1e99  # type: ignore[return-value]


def test_a_driver_that_keeps_the_contract_has_no_findings() -> None:
    assert check_driver(spec_of(Echo), [b"4711\n", b"a\nb\n"]) == []


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        (ForgetsSplits, "something else"),
        (DiesOfGarbage, "UnicodeDecodeError"),
        (Spins, "did not move"),
        (Swallows, "not refused"),
        (Invents, "splendid"),
        (Floods, "queues more"),
        (NeverEnds, "for ever"),
        (Fractions, "whole nanoseconds"),
    ],
)
def test_the_kit_finds_a_driver_that_breaks_the_contract(driver: type[Any], words: str) -> None:
    findings = check_driver(spec_of(driver), [b"4711\n"])
    assert any(words in finding.message for finding in findings)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_driver_keeps_the_contract(name: str) -> None:
    spec = import_module(BUILT_IN[name]).SPEC
    assert check_driver(spec, VECTORS.get(name, ())) == []
