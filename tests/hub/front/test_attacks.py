"""Attacks on the hub's ports: each is refused and recorded, and another kiosk's traffic goes on undisturbed."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
import zmq

from kiosk.hub import bus
from kiosk.hub.front import watch
from kiosk.hub.front.peers import FORGOTTEN_NS, MOST_OF_ONE
from kiosk.hub.front.refusals import MOST_STRANGERS
from kiosk.hub.front.router import Router
from kiosk.hub.store import tables
from kiosk.sync import wire
from kiosk.sync.keys import TransportKey
from kiosk.sync.messages import Ack, DataCursor, Done, Enrol, Journal, Mark, Nack, Ping, Pong, Pull, Snap
from tests.hub.front.conftest import FakeKiosk, HubInThread, hello, until


@pytest.fixture
def honest(hub: HubInThread) -> Iterator[FakeKiosk]:
    """A kiosk that is at work before the attack, and still is after it."""
    kiosk = hub.connect("K01")
    kiosk.greet()
    yield kiosk
    kiosk.works()
    assert kiosk.number == kiosk.got[-1][0].number  # everything was answered, nothing else came
    assert not [code for code, name in hub.findings() if name == "K01"]


def test_a_key_that_nobody_registered_is_refused_at_the_handshake(hub: HubInThread, honest: FakeKiosk) -> None:
    stranger = hub.connect("K02", TransportKey.generate())
    stranger.send(hello("K02"))
    hub.found("unknown_key")
    assert stranger.silence()
    assert not hub.worker.of("K02")


def test_strangers_fill_neither_memory_nor_tables(hub: HubInThread, honest: FakeKiosk) -> None:
    refusals = hub.front._refusals
    for number in range(5 * MOST_STRANGERS):
        refusals.note("unknown_key", detail="x", where=f"10.0.{number >> 8}.{number & 255}")
    hub.found("unknown_key", times=5 * MOST_STRANGERS)
    with hub.stores.office.connect() as connection:
        rows = connection.execute(sa.select(tables.peer_finding.c.id)).all()
    assert len(rows) == MOST_STRANGERS + 1


def test_a_pending_key_is_refused_at_the_journals_port(hub: HubInThread, honest: FakeKiosk) -> None:
    key, _ = hub.register("K02", state="pending", kiosk_state="pending")
    hub.connect("K02", key).send(hello("K02"))
    hub.found("pending_key", "K02")
    assert not hub.worker.of("K02")


def test_a_revocation_bites_an_open_connection_at_its_next_message(hub: HubInThread, honest: FakeKiosk) -> None:
    kiosk = hub.connect("K02")
    kiosk.greet()
    kiosk.works()
    before = len(hub.worker.of("K02"))
    hub.change(tables.kiosk_key.update().where(tables.kiosk_key.c.key == kiosk.key.public).values(state="revoked"))
    kiosk.send(Journal(1, 2, b"", (b"row",), b""))
    assert kiosk.expect(Nack).code == "revoked"
    kiosk.send(Ping(1))
    assert isinstance(kiosk.expect(Nack), Nack)
    hub.found("revoked_key", "K02", 2)
    assert len(hub.worker.of("K02")) == before


def test_a_revoked_kiosk_gets_no_answer_that_was_under_way(hub: HubInThread, honest: FakeKiosk) -> None:
    kiosk = hub.connect("K02")
    kiosk.greet()
    hub.worker.mute = True
    kiosk.send(Journal(1, 1, b"", (b"row",), b""))
    until(lambda: len(hub.worker.of("K02")) == 2)
    hub.change(tables.kiosk.update().where(tables.kiosk.c.id == "K02").values(state="revoked"))
    hub.worker.mute = False
    assert kiosk.silence()
    kiosk.send(Ping(1))
    assert kiosk.expect(Nack).code == "revoked"


def test_a_key_speaks_for_no_other_kiosk(hub: HubInThread, honest: FakeKiosk) -> None:
    kiosk = hub.connect("K02")
    kiosk.send(hello("K01"))
    assert kiosk.expect(Nack).code == "unknown_key"
    kiosk.send(Journal(1, 1, b"", (b"row",), b""))
    assert kiosk.expect(Nack).code == "unknown_key"
    hub.found("claimed_identity", "K02", 2)
    assert not hub.worker.of("K02")
    assert len(hub.worker.of("K01")) == 1
    kiosk.greet()
    kiosk.works()


def test_a_kiosk_in_another_realm_is_refused(hub: HubInThread, honest: FakeKiosk) -> None:
    kiosk = hub.connect("K02")
    kiosk.send(hello("K02", realm="training"))
    assert kiosk.expect(Nack).code == "wrong_realm"
    hub.found("wrong_realm", "K02")
    assert not hub.worker.of("K02")


def test_an_unknown_version_is_told_and_refused(hub: HubInThread, honest: FakeKiosk) -> None:
    kiosk = hub.connect("K02")
    kiosk.send(hello("K02"), version=9)
    assert kiosk.expect(Nack).code == "version"
    kiosk.send(hello("K02", oldest=5, newest=9))
    assert kiosk.expect(Nack).code == "version"
    hub.found("wrong_version", "K02", 2)


def test_messages_that_do_not_belong_here_are_refused(hub: HubInThread, honest: FakeKiosk) -> None:
    kiosk = hub.connect("K02")
    kiosk.greet()
    enrol = Enrol("K02", "live", kiosk.key.public, "00", 1, b"", b"")
    kiosk.send(enrol)
    kiosk.send(Ack(Mark(), Mark(), 1, 1))
    kiosk.socket.send_multipart([b"head"])
    kiosk.socket.send_multipart([b"head", b"payload"])
    kiosk.socket.send_multipart([b"a", b"b", b"c", b"d"])
    kiosk.socket.send_multipart([b"x" * 100, b""])
    head = wire.encode(Ping(1), session=7, number=50)[0]
    kiosk.socket.send_multipart([head, b"\xc1\xc1"])
    kiosk.number = 50
    codes = [kiosk.expect(Nack).code for _ in range(7)]
    assert sorted(codes) == ["malformed"] * 6 + ["too_large"]
    hub.found("malformed_message", "K02", 6)
    kiosk.works()


def test_a_replayed_message_is_refused(hub: HubInThread, honest: FakeKiosk) -> None:
    kiosk = hub.connect("K02")
    kiosk.greet()
    batch = Journal(1, 1, b"", (b"row",), b"")
    kiosk.send(batch, number=5)
    kiosk.expect(Ack)
    kiosk.send(batch, number=5)
    assert kiosk.expect(Nack).code == "malformed"
    kiosk.send(batch, number=3)
    assert kiosk.expect(Nack).code == "malformed"
    hub.found("replayed", "K02", 2)
    assert len(hub.worker.of("K02")) == 2
    kiosk.number = 5
    kiosk.works()


def test_a_message_above_the_limit_ends_its_connection_and_no_other(hub: HubInThread, honest: FakeKiosk) -> None:
    kiosk = hub.connect("K02")
    for round_ in range(5):
        kiosk.number = round_
        kiosk.greet()
        # Two megabytes where one is taken: the length alone, in the first bytes, ends the connection.
        kiosk.socket.send_multipart([b"head", b"x" * (2 << 20)])
        until(lambda: hub.front.port.peers.of_kiosk("K02") is None)
    hub.found("unstable_line", "K02")
    kiosk.greet()
    kiosk.works()


def raw(hub: HubInThread, port: int = 0) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", hub.ports[port]), timeout=20)
    made.settimeout(20)
    return made


def ended(connection: socket.socket) -> bool:
    """Read until the other side ends it."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        pass
    connection.close()
    return True


@pytest.mark.parametrize("port", [0, 1])
def test_garbage_on_a_port_is_cut_off(hub: HubInThread, honest: FakeKiosk, port: int) -> None:
    """Bytes that are no ZMTP, and a greeting that asks for no encryption."""
    for bytes_ in (
        b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n" + b"\0" * 64, secrets.token_bytes(4096), b"\x01\0" * 50,
        b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48),
    ):  # fmt: skip
        connection = raw(hub, port)
        connection.sendall(bytes_)
        assert ended(connection)
    hub.found("strange_connection", times=4)


def test_a_peer_that_dawdles_over_its_greeting_is_cut_off(hub: HubInThread, honest: FakeKiosk) -> None:
    connections = [raw(hub) for _ in range(20)]
    for connection in connections:
        connection.sendall(b"\xff")
    honest.works()
    assert all(ended(connection) for connection in connections)
    hub.found("strange_connection", times=20)


def test_more_connections_than_the_hub_takes_are_told_to_wait(hub: HubInThread, honest: FakeKiosk) -> None:
    hub.front.port.peers._most = 2
    first = hub.connect("K02")
    first.greet()
    second = hub.connect("K03")
    second.send(hello("K03"))
    assert second.expect(Nack).code == "busy"
    hub.found("too_many_peers", "K03")
    first.close()
    until(lambda: len(hub.front.port.peers) == 1)
    second.greet()


def test_a_kiosk_with_many_connections_keeps_no_other_out(hub: HubInThread, honest: FakeKiosk) -> None:
    hub.front.port.peers._most = MOST_OF_ONE + 2
    key, _ = hub.register("K02")
    for _ in range(MOST_OF_ONE + 3):
        hub.connect("K02", key).greet()
    hub.found("many_connections", "K02")
    assert len([peer for peer in hub.front.port.peers._by_id.values() if peer.kiosk == "K02"]) == MOST_OF_ONE
    hub.connect("K03").greet()


def test_a_hub_whose_clock_is_put_right_forgets_no_connection(
    hub: HubInThread, honest: FakeKiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = time.time_ns() + 2 * FORGOTTEN_NS
    monkeypatch.setattr("kiosk.hub.front.journal_port.time.time_ns", lambda: later)
    hub.front.port._swept -= 61
    until(lambda: time.monotonic() - hub.front.port._swept < 60)
    assert hub.front.port.peers.of_kiosk("K01") is not None


def test_answers_that_nobody_asked_for_reach_no_database(hub: HubInThread, honest: FakeKiosk) -> None:
    asked: list[object] = []
    ask = hub.front._desk.ask
    hub.front._desk.ask = lambda job, then=None: asked.append(job) is None and ask(job, then)  # type: ignore[method-assign]
    chatty = hub.connect("K02")
    chatty.greet()
    for number in range(300):
        chatty.send(Done(f"c{number}", "done"))
    chatty.send(Ping(1))
    chatty.expect(Pong)
    hub.found("unknown_command", "K02", times=300)
    assert not asked


@pytest.mark.parametrize("port", [0, 1])
def test_arrays_within_arrays_are_refused_and_end_nothing(hub: HubInThread, honest: FakeKiosk, port: int) -> None:
    """At the enrolment's port anybody may send them."""
    deep = b"\x91" * 3000 + b"\x00"
    if port:
        peer = hub.connect("K02", TransportKey.generate(), port=1)
        head, body = b"\x95\x01\x20\x00\x01\xc2", wire.encode(_an_enrolment(), session=0, number=1)[1]
    else:
        peer = hub.connect("K02")
        head, body = b"\x95\x01\x07\x00\x01\xc2", b"\x92\x01\x01"
    peer.socket.send_multipart([head, bytes([body[0] + 1]) + body[1:] + deep])
    assert hub.found(*(("enrolment_malformed", "") if port else ("malformed_message", "K02")))


def _an_enrolment() -> Enrol:
    return Enrol("K02", "live", "a" * 40, "f" * 64, 1, b"", b"")


def test_a_registry_that_cannot_be_read_admits_nobody(hub: HubInThread, monkeypatch: pytest.MonkeyPatch) -> None:
    kiosk = hub.connect("K02")
    kiosk.greet()
    monkeypatch.setattr("kiosk.hub.front.service.STALE_NS", -1)
    kiosk.send(Ping(time.time_ns()))
    assert kiosk.expect(Nack).code == "busy"
    assert watch.STALE_NS > 1_000_000_000
    monkeypatch.undo()
    kiosk.send(Ping(time.time_ns()))
    kiosk.expect(Pong)


def test_a_message_of_many_frames_ends_its_connection(hub: HubInThread, honest: FakeKiosk) -> None:
    kiosk = hub.connect("K02")
    kiosk.greet()
    kiosk.socket.send_multipart([b"x"] * 1000)
    until(lambda: hub.front.port.peers.of_kiosk("K02") is None)
    hub.found("malformed_message", "K02")
    kiosk.number = 0
    kiosk.greet()


def test_a_kiosk_that_takes_nothing_fills_no_queue_but_its_own(hub: HubInThread, honest: FakeKiosk) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    librarian = context.socket(zmq.PAIR)
    librarian.linger = 0
    librarian.connect(bus.librarian_address(hub.setup.config.runtime))
    try:
        lazy = hub.connect("K02", room=1)
        lazy.greet()
        lazy.send(Pull(DataCursor("people")))
        envelope = librarian.recv_multipart()[0]
        chunk = wire.encode(Snap(DataCursor("people"), 0, (b"x" * (256 << 10),)), session=7, number=1)
        for _ in range(200):
            librarian.send_multipart([envelope, *chunk])
        assert hub.found("slow_peer", "K02")
        honest.works()
    finally:
        librarian.close()
        context.term()


def test_a_connection_that_stays_silent_is_cut(
    hub: HubInThread, honest: FakeKiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer with the hub's key ends the handshake, and then holds its connection for nothing."""
    monkeypatch.setattr("kiosk.hub.front.connections.SILENT_S", 0.2)
    hub.connect("K02", TransportKey.generate(), port=1)
    assert hub.found("strange_connection")


def test_frames_without_an_end_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """libzmq sends no part of a message before it is whole, so the attacker here speaks without it, in the clear."""
    monkeypatch.setattr("kiosk.hub.front.connections.ENDLESS", 256 << 10)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    router = Router(context, b"test", 1 << 20)
    port = router.socket.bind_to_random_port("tcp://127.0.0.1")
    honest = context.socket(zmq.DEALER)
    honest.connect(f"tcp://127.0.0.1:{port}")
    attacker = socket.create_connection(("127.0.0.1", port), timeout=20)
    try:
        attacker.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48))
        ready = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
        attacker.sendall(b"\x04" + bytes([len(ready)]) + ready)
        answer = b""
        while b"READY" not in answer:  # what comes before it counts as a part of the handshake
            answer += attacker.recv(4096)
        frame = b"\x01\xff" + b"x" * 255
        cut = []
        for _ in range(2000):
            try:
                attacker.sendall(frame * 40)
            except ConnectionError:
                break
            honest.send_multipart([b"a", b"b" * 20_000])
            frames = router.socket.recv_multipart(copy=False)
            assert len(frames) == 3
            router.spoke(frames[-1])
            list(router.ended())
            cut += router.cut_endless()
        assert len(cut) == 1
        honest.send(b"still there")
        assert router.socket.recv_multipart()[1] == b"still there"
    finally:
        attacker.close()
        honest.close(0)
        router.close()
        context.term()
