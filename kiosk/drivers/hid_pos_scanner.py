"""USB scanners that speak HID-POS, read through the kernel's hidraw node: the driver.

The port hands over one report a read, and the report descriptor with `Opened`; where a label lies in a report is told
by that descriptor alone (devices sheet §2.2).  A device without one, or whose descriptor is no scanner's, is not used:
a label read at guessed places would be another label.  Reports are joined until *continued* is 0, for 1 s at most.
What is refused, a driving licence first of all, is `kiosk.protocols.label_reader`'s to say, as for every scanner.
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
    FrameError,
    Lost,
    Opened,
    OpenNote,
    Outbound,
    PortEvent,
    PortRequest,
    ProtocolFault,
)
from kiosk.protocols.hid_pos import Layout, Piece, layouts
from kiosk.protocols.label import Debounce
from kiosk.protocols.label_reader import LabelReader, LabelRules
from kiosk.protocols.scanner_rehearsal import hid_pos

MS = 1_000_000


class HidPosScannerOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of a HID-POS scanner.  Times in milliseconds (devices sheet §2)."""

    #: The label itself begins with an AIM identifier, for scanners that leave the report's own fields empty.
    aim_id: bool = False
    #: Letters that the scanner is set up to add at the end, and that are taken off: ``CR``, ``LF``, ``CRLF``, ``TAB``
    #: or ``NONE``.  A label without them is taken as well: few scanners add any over HID-POS.
    suffix: str = "NONE"
    #: Shortest and longest label, characters.
    min_length: int = 3
    max_length: int = 512
    #: A label whose reports take longer is thrown away.
    scan_limit_ms: int = 1_000
    #: Quiet that ends the skipping of a label that was broken off.
    gap_ms: int = 100
    #: An identical label within this time of its last sight counts once.
    debounce_ms: int = 2_000

    def __post_init__(self) -> None:
        if self.debounce_ms < 0:
            raise ValueError("a time is too short to be meant")
        if self.suffix not in _SUFFIXES:
            raise ValueError(f"suffix must be one of {', '.join(_SUFFIXES)}")
        self.rules()

    def rules(self) -> LabelRules:
        """Return how labels are taken."""
        return LabelRules(
            self.min_length, self.max_length, self.aim_id, scan_limit_ms=self.scan_limit_ms, gap_ms=self.gap_ms,
            suffix=_SUFFIXES[self.suffix],
        )  # fmt: skip


_SUFFIXES = {"CR": "\r", "LF": "\n", "CRLF": "\r\n", "TAB": "\t", "NONE": ""}
#: A byte count of one byte ends here: it may mean more.
_COUNT_LIMIT = 255


class HidPosScanner:
    """Owns the label whose reports are coming in; knows nothing of what it means."""

    def __init__(self, options: HidPosScannerOptions) -> None:
        self._reader = LabelReader(options.rules(), Debounce(options.debounce_ms * MS))
        self._layouts: dict[int, Layout] = {}
        #: What the byte count of the first report promises for the whole label; None where it does not.
        self._promised: int | None = None
        self._symbology = ""
        self._events: list[DeviceEvent] = []
        self._requests: list[Outbound] = []
        self._state = DeviceState("unknown", "unknown", detail="the port is not open")

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Take what survived: nothing a scanner needs."""

    def port(self, event: PortEvent, now: int) -> None:
        """Read the descriptor when the node is opened; what waits there is old."""
        if isinstance(event, Opened):
            self._begin()
            self._requests.append(PortRequest(1, "flush_input"))
            self._open(event.facts.get("report_descriptor", ""))
        elif isinstance(event, Lost):
            self._begin()
            self._requests.clear()
            self._tell(DeviceState("unknown", "unknown", detail=f"port lost: {event.reason[:80]}"))

    def received(self, data: bytes, now: int) -> None:
        """Take one report."""
        if not data:
            return
        self._reader.heard(now)
        layout = self._layouts.get(0) or self._layouts.get(data[0])
        if layout is None:
            if self._layouts:
                self._events.append(ProtocolFault("unknown_code", f"a report with the id {data[0]}"))
        else:
            try:
                piece = layout.read(data)
            except FrameError as error:
                self._events.append(ProtocolFault("unexpected", error.message))
                self._reader.break_off(now)
                self._next()
            else:
                self._take(piece, now)
        self._events += self._reader.take()

    def tick(self, now: int) -> None:
        """Look at the clock: a label may have taken too long."""
        self._reader.expire(now)
        if not self._reader.length:
            self._next()
        self._events += self._reader.take()

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """Report the state on request; nothing else can be asked of a scanner."""
        if isinstance(cmd, CheckHealth):
            self._events.append(self._state)
        else:
            tag = cmd.__struct_config__.tag
            self._events.append(CommandRefused(str(tag), "a scanner has nothing to command"))

    def deadline(self) -> int | None:
        """Return when the label that has begun must have ended."""
        return self._reader.deadline()

    def take_outbound(self) -> list[Outbound]:
        """Hand over requests of the port."""
        requests, self._requests = self._requests, []
        return requests

    def take_events(self) -> list[DeviceEvent]:
        """Hand over what happened."""
        events, self._events = self._events, []
        return events

    def _open(self, told: str) -> None:
        try:
            self._layouts = layouts(bytes.fromhex(told))
        except ValueError:
            self._tell(DeviceState("unsuitable", "fault", detail="the port's report descriptor cannot be read"))
        except FrameError as error:
            self._tell(DeviceState("unsuitable", "fault", detail=error.message[:120]))
        else:
            self._tell(DeviceState("ready", "ok"))

    def _begin(self) -> None:
        self._layouts = {}
        self._reader.reset()
        self._next()

    def _next(self) -> None:
        self._promised, self._symbology = None, ""

    def _take(self, piece: Piece, now: int) -> None:
        reader = self._reader
        if not reader.length:
            if not piece.data and not piece.continued:
                return  # an empty report: some scanners begin with one
            self._next()
            # A byte count above what one report holds can only be that of the whole label.
            if piece.count is not None and piece.count > len(piece.data):
                self._promised = piece.count
        data, promised = piece.data, self._promised
        if promised is not None and not piece.continued:
            left = promised - reader.length
            data = data[: max(0, left)] if promised < _COUNT_LIMIT else data.rstrip(b"\0")
        self._symbology = self._symbology or piece.symbology
        reader.add(data, now)
        if piece.continued:
            return
        if promised is not None and reader.length < promised:
            reader.break_off(now)  # a report is missing
        reader.end(now, self._symbology)
        self._next()

    def _tell(self, state: DeviceState) -> None:
        if state != self._state:
            self._state = state
            self._events.append(state)


def _build(options: HidPosScannerOptions, tools: DriverTools) -> HidPosScanner:
    return HidPosScanner(options)


SPEC = DriverSpec(
    name="hid_pos_scanner",
    device_class="Scanner",
    transports=("hidraw",),
    options=HidPosScannerOptions,
    build=_build,
    summary="USB label scanners of the HID point-of-sale class (usage page 8C)",
    line={"hidraw": {"usage": "8c:02"}},
    states=("ready", "unknown", "unsuitable"),
    rehearsal=hid_pos,
)
