"""The projector's process: posts what the workers have committed, and lets what changed be published.

It owns the books.  What it cannot post it sets apart and tells; trouble of the machine (a full disk, a server that is
gone) ends the process, and the next start goes on where the last transaction ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa

from kiosk.errors import StoreError
from kiosk.hub.feed.publishing import refresh
from kiosk.hub.posting.projector import Projector
from kiosk.hub.posting.rules import Rules
from kiosk.hub.posting.sole import sole
from kiosk.hub.revisions import current
from kiosk.hub.setup import HubSetup
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import Stores

#: Seconds between two looks where nothing waits, and between two looks at what else may have to be published.
IDLE_S, LOOK_S = 0.05, 0.2
#: Subjects whose changes reach the kiosks without any fact.
PUBLISHED = ("invoices", "documents")

#: Publishes what changed at a time; tells whether more is waiting.
Publish = Callable[[sa.Connection, sa.Engine, int], bool]


def open_projector(setup: HubSetup, stores: Stores) -> Projector:
    """Return a hub's projector; the caller holds `sole`."""
    return Projector(stores, Rules.of(setup), workers=setup.config.hub.workers, digest=setup.rules_digest)


def run(setup: HubSetup, stop: Callable[[], bool], publish: Publish = refresh) -> None:
    """Post and publish until told to stop.

    Raises:
        HubError: another projector is at work, or the database cannot be used.
    """
    first = setup.stores()
    try:
        prepare(first)
    finally:
        first.close()
    stores = setup.stores(readonly=("segments",))
    try:
        with sole(stores, setup.config.state):
            _work(open_projector(setup, stores), stores, stop, publish)
    except sa.exc.OperationalError as error:
        raise StoreError(
            f"the hub's database cannot be used: {str(error.orig)[:200]}",
            hint="check disk and server; the projector goes on where it was", transient=True,
        ) from error  # fmt: skip
    finally:
        stores.close()


def _work(projector: Projector, stores: Stores, stop: Callable[[], bool], publish: Publish) -> None:
    publisher = _Publisher(projector, stores, publish)
    looked = time.monotonic()
    publisher.look()
    while not stop():
        worked = projector.turn()
        publisher.due = publisher.due or worked
        if time.monotonic() - looked >= LOOK_S or not worked:
            if time.monotonic() - looked >= LOOK_S:
                publisher.look()
                if projector.asked_to_rebuild():
                    projector.empty()
                looked = time.monotonic()
            publisher.publish()
        if not worked:
            time.sleep(IDLE_S)


class _Publisher:
    """Calls the publisher when something changed, and never while a rebuild has not yet counted every payment."""

    def __init__(self, projector: Projector, stores: Stores, publish: Publish) -> None:
        self._projector = projector
        self._stores = stores
        self._publish = publish
        self._seen: tuple[int, ...] = ()
        #: Whether something changed that was not published yet.
        self.due = True

    def look(self) -> None:
        """See whether an import or a document changed."""
        with self._stores.office.connect() as connection:
            told = tuple(current(connection, subject) for subject in PUBLISHED)
        self.due = self.due or told != self._seen
        self._seen = told

    def publish(self) -> None:
        """Publish what changed."""
        if self.due and not self._projector.rebuilding:
            with self._stores.books.begin() as connection:
                self.due = self._publish(connection, self._stores.office, time.time_ns())
