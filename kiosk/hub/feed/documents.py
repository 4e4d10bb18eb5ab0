"""Documents that go down to the kiosks whole: kept by version, each with who published it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import sqlalchemy as sa

from kiosk.errors import HubError
from kiosk.hub.revisions import bump
from kiosk.hub.store.tables import document
from kiosk.sync.feed import DOCUMENTS, LARGEST_DOCUMENT, document_digest
from kiosk.sync.messages import DataCursor
from kiosk.sync.replica_runs import read_plates


class Document(msgspec.Struct, frozen=True):
    """The newest version of a document."""

    name: str
    #: From 1.
    version: int
    digest: str
    body: bytes
    at_ns: int

    @property
    def data(self) -> DataCursor:
        """How far the document is, as a data set: its version is the cursor of the only generation."""
        return DataCursor(self.name, 1, self.version, self.digest)


def publish(office: sa.Connection, name: str, body: bytes, by: str, now_ns: int) -> tuple[int, bool]:
    """Publish a document within a transaction of `office`; return its version and whether it is a new one.

    Raises:
        HubError: it is too large, or there is no document of this name.
    """
    if name not in DOCUMENTS:
        raise HubError(f"there is no document {name[:40]!r}", hint=f"there are {', '.join(DOCUMENTS)}")
    if len(body) > LARGEST_DOCUMENT:
        raise HubError(f"{name} has {len(body)} bytes", hint=f"{LARGEST_DOCUMENT} at most")
    digest = document_digest(body)
    found = newest(office, name)
    if found is not None and found.digest == digest:
        return found.version, False
    version = found.version + 1 if found is not None else 1
    row = {"name": name, "version": version, "digest": digest, "body": body, "at_ns": now_ns, "by": by[:64],
           "effective": ""}  # fmt: skip
    office.execute(sa.insert(document), row)
    bump(office, "documents")
    return version, True


def newest(office: sa.Connection, name: str) -> Document | None:
    """Return the newest version of a document."""
    columns = (document.c.name, document.c.version, document.c.digest, document.c.body, document.c.at_ns)
    wanted = sa.select(*columns).where(document.c.name == name).order_by(document.c.version.desc()).limit(1)
    found = office.execute(wanted).first()
    return Document(*found) if found is not None else None


def held(office: sa.Connection) -> tuple[DataCursor, ...]:
    """Return how far all documents are, by name."""
    wanted = sa.select(document.c.name, sa.func.max(document.c.version)).group_by(document.c.name)
    newest_of = {row[0]: row[1] for row in office.execute(wanted)}
    rows = office.execute(sa.select(document.c.name, document.c.version, document.c.digest))
    found = [DataCursor(row[0], 1, row[1], row[2]) for row in rows if newest_of[row[0]] == row[1]]
    return tuple(sorted(found, key=lambda each: each.name))


def publish_plates(
    office: sa.Connection, service: str, key_id: str, states: Iterable[str], *, whole: bool, by: str, now_ns: int
) -> None:
    """Tell under which key the plates of a service are hashed, and for which states; `whole`: nothing older stays.

    Raises:
        HubError: older plates stay that were hashed under another key; nobody could find those any more.
    """
    if not whole:
        check_plates(office, service, key_id)
    found = newest(office, "plates")
    told = read_plates(found.body) if found is not None else {}
    kept = () if whole or service not in told else told[service][1]
    body = _plates_body({**told, service: (key_id, tuple(sorted({*states, *kept})))})
    publish(office, "plates", body, by, now_ns)


def check_plates(office: sa.Connection, service: str, key_id: str) -> None:
    """Refuse plates under another key before any row is written.

    Raises:
        HubError: rows that are there were hashed with another key.
    """
    found = newest(office, "plates")
    before = read_plates(found.body).get(service) if found is not None else None
    if before is not None and before[0] != key_id:
        raise HubError(
            f"the plates of {service} that are there were hashed with another plate.key",
            hint="put that key back, or import a file that holds everything there is",
        )


def _plates_body(told: Mapping[str, tuple[str, tuple[str, ...]]]) -> bytes:
    return msgspec.json.encode({service: told[service] for service in sorted(told)})
