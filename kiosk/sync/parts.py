"""What kiosk-sync is made of: the doors to core and replica as it needs them, and its settings in one place."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from kiosk.errors import KioskError
from kiosk.sync.hubs import GIVE_WAY_NS, LOOK_BACK_NS
from kiosk.sync.messages import DataCursor, Message
from kiosk.sync.orders import CoreDoor
from kiosk.sync.settings import SyncSettings

T = TypeVar("T")


class Core(CoreDoor, Protocol):
    """The way to the core (`sync.corelink.CoreLink`); `state` is a `CoreState`, or None while it does not answer."""

    def state(self) -> Any: ...
    def adopt(self, name: str) -> None: ...


class Feed(Protocol):
    """The reference data (`sync.replica_feed.ReplicaFeed`); it holds the writer's lock of sync.db."""

    troubles: dict[str, str]

    def connected(self, hub: str, signing_key: str) -> None: ...
    def cursors(self, hub: str = "") -> tuple[DataCursor, ...]: ...
    def wants(self, now_ns: int) -> list[Message]: ...
    def received(self, message: Message, now_ns: int) -> list[Message]: ...
    def close(self) -> None: ...


class AbsentFeed:
    """Stands where the reference data cannot be used: facts go up all the same, and STATUS says what is wrong."""

    def __init__(self, why: str) -> None:
        self.troubles = {"replica": why}

    def connected(self, hub: str, signing_key: str) -> None:
        """Nobody waits for a connection."""

    def cursors(self, hub: str = "") -> tuple[DataCursor, ...]:
        """Return that nothing is here."""
        return ()

    def wants(self, now_ns: int) -> list[Message]:
        """Return nothing: there is nowhere to put it."""
        return []

    def received(self, message: Message, now_ns: int) -> list[Message]:
        """Take nothing."""
        return []

    def close(self) -> None:
        """There is nothing to close."""


class GuardedFeed:
    """The reference data, kept from doing harm: what goes wrong there is told, and keeps no fact from going up."""

    def __init__(self, feed: Feed, note: Callable[[str, str], None]) -> None:
        self._feed, self._note = feed, note

    @property
    def troubles(self) -> list[str]:
        """Names of what is wrong, for the alarms."""
        return sorted(self._feed.troubles)

    def connected(self, hub: str, signing_key: str) -> None:
        """Begin a connection to a hub."""
        self._try(lambda: self._feed.connected(hub, signing_key), None)

    def cursors(self, hub: str) -> tuple[DataCursor, ...]:
        """Return how far everything of a hub's is here."""
        return self._try(lambda: self._feed.cursors(hub), ())

    def wants(self, now_ns: int) -> list[Message]:
        """Return what to ask for now."""
        return self._try(lambda: self._feed.wants(now_ns), [])

    def received(self, message: Message, now_ns: int) -> list[Message]:
        """Take a message; return what to send next."""
        return self._try(lambda: self._feed.received(message, now_ns), [])

    def _try(self, act: Callable[[], T], otherwise: T) -> T:
        try:
            return act()
        except (KioskError, sqlite3.Error) as error:
            self._note("replica", str(error))
            return otherwise


class SyncParts(msgspec.Struct, frozen=True, kw_only=True):
    """What the service is made of; `app.syncing` puts it together."""

    kiosk: str
    #: The realm whose journal goes to the hub.
    realm: str
    software: str
    state: Path
    runtime: Path
    journal: Path
    #: sync.db; None where it cannot be used: what is known of the hubs then lasts until the end of the process.
    replica: Path | None
    settings: SyncSettings
    core: Core
    feed: Feed
    #: How long an unreachable hub is waited for, and how often the first one is looked for.
    give_way_ns: int = GIVE_WAY_NS
    look_back_ns: int = LOOK_BACK_NS
