"""What is alarming now, and when an alert begins and ends.  Pure: rows and the time come in, decisions go out.

Each thing that can be alarming is an *event* with a stable name.  A look says of an event that it stands, that it is
over, or that nobody knows: a kiosk that is silent has neither paper nor no paper, so its alerts stay as they are.  An
event is raised once, and is over when it was away for `HOLD_NS` on end, so that a sensor that trembles tells once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from kiosk.hub.settings import Alerts
from kiosk.model.instant import NS

#: How long an event must be away before it is over.
HOLD_NS = 15 * NS
#: Alarms of a STATUS that tell of the box.
BOX_ALARMS = ("cashbox_removed", "cashbox_unattended", "cashbox_unwatched", "exchange_abandoned")
#: Findings that say that a journal has two truths: code -> kind of alert.
JOURNAL_FINDINGS = {
    "fork": "journal_fork", "ahead_differs": "journal_fork", "cloned": "journal_clone", "epoch_ended": "journal_clone",
    "epoch_cuts_facts": "journal_clone",
}  # fmt: skip
#: Kind -> what happened, and what to do.
WORDS = {
    "paper_out": ("the printer is out of paper", "Put in paper. Until then receipts are shown on the screen only."),
    "stacker_full": ("the stacker is full", "Exchange the cash box: two people. No note is taken until then."),
    "box_removed": ("the cash box is not where it should be", "Go there, two people; count the box that was out."),
    "silence": ("no sign of life", "Look at its power and network. It works on without the hub; money is safe there."),
    "backlog": ("its facts do not arrive", "Look at its network. Do not reset the kiosk: what it holds is only there."),
    "journal_fork": ("its journal has two truths", "Do not restart it. Open the finding; keep both; call who audits."),
    "journal_clone": ("two machines speak as this kiosk", "Find the second card or machine; revoke and enrol anew."),
}  # fmt: skip


class Condition(msgspec.Struct, frozen=True):
    """Something alarming that stands now."""

    #: Its name, the same as long as it stands: ``KIND:KIOSK`` or ``finding:ID``.
    event: str
    kind: str
    kiosk: str
    #: What exactly, for a person; "" where the kind says all.
    detail: str
    since_ns: int


class View(msgspec.Struct, frozen=True):
    """One look at everything."""

    standing: Mapping[str, Condition]
    #: Events of which nobody knows now.
    unknown: frozenset[str]


class Contact(msgspec.Struct, frozen=True):
    """What of a contact the alerts need."""

    kiosk: str
    seen_ns: int
    paper: str
    stacker_permille: int
    unsynced: int
    oldest_unsynced_ns: int
    alarms: tuple[str, ...]


def look(
    contacts: Iterable[Contact], findings: Iterable[Any], settings: Alerts, now_ns: int, started_ns: int
) -> View:
    """Return what is alarming.

    `findings` have id, code, kiosk, detail and first_ns, and are those that nobody acknowledged.  For the first
    `silence_s` after `started_ns` nobody is found silent: the hub itself may have been away.
    """
    standing: dict[str, Condition] = {}
    unknown: set[str] = set()
    limit = settings.silence_s * NS
    for one in contacts:
        told: dict[str, tuple[str, int] | None] = {}
        if now_ns - one.seen_ns > limit:
            unknown |= {f"{kind}:{one.kiosk}" for kind in ("paper_out", "stacker_full", "box_removed", "backlog")}
            if now_ns - started_ns <= limit:
                unknown.add(f"silence:{one.kiosk}")
            else:
                told["silence"] = ("", one.seen_ns)
        else:
            alarms = [alarm.replace("_", " ") for alarm in one.alarms if alarm in BOX_ALARMS]
            late = one.unsynced > 0 and 0 < one.oldest_unsynced_ns < now_ns - settings.backlog_minutes * 60 * NS
            told["paper_out"] = ("", now_ns) if one.paper == "out" else None
            told["stacker_full"] = ("", now_ns) if one.stacker_permille >= 1000 else None
            told["box_removed"] = (", ".join(alarms), now_ns) if alarms else None
            told["backlog"] = (f"{one.unsynced} facts", one.oldest_unsynced_ns) if late else None
            if one.paper not in ("plenty", "low", "out"):
                unknown.add(f"paper_out:{one.kiosk}")
            if one.stacker_permille < 0:
                unknown.add(f"stacker_full:{one.kiosk}")
        for kind, found in told.items():
            if found is not None:
                event = f"{kind}:{one.kiosk}"
                standing[event] = Condition(event, kind, one.kiosk, *found)
    for row in findings:
        event = f"finding:{row.id}"
        kind = JOURNAL_FINDINGS[row.code]
        standing[event] = Condition(event, kind, row.kiosk, f"finding {row.id}: {row.detail}", row.first_ns)
    return View(standing, frozenset(unknown))


class Watch:
    """Decides what to raise and what is over.  Remembers since when an event is away; what stands is in the table."""

    def __init__(self) -> None:
        self._away: dict[str, int] = {}

    def step(self, raised: Iterable[str], view: View, now_ns: int) -> tuple[list[Condition], list[str]]:
        """Return what begins and the names of what is over, given the names of all alerts that stand."""
        stands = set(raised)
        over: list[str] = []
        self._away = {event: since for event, since in self._away.items() if event in stands}
        for event in sorted(stands):
            if event in view.standing or event in view.unknown:
                self._away.pop(event, None)
            elif now_ns - self._away.setdefault(event, now_ns) >= HOLD_NS:
                over.append(event)
                del self._away[event]
        return [view.standing[event] for event in sorted(view.standing) if event not in stands], over
