"""Draws the checkout's page from its table: `python -m kiosk.checkout.diagram > docs/checkout.md`.

The page is never written by hand; a test holds it against the table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from inspect import getdoc

from kiosk.checkout.events import KernelEvent
from kiosk.checkout.intents import Intent
from kiosk.checkout.settings import PERIOD_OF, Periods
from kiosk.checkout.states import WITHOUT_DEADLINE, State
from kiosk.checkout.table import TRANSITIONS, Row

_HEAD = """# The checkout, drawn from its table

<!-- Written by `python -m kiosk.checkout.diagram`; do not edit. -->

Devices and money meet in one table, `kiosk/checkout/table.py`: (state, event) → rule. An event without a row is
refused and recorded. A rule may only lead to the states that its row names. Events are marked by where they come
from: a person (✋), a device (⚙) or the kernel (⏱).
"""


def page() -> str:
    """Return the whole page as Markdown."""
    return "\n".join((_HEAD, *_diagram(), "", *_waits(), "", *_everywhere(), "", *_states()))


def _origin(event: type) -> str:
    return "✋" if issubclass(event, Intent) else "⏱" if issubclass(event, KernelEvent) else "⚙"


def _name(event: type) -> str:
    return f"{_origin(event)} {event.__name__}"


def _told(row: Row) -> str:
    """First sentence of the rule's own words."""
    told = " ".join((getdoc(row.call) or "").split("\n\n")[0].split())
    return told.replace("|", "\\|")


def _shared() -> dict[type, Row]:
    """Rows that are one rule in every state."""
    events = dict.fromkeys(event for _, event in TRANSITIONS)
    found = {}
    for event in events:
        rows = [TRANSITIONS.get((state, event)) for state in State]
        if rows[0] is not None and all(row is not None and row.call is rows[0].call for row in rows):
            found[event] = rows[0]
    return found


def _diagram() -> Iterator[str]:
    yield "## Ways\n"
    yield "Rows that hold in every state are left out here and listed below.\n"
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"  [*] --> {State.IDLE}"
    shared = _shared()
    ways: dict[tuple[State, State], list[str]] = {}
    for (state, event), row in TRANSITIONS.items():
        if event in shared:
            continue
        for target in row.to:
            if target is not state:
                ways.setdefault((state, target), []).append(event.__name__)
    order = list(State)
    for (state, target), events in sorted(
        ways.items(), key=lambda way: (order.index(way[0][0]), order.index(way[0][1]))
    ):
        yield f"  {state} --> {target}: {', '.join(sorted(set(events)))}"
    yield "```"


def _waits() -> Iterator[str]:
    yield "## How long each state waits\n"
    yield "| state | period of `[checkout.periods]` | default, s | without a deadline because |"
    yield "|---|---|---|---|"
    for state in State:
        period = PERIOD_OF.get(state)
        if period is None:
            yield f"| {state} | | | {WITHOUT_DEADLINE[state]} |"
        else:
            yield f"| {state} | `{period}` | {getattr(Periods(), period)} | |"


def _everywhere() -> Iterator[str]:
    yield "## In every state\n"
    yield "| event | rule | may lead to |"
    yield "|---|---|---|"
    for event, row in _shared().items():
        ends = sorted({target for state in State for target in TRANSITIONS[state, event].to if target is not state})
        whole = set(State)
        yield f"| {_name(event)} | {_told(row)} | {', '.join(ends) if set(ends) != whole else '(stays)'} |"


def _states() -> Iterator[str]:
    shared = _shared()
    for state in State:
        yield f"## {state}\n"
        yield "| event | rule | may lead to |"
        yield "|---|---|---|"
        for (at, event), row in TRANSITIONS.items():
            if at is state and event not in shared:
                ends = sorted(target for target in row.to if target is not state)
                yield f"| {_name(event)} | {_told(row)} | {', '.join(ends) or '(stays)'} |"
        yield ""


if __name__ == "__main__":
    sys.stdout.write(page().rstrip("\n") + "\n")
