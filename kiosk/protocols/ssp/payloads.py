"""What SSP replies carry: events, the set-up of a unit, counters, tickets (SSP sheet §6 to §8, §12).

Nothing here raises for what a line can bring except `FrameError` from the ``parse_`` functions, which say what does not
fit; `read_events` never raises: it keeps the events it is sure of and says where it stopped.
"""

from __future__ import annotations

import msgspec

from kiosk.errors import FrameError
from kiosk.protocols.ssp.codes import EventCode, Shape, event_rule

#: Most channels a reply may list; the largest units have 24.
MAX_CHANNELS = 32
#: From this protocol version on the set-up reply names country and value of each channel.
EXPANDED_SINCE = 6


class Event(msgspec.Struct, frozen=True):
    """One poll event."""

    code: int
    name: str
    #: The bytes behind the code.
    data: bytes = b""

    @property
    def channel(self) -> int:
        """Return the channel it names, 0 for none; a money field is no channel."""
        return self.data[0] if len(self.data) == 1 else 0

    @property
    def raw(self) -> str:
        """Return code and data in hexadecimal."""
        return f"{self.code:02x}{self.data.hex()}"


class Reading(msgspec.Struct, frozen=True):
    """What a poll reply says, as far as it could be read."""

    events: tuple[Event, ...]
    #: What was not read, beginning with the code that stopped the reading; empty where everything was.
    rest: bytes = b""
    #: ``unknown_event`` or ``cut_off``; "" where everything was read.
    problem: str = ""


def read_events(data: bytes, version: int, *, payout: bool = False, stored: int = 0) -> Reading:
    """Read what follows F0 in a poll reply at a protocol version.

    `payout`: the unit tells fraud as money; `stored`: bytes behind Note Stored, where a unit has any (sheet §8).

    >>> [event.name for event in read_events(bytes.fromhex("cc ee 01"), 6).events]
    ['stacking', 'credit']
    >>> read_events(bytes.fromhex("f1 f8"), 6).rest.hex()
    'f8'
    """
    events: list[Event] = []
    at = 0
    while at < len(data):
        rule = event_rule(data[at], payout=payout)
        if rule is None:
            return Reading(tuple(events), data[at:], "unknown_event")
        shape = Shape(stored) if data[at] == EventCode.NOTE_STORED else rule.shape(version)
        size = shape.size(data[at + 1 :])
        if size is None:
            return Reading(tuple(events), data[at:], "cut_off")
        events.append(Event(data[at], rule.name, data[at + 1 : at + 1 + size]))
        at += 1 + size
    return Reading(tuple(events))


def amounts(event: Event, version: int, *, payout: bool = False) -> list[tuple[int, str]]:
    """Return the (minor value, country) pairs of an event that tells money; [] for any other."""
    rule = event_rule(event.code, payout=payout)
    shape = rule.shape(version) if rule else Shape(0)
    if shape.fixed == 7 and not shape.stride:
        blocks = [event.data]
    elif shape.stride == 7:
        blocks = [event.data[1 + 7 * k : 8 + 7 * k] for k in range(event.data[0])]
    else:
        return []
    return [(int.from_bytes(block[:4], "little"), _text(block[4:7])) for block in blocks]


class Channel(msgspec.Struct, frozen=True):
    """One channel of the unit's dataset."""

    #: From 1.
    number: int
    #: Whole major units, as the reply gives them; 0 for a channel that is not used.
    value: int
    #: Country code of the dataset or of the channel, such as ``EUR``.
    country: str
    security: int = 2


class Setup(msgspec.Struct, frozen=True):
    """The answer to Setup Request."""

    unit_type: int
    #: Four characters, ``0110`` is 1.10.
    firmware: str
    country: str
    #: Multiplier of the value bytes; 0 where the expanded values count.
    multiplier: int
    channels: tuple[Channel, ...]
    #: Minor units in a major one, as the dataset sees it.
    real_multiplier: int
    #: Protocol version in force.
    protocol: int


def _text(raw: bytes) -> str:
    return "".join(chr(byte) if 0x20 < byte < 0x7F else "?" for byte in raw)


def _need(data: bytes, size: int, what: str) -> None:
    if len(data) < size:
        raise FrameError(
            f"{what} has {len(data)} bytes and needs {size}", hint="the unit may speak another protocol version"
        )


def parse_setup(data: bytes) -> Setup:
    """Read what follows F0 in the reply to Setup Request (sheet §7).

    Raises:
        FrameError: it is too short for the channels it announces, or announces impossibly many.
    """
    _need(data, 12, "the set-up reply")
    count = data[11]
    if count > MAX_CHANNELS:
        raise FrameError(f"a unit with {count} channels is not plausible", hint=f"{MAX_CHANNELS} are the most")
    _need(data, 16 + 2 * count, "the set-up reply")
    multiplier = int.from_bytes(data[8:11], "big")
    protocol = data[15 + 2 * count]
    country = _text(data[5:8])
    values = list(data[12 : 12 + count])
    countries = [country] * count
    if protocol >= EXPANDED_SINCE:
        _need(data, 16 + 9 * count, "the expanded set-up reply")
        names, wide = data[16 + 2 * count :], data[16 + 5 * count :]
        countries = [_text(names[3 * k : 3 * k + 3]) for k in range(count)]
        if not multiplier:
            values = [int.from_bytes(wide[4 * k : 4 * k + 4], "little") for k in range(count)]
    channels = tuple(
        Channel(k + 1, values[k] * (multiplier or 1), countries[k], data[12 + count + k]) for k in range(count)
    )
    real = int.from_bytes(data[12 + 2 * count : 15 + 2 * count], "big")
    return Setup(data[0], _text(data[1:5]), country, multiplier, channels, real, protocol)


def build_setup(setup: Setup) -> bytes:
    """Build what follows F0 in the reply to Setup Request; the inverse of `parse_setup`.

    Below protocol 6 the values go out in their bytes, divided by the multiplier.

    Raises:
        FrameError: a value does not fit its field.
    """
    count, expanded = len(setup.channels), setup.protocol >= EXPANDED_SINCE
    try:
        scaled = [channel.value // (setup.multiplier or 1) for channel in setup.channels]
        narrow = bytes(count) if expanded and not setup.multiplier else bytes(scaled)
        out = bytes((setup.unit_type,)) + setup.firmware.encode("ascii")[:4].ljust(4, b"0")
        out += setup.country.encode("ascii")[:3].ljust(3) + setup.multiplier.to_bytes(3, "big")
        out += bytes((count,)) + narrow + bytes(channel.security for channel in setup.channels)
        out += setup.real_multiplier.to_bytes(3, "big") + bytes((setup.protocol,))
        if expanded:
            out += b"".join(channel.country.encode("ascii")[:3].ljust(3) for channel in setup.channels)
            out += b"".join(channel.value.to_bytes(4, "little") for channel in setup.channels)
    except (ValueError, OverflowError) as error:
        raise FrameError(
            "the set-up does not fit its reply", hint="below protocol 6 a value is a byte times the multiplier"
        ) from error
    return out


class UnitData(msgspec.Struct, frozen=True):
    """The answer to Unit Data."""

    unit_type: int
    firmware: str
    country: str
    multiplier: int
    protocol: int


def parse_unit_data(data: bytes) -> UnitData:
    """Read what follows F0 in the reply to Unit Data.

    Raises:
        FrameError: it is too short.
    """
    _need(data, 12, "the unit data")
    return UnitData(data[0], _text(data[1:5]), _text(data[5:8]), int.from_bytes(data[8:11], "big"), data[11])


class Counters(msgspec.Struct, frozen=True):
    """The answer to Get Counters; a hopper tells more of them, which nobody here reads."""

    stacked: int
    stored: int
    dispensed: int
    moved: int
    rejected: int


def parse_counters(data: bytes) -> Counters:
    """Read what follows F0 in the reply to Get Counters.

    Raises:
        FrameError: there are fewer than five, or fewer bytes than counters.
    """
    _need(data, 1, "the counter reply")
    _need(data, 1 + 4 * max(data[0], 5), "the counter reply")
    if data[0] < 5:
        raise FrameError(f"the unit has {data[0]} counters", hint="a note validator has five")
    return Counters(*(int.from_bytes(data[1 + 4 * k : 5 + 4 * k], "little") for k in range(5)))


def build_counters(counters: Counters) -> bytes:
    """Build what follows F0 in the reply to Get Counters."""
    return b"\x05" + b"".join(
        (value & 0xFFFF_FFFF).to_bytes(4, "little") for value in msgspec.structs.astuple(counters)
    )


def parse_serial(data: bytes) -> int:
    """Read what follows F0 in the reply to Get Serial Number: four bytes, big endian.

    Raises:
        FrameError: it is too short.
    """
    _need(data, 4, "the serial number")
    return int.from_bytes(data[:4], "big")


class Ticket(msgspec.Struct, frozen=True):
    """The answer to Get Ticket Data."""

    #: 0 none, 1 in escrow, 2 stacked, 3 rejected.
    status: int
    text: str


def parse_ticket(data: bytes) -> Ticket:
    """Read what follows F0 in the reply to Get Ticket Data.

    Raises:
        FrameError: it is shorter than it says.
    """
    _need(data, 2, "the ticket data")
    _need(data, 2 + data[1], "the ticket data")
    return Ticket(data[0], _text(data[2 : 2 + data[1]]))


class BarcodeReader(msgspec.Struct, frozen=True):
    """The answer to Get Barcode Configuration."""

    #: 0 none, 1 top, 2 bottom, 3 both.
    fitted: int
    enabled: int
    #: 1 is interleaved 2 of 5.
    format: int
    characters: int


def parse_barcode_reader(data: bytes) -> BarcodeReader:
    """Read what follows F0 in the reply to Get Barcode Configuration.

    Raises:
        FrameError: it is too short.
    """
    _need(data, 4, "the barcode configuration")
    return BarcodeReader(*data[:4])


def inhibit_mask(channels: set[int], count: int) -> bytes:
    """Return the bytes of Set Inhibits that let exactly these channels pass; `count` bytes.

    >>> inhibit_mask({1, 2, 3}, 2).hex(), inhibit_mask({3, 4, 5}, 2).hex()
    ('0700', '1c00')
    """
    return sum(1 << channel - 1 for channel in channels if 1 <= channel <= 8 * count).to_bytes(count, "little")


def channels_of(mask: bytes) -> list[int]:
    """Return the channels that a mask of Set Inhibits lets pass.

    >>> channels_of(b"\\x1c\\x00")
    [3, 4, 5]
    """
    bits = int.from_bytes(mask, "little")
    return [bit + 1 for bit in range(8 * len(mask)) if bits >> bit & 1]


#: Events that show a note or ticket in escrow: the next poll would take it.
ESCROW_EVENTS = (EventCode.READ, EventCode.BARCODE_VALIDATED)
