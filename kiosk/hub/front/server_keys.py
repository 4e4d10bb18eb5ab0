"""The hub's own keys: CURVE pairs that answer kiosks, and the Ed25519 key that signs for the hub.

Secrets are files in ``<state>/keys``, mode 0600, made on this machine.  The table `server_key` says which public half
is in which state; a `current` key without its file stops the front.  A hub changes its CURVE key in three steps: the
next one is made and bound on an endpoint of its own beside the current one; every WELCOME announces it, signed; after
months of overlap the old one is retired.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from kiosk.errors import HubError
from kiosk.hub.revisions import bump
from kiosk.hub.settings import HubConfig, Listen
from kiosk.hub.store.tables import server_key
from kiosk.journal.keys import SigningKey
from kiosk.sync.keys import TransportKey, fingerprint
from kiosk.sync.receipts import next_key_message


class ServerKey(msgspec.Struct, frozen=True):
    """One row of `server_key` for CURVE."""

    #: Z85.
    key: str
    #: ``current``, ``next``.
    state: str
    #: What kiosks are told to connect to; "" for what the configuration says.
    endpoint: str
    since_ns: int


def signing_path(state: Path) -> Path:
    """Return where the key lies that signs receipts, commands, manifests and next keys."""
    return state / "keys" / "signing.key"


def transport_path(state: Path, key: str) -> Path:
    """Return where the secret half of a public CURVE key lies."""
    return state / "keys" / f"transport-{fingerprint(key)[:16]}.key"


def load_signing_key(state: Path) -> SigningKey:
    """Read the hub's signing key.

    Raises:
        HubError: it is missing.
        JournalError: it is open to others or damaged.
    """
    if not signing_path(state).exists():
        raise HubError(
            f"the hub's secret keys are not in {state / 'keys'}",
            hint="a new hub: kiosk hub init; after a restore: put a copy of them there",
        )
    return SigningKey.load(signing_path(state))


def make_keys(connection: sa.Connection, state: Path, *, lost: bool = False) -> None:
    """Make the keys of a new hub within a transaction of `office`; keys that are there stay.

    `lost` says that secrets whose files are missing never come back: their rows are retired, and new keys made.

    Raises:
        HubError: the file of a key is missing and was not said to be lost.
        KioskError: a file cannot be written, or lies there without its row.
    """
    now = time.time_ns()
    gone = [row for row in _in_force(connection) if not _secret_path(state, row.purpose, row.key).exists()]
    if gone and not lost:
        raise HubError(
            f"the hub's secret keys are not in {state / 'keys'}",
            hint="put a copy of them there; if none is left: kiosk hub init --new-keys, and enrol every kiosk",
        )
    for row in gone:
        connection.execute(
            server_key.update()
            .where(server_key.c.purpose == row.purpose, server_key.c.key == row.key)
            .values(state="retired")
        )
    found = {(row.purpose, row.state) for row in _in_force(connection)}
    if ("signing", "current") not in found:
        path = signing_path(state)
        # A file without its row is the rest of a set-up that was cut off: it is taken, never replaced.
        signing = SigningKey.load(path) if path.exists() else SigningKey.create(path)
        _add(connection, "signing", signing.public_hex, "current", "", now)
    if ("transport", "current") not in found:
        _add(connection, "transport", _new_pair(state), "current", "", now)
    bump(connection, "registry")


def signing_key(connection: sa.Connection) -> str:
    """Return the public half of the key that signs for the hub, hexadecimal; "" before there is one."""
    return next((row.key for row in _in_force(connection) if row.purpose == "signing"), "")


def _in_force(connection: sa.Connection) -> list[sa.Row[Any]]:
    return list(connection.execute(sa.select(server_key).where(server_key.c.state != "retired")))


def _secret_path(state: Path, purpose: str, key: str) -> Path:
    return signing_path(state) if purpose == "signing" else transport_path(state, key)


def transport_keys(connection: sa.Connection) -> list[ServerKey]:
    """Return the CURVE keys that answer: the current one first, then the next where there is one."""
    rows = connection.execute(
        sa.select(server_key).where(server_key.c.purpose == "transport", server_key.c.state.in_(("current", "next")))
    )
    return sorted(
        (ServerKey(row.key, row.state, row.endpoint, row.since_ns) for row in rows), key=lambda key: key.state
    )


def next_key(connection: sa.Connection, hub: str, signing: SigningKey) -> tuple[str, str, bytes]:
    """Return key, endpoint and signature for the last three fields of WELCOME; empty where no key is announced."""
    for known in transport_keys(connection):
        if known.state == "next":
            return known.key, known.endpoint, signing.sign(next_key_message(hub, known.key, known.endpoint))
    return "", "", b""


def begin_rotation(connection: sa.Connection, config: HubConfig, port: int) -> ServerKey:
    """Make the next CURVE key, to be bound on a port of its own, within a transaction of `office`.

    Raises:
        HubError: one is announced already, the port is in use, or kiosks could not be told an address.
    """
    known = transport_keys(connection)
    if any(key.state == "next" for key in known):
        raise HubError(
            "a next key is announced already", hint="finish that rotation first: kiosk hub rotate hub --finish"
        )
    if not known:
        raise HubError("this hub has no key", hint="kiosk hub init")
    announced = announced_endpoint(config.listen, known[0])
    host = announced.rpartition(":")[0]
    if host in ("tcp://0.0.0.0", "tcp://[::]"):
        raise HubError("kiosks cannot be told where the next key answers", hint="set listen.announced in hub.toml")
    taken = [config.listen.enrol, *(bound_endpoint(config.listen, key) for key in known)]
    if any(int(endpoint.rpartition(":")[2]) == port for endpoint in taken):
        raise HubError(f"port {port} is in use by this hub", hint="choose another one and open it in the firewall")
    fresh = ServerKey(_new_pair(config.state), "next", f"{host}:{port}", time.time_ns())
    _add(connection, "transport", fresh.key, fresh.state, fresh.endpoint, fresh.since_ns)
    bump(connection, "registry")
    return fresh


def finish_rotation(connection: sa.Connection) -> ServerKey:
    """Make the next key the current one and retire the old one, within a transaction of `office`.

    Raises:
        HubError: none is announced.
    """
    fresh = next((key for key in transport_keys(connection) if key.state == "next"), None)
    if fresh is None:
        raise HubError("no next key is announced", hint="begin with: kiosk hub rotate hub --port PORT")
    of_hub = server_key.c.purpose == "transport"
    connection.execute(server_key.update().where(of_hub, server_key.c.state == "current").values(state="retired"))
    connection.execute(server_key.update().where(of_hub, server_key.c.key == fresh.key).values(state="current"))
    bump(connection, "registry")
    return msgspec.structs.replace(fresh, state="current")


def bound_endpoint(listen: Listen, key: ServerKey) -> str:
    """Return what is bound for a key: the configured address, with the key's own port where it has one."""
    if not key.endpoint:
        return listen.journal
    return listen.journal.rpartition(":")[0] + ":" + key.endpoint.rpartition(":")[2]


def announced_endpoint(listen: Listen, key: ServerKey) -> str:
    """Return what kiosks are told to connect to for a key."""
    return key.endpoint or listen.announced or listen.journal


def enrol_endpoint(listen: Listen) -> str:
    """Return where kiosks are told to enrol: the port for that, on the announced host."""
    host = (listen.announced or listen.enrol).rpartition(":")[0]
    return host + ":" + listen.enrol.rpartition(":")[2]


def _new_pair(state: Path) -> str:
    pair = TransportKey.generate()
    pair.store(transport_path(state, pair.public))
    return pair.public


def _add(connection: sa.Connection, purpose: str, key: str, state: str, endpoint: str, now: int) -> None:
    connection.execute(
        server_key.insert().values(purpose=purpose, key=key, state=state, endpoint=endpoint, since_ns=now)
    )
