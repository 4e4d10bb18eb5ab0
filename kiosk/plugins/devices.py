"""The contract of a device driver, sans-I/O (the manner of h11).

A driver is handed bytes and the time and gives back bytes and events.  It never opens a port, never sleeps,
never reads a clock, never starts a thread.  Eight names make a driver; `now` is integer nanoseconds of a
monotonic clock that the caller chooses (real or virtual).

Call order, kept by the core: `remember` once, then `port(Opened)`, then any of the others; after each call the
core drains `take_outbound` and `take_events` and asks `deadline`, and calls `tick(now)` once that has passed.
After `port(Lost)` the core may open the port again and say `port(Opened)`; the driver then starts its
handshake from the beginning but still knows a note in flight.

Every call must be quick and bounded; an exception counts as the driver's death and the supervisor replaces it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec

from kiosk.model.commands import DeviceCommand
from kiosk.model.device_events import DeviceEvent
from kiosk.model.ids import NoteId
from kiosk.model.money import Money
from kiosk.protocols.rehearsal import Rehearsal

#: UnifiedPOS device classes a driver can be of.
DEVICE_CLASSES = ("Scanner", "BillAcceptor", "CoinAcceptor", "CoinDispenser", "POSPrinter")
#: Transport kinds a driver can ask for.
TRANSPORT_KINDS = ("serial", "tcp", "usb_printer", "evdev", "hidraw")


# --- what a driver asks of its port ---------------------------------------------------------------------------


class Write(msgspec.Struct, frozen=True):
    """Bytes for the line.  The core answers `Sent(n)` as they leave, in order."""

    data: bytes


class PortRequest(msgspec.Struct, frozen=True):
    """Something of the port that is not bytes; answered by `Reply` with the same id.

    Kinds: ``modem_lines`` (data: rts, dtr bits), ``usb_class_in`` (a control IN request), ``flush_input``, ``turn``
    and ``turn_over``.  A port that lacks the kind answers with `ok=False`; that is never an error of the port.

    A driver whose line may be shared (a ccTalk bus) asks for its ``turn`` before each exchange and gives it back by
    ``turn_over`` after the reply or its time-out.  `ok` grants it; not `ok` with data ``busy`` means: another driver
    has the line, ask again in a few milliseconds; not `ok` without data: the line is not shared, go on.  Data
    ``unanswered`` with ``turn_over`` says that an answer may still come: nobody gets the line before it had time to.
    Writing outside a turn, or keeping one for seconds while others wait, ends in `Lost`.
    """

    id: int
    kind: str
    data: bytes = b""


# --- what the port tells the driver ---------------------------------------------------------------------------


class Opened(msgspec.Struct, frozen=True):
    """The byte path is open.  Facts: ``path``, ``kind``, and what is known (``vendor``, ``product``, ``serial``)."""

    facts: dict[str, str] = {}


class Sent(msgspec.Struct, frozen=True):
    """`count` more bytes of the queued writes were handed to the operating system."""

    count: int


class WriteTimedOut(msgspec.Struct, frozen=True):
    """The line took no more bytes in time.  How many of the rest left is unknown; the core has dropped them."""


class Lost(msgspec.Struct, frozen=True):
    """The byte path is gone (unplugged, hung up, closed)."""

    reason: str = ""


class Reply(msgspec.Struct, frozen=True):
    """Answer to a `PortRequest`."""

    id: int
    ok: bool
    data: bytes = b""


PortEvent = Opened | Sent | WriteTimedOut | Lost | Reply
Outbound = Write | PortRequest


class OpenNote(msgspec.Struct, frozen=True):
    """A note whose end on the wire is not known from the journal.

    `phase` is ``stack_sent`` (StackIntended committed, no outcome) or ``credited`` (the note is booked:
    credited, suspended or disputed; the unit may still show it and wait for its acknowledgement).
    """

    note: NoteId
    value: Money
    phase: str


@runtime_checkable
class Driver(Protocol):
    """The eight names."""

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Take what survived: ``marks["note_serial"]`` is the last serial used (next note or coin gets the next one),
        ``marks["device_mark"]`` the mark of the last committed credit; the note in flight; 32 random bytes.

        An unfinished payout stands in ``payout`` (its id), ``payout_coins`` (how many), ``payout_phase``
        (``intended``: no order can have gone out; ``started``: one may have) and ``payout_mark`` (counters before)."""

    def port(self, event: PortEvent, now: int) -> None:
        """Hear of the byte path."""

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the line, split anywhere."""

    def tick(self, now: int) -> None:
        """The time is `now`."""

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """Take an order; one that cannot be carried out yields `CommandRefused`, never an exception."""

    def deadline(self) -> int | None:
        """When `tick` is wanted next; None for never."""

    def take_outbound(self) -> list[Outbound]:
        """Hand over what is to be written, once."""

    def take_events(self) -> list[DeviceEvent]:
        """Hand over what happened, once."""


class Capabilities(msgspec.Struct, frozen=True):
    """What the core may rely on; shown by `kiosk devices`."""

    #: BillAcceptor: can hold a note in escrow beyond its own limit.
    hold: bool = False
    #: BillAcceptor: can inhibit single denominations.
    inhibit_by_value: bool = False
    #: POSPrinter: has a barrier that proves consumption.
    barrier: bool = False
    #: The wire has events that must be acknowledged: a lost reply loses no credit even over a restart of both ends.
    acknowledged: bool = False
    #: Speaks only in its turn (`PortRequest`): several such drivers may share one port.
    shares_line: bool = False


class DriverTools(msgspec.Struct, frozen=True):
    """What the core lends a driver that must stay pure."""

    #: Currency of the kiosk, ISO 4217.
    currency: str
    #: Draw a line of text as a bitmap: (text, width in dots, bold, size factor) -> (height in dots, packed
    #: rows, most significant bit left, a set bit is black).  Only printers use it.
    draw_line: Callable[[str, int, bool, int], tuple[int, bytes]] | None = None
    #: Draw a QR code: (data, module size in dots) -> (width in bytes, height in dots, packed rows).
    draw_qr: Callable[[str, int], tuple[int, int, bytes]] | None = None


class DriverSpec(msgspec.Struct, frozen=True):
    """A driver as a plugin declares it."""

    #: Name used in the configuration, e.g. ``id003_acceptor``.
    name: str
    device_class: str
    #: Transport kinds it can work on.
    transports: tuple[str, ...]
    #: Its options: a frozen msgspec struct with defaults; the configuration is checked against it, strictly.
    options: type[Any]
    #: Build a driver: (options, tools) -> Driver.
    build: Callable[[Any, DriverTools], Driver]
    #: One line for people.
    summary: str = ""
    capabilities: Capabilities = Capabilities()
    #: Default line settings by transport kind, e.g. {"serial": {"baud": 9600, "parity": "E"}}.
    line: dict[str, dict[str, Any]] = {}
    #: States `DeviceState.state` can take.
    states: tuple[str, ...] = ()
    #: Name of the wire protocol in `kiosk.protocols`, "" where there is none to explain frames with.
    protocol: str = ""
    #: Return what the conformance kit examines the driver with; None: that of its protocol, where there is one.
    rehearsal: Callable[[], Rehearsal] | None = None
