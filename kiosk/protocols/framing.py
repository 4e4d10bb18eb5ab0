"""What framed protocols share: a bounded byte buffer and checksums.

Bytes from a line are untrusted: a decoder keeps them in a `BoundedBuffer`, whose size is fixed when it is made,
so that a babbling device can never grow the memory of the kiosk.
"""

from __future__ import annotations

from kiosk.errors import FrameError


def _kermit_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_KERMIT = _kermit_table()


def crc16_kermit(data: bytes, crc: int = 0) -> int:
    """Return CRC-16/KERMIT (0x1021 reflected, init 0, no final inversion); pass `crc` to go on from a part.

    >>> hex(crc16_kermit(b"123456789"))
    '0x2189'
    """
    for byte in data:
        crc = (crc >> 8) ^ _KERMIT[(crc ^ byte) & 0xFF]
    return crc


def _cms_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x8005 if crc & 0x8000 else crc << 1) & 0xFFFF
        table.append(crc)
    return tuple(table)


_CMS = _cms_table()


def crc16_cms(data: bytes, crc: int = 0xFFFF) -> int:
    """Return CRC-16/CMS (0x8005, init FFFF, not reflected, no final inversion); pass `crc` to go on from a part.

    >>> hex(crc16_cms(b"123456789"))
    '0xaee7'
    """
    for byte in data:
        crc = (crc << 8 & 0xFFFF) ^ _CMS[crc >> 8 ^ byte]
    return crc


def _xmodem_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
        table.append(crc)
    return tuple(table)


_XMODEM = _xmodem_table()


def crc16_xmodem(data: bytes, crc: int = 0) -> int:
    """Return CRC-16/XMODEM (0x1021 as it stands, init 0, no final inversion); pass `crc` to go on from a part.

    >>> hex(crc16_xmodem(b"123456789"))
    '0x31c3'
    """
    for byte in data:
        crc = (crc << 8 ^ _XMODEM[crc >> 8 ^ byte]) & 0xFFFF
    return crc


class BoundedBuffer:
    """Owns the bytes that wait to be understood; refuses to hold more than `limit` of them."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise FrameError(f"a buffer of {limit} bytes holds nothing", hint="use a limit of at least 1")
        self.limit = limit
        self._bytes = bytearray()

    def __len__(self) -> int:
        return len(self._bytes)

    def room(self) -> int:
        """Return how many bytes still fit."""
        return self.limit - len(self._bytes)

    def fill(self, data: bytes) -> bytes:
        """Take as much of `data` as fits and return the rest, untouched."""
        fits = self.room()
        self._bytes += data[:fits]
        return data[fits:]

    def peek(self, start: int = 0, end: int | None = None) -> bytes:
        """Return bytes without consuming them."""
        return bytes(self._bytes[start:end])

    def byte(self, index: int) -> int:
        """Return one byte without consuming it."""
        return self._bytes[index]

    def find(self, value: int) -> int:
        """Return the index of the first byte equal to `value`, or -1."""
        return self._bytes.find(value)

    def take(self, count: int) -> bytes:
        """Consume and return the first `count` bytes (fewer where there are fewer)."""
        taken = bytes(self._bytes[:count])
        del self._bytes[:count]
        return taken

    def clear(self) -> bytes:
        """Consume and return everything."""
        return self.take(len(self._bytes))
