"""A byte path that misbehaves on purpose, around any other: for tests and rehearsals, never for a live kiosk.

Splits, drops, garbles, doubles, delays and cuts, by chances out of 1000 and a seed, so that every run can be
repeated.  What comes in and what goes out are treated alike; `cut_after` hangs the line up after so many bytes.
"""

from __future__ import annotations

import random

import msgspec

from kiosk.errors import TransportError
from kiosk.plugins.devices import PortRequest, Reply
from kiosk.transports.path import BytePath


class Faults(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How bad the line is.  Chances are out of 1000, for each byte unless said otherwise."""

    seed: int = 0
    #: Chance for each read or write to be cut into pieces.
    split: int = 0
    drop: int = 0
    garble: int = 0
    duplicate: int = 0
    #: Chance for each read to keep its bytes back until a later one.
    delay: int = 0
    #: Hang up after so many bytes in either direction; None for never.  Each opening counts anew.
    cut_after: int | None = None


class FaultyPath:
    """Owns the misbehaviour; the path inside does the work."""

    def __init__(self, inner: BytePath, faults: Faults) -> None:
        self.inner = inner
        self.faults = faults
        self.label = f"faulty {inner.label}"
        self._chance = random.Random(faults.seed)
        self._kept = b""
        self._passed = 0

    def open(self) -> dict[str, str]:
        """Open the path inside."""
        self._kept, self._passed = b"", 0
        return self.inner.open()

    def fileno(self) -> int:
        """Return the descriptor of the path inside."""
        return self.inner.fileno()

    def read(self) -> bytes:
        """Return what the line made of what arrived."""
        fresh = self.inner.read()
        self._kept += self._spoil(fresh)
        if fresh and self._hit(self.faults.delay):
            return b""
        size = len(self._kept)
        if size > 1 and self._hit(self.faults.split):
            size = self._chance.randrange(1, size)
        out, self._kept = self._kept[:size], self._kept[size:]
        return out

    def write(self, data: bytes) -> int:
        """Hand over spoiled bytes; the count is of the good ones, as if all had gone well."""
        size = len(data)
        if size > 1 and self._hit(self.faults.split):
            size = self._chance.randrange(1, size)
        spoiled = self._spoil(data[:size])
        taken = self.inner.write(spoiled) if spoiled else size
        return size if taken == len(spoiled) else min(taken, size)

    def drop_output(self) -> None:
        """Pass on."""
        self.inner.drop_output()

    def request(self, request: PortRequest) -> Reply:
        """Pass on; flushing also forgets what was kept back."""
        if request.kind == "flush_input":
            self._kept = b""
        return self.inner.request(request)

    def present(self) -> bool | None:
        """Pass on."""
        return self.inner.present()

    def close(self) -> None:
        """Close the path inside."""
        self.inner.close()

    def _hit(self, chance: int) -> bool:
        return chance > 0 and self._chance.randrange(1000) < chance

    def _spoil(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            self._passed += 1
            if self.faults.cut_after is not None and self._passed > self.faults.cut_after:
                self.inner.close()
                raise TransportError(f"{self.label}: cut as ordered", hint="the faults say so", transient=True)
            if self._hit(self.faults.drop):
                continue
            value = byte ^ (1 << self._chance.randrange(8)) if self._hit(self.faults.garble) else byte
            out.append(value)
            if self._hit(self.faults.duplicate):
                out.append(value)
        return bytes(out)
