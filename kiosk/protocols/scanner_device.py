"""The device roles of scanners: one on a serial line, one that types like a keyboard.

Both only emit; what the host sends is ignored and counted.  The wedge emits the records of the evdev transport:
``<BBHi`` = node index, event type, code, value, as the kernel would have told them of a US keyboard
(devices sheet §2.1).
"""

from __future__ import annotations

import struct

from kiosk.errors import SimulatorError

MS = 1_000_000

EV_SYN, EV_KEY = 0, 1
SYN_REPORT, SYN_DROPPED = 0, 3
KEY_UP, KEY_DOWN, KEY_REPEAT = 0, 1, 2
KEY_ENTER, KEY_TAB, KEY_LEFTSHIFT, KEY_LEFTCTRL, KEY_LEFTALT = 28, 15, 42, 29, 56
#: Keypad digits 0 to 9.
KEYPAD = (82, 79, 80, 81, 75, 76, 77, 71, 72, 73)
_RECORD = struct.Struct("<BBHi")


def _us_keys() -> dict[str, tuple[int, bool]]:
    rows = ((2, "1234567890-=", "!@#$%^&*()_+"), (16, "qwertyuiop[]", "QWERTYUIOP{}"),
            (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'), (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"))  # fmt: skip
    keys = {" ": (57, False)}
    for first, plain, shifted in rows:
        for at, (low, high) in enumerate(zip(plain, shifted, strict=True)):
            keys[low], keys[high] = (first + at, False), (first + at, True)
    return keys


#: Character → (key code, with shift) on a US keyboard.
US_KEYS = _us_keys()


class LineScannerDevice:
    """A scanner on a serial line: label and suffix, optionally an AIM identifier and a prefix."""

    def __init__(self, *, prefix: bytes = b"", suffix: bytes = b"\r", aim: bool = False) -> None:
        self.prefix = prefix
        self.suffix = suffix
        self.aim = aim
        self.powered = True
        #: Bytes the host sent; a plain scanner has no use for them.
        self.ignored = 0
        self._outbound: list[bytes] = []

    def scan(self, label: str | bytes, *, symbology: str = "]C0") -> bool:
        """Read a label; False without power."""
        if not self.powered:
            return False
        body = label if isinstance(label, bytes) else label.encode("utf-8")
        mark = symbology.encode("ascii") if self.aim else b""
        self._outbound.append(self.prefix + mark + body + self.suffix)
        return True

    def cut_power(self) -> None:
        """Take the power away."""
        self.powered = False
        self._outbound.clear()

    def restore_power(self) -> None:
        """Give the power back."""
        self.powered = True

    def received(self, data: bytes, now: int) -> None:
        """Ignore what the host sends."""
        self.ignored += len(data)

    def tick(self, now: int) -> None:
        """Nothing here depends on time."""

    def deadline(self) -> int | None:
        """Never."""
        return None

    def take_outbound(self) -> list[bytes]:
        """Hand over what was read, once."""
        outbound, self._outbound = self._outbound, []
        return outbound


class WedgeScannerDevice:
    """A scanner that types: key events at the pace of a keyboard."""

    def __init__(
        self, *, terminator: int | None = KEY_ENTER, keypad: bool = False, key_ms: int = 5, node: int = 0
    ) -> None:
        #: Key code that ends a scan, or None for scanners that end by silence.
        self.terminator = terminator
        #: Digits come from the keypad.
        self.keypad = keypad
        self.key_ms = key_ms
        self.node = node
        self.ignored = 0
        self._now = 0
        self._free_at = 0
        self._queue: list[tuple[int, bytes]] = []
        self._drop_after: int | None = None

    def scan(self, label: str) -> bool:
        """Type a label: what the US layout lacks comes as ALT with keypad digits, control characters with CTRL.

        Raises:
            SimulatorError: a letter has no code below 256.
        """
        strokes = [self._stroke(letter) for letter in label]
        if self.terminator is not None:
            strokes.append([(self.terminator, KEY_DOWN), (self.terminator, KEY_UP)])
        at = max(self._now, self._free_at)
        for count, stroke in enumerate(strokes):
            if self._drop_after is not None and count == self._drop_after:
                self._queue.append((at, self._record(EV_SYN, SYN_DROPPED, 0)))
                self._drop_after = None
            for code, value in stroke:
                self._queue.append((at, self._record(EV_KEY, code, value) + self._record(EV_SYN, SYN_REPORT, 0)))
            at += self.key_ms * MS
        self._free_at = at
        return True

    def drop_after(self, characters: int) -> None:
        """Let the kernel's buffer overrun in the next scan after so many characters (SYN_DROPPED)."""
        self._drop_after = characters

    def hold_key(self, code: int, repeats: int) -> None:
        """Hold a key down: press, repeats, release."""
        values = [KEY_DOWN, *[KEY_REPEAT] * repeats, KEY_UP]
        self._queue += [
            (self._now, self._record(EV_KEY, code, value) + self._record(EV_SYN, SYN_REPORT, 0)) for value in values
        ]

    def _stroke(self, letter: str) -> list[tuple[int, int]]:
        point = ord(letter)
        if self.keypad and letter.isascii() and letter.isdigit():
            return self._tap(KEYPAD[int(letter)])
        if letter in US_KEYS:
            code, shift = US_KEYS[letter]
            return self._with(KEY_LEFTSHIFT, self._tap(code)) if shift else self._tap(code)
        if letter in "\r\n":
            return self._tap(KEY_ENTER)
        if letter == "\t":
            return self._tap(KEY_TAB)
        if point < 32 and chr(point + 64).lower() in US_KEYS:
            code, shift = US_KEYS[chr(point + 64).lower()]  # CTRL with a letter, or with one of @ [ \\ ] ^ _
            return self._with(KEY_LEFTCTRL, self._with(KEY_LEFTSHIFT, self._tap(code)) if shift else self._tap(code))
        if point > 255:
            raise SimulatorError(f"a keyboard wedge cannot type {letter!r}", hint="use letters of Latin-1")
        return self._with(KEY_LEFTALT, [tap for digit in f"{point:04d}" for tap in self._tap(KEYPAD[int(digit)])])

    @staticmethod
    def _tap(code: int) -> list[tuple[int, int]]:
        return [(code, KEY_DOWN), (code, KEY_UP)]

    @staticmethod
    def _with(modifier: int, strokes: list[tuple[int, int]]) -> list[tuple[int, int]]:
        return [(modifier, KEY_DOWN), *strokes, (modifier, KEY_UP)]

    def _record(self, kind: int, code: int, value: int) -> bytes:
        return _RECORD.pack(self.node, kind, code, value)

    def received(self, data: bytes, now: int) -> None:
        """Ignore what the host sends."""
        self._now = max(self._now, now)
        self.ignored += len(data)

    def tick(self, now: int) -> None:
        """The time is `now`."""
        self._now = max(self._now, now)

    def deadline(self) -> int | None:
        """Return when the next key is due."""
        return self._queue[0][0] if self._queue else None

    def take_outbound(self) -> list[bytes]:
        """Hand over the records that are due, once."""
        due = [record for at, record in self._queue if at <= self._now]
        self._queue = self._queue[len(due) :]
        return due
