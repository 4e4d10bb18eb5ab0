"""The device role of a ccTalk bill validator: a whole simulated acceptor, sans-I/O (ccTalk sheet §4, §6, §7, §9).

What every unit does on the line is in `device_node`, where the note is in `device_bill_path`; here are the headers of
a bill validator, its watchdog, and people's hands as methods.  A hand acts at the time last told, so a player calls
`tick(now)` first.  `cashbox`, `collected`, `returned` and `inside` are the observable truth.
"""

from __future__ import annotations

from kiosk.errors import SimulatorError
from kiosk.protocols.cctalk.device_bill_path import BillPath, Note, Stage
from kiosk.protocols.cctalk.device_node import MS, Answer, CctalkNode
from kiosk.protocols.cctalk.frames import Framing
from kiosk.protocols.cctalk.headers import (
    ROUTE_ESCROW_EMPTY,
    ROUTE_EXTEND,
    ROUTE_FAILED,
    ROUTE_RETURN,
    ROUTE_STACK,
    Header,
)
from kiosk.protocols.cctalk.payloads import Scaling, encode_bill_id, encode_scaling, mask
from kiosk.protocols.cctalk.units import USD_BILLS, BillUnit

#: Fault codes of header 232 (sheet §6).
_JAM, _STRING, _BOX_MISSING, _BOX_FULL = 39, 41, 44, 45
_STAGES = {
    Stage.ACCEPTING: "accepting",
    Stage.ESCROW: "escrow",
    Stage.STACKING: "stacking",
    Stage.RETURNING: "returning",
}


class CctalkBillValidator(CctalkNode):
    """One acceptor on a line.  Owns the headers and the watchdog; the path owns notes and stages."""

    def __init__(
        self,
        unit: BillUnit = USD_BILLS,
        *,
        address: int = 40,
        framing: Framing | None = None,
        powered: bool = True,
    ) -> None:
        super().__init__(unit.identity, unit.habits, address=address, framing=framing, powered=powered)
        self.unit = unit
        self._path = BillPath(unit)
        self._polled_at = 0
        self._unread = False
        for header, handler in (
            (Header.READ_BUFFERED_BILL_EVENTS, self._read_events),
            (Header.MODIFY_INHIBIT, self._set_mask),
            (Header.REQUEST_INHIBIT, lambda data: None if data else self._path.mask),
            (Header.MODIFY_MASTER_INHIBIT, self._set_master),
            (Header.REQUEST_MASTER_INHIBIT, lambda data: None if data else bytes((int(self._path.master),))),
            (Header.REQUEST_BILL_ID, self._bill_id),
            (Header.REQUEST_BILL_POSITION, self._positions),
            (Header.REQUEST_COUNTRY_SCALING_FACTOR, self._scaling),
            (Header.MODIFY_BILL_OPERATING_MODE, self._set_mode),
            (Header.REQUEST_BILL_OPERATING_MODE, lambda data: None if data else bytes((self._path.mode,))),
            (Header.ROUTE_BILL, self._route),
            (Header.PERFORM_SELF_CHECK, lambda data: None if data else bytes((self._fault,))),
            (Header.READ_BARCODE_DATA, lambda data: None if data else self._path.barcode),
            (Header.REQUEST_CURRENCY_REVISION, lambda data: b"001" if len(data) in (0, 2) else None),
        ):
            self._on(header, handler)
        self._on(Header.REQUEST_STACKER_CYCLE, self._constant(b""))
        self._on(Header.REQUEST_VARIABLE_SET, self._constant(bytes((len(unit.bills), 1))))
        self._on(Header.REQUEST_POLLING_PRIORITY, self._constant(bytes((2, 20))))  # 20 times 10 ms

    # --- the observable truth -------------------------------------------------------------------------------------

    @property
    def currency(self) -> str:
        """ISO 4217 code of the unit's note set."""
        return self.unit.currency

    @property
    def values(self) -> tuple[int, ...]:
        """Minor values of the notes the unit knows, ascending."""
        return tuple(sorted(self.unit.minor(at + 1) for at, value in enumerate(self.unit.bills) if value))

    @property
    def cashbox(self) -> list[int]:
        """Minor values of the notes in the box that belongs to the unit, in order."""
        return list(self._path.cashbox)

    @property
    def collected(self) -> list[int]:
        """Minor values of the notes that left with a box that was exchanged for an empty one."""
        return list(self._path.collected)

    @property
    def returned(self) -> list[int]:
        """Minor values of the notes that people got back."""
        return list(self._path.returned)

    @property
    def inside(self) -> int | None:
        """Minor value of the note that is on its way, or None."""
        return self._path.inside

    @property
    def stage(self) -> str:
        """Where the unit stands, in words that every protocol has."""
        path = self._path
        if not self.powered:
            return "off"
        if not self.awake:
            return "starting"
        if self._fault:
            return "fault"
        if self._unread or (path.note is not None and path.note.past):
            return "credit"
        if path.stage is Stage.READY:
            return "idle" if path.takes else "inhibited"
        return _STAGES[path.stage]

    @property
    def shown(self) -> str:
        """What the unit shows now, for people."""
        path = self._path
        trouble = (
            ("no power", not self.powered),
            (f"jam in the {path.jammed}", bool(path.jammed)),
            ("cash box out", not path.box_in),
            ("stacker full", path.full),
        )
        return next((words for words, there in trouble if there), self.stage)

    @property
    def can_insert(self) -> bool:
        """Tell whether the unit would draw a note in now."""
        return self.awake and self._path.takes

    # --- time and power -------------------------------------------------------------------------------------------

    def _watched_until(self) -> int | None:
        return self._polled_at + self.unit.watchdog_ms * MS if self._path.master else None

    def _timer(self) -> int | None:
        return min((due for due in (self._path.deadline(), self._watched_until()) if due is not None), default=None)

    def _advance(self, now: int) -> None:
        watched = self._watched_until()
        if watched is not None and watched <= now:
            self._path_to(watched)
            self._path.inhibit()
        self._path_to(now)

    def _path_to(self, now: int) -> None:
        boxed = len(self._path.cashbox)
        self._path.advance(now)
        self._unread = self._unread or len(self._path.cashbox) > boxed

    def _forget(self) -> None:
        self._path.forget()
        self._unread = False

    def _started(self) -> None:
        self._path.started()

    # --- headers --------------------------------------------------------------------------------------------------

    def _read_events(self, data: bytes) -> Answer:
        if data:
            return None
        self._polled_at, self._unread = self._now, False
        return self._path.book.read()

    def _set_mask(self, data: bytes) -> Answer:
        if len(data) != self.unit.mask_bytes:
            return None
        self._path.mask = data
        return b""

    def _set_master(self, data: bytes) -> Answer:
        if len(data) != 1:
            return None
        self._path.master = bool(data[0] & 1)
        self._polled_at = self._now
        return b""

    def _bill_id(self, data: bytes) -> Answer:
        if len(data) != 1 or not data[0]:
            return None
        bills = self.unit.bills
        return encode_bill_id(self.unit.country, bills[data[0] - 1] if data[0] <= len(bills) else 0)

    def _positions(self, data: bytes) -> Answer:
        if len(data) != 2:
            return None
        own = data == self.unit.country.encode("ascii")
        return mask((at + 1 for at, value in enumerate(self.unit.bills) if value and own), self.unit.mask_bytes)

    def _scaling(self, data: bytes) -> Answer:
        if len(data) != 2:
            return None
        own = data == self.unit.country.encode("ascii")
        return encode_scaling(self.unit.scaling if own else Scaling(0, 0))

    def _set_mode(self, data: bytes) -> Answer:
        if len(data) != 1:
            return None
        self._path.mode = data[0] & 3
        return b""

    def _route(self, data: bytes) -> Answer:
        path = self._path
        if len(data) != 1 or data[0] not in (ROUTE_RETURN, ROUTE_STACK, ROUTE_EXTEND):
            return None
        if path.stage is not Stage.ESCROW:
            return bytes((ROUTE_ESCROW_EMPTY,)) if self.unit.empty_escrow_error else Header.NAK
        if path.stopped:
            return bytes((ROUTE_FAILED,))
        if data[0] == ROUTE_STACK:
            path.stack()
        elif data[0] == ROUTE_RETURN:
            path.give_back()
        else:
            path.extend()
        return b""

    @property
    def _fault(self) -> int:
        path = self._path
        faults = (
            (_JAM, bool(path.jammed)),
            (_BOX_MISSING, not path.box_in),
            (_BOX_FULL, path.full),
            (_STRING, path.now < path.cheated_until),
        )
        return next((code for code, there in faults if there), 0)

    # --- people's hands -------------------------------------------------------------------------------------------

    def insert(self, minor_value: int, *, force: bool = False) -> bool:
        """Feed a note; False where the unit does not take it.  `force` pushes it into a unit that is inhibited."""
        return self.awake and self._path.insert(Note(minor_value, self.unit.bill_of(minor_value)), force)

    def insert_ticket(self, barcode: str) -> bool:
        """Feed a barcode ticket, which is no money; False where the unit does not take it."""
        return self.awake and self._path.insert(Note(0, None, barcode.encode("ascii", "replace")[:24]), False)

    def pull_back(self) -> bool:
        """Pull the note out; False once it cannot come back."""
        return not self._path.jammed and self._path.pull_back(self.awake)

    def take_rejected(self) -> bool:
        """Take the note that is on its way out; False where none comes."""
        return self._path.stage is Stage.RETURNING and not self._path.stopped and self._path.pull_back(self.awake)

    def jam(self, where: str) -> None:
        """Block the path in the ``acceptor`` or in the ``stacker``."""
        if where not in ("acceptor", "stacker"):
            raise SimulatorError(f"there is no {where[:40]!r} to jam", hint="jam the acceptor or the stacker")
        self._path.jam(where, self.awake)

    def clear_jam(self, outcome: str | None = None) -> None:
        """Open the path; a note that can still come back does, unless `outcome` says ``stack`` or ``take``."""
        self._path.clear_jam(outcome or "return", self.awake)

    def remove_cashbox(self) -> None:
        """Take the cash box out; its notes stay in it."""
        self._path.put_box(False, False, self.awake)

    def insert_cashbox(self, *, empty: bool = False) -> None:
        """Put the same box back, or an empty one in its stead (then its notes count as `collected`)."""
        self._path.put_box(True, empty, self.awake)

    def fill_stacker(self) -> None:
        """Let the box be full, until an empty one is put in."""
        self._path.fill(self.awake)

    def cheat(self) -> None:
        """Manipulate the note and be caught; a note that can come out does."""
        if self.awake:
            self._path.cheat()

    def reject_next(self, event: int) -> None:
        """Find the next note bad, with the second byte of a status event."""
        self._path.reject_next = event

    # --- scripted faults ------------------------------------------------------------------------------------------

    def lose_acks(self, count: int) -> None:
        """Nothing: ccTalk acknowledges no credit, reading the event book consumes nothing (sheet §6)."""

    def stack_by_itself(self) -> bool:
        """Stack the note in escrow without being told to; False where none is there."""
        if not self.awake or self._path.stage is not Stage.ESCROW or self._path.stopped:
            return False
        self._path.stack()
        return True
