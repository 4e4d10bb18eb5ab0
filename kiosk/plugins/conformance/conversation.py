"""A driver and its device on one line, under a virtual clock, with a core that commits before it confirms.

Theory of operation.  Whatever either side writes arrives a few milliseconds later, unless the line loses it, doubles it
or flips a bit of it.  The core here is the least there can be: it enables what the unit knows, intends and orders the
stacking of each escrowed note, and books a money event when its commit is done, which is then confirmed.  What it has
committed survives `kill`; what it has not is lost, as in a power cut.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

import msgspec

from kiosk.model.commands import Confirm, DeviceCommand, Dispense, EnableCoins, EnableNotes, StackNote
from kiosk.model.device_events import (
    CoinAccepted,
    CoinsKnown,
    DeviceEvent,
    NoteDisputed,
    NoteEscrowed,
    NoteGone,
    NoteReturned,
    NotesKnown,
    NoteStacked,
    PayoutDisputed,
    PayoutEnded,
    PayoutReady,
)
from kiosk.model.ids import NoteId
from kiosk.model.money import Money
from kiosk.plugins.conformance.bench import MOST_TICKS, MS, Bench
from kiosk.plugins.devices import DriverSpec, DriverTools, OpenNote, PortRequest, Reply
from kiosk.protocols.rehearsal import Rehearsal

#: How long a message is on the line, and how long the core takes to commit.
LATENCY = 3 * MS
COMMIT = 25 * MS


class Faults(msgspec.Struct, frozen=True):
    """How bad the line is: chances out of 1000 for each message."""

    lost: int = 0
    doubled: int = 0
    garbled: int = 0


class Conversation(Bench):
    """Owns the line and the device beside the driver."""

    def __init__(
        self, spec: DriverSpec, rehearsal: Rehearsal, tools: DriverTools, situation: str, faults: Faults, seed: int
    ) -> None:
        super().__init__(spec, rehearsal, tools, situation)
        self.faults = faults
        #: Other drivers are on the line, and now and then it is their turn.
        self.shared = False
        #: It ever asked for one.
        self.asked_for_turns = False
        #: The turn is the driver's.
        self.holds = False
        #: False while the cable is out.
        self.plugged = True
        #: False: escrowed notes are left alone.
        self.stacks = True
        #: False: nothing is ever committed.
        self.commits = True
        #: What was committed: token by token, None for a value that the wire does not tell.
        self.booked: list[Money | None] = []
        self.disputed: list[Money] = []
        #: Money events that wait for their commit, by token.
        self.waiting: dict[int, Any] = {}
        self._chance = random.Random(seed)
        self._life = 0
        self._order = 0
        self._due: list[tuple[int, int, int, Callable[[], None]]] = []
        #: What payouts came to, in order.
        self.payouts: list[PayoutEnded | PayoutDisputed] = []
        self._enabling: DeviceCommand | None = None
        self._open_note: OpenNote | None = None
        self._marks = {"note_serial": "17", "device": "conformance"}
        made = self.guard("rehearsal.device", rehearsal.device) if rehearsal.device is not None else None
        self.device: Any = made
        self.broken = self.broken or made is None

    @property
    def undecided(self) -> bool:
        """True while a note is ordered to be stacked and its end was not told."""
        return self._open_note is not None and self._open_note.phase == "stack_sent"

    # --- time -----------------------------------------------------------------------------------------------------

    def run(self, ms: int, until: Callable[[], bool] = lambda: False) -> bool:
        """Let both sides talk for so long, or until something is so; tell whether it became so."""
        end, same, last = self.now + ms * MS, 0, -1
        while not self.broken and not until():
            times = [self._due[0][0] if self._due else None, self.device.deadline(),
                     self.driver.deadline() if self.driver is not None else None]  # fmt: skip
            now = min((time for time in times if time is not None), default=end + 1)
            if now > end:
                self.now = end
                break
            self.now = max(self.now, now)
            same = same + 1 if self.now == last else 0
            last = self.now
            if same > MOST_TICKS:
                self.found("the conversation stands still: time does not move on")
                self.broken = True
            self._turn()
        return until()

    def hand(self, act: Callable[[Any], Any]) -> Any:
        """Do something to the device, at this moment."""
        self.device.tick(self.now)
        done = self.guard("the device", lambda: act(self.device))
        self._take_from_device()
        return done

    def _turn(self) -> None:
        while self._due and self._due[0][0] <= self.now:
            _, _, life, act = heapq.heappop(self._due)
            if life in (0, self._life):
                act()
        self.guard("the device", lambda: self.device.tick(self.now))
        self._take_from_device()
        if self.driver is not None and (due := self.driver.deadline()) is not None and due <= self.now:
            self.ticks += 1
            self.do("tick", lambda driver: driver.tick(self.now))

    def _later(self, delay: int, act: Callable[[], None], *, life: int = 0) -> None:
        self._order += 1
        heapq.heappush(self._due, (self.now + delay, self._order, life, act))

    # --- the line -------------------------------------------------------------------------------------------------

    def answered(self, request: PortRequest) -> Reply:
        """Grant the turn of a shared line, or say that somebody else has it."""
        self.asked_for_turns = self.asked_for_turns or request.kind == "turn"
        if not self.shared or request.kind not in ("turn", "turn_over"):
            return super().answered(request)
        if request.kind == "turn" and not self.holds and self._chance.randrange(3) == 0:
            return Reply(request.id, False, b"busy")
        self.holds = request.kind == "turn"
        return Reply(request.id, True)

    def wrote(self, data: bytes) -> None:
        """What the driver writes comes to the device."""
        if self.shared and not self.holds:
            self.found("writes on a shared line while it is not its turn")
        for message in self._on_the_way(data):
            self._later(LATENCY, lambda message=message: self._to_device(message))  # type: ignore[misc]

    def _to_device(self, data: bytes) -> None:
        if self.plugged:
            self.guard("the device", lambda: self.device.received(data, self.now))
            self._take_from_device()

    def _to_driver(self, data: bytes) -> None:
        if self.plugged:
            self.feed(data)

    def _take_from_device(self) -> None:
        for data in self.device.take_outbound():
            for message in self._on_the_way(data):
                self._later(LATENCY, lambda message=message: self._to_driver(message), life=self._life)  # type: ignore[misc]

    def pull(self) -> None:
        """Pull the cable: what is on the way is lost, both ends live."""
        self.plugged = False
        self.lose()

    def plug(self) -> None:
        """Plug the cable in again."""
        self.plugged = True
        self.open()

    def _on_the_way(self, data: bytes) -> list[bytes]:
        if not self.plugged:
            return []
        faults, dice = self.faults, self._chance.randrange(1000)
        if dice < faults.lost:
            return []
        if dice < faults.lost + faults.doubled:
            return [data, data]
        if dice < faults.lost + faults.doubled + faults.garbled and data:
            place = self._chance.randrange(len(data))
            flipped = data[place] ^ 1 << self._chance.randrange(8)
            return [data[:place] + bytes((flipped,)) + data[place + 1 :]]
        return [data]

    # --- the core -------------------------------------------------------------------------------------------------

    def heard(self, event: DeviceEvent) -> None:
        """Decide and commit as a kiosk would."""
        if isinstance(event, NotesKnown | CoinsKnown):
            notes = isinstance(event, NotesKnown)
            self._enabling = EnableNotes(event.values) if notes else EnableCoins(event.values)
            self._later(COMMIT, self.enable, life=self._life)
        elif isinstance(event, NoteEscrowed) and self.stacks:
            self._later(COMMIT, lambda: self._intend(event.note, event.value), life=self._life)
        elif isinstance(event, NoteGone) and self._open_note is not None and event.note == self._open_note.note:
            self._open_note = None
        token = getattr(event, "token", 0)
        if token:
            self.waiting[token] = event
            if self.commits:
                self._later(COMMIT, lambda: self.commit(token), life=self._life)
        elif isinstance(event, NoteReturned):
            self._open_note = None

    def commit(self, token: int, *, confirmed: bool = True) -> None:
        """Commit a money event, and confirm it unless the kiosk dies in between."""
        event = self.waiting.pop(token, None)
        if event is None:
            return
        if isinstance(event, NoteStacked | CoinAccepted):
            self.booked.append(event.value)
        elif isinstance(event, NoteDisputed):
            self.disputed.append(event.value)
        elif isinstance(event, PayoutReady):
            self._marks |= {"payout_phase": "started", "payout_mark": event.device_mark}
        elif isinstance(event, PayoutEnded | PayoutDisputed):
            self.payouts.append(event)
            for name in ("payout", "payout_coins", "payout_phase", "payout_mark"):
                self._marks.pop(name, None)
        note = getattr(event, "note", None) or getattr(event, "coin", None)
        self._used(note)
        if isinstance(event, NoteReturned):
            self._open_note = None
        elif self._open_note is not None and note == self._open_note.note:
            self._open_note = msgspec.structs.replace(self._open_note, phase="credited")
        if isinstance(event, NoteStacked | CoinAccepted) and event.device_mark:
            self._marks["device_mark"] = event.device_mark
        if confirmed:
            self.order(Confirm(token))

    def intend_payout(self, payout: str, coins: int) -> None:
        """Commit the intent of a payout, and order it."""
        self._marks |= {"payout": payout, "payout_coins": str(coins), "payout_phase": "intended"}
        self.order(Dispense(payout, coins))

    def kill(self) -> None:
        """Kill the kiosk and start it again: what was not committed is gone, the unit goes on."""
        self._life += 1
        self.waiting.clear()
        self.build()
        self.remember(dict(self._marks), self._open_note)
        self.open()

    def _intend(self, note: NoteId, value: Money) -> None:
        self._used(note)
        self._open_note = OpenNote(note, value, "stack_sent")
        self.order(StackNote(note))

    def _used(self, note: NoteId | None) -> None:
        if note is not None:
            self._marks["note_serial"] = str(max(note.serial, int(self._marks["note_serial"])))

    def enable(self) -> None:
        """Let the unit take what it knows."""
        if self._enabling is not None:
            self.order(self._enabling)
