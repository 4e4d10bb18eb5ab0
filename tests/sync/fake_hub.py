"""A hub on a real port, with a real key: the model hub behind a ROUTER under CURVE, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import zmq

from kiosk.journal.keys import SigningKey
from kiosk.sync import wire
from kiosk.sync.keys import TransportKey
from kiosk.sync.messages import Ack, Message, Status
from kiosk.sync.receipts import receipt_message
from tests.sync.model_hub import ModelHub


class FakeHub:
    """Answers as the model does; can be silent, can speak first, keeps everything that came."""

    def __init__(self, name: str = "city-hall", port: int = 0, key: TransportKey | None = None) -> None:
        self.signer = SigningKey.from_seed(b"hub".ljust(32, b"."))
        self.model = ModelHub(name, signing_key=self.signer.public_hex)
        self.key = key or TransportKey.generate()
        self.came: list[Message] = []
        #: Receives and does not answer: a line that is open at one end only.
        self.silent = False
        self.signs = False
        self._say: list[Message] = []
        self._peer = b""
        self._number = 0
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self.key.use_on(self._socket)
        if port:
            self._socket.bind(f"tcp://127.0.0.1:{port}")
        self.port = port or self._socket.bind_to_random_port("tcp://127.0.0.1")
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="fake-hub", daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"tcp://127.0.0.1:{self.port}"

    def say(self, message: Message) -> None:
        """Say something to whoever spoke last."""
        self._say.append(message)

    def of(self, kind: type[Message]) -> list[Message]:
        """What came of one kind."""
        return [message for message in list(self.came) if isinstance(message, kind)]

    def last_status(self) -> Status | None:
        """The latest STATUS."""
        found = self.of(Status)
        return found[-1] if found else None  # type: ignore[return-value]

    def stop(self) -> None:
        """End, and give the port back."""
        self._ends.set()
        self._thread.join(10)
        self._context.destroy(0)

    def _serve(self) -> None:
        while not self._ends.is_set():
            while self._say and self._peer:
                self._send(self._say.pop(0))
            if not self._socket.poll(5):
                continue
            self._peer, *frames = self._socket.recv_multipart()
            head, message = wire.decode(frames, wire.UP)
            self.came.append(message)
            if self.silent:
                continue
            answer = self.model.receive(head.session, message)
            if isinstance(answer, Ack) and self.signs:
                signature = self.signer.sign(receipt_message(self.model.hub, "K07", answer.durable))
                answer = Ack(answer.durable, answer.archived, answer.batches, answer.bytes, signature)
            if answer is not None:
                self._send(answer)

    def _send(self, message: Message) -> None:
        self._number += 1
        frames = wire.encode(message, session=self.model.session, number=self._number)
        self._socket.send_multipart([self._peer, *frames])


@contextmanager
def hub(name: str = "city-hall", port: int = 0, key: TransportKey | None = None) -> Iterator[FakeHub]:
    """A hub that ends with the block."""
    made = FakeHub(name, port, key)
    try:
        yield made
    finally:
        made.stop()


def until(turn: Callable[[], None], done: Callable[[], object], limit: int = 3000) -> None:
    """Turn until something is so; a bound of turns, because a busy machine is slow."""
    for _ in range(limit):
        if done():
            return
        turn()
    raise AssertionError("it never came about")
