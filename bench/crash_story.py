"""What a run of `make crash` is of: a story with its events, and what it came to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from bench.crash_core import Plan, Setting

if TYPE_CHECKING:
    from bench.crash_world import World


class Event(msgspec.Struct, frozen=True):
    """Something that happens to the devices once: when its condition holds, or a while after another one."""

    name: str
    do: Callable[[World], object]
    when: Callable[[World], bool] | None = None
    #: Name of the event before, and milliseconds after it.
    after: str = ""
    delay_ms: int = 0


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What the citizen wants and what goes wrong."""

    name: str
    labels: tuple[str, ...]
    wallet: tuple[int, ...]
    #: Answer to a note above what is due; None: none at all.
    agree: bool | None = True
    #: Touch Finish after so many inserted notes; None: when the wallet is empty.
    finish_after: int | None = None
    #: Touch Cancel at this screen.
    cancel_at: str = ""
    #: Walk away when the wallet is empty instead of touching Finish.
    walk_away: bool = False
    #: After an interruption: go on paying, or finish.
    keep_paying: bool = True
    events: tuple[Event, ...] = ()
    #: A dispute is a right outcome here, because the wire really cannot tell.
    may_dispute: bool = False
    #: A second visit with the same labels and this wallet, once the first is over.
    again: tuple[int, ...] = ()
    #: What people who work here do once the citizen has left: ``exchange``, ``abandon``, ``close`` or ``count``.
    duty: str = ""
    setting: Setting = Setting()
    #: What the journal must tell besides: the name of a check of `crash_staff`.
    custody: str = ""
    #: Protocol whose units can do this; "" for all.
    only: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """What a run came to."""

    scenario: str
    plan: Plan
    kills: int
    box_minor: int
    credited_minor: int
    suspended_minor: int
    disputed_minor: int
    receipts: int
    effects: int
    bytes: int
    differences: tuple[str, ...] = ()
