"""A front in a thread, a worker of a few lines behind it, and kiosks that speak to it over the loopback."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
import sqlalchemy as sa
import zmq

from kiosk.hub import bus
from kiosk.hub.front.server_keys import load_signing_key, make_keys, transport_keys
from kiosk.hub.front.service import Front, Limits
from kiosk.hub.revisions import bump
from kiosk.hub.settings import Hub, HubConfig, Listen
from kiosk.hub.setup import HubSetup
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores
from kiosk.journal.keys import SigningKey
from kiosk.sync import wire
from kiosk.sync.keys import TransportKey
from kiosk.sync.messages import Ack, Clock, Hello, Journal, Mark, Message, Ping, Pong, Welcome

#: Seconds until a wait is given up: far more than anything takes on a busy machine.
PATIENCE_S = 20.0
T = TypeVar("T", bound=Message)


def until(found: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Wait until something is found."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        result = found()
        if result:
            return result
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def hello(kiosk: str, realm: str = "live", **more: Any) -> Hello:
    """Return a HELLO."""
    told: dict[str, Any] = {
        "oldest": 1, "newest": 1, "kiosk": kiosk, "realm": realm, "boot": 1, "head": Mark(1, 5, b"h" * 32),
        "acked": Mark(), "oldest_kept": Mark(1, 1), "clock": Clock(1, 1, "b", True), "data": (), "fact_version": 1,
        "software": "1", "free_bytes": 1,
    }  # fmt: skip
    return Hello(**{**told, **more})


class FakeWorker(threading.Thread):
    """Welcomes, acknowledges, and keeps what it got."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self._address = address
        self._ending = threading.Event()
        self.got: list[tuple[bus.Envelope, wire.Head, Message]] = []
        #: Whether it keeps its answers until this is False again.
        self.mute = False
        self._held: list[list[bytes]] = []
        self.start()

    def run(self) -> None:
        context = zmq.Context()
        pair = context.socket(zmq.PAIR)
        pair.linger = 0
        pair.connect(self._address)
        while not self._ending.is_set():
            while self._held and not self.mute:  # at most 20 ms after it may speak again
                pair.send_multipart(self._held.pop(0))
            if not pair.poll(20):
                continue
            envelope, *frames = pair.recv_multipart()
            told = bus.unpack(envelope)
            head, message = wire.decode(frames, wire.UP)
            self.got.append((told, head, message))
            answer: Message | None = None
            if isinstance(message, Hello):
                answer = Welcome(
                    1, 7, "hub", "i1", Mark(), Mark(), 4, 1 << 20, 1000, 512 << 10, time.time_ns(), (1,), "0" * 64
                )
            elif isinstance(message, Journal):
                answer = Ack(Mark(message.epoch, message.first + len(message.rows) - 1), Mark(), 4, 1 << 20)
            if answer is not None:
                self._held.append([envelope, *wire.encode(answer, session=7, number=1)])
        pair.close(0)
        context.term()

    def end(self) -> None:
        self._ending.set()
        self.join(5)

    def of(self, kiosk: str) -> list[Message]:
        """Return what came in a kiosk's name."""
        return [message for told, _, message in self.got if told.kiosk == kiosk]


class FakeKiosk:
    """One connection with one key."""

    def __init__(self, endpoint: str, hub_key: str, key: TransportKey, name: str, room: int = 1000) -> None:
        self.name, self.key = name, key
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.rcvhwm = room
        key.use_on(self.socket, hub_key)
        self.socket.connect(endpoint)
        self.number = 0
        self.session = 0
        self.got: list[tuple[wire.Head, Message]] = []

    def send(self, message: Message, *, number: int = 0, version: int = wire.NEWEST) -> None:
        self.number = number or self.number + 1
        self.socket.send_multipart(wire.encode(message, session=self.session, number=self.number, version=version))

    def expect(self, kind: type[T], patience_s: float = PATIENCE_S, way: str = wire.DOWN) -> T:
        """Return the next message of a kind; others are kept in `got`."""
        end = time.monotonic() + patience_s
        while (left := end - time.monotonic()) > 0:
            if self.socket.poll(int(left * 1000)):
                head, message = wire.decode(self.socket.recv_multipart(), way)
                self.got.append((head, message))
                if isinstance(message, kind):
                    return message
        raise AssertionError(f"no {kind.__name__} came, but {self.got[-3:]}")

    def silence(self, ms: int = 300) -> bool:
        """Tell whether nothing comes for a while."""
        return not self.socket.poll(ms)

    def greet(self) -> Welcome:
        self.send(hello(self.name))
        welcome = self.expect(Welcome)
        self.session = self.got[-1][0].session
        return welcome

    def works(self) -> None:
        """Check that a batch is acknowledged and a question answered."""
        self.send(Journal(1, 1, b"", (b"row",), b""))
        assert self.expect(Ack).durable.seq == 1
        self.send(Ping(time.time_ns()))
        assert self.expect(Pong).answered_ns

    def close(self) -> None:
        self.socket.close(0)
        self._context.term()


class HubInThread:
    """The front with its database, and everything that a test asks of it."""

    def __init__(self, stores: Stores, state: Path, runtime: Path, limits: Limits) -> None:
        self.stores = stores
        self.ports = free_ports(3)
        listen = Listen(f"tcp://127.0.0.1:{self.ports[0]}", f"tcp://127.0.0.1:{self.ports[1]}")
        config = HubConfig(hub=Hub("hub", state=str(state), runtime=str(runtime)), listen=listen)
        nothing = cast(Any, None)
        self.setup = HubSetup(
            file=state / "hub.toml", config=config, chart=nothing, library=nothing, catalogue=nothing, city="",
            zone="UTC", cut_off="00:00", pack="", pack_digest="", pack_texts={}, rules_digest="",
        )  # fmt: skip
        with stores.office.begin() as connection:
            make_keys(connection, state)
            self.hub_key = transport_keys(connection)[0].key
        self.signing = load_signing_key(state)
        self._limits = limits
        self._kiosks: list[FakeKiosk] = []
        self._stop = threading.Event()
        self.front: Front
        self.worker: FakeWorker
        self.fault: BaseException | None = None

    def start(self) -> None:
        self.front = Front(self.setup, self._limits)
        self.worker = FakeWorker(bus.worker_address(self.setup.config.runtime, 0))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.front.turn()
        except BaseException as fault:  # told to the test, which would only see silence
            self.fault = fault
            raise
        finally:
            self.front.close()

    def stop(self) -> None:
        for kiosk in self._kiosks:
            kiosk.close()
        self.worker.end()
        self._stop.set()
        self._thread.join(PATIENCE_S)
        assert self.fault is None

    def register(
        self, name: str, key: TransportKey | None = None, *, state: str = "current", kiosk_state: str = "approved"
    ) -> tuple[TransportKey, SigningKey]:
        """Put a kiosk into the registry as an approval would."""
        key, journal = key or TransportKey.generate(), SigningKey.generate()
        with self.stores.office.begin() as connection:
            if connection.execute(sa.select(tables.kiosk).where(tables.kiosk.c.id == name)).first() is None:
                connection.execute(tables.kiosk.insert().values(
                    id=name, state=kiosk_state, realm="live", name=name, place="", changed_ns=0, changed_by="",
                    worker=0,
                ))  # fmt: skip
            for purpose, public in (("transport", key.public), ("journal", journal.public_hex)):
                connection.execute(tables.kiosk_key.insert().values(
                    purpose=purpose, key=public, kiosk=name, epoch=1, state=state, since_ns=0, words="",
                ))  # fmt: skip
            bump(connection, "registry")
        self.settle()
        return key, journal

    def settle(self) -> None:
        """Wait until the running front goes by what the registry says."""
        if hasattr(self, "front"):
            with self.stores.office.connect() as connection:
                number = self.number(connection, "registry")
            until(lambda: self.front.port.seen.registry.revision >= number)

    @staticmethod
    def number(connection: sa.Connection, subject: str) -> int:
        found = sa.select(tables.revision.c.number).where(tables.revision.c.subject == subject)
        return connection.execute(found).scalar() or 0

    def change(self, statement: sa.Executable, subject: str = "registry") -> None:
        """Change the office and count it."""
        with self.stores.office.begin() as connection:
            connection.execute(statement)
            bump(connection, subject)
        self.settle()

    def connect(
        self, name: str, key: TransportKey | None = None, *, port: int = 0, hub_key: str = "", room: int = 1000
    ) -> FakeKiosk:
        """Return a connection of a kiosk; without a key it is registered first."""
        key = key or self.register(name)[0]
        made = FakeKiosk(f"tcp://127.0.0.1:{self.ports[port]}", hub_key or self.hub_key, key, name, room)
        self._kiosks.append(made)
        return made

    def findings(self) -> dict[tuple[str, str], int]:
        """Return how often what was found: (code, kiosk) -> times."""
        found: dict[tuple[str, str], int] = {}
        with self.stores.office.connect() as connection:
            for row in connection.execute(sa.select(tables.peer_finding)):
                place = (row.code, row.kiosk)
                found[place] = found.get(place, 0) + row.times
        return found

    def found(self, code: str, kiosk: str = "", times: int = 1) -> bool:
        """Wait until a finding is written."""
        return bool(until(lambda: self.findings().get((code, kiosk), 0) >= times))

    def row(self, table: sa.Table, **keys: object) -> Any:
        """Return one row of the office."""
        with self.stores.office.connect() as connection:
            where = [table.c[name] == value for name, value in keys.items()]
            return connection.execute(sa.select(table).where(*where)).first()


def free_ports(many: int) -> list[int]:
    """Return ports that nobody uses just now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(many)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


@pytest.fixture
def hub(stores: Stores, tmp_path: Path) -> Iterator[HubInThread]:
    """Yield a front that runs, on a directory whose path is short enough for its sockets."""
    runtime = Path(tempfile.mkdtemp(prefix="kf-", dir="/tmp"))
    made = HubInThread(
        stores, tmp_path / "hub", runtime, Limits(handshake_ms=500, tell_s=0.05, largest=1 << 20, swollen=0)
    )
    made.start()
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(runtime)
