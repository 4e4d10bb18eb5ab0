"""A city's logo: a PNG file, walked chunk by chunk before any browser or printer may see it.

Other kinds are refused: an SVG is a program (scripts, links to elsewhere), and a picture for one screen needs none.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from kiosk.errors import ConfigError

#: Most bytes of the file, and most pixels of a side.
LARGEST, LONGEST_SIDE = 256 << 10, 1024
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read_logo(path: Path) -> bytes:
    """Return the bytes of a PNG file.

    Raises:
        ConfigError: missing, too large, damaged, or not a PNG picture.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as fault:
        raise ConfigError(
            f"{path} cannot be read: {fault.strerror}", hint="put the logo into the pack, or take `logo` out"
        ) from None
    if len(data) > LARGEST:
        raise ConfigError(f"{path} is larger than {LARGEST} bytes", hint="save it with fewer pixels or colours")
    if not data.startswith(_SIGNATURE):
        raise ConfigError(f"{path} is not a PNG picture", hint="save the logo as PNG")
    width, height = _walk(data, path)
    if not (1 <= width <= LONGEST_SIDE and 1 <= height <= LONGEST_SIDE):
        raise ConfigError(
            f"{path} has {width} x {height} pixels", hint=f"at most {LONGEST_SIDE} on each side; 256 high is plenty"
        )
    return data


def _walk(data: bytes, path: Path) -> tuple[int, int]:
    """Hold every chunk against its checksum; return width and height."""
    at, kinds = len(_SIGNATURE), []
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kind, end = data[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(data) or zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            break
        kinds.append(kind)
        at = end + 4
        if kind == b"IEND":
            break
    whole = kinds[:1] == [b"IHDR"] and b"IDAT" in kinds and kinds[-1] == b"IEND" and at == len(data)
    if not whole:
        raise ConfigError(f"{path} is a damaged PNG picture", hint="save it again")
    head = len(_SIGNATURE) + 8
    return int.from_bytes(data[head : head + 4], "big"), int.from_bytes(data[head + 4 : head + 8], "big")
