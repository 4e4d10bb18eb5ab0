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
)
from kiosk.protocols.keyboard_wedge import ALT_PAGES, END_KEYS, KEYMAPS, Typed, WedgeDecoder, keymap
from kiosk.protocols.label import Debounce
from kiosk.protocols.label_reader import LabelReader, LabelRules
from kiosk.protocols.scanner_rehearsal import keyboard

MS = 1_000_000
#: Nodes of one scanner that are kept apart; a transport has two or three.
MAX_NODES = 16


class WedgeScannerOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of a keyboard-wedge scanner.  Times in milliseconds (devices sheet §2.1)."""

    #: Map from key positions to letters: ``us`` (what scanners send by default) or ``de``.
    keymap: str = "us"
    #: Single positions replaced: decimal Linux key code → one to three letters (plain, SHIFT, ALTGR).
    keys: dict[str, str] = {}
    #: What ALT with keypad digits from 128 to 255 means: ``latin-1``, ``cp1252``, ``cp437`` or ``cp850`` (one letter
    #: each), or ``utf-8`` (each is one byte of the text).
    alt_page: str = "latin-1"
    #: Keys that end a scan: ``ENTER``, ``KPENTER``, ``TAB``; empty means that a gap ends it.
    end_keys: tuple[str, ...] = ("ENTER", "KPENTER")
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
    #: Quiet that ends a scan where no end key is configured, and the skipping of one that was broken off.
    gap_ms: int = 100
    #: An identical label within this time of its last sight counts once.
    debounce_ms: int = 2_000

    def __post_init__(self) -> None:
        if self.debounce_ms < 0:
            raise ValueError("a time is too short to be meant")
        self.rules()
        if self.alt_page not in ALT_PAGES:
            raise ValueError(f"alt_page must be one of {', '.join(ALT_PAGES)}")
        if self.keymap not in KEYMAPS:
            raise ValueError(f"keymap must be one of {', '.join(KEYMAPS)}")
        if any(name not in END_KEYS for name in self.end_keys):
            raise ValueError(f"end_keys must be of {', '.join(END_KEYS)}")
        try:
            keymap(self.keymap, self.keys)
        except KioskError as error:
            raise ValueError(f"keys: {error.message}") from error

    def rules(self) -> LabelRules:
        """Return how labels are taken."""
        return LabelRules(
            self.min_length, self.max_length, self.aim_id, "", self.code_ids, self.scan_limit_ms, self.gap_ms,
            by_gap=not self.end_keys,
        )  # fmt: skip


class WedgeScanner:
    """Owns the partial scan of each node; knows nothing of what a label means."""

    def __init__(self, options: WedgeScannerOptions) -> None:
        self._options = options
        self._decoder = WedgeDecoder(keymap(options.keymap, options.keys), options.end_keys, options.alt_page)
        self._readers: dict[int, LabelReader] = {}
        self._debounce = Debounce(options.debounce_ms * MS)
        self._events: list[DeviceEvent] = []
        self._state = DeviceState("unknown", "unknown", detail="the port is not open")

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Take what survived: nothing a scanner needs."""

    def port(self, event: PortEvent, now: int) -> None:
        """Begin anew when the nodes are opened."""
        if isinstance(event, Opened | Lost):
            self._decoder.reset()
            self._readers.clear()
        if isinstance(event, Opened):
            self._tell(DeviceState("ready", "ok"))
        elif isinstance(event, Lost):
            self._tell(DeviceState("unknown", "unknown", detail=f"port lost: {event.reason[:80]}"))

    def received(self, data: bytes, now: int) -> None:
        """Take key records."""
        for reader in self._readers.values():
            reader.expire(now)
        for typed in self._decoder.feed(data):
            node = self._reader(typed.node)
            if node is not None:
                self._take(typed, node, now)
        self._collect()

    def tick(self, now: int) -> None:
        """Look at the clock: a gap or the hard limit may end a scan."""
        for reader in self._readers.values():
            reader.expire(now)
        self._collect()

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """Report the state on request; nothing else can be asked of a scanner."""
        if isinstance(cmd, CheckHealth):
            self._events.append(self._state)
        else:
            tag = cmd.__struct_config__.tag
            self._events.append(CommandRefused(str(tag), "a scanner has nothing to command"))

    def deadline(self) -> int | None:
        """Return when the next scan that has begun must have ended."""
        return min((due for each in self._readers.values() if (due := each.deadline()) is not None), default=None)

    def take_outbound(self) -> list[Outbound]:
        """Hand over nothing: a wedge is only read."""
        return []

    def take_events(self) -> list[DeviceEvent]:
        """Hand over what happened."""
        events, self._events = self._events, []
        return events

    def _reader(self, node: int) -> LabelReader | None:
        if node not in self._readers:
            if len(self._readers) >= MAX_NODES:
                return None
            self._readers[node] = LabelReader(self._options.rules(), self._debounce)
        return self._readers[node]

    def _take(self, typed: Typed, reader: LabelReader, now: int) -> None:
        reader.heard(now)
        if typed.kind == "text":
            reader.add(typed.data, now)
        elif typed.kind == "end":
            reader.end(now)
        elif typed.kind == "dropped":
            self._events.append(ProtocolFault("overflow", "the kernel dropped key events"))
            reader.break_off(now)
        else:
            reader.spoil()

    def _collect(self) -> None:
        for reader in self._readers.values():
            self._events += reader.take()

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
    rehearsal=keyboard,
)
