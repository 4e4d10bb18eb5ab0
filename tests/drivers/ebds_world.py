"""The EBDS driver on the simulated unit, with a small kernel and a bad line: virtual time, seeded chance, no port.

Hands feed notes, cut the power and lose replies; the kernel journals, decides late and commits late; the host restarts
with nothing but its journal.  What the books say is then held against what is in the box and in people's hands.
"""

from __future__ import annotations

from random import Random

import msgspec

from kiosk.api import (
    Confirm,
    DeviceEvent,
    DriverTools,
    EnableNotes,
    Money,
    NoteDisputed,
    NoteEscrowed,
    NoteReturned,
    NoteStacked,
    Opened,
    OpenNote,
    ReturnNote,
    Sent,
    StackNote,
    Write,
)
from kiosk.api import NoteId as Name
from kiosk.drivers.ebds_acceptor import EbdsAcceptor, EbdsOptions
from kiosk.protocols.ebds.device import EbdsDevice
from kiosk.protocols.ebds.units import Unit

MS = 1_000_000


class Entry:
    """One note in the books: ``escrowed``, ``intended``, then its fate."""

    def __init__(self, value: Money) -> None:
        self.value = value
        self.state = "escrowed"


class World:
    """One unit, one driver after the other, one journal."""

    def __init__(self, seed: int, unit: Unit, **options: object) -> None:
        self.chance = Random(seed)
        self.device = EbdsDevice(unit)
        self.options = msgspec.convert(options, EbdsOptions)
        self.now = 1_000 * MS
        self.books: dict[int, Entry] = {}
        #: Values of stacked notes that nobody announced.
        self.strays: list[Money | None] = []
        self._later: list[tuple[int, DeviceEvent]] = []
        self.restart()

    def restart(self) -> None:
        """Begin with a new driver and the journal; what was only in escrow was never promised anything."""
        self._later.clear()
        open_note = None
        for serial, entry in self.books.items():
            if entry.state == "escrowed":
                entry.state = "unknown"
            elif entry.state in ("intended", "credited", "disputed"):
                phase = "stack_sent" if entry.state == "intended" else "credited"
                open_note = OpenNote(Name("unit", serial), entry.value, phase)
        self.driver = EbdsAcceptor(self.options, DriverTools(self.device.currency))
        self.driver.remember({"note_serial": str(max(self.books, default=0)), "device": "unit"}, open_note, bytes(32))
        self.driver.port(Opened({}), self.now)
        self.driver.command(EnableNotes(tuple(Money(v, self.device.currency) for v in self.device.values)), self.now)
        self._move()

    def run(self, ms: int) -> None:
        end = self.now + ms * MS
        while self.now < end:
            dues = (self.driver.deadline(), self.device.deadline(), *(due for due, _ in self._later), end)
            self.now = max(self.now + MS, min(due for due in dues if due is not None))
            self.device.tick(self.now)
            self.driver.tick(self.now)
            self._move()
            for due, event in [item for item in self._later if item[0] <= self.now]:
                self._later.remove((due, event))
                self._decide(event)
                self._move()

    def _move(self) -> None:
        while True:
            events = self.driver.take_events()
            for event in events:
                self._hear(event)
            writes = [item.data for item in self.driver.take_outbound() if isinstance(item, Write)]
            for data in writes:
                self.driver.port(Sent(len(data)), self.now)
                self.device.received(data, self.now)
                self.now += 5 * MS
            said = b"".join(self.device.take_outbound())
            if said:
                self.driver.received(said, self.now)
            if not (events or writes or said):
                return

    def _hear(self, event: DeviceEvent) -> None:
        if isinstance(event, NoteEscrowed):
            self.books[event.note.serial] = Entry(event.value)
            self._later.append((self.now + self.chance.choice([0, 50, 700, 2_000]) * MS, event))
        elif isinstance(event, NoteStacked | NoteDisputed):
            self._later.append((self.now + self.chance.choice([0, 10, 400, 3_000]) * MS, event))
        elif isinstance(event, NoteReturned) and event.note is not None:
            self._settle(event.note, "returned")

    def _decide(self, event: DeviceEvent) -> None:
        if isinstance(event, NoteEscrowed):
            entry = self.books[event.note.serial]
            if entry.state != "escrowed":
                return
            if self.chance.random() < 0.8:
                entry.state = "intended"  # committed before the command
                self.driver.command(StackNote(event.note), self.now)
            else:
                self.driver.command(ReturnNote(event.note), self.now)
            return
        assert isinstance(event, NoteStacked | NoteDisputed)
        if event.note is None:
            assert isinstance(event, NoteStacked)
            self.strays.append(event.value)
        else:
            self._settle(event.note, "credited" if isinstance(event, NoteStacked) else "disputed")
        self.driver.command(Confirm(event.token), self.now)

    def _settle(self, note: Name, fate: str) -> None:
        entry = self.books[note.serial]
        assert entry.state in ("escrowed", "intended"), f"{note} is {entry.state} and now {fate}"
        entry.state = fate

    @property
    def settled(self) -> bool:
        """True where the unit holds no note and the books wait for none."""
        waiting = any(entry.state in ("escrowed", "intended") for entry in self.books.values())
        return self.device.inside is None and not waiting and not self._later


def trouble(world: World, kinds: tuple[str, ...]) -> None:
    """Let something go wrong, or nothing."""
    device, chance = world.device, world.chance
    kind = chance.choice(kinds)
    if kind == "lose":
        device.lose_replies(chance.randint(1, 3))
    elif kind == "garble":
        device.garble_replies(chance.randint(1, 3))
    elif kind == "acks":
        device.lose_acks(1)
    elif kind == "restart":
        world.restart()
    elif kind == "cut":
        device.cut_power()
        world.run(chance.randint(100, 4_000))
        device.restore_power()


def play(seed: int, unit: Unit, kinds: tuple[str, ...], notes: int = 4, **options: object) -> list[str]:
    """Feed some notes through trouble and return their fates; fail where books and box differ."""
    world = World(seed, unit, **options)
    device, chance = world.device, world.chance
    world.run(6_000)
    fates: list[str] = []
    for _ in range(notes):
        for _ in range(60):
            if device.can_insert:
                break
            world.run(500)
        known, strays, boxed = len(world.books), len(world.strays), len(device.cashbox)
        value = chance.choice(device.values)
        assert device.insert(value), f"the unit shows {device.shown}"
        for _ in range(chance.randint(1, 4)):
            world.run(chance.randint(10, 1_500))
            trouble(world, kinds)
        for _ in range(100):
            world.run(500)
            device.take_rejected()
            if world.settled:
                break
        assert world.settled, f"seed {seed}: {device.shown}, {[entry.state for entry in world.books.values()]}"
        world.run(1_500)
        told = [entry.state for entry in list(world.books.values())[known:]]
        credits = told.count("credited")
        odd = told.count("disputed") + len(world.strays) - strays
        in_box = len(device.cashbox) - boxed
        assert credits + odd == 1 if in_box else credits == 0, (
            f"seed {seed}: {in_box} in the box, told {told}, {odd} odd"
        )
        fates += told
    return fates
