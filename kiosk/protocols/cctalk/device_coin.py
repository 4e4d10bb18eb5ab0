"""The device role of a ccTalk coin acceptor, sans-I/O (ccTalk sheet §4 to §8; what every unit does: `device_node`).

A coin has no escrow: a moment after it was inserted it is in `accepted` or in `returned`, and the event book says so.
These two, and the lifetime counters, are kept across power cuts; masks, master inhibit and the event book are lost with
power or reset.  Unpolled for a second the unit lets every coin fall through until it is polled again (sheet §7).
"""

from __future__ import annotations

from kiosk.protocols.cctalk.device_node import MS, Answer, CctalkNode, EventBook
from kiosk.protocols.cctalk.frames import Framing
from kiosk.protocols.cctalk.headers import COIN_ERRORS, FIRST_INHIBITED, Header
from kiosk.protocols.cctalk.payloads import accepted, encode_coin_id, number_bytes
from kiosk.protocols.cctalk.units import USD_COINS, CoinUnit

#: Second bytes of error events (sheet §6).
REJECT, INHIBITED, ON_STRING, RETURN_LEVER = 1, 2, 20, 254
_FRAUDS = (ON_STRING,)
#: Coins on their way at once; a slot takes no more.
_MAX_UNDER_WAY = 16


class CctalkCoinAcceptor(CctalkNode):
    """One coin acceptor on a line.  Owns its coins, its event book and its watchdog."""

    def __init__(
        self,
        unit: CoinUnit = USD_COINS,
        *,
        address: int = 2,
        framing: Framing | None = None,
        powered: bool = True,
    ) -> None:
        super().__init__(unit.identity, unit.habits, address=address, framing=framing, powered=powered)
        self.unit = unit
        self.book = EventBook()
        #: Minor values of the coins past the point of return, in order; and of those in the return cup.
        self.accepted: list[int] = []
        self.returned: list[int] = []
        #: Coins on their way: (when they reach the sensor, minor value).
        self._under_way: list[tuple[int, int]] = []
        self.mask = bytes(unit.mask_bytes)
        #: False is inhibited (sheet §4: 0 is inhibited).
        self.master = False
        #: Answer to header 232; 0 is no fault.  Answer to header 248 while the lever or a string is seen.
        self.fault = self.status = 0
        self._polled_at: int | None = None
        self._insertions = self._accepts = self._rejects = self._frauds = 0
        self._reject_next: int | None = None
        self._override = 0xFF
        for header, handler in (
            (Header.READ_BUFFERED_CREDIT, self._read_events),
            (Header.MODIFY_INHIBIT, self._set_mask),
            (Header.REQUEST_INHIBIT, lambda data: None if data else self.mask),
            (Header.MODIFY_MASTER_INHIBIT, self._set_master),
            (Header.REQUEST_MASTER_INHIBIT, lambda data: None if data else bytes((int(self.master),))),
            (Header.REQUEST_COIN_ID, self._coin_id),
            (Header.REQUEST_STATUS, lambda data: None if data else bytes((self.status,))),
            (Header.PERFORM_SELF_CHECK, lambda data: None if data else bytes((self.fault,))),
            (Header.REQUEST_INSERTION_COUNTER, lambda data: None if data else number_bytes(self._insertions)),
            (Header.REQUEST_ACCEPT_COUNTER, lambda data: None if data else number_bytes(self._accepts)),
            (Header.REQUEST_REJECT_COUNTER, lambda data: None if data else number_bytes(self._rejects)),
            (Header.REQUEST_FRAUD_COUNTER, lambda data: None if data else number_bytes(self._frauds)),
            (Header.MODIFY_SORTER_OVERRIDE_STATUS, self._set_override),
            (Header.REQUEST_SORTER_OVERRIDE_STATUS, lambda data: None if data else bytes((self._override,))),
            (Header.REQUEST_SORTER_PATHS, lambda data: bytes((self.unit.sorter_path,)) if len(data) == 1 else None),
        ):
            self._on(header, handler)
        self._on(Header.REQUEST_OPTION_FLAGS, self._constant(b"\x00"))  # credit codes are positions
        self._on(Header.REQUEST_DEFAULT_SORTER_PATH, self._constant(bytes((unit.sorter_path,))))
        self._on(Header.REQUEST_POLLING_PRIORITY, self._constant(bytes((2, 20))))  # 20 times 10 ms

    # --- the observable truth -------------------------------------------------------------------------------------

    @property
    def currency(self) -> str:
        """ISO 4217 code of the unit's coin set."""
        return self.unit.currency

    @property
    def values(self) -> tuple[int, ...]:
        """Minor values of the coins the unit can tell, ascending."""
        return tuple(sorted({value for value in self.unit.coins if value}))

    @property
    def inside(self) -> list[int]:
        """Minor values of the coins between slot and sensor."""
        return [minor for _, minor in self._under_way]

    @property
    def watched(self) -> bool:
        """True while the unit is polled often enough."""
        return self._polled_at is not None and self._now - self._polled_at < self.unit.watchdog_ms * MS

    @property
    def can_insert(self) -> bool:
        """Tell whether the unit would take a coin now."""
        return self.awake and self.master and any(self.mask) and self.watched and not self.fault

    @property
    def shown(self) -> str:
        """What the unit shows now, for people."""
        if not self.powered:
            return "no power"
        if not self.awake:
            return "starting"
        if self.fault:
            return f"fault {self.fault}"
        return "idle" if self.can_insert else "inhibited"

    # --- time and power -------------------------------------------------------------------------------------------

    def _timer(self) -> int | None:
        return self._under_way[0][0] if self._under_way else None

    def _advance(self, now: int) -> None:
        while self._under_way and self._under_way[0][0] <= now:
            due, minor = self._under_way.pop(0)
            self._judge(minor, due)

    def _judge(self, minor: int, at: int) -> None:
        unit, coins = self.unit, self.unit.coins
        position = next((k + 1 for k, value in enumerate(coins) if value == minor), None) if minor else None
        watched = self._polled_at is not None and at - self._polled_at < unit.watchdog_ms * MS
        reason, self._reject_next = self._reject_next, None
        if reason is None and (self.fault or not watched or not self.master):
            reason = INHIBITED
        elif reason is None and position is None:
            reason = REJECT
        elif reason is None and position is not None and position not in accepted(self.mask):
            reason = FIRST_INHIBITED + position - 1 if unit.tells_inhibited_type else INHIBITED
        if reason is None and position is not None:
            self.accepted.append(minor)
            self._accepts += 1
            self.book.add(position, unit.sorter_path)
            return
        self.returned.append(minor)
        self._rejects += 1
        if reason is not None and (watched or unit.tells_unwatched):
            self._tell(reason)

    def _tell(self, error: int) -> None:
        self._frauds += int(error in _FRAUDS)
        self.book.add(0, error)

    def _forget(self) -> None:
        self.returned += self.inside  # without power the gate is shut: a coin on its way falls through
        self._under_way.clear()
        self.book.clear()
        self.master, self._polled_at = False, None
        if not self.unit.keeps_masks:
            self.mask = bytes(self.unit.mask_bytes)

    # --- headers --------------------------------------------------------------------------------------------------

    def _read_events(self, data: bytes) -> Answer:
        if data:
            return None
        if self._polled_at is None and self.book.counter == 0 and self.unit.dummy_event is not None:
            self.book.add(*self.unit.dummy_event)
        self._polled_at = self._now
        return self.book.read()

    def _set_mask(self, data: bytes) -> Answer:
        if len(data) != self.unit.mask_bytes:
            return None
        self.mask = data
        return b""

    def _set_master(self, data: bytes) -> Answer:
        if len(data) != 1:
            return None
        self.master = bool(data[0] & 1)
        return b""

    def _set_override(self, data: bytes) -> Answer:
        if len(data) != 1:
            return None
        self._override = data[0]
        return b""

    def _coin_id(self, data: bytes) -> Answer:
        if len(data) != 1 or not data[0]:
            return None
        coins = self.unit.coins
        return encode_coin_id(self.unit.country, coins[data[0] - 1] if data[0] <= len(coins) else 0)

    # --- people's hands -------------------------------------------------------------------------------------------

    def insert_coin(self, minor: int) -> bool:
        """Put a coin into the slot; False where the slot is full.  It ends in `accepted` or in `returned`."""
        if len(self._under_way) >= _MAX_UNDER_WAY:
            return False
        self._insertions += int(self.awake)
        if not self.awake:
            self.returned.append(minor)
            return True
        after = self._under_way[-1][0] if self._under_way else self._now
        self._under_way.append((max(after, self._now) + self.unit.coin_ms * MS, minor))
        return True

    def press_lever(self, on: bool = True) -> None:
        """Press the return lever, or let it go; coins on their way fall through."""
        self.status = int(on)
        if on and self.awake:
            self.returned += self.inside
            self._under_way.clear()
            self._tell(RETURN_LEVER)

    def pull_string(self) -> None:
        """Be caught with a coin on a string."""
        if self.awake:
            self._tell(ON_STRING)

    def break_down(self, fault: int) -> None:
        """Break something inside, with a fault code of header 232; 0 mends it."""
        self.fault = fault

    def reject_next(self, error: int) -> None:
        """Let the next coin fall through with an error of the table, for example 3, "multiple window"."""
        self._reject_next = error if error in COIN_ERRORS else REJECT

    def count_on(self, counter: int) -> None:
        """Let the event counter stand where it would after many coins, for example at 253."""
        self.book.counter = counter
