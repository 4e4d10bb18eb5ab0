"""Serial label scanners (RS-232, USB-CDC, or the same bytes over TCP): the driver.

A scan is what lies between two terminators; an optional prefix (STX, a code id) and the AIM identifier are taken off.
Where no terminator is configured a gap of 100 ms ends a scan (devices sheet §2.1, §2.3); a scan that takes more than
1 s is thrown away.  A label is data from a stranger (§2.4): bounded here, not interpreted, and never kept when refused.
A ticket held under the reader repeats, so an identical label within 2 s of its last sight counts once.
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
    Scanned,
    ScanRefused,
)
from kiosk.protocols.label import Debounce, ScanBuffer, label_of

MS = 1_000_000
_NAMES = {"CR": "\r", "LF": "\n", "CRLF": "\r\n", "TAB": "\t", "STX": "\x02", "ETX": "\x03", "NONE": "", "": ""}


class LineScannerOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of a serial scanner.  Times in milliseconds (devices sheet §2)."""

    #: What ends a scan: ``CR``, ``LF``, ``CRLF``, ``TAB``, ``ETX``, ``NONE``, or characters of which each ends one.
    #: With ``CR``, ``LF`` or ``CRLF`` both letters count as an end, because scanners are set up either way.
    suffix: str = "CR"
    #: What stands before a label and is taken off: ``STX``, ``NONE``, or characters of its own.
    prefix: str = ""
    #: The scanner sends AIM identifiers (``]C0`` …) before the label.
    aim_id: bool = False
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
        if not 1 <= self.min_length <= self.max_length <= 512:
            raise ValueError("min_length must be at least 1, max_length at least that and at most 512")
        if min(self.scan_limit_ms, self.gap_ms) < 10 or self.debounce_ms < 0:
            raise ValueError("a time is too short to be meant")


class LineScanner:
    """Owns the bytes of the scan that is coming in; knows nothing of what a label means."""

    def __init__(self, options: LineScannerOptions) -> None:
        self._options = options
        suffix = _NAMES.get(options.suffix, options.suffix).encode("utf-8", "replace")
        self._ends = b"\r\n" if suffix in (b"\r", b"\n", b"\r\n") else suffix
        self._prefix = _NAMES.get(options.prefix, options.prefix).encode("utf-8", "replace")
        # Four bytes a character at most, and room for prefix and identifier.
        room = options.max_length * 4 + len(self._prefix) + 3
        self._scan = ScanBuffer(room, options.scan_limit_ms * MS, options.gap_ms * MS, by_gap=not self._ends)
        self._debounce = Debounce(options.debounce_ms * MS)
        self._events: list[DeviceEvent] = []
        self._requests: list[Outbound] = []
        self._state = DeviceState("unknown", "unknown", detail="the port is not open")

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Take what survived: nothing a scanner needs."""

    def port(self, event: PortEvent, now: int) -> None:
        """Begin anew when the port opens; a scanner boots with a banner, so the input is flushed."""
        if isinstance(event, Opened):
            self._scan.clear()
            self._requests.append(PortRequest(1, "flush_input"))
            self._tell(DeviceState("ready", "ok"))
        elif isinstance(event, Lost):
            self._scan.clear()
            self._requests.clear()
            self._tell(DeviceState("unknown", "unknown", detail=f"port lost: {event.reason[:80]}"))

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the scanner."""
        self._expire(now)
        for byte in data:
            if byte in self._ends:
                self._end(now)
            else:
                self._scan.add(byte, now)

    def tick(self, now: int) -> None:
        """Look at the clock: a gap or the hard limit may end the scan."""
        self._expire(now)

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """Report the state on request; nothing else can be asked of a scanner."""
        if isinstance(cmd, CheckHealth):
            self._events.append(self._state)
        else:
            tag = cmd.__struct_config__.tag
            self._events.append(CommandRefused(str(tag), "a scanner has nothing to command"))

    def deadline(self) -> int | None:
        """Return when the scan that has begun must have ended."""
        return self._scan.deadline()

    def take_outbound(self) -> list[Outbound]:
        """Hand over requests of the port."""
        requests, self._requests = self._requests, []
        return requests

    def take_events(self) -> list[DeviceEvent]:
        """Hand over what happened."""
        events, self._events = self._events, []
        return events

    def _expire(self, now: int) -> None:
        if self._scan.broken_off(now):
            self._refuse("broken_off", self._scan.break_off(now))
        elif self._scan.gap_passed(now):
            self._end(now)

    def _end(self, now: int) -> None:
        length, overflowed = self._scan.length, self._scan.overflowed
        raw = self._scan.take()
        if not length:
            return  # the second letter of CRLF, or an empty line
        if overflowed:
            self._refuse("too_long", length)
            return
        options = self._options
        symbology, label = label_of(raw.removeprefix(self._prefix), aim_id=options.aim_id)
        if not options.min_length <= len(label) <= options.max_length:
            self._refuse("too_short" if len(label) < options.min_length else "too_long", len(label))
        elif self._debounce.is_new(label, now):
            self._events.append(Scanned(label, symbology))

    def _refuse(self, reason: str, length: int) -> None:
        self._events.append(ScanRefused(reason, length))

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
)
