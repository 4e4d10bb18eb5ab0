"""A virtual ESC/POS receipt printer: the device role, sans-I/O (devices sheet §1).

Theory of operation.  Bytes arrive twice: each is looked at as it comes for real-time commands (``10 04 n`` and its
kin), which are answered at once, also off-line and also when they are really bytes of a picture; and it goes into
the bounded receive buffer, out of which commands are carried out one by one, at the speed of the paper, only while the
printer is on-line.  With the paper out nothing is consumed: the buffer fills, `room` falls to 0, and a queued status
request gets no answer.  A power cut loses buffer and modes; what is on paper stays.

Hands (`paper_out`, `open_cover`, `jam_cutter` …) act at the time last told.
"""

from __future__ import annotations

from kiosk.protocols.escpos.device_model import EPSON, PrinterModel
from kiosk.protocols.escpos.device_presenter import STATUS, Presenter
from kiosk.protocols.escpos.device_print import DOTS_PER_MM, Receipt
from kiosk.protocols.escpos.device_reader import CommandReader, Op
from kiosk.protocols.escpos.device_sensors import Sensors
from kiosk.protocols.escpos.device_setter import Typesetter

MS = 1_000_000
_CLEAR = bytes.fromhex("10140801031401060208")
#: As many of the last bytes as the longest real-time command has.
_TAIL = len(_CLEAR)


class EscposPrinter:
    """One printer on one line.  Owns buffer, sensors and answers; the typesetter owns modes and paper."""

    def __init__(self, model: PrinterModel = EPSON) -> None:
        self.model = model
        self.powered = True
        #: ``overrun`` (bytes that did not fit), ``answers``, ``real_time``.
        self.counters: dict[str, int] = {"overrun": 0, "answers": 0, "real_time": 0}
        #: What holds a slip until it is taken; idle on models without one.
        self.presenter = Presenter()
        self._setter = Typesetter(model)
        self._reader = CommandReader(model.receive_buffer)
        self._tail = b""
        self._outbound: list[bytes] = []
        self._now = 0
        self._free_at = 0
        #: Everything that is complete is carried out.
        self._starved = True
        self._mute = False
        #: Answers to ``10 04 n`` that are given instead of the true ones.
        self._instead: dict[int, int] = {}
        self._sensors = Sensors()
        self._cut_will_jam = False
        self._asb = 0
        self._asb_told = b""

    # --- what came out ------------------------------------------------------------------------------------------

    @property
    def receipts(self) -> list[Receipt]:
        """Pieces of paper that left the printer, oldest first."""
        return list(self._setter.receipts)

    @property
    def hanging(self) -> Receipt:
        """What is printed and neither cut nor torn off."""
        return Receipt(tuple(self._setter.hanging), False)

    @property
    def unknown(self) -> dict[str, int]:
        """Commands this printer does not know, counted."""
        return dict(self._setter.unknown)

    @property
    def used_mm(self) -> int:
        """Paper used so far."""
        return self._setter.used_dots // DOTS_PER_MM

    @property
    def roll_mm(self) -> int:
        """Paper left."""
        return self._setter.roll // DOTS_PER_MM

    @property
    def online(self) -> bool:
        """Tell whether it prints."""
        return self.powered and not self._seen().off_line

    @property
    def idle(self) -> bool:
        """Tell whether nothing received waits to be printed."""
        return not self._reader.busy and not self._setter.line_begun

    # --- bytes and time -------------------------------------------------------------------------------------------

    def room(self) -> int:
        """Return how many bytes the receive buffer takes now."""
        return self._reader.buffer.room() if self.powered else 0

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the host; those beyond `room` are lost, except for real-time commands among them."""
        self.tick(now)
        if not self.powered:
            return
        if self._starved:  # the mechanism stood still; it starts now and not when it last ended
            self._free_at = max(self._free_at, self._now)
            self._starved = False
        if 0x10 not in self._tail and 0x10 not in data and len(data) <= self.room():
            self._reader.buffer.fill(data)
            self._tail = (self._tail + data)[-_TAIL:]
        else:
            for byte in data:
                self._take(bytes((byte,)))
        self._work()

    def _take(self, byte: bytes) -> None:
        if not self._reader.buffer.room():
            self._work()
        if self._reader.buffer.fill(byte):
            self.counters["overrun"] += 1
        self._tail = (self._tail + byte)[-_TAIL:]
        if 0x10 in self._tail:
            self._real_time()

    def tick(self, now: int) -> None:
        """The time is `now`, nanoseconds."""
        self._now = max(self._now, now)
        if self.powered:
            self._work()

    def deadline(self) -> int | None:
        """Return when the mechanism is free for the next command; None while there is nothing to do."""
        if self.online and self._reader.busy and not self._starved:
            return self._free_at
        return None

    def take_outbound(self) -> list[bytes]:
        """Hand over the answers, once."""
        outbound, self._outbound = self._outbound, []
        return outbound

    def _work(self) -> None:
        """Carry out what can be carried out by now."""
        while self.online and self._free_at <= self._now:
            op = self._reader.next()
            if op is None:
                self._starved = True
                break
            self._carry_out(op)
        self._tell_changes()

    def _carry_out(self, op: Op) -> None:
        if op.name.startswith("cut"):
            if self._cut_will_jam:
                self._sensors.cutter_blocked = self._sensors.cutter_error = True
                self._cut_will_jam = False
                return
            self._free_at += self.model.cut_ms * MS if self.model.dots_per_second else 0
        answer = self._answer_to(op)
        if answer is not None:
            self._say(answer)
            return
        dots = self._setter.set(op)
        if self.model.presenter and op.name.startswith("cut"):
            self.presenter.cut(self._setter.receipts[-1])
        if dots and self.model.dots_per_second:
            self._free_at += dots * 1_000_000_000 // self.model.dots_per_second

    # --- answers ----------------------------------------------------------------------------------------------------

    def _say(self, answer: bytes) -> None:
        if answer and not self._mute:
            self.counters["answers"] += 1
            self._outbound.append(answer)

    def _answer_to(self, op: Op) -> bytes | None:
        """Return the answer to a queued command, or None where the typesetter is to carry it out."""
        if op.name == "status":
            kind = op.args[0] % 0x30
            if kind == 1:
                return bytes((0x03 if self._near_end else 0,))
            if kind == 2:
                return bytes((int(self._sensors.drawer_open),))
            self._setter.note_unknown(b"\x1dr" + op.args)
            return b""
        elif op.name == "identify":
            return self._identity(op.args[0])
        elif op.name == "asb":
            self._asb, self._asb_told = op.args[0], b""
            return b""
        elif op.name == "drawer":
            self._sensors.drawer_open = True
            return b""
        elif op.name == "hardware_reset" and self.model.full_status:
            self._clear()
            self._setter.reset()
            return b""
        elif op.name == "presenter" and self.model.presenter:
            return self._presenter_order(op.args[0])
        elif op.name == "group_H" and self.model.completion_id and op.payload[:2] == b"00" and len(op.payload) == 6:
            return b"\x37\x22" + op.payload[2:] + b"\x00"
        return None

    def _presenter_order(self, what: int) -> bytes:
        self.presenter.order(what)
        if what != STATUS:
            return b""
        return bytes((self.presenter.status(near_end=self._near_end, paper_end=self._setter.roll <= 0),))

    def _identity(self, kind: int) -> bytes:
        texts = {0x41: self.model.firmware, 0x42: self.model.maker, 0x43: self.model.name}
        if kind in texts:
            return b"_" + texts[kind].encode("ascii") + b"\x00"
        if kind in (0x01, 0x31):
            return bytes((self.model.model_id,))
        self._setter.note_unknown(bytes((0x1D, 0x49, kind)))
        return b""

    @property
    def _near_end(self) -> bool:
        return self._setter.roll <= self.model.near_end_mm * DOTS_PER_MM

    def _seen(self) -> Sensors:
        sensors = self._sensors
        sensors.paper_out, sensors.near_end = self._setter.roll <= 0, self._near_end
        sensors.in_mouth, sensors.presenter_jammed = self.presenter.in_mouth, self.presenter.jammed
        return sensors

    def status(self, kind: int) -> int:
        """Return the byte that answers ``10 04 n``."""
        return self._seen().real_time(kind)

    def port_status(self) -> bytes:
        """Return the answer to USB's GET_PORT_STATUS."""
        return bytes((self._seen().port_status(),))

    def _tell_changes(self) -> None:
        """Automatic status: four bytes when something changed that the host wants to hear of."""
        if not self._asb:
            return
        answer = self._seen().automatic()
        if self._asb_told:
            old, change = self._asb_told, 0
            change |= 0x01 if (old[0] ^ answer[0]) & 0x04 else 0
            change |= 0x02 if (old[0] ^ answer[0]) & 0x28 else 0
            change |= 0x04 if old[1] != answer[1] else 0
            change |= 0x08 if old[2] != answer[2] else 0
            change |= 0x40 if (old[0] ^ answer[0]) & 0x40 else 0
            if not change & self._asb:
                return
        self._asb_told = answer
        self._say(answer)

    def _real_time(self) -> None:
        tail = self._tail
        if tail[-3:-1] == b"\x10\x04" and 1 <= tail[-1] <= 4:
            self._say(bytes((self._instead.get(tail[-1], self.status(tail[-1])),)))
        elif tail[-3:] == b"\x10\x04\x14" and self.model.full_status:
            self._say(self._seen().full())
        elif tail[-3:-1] == b"\x10\x05" and tail[-1] in (1, 2):
            self._recover(clear=tail[-1] == 2)
        elif tail[-5:-2] == b"\x10\x14\x01":
            self._sensors.drawer_open = True
        elif tail == _CLEAR and self.model.real_time_clear:
            self._clear()
            self._say(b"\x37\x25\x00")
        else:
            return
        self.counters["real_time"] += 1

    def _recover(self, *, clear: bool) -> None:
        if clear and self._sensors.cutter_error:
            self._clear()
        if not self._sensors.cutter_blocked:
            self._sensors.cutter_error = False

    def _clear(self) -> None:
        self._reader.clear()
        self._setter.set(Op("cancel"))
        self._tail = b""

    # --- people's hands -----------------------------------------------------------------------------------------------

    def tear_off(self) -> Receipt | None:
        """Take the paper: the slip in the mouth; what hangs uncut is torn off; else the last piece that was cut."""
        if self.model.presenter and not self._setter.hanging:
            return self.presenter.take()
        torn = self._setter.tear()
        return torn or (self._setter.receipts[-1] if self._setter.receipts else None)

    def paper_out(self) -> None:
        """Let the roll end now."""
        self._setter.roll = 0
        self._tell_changes()

    def near_end(self) -> None:
        """Let the roll be nearly used up."""
        self._setter.roll = min(self._setter.roll, self.model.near_end_mm * DOTS_PER_MM)
        self._tell_changes()

    def load_paper(self) -> None:
        """Put a fresh roll in; what waits in the buffer prints on it."""
        self._setter.roll = self.model.roll_mm * DOTS_PER_MM
        self._resume()

    def open_cover(self) -> None:
        """Open the cover."""
        self._sensors.cover_open = True
        self._tell_changes()

    def close_cover(self) -> None:
        """Close the cover."""
        self._sensors.cover_open = False
        self._resume()

    def press_feed(self, down: bool) -> None:
        """Press or release the FEED button."""
        self._sensors.feed_pressed = down
        self._resume()

    def jam_cutter(self, *, at_next_cut: bool = False) -> None:
        """Block the knife: known at once, or found at the next cut."""
        if at_next_cut:
            self._cut_will_jam = True
        else:
            self._sensors.cutter_blocked = self._sensors.cutter_error = True
        self._tell_changes()

    def free_cutter(self) -> None:
        """Free the knife; the error goes with ``10 05`` or a power cycle."""
        self._sensors.cutter_blocked = self._cut_will_jam = False

    def overheat(self, on: bool = True) -> None:
        """Let the head be too hot, or cool again."""
        self._sensors.hot = on
        self._resume()

    def break_down(self, on: bool = True) -> None:
        """Break something that no command cures, or have it repaired."""
        self._sensors.broken = on
        self._resume()

    def close_drawer(self) -> None:
        """Close the cash drawer that a pulse has opened."""
        self._sensors.drawer_open = False
        self._tell_changes()

    def mute(self, on: bool = True) -> None:
        """Hear and print, but say nothing."""
        self._mute = on

    def answer_instead(self, kind: int, byte: int | None) -> None:
        """Answer ``10 04 kind`` with this byte, whatever is true; None for the truth again."""
        if byte is None:
            self._instead.pop(kind, None)
        else:
            self._instead[kind] = byte

    def cut_power(self) -> None:
        """Take the power away: buffer, modes and unfinished line are lost, the paper stays."""
        self.powered = False
        self._reader.clear()
        self._setter.reset()
        self._outbound.clear()
        self._tail = b""
        self._asb, self._asb_told, self._starved = 0, b"", True
        self._sensors.cutter_error = self._sensors.cutter_blocked

    def restore_power(self) -> None:
        """Give the power back."""
        self.powered = True
        self._free_at = self._now

    def _resume(self) -> None:
        if self.online:
            self._free_at = max(self._free_at, self._now)
            self._starved = not self._reader.busy
        self._tell_changes()
