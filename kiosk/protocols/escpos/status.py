"""Answers of a printer, told apart on one line by their fixed bits (devices sheet §1.3).

Real-time bytes, groups of automatic status, queued answers, flow control and text answers arrive mixed.  The reader
is incremental and bounded: bytes may be split anywhere, and whatever fits nothing is handed out as `Stray`, never
swallowed and never taken for an answer.  Who asked what is the driver's to know.
"""

from __future__ import annotations

import msgspec

#: Longest text answer that is believed; model names have some 20 letters.
MAX_TEXT = 80

_XON, _XOFF = 0x11, 0x13
_COMPLETION, _IDENTITY = 0x37, 0x5F


class RealTime(msgspec.Struct, frozen=True):
    """One answer to ``10 04 n``; valid by its mask, the question is not in it."""

    byte: int


class Automatic(msgspec.Struct, frozen=True):
    """One group of automatic status, four bytes."""

    data: bytes


class Queued(msgspec.Struct, frozen=True):
    """One answer to ``1D 72 n`` or a one-byte ``1D 49 n``."""

    byte: int


class Flow(msgspec.Struct, frozen=True):
    """The printer asks to go on (XON) or to wait (XOFF)."""

    go: bool


class Block(msgspec.Struct, frozen=True):
    """An answer that began with ``37`` (completion) or ``5F`` (identity) and ran to ``00``; both are left off."""

    head: int
    body: bytes


class Raw(msgspec.Struct, frozen=True):
    """A byte that was asked for beforehand and is taken as it is (presenter status has no fixed bits)."""

    byte: int


class Full(msgspec.Struct, frozen=True):
    """The four bytes of a full status that was asked for beforehand; ``10 0F`` before them is left off."""

    data: bytes


class Stray(msgspec.Struct, frozen=True):
    """Bytes that are no answer of any kind."""

    data: bytes


Answer = RealTime | Automatic | Queued | Flow | Block | Raw | Full | Stray


def is_real_time(byte: int) -> bool:
    """Tell whether a byte has the form ``0xx1xx10`` of a real-time answer."""
    return byte & 0x93 == 0x12


class StatusReader:
    """Owns at most one unfinished answer; owns neither time nor questions."""

    def __init__(self) -> None:
        self._open = bytearray()
        self._raw_wanted = 0
        self._full_wanted = False

    def expect_full(self) -> None:
        """Take the next ``10 0F`` for the head of a full status, once: it looks like one of automatic status."""
        self._full_wanted = True

    def expect_raw(self) -> None:
        """Take the next byte as it is, once."""
        self._raw_wanted = 1

    def reset(self) -> bytes:
        """Forget an unfinished answer and hand back its bytes, e.g. after a silence."""
        left = bytes(self._open)
        self._open.clear()
        self._raw_wanted = 0
        self._full_wanted = False
        return left

    def feed(self, data: bytes) -> list[Answer]:
        """Take bytes, split anywhere; return what is complete.

        >>> StatusReader().feed(bytes.fromhex("1A 03 5F 45 50 00"))
        [RealTime(byte=26), Queued(byte=3), Block(head=95, body=b'EP')]
        """
        found: list[Answer] = []
        for byte in data:
            self._take(byte, found)
        return found

    def _take(self, byte: int, found: list[Answer]) -> None:
        if self._raw_wanted:
            self._raw_wanted = 0
            found.append(Raw(byte))
        elif self._full_wanted and self._open[:1] == b"\x10":
            self._go_on_with_full(byte, found)
        elif byte in (_XON, _XOFF):  # flow control may stand inside any answer
            found.append(Flow(byte == _XON))
        elif not self._open:
            self._begin(byte, found)
        elif self._open[0] in (_COMPLETION, _IDENTITY):
            self._go_on_with_text(byte, found)
        else:
            self._go_on_with_group(byte, found)

    def _begin(self, byte: int, found: list[Answer]) -> None:
        if is_real_time(byte):
            found.append(RealTime(byte))
        elif byte & 0x93 == 0x10 or byte in (_COMPLETION, _IDENTITY):
            self._open.append(byte)
        elif byte & 0x90 == 0:
            found.append(Queued(byte))
        else:
            found.append(Stray(bytes([byte])))

    def _go_on_with_full(self, byte: int, found: list[Answer]) -> None:
        """Take the byte as it is: a full status has no fixed bits, and may hold what looks like flow control."""
        if len(self._open) == 1 and byte != 0x0F:
            self._full_wanted = False
            self._take(byte, found)
            return
        self._open.append(byte)
        if len(self._open) == 6:
            found.append(Full(bytes(self._open[2:])))
            self._open.clear()
            self._full_wanted = False

    def _go_on_with_group(self, byte: int, found: list[Answer]) -> None:
        if byte & 0x90:
            self._give_up(byte, found)
            return
        self._open.append(byte)
        if len(self._open) == 4:
            found.append(Automatic(bytes(self._open)))
            self._open.clear()

    def _go_on_with_text(self, byte: int, found: list[Answer]) -> None:
        if byte == 0:
            found.append(Block(self._open[0], bytes(self._open[1:])))
            self._open.clear()
        elif 0x20 <= byte <= 0x7E and len(self._open) < MAX_TEXT:
            self._open.append(byte)
        else:
            self._give_up(byte, found)

    def _give_up(self, byte: int, found: list[Answer]) -> None:
        """The unfinished answer was none: hand it out and look at this byte afresh."""
        found.append(Stray(bytes(self._open)))
        self._open.clear()
        self._begin(byte, found)
