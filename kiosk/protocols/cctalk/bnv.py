"""The scrambler of encrypted note acceptors ("BNV", ccTalk sheet §12).

A CRC-16 frame is built first; then its bytes from the third to the last are scrambled with a key of six digits.
Destination and length stay clear, and no flag in the frame says that it is scrambled: both ends are set alike.

Theory of operation.  The block is one long word of bits, the first bit of the first byte leftmost.  It is inverted with
a byte of the key's first and fifth digit; bytes whose place is chosen by the fourth are mirrored; then twelve times the
word turns one place to the right, where the bit that comes round is mixed with one tapped bit of each byte (places by
the second digit) and some of the bits that cross from one byte to the next are inverted (chosen by the sixth); last,
every byte is mixed with the third digit twice.  Each step can be undone, which is how a block is opened.

It hides a frame from a curious eye and proves nothing: a key of six digits is no protection of money.
"""

from __future__ import annotations

from kiosk.errors import FrameError

DIGITS = 6
_TURNS = 12
#: Bit of a byte that is tapped, by place and second digit.
_TAPS = (7, 4, 5, 3, 1, 2, 3, 2, 6, 1)
_FEED = 0x63
_MIRRORED = tuple(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class BnvKey:
    """Owns one key; scrambles and opens the part of a frame behind destination and length.

    >>> key = BnvKey("124027")
    >>> key.seal(bytes.fromhex("d1fe0e")).hex()
    '8991e6'
    >>> key.unseal(bytes.fromhex("8991e6")).hex()
    'd1fe0e'
    """

    def __init__(self, digits: str) -> None:
        """Take the key.

        Raises:
            FrameError: it is not six digits.
        """
        if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
            raise FrameError("a ccTalk key is not six digits", hint="copy the six digits from the unit's label")
        self._key = tuple(int(digit) for digit in digits)

    def __repr__(self) -> str:
        return "BnvKey(…)"  # a key is never shown

    def seal(self, block: bytes) -> bytes:
        """Scramble a block."""
        key, size = self._key, len(block)
        if not size:
            return b""
        first = 0xFF ^ (key[0] << 4 | key[4])
        word = int.from_bytes(self._mirror(bytes(byte ^ first for byte in block)), "big")
        taps, top = self._taps(size), 8 * size - 1
        for turn in range(_TURNS):
            front = (word & 1) ^ (word & taps).bit_count() & 1
            word = (word >> 1 | front << top) ^ self._crossings(size, turn)
        return self._last(word.to_bytes(size, "big"))

    def unseal(self, block: bytes) -> bytes:
        """Undo `seal`."""
        key, size = self._key, len(block)
        if not size:
            return b""
        word = int.from_bytes(self._last(block), "big")
        taps, top = self._taps(size), 8 * size - 1
        full = (1 << 8 * size) - 1
        for turn in reversed(range(_TURNS)):
            word ^= self._crossings(size, turn)
            front, word = word >> top, word << 1 & full
            word |= front ^ (word & taps).bit_count() & 1  # no tap is a lowest bit, so the lost bit is not among them
        first = 0xFF ^ (key[0] << 4 | key[4])
        return bytes(byte ^ first for byte in self._mirror(word.to_bytes(size, "big")))

    def _mirror(self, block: bytes) -> bytes:
        chosen = self._key[3]
        return bytes(_MIRRORED[byte] if chosen >> at % 4 & 1 else byte for at, byte in enumerate(block))

    def _last(self, block: bytes) -> bytes:
        digit = self._key[2]
        return bytes(byte ^ (digit << 4 | digit) for byte in block)

    def _taps(self, size: int) -> int:
        return int.from_bytes(bytes(1 << _TAPS[(self._key[1] + at) % 10] for at in range(size)), "big")

    def _crossings(self, size: int, turn: int) -> int:
        """Return the bits inverted in a turn: first bits of bytes, of each but the first byte."""
        feed = self._key[5] ^ _FEED
        marks = bytes((feed >> (turn + at - 1) % 8 & 1) << 7 if at else 0 for at in range(size))
        return int.from_bytes(marks, "big")
