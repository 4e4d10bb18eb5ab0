"""Makes a hub: directories, keys, databases, and the row that says who the store is."""

from __future__ import annotations

import uuid

import msgspec
import sqlalchemy as sa

from kiosk.errors import HubError
from kiosk.hub.front.server_keys import announced_endpoint, make_keys, transport_keys
from kiosk.hub.running import prepare_runtime
from kiosk.hub.setup import HubSetup
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.tables import identity
from kiosk.sync.keys import fingerprint


class Founded(msgspec.Struct, frozen=True):
    """What a kiosk's technician has to know of a hub."""

    hub: str
    incarnation: str
    #: Where the journal and where enrolments go.
    journal: str
    enrol: str
    #: SHA-256 of the CURVE key, for ``[[sync.hub]]`` of kiosk.toml.
    fingerprint: str
    #: Whether the store was made just now.
    new: bool

    def told(self) -> dict[str, object]:
        """Return it for the JSON object."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


def found(setup: HubSetup, now_ns: int, *, lost: bool = False) -> Founded:
    """Make what is missing; everything that is there stays.  `lost`: also keys whose files will not come back.

    Raises:
        KioskError: a directory, key or database cannot be made, or the store belongs to another hub.
    """
    config = setup.config
    stores = setup.stores()
    try:
        if not config.hub.database:
            config.state.chmod(0o700)
        else:
            config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        prepare_runtime(config.runtime)
        prepare(stores)
        with stores.segments.begin() as connection:
            rows = connection.execute(sa.select(identity)).all()
            if rows and rows[0].hub != config.hub.id:
                raise HubError(
                    f"the store belongs to hub {rows[0].hub}, not {config.hub.id}",
                    hint="give each hub a state directory and a database of its own",
                )
            incarnation = rows[0].incarnation if rows else uuid.uuid4().hex[:16]
            if not rows:
                connection.execute(identity.insert().values(hub=config.hub.id, incarnation=incarnation, made_ns=now_ns))
        with stores.office.begin() as connection:
            make_keys(connection, config.state, lost=lost)
            current = transport_keys(connection)[0]
        return Founded(
            config.hub.id, incarnation, announced_endpoint(config.listen, current), config.listen.enrol,
            fingerprint(current.key), not rows,
        )  # fmt: skip
    except OSError as error:
        raise HubError(f"{config.state}: {error.strerror}", hint="give a directory the hub owns") from error
    finally:
        stores.close()
