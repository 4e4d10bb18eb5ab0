"""What a worker knows of the registry: which kiosks are pinned to it, and their journal keys.

The front checks the transport key of every message; a worker only asks which journal keys an operator approved.
Read whole whenever the revision of `registry` changed.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import sqlalchemy as sa

from kiosk.errors import StoreError
from kiosk.hub.front.server_keys import next_key
from kiosk.hub.ingest.known import RegisteredKey
from kiosk.hub.revisions import current
from kiosk.hub.store.tables import kiosk, kiosk_key
from kiosk.journal.keys import SigningKey

#: Nanoseconds between two looks at the revision.
LOOK_NS = 200_000_000


class Registered(msgspec.Struct, frozen=True):
    """One kiosk as an operator approved it."""

    realm: str
    state: str
    worker: int
    #: Journal keys by their hexadecimal text; those that are pending or revoked are not among them.
    keys: Mapping[str, RegisteredKey]


class Registrations:
    """The registry as of its newest revision, read by one worker."""

    def __init__(self, office: sa.Engine, hub: str, signing: SigningKey) -> None:
        self._office = office
        self._hub = hub
        self._signing = signing
        self._revision = -1
        self._looked_ns = 0
        self._kiosks: dict[str, Registered] = {}
        #: The last three fields of WELCOME: key, endpoint and signature of the hub's next key.
        self.next_key: tuple[str, str, bytes] = ("", "", b"")

    def look(self, now_ns: int) -> None:
        """Read the registry again where it changed; the database is asked at most five times a second.

        Raises:
            StoreError: the database cannot be read.
        """
        if 0 <= now_ns - self._looked_ns < LOOK_NS and self._revision >= 0:
            return
        try:
            with self._office.begin() as connection:
                number = current(connection, "registry")
                if number != self._revision:
                    self._kiosks = _read(connection)
                    self.next_key = next_key(connection, self._hub, self._signing)
                    self._revision = number
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(f"the registry cannot be read: {str(error)[:200]}", transient=True) from error
        self._looked_ns = now_ns

    def find(self, name: str, now_ns: int) -> Registered | None:
        """Return a kiosk; one that is not known is looked up at once, because somebody may just have approved it."""
        self.look(now_ns)
        if name not in self._kiosks:
            self._looked_ns = 0
            self.look(now_ns)
        return self._kiosks.get(name)


def _read(connection: sa.Connection) -> dict[str, Registered]:
    keys: dict[str, dict[str, RegisteredKey]] = {}
    usable = sa.select(kiosk_key).where(
        kiosk_key.c.purpose == "journal", kiosk_key.c.state.in_(("current", "next", "retired"))
    )
    for row in connection.execute(usable):
        keys.setdefault(row.kiosk, {})[row.key.lower()] = RegisteredKey(row.epoch, row.state)
    return {
        row.id: Registered(row.realm, row.state, row.worker, keys.get(row.id, {}))
        for row in connection.execute(sa.select(kiosk))
    }
