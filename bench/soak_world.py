"""One driver and one simulated unit on a bad line; a person who feeds notes and a desk that decides; a virtual clock.

The desk does what the kernel does, and no more: it enables, orders a note into the box or back, and confirms what it
was told after the time a commit takes.  What it was told is held against what physically lies in the unit's box.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec

from bench.soak_wire import CLEAN, Faults, Way
from kiosk.api import (
    Confirm,
    Driver,
    DriverSpec,
    DriverTools,
    EnableNotes,
    HoldNote,
    NoteDisputed,
    NoteEscrowed,
    NoteReturned,
    NotesKnown,
    NoteStacked,
    Opened,
    PortRequest,
    Reply,
    ReturnNote,
    Sent,
    StackNote,
    Write,
)
from kiosk.simulators.note_unit import NoteUnit

MS, S = 1_000_000, 1_000_000_000
#: Virtual time without any progress after which a run is given up as a difference.
STILL = 900 * S
#: Steps at one and the same moment after which somebody spins.
MOST_STEPS = 10_000


class Count(msgspec.Struct, frozen=True):
    """What a run came to; money by value in minor units."""

    notes: int
    stacked: dict[int, int]
    credited: dict[int, int]
    #: Stacked notes that nobody announced; they are money in suspense.
    unannounced: dict[int, int]
    disputed: dict[int, int]
    returned: int
    virtual_s: int
    polls: int
    faults: dict[str, int]
    differences: tuple[str, ...]


class World:
    """Owns both ends, the line between them and the clock."""

    def __init__(
        self,
        spec: DriverSpec,
        options: Any,
        unit: Any,
        *,
        seed: int,
        byte_ns: int,
        faults: Faults,
        currency: str = "USD",
    ) -> None:
        self.chance = random.Random(seed)
        self.unit = unit
        self.now = S
        self.line_counts: Counter[str] = Counter()
        self.to_unit = Way(self.chance, byte_ns, faults, self.line_counts)
        self.to_host = Way(self.chance, byte_ns, faults, self.line_counts)
        self.driver: Driver = spec.build(options, DriverTools(currency=currency))
        self.driver.remember({}, None, self.chance.randbytes(32))
        self.credited: Counter[int] = Counter()
        self.unannounced: Counter[int] = Counter()
        self.disputed: Counter[int] = Counter()
        self.returned = 0
        self.writes = 0
        #: Notes in the box beyond those booked, when the last note came into escrow; disputes told since then.
        self._beyond = self._disputed_since = 0
        self.enabled = False
        self._orders: list[tuple[int, Any]] = []
        self._seen: set[str] = set()
        self.problems: list[str] = []
        self._progress_at = self.now
        self._do(lambda: self.driver.port(Opened({}), self.now))

    # --- the desk ---------------------------------------------------------------------------------------------

    def _hear(self, event: Any) -> None:
        chance = self.chance
        if isinstance(event, NotesKnown):
            self._later(0, EnableNotes(event.values))
            self.enabled = True
        elif isinstance(event, NoteEscrowed):
            self._progress_at = self.now
            self._hold_against_the_box()
            dice = chance.random()
            wait = chance.randrange(300 * MS)
            if dice < 0.1:
                self._later(wait, ReturnNote(event.note))
            elif dice < 0.2:
                self._later(0, HoldNote(event.note))
                self._later(wait + chance.randrange(3 * S), StackNote(event.note))
            elif dice < 0.99:
                self._later(wait, StackNote(event.note))
            # the rest: nobody decides, and the driver sends the note back by itself
        elif isinstance(event, NoteStacked | NoteDisputed):
            self._progress_at = self.now
            name = str(event.note) if event.note is not None else ""
            if name and name in self._seen:
                self.problems.append(f"{name} was told twice")
            self._seen.add(name)
            self._disputed_since += int(isinstance(event, NoteDisputed))
            into = self.disputed if isinstance(event, NoteDisputed) else self.credited if name else self.unannounced
            if event.value is None:
                self.problems.append("a stacked note without a value")
            else:
                into[event.value.minor] += 1
            self._later(chance.randrange(5 * MS, 80 * MS), Confirm(event.token))
        elif isinstance(event, NoteReturned):
            self._progress_at = self.now
            self.returned += 1
            if event.note is not None and str(event.note) in self._seen:
                self.problems.append(f"{event.note} was returned after its outcome")
            if event.note is not None:
                self._seen.add(str(event.note))
            if event.token:
                self._later(chance.randrange(5 * MS, 80 * MS), Confirm(event.token))

    def _hold_against_the_box(self) -> None:
        """A new note is told: all before it are over, and each one in the box is booked, or disputed just now."""
        booked = sum(self.credited.values()) + sum(self.unannounced.values())
        beyond = len(self.unit.cashbox) + len(self.unit.collected) - booked
        if not 0 <= beyond - self._beyond <= self._disputed_since:
            self.problems.append(f"{beyond - self._beyond} notes in the box that nothing told, at {self.now // MS} ms")
        self._beyond, self._disputed_since = beyond, 0

    def _later(self, wait: int, order: Any) -> None:
        self._orders.append((self.now + wait, order))

    # --- the clock --------------------------------------------------------------------------------------------

    def _do(self, act: Any) -> None:
        act()
        for _ in range(MOST_STEPS):
            for event in self.driver.take_events():
                self._hear(event)
            outbound = self.driver.take_outbound()
            if not outbound:
                return
            for item in outbound:
                if isinstance(item, Write):
                    self.writes += 1
                    self.to_unit.put(item.data, self.now)
                    self.driver.port(Sent(len(item.data)), self.now)
                elif isinstance(item, PortRequest):
                    self.driver.port(Reply(item.id, False), self.now)
        raise RuntimeError("the driver writes without end")

    def step(self, until: int) -> None:
        """Go to the next moment at which anything happens, at most to `until`."""
        moments = [
            self.to_unit.due(), self.to_host.due(), self.driver.deadline(), self.unit.deadline(),
            min((at for at, _ in self._orders), default=None),
        ]  # fmt: skip
        self.now = max(self.now, min((moment for moment in moments if moment is not None), default=until))
        self.now = min(self.now, max(until, self.now)) if self.now <= until else until
        self.unit.tick(self.now)
        arrived = self.to_unit.take(self.now)
        if arrived:
            self.unit.received(arrived, self.now)
        for piece in self.unit.take_outbound():
            self.to_host.put(piece, self.now)
        arrived = self.to_host.take(self.now)
        if arrived:
            self._do(lambda: self.driver.received(arrived, self.now))
        for at, order in [each for each in self._orders if each[0] <= self.now]:
            self._orders.remove((at, order))
            self._do(lambda order=order: self.driver.command(order, self.now))
        due = self.driver.deadline()
        if due is not None and due <= self.now:
            self._do(lambda: self.driver.tick(self.now))

    def run_until(self, until: int) -> None:
        """Let everything happen until then."""
        steps, at = 0, -1
        while self.now < until:
            self.step(until)
            steps = steps + 1 if self.now == at else 0
            at = self.now
            if steps > MOST_STEPS:
                raise RuntimeError("time stands still: somebody asks for a moment that has passed")

    def clean(self) -> None:
        """Mend the line."""
        self.to_unit.faults = self.to_host.faults = CLEAN

    def still(self) -> bool:
        """Tell whether nothing has come of anything for too long."""
        return self.now - self._progress_at > STILL


def soak(
    spec: DriverSpec, options: Any, unit: NoteUnit, *, notes: int, seed: int, byte_ns: int, faults: Faults,
    power_cuts: float = 0.0,
) -> Count:  # fmt: skip
    """Feed notes until so many have ended, mend the line, let everything come to rest, and count."""
    world = World(spec, options, unit, seed=seed, byte_ns=byte_ns, faults=faults)
    chance = random.Random(seed + 1)
    fed: Counter[int] = Counter()
    problems = world.problems

    def ended() -> int:
        return len(unit.cashbox) + len(unit.collected) + len(unit.returned)

    while ended() < notes and not problems:
        if unit.can_insert:
            value = chance.choice(unit.values)
            if unit.insert(value):
                fed[value] += 1
        elif chance.random() < 0.01:
            unit.pull_back()
        unit.take_rejected()
        if power_cuts and chance.random() < power_cuts:
            unit.cut_power()
            world.run_until(world.now + chance.randrange(4 * S))
            unit.tick(world.now)
            unit.restore_power()
        world.run_until(world.now + chance.randrange(50 * MS, 400 * MS))
        if world.still():
            problems.append(f"stood still with the unit showing {unit.shown}")
    world.clean()
    rest = world.now + 180 * S
    while world.now < rest:
        unit.tick(world.now)
        unit.take_rejected()
        world.run_until(world.now + S)
    stacked = Counter(unit.cashbox) + Counter(unit.collected)
    booked = world.credited + world.unannounced
    if stacked != booked:
        # A dispute leaves open where the note is; more than the disputes is a difference.
        more, less = stacked - booked, booked - stacked
        if less or more - world.disputed:
            problems.append(f"in the box and not booked: {dict(more)}; booked and not in the box: {dict(less)}")
    if fed != stacked + Counter(unit.returned) + Counter([unit.inside] if unit.inside is not None else []):
        problems.append("the simulated unit lost a note itself")
    return Count(
        ended(), dict(stacked), dict(world.credited), dict(world.unannounced), dict(world.disputed),
        len(unit.returned), (world.now - S) // S, world.writes, dict(world.line_counts), tuple(problems),
    )  # fmt: skip
