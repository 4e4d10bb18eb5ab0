"""A seeded mutator over worked frames: what noise, other firmware and ill will make of them.

A part of the mutants gets its checksum made right again, because a decoder's inside is behind its checksum.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kiosk.protocols.framing import crc16_kermit
from kiosk.protocols.ssp.frames import encode as ssp_encode

VECTORS = Path(__file__).parent.parent / "tests" / "vectors"
#: Longest mutant.
MOST = 600


def vectors(protocol: str) -> dict[str, list[bytes]]:
    """Return the worked frames of a protocol by who sends them."""
    rows: list[dict[str, Any]] = json.loads((VECTORS / protocol / "vectors.json").read_text("utf-8"))["frames"]
    out: dict[str, list[bytes]] = {"host": [], "device": []}
    for row in rows:
        out[row.get("direction") or row["sender"]].append(bytes.fromhex(row["hex"]))
    return out


def _id003(raw: bytes) -> bytes:
    body = bytes((0xFC, min(255, len(raw)))) + raw[2:-2][:250]
    body = body[:1] + bytes((len(body) + 2,)) + body[2:]
    return body + crc16_kermit(body).to_bytes(2, "little")


def _ccnet(raw: bytes) -> bytes:
    inside = raw[3:-2][:240] or b"\x33"
    body = bytes((2, 3, len(inside) + 5)) + inside
    return body + crc16_kermit(body).to_bytes(2, "little")


def _ebds(raw: bytes) -> bytes:
    inside = bytes(byte & 0x7F for byte in raw[2:-2][:110]) or b"\x10"
    body = bytes((len(inside) + 4,)) + inside
    check = 0
    for byte in body:
        check ^= byte
    return b"\x02" + body + bytes((3, check & 0x7F))


def _ssp(raw: bytes) -> bytes:
    inside = raw[3:-2].replace(b"\x7f\x7f", b"\x7f")[:250] or b"\x07"
    return ssp_encode(0, raw[1] >> 7 if len(raw) > 1 else 0, inside)


def _cctalk(raw: bytes) -> bytes:
    head = (raw + b"\0\0\0\0")[:4]
    inside = raw[4:-1][:250]
    body = bytes((head[0], len(inside), head[2], head[3])) + inside
    return body + bytes((-sum(body) & 0xFF,))


#: Makes length and checksum right.
RIGHT: dict[str, Callable[[bytes], bytes]] = {
    "id003": _id003, "ccnet": _ccnet, "ebds": _ebds, "ssp": _ssp, "cctalk": _cctalk,
}  # fmt: skip


class Mutator:
    """Owns the chance; gives one mutant after the other, the same ones for the same seed."""

    def __init__(self, protocol: str, seed: int) -> None:
        self._chance = random.Random(seed)
        self._right = RIGHT[protocol]
        self._frames = vectors(protocol)

    def next(self, sender: str) -> bytes:
        """Return one mutant of what this end sends."""
        chance, frames = self._chance, self._frames[sender]
        raw = bytearray(chance.choice(frames))
        for _ in range(chance.randrange(1, 4)):
            kind = chance.randrange(8)
            at = chance.randrange(len(raw) + 1)
            if kind == 0 and raw:
                raw[at % len(raw)] ^= 1 << chance.randrange(8)
            elif kind == 1 and raw:
                raw[at % len(raw)] = chance.choice((0, 1, 2, 3, 0x7F, 0x80, 0xFC, 0xFF, chance.randrange(256)))
            elif kind == 2:
                del raw[at:]
            elif kind == 3:
                raw[at:at] = chance.randbytes(chance.randrange(1, 12))
            elif kind == 4:
                raw[at:at] = raw[at : at + chance.randrange(1, 16)]
            elif kind == 5:
                raw += chance.choice(frames)
            elif kind == 6 and len(raw) > 2:
                raw[1 + chance.randrange(2)] = chance.randrange(256)
            else:
                del raw[at : at + chance.randrange(1, 5)]
        mutant = bytes(raw[:MOST])
        return self._right(mutant) if chance.random() < 0.4 else mutant
