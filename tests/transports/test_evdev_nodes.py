"""Wedge scanners through event nodes: grabbed, all nodes read, drops resynchronised, unplugging told at once.

The evdev library is replaced by one that reads from pipes; the real one is tried in test_mock_hardware.py.
"""

from __future__ import annotations

import builtins
import errno
import os
import select
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kiosk.errors import ConfigError, TransportError
from kiosk.plugins.devices import PortRequest
from kiosk.transports import make_path
from kiosk.transports.evdev_nodes import RECORD
from tests.descriptors import no_more_than, open_descriptors

EVENT = struct.Struct("<HHi")
A, SHIFT = 30, 42


class FakeNode:
    """An input device as python-evdev shows it."""

    def __init__(self, path: str, phys: str, vendor: int = 0x0C2E, uniq: str = "B1") -> None:
        self.path, self.phys, self.uniq, self.name = path, phys, uniq, "Example Scanner"
        self.info = SimpleNamespace(vendor=vendor, product=0x0B61)
        self.keys: list[int] = []
        self.grabs = 0
        self.busy = self.gone = self.closed = False
        self.fd = self.pipe = -1

    def opened(self) -> FakeNode:
        self.fd, self.pipe = os.pipe2(os.O_NONBLOCK)
        self.closed = False
        return self

    def type(self, *events: tuple[int, int, int]) -> None:
        os.write(self.pipe, b"".join(EVENT.pack(*event) for event in events))

    def read(self) -> Iterator[Any]:
        if self.gone:
            raise OSError(errno.ENODEV, "No such device")
        data = os.read(self.fd, EVENT.size * 64)
        return iter([SimpleNamespace(type=t, code=c, value=v) for t, c, v in EVENT.iter_unpack(data)])

    def active_keys(self) -> list[int]:
        return self.keys

    def grab(self) -> None:
        if self.busy:
            raise OSError(errno.EBUSY, "busy")
        self.grabs += 1

    def ungrab(self) -> None:
        self.grabs -= 1

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self.fd)
            os.close(self.pipe)


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakeNode]]:
    """A scanner with two nodes, and a keyboard."""
    made = []
    for number, phys, vendor in ((5, "usb-1/input0", 0x0C2E), (6, "usb-1/input1", 0x0C2E), (7, "usb-2/input0", 0x046D)):
        (tmp_path / f"event{number}").touch()
        made.append(FakeNode(str(tmp_path / f"event{number}"), phys, vendor))
    by_path = {node.path: node for node in made}
    fake = SimpleNamespace(list_devices=lambda: list(by_path), InputDevice=lambda path: by_path[str(path)].opened())
    monkeypatch.setitem(sys.modules, "evdev", fake)  # type: ignore[arg-type]
    yield made
    for node in made:
        if node.fd >= 0:
            node.close()


def records(data: bytes) -> list[tuple[int, int, int, int]]:
    return list(RECORD.iter_unpack(data))


def read_some(path: Any) -> bytes:
    assert select.select([path.fileno()], [], [], 5)[0], "nothing came"
    data: bytes = path.read()
    return data


def test_all_nodes_of_the_scanner_are_grabbed_and_read_and_the_keyboard_is_left_alone(nodes: list[FakeNode]) -> None:
    path = make_path("evdev", {"port": nodes[0].path})
    facts = path.open()
    assert (facts["vendor"], facts["nodes"], facts["serial"]) == ("0c2e", "2", "B1")
    assert [node.grabs for node in nodes] == [1, 1, 0]
    assert nodes[2].closed
    nodes[0].type((1, A, 1), (0, 0, 0))
    assert records(read_some(path)) == [(0, 1, A, 1), (0, 0, 0, 0)]
    nodes[1].type((1, A, 1))
    assert records(read_some(path)) == [(1, 1, A, 1)]
    path.close()
    assert all(node.closed for node in nodes[:2])


def test_a_scanner_is_found_by_its_numbers_with_all_its_nodes(nodes: list[FakeNode]) -> None:
    path = make_path("evdev", {"port": "usb:0c2e:0b61"})
    assert path.open()["nodes"] == "2"
    path.close()


def test_two_scanners_of_one_kind_are_not_guessed_between(nodes: list[FakeNode]) -> None:
    nodes[2].info.vendor = 0x0C2E
    with pytest.raises(TransportError, match="fits 2 devices"):
        make_path("evdev", {"port": "usb:0c2e:0b61"}).open()
    assert all(node.closed for node in nodes)
    nodes[2].uniq = "B2"
    path = make_path("evdev", {"port": "usb:0c2e:0b61:B2"})
    assert path.open()["nodes"] == "1"
    path.close()


def test_a_node_is_not_grabbed_while_a_key_is_down_but_as_soon_as_it_is_up(nodes: list[FakeNode]) -> None:
    nodes[0].keys = [SHIFT]
    path = make_path("evdev", {"port": nodes[0].path})
    path.open()
    assert [node.grabs for node in nodes[:2]] == [0, 1]
    nodes[0].keys = []
    nodes[0].type((1, SHIFT, 0))
    read_some(path)
    assert nodes[0].grabs == 1
    path.close()


def test_a_key_that_goes_down_in_the_moment_of_the_grab_gives_it_up_again(nodes: list[FakeNode]) -> None:
    answers = iter([[], [SHIFT], [SHIFT]])
    nodes[0].active_keys = lambda: next(answers, [])  # type: ignore[method-assign]
    path = make_path("evdev", {"port": nodes[0].path})
    path.open()
    assert nodes[0].grabs == 0
    nodes[0].type((1, SHIFT, 0))
    read_some(path)  # still down when looked at
    nodes[0].type((0, 0, 0))
    read_some(path)
    assert nodes[0].grabs == 1
    path.close()


@pytest.mark.parametrize("port", ["usb:0c2e:0b61", "path"])
def test_somebody_elses_node_that_goes_while_it_is_looked_at_hinders_nothing(
    nodes: list[FakeNode], port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> FakeNode:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(nodes[2], "opened", gone)
    path = make_path("evdev", {"port": nodes[0].path if port == "path" else port})
    assert path.open()["nodes"] == "2"
    path.close()


def test_after_dropped_events_the_driver_hears_of_the_drop_and_of_the_keys_that_are_down(nodes: list[FakeNode]) -> None:
    path = make_path("evdev", {"port": nodes[0].path})
    path.open()
    nodes[0].keys = [SHIFT]
    nodes[0].type((1, A, 1), (0, 3, 0), (1, A, 0), (1, A, 1), (0, 0, 0), (1, A, 0))
    assert records(read_some(path)) == [(0, 1, A, 1), (0, 0, 3, 0), (0, 0, 0, 0), (0, 1, SHIFT, 1), (0, 1, A, 0)]
    path.close()


def test_a_scanner_that_another_program_holds_is_an_error_and_leaks_nothing(nodes: list[FakeNode]) -> None:
    nodes[1].busy = True
    before = open_descriptors()
    with pytest.raises(TransportError, match="busy") as caught:
        make_path("evdev", {"port": nodes[0].path}).open()
    assert "another program" in caught.value.hint
    assert no_more_than(before)


def test_unplugging_is_told_and_the_dead_descriptor_dropped(nodes: list[FakeNode]) -> None:
    path = make_path("evdev", {"port": nodes[0].path})
    path.open()
    nodes[0].type((1, A, 1))
    nodes[0].gone = True
    with pytest.raises(TransportError, match="unplugged"):
        read_some(path)
    assert path.fileno() == -1
    assert all(node.closed for node in nodes[:2])


def test_a_missing_library_names_the_package(nodes: list[FakeNode], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "evdev")
    real = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name == "evdev":
            raise ImportError("No module named 'evdev'")
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TransportError, match="evdev") as caught:
        make_path("evdev", {"port": nodes[0].path}).open()
    assert "python3-evdev" in caught.value.hint


def test_flushing_throws_away_what_was_typed(nodes: list[FakeNode]) -> None:
    path = make_path("evdev", {"port": nodes[0].path})
    path.open()
    nodes[0].type((1, A, 1))
    assert path.request(PortRequest(1, "flush_input")).ok
    assert path.read() == b""
    path.close()


def test_an_event_number_alone_is_no_identity() -> None:
    with pytest.raises(ConfigError, match="neither"):
        make_path("evdev", {"port": "event5"})
