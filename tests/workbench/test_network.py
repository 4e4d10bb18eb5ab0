"""The cable between kiosk and hub: what passes, what dies when it is pulled, and what waits when it stalls."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from kiosk.errors import SimulatorError
from kiosk.workbench.network import HELD, Network


class Echo:
    """A hub that says everything back."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self.server.accept()
                threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with line, contextlib.suppress(OSError):
            while more := line.recv(65536):
                line.sendall(more)


@pytest.fixture
def network() -> Iterator[Network]:
    hub = Echo()
    found = Network([hub.port])
    found.start()
    yield found
    found.stop()
    hub.server.close()


def dial(network: Network) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", network.ports[0]), 10)
    line.settimeout(10)
    return line


def heard(line: socket.socket, size: int) -> bytes:
    held = b""
    while len(held) < size and (more := line.recv(65536)):
        held += more
    return held


def test_bytes_pass_both_ways_whole_and_in_order(network: Network) -> None:
    told = bytes(range(256)) * (HELD // 64)
    with dial(network) as line:
        sender = threading.Thread(target=line.sendall, args=(told,), daemon=True)
        sender.start()
        assert heard(line, len(told)) == told
        sender.join(10)
    assert network.carried == 2 * len(told)


def test_a_cut_ends_every_connection_and_lets_none_begin(network: Network) -> None:
    with dial(network) as line:
        line.sendall(b"one")
        assert heard(line, 3) == b"one"
        network.set("cut")
        assert gone(line)
        with pytest.raises(ConnectionRefusedError):
            dial(network)
        assert network.connections == 0
        network.set("stalled")
        with dial(network) as again:  # the cable is in, and nothing passes
            again.sendall(b"two")
        network.set("cut")
        with pytest.raises(ConnectionRefusedError):
            dial(network)
    network.set("joined")
    with dial(network) as line:
        line.sendall(b"two")
        assert heard(line, 3) == b"two"


def gone(line: socket.socket) -> bool:
    try:
        return line.recv(1) == b""
    except ConnectionError:
        return True


def test_a_stalled_line_stays_and_carries_nothing_until_it_goes_on(network: Network) -> None:
    with dial(network) as line:
        line.sendall(b"one")
        assert heard(line, 3) == b"one"
        network.set("stalled")
        carried = network.carried
        line.sendall(b"two")
        line.settimeout(0.2)
        with pytest.raises(TimeoutError):
            line.recv(3)
        assert network.carried == carried
        line.settimeout(10)
        network.set("joined")
        assert heard(line, 3) == b"two"


def test_the_end_of_one_side_reaches_the_other(network: Network) -> None:
    with dial(network) as line:
        line.sendall(b"one")
        assert heard(line, 3) == b"one"
    end = time.monotonic() + 10
    while network.connections and time.monotonic() < end:
        time.sleep(0.01)
    assert network.connections == 0


def test_a_hub_that_is_down_is_a_connection_that_dies(network: Network) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    down = Network([port])
    down.start()
    try:
        with socket.create_connection(("127.0.0.1", down.ports[0]), 10) as line:
            line.settimeout(10)
            assert gone(line)
    finally:
        down.stop()


def test_a_network_is_nothing_else(network: Network) -> None:
    with pytest.raises(SimulatorError):
        network.set("slow")
