"""TCP devices on real sockets: both ways, refused, closed, reset, silent and full."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator

import pytest

from kiosk.errors import ConfigError, TransportError
from kiosk.plugins.devices import PortRequest
from kiosk.transports import make_path
from kiosk.transports.path import BytePath


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(5)
        yield made


def path_to(server: socket.socket) -> BytePath:
    return make_path("tcp", {"host": "127.0.0.1", "port": server.getsockname()[1]})


def read_some(path: BytePath) -> bytes:
    poll = select.poll()
    poll.register(path.fileno(), select.POLLIN)
    assert poll.poll(5000), "nothing came"
    return path.read()


def test_bytes_go_both_ways(server: socket.socket) -> None:
    path = path_to(server)
    assert path.open()["kind"] == "tcp"
    far, _ = server.accept()
    with far:
        assert path.read() == b""
        far.sendall(b"\x12\x12")
        assert read_some(path) == b"\x12\x12"
        assert path.write(b"\x10\x04\x01") == 3
        assert far.recv(10) == b"\x10\x04\x01"
        far.sendall(b"old")
        select.select([path.fileno()], [], [], 5)
        assert path.request(PortRequest(1, "flush_input")).ok
        assert not path.request(PortRequest(2, "modem_lines", b"\x01")).ok
        assert path.read() == b""
    path.close()


def test_nobody_listening_is_told_with_a_hint() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        path = path_to(gone)
    with pytest.raises(TransportError, match="refused") as caught:
        path.open()
    assert "is the device on" in caught.value.hint
    assert path.fileno() == -1


def test_a_device_that_does_not_answer_the_call_is_given_up_on_in_time() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:  # fill the queue, so that the kernel leaves the next call unanswered
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        path = make_path("tcp", {"host": "127.0.0.1", "port": full.getsockname()[1], "connect_timeout_ms": 50})
        with pytest.raises(TransportError, match="timed out"):
            path.open()
        for each in waiting:
            each.close()


@pytest.mark.parametrize("rudely", [False, True])
def test_the_far_end_closing_is_a_loss(server: socket.socket, rudely: bool) -> None:
    path = path_to(server)
    path.open()
    far, _ = server.accept()
    if rudely:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    with pytest.raises(TransportError):
        read_some(path)
    path.close()


def test_a_printer_that_takes_nothing_is_cut_off_so_that_no_old_byte_comes_out_later(server: socket.socket) -> None:
    path = path_to(server)
    path.open()
    far, _ = server.accept()
    with far:
        while path.write(b"r" * 65536):
            pass
        with pytest.raises(TransportError):
            path.drop_output()
        assert path.fileno() == -1
        with pytest.raises(ConnectionResetError):
            b"".join(iter(lambda: far.recv(65536), b""))


@pytest.mark.parametrize(
    "wrong", [{"host": ""}, {"port": 0}, {"port": 70000}, {"connect_timeout_ms": 60000}, {"prt": 1}]
)
def test_an_address_that_cannot_be_is_refused_when_the_configuration_is_read(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        make_path("tcp", {"host": "127.0.0.1", **wrong})
