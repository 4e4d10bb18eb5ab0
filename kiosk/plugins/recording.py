"""A recording of one line, as a file: JSON lines, the first one says of what, the others what passed and when.

It is made by ``kiosk wire record`` and read by whoever wants to know what a device did: by `replay`, by a test, by
``kiosk wire decode``.  A file is a stranger's: bounded, and every line is checked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from kiosk.errors import PluginError

Shape = TypeVar("Shape")
#: Version of the file's shape; readers accept this one and the one before.
VERSION = 1
#: Bytes of the largest file that is read.
MAX_FILE = 64 * 1024 * 1024
MAX_LINE = 1024 * 1024
WAYS = (">", "<", "!", "=")


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: of what the recording is."""

    recording: int = VERSION
    #: Name of the device in the kiosk's configuration.
    device: str
    #: Name of its driver, and its options as they were set.
    driver: str
    protocol: str = ""
    options: dict[str, Any] = {}
    #: ISO 4217 code of the kiosk's currency.
    currency: str


class Passed(msgspec.Struct, frozen=True):
    """One piece of traffic."""

    #: Monotonic nanoseconds of the machine it was recorded on.
    at_ns: int
    #: ``>`` to the device, ``<`` from it, ``!`` an event of the port in words, ``=`` an order of the kernel as JSON.
    way: str
    hex: str

    @property
    def data(self) -> bytes:
        """Return the bytes."""
        return bytes.fromhex(self.hex)


class Recording(msgspec.Struct, frozen=True):
    """A whole recording."""

    about: About
    #: Oldest first.
    passed: tuple[Passed, ...]

    @property
    def whole(self) -> bool:
        """Tell whether it begins where the port was opened, so that the driver's own start is in it."""
        return any(piece.way == "!" and piece.data == b"opened" for piece in self.passed)


def write_recording(recording: Recording) -> bytes:
    """Return the file of a recording."""
    lines: Iterable[Any] = (recording.about, *recording.passed)
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def read_recording(data: bytes, *, source: str = "recording") -> Recording:
    """Read the file of a recording.

    Raises:
        PluginError: it is not one; names the line.
    """
    if len(data) > MAX_FILE:
        raise PluginError(f"{source}: {len(data)} bytes are too many", hint=f"at most {MAX_FILE} are read")
    first, *rest = data.splitlines() or [b""]
    about = _line(first, About, source, 1)
    if about.recording not in (VERSION, VERSION - 1):
        raise PluginError(f"{source}: version {about.recording} is not known", hint="record it with this version")
    passed: list[Passed] = []
    for number, line in enumerate(rest, 2):
        if not line.strip():
            continue
        piece = _line(line, Passed, source, number)
        try:
            piece.data  # noqa: B018  reading it is the check
        except ValueError:
            raise PluginError(f"{source}, line {number}: no hexadecimal", hint="record it again") from None
        if piece.way not in WAYS or (passed and piece.at_ns < passed[-1].at_ns):
            raise PluginError(
                f"{source}, line {number}: an unknown way or a time that runs backwards", hint="record it again"
            )
        passed.append(piece)
    return Recording(about, tuple(passed))


def _line(line: bytes, shape: type[Shape], source: str, number: int) -> Shape:
    if len(line) > MAX_LINE:
        raise PluginError(f"{source}, line {number}: {len(line)} bytes are too many", hint="record it again")
    try:
        return msgspec.json.decode(line, type=shape)
    except msgspec.DecodeError as error:
        raise PluginError(f"{source}, line {number}: {error}", hint="give a file of `kiosk wire record`") from None
