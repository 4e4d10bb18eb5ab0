"""Just enough MQTT 3.1.1 to publish and to receive with QoS 1 and 2; the standard's chapters 2 and 3 in short.

A packet is a byte with type and flags, the length of the rest in seven-bit digits, and the rest.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK = 2, 3, 4, 5, 6, 7, 9
#: Types and flags of the short answers that carry a packet id alone.
_ANSWERS = {PUBACK: 0x40, PUBREC: 0x50, PUBREL: 0x62, PUBCOMP: 0x70}


def packet(head: int, body: bytes) -> bytes:
    """Return a whole packet."""
    digits, left = bytearray(), len(body)
    while True:
        left, digit = divmod(left, 128)
        digits.append(digit | 0x80 if left else digit)
        if not left:
            return bytes((head,)) + bytes(digits) + body


def text(words: str) -> bytes:
    """Return a text with its length."""
    raw = words.encode()
    return len(raw).to_bytes(2, "big") + raw


def answer(kind: int, number: int) -> bytes:
    """Return PUBACK, PUBREC, PUBREL or PUBCOMP for a packet id."""
    return bytes((_ANSWERS[kind], 2)) + number.to_bytes(2, "big")


def publish(topic: str, payload: bytes, qos: int, number: int) -> bytes:
    """Return a PUBLISH."""
    return packet(0x30 | qos << 1, text(topic) + number.to_bytes(2, "big") + payload)


class Line:
    """A connection to a broker: bytes out, packets in."""

    def __init__(self, port: int, name: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        # Protocol name and level, a session that stays, no keep-alive.
        self.socket.sendall(packet(0x10, text("MQTT") + bytes((4, 0, 0, 0)) + text(name)))
        kind, _, body = next(iter(self.packets()))
        if kind != CONNACK or body[1]:
            raise RuntimeError(f"the broker refused the connection: {body!r}")

    def subscribe(self, topic: str, qos: int) -> None:
        """Ask for a topic and wait for the answer."""
        self.socket.sendall(packet(0x82, (1).to_bytes(2, "big") + text(topic) + bytes((qos,))))
        kind, _, body = next(iter(self.packets()))
        if kind != SUBACK or body[2] != qos:
            raise RuntimeError(f"the broker refused the subscription: {body!r}")

    def packets(self, size: int = 1 << 18) -> list[tuple[int, int, bytes]]:
        """Wait for bytes; return the packets that are whole now: type, flags, body."""
        found: list[tuple[int, int, bytes]] = []
        while not found:
            piece = self.socket.recv(size)
            if not piece:
                raise RuntimeError("the broker ended the connection")
            self._buffer += piece
            found = list(self._whole())
        return found

    def _whole(self) -> Iterator[tuple[int, int, bytes]]:
        place, held = 0, bytes(self._buffer)
        while True:
            length, shift, at = 0, 0, place + 1
            while at < len(held):
                length |= (held[at] & 0x7F) << shift
                shift += 7
                at += 1
                if not held[at - 1] & 0x80:
                    break
            else:
                break
            if at + length > len(held):
                break
            yield held[place] >> 4, held[place] & 0x0F, held[at : at + length]
            place = at + length
        del self._buffer[:place]

    def close(self) -> None:
        """Let go."""
        self.socket.close()
