"""What every simulated ccTalk unit is on the line: address, checksum form, silence, identity, reset (ccTalk sheet).

Theory of operation.  `received` takes *every* byte of the line, also other units' frames and replies, as on a shared
wire; frames for others are counted through.  A bad checksum, a foreign address and an unknown header get no answer at
all (sheet §2).  A unit of one kind adds its own headers with `_on`, its timers with `_timer` and `_advance`, and what
it forgets with `_forget`; what it counts and holds physically it keeps in its own hands.

An answer is bytes (a reply with header 0, ``b""`` is ACK), `Header.NAK`, `Header.BUSY`, or None for silence.
"""

from __future__ import annotations

from collections.abc import Callable

from kiosk.errors import SimulatorError
from kiosk.protocols.cctalk.event_buffer import DEPTH, encode_events, next_counter
from kiosk.protocols.cctalk.frames import BROADCAST, HOST, Decoder, Frame, FrameFault, Framing, Passed
from kiosk.protocols.cctalk.headers import Header
from kiosk.protocols.cctalk.payloads import number_bytes
from kiosk.protocols.cctalk.units import Identity, NodeHabits

MS = 1_000_000
Answer = bytes | Header | None
Handler = Callable[[bytes], Answer]
#: Headers a unit answers although its PIN was not entered.
_WITHOUT_PIN = frozenset({Header.SIMPLE_POLL, Header.ENTER_PIN, Header.REQUEST_EQUIPMENT_CATEGORY})


class EventBook:
    """The event counter and the five newest events of a unit, lost by power-off and reset (sheet §6)."""

    def __init__(self, counter: int = 0) -> None:
        self.counter = counter
        self._newest: list[tuple[int, int]] = []

    def add(self, first: int, second: int) -> None:
        """Write one event down; the counter goes from 255 to 1."""
        self.counter = next_counter(self.counter)
        self._newest = [(first, second), *self._newest[: DEPTH - 1]]

    def clear(self) -> None:
        """Forget everything."""
        self.counter, self._newest = 0, []

    def read(self) -> bytes:
        """Return the eleven bytes of a reply; reading consumes nothing."""
        return encode_events(self.counter, self._newest)


class CctalkNode:
    """One unit on a line.  Owns the wire, the power and the identity; a subclass owns the money."""

    def __init__(
        self, identity: Identity, habits: NodeHabits, *, address: int, framing: Framing | None, powered: bool
    ) -> None:
        """Take a place on the line.

        Raises:
            SimulatorError: the address is the broadcast or the host's.
        """
        if not HOST < address <= 0xFF:
            raise SimulatorError(f"a unit cannot have address {address}", hint="addresses are 2 to 255")
        self.identity, self.habits, self.address = identity, habits, address
        self.powered = powered
        #: Counted: ``frames`` for this unit, ``faults``, ``replies``, ``silent`` (unknown header …), ``lost``.
        self.counters: dict[str, int] = {"frames": 0, "faults": 0, "replies": 0, "silent": 0, "lost": 0}
        self._framing = framing or Framing()
        self._handlers: dict[int, Handler] = {}
        self._now = self._heard_at = 0
        self._boot_due: int | None = None
        self._deaf_until = 0
        self._unlocked = habits.pin is None
        self._reset_wanted = False
        self._outbound: list[bytes] = []
        #: Second halves of stuttered replies: (when, bytes).
        self._late: list[tuple[int, bytes]] = []
        self._lose = self._garble = self._garbled = self._refuse = self._busy = self._stutter = self._stutter_ms = 0
        self._mute = False
        self._decoder = self._new_decoder()
        for header, data in (
            (Header.SIMPLE_POLL, b""),
            (Header.REQUEST_MANUFACTURER, identity.manufacturer.encode("ascii")),
            (Header.REQUEST_EQUIPMENT_CATEGORY, identity.category.encode("ascii")),
            (Header.REQUEST_PRODUCT_CODE, identity.product.encode("ascii")),
            (Header.REQUEST_SERIAL_NUMBER, number_bytes(identity.serial)),
            (Header.REQUEST_SOFTWARE_REVISION, identity.revision.encode("ascii")),
            (Header.REQUEST_BUILD_CODE, identity.build.encode("ascii")),
            (Header.REQUEST_COMMS_REVISION, bytes(identity.comms)),
            (Header.CALCULATE_ROM_CHECKSUM, number_bytes(identity.rom_checksum, 4)),
        ):
            self._on(header, self._constant(data))
        self._on(Header.RESET_DEVICE, self._answer_reset)
        self._on(Header.REQUEST_COMMS_STATUS, self._answer_comms_status)
        self._on(Header.CLEAR_COMMS_STATUS, self._clear_comms_status)
        self._on(Header.ADDRESS_CHANGE, self._change_address)
        self._on(Header.ENTER_PIN, self._enter_pin)

    # --- for a unit of one kind -------------------------------------------------------------------------------

    def _on(self, header: Header, handler: Handler) -> None:
        """Answer this header by calling `handler` with its data."""
        self._handlers[header] = handler

    def _constant(self, data: bytes) -> Handler:
        """Return a handler that always gives the same answer, and is silent where parameters come with it."""
        return lambda parameters: None if parameters else data

    def _timer(self) -> int | None:
        """Return when `_advance` has something to do; None for never."""
        return None

    def _advance(self, now: int) -> None:
        """Let time pass up to `now`, every due step at its own moment."""

    def _forget(self) -> None:
        """Lose what power-off and reset make a unit forget; called when that happens."""

    def _started(self) -> None:
        """The unit has booted."""

    def _polled(self, header: int) -> None:
        """The host sent this unit a good frame."""

    # --- bytes and time ---------------------------------------------------------------------------------------

    def received(self, data: bytes, now: int) -> None:
        """Take the bytes of the line, split anywhere."""
        self.tick(now)
        if self.habits.echo and data:
            self._outbound.append(data)
        if not self.awake or self._now < self._deaf_until:
            return
        self._heard_at = self._now
        for item in self._decoder.feed(data):
            if isinstance(item, Frame):
                self._take(item)
            elif isinstance(item, FrameFault):
                self.counters["faults"] += 1
            else:
                assert isinstance(item, Passed)

    def tick(self, now: int) -> None:
        """The time is `now`, integer nanoseconds of any clock that never goes back."""
        self._now = max(self._now, now)
        if not self.powered:
            return
        if self._boot_due is not None and self._boot_due <= self._now:
            self._advance(self._boot_due)
            self._boot_due = None
            self._started()
        if self._boot_due is None:
            self._advance(self._now)
        if self._decoder.pending and self._now - self._heard_at > self.habits.gap_ms * MS:
            self.counters["faults"] += len(self._decoder.gap())
        while self._late and self._late[0][0] <= self._now:
            self._outbound.append(self._late.pop(0)[1])

    def deadline(self) -> int | None:
        """Return when `tick` is wanted next; None for never."""
        if not self.powered:
            return None
        dues = [self._boot_due if self._boot_due is not None else self._timer()]
        dues.append(self._late[0][0] if self._late else None)
        if self._decoder.pending:
            dues.append(self._heard_at + self.habits.gap_ms * MS + 1)
        return min((due for due in dues if due is not None), default=None)

    def take_outbound(self) -> list[bytes]:
        """Hand over what is to be written, once."""
        outbound, self._outbound = self._outbound, []
        return outbound

    @property
    def awake(self) -> bool:
        """True while the unit has power and has booted."""
        return self.powered and self._boot_due is None

    # --- requests ---------------------------------------------------------------------------------------------

    def _new_decoder(self) -> Decoder:
        return Decoder(self._framing, (self.address, BROADCAST))

    def _take(self, frame: Frame) -> None:
        self.counters["frames"] += 1
        if frame.header in (Header.ADDRESS_POLL, Header.ADDRESS_CLASH):
            self._answer_address_poll(frame.header)
            return
        handler = self._handlers.get(frame.header)
        locked = not self._unlocked and frame.header not in _WITHOUT_PIN
        if handler is None or locked:
            self.counters["silent"] += 1
            return
        if frame.destination != BROADCAST:
            self._polled(frame.header)
        if self._busy:
            self._busy -= 1
            answer: Answer = Header.BUSY
        elif self._refuse:
            self._refuse -= 1
            answer = Header.NAK
        else:
            answer = handler(frame.data)
        if answer is None:
            self.counters["silent"] += 1
        else:
            self._reply(answer, frame)
        if self._reset_wanted:
            self._restart()

    def _reply(self, answer: bytes | Header, frame: Frame) -> None:
        header, data = (answer, b"") if isinstance(answer, Header) else (Header.REPLY, answer)
        source = frame.destination if frame.destination == BROADCAST else self.address
        if frame.header == Header.ADDRESS_CHANGE:
            source = frame.destination  # the ACK comes from the old address
        to = frame.source if frame.source is not None else HOST
        raw = self._framing.encode(to, header, data, source=source)
        if self._mute or self._lose:
            self._lose = max(self._lose - 1, 0)
            self.counters["lost"] += 1
            return
        if self._garble:
            self._garble -= 1
            bad = bytearray(raw)
            # One bit, at another place each time, but not in the length: a receiver could only wait for more.
            at = (self._garbled % (len(bad) - 1) + 2) % len(bad)
            bad[at] ^= 0x10
            self._garbled += 1
            raw = bytes(bad)
        self.counters["replies"] += 1
        if self._stutter:
            self._stutter -= 1
            self._outbound.append(raw[:3])
            self._late.append((self._now + self._stutter_ms * MS, raw[3:]))
        else:
            self._outbound.append(raw)

    def _answer_reset(self, data: bytes) -> Answer:
        if data and not self.habits.resets_with_data:
            return None
        self._reset_wanted = True
        return b""

    def _answer_comms_status(self, data: bytes) -> Answer:
        return None if data else bytes((0, 0, self.counters["faults"] & 0xFF))

    def _clear_comms_status(self, data: bytes) -> Answer:
        self.counters["faults"] = 0
        return b""

    def _answer_address_poll(self, header: int) -> None:
        """Say the bare address byte after a time that tells units apart (sheet §3)."""
        wait = 4 * (self.address if header == Header.ADDRESS_POLL else self.identity.serial & 0xFF)
        self._late.append((self._now + wait * MS, bytes((self.address,))))
        self._deaf_until = self._now + self.habits.address_poll_off_ms * MS

    def _change_address(self, data: bytes) -> Answer:
        if len(data) != 1 or data[0] <= HOST:
            return None
        self.address = data[0]
        self._decoder = self._new_decoder()
        return b""

    def _enter_pin(self, data: bytes) -> Answer:
        if len(data) != 4:
            return None
        self._unlocked = self.habits.pin is None or data == self.habits.pin
        return b""

    # --- power ------------------------------------------------------------------------------------------------

    def cut_power(self) -> None:
        """Take the power away: what the unit was told is lost, what lies in it stays where it is."""
        if self.powered:
            self.powered = False
            self._sleep()

    def restore_power(self) -> None:
        """Give the power back; the unit is silent while it boots."""
        if not self.powered:
            self.powered = True
            self._boot_due = self._now + self.habits.boot_ms * MS

    def _restart(self) -> None:
        """Header 1: forget as after power-off, but what was said already goes out."""
        said = self._outbound
        self._sleep()
        self._outbound = said
        self._boot_due = self._now + self.habits.boot_ms * MS

    def _sleep(self) -> None:
        self._reset_wanted, self._boot_due = False, None
        self._decoder = self._new_decoder()
        self._outbound, self._late = [], []
        self._unlocked = self.habits.pin is None
        self._deaf_until = 0
        self._forget()

    # --- scripted faults ----------------------------------------------------------------------------------------

    def lose_replies(self, count: int) -> None:
        """Carry out the next `count` requests that have a reply, and lose the replies."""
        self._lose = count

    def garble_replies(self, count: int) -> None:
        """Flip one bit in each of the next `count` replies."""
        self._garble = count

    def mute(self, on: bool = True) -> None:
        """Hear and act, but say nothing."""
        self._mute = on

    def refuse_requests(self, count: int) -> None:
        """Answer the next `count` requests with NAK, unheard."""
        self._refuse = count

    def be_busy(self, count: int) -> None:
        """Answer the next `count` requests with BUSY, unheard."""
        self._busy = count

    def stutter(self, count: int, ms: int) -> None:
        """Pause for `ms` inside each of the next `count` replies; more than 50 breaks them (sheet §1)."""
        self._stutter, self._stutter_ms = count, ms
