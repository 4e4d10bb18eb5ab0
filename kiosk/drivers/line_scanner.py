"""Serial label scanners (RS-232, USB-CDC, or the same bytes over TCP): the driver.

A scan is what lies between two terminators; a configured prefix (STX) and an identifier (AIM, or the scanner's own
code letters) are taken off.  Where no terminator is configured a gap of 100 ms ends a scan (devices sheet §2.1, §2.3);
a scan that takes more than 1 s is thrown away.  A label is data from a stranger (§2.4): bounded, not interpreted, and
never kept when refused; what is refused, a driving licence first of all, is `kiosk.protocols.label_reader`'s to say.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from kiosk.api import (
    CheckHealth,
    CommandRefused,
    DeviceCommand,
    DeviceEvent,
    DeviceState,
    DriverSpec,
    DriverTools,
    Lost,
    Opened,
    OpenNote,
    Outbound,
    PortEvent,
    PortRequest,
)
from kiosk.protocols.label import Debounce
from kiosk.protocols.label_reader import LabelReader, LabelRules
from kiosk.protocols.scanner_rehearsal import serial_line

MS = 1_000_000
_NAMES = {"CR": "\r", "LF": "\n", "CRLF": "\r\n", "TAB": "\t", "STX": "\x02", "ETX": "\x03", "NONE": "", "": ""}


class LineScannerOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of a serial scanner.  Times in milliseconds (devices sheet §2)."""

    #: What ends a scan: ``CR``, ``LF``, ``CRLF``, ``TAB``, ``ETX``, ``NONE``, or characters of which each ends one.
    #: With ``CR``, ``LF`` or ``CRLF`` both letters count as an end, because scanners are set up either way.
    suffix: str = "CR"
    #: What stands before every label and is taken off: ``STX``, ``NONE``, or characters of its own.  A scan without it
    #: lost its beginning and is refused.
    prefix: str = ""
    #: The scanner sends AIM identifiers (``]C0`` …) before the label.
    aim_id: bool = False
    #: The scanner's own code identifiers before the label → AIM identifier, e.g. ``{ j = "]C0", s = "]Q1" }``.  Where
    #: any is configured a scan that begins with none of them is refused.
    code_ids: dict[str, str] = {}
    #: Shortest and longest label, characters.
    min_length: int = 3
    max_length: int = 512
    #: A scan that takes longer is thrown away.
    scan_limit_ms: int = 1_000
    #: Quiet that ends a scan where no suffix is configured, and the skipping of one that was broken off.
    gap_ms: int = 100
    #: An identical label within this time of its last sight counts once.
    debounce_ms: int = 2_000

    def __post_init__(self) -> None:
        if self.debounce_ms < 0:
            raise ValueError("a time is too short to be meant")
        self.rules()

    def ends(self) -> bytes:
        """Return the bytes of which each ends a scan."""
        suffix = _NAMES.get(self.suffix, self.suffix).encode("utf-8", "replace")
        return b"\r\n" if suffix in (b"\r", b"\n", b"\r\n") else suffix

    def rules(self) -> LabelRules:
        """Return how labels are taken."""
        return LabelRules(
            self.min_length, self.max_length, self.aim_id, _NAMES.get(self.prefix, self.prefix), self.code_ids,
            self.scan_limit_ms, self.gap_ms, by_gap=not self.ends(),
        )  # fmt: skip


class LineScanner:
    """Owns the bytes of the scan that is coming in; knows nothing of what a label means."""

    def __init__(self, options: LineScannerOptions) -> None:
        self._ends = options.ends()
        self._reader = LabelReader(options.rules(), Debounce(options.debounce_ms * MS))
        self._events: list[DeviceEvent] = []
        self._requests: list[Outbound] = []
        self._state = DeviceState("unknown", "unknown", detail="the port is not open")

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Take what survived: nothing a scanner needs."""

    def port(self, event: PortEvent, now: int) -> None:
        """Begin anew when the port opens; a scanner boots with a banner, so the input is flushed."""
        if isinstance(event, Opened):
            self._reader.reset()
            self._requests.append(PortRequest(1, "flush_input"))
            self._tell(DeviceState("ready", "ok"))
        elif isinstance(event, Lost):
            self._reader.reset()
            self._requests.clear()
            self._tell(DeviceState("unknown", "unknown", detail=f"port lost: {event.reason[:80]}"))

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the scanner."""
        reader = self._reader
        reader.heard(now)
        for byte in data:
            if byte in self._ends:
                reader.end(now)
            else:
                reader.add(bytes((byte,)), now)
        self._events += reader.take()

    def tick(self, now: int) -> None:
        """Look at the clock: a gap or the hard limit may end the scan."""
        self._reader.expire(now)
        self._events += self._reader.take()

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """Report the state on request; nothing else can be asked of a scanner."""
        if isinstance(cmd, CheckHealth):
            self._events.append(self._state)
        else:
            tag = cmd.__struct_config__.tag
            self._events.append(CommandRefused(str(tag), "a scanner has nothing to command"))

    def deadline(self) -> int | None:
        """Return when the scan that has begun must have ended."""
        return self._reader.deadline()

    def take_outbound(self) -> list[Outbound]:
        """Hand over requests of the port."""
        requests, self._requests = self._requests, []
        return requests

    def take_events(self) -> list[DeviceEvent]:
        """Hand over what happened."""
        events, self._events = self._events, []
        return events

    def _tell(self, state: DeviceState) -> None:
        if state != self._state:
            self._state = state
            self._events.append(state)


def _build(options: LineScannerOptions, tools: DriverTools) -> LineScanner:
    return LineScanner(options)


SPEC = DriverSpec(
    name="line_scanner",
    device_class="Scanner",
    transports=("serial", "tcp"),
    options=LineScannerOptions,
    build=_build,
    summary="Label scanners that send lines of text over a serial port",
    line={"serial": {"baud": 9600, "parity": "N", "bits": 8, "stop": 1}},
    states=("ready", "unknown"),
    rehearsal=serial_line,
)
