"""Who may talk to the hub, read whole from `office` whenever it changed, and looked up for every message.

A registry is a value: the reader thread makes a new one, the front's loop takes it between two messages.  Removing a
key ends no open connection (sync sheet §4), so this table, not the handshake, is what makes a revocation bite.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from kiosk.hub.front.server_keys import ServerKey, transport_keys
from kiosk.hub.revisions import current
from kiosk.hub.store.tables import code, kiosk, kiosk_key, revision

#: Subject under which the front tells which revision of `registry` it goes by.
SEEN = "registry_seen"
#: `worker` of a kiosk that was not approved yet.
NO_WORKER = -1


class Entry(msgspec.Struct, frozen=True):
    """A transport key and whose it is."""

    kiosk: str
    realm: str
    worker: int
    #: ``approved``, ``pending``, ``revoked``: may this key be used for the journal?
    standing: str
    #: Whether this is the key that a kiosk announced: its first use ends the old one.
    next: bool = False


class Code(msgspec.Struct, frozen=True):
    """A one-time code that nobody has used."""

    id: str
    secret: bytes
    expires_ns: int


class Registry(msgspec.Struct, frozen=True):
    """All transport keys ever told, the codes that are open, and the hub's own keys."""

    revision: int = 0
    keys: Mapping[str, Entry] = {}
    codes: Mapping[str, Code] = {}
    server: tuple[ServerKey, ...] = ()

    def admits(self, key: str) -> Entry | None:
        """Return whose key this is where it may be used for the journal."""
        found = self.keys.get(key)
        return found if found is not None and found.standing == "approved" else None


def load(connection: sa.Connection) -> Registry:
    """Read the registry within one transaction of `office`."""
    kiosks = {row.id: row for row in connection.execute(sa.select(kiosk))}
    keys: dict[str, Entry] = {}
    for row in connection.execute(sa.select(kiosk_key).where(kiosk_key.c.purpose == "transport")):
        owner = kiosks.get(row.kiosk)
        if owner is None:
            continue
        keys[row.key] = Entry(
            owner.id, owner.realm, owner.worker, _standing(owner.state, row.state), row.state == "next"
        )
    codes = {
        row.kiosk: Code(row.id, bytes.fromhex(row.secret), row.expires_ns)
        for row in connection.execute(sa.select(code).where(code.c.used_ns == 0).order_by(code.c.expires_ns))
    }
    return Registry(current(connection, "registry"), keys, codes, tuple(transport_keys(connection)))


def _standing(kiosk_state: str, key_state: str) -> str:
    if kiosk_state == "revoked" or key_state in ("retired", "revoked"):
        return "revoked"
    return "approved" if kiosk_state == "approved" and key_state in ("current", "next") else "pending"


def tell_seen(connection: sa.Connection, number: int) -> None:
    """Write which revision of the registry the front goes by, so that a revocation can be seen to bite."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(revision)
    connection.execute(
        insert.values(subject=SEEN, number=number).on_conflict_do_update(
            index_elements=["subject"], set_={"number": number}
        )
    )
