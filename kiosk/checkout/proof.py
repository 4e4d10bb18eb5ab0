"""Proves the checkout by trying everything: `python -m kiosk.checkout.proof > docs/proof.md`.

The real table is walked breadth-first through all worlds that can be reached (`proof_world`, `proof_events`,
`proof_search`), every commit and every state is held against the rules, and on the whole graph it is shown that

* from every state with credit a citizen reaches a settlement with a slip by own acts alone.  The one thing that
  nobody can skip is a note that is moving: the way has to go on however that note ends, and if it never ends;
* from every state with credit time alone gets there, with devices and people silent;
* from everywhere with change on its way time alone reaches the slip, and from everywhere a kiosk at rest.

The page is never written by hand; a test holds it against a fresh proof.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from kiosk.checkout import proof_rules as rules
from kiosk.checkout.proof_events import CITIZEN, NOTE_ENDS, SCOPES, TIME, Scope
from kiosk.checkout.proof_search import Search
from kiosk.checkout.proof_world import World
from kiosk.checkout.states import WITHOUT_DEADLINE, State
from kiosk.checkout.table import TRANSITIONS

#: Longer than any way may be: a way that time does not end by then goes round in a circle.
LONGEST = 16


class Proof:
    """All scopes, searched and judged."""

    def __init__(self, scopes: tuple[Scope, ...] = SCOPES, *, limit: int = 200_000) -> None:
        self.searches = [Search(scope, limit=limit) for scope in scopes]
        #: By state: how many worlds with credit, the longest of the citizen's shortest ways, and of time's.
        self.citizens: dict[State, list[tuple[str, ...]]] = {}
        self.times: dict[State, list[tuple[str, ...]]] = {}

    def run(self) -> Proof:
        """Search all scopes and look for the ways out."""
        for search in self.searches:
            search.run()
            if search.whole:
                self._time(search)
                self._citizen(search)
        return self

    @property
    def broken(self) -> dict[str, list[str]]:
        """Examples of breaches by rule; empty where the proof holds."""
        found: dict[str, list[str]] = {}
        for search in self.searches:
            for rule, examples in search.broken.items():
                found.setdefault(rule, []).extend(examples)
        return found

    @property
    def rows(self) -> set[tuple[State, type]]:
        """Rows of the table that were taken."""
        return {row for search in self.searches for row in search.rows}

    # --- time alone ---------------------------------------------------------------------------------------

    def _time(self, search: Search) -> None:
        for at, world in enumerate(search.worlds):
            model = world.model
            steps, settled, slip, rests = self._pass(search, at)
            if not rests:
                search.blame(rules.REST, at)
            if model.dispensing is not None and not any(e.actor == TIME and e.slip for e in search.ways[at]):
                search.blame(rules.BY_CHANGE, at)
            if model.settles:
                self.times.setdefault(model.state, []).append(steps)
                if not settled:
                    search.blame(rules.BY_TIME, at)
            elif model.own_flight is not None and not slip:
                search.blame(rules.MOTION, at)

    def _pass(self, search: Search, at: int) -> tuple[tuple[str, ...], bool, bool, bool]:
        """Let only time pass: the states on the way to the end of the payment, and what came of it."""
        steps: list[str] = []
        settled = slip = False
        paying = search.worlds[at].model.frozen
        for _ in range(LONGEST):
            world = search.worlds[at]
            edge = next((edge for edge in search.ways[at] if edge.actor == TIME), None)
            if edge is None:
                rests = world.model.state in WITHOUT_DEADLINE and not world.model.session
                return tuple(steps), settled, slip, rests
            if paying:
                settled, slip = settled or edge.settled, slip or edge.slip
                paying = search.worlds[edge.to].model.frozen
                steps.append(f"*{search.worlds[edge.to].model.state}*" if not edge.settled else "settled")
            at = edge.to
        return tuple(steps), settled, slip, False

    # --- the citizen's own acts ---------------------------------------------------------------------------

    def _citizen(self, search: Search) -> None:
        """Find each world's shortest way, from the end: a moving note must leave one however it ends."""
        open_ones = [at for at, world in enumerate(search.worlds) if world.model.settles]
        solved: dict[int, tuple[str, ...]] = {}
        for _ in range(LONGEST):
            found: dict[int, tuple[str, ...]] = {}
            for at in open_ones:
                way = self._next(search, at, solved)
                if way is not None:
                    found[at] = way
            solved.update(found)
            open_ones = [at for at in open_ones if at not in found]
            if not found or not open_ones:
                break
        for at in open_ones:
            search.blame(rules.BY_CITIZEN, at)
        for at, way in solved.items():
            self.citizens.setdefault(search.worlds[at].model.state, []).append(way)

    def _next(self, search: Search, at: int, solved: dict[int, tuple[str, ...]]) -> tuple[str, ...] | None:
        ways = search.ways[at]
        for edge in ways:
            if edge.actor == CITIZEN and edge.settled:
                return (edge.name,)
        if search.worlds[at].model.state is State.SETTLING:
            return ("(settled at once)",)
        for edge in ways:
            if edge.actor == CITIZEN and edge.to in solved:
                return (edge.name, *solved[edge.to])
        if not moving(search.worlds[at]):
            return None
        ends = [edge for edge in ways if edge.actor in (NOTE_ENDS, TIME)]
        rest = [() if edge.settled else solved.get(edge.to) for edge in ends]
        if not rest or any(way is None for way in rest):
            return None
        return ("(the note ends, or its time)", *max((way for way in rest if way is not None), key=len))


def moving(world: World) -> bool:
    """Tell whether a note of this payment is on its way in or out, so that nobody can do anything but wait for it."""
    flight = world.model.own_flight
    return flight is not None and flight.phase in ("stacking", "returning")


# --- the page ---------------------------------------------------------------------------------------------------

_HEAD = """# The checkout, proven by trying everything

<!-- Written by `python -m kiosk.checkout.proof`; do not edit. -->

`kiosk/checkout/proof.py` walks the real table (`kiosk/checkout/table.py`) breadth-first through every state that can be
reached: every act of a citizen and of staff, every event of every device, whether it makes sense or not, failing
service, passing deadlines, and a power cut between any two commits. Tariff and ledger are the real ones, too.

To be finite, the world around the table is small, without losing anything that a rule can see:

- Time is a deadline that is set or not. It passes only where one is set.
- Session names are *now* and *before*; numbers of steps, facts and slips count from the same value in every step.
- A rule looks at the note of its event and at the note in motion, never at a third. So one note, the *witness*, is
  followed through its life and beyond it, and all others from escrow to the end of their motion. Every note of every
  history is the witness of some path.
- Notes are 5, 10 and 20; invoices are 5 (part payment allowed), 10 (part payment refused; nothing, half or all of it
  held from before), 5 (no excess taken) and 10 (change given). The first two together are a cart of 15.
- Hoppers are two, one coin of 10 and two of 5. A payout is called by its hopper, which takes no second one before the
  first is over and clear; two ids more stand for all whose end is known and for all that nobody intended.
- Credit is a set of notes; what lies above "enough" is cut. Outside of a payment no rule reads cart or credit.
- Print jobs: two that wait or print, one that ended, one of staff. A held job is as good as a queued one.
- The search is cut into scopes, each searched whole. What one leaves out another tries.
"""


def page(proof: Proof) -> str:
    """Return the whole page as Markdown."""
    return "\n".join((_HEAD, *_scopes(proof), "", *_rules(proof), "", *_ways(proof))).rstrip("\n") + "\n"


def _scopes(proof: Proof) -> Iterator[str]:
    yield "## What was tried\n"
    yield "| scope | tries | states | ways |"
    yield "|---|---|---:|---:|"
    for search in proof.searches:
        yield f"| {search.scope.name} | {search.scope.told} | {len(search.worlds):,} | {search.edges:,} |"
    states, edges = (sum(numbers) for numbers in zip(*((len(s.worlds), s.edges) for s in proof.searches), strict=True))
    yield f"| **all** | {len(proof.rows)} of {len(TRANSITIONS)} rows of the table | **{states:,}** | **{edges:,}** |"


def _rules(proof: Proof) -> Iterator[str]:
    yield "## What holds in all of them\n"
    yield "| rule | |"
    yield "|---|---|"
    for rule in rules.RULES:
        examples = proof.broken.get(rule, [])
        yield f"| {rule} | {'**broken**: ' + examples[0] if examples else 'holds'} |"


def _ways(proof: Proof) -> Iterator[str]:
    yield "## The ways out, with credit on the table\n"
    yield (
        "For each state with credit (or with held money that pays everything): how many worlds there are, and the\n"
        "longest of their shortest ways to a settlement with a slip. The citizen's way has to work however a moving\n"
        "note ends.\n"
    )
    yield "| state | worlds | the citizen's own acts | time alone |"
    yield "|---|---:|---|---|"
    for state in State:
        ways, times = proof.citizens.get(state, []), proof.times.get(state, [])
        if not times:
            continue
        longest = max(ways, key=lambda way: (len(way), way), default=("none",))
        slowest = max(times, key=lambda way: (len(way), way))
        yield f"| {state} | {len(times):,} | {' → '.join(longest)} | {' → '.join(slowest)} |"
    none = [str(state) for state in State if state not in proof.times]
    yield f"\nNo credit is ever on the table in: {', '.join(none)}."


if __name__ == "__main__":
    sys.stdout.write(page(Proof().run()))
