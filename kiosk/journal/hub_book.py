"""The hub in a journal: it acts in its own name, only by its commands, and each command once.

A hub writes no fact but its commands and the shutter that one of them closed or opened; a command that waited ends
once, as it began.
"""

from __future__ import annotations

import msgspec

from kiosk.journal.commits import Commit, Report, Told, found
from kiosk.model.facts import HubCommanded, PackAdopted, PeopleAdopted, ShutterChanged

_HUB = "hub:"
_OUTCOMES = ("done", "waiting", "refused")


class HubBook:
    """Holds what a hub did against its commands."""

    def __init__(self, report: Report) -> None:
        self._report = report
        #: The last fact of each command.
        self._commands: dict[str, HubCommanded] = {}

    def take(self, commit: Commit) -> None:
        """Take the next commit."""
        orders = [told.body for told in commit if isinstance(told.body, HubCommanded)]
        for told in commit:
            body, actor = told.body, told.fact.stamp.actor
            if isinstance(body, HubCommanded):
                self._command(told, body)
            elif isinstance(body, ShutterChanged) and body.by.startswith(_HUB):
                asked = ("shutter", "closed" if body.closed else "open", "done", body.by)
                if asked not in [(each.command, each.argument, each.outcome, _HUB + each.hub) for each in orders]:
                    found(self._report, "hub_unasked", told, "the shutter moved in a hub's name without its command")
                if actor != body.by:
                    found(self._report, "actor_differs", told, f"{actor} acted, the fact names {body.by}")
            elif actor.startswith(_HUB):
                found(self._report, "hub_unasked", told, "a hub's name stands on what no hub can do")
            if isinstance(body, PeopleAdopted | PackAdopted) and actor != "kiosk":
                found(self._report, "actor_differs", told, "a kiosk adopts by itself")

    def end(self) -> None:
        """A command may still wait at the end of a journal."""

    def _command(self, told: Told, body: HubCommanded) -> None:
        actor = told.fact.stamp.actor
        if actor != _HUB + body.hub:
            found(self._report, "actor_differs", told, f"{actor} acted, the fact names {_HUB}{body.hub}")
        before = self._commands.get(body.id)
        same = before is not None and msgspec.structs.replace(before, outcome=body.outcome, detail=body.detail) == body
        if before is not None and (before.outcome != "waiting" or not same or body.outcome == "waiting"):
            found(self._report, "command_twice", told, f"the hub's command {body.id} was carried out before")
        if body.outcome not in _OUTCOMES:
            found(self._report, "command_twice", told, f"a command cannot end as {body.outcome[:20]!r}")
        self._commands[body.id] = body
