"""A driver for the Ring label reader, an example: a whole plugin in one file.

The (imaginary) reader sends each label as ``STX text ETX check``, where check is the XOR of all bytes between
STX and check, ETX included.  It repeats a frame until it hears ACK and sends it again on NAK.  Asked with ENQ it
answers with a frame whose text begins with ``!`` and goes on with its model; it is asked after opening and
whenever it was silent for a while, so that a dead reader does not look like a quiet one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from kiosk.api import (
    CheckHealth,
    CommandRefused,
    DeviceCommand,
    DeviceEvent,
    DeviceState,
    Driver,
    DriverSpec,
    DriverTools,
    Identified,
    Lost,
    Opened,
    OpenNote,
    Outbound,
    PortEvent,
    ProtocolFault,
    Rehearsal,
    Scanned,
    Write,
    hookimpl,
)

STX, ETX, ENQ, ACK, NAK = b"\x02", b"\x03", b"\x05", b"\x06", b"\x15"
MS = 1_000_000


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the configuration may say."""

    #: Milliseconds of silence after which the reader is asked whether it lives.
    ask_every_ms: int = 5000
    #: Milliseconds it may take to answer.
    answer_within_ms: int = 500
    #: Longest label that is taken, characters.
    longest: int = 200


class RingScanner:
    """Reads frames, acknowledges good ones, and watches over silence."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._buffer = bytearray()
        self._deadline: int | None = None
        self._asked = False
        self._state = ""
        self._events: list[DeviceEvent] = []
        self._outbound: list[Outbound] = []

    # --- what the core tells ------------------------------------------------------------------------------

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        """Nothing of a scanner survives a restart."""

    def port(self, event: PortEvent, now: int) -> None:
        """Begin from the beginning whenever the port opens; say so when it is lost."""
        if isinstance(event, Opened):
            self._buffer.clear()
            self._ask(now)
        elif isinstance(event, Lost):
            self._deadline = None
            self._become("unknown", "unknown", event.reason)

    def received(self, data: bytes, now: int) -> None:
        """Take bytes, split anywhere: keep them until a whole frame is there."""
        self._asked = False
        self._deadline = now + self._options.ask_every_ms * MS
        self._buffer += data
        while self._take_frame():
            pass
        if len(self._buffer) > self._options.longest + 3:
            self._buffer.clear()
            self._events.append(ProtocolFault("overflow", "more bytes than the longest label, and no end"))

    def tick(self, now: int) -> None:
        """A silent reader is asked; one that does not answer is unknown, not ready."""
        if self._deadline is None or now < self._deadline:
            return
        if self._asked:
            self._events.append(ProtocolFault("timeout", "no answer to ENQ"))
            self._become("unknown", "unknown", "the reader does not answer")
        self._ask(now)

    def command(self, cmd: DeviceCommand, now: int) -> None:
        """A scanner knows one order; everything else is refused, never an exception."""
        if isinstance(cmd, CheckHealth):
            self._events.append(DeviceState(self._state or "unknown", "ok" if self._state == "ready" else "unknown"))
            self._ask(now)
        else:
            self._events.append(CommandRefused(type(cmd).__name__, "a scanner has no notes and no paper"))

    # --- what the core takes ------------------------------------------------------------------------------

    def deadline(self) -> int | None:
        """When `tick` is wanted next."""
        return self._deadline

    def take_outbound(self) -> list[Outbound]:
        """Hand over what is to be written."""
        taken, self._outbound = self._outbound, []
        return taken

    def take_events(self) -> list[DeviceEvent]:
        """Hand over what happened."""
        taken, self._events = self._events, []
        return taken

    # --- the reader's protocol ----------------------------------------------------------------------------

    def _take_frame(self) -> bool:
        start = self._buffer.find(STX)
        if start < 0:
            self._buffer.clear()
            return False
        end = self._buffer.find(ETX, start)
        if end < 0 or end + 1 >= len(self._buffer):
            del self._buffer[:start]
            return False
        text, check = bytes(self._buffer[start + 1 : end]), self._buffer[end + 1]
        del self._buffer[: end + 2]
        if check != checksum(text):
            self._outbound.append(Write(NAK))
            self._events.append(ProtocolFault("checksum", f"a frame of {len(text)} bytes"))
            return True
        self._outbound.append(Write(ACK))
        self._become("ready", "ok", "")
        if text.startswith(b"!"):
            self._events.append(Identified(model=text[1:40].decode("ascii", "replace")))
        elif text:
            self._events.append(Scanned(text[: self._options.longest].decode("latin-1")))
        return True

    def _ask(self, now: int) -> None:
        self._outbound.append(Write(ENQ))
        self._asked = True
        self._deadline = now + self._options.answer_within_ms * MS

    def _become(self, state: str, severity: str, detail: str) -> None:
        if state != self._state:
            self._state = state
            self._events.append(DeviceState(state, severity, detail=detail))


def checksum(text: bytes) -> int:
    """XOR of the text and ETX.

    >>> checksum(b"A")
    66
    """
    check = ETX[0]
    for byte in text:
        check ^= byte
    return check


def build(options: Options, tools: DriverTools) -> Driver:
    """Make a driver; the tools (drawing, currency) are for printers and acceptors."""
    return RingScanner(options)


class RingReader:
    """The reader at the other end of the line, for the examination: it sends what it reads until it hears ACK."""

    def __init__(self) -> None:
        self.unacknowledged: list[bytes] = []
        self._repeat_at: int | None = None
        self._outbound: list[bytes] = []
        self._now = 0

    def scan(self, label: str) -> None:
        """Hold a label under the reader."""
        self._say(label.encode("latin-1"))

    def received(self, data: bytes, now: int) -> None:
        """Take what the host says, one byte a word."""
        self._now = now
        for word in (data[at : at + 1] for at in range(len(data))):
            if word == ENQ:
                self._say(b"!Ring 5")
            elif word == ACK and self.unacknowledged:
                del self.unacknowledged[0]
                self._repeat_at = None
            elif word == NAK:
                self._repeat_at = now

    def tick(self, now: int) -> None:
        """Repeat what was not acknowledged."""
        self._now = now
        if self._repeat_at is not None and now >= self._repeat_at:
            self._repeat_at = None
            self._outbound += self.unacknowledged[:1]
        if self.unacknowledged and self._repeat_at is None:
            self._repeat_at = now + 300 * MS

    def deadline(self) -> int | None:
        """When it repeats."""
        return self._repeat_at

    def take_outbound(self) -> list[bytes]:
        """Hand over what it says."""
        taken, self._outbound = self._outbound, []
        return taken

    def _say(self, text: bytes) -> None:
        del self.unacknowledged[20:]
        self.unacknowledged.append(frame(text))
        if len(self.unacknowledged) == 1:
            self._repeat_at = self._now


def frame(text: bytes) -> bytes:
    """Return a text as it is on the line."""
    return STX + text + ETX + bytes([checksum(text)])


def rehearsal() -> Rehearsal:
    """Bring what the driver is examined with: frames of the manual, words of the host, and the reader."""
    return Rehearsal(
        vectors=(frame(b"PK-4711"), frame(b"!Ring 5"), frame(b"0815")), host_vectors=(ENQ, ACK, NAK), device=RingReader
    )


SPEC = DriverSpec(
    name="ring_scanner",
    device_class="Scanner",
    transports=("serial", "tcp"),
    options=Options,
    build=build,
    summary="Ring serial label readers (example)",
    line={"serial": {"baud": 9600}},
    states=("ready", "unknown"),
    rehearsal=rehearsal,
)


@hookimpl
def kiosk_drivers() -> Iterable[DriverSpec]:
    """Declare the driver."""
    return [SPEC]
