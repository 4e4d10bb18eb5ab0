"""A line tells how it came to stand or why it did not: four ends, four texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import zmq
from zmq.auth.thread import ThreadAuthenticator

from kiosk.sync import wire
from kiosk.sync.bandwidth import BURST_NS, Bandwidth
from kiosk.sync.connection import Connection
from kiosk.sync.keys import TransportKey
from kiosk.sync.line import Line, LineEvent
from kiosk.sync.messages import Clock, DataCursor, Done, Ping, Pull, Status
from kiosk.sync.standing import TROUBLES
from tests.sync.fake_hub import until

CLIENT = TransportKey.generate()
NOBODY = Clock(0, 0, "", False)


class OnlyClient:
    """Lets in the one key that is known."""

    def callback(self, domain: str, key: bytes) -> bool:
        return key.decode() == CLIENT.public


@pytest.fixture
def context() -> Iterator[zmq.Context[Any]]:
    made: zmq.Context[Any] = zmq.Context()
    yield made
    made.destroy(0)


@pytest.fixture
def server(context: zmq.Context[Any]) -> Iterator[tuple[str, TransportKey, zmq.Socket[bytes]]]:
    """A ROUTER with a key that lets in one client."""
    gate = ThreadAuthenticator(context)
    gate.start()
    gate.configure_curve_callback(domain="kiosks", credentials_provider=OnlyClient())
    socket = context.socket(zmq.ROUTER)
    socket.linger, socket.zap_domain = 0, b"kiosks"
    key = TransportKey.generate()
    key.use_on(socket)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    yield f"tcp://127.0.0.1:{port}", key, socket
    socket.close()
    gate.stop()


def first_event(line: Line) -> LineEvent:
    """Wait for how an attempt ends."""
    found: list[LineEvent] = []
    until(lambda: found.extend(line.events() if line.monitor.poll(20) else []), lambda: found)
    return found[0]


def test_the_known_key_is_let_in_and_talks(context: Any, server: Any) -> None:
    endpoint, key, socket = server
    line = Line(context, endpoint, key.public, CLIENT)
    assert first_event(line).code == "opened"
    assert line.send([b"head", b"payload"])
    assert socket.poll(5000)
    peer, *frames = socket.recv_multipart()
    assert frames == [b"head", b"payload"]
    socket.send_multipart([peer, b"answer", b""])
    assert line.socket.poll(5000)
    assert line.receive() == [b"answer", b""]
    assert line.receive() is None
    line.close()


def test_a_key_that_was_not_approved_is_turned_away_by_name(context: Any, server: Any) -> None:
    endpoint, key, _ = server
    line = Line(context, endpoint, key.public, TransportKey.generate())
    assert first_event(line).code == "not_admitted"
    assert "not approved yet" in TROUBLES["not_admitted"][0]
    line.close()


def test_a_server_with_another_key_than_the_pinned_one_has_its_own_text(context: Any, server: Any) -> None:
    line = Line(context, server[0], TransportKey.generate().public, CLIENT)
    assert first_event(line).code == "other_key"
    assert TROUBLES["other_key"] != TROUBLES["unreachable"]
    line.close()


def test_an_address_where_nobody_listens_is_unreachable(context: Any) -> None:
    line = Line(context, "tcp://127.0.0.1:1", CLIENT.public, CLIENT)
    assert first_event(line).code == "unreachable"
    assert not line.send([b"lost"])
    line.close()


def test_a_line_that_ends_is_cut_and_does_not_come_back_by_itself(context: Any, server: Any) -> None:
    endpoint, key, socket = server
    line = Line(context, endpoint, key.public, CLIENT)
    assert first_event(line).code == "opened"
    socket.close()
    assert first_event(line).code == "cut"
    assert line.socket.getsockopt(zmq.RECONNECT_IVL) == -1
    assert line.events() == []
    line.close()


def test_every_trouble_has_words_and_what_people_must_do_has_a_cure() -> None:
    assert all(words for code, (words, _) in TROUBLES.items() if code)
    events = {"", "opened", "journal_back", "asked", "returned", "renewed", "rotated"}
    assert {code for code, (_, cure) in TROUBLES.items() if not cure} == events


def test_the_bandwidth_lets_a_second_through_at_once_and_then_its_rate() -> None:
    line, now = Bandwidth(80), 10 * BURST_NS
    assert line.is_free(now)
    line.spend(10_000, now)
    assert line.is_free(now)
    line.spend(10_000, now)
    assert not line.is_free(now)
    assert line.is_free(now + BURST_NS)
    assert line.most_bytes(1 << 20) == 10_000
    assert Bandwidth(0).most_bytes(1 << 20) == 1 << 20


def test_an_alarm_stands_in_front_of_what_waits_for_bandwidth(context: Any, server: Any) -> None:
    endpoint, key, socket = server
    bandwidth = Bandwidth(8)
    connection = Connection(context, bandwidth, metered=False)
    connection.open(endpoint, key.public, CLIENT)
    assert connection.line is not None
    assert first_event(connection.line).code == "opened"
    bandwidth.spend(1 << 20, 0)
    connection.post(Pull(DataCursor("people")))
    for state in ("open", "closed"):
        connection.post(Status(1, state, (), (), "plenty", None, 0, 0, NOBODY, "test"))
    connection.post(Ping(1))
    connection.post(Done("1", "done"))
    until(lambda: None, lambda: connection.takes_rows(10**18))
    assert not connection.pump(0)
    types = []
    while socket.poll(200):
        types.append(wire.read_head(socket.recv_multipart()[1:], wire.UP).type)
    assert types == [6, 7, 15]
    connection.close()
