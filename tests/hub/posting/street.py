"""A street of kiosks that pay, hold, dispute and exchange boxes as a seed says, and hear of one another late."""

from __future__ import annotations

from random import Random

from bench.posted_fleet import City, Machine, store
from kiosk.hub.store.stores import Stores
from kiosk.ledger import entries
from kiosk.model import facts
from kiosk.model.facts import Held
from kiosk.model.ids import NoteId
from kiosk.model.money import Money

NUMBERS = ("100000001", "100000002", "100000003", "W-1", "W-2")
OWED = {"100000001": 5000, "100000002": 3000, "100000003": 12000, "W-1": 5000, "W-2": 2000}


class Street:
    """Kiosks of one city; `walk` lets something happen, `send` puts it into segments."""

    def __init__(self, city: City, seed: int, kiosks: int = 3) -> None:
        self.random = Random(seed)
        self.machines = [Machine(f"K{number:02d}", city) for number in range(1, kiosks + 1)]
        self.partless = next(name for name, each in city.services.items() if each.partial == "refused")
        #: What each kiosk applied to each invoice itself, and holds for it.
        self.own: dict[tuple[str, str], int] = {}
        self.held: dict[tuple[str, str], int] = {}
        self.disputes: dict[str, list[tuple[int, facts.AnyBody]]] = {}

    def walk(self, steps: int) -> None:
        """Let so many things happen."""
        for _ in range(steps):
            machine = self.random.choice(self.machines)
            deed = self.random.choices(
                (self._pay, self._suspend, self._dispute, self._resolve, self._exchange, self._nonsense, self._change),
                weights=(12, 2, 2, 2, 1, 1, 2),
            )[0]
            deed(machine)

    def send(self, stores: Stores) -> None:
        """Send what waits at some of the kiosks."""
        waiting = [machine for machine in self.machines if machine.waiting]
        self.random.shuffle(waiting)
        store(stores, *waiting[: self.random.randint(1, 3)])

    def send_all(self, stores: Stores) -> None:
        """Send what waits at all kiosks."""
        store(stores, *[machine for machine in self.machines if machine.waiting])

    def _pay(self, machine: Machine) -> None:
        number = self.random.choice(NUMBERS)
        service = self.partless if number.startswith("W") else "parking_citation"
        name = (machine.name, number)
        knew, kept = self.own.get(name, 0), self.held.get(name, 0)
        held = (Held(service, number, kept),) if kept else ()
        quote = machine.freeze(number, OWED[number], service=service, knew=knew, held=held)
        if not quote.due_minor or self.random.random() < 0.1:
            machine.commit(facts.SessionClosed("gave up"))
            return
        notes = [self.random.choice((500, 1000, 2000)) for _ in range(self.random.randint(1, 3))]
        machine.feed(*notes)
        settled = machine.settle(quote, sum(notes), held=held)
        self.own[name] = knew + sum(each.minor for each in settled.allocations)
        self.held[name] = sum(each.minor for each in settled.held)

    def _suspend(self, machine: Machine) -> None:
        machine.serial += 1
        value = Money(2000, "USD") if self.random.random() < 0.7 else None
        entry = entries.note_suspended(machine.city.chart, value) if value else None
        note = NoteId("notes", machine.serial) if value else None
        machine.commit(facts.NoteSuspended("notes", note, value, "power-up", entry), session="")

    def _dispute(self, machine: Machine) -> None:
        machine.serial += 1
        value, note = Money(1000, "USD"), NoteId("notes", machine.serial)
        entry = entries.note_disputed(machine.city.chart, value)
        machine.commit(facts.StackIntended(note, value))
        (seq,) = machine.commit(facts.NoteDisputed(note, value, "silence", entry))
        self.disputes.setdefault(machine.name, []).append((seq, entry))  # type: ignore[arg-type]

    def _change(self, machine: Machine) -> None:
        """A settlement owes, and a hopper pays some of it, none, or nobody knows."""
        chart, coin = machine.city.chart, Money(100, "USD")
        machine.commit(facts.HopperFilled("ones", coin, 5, "p02", entries.hopper_filled(chart, coin, 5)), session="")
        number = f"C-{machine.name}-{machine.seq}"
        machine.pay(number, 1700, 2000)
        seq = machine.seq - 3
        payout = f"1-{seq}-1"
        machine.commit(facts.PayoutIntended(payout, "ones", coin, 3, seq))
        machine.commit(facts.PayoutStarted(payout, "ones", ""))
        if self.random.random() < 0.6:
            paid = self.random.randint(0, 3)
            entry = entries.change_paid(chart, coin, paid)
            machine.commit(facts.PayoutEnded(payout, "ones", paid, 3 - paid, "done", entry))
            return
        machine.commit(facts.PayoutDisputed(payout, "ones", 1, 3, "x", entries.change_disputed(chart, coin, 1, 2)))
        if self.random.random() < 0.5:
            told = facts.PayoutResolved(payout, "ones", 1, 1, "p02", entries.change_resolved(chart, coin, 1, 1))
            machine.commit(told, session="")

    def _resolve(self, machine: Machine) -> None:
        open_ones = self.disputes.get(machine.name)
        if open_ones:
            seq, entry = open_ones.pop()
            machine.commit(facts.Reversed(1, seq, "it went back", entries.reversal(entry)))  # type: ignore[arg-type]

    def _exchange(self, machine: Machine) -> None:
        old, new = machine.box_session, machine.box_session + 1
        machine.commit(
            facts.DayClosed(old, "exchange", None, old, 1, machine.seq, "", "USD", facts.Period(), 0),
            facts.BoxExchanged("notes", old, new, f"B{old}", f"B{new}", f"S{new}", "p01", "p02"),
        )
        machine.box_session = new

    def _nonsense(self, machine: Machine) -> None:
        machine.stranger(b'{"version":1,"nonsense":true}')
