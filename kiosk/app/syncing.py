"""kiosk-sync from a configuration: the composition root of the one process that speaks to the network.

Only kiosk.toml is read, neither the city's pack nor plugins: a pack that does not load must not keep the line down by
which a mended one comes.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from kiosk import config, notify
from kiosk.app.sections import KioskConfig
from kiosk.app.setup import software_digest
from kiosk.errors import ReplicaError
from kiosk.sync.corelink import CoreLink
from kiosk.sync.parts import AbsentFeed, Feed, SyncParts
from kiosk.sync.replica_feed import PACE_NS, ReplicaFeed
from kiosk.sync.service import SyncService

#: On a line that is paid by volume, changes of one data set wait for each other so long, nanoseconds.
METERED_PACE_NS = 60_000_000_000


def load_sync(file: Path) -> SyncParts | None:
    """Read what kiosk-sync needs, and take the replica's lock; None where no hub is configured.

    Raises:
        ConfigError: the configuration is wrong.
        ReplicaError: an import is writing the reference data; it ends by itself.
    """
    settings = config.read(file, KioskConfig)
    if not settings.sync.hub:
        return None
    base = file.resolve().parent
    state, identity = base / settings.paths.state, settings.kiosk
    pace = METERED_PACE_NS if settings.sync.metered else PACE_NS
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    replica: Path | None = state / "sync.db"
    feed: Feed
    try:
        feed = ReplicaFeed(state / "sync.db", identity.id, pace_ns=pace)
    except ReplicaError as error:
        if error.transient:
            raise
        replica, feed = None, AbsentFeed(str(error))
    return SyncParts(
        kiosk=identity.id,
        # The journal of the configured realm, also while the kiosk trains people: training stays at home.
        realm=identity.realm,
        software=software_digest(),
        state=state,
        runtime=base / settings.paths.runtime,
        journal=state / f"journal-{identity.realm}.db",
        replica=replica,
        settings=settings.sync,
        core=CoreLink(base / settings.paths.runtime / "core.sock"),
        feed=feed,
    )


def run_sync(file: Path, say: Callable[[str], None]) -> None:
    """Run until a signal ends it; without a hub, end at once and leave the reference data to `kiosk import`.

    Raises:
        KioskError: the start failed.
    """
    parts = load_sync(file)
    if parts is None:
        notify.ready("no hub is configured")
        say(f"{file} names no hub: this kiosk works alone (a [[sync.hub]] section names one)")
        return
    # A handler only takes down what came: it runs between any two steps of the loop.
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda came, _: signals.append(came))
    SyncService(parts, say).run(lambda: bool(signals))
