"""The server opens a port of its own, says where, and ends in time."""

from __future__ import annotations

import http.client
import threading

import pytest

from kiosk.errors import TransportError
from kiosk.screen.app import build
from kiosk.screen.server import ScreenServer
from kiosk.texts import Catalogue
from tests.screen.pictures import PICTURES, TOKEN, FakeDesk
from tests.screen.test_events import event, stream


def test_a_port_of_zero_takes_a_free_one_on_the_loopback_address(served: tuple[str, int]) -> None:
    assert served[0] == "127.0.0.1"
    assert served[1] > 0


def test_a_port_in_use_is_named(desk: FakeDesk, catalogue: Catalogue, served: tuple[str, int]) -> None:
    second = ScreenServer(build(desk, catalogue, token=TOKEN), port=served[1])
    with pytest.raises(TransportError, match=str(served[1])):
        second.start()


def test_stopping_ends_open_streams_and_the_thread(desk: FakeDesk, catalogue: Catalogue) -> None:
    server = ScreenServer(build(desk, catalogue, token=TOKEN))
    address = server.start()
    with stream(address) as answer:
        event(answer)
        assert server.alive
        assert server.stop()
    assert not server.alive
    assert "screen" not in {thread.name for thread in threading.enumerate()}
    desk.show(PICTURES["idle"])
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(*address, timeout=2).request("GET", "/health.json")


def test_stopping_a_server_that_never_ran_is_no_error(desk: FakeDesk, catalogue: Catalogue) -> None:
    assert ScreenServer(build(desk, catalogue, token=TOKEN)).stop()


def test_an_answer_names_neither_server_nor_version(served: tuple[str, int]) -> None:
    line = http.client.HTTPConnection(*served, timeout=5)
    line.request("GET", "/health.json")
    assert line.getresponse().getheader("server") is None
    line.close()
