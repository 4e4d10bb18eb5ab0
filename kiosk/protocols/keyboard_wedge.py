"""Keyboard-wedge scanners: from key records to letters (devices sheet §2.1).

A transport that owns the kernel's event nodes hands over records of eight bytes, little endian: node index, event type,
code, value (`RECORD`).  One scanner may have several nodes; each keeps its own modifiers.  The host's keyboard layout
plays no part: the scanner sends *positions*, and the map from positions to letters is ours (US unless configured).

Rules: both SHIFT keys, ALTGR (also as CTRL with ALT) and CTRL are followed here; a repeat (value 2) and Caps Lock
change nothing; ALT with keypad digits is one code unit, and ALT with anything else no letter; SYN_DROPPED means that
keys are missing, so the scan is spoiled.
"""

from __future__ import annotations

import struct

import msgspec

from kiosk.errors import KioskError

#: Node index, event type, code, value: struct input_event without its time.
RECORD = struct.Struct("<BBHi")
EV_SYN, EV_KEY = 0, 1
SYN_REPORT, SYN_DROPPED = 0, 3

LEFT_CTRL, RIGHT_CTRL, LEFT_SHIFT, RIGHT_SHIFT, LEFT_ALT, RIGHT_ALT = 29, 97, 42, 54, 56, 100
_MODIFIERS = frozenset({LEFT_CTRL, RIGHT_CTRL, LEFT_SHIFT, RIGHT_SHIFT, LEFT_ALT, RIGHT_ALT})
#: Caps, Num and Scroll Lock, both Meta keys: they write no letter.
_SILENT = frozenset({58, 69, 70, 125, 126})
END_KEYS = {"ENTER": 28, "KPENTER": 96, "TAB": 15}
#: Control letters of the end keys: Ctrl+M, Ctrl+J and Ctrl+I, or ALT with 13, 10 and 9.
_END_CONTROLS = {"\r": 28, "\n": 28, "\t": 15}
_KEYPAD = dict(zip((82, 79, 80, 81, 75, 76, 77, 71, 72, 73), "0123456789", strict=True))
_MAX_ALT_DIGITS = 7
#: What code units below 256 may mean.
ALT_PAGES = ("latin-1", "cp1252", "cp437", "cp850", "utf-8")

#: Positions of the letter keys, row by row: digits, upper, home, lower, space, backslash, the 102nd key.
_POSITIONS = (41, *range(2, 14), *range(16, 28), *range(30, 41), 43, *range(44, 54), 86, 57)
#: keymap → (plain, with SHIFT), in the order of the positions.
_ROWS = {
    "us": (
        "`1234567890-=qwertyuiop[]asdfghjkl;'\\zxcvbnm,./\\ ",
        '~!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:"|ZXCVBNM<>?| ',
    ),
    "de": (
        "^1234567890ß´qwertzuiopü+asdfghjklöä#yxcvbnm,.-< ",
        "°!\"§$%&/()=?`QWERTZUIOPÜ*ASDFGHJKLÖÄ'YXCVBNM;:_> ",
    ),
}
#: keymap → position → letter with ALTGR.
_GRAPHIC = {
    "us": {},
    "de": {3: "²", 4: "³", 8: "{", 9: "[", 10: "]", 11: "}", 12: "\\", 16: "@", 18: "€", 27: "~", 50: "µ", 86: "|"},
}
_KEYPAD_SIGNS = {55: "*", 74: "-", 78: "+", 98: "/", 117: "="}
_DECIMAL = {"us": ".", "de": ","}
KEYMAPS = tuple(_ROWS)


class Typed(msgspec.Struct, frozen=True):
    """What one record came to."""

    node: int
    #: ``text``, ``end``, ``dropped`` (keys are missing) or ``unknown_key``.
    kind: str
    text: str = ""
    #: One byte of a letter that comes in several code units.
    unit: bytes = b""

    @property
    def data(self) -> bytes:
        """Return the letter's bytes, UTF-8."""
        return self.unit or self.text.encode("utf-8", "replace")


def keymap(name: str, keys: dict[str, str] | None = None) -> dict[int, tuple[str, str, str]]:
    """Return position → (plain, shifted, with ALTGR) of a map, with single positions replaced.

    `keys` maps a position in decimal to one to three letters, e.g. ``{"12": "ß?\\\\"}``.

    >>> keymap("us")[16], keymap("de")[21]
    (('q', 'Q', ''), ('z', 'Z', ''))

    Raises:
        KioskError: no such map, or a replacement that cannot be read.
    """
    if name not in _ROWS:
        raise KioskError(f"there is no key map {name[:20]!r}", hint=f"use one of {', '.join(KEYMAPS)}")
    plain, shifted = _ROWS[name]
    graphic: dict[int, str] = _GRAPHIC[name]
    letters = {at: (plain[i], shifted[i], graphic.get(at, "")) for i, at in enumerate(_POSITIONS)}
    for position, digit in _KEYPAD.items():
        letters[position] = (digit, digit, "")
    for position, sign in {**_KEYPAD_SIGNS, 83: _DECIMAL[name]}.items():
        letters[position] = (sign, sign, "")
    for position_text, own in (keys or {}).items():
        if not position_text.isdecimal() or int(position_text) > 0x2FF or not 1 <= len(own) <= 3:
            raise KioskError(f"key {position_text[:20]!r} cannot be mapped", hint='write it like "12" = "ß?"')
        letters[int(position_text)] = (own[0], own[1:2] or own[0], own[2:3])
    return letters


class WedgeDecoder:
    """Turns records, split anywhere, into letters and ends; owns the modifiers of each node."""

    def __init__(
        self, letters: dict[int, tuple[str, str, str]], ends: tuple[str, ...], alt_page: str = "latin-1"
    ) -> None:
        self._letters = letters
        self._alt_page = alt_page
        self._ends = frozenset(END_KEYS[name] for name in ends)
        self._rest = b""
        self._down: dict[int, set[int]] = {}
        self._alt: dict[int, str] = {}
        self._lost: set[int] = set()

    def reset(self) -> None:
        """Begin anew: the nodes were opened."""
        self._rest = b""
        self._down.clear()
        self._alt.clear()
        self._lost.clear()

    def feed(self, data: bytes) -> list[Typed]:
        """Take records and return what was typed, in order."""
        data = self._rest + data
        whole = len(data) // RECORD.size * RECORD.size
        self._rest = data[whole:]
        out: list[Typed] = []
        for node, kind, code, value in RECORD.iter_unpack(data[:whole]):
            typed = self._record(node, kind, code, value)
            if typed is not None:
                out.append(typed)
        return out

    def _record(self, node: int, kind: int, code: int, value: int) -> Typed | None:
        if kind == EV_SYN:
            if code == SYN_DROPPED:
                self._lost.add(node)
                self._down.pop(node, None)
                self._alt.pop(node, None)
                return Typed(node, "dropped")
            if code == SYN_REPORT:
                self._lost.discard(node)
            return None
        if kind != EV_KEY or node in self._lost or value not in (0, 1):
            return None
        down = self._down.setdefault(node, set())
        if code in _MODIFIERS:
            if value:
                down.add(code)
            else:
                down.discard(code)
            return self._alt_code(node) if code in (LEFT_ALT, RIGHT_ALT) and not value else None
        if not value or code in _SILENT:
            return None
        return self._press(node, code, down)

    def _press(self, node: int, code: int, down: set[int]) -> Typed | None:
        alt, ctrl = down & {LEFT_ALT, RIGHT_ALT}, down & {LEFT_CTRL, RIGHT_CTRL}
        if code in _KEYPAD and alt and not ctrl:
            self._alt[node] = (self._alt.get(node, "") + _KEYPAD[code])[: _MAX_ALT_DIGITS + 1]
            return None
        if self._alt.pop(node, ""):
            return Typed(node, "unknown_key")  # another key inside a code: neither can be told
        if code in self._ends:
            return Typed(node, "end")
        if code == END_KEYS["TAB"]:
            return Typed(node, "text", "\t")
        plain, shifted, graphic = self._letters.get(code, ("", "", ""))
        if RIGHT_ALT in down or (LEFT_ALT in down and ctrl):
            text = graphic or (plain if RIGHT_ALT in down else "")
        elif ctrl:
            return self._control(node, plain, shifted)
        elif alt:
            text = ""
        else:
            text = shifted if down & {LEFT_SHIFT, RIGHT_SHIFT} else plain
        return Typed(node, "text", text) if text else Typed(node, "unknown_key")

    def _control(self, node: int, plain: str, shifted: str) -> Typed:
        for letter in (plain.upper(), shifted):
            if len(letter) == 1 and 0x40 <= ord(letter) <= 0x5F:
                return self._written(node, chr(ord(letter) & 0x1F))
        return Typed(node, "unknown_key")

    def _alt_code(self, node: int) -> Typed | None:
        digits = self._alt.pop(node, "")
        if not digits:
            return None
        code = int(digits)
        if len(digits) > _MAX_ALT_DIGITS or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            return Typed(node, "unknown_key")
        if not 0x80 <= code <= 0xFF:
            return self._written(node, chr(code))
        if self._alt_page == "utf-8":
            return Typed(node, "text", unit=bytes((code,)))
        letter = bytes((code,)).decode(self._alt_page, "replace")
        return Typed(node, "text", letter) if letter != "\N{REPLACEMENT CHARACTER}" else Typed(node, "unknown_key")

    def _written(self, node: int, letter: str) -> Typed:
        # A control letter is an end where its key would be one: Ctrl+M, ALT+013 and ENTER are all the same.
        return Typed(node, "end") if _END_CONTROLS.get(letter) in self._ends else Typed(node, "text", letter)
