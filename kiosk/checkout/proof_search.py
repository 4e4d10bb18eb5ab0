"""Walks every way through the table within one scope and holds each step against `proof_rules`."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from kiosk.checkout import proof_rules as rules
from kiosk.checkout.effects import AnyEffect, Raise, Record
from kiosk.checkout.events import DeadlinePassed
from kiosk.checkout.model import Checkout, Context, Flight, Job
from kiosk.checkout.proof_events import WORLD, Happening, Scope, happenings
from kiosk.checkout.proof_world import (
    ACCEPTOR,
    OTHER,
    USD,
    WITNESS,
    WITNESS_VALUE,
    World,
    canonical,
    committed,
    context,
)  # fmt: skip
from kiosk.checkout.states import State
from kiosk.checkout.table import step
from kiosk.model import device_events as d
from kiosk.model import facts


class Edge(msgspec.Struct, frozen=True):
    """One way from one world to another."""

    name: str
    actor: str
    to: int
    #: The commit holds a settlement and its slip, or the draft of one that waits for its change.
    settled: bool
    #: The commit holds a slip.
    slip: bool


class Search:
    """One scope, searched whole.  `broken` maps the name of a rule to examples of its breach."""

    def __init__(self, scope: Scope, *, limit: int = 200_000) -> None:
        self.scope = scope
        self.limit = limit
        self.worlds: list[World] = []
        self.ways: list[list[Edge]] = []
        self.broken: dict[str, list[str]] = {}
        self.rows: set[tuple[State, type]] = set()
        self.edges = 0
        self._places: dict[tuple[Any, ...], int] = {}
        self._came: list[tuple[int, str]] = []
        self._queue: deque[int] = deque()
        self._first = World(Checkout(currency=USD))
        self._context = context(self._first)

    def run(self) -> Search:
        """Search until nothing new is found."""
        self._place(World(Checkout(currency=USD)), -1, "start")
        while self._queue and len(self.worlds) < self.limit:
            at = self._queue.popleft()
            world = self.worlds[at]
            self._first, self._context = world, context(world)
            for happening in happenings(self.scope, world):
                self._take(at, world, happening)
            self._restart(at, world)
        return self

    @property
    def whole(self) -> bool:
        """Tell whether nothing is left to be tried."""
        return not self._queue

    def _place(self, world: World, came: int, name: str) -> int:
        key = world.key
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = len(self.worlds)
            self.worlds.append(world)
            self.ways.append([])
            self._came.append((came, name))
            self._queue.append(found)
        return found

    def way(self, at: int) -> str:
        """Return what led to a world."""
        told: list[str] = []
        while at >= 0:
            at, name = self._came[at]
            told.append(name)
        return " > ".join(told[::-1])

    def blame(self, rule: str, at: int, name: str = "", detail: str = "") -> None:
        found = self.broken.setdefault(rule, [])
        if len(found) < 3:
            found.append(f"{self.way(at)} > {name} {detail}".rstrip())

    # --- one event ----------------------------------------------------------------------------------------

    def _take(self, at: int, first: World, happening: Happening) -> None:
        """Take an event and the internal ones it raises; the power may fail between their commits."""
        world, pending, effects = first, [happening.event], []
        note = happening.event.note if isinstance(happening.event, d.NoteEscrowed) else None
        if note == WITNESS and world.witness == "":
            world = msgspec.structs.replace(world, witness="seen", owner="now" if world.model.session else "")
        if happening.refused_notes:
            model = msgspec.structs.replace(world.model, refused_notes=happening.refused_notes)
            world = msgspec.structs.replace(world, model=model)
        while pending:
            event = pending.pop(0)
            taken = self._step(at, world, happening, event)
            if taken is None:
                if event is happening.event:
                    return
                break  # refused and recorded; what was committed before stands
            world, told = taken
            effects += told
            if world is first and not effects:
                return  # known and without effect
            pending = [effect.event for effect in told if isinstance(effect, Raise)] + pending
            if pending:
                self._restart(at, canonical(world, paper=self.scope.paper, before=first.model.session))
        after = canonical(world, paper=self.scope.paper, before=first.model.session)
        bodies = [body for effect in effects if isinstance(effect, Record) for body in effect.bodies]
        for rule in rules.of_item(first, after, bodies):
            self.blame(rule, at, happening.name)
        kinds = {type(body) for body in bodies}
        slip = facts.ReceiptIssued in kinds
        to = self._place(after, at, happening.name)
        settled = facts.Settled in kinds and (slip or facts.ReceiptDeferred in kinds)
        self.ways[at].append(Edge(happening.name, happening.actor, to, settled, slip))
        self.edges += 1

    def _step(self, at: int, world: World, happening: Happening, event: Any) -> tuple[World, list[AnyEffect]] | None:
        model, before = world.model, world
        if isinstance(event, DeadlinePassed):
            model = msgspec.structs.replace(model, deadline_ns=None)  # as the kernel does
        row = (model.state, type(event))
        try:
            taken = step(model, event, self._lent(world, happening))
        except Exception as error:  # noqa: BLE001  whatever it is, it is a breach that the page names
            self.blame(rules.NO_ERROR, at, happening.name, repr(error))
            return None
        if taken is None:
            return None
        self.rows.add(row)
        after, effects = taken
        for rule in rules.of_step(before, after, event, effects):
            self.blame(rule, at, happening.name)
        for effect in effects:
            if isinstance(effect, Record):
                for rule in rules.of_commit(before, after, effect):
                    self.blame(rule, at, happening.name)
                world = committed(world, effect.bodies)
        if after is model and not effects:
            return world, effects
        return msgspec.structs.replace(world, model=after), effects

    def _lent(self, world: World, happening: Happening) -> Context:
        if world is self._first and happening.ready and not happening.risen and happening.device == ACCEPTOR:
            return self._context
        return context(world, ready=happening.ready, risen=happening.risen, device=happening.device)

    # --- the power fails ----------------------------------------------------------------------------------

    def _restart(self, at: int, world: World) -> None:
        """The core dies and comes back; the books know what was committed and nothing else."""
        for after in restarted(world):
            to = self._place(canonical(after, paper=self.scope.paper, before=world.model.session), at, "power cut")
            self.ways[at].append(Edge("power cut", WORLD, to, settled=False, slip=False))
            self.edges += 1


def restarted(world: World) -> list[World]:
    """Return the worlds that a start may make of this one; a test holds it against the core's own recovery."""
    m = world.model
    flights: list[Flight | None] = []
    for note, outcome in ((WITNESS, world.witness), (OTHER, world.other)):
        if outcome in ("intended", "returning"):
            moving = m.flight is not None and m.flight.note == note
            value = m.flight.value if m.flight is not None and moving else WITNESS_VALUE
            came = m.flight.session if m.flight is not None and moving else world.owner
            phase = "stacking" if outcome == "intended" else "returning"
            flights.append(Flight(note, value, phase, m.frozen and came == "now"))
    # The books know one open note at most, the last one: which of two it is, is tried both ways.
    again = [_again(world, flight) for flight in flights or [None]]
    if m.dispensing is None:
        return again
    return [_dispensing(each, world, printed) for each in again for printed in (True, False)]


def _dispensing(after: World, before: World, printed: bool) -> World:
    """A slip waits for its change: it is waited for again, by whoever may be in front, long after by nobody."""
    m = before.model
    assert m.dispensing is not None
    phases = dict(before.payouts)
    payouts = tuple(
        msgspec.structs.replace(
            each, phase="ended" if phases.get(each.device, "ended") == "disputed" else phases.get(each.device, "ended"),
            paid=each.paid if each.phase == "ended" else 0,
        )
        for each in m.dispensing.payouts
    )  # fmt: skip
    change = msgspec.structs.replace(m.dispensing, payouts=payouts, printed=printed)
    model = msgspec.structs.replace(
        after.model, state=State.DISPENSING, session=m.session, dispensing=change, deadline_ns=1
    )
    return msgspec.structs.replace(after, model=model)


def _again(world: World, flight: Flight | None) -> World:
    m = world.model
    witness = "" if world.witness == "seen" else world.witness
    other = world.other if flight is not None and flight.note == OTHER else ""
    world = msgspec.structs.replace(world, witness=witness, other=other)
    # Of these no byte had left: they print again.  What was in print is unknown for ever.
    waiting = tuple(
        Job(job.number, 0, job.job, "queued") for job in m.jobs if job.state in ("queued", "held") and job.number != 9
    )
    slips = tuple(job.number for job in reversed(waiting))
    model = Checkout(currency=USD, flight=flight, jobs=waiting, slips=slips)
    again = msgspec.structs.replace(
        model, state=State.RESUMING, session=m.session, frozen=True, cart=m.cart, due_minor=m.due_minor,
        credited=m.credited, deadline_ns=1,
    )  # fmt: skip
    if not m.frozen or (not again.settles and again.own_flight is None):
        if slips:
            model = msgspec.structs.replace(model, state=State.RECEIPTING, deadline_ns=1)
        return msgspec.structs.replace(world, model=model)
    if again.remaining_minor == 0 and again.own_flight is None:
        again = msgspec.structs.replace(again, state=State.SETTLING, deadline_ns=None)
    return msgspec.structs.replace(world, model=again)
