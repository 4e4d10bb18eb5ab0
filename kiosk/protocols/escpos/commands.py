"""The commands of devices sheet §1.2 and §1.7 as functions from values to bytes.

Every function returns one whole command.  Rule that must stay true: a command is never split by another one; a
real-time request inside a multi-byte command has its argument byte eaten by it (devices sheet §1.5).
"""

from __future__ import annotations

from kiosk.errors import DriverError

#: Reset text styles and the code page: send `code_page` again afterwards.
INITIALISE = b"\x1b\x40"
#: End of a text line.
LINE_END = b"\n"
#: Clear receive and print buffers at once, also while off-line.  Epson only.  Answered with a ``37 25 00`` block.
CLEAR_BUFFERS = bytes.fromhex("10 14 08 01 03 14 01 06 02 08")
#: Retry the line after a recoverable error.
RECOVER_RETRY = b"\x10\x05\x01"
#: Drop the buffers after a recoverable or cutter error.
RECOVER_CLEAR = b"\x10\x05\x02"
#: All four real-time questions, in the order in which the answers come.
ASK_ALL_STATUS = bytes.fromhex("10 04 01 10 04 02 10 04 03 10 04 04")
#: Paper sensor, answered in its turn: proves that every earlier byte was consumed.
ASK_QUEUED_PAPER = b"\x1d\x72\x01"
#: Presenter: draw the slip back, give it out, ask for its state (KPM210/216 p. 76).
PRESENTER_RETRACT = b"\x1d\x65\x02"
PRESENTER_EJECT = b"\x1d\x65\x05"
PRESENTER_STATUS = b"\x1d\x65\x06"
#: Hardware reset of Custom printers (KPM216H p. 74).
CUSTOM_RESET = bytes.fromhex("1C C0 18 10 14 1A")
#: Full status of Custom printers (KPM300 p. 9).
CUSTOM_FULL_STATUS = b"\x10\x04\x14"

#: What `identify` may be asked for as text.
IDENTIFY_FIRMWARE, IDENTIFY_MAKER, IDENTIFY_MODEL = 0x41, 0x42, 0x43

ALIGN = {"left": 0, "centre": 1, "right": 2}
#: Pairs of bytes that begin a real-time command, also in the middle of image data.
_REAL_TIME_STARTS = (b"\x10\x04", b"\x10\x05", b"\x10\x14")


def code_page(number: int) -> bytes:
    """Choose the code page by its number in the printer's own table."""
    return b"\x1b\x74" + _byte(number, "code page")


def ask_status(number: int) -> bytes:
    """Ask for real-time status 1 to 4: one byte, answered even while off-line."""
    if number not in (1, 2, 3, 4):
        raise DriverError(f"There is no real-time status {number}", hint="Ask for 1, 2, 3 or 4.")
    return b"\x10\x04" + bytes([number])


def automatic_status(mask: int) -> bytes:
    """Send four bytes of status by itself on every change of the sensors in `mask`; 0 turns it off."""
    return b"\x1d\x61" + _byte(mask, "automatic status mask")


def completion_id(mark: bytes) -> bytes:
    """Ask for ``37 22 mark 00`` once everything before it is printed; `mark` is four printable bytes."""
    if len(mark) != 4 or not all(0x20 <= byte <= 0x7E for byte in mark):
        raise DriverError("A completion id is four printable ASCII bytes", hint="Number the jobs in hexadecimal.")
    return b"\x1d\x28\x48\x06\x00\x30\x30" + mark


def identify(what: int) -> bytes:
    """Ask who the printer is: `IDENTIFY_FIRMWARE`, `IDENTIFY_MAKER` or `IDENTIFY_MODEL`, answered ``5F text 00``."""
    return b"\x1d\x49" + _byte(what, "identification")


def drawer_pulse(pin: int, on_2ms: int, off_2ms: int) -> bytes:
    """Open a cash drawer, in its turn; times in units of 2 ms."""
    return b"\x1b\x70" + bytes([pin & 1]) + _byte(on_2ms, "drawer time") + _byte(off_2ms, "drawer time")


def drawer_pulse_now(pin: int, on_100ms: int) -> bytes:
    """Open a cash drawer at once; time in units of 100 ms."""
    return b"\x10\x14\x01" + bytes([pin & 1]) + _byte(on_100ms, "drawer time")


def cut(partial: bool = True, feed: int = 0) -> bytes:
    """Feed to the blade plus `feed` motion units, then cut; never the bare form, which cuts through the text."""
    return b"\x1d\x56" + (b"\x42" if partial else b"\x41") + _byte(feed, "feed before the cut")


def align(where: str) -> bytes:
    """Place what follows ``left``, ``centre`` or ``right``."""
    return b"\x1b\x61" + bytes([ALIGN[where]])


def emphasise(on: bool) -> bytes:
    """Turn bold on or off."""
    return b"\x1b\x45" + bytes([on])


def character_size(factor: int) -> bytes:
    """Set letters `factor` times as wide and high, 1 to 8."""
    if not 1 <= factor <= 8:
        raise DriverError(f"Letters cannot be {factor} times as large", hint="A factor from 1 to 8.")
    return b"\x1d\x21" + bytes([(factor - 1) << 4 | (factor - 1)])


def feed(lines: int) -> bytes:
    """Feed empty lines."""
    return b"\x1b\x64" + _byte(lines, "lines to feed")


def code128(data: str, *, height: int = 64, module: int = 2) -> bytes:
    """Print a Code 128 label, set B, readable text below; `height` and `module` width in dots.

    Raises:
        DriverError: the data is not 1 to 250 printable ASCII letters.
    """
    if not data or not all(" " <= letter <= "~" for letter in data):
        raise DriverError("A Code 128 label of set B holds printable ASCII only", hint="Print this text as a QR code.")
    payload = b"{B" + data.replace("{", "{{").encode("ascii")
    if len(payload) > 255:
        raise DriverError("A Code 128 label is longer than 253 letters", hint="Print this text as a QR code.")
    return (
        b"\x1d\x68" + _byte(height, "bar height") + b"\x1d\x77" + _byte(module, "bar width") + b"\x1d\x48\x02"
        + b"\x1d\x6b\x49" + bytes([len(payload)]) + payload
    )  # fmt: skip


def qr_code(data: str, *, module: int = 4, correction: bytes = b"\x31") -> bytes:
    """Print a QR code, model 2; `module` in dots, `correction` 30..33 for L, M, Q, H.

    Raises:
        DriverError: the data is empty or above 2,331 bytes, the most at correction M.
    """
    payload = data.encode("utf-8")
    if not 1 <= len(payload) <= 2331:
        raise DriverError(f"A QR code cannot hold {len(payload)} bytes", hint="Shorten what the code carries.")
    if not 1 <= module <= 16:
        raise DriverError(f"A QR module cannot be {module} dots wide", hint="From 1 to 16 dots.")
    length = (len(payload) + 3).to_bytes(2, "little")
    return (
        b"\x1d\x28\x6b\x04\x00\x31\x41\x32\x00"
        + b"\x1d\x28\x6b\x03\x00\x31\x43" + bytes([module])
        + b"\x1d\x28\x6b\x03\x00\x31\x45" + correction
        + b"\x1d\x28\x6b" + length + b"\x31\x50\x30" + payload
        + b"\x1d\x28\x6b\x03\x00\x31\x51\x30"
    )  # fmt: skip


def raster(width_bytes: int, rows: bytes, *, block_rows: int = 256) -> list[bytes]:
    """Print packed rows as raster blocks of at most `block_rows` rows, each block one command.

    Image data may by chance hold the start of a real-time command, which the printer would obey: one dot is added
    there, so that an image can neither ask for a status nor clear the buffer nor open the drawer.

    Raises:
        DriverError: the rows are not a whole number of `width_bytes`.
    """
    if not 1 <= width_bytes <= 0xFFFF or len(rows) % width_bytes or not 1 <= block_rows <= 0xFFFF:
        raise DriverError("A drawn line is not a whole number of rows", hint="Report this; the drawing is at fault.")
    for start in _REAL_TIME_STARTS:
        rows = rows.replace(start, b"\x18" + start[1:])
    step = width_bytes * block_rows
    blocks = [rows[at : at + step] for at in range(0, len(rows), step)]
    return [
        b"\x1d\x76\x30\x00"
        + width_bytes.to_bytes(2, "little")
        + (len(block) // width_bytes).to_bytes(2, "little")
        + block
        for block in blocks
    ]


def presenter_show(steps: int) -> bytes:
    """Push the slip out by steps of 0.625 mm and hold it (KPM210/216 p. 76)."""
    return b"\x1d\x65\x03" + _byte(steps, "presenter steps")


def _byte(value: int, name: str) -> bytes:
    if not 0 <= value <= 255:
        raise DriverError(f"The {name} {value} does not fit one byte", hint="From 0 to 255; see the printer's profile.")
    return bytes([value])
