"""NATS JetStream into SQLite: publisher with a window, a stream on disk, a pulling receiver.

The receiver pulls 1,000 at a time, commits them, then acknowledges them all with one answer.  JetStream acknowledges a
publish before its file is fsynced (every two minutes by default); from 2.10 on `sync_interval: always` changes
that, and both are measured where the server can.
As a program, the receiver: ``python -m bench.sync_rivals_nats STORE PORT COUNT``.
"""

from __future__ import annotations

import json
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.sync_servers import expect, free_port, program, receiver, running
from bench.sync_store import Fact, FactStore

WINDOW = 4_000
A_PULL = 1_000


def version() -> tuple[int, ...]:
    """Return the version of the server that is installed, () where none is."""
    server = program("nats-server")
    if server is None:
        return ()
    said = subprocess.run([server, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", said)
    return tuple(int(part) for part in found.groups()) if found else ()


def send(room: Path, facts: Sequence[Fact], *, always: bool) -> float:
    """Send facts one a message; return the seconds until the last is stored and acknowledged.

    Raises:
        RuntimeError: no server is installed, or it cannot do what is asked.
    """
    server = program("nats-server")
    if server is None:
        raise RuntimeError("no NATS server is installed: apt-get install nats-server")
    port = free_port()
    settings = room / "nats.conf"
    sync = "sync_interval: always, " if always else ""
    store = f'jetstream {{ {sync}store_dir: "{room}/nats", max_file_store: 4G }}'
    settings.write_text(f"listen: 127.0.0.1:{port}\n{store}\n", "utf-8")
    encode = msgspec.msgpack.Encoder().encode
    with running([server, "-c", str(settings)], room / "nats.log", port):
        line = _Line(port, "kiosk")
        line.ask("$JS.API.STREAM.CREATE.FACTS", {"name": "FACTS", "subjects": ["facts"], "storage": "file"})
        consumer = {"durable_name": "hub", "ack_policy": "all", "max_ack_pending": 20_000, "deliver_policy": "all"}
        line.ask("$JS.API.CONSUMER.DURABLE.CREATE.FACTS.hub", {"stream_name": "FACTS", "config": consumer})
        with receiver("sync_rivals_nats", str(room / "facts.db"), str(port), str(len(facts))) as taker:
            begun = time.perf_counter()
            line.publish([encode(fact) for fact in facts])
            expect(taker, "stored")
            took = time.perf_counter() - begun
        line.close()
    return took


class _Line:
    """A connection to a NATS server: lines of words, with payloads behind some."""

    def __init__(self, port: int, inbox: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self.socket.sendall(
            b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB %b.> 1\r\n' % inbox.encode()
        )

    def messages(self) -> list[tuple[str, str, bytes, bytes]]:
        """Wait for messages; return those that are whole: subject, reply subject, headers, payload."""
        found: list[tuple[str, str, bytes, bytes]] = []
        while not found:
            piece = self.socket.recv(1 << 18)
            if not piece:
                raise RuntimeError("the server ended the connection")
            self._buffer += piece
            held, place = bytes(self._buffer), 0
            while (end := held.find(b"\r\n", place)) >= 0:
                words = held[place:end].decode().split()
                begin, after = end + 2, end + 2
                if words[0] in ("MSG", "HMSG"):
                    size, head = int(words[-1]), int(words[-2]) if words[0] == "HMSG" else 0
                    after = begin + size + 2
                    if after > len(held):
                        break
                    told = words[3 : -2 if words[0] == "HMSG" else -1]
                    payload = held[begin + head : begin + size]
                    found.append((words[1], told[0] if told else "", held[begin : begin + head], payload))
                elif words[0] == "PING":
                    self.socket.sendall(b"PONG\r\n")
                elif words[0] == "-ERR":
                    raise RuntimeError(f"the server refused: {' '.join(words)}")
                place = after
            del self._buffer[:place]
        return found

    def ask(self, subject: str, wish: dict[str, object]) -> None:
        """Ask the server for something and wait for its answer."""
        body = json.dumps(wish).encode()
        self.socket.sendall(f"PUB {subject} kiosk.ask {len(body)}\r\n".encode() + body + b"\r\n")
        answer = json.loads(self.messages()[0][3])
        if "error" in answer:
            raise RuntimeError(f"the server refused {subject}: {answer['error']}")

    def publish(self, payloads: Sequence[bytes]) -> None:
        """Publish all and return when the server has acknowledged all."""
        sent = done = 0
        waiting = bytearray()
        while done < len(payloads):
            while sent < len(payloads) and sent - done < WINDOW and len(waiting) < 1 << 18:
                waiting += b"PUB facts kiosk.a %d\r\n%b\r\n" % (len(payloads[sent]), payloads[sent])
                sent += 1
            readable, writable, _ = select.select([self.socket], [self.socket] if waiting else [], [])
            if writable:
                del waiting[: self.socket.send(waiting)]
            if readable:
                for _, _, _, payload in self.messages():
                    if b'"seq"' not in payload:
                        raise RuntimeError(f"the server did not take a fact: {payload[:200]!r}")
                    done += 1

    def close(self) -> None:
        """Let go."""
        self.socket.close()


def receive(path: Path, port: int, count: int) -> None:
    """Pull, store, acknowledge; say ``stored`` when `count` are there."""
    store, line = FactStore(path), _Line(port, "hub")
    decode = msgspec.msgpack.Decoder(Fact).decode
    wish = json.dumps({"batch": A_PULL, "expires": 200_000_000}).encode()
    pull = f"PUB $JS.API.CONSUMER.MSG.NEXT.FACTS.hub hub.pull {len(wish)}\r\n".encode() + wish + b"\r\n"
    print("ready", flush=True)
    held = 0
    while held < count:
        line.socket.sendall(pull)
        facts: list[Fact] = []
        reply, ended = "", False
        while len(facts) < A_PULL and not ended and held + len(facts) < count:
            for _, answer, headers, payload in line.messages():
                if headers:  # no (more) messages within the time
                    ended = True
                elif answer:
                    facts.append(decode(payload))
                    reply = answer
        if facts:
            store.add(facts)
            held += len(facts)
            line.socket.sendall(f"PUB {reply} 4\r\n+ACK\r\n".encode())
    store.close()
    print("stored", flush=True)


if __name__ == "__main__":
    receive(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
