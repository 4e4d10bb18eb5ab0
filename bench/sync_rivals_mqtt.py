"""MQTT over Mosquitto into SQLite, with QoS 1 and 2: publisher, broker with persistence, receiver.

Tuned in the rival's favour: no limit to what is in flight, the receiver commits whatever has arrived together and only
then acknowledges.  The broker writes a snapshot of its queue every second and does not fsync it, so what it has
acknowledged to the publisher is not durable before the receiver has it.
As a program, the receiver: ``python -m bench.sync_rivals_mqtt STORE PORT QOS COUNT``.
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench import sync_mqtt as mqtt
from bench.sync_servers import expect, free_port, program, receiver, running
from bench.sync_store import Fact, FactStore

#: Messages that a publisher leaves unacknowledged.
WINDOW = 2_000
_TOPIC = "facts"


def send(room: Path, facts: Sequence[Fact], qos: int) -> float:
    """Send facts one a message; return the seconds until the last is stored and acknowledged.

    Raises:
        RuntimeError: no broker is installed.
    """
    broker = program("mosquitto")
    if broker is None:
        raise RuntimeError("no MQTT broker is installed: apt-get install mosquitto")
    port = free_port()
    settings = room / "mosquitto.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n"
        f"persistence_location {room}/\nautosave_interval 1\nmax_inflight_messages 0\nmax_queued_messages 0\n"
        "max_queued_bytes 0\nset_tcp_nodelay true\n",
        "utf-8",
    )
    encode = msgspec.msgpack.Encoder().encode
    words = (str(room / "facts.db"), str(port), str(qos), str(len(facts)))
    with (
        running([broker, "-c", str(settings)], room / "mosquitto.log", port),
        receiver("sync_rivals_mqtt", *words) as taker,
    ):
        line = mqtt.Line(port, "kiosk")
        begun = time.perf_counter()
        _publish(line, [encode(fact) for fact in facts], qos)
        expect(taker, "stored")
        took = time.perf_counter() - begun
        line.close()
    return took


def _publish(line: mqtt.Line, payloads: Sequence[bytes], qos: int) -> None:
    """Publish all and return when the broker has acknowledged all."""
    sent = done = 0
    waiting = bytearray()
    while done < len(payloads):
        while sent < len(payloads) and sent - done < WINDOW and len(waiting) < 1 << 18:
            waiting += mqtt.publish(_TOPIC, payloads[sent], qos, sent % 65_535 + 1)
            sent += 1
        readable, writable, _ = select.select([line.socket], [line.socket] if waiting else [], [])
        if writable:
            del waiting[: line.socket.send(waiting)]
        if readable:
            for kind, _, body in line.packets():
                if kind == mqtt.PUBREC:
                    waiting += mqtt.answer(mqtt.PUBREL, int.from_bytes(body, "big"))
                elif kind in (mqtt.PUBACK, mqtt.PUBCOMP):
                    done += 1


def receive(path: Path, port: int, qos: int, count: int) -> None:
    """Store everything that comes, acknowledge it after the commit, say ``stored`` when `count` are there."""
    store = FactStore(path)
    line = mqtt.Line(port, "hub")
    line.subscribe(_TOPIC, qos)
    print("ready", flush=True)
    decode = msgspec.msgpack.Decoder(Fact).decode
    first_answer = mqtt.PUBACK if qos == 1 else mqtt.PUBREC
    held = finished = 0
    while held < count or finished < count:
        facts, answers = [], bytearray()
        for kind, _, body in line.packets():
            if kind == mqtt.PUBLISH:
                place = 2 + int.from_bytes(body[:2], "big")
                facts.append(decode(body[place + 2 :]))
                answers += mqtt.answer(first_answer, int.from_bytes(body[place : place + 2], "big"))
            elif kind == mqtt.PUBREL:
                answers += mqtt.answer(mqtt.PUBCOMP, int.from_bytes(body, "big"))
                finished += 1
        if facts:
            store.add(facts)
            held += len(facts)
            finished += len(facts) if qos == 1 else 0
        line.socket.sendall(answers)
    store.close()
    print("stored", flush=True)
    line.socket.recv(1)  # the broker may still want to hear of the last answers


if __name__ == "__main__":
    receive(Path(sys.argv[1]), *(int(word) for word in sys.argv[2:]))
