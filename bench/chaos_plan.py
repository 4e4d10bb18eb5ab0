"""What happens in one run of the campaign, drawn from its seed before it begins."""

from __future__ import annotations

import random

import msgspec

#: Parts of the hub that can be killed by themselves.
PARTS = ("front", "worker", "projector", "librarian")
#: What can happen to a line, and how long it lasts, milliseconds.
LINE_EVENTS = ("cut", "stall", "hold", "delay")
#: Seconds in which things happen; afterwards everything is mended and must come to rest.
ACTION_S = 6.0


class Event(msgspec.Struct, frozen=True, order=True):
    """One thing that happens."""

    at_s: float
    #: ``kill_sync``, ``kill_counter``, ``kill_part``, ``kill_hub``, ``cut`` …, ``hub_backup`` …
    kind: str
    #: Index of the kiosk, -1 where it is the hub's affair.
    kiosk: int
    #: Part of the hub, or "".
    part: str = ""
    lasts_s: float = 0.0


class Plan(msgspec.Struct, frozen=True):
    """One run: how many kiosks, how fast they write, and what happens to them."""

    seed: int
    kiosks: int
    #: Milliseconds between two commits of each kiosk's counter.
    pauses_ms: tuple[int, ...]
    #: Facts that each kiosk wrote before the hub came into being: its backlog.
    backlogs: tuple[int, ...]
    events: tuple[Event, ...]

    @property
    def kinds(self) -> frozenset[str]:
        """Which kinds of things happen."""
        return frozenset(event.kind for event in self.events)


def draw(seed: int) -> Plan:
    """Draw the plan of a seed; the same seed gives the same plan for ever."""
    chance = random.Random(f"chaos {seed}")
    kiosks = chance.choice((1, 1, 2, 2, 3))
    events: list[Event] = []
    for _ in range(chance.randint(3, 9)):
        at = chance.uniform(0.2, ACTION_S)
        kind = chance.choice(("line", "line", "line", "kill_sync", "kill_sync", "kill_counter", "kill_part",
                              "kill_part", "kill_hub"))  # fmt: skip
        if kind == "line":
            events.append(Event(at, chance.choice(LINE_EVENTS), chance.randrange(kiosks),
                                lasts_s=chance.uniform(0.1, 2.0)))  # fmt: skip
        elif kind == "kill_part":
            events.append(Event(at, kind, -1, chance.choice(PARTS)))
        elif kind == "kill_hub":
            events.append(Event(at, kind, -1))
        else:
            events.append(Event(at, kind, chance.randrange(kiosks)))
    # At most one thing of these in a run: each changes what "the same as on the kiosk" means.
    rare = chance.randrange(100)
    victim = chance.randrange(kiosks)
    first, second = chance.uniform(0.5, 2.0), chance.uniform(2.5, ACTION_S - 0.5)
    if rare < 20:
        events += [Event(first, "hub_backup", -1), Event(second, "hub_restore", -1)]
    elif rare < 35:
        events += [Event(first, "kiosk_backup", victim), Event(second, "kiosk_restore", victim)]
    elif rare < 45:
        events += [Event(first, "card_copied", victim), Event(second, "card_put_back", victim)]
    elif rare < 60:
        events += [Event(first, "card_copied", victim), Event(second, "clone_wakes", victim)]
    return Plan(
        seed,
        kiosks,
        tuple(chance.choice((2, 5, 20, 60)) for _ in range(kiosks)),
        tuple(chance.choice((0, 0, 40, 400)) for _ in range(kiosks)),
        tuple(sorted(events)),
    )
