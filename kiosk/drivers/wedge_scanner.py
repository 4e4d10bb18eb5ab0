"""Keyboard-wedge label scanners, read from the kernel's event nodes: the driver.

The transport grabs the nodes and hands over key records; `kiosk.protocols.keyboard_wedge` makes letters of them.  Each
node keeps its own partial scan, so two interfaces of one scanner never mix.  Limits as for every scanner (devices
sheet §2.1): 3 to 512 characters, 1 s, 100 ms gap only where no end key is configured, 2 s debounce.  Lost keys
(SYN_DROPPED) spoil the scan: its tail is skipped, because a code without its beginning would be another code.
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
    KioskError,
    Lost,
    Opened,
    OpenNote,
    Outbound,
    PortEvent,
    ProtocolFault,
    Scanned,
    ScanRefused,
)
from kiosk.protocols.keyboard_wedge import END_KEYS, KEYMAPS, Typed, WedgeDecoder, keymap
from kiosk.protocols.label import Debounce, ScanBuffer, label_of

MS = 1_000_000
#: Nodes of one scanner that are kept apart; a transport has two or three.
MAX_NODES = 16


class WedgeScannerOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of a keyboard-wedge scanner.  Times in milliseconds (devices sheet §2.1)."""

    #: Map from key positions to letters: ``us`` (what scanners send by default) or ``de``.
    keymap: str = "us"
    #: Single positions replaced: decimal Linux key code → one to three letters (plain, SHIFT, ALTGR).
    keys: dict[str, str] = {}
    #: Keys that end a scan: ``ENTER``, ``KPENTER``, ``TAB``; empty means that a gap ends it.
    end_keys: tuple[str, ...] = ("ENTER", "KPENTER")
    #: The scanner sends AIM identifiers (``]C0`` …) before the label.
    aim_id: bool = False
    #: Shortest and longest label, characters.
    min_length: int = 3
    max_length: int = 512
    #: A scan that takes longer is thrown away.
    scan_limit_ms: int = 1_000
    #: Quiet that ends a scan where no end key is configured, and the skipping of one that was broken off.
    gap_ms: int = 100
    #: An identical label within this time of its last sight counts once.
    debounce_ms: int = 2_000

    def __post_init__(self) -> None:
        if not 1 <= self.min_length <= self.max_length <= 512:
            raise ValueError("min_length must be at least 1, max_length at least that and at most 512")
        if min(self.scan_limit_ms, self.gap_ms) < 10 or self.debounce_ms < 0:
            raise ValueError("a time is too short to be meant")
        if self.keymap not in KEYMAPS:
            raise ValueError(f"keymap must be one of {', '.join(KEYMAPS)}")
        if any(name not in END_KEYS for name in self.end_keys):
            raise ValueError(f"end_keys must be of {', '.join(END_KEYS)}")
        try:
            keymap(self.keymap, self.keys)
        except KioskError as error:
            raise ValueError(f"keys: {error.message}") from error


class _Partial:
    """The scan that one node is typing."""

    def __init__(self, scan: ScanBuffer) -> None:
        self.scan = scan
        self.spoiled = False


class WedgeScanner:
    """Owns the partial scan of each node; knows nothing of what a label means."""

    def __init__(self, options: WedgeScannerOptions) -> None:
        self._options = options
        self._decoder = WedgeDecoder(keymap(options.keymap, options.keys), options.end_keys)
        self._partials: dict[int, _Partial] = {}
        self._debounce = Debounce(options.debounce_ms * MS)
        self._events: list[DeviceEvent] = []
        self._state = DeviceState("unknown", "unknown", detail="the port is not open")

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Take what survived: nothing a scanner needs."""

    def port(self, event: PortEvent, now: int) -> None:
        """Begin anew when the nodes are opened."""
        if isinstance(event, Opened | Lost):
            self._decoder.reset()
            self._partials.clear()
        if isinstance(event, Opened):
            self._tell(DeviceState("ready", "ok"))
        elif isinstance(event, Lost):
            self._tell(DeviceState("unknown", "unknown", detail=f"port lost: {event.reason[:80]}"))

    def received(self, data: bytes, now: int) -> None:
        """Take key records."""
        self._expire(now)
        for typed in self._decoder.feed(data):
            partial = self._partial(typed.node)
            if partial is not None:
                self._take(typed, partial, now)

    def tick(self, now: int) -> None:
        """Look at the clock: a gap or the hard limit may end a scan."""
        self._expire(now)

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """Report the state on request; nothing else can be asked of a scanner."""
        if isinstance(cmd, CheckHealth):
            self._events.append(self._state)
        else:
            tag = cmd.__struct_config__.tag
            self._events.append(CommandRefused(str(tag), "a scanner has nothing to command"))

    def deadline(self) -> int | None:
        """Return when the next scan that has begun must have ended."""
        return min((due for p in self._partials.values() if (due := p.scan.deadline()) is not None), default=None)

    def take_outbound(self) -> list[Outbound]:
        """Hand over nothing: a wedge is only read."""
        return []

    def take_events(self) -> list[DeviceEvent]:
        """Hand over what happened."""
        events, self._events = self._events, []
        return events

    def _partial(self, node: int) -> _Partial | None:
        if node not in self._partials:
            if len(self._partials) >= MAX_NODES:
                return None
            options = self._options
            scan = ScanBuffer(options.max_length * 4 + 3, options.scan_limit_ms * MS, options.gap_ms * MS,
                              by_gap=not options.end_keys)  # fmt: skip
            self._partials[node] = _Partial(scan)
        return self._partials[node]

    def _take(self, typed: Typed, partial: _Partial, now: int) -> None:
        if typed.kind == "text":
            for byte in typed.text.encode("utf-8"):
                partial.scan.add(byte, now)
        elif typed.kind == "end":
            self._end(partial, now)
        elif typed.kind == "dropped":
            self._events.append(ProtocolFault("overflow", "the kernel dropped key events"))
            self._break_off(partial, now)
        elif partial.scan.length:
            partial.spoiled = True

    def _expire(self, now: int) -> None:
        for partial in self._partials.values():
            if partial.scan.broken_off(now):
                self._break_off(partial, now)
            elif partial.scan.gap_passed(now):
                self._end(partial, now)

    def _break_off(self, partial: _Partial, now: int) -> None:
        partial.spoiled = False
        length = partial.scan.break_off(now)
        if length:
            self._events.append(ScanRefused("broken_off", length))

    def _end(self, partial: _Partial, now: int) -> None:
        length, overflowed, spoiled = partial.scan.length, partial.scan.overflowed, partial.spoiled
        raw, partial.spoiled = partial.scan.take(), False
        if not length:
            return
        symbology, label = label_of(raw, aim_id=self._options.aim_id)
        if spoiled:
            self._events.append(ScanRefused("unknown_key", length))
        elif overflowed or len(label) > self._options.max_length:
            self._events.append(ScanRefused("too_long", length))
        elif len(label) < self._options.min_length:
            self._events.append(ScanRefused("too_short", len(label)))
        elif self._debounce.is_new(label, now):
            self._events.append(Scanned(label, symbology))

    def _tell(self, state: DeviceState) -> None:
        if state != self._state:
            self._state = state
            self._events.append(state)


def _build(options: WedgeScannerOptions, tools: DriverTools) -> WedgeScanner:
    return WedgeScanner(options)


SPEC = DriverSpec(
    name="wedge_scanner",
    device_class="Scanner",
    transports=("evdev",),
    options=WedgeScannerOptions,
    build=_build,
    summary="Label scanners that type like a keyboard, grabbed so that nobody else hears them",
    states=("ready", "unknown"),
)
